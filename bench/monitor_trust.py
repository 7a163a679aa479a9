#!/usr/bin/env python3
"""One busy guest and its host over a minute: what the monitor says against libvirt's own counters and /proc read by hand.
Records monitor_trust (the worst of all) and monitor_trust_NAME, each the difference in percent of the range against 1 %."""
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

from _bench import beside_libvirtd, record, say

SECONDS = 60
IMAGE_BYTES = 32 << 20

# A boot sector that reads its disk piece by piece (INT 13h, AH=42h) and counts in between, for ever.
BOOT = bytes.fromhex(
    "31c0 8ed8 be307c"              # ds = 0; si = the packet
    "b442 b280 cd13"                # again: read 127 sectors
    "66 8106 387c 7f000000"         # the next ones
    "66 8126 387c ffff0000"         # of the first 32 MiB
    "66 b9 00000400"                # ecx = 262,144
    "66 49 75fc ebdc"               # until it is 0; again
    "0000000000"
    "1000 7f00 0000 0010 0000000000000000")

DOMAIN = """<domain type='qemu'><name>busy</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<disk type='file' device='disk'><driver name='qemu' type='raw' cache='none'/><source file='{image}'/><target dev='hda' bus='ide'/></disk>
<interface type='ethernet'><target dev='tap0'/><model type='e1000'/></interface>
<controller type='usb' model='none'/><memballoon model='virtio'><stats period='1'/></memballoon></devices></domain>"""


def make_image(path):
    sector = BOOT + bytes(510 - len(BOOT)) + b"\x55\xaa"
    # real blocks on the disk: holes would be read from nowhere
    path.write_bytes(sector + os.urandom(IMAGE_BYTES - len(sector)))


class Traffic(threading.Thread):
    """Datagrams over a veth pair of this network namespace, at about 200 a second."""

    def __init__(self):
        super().__init__(daemon=True)
        for command in ("ip link add bench0 type veth peer name bench1", "ip addr add 10.77.0.1/24 dev bench0",
                        "ip link set bench0 up", "ip link set bench1 up",
                        "ip neigh add 10.77.0.2 lladdr 02:00:00:00:00:02 dev bench0"):
            subprocess.run(command.split(), check=True)
        self.over = threading.Event()

    def run(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            while not self.over.wait(0.005):
                sock.sendto(bytes(1000), ("10.77.0.2", 9))


def by_hand(pid):
    """Everything at one moment, read without the monitor."""
    at = time.monotonic()
    with open("/proc/stat", encoding="ascii") as file:
        cpu = [int(word) for word in file.readline().split()[1:]]
    with open(f"/proc/{pid}/io", encoding="ascii") as file:
        io = dict(line.split(": ") for line in file.read().splitlines())
    with open("/proc/net/dev", encoding="ascii") as file:
        net = next(line.split() for line in file if line.strip().startswith("bench0:"))
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        words = file.read().rsplit(")", 1)[1].split()
    vcpu = 0
    for task in os.scandir(f"/proc/{pid}/task"):
        if pathlib.Path(task.path, "comm").read_text(encoding="ascii").startswith("CPU "):
            vcpu += int(pathlib.Path(task.path, "schedstat").read_text(encoding="ascii").split()[0])
    stats = subprocess.run(["virsh", "domstats", "busy", "--cpu-total", "--block", "--balloon"], check=True, text=True,
                           stdout=subprocess.PIPE).stdout
    libvirt = dict(line.strip().split("=", 1) for line in stats.splitlines() if "=" in line)
    return {"at": at, "cpu": cpu, "read": int(io["read_bytes"]) + int(io["write_bytes"]), "sent": int(net[9]),
            "vcpu": vcpu, "resident": int(words[21]) * os.sysconf("SC_PAGESIZE"),
            "cpu_time": int(libvirt["cpu.time"]), "block": int(libvirt["block.0.rd.bytes"]),
            "balloon": int(libvirt["balloon.current"]) * 1024}


def reading(url):
    with urllib.request.urlopen(f"{url}/v1/readings", timeout=30) as answer:
        return json.load(answer)["readings"][0]


def watch(url, seconds):
    """The monitor's readings over so long, one for each of its intervals: an answer comes right after its reading."""
    all_of_them, until = [], time.monotonic() + seconds
    while time.monotonic() < until:
        all_of_them.append(reading(url))
    return all_of_them


def counted(url):
    """What the monitor has counted, once it has asked everybody again: nothing moves meanwhile."""
    watch(url, 8)
    with urllib.request.urlopen(f"{url}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()

    def value(start, part):
        return int(next(line for line in lines if line.startswith(start) and part in line).rsplit(" ", 1)[1])

    return {"counted_block": value("baton_desktop_disk_read_bytes_total{", '"hda"'),
            "counted_sent": value("baton_host_network_transmit_bytes_total{", '"bench0"')}


def virsh(*words):
    subprocess.run(["virsh", "-q", *words], check=True, stdout=subprocess.DEVNULL)


def mean(readings, value):
    """Weighted by the time that each stands for."""
    pairs = [(value(one), one["usage"]["seconds"]) for one in readings]
    pairs = [(number, seconds) for number, seconds in pairs if number is not None]
    return sum(number * seconds for number, seconds in pairs) / sum(seconds for _, seconds in pairs)


def desktop(one):
    return next(d for d in one["desktops"] if d["name"] == "busy")


def compare(readings, before, after):
    """(name, ours, theirs, range, whose)"""
    passed = after["at"] - before["at"]
    processors = os.cpu_count()
    cpu = [b - a for a, b in zip(before["cpu"], after["cpu"])]
    busy = 100 * (1 - (cpu[3] + cpu[4]) / sum(cpu[:8]))

    def rate(key):
        return (after[key] - before[key]) / passed

    return [
        ("host_cpu", mean(readings, lambda r: r["usage"]["cpu_percent"]), busy, 100, "/proc/stat by hand"),
        ("desktop_cpu_libvirt", mean(readings, lambda r: desktop(r)["cpu_percent_paper"]),
         100 * rate("cpu_time") / 1e9 / processors, 100, "libvirt's cpu.time (process against process)"),
        ("desktop_cpu_vcpu", mean(readings, lambda r: desktop(r)["vcpu_percent"]), 100 * rate("vcpu") / 1e9, 100,
         "schedstat of the vCPU thread by hand"),
        ("desktop_disk_physical", mean(readings, lambda r: desktop(r)["disk_bytes_per_second"]), rate("read"), None,
         "/proc/PID/io by hand (physical against physical)"),
        ("desktop_disk_libvirt", after["counted_block"] - before["counted_block"], after["block"] - before["block"], None,
         "libvirt's block.0, bytes (disk against disk), the guest paused before and after"),
        ("host_network", after["counted_sent"] - before["counted_sent"], after["sent"] - before["sent"], None,
         "/proc/net/dev by hand, bytes, nothing sent before and after"),
        ("desktop_memory_given", mean(readings, lambda r: desktop(r).get("memory_given_bytes")), after["balloon"], None,
         "libvirt's balloon.current"),
        ("desktop_resident", mean(readings[-3:], lambda r: desktop(r)["resident_bytes"]), after["resident"], None,
         "/proc/PID/stat by hand"),
    ]


def inside(build):
    with tempfile.TemporaryDirectory(prefix="baton-bench-", dir="/var/tmp") as name:
        image = pathlib.Path(name) / "busy.img"
        make_image(image)
        (pathlib.Path(name) / "busy.xml").write_text(DOMAIN.format(image=image), encoding="ascii")
        subprocess.run(["virsh", "-q", "create", f"{name}/busy.xml"], check=True, stdout=subprocess.DEVNULL)
        pid = int(pathlib.Path("/run/libvirt/qemu/busy.pid").read_text(encoding="ascii"))
        traffic = Traffic()
        monitor = subprocess.Popen([str(build / "bin" / "baton-hostd"), "--monitor-only", "--listen", "127.0.0.1:0",
                                    "--guest-interval-ms", "1000"], stdout=subprocess.PIPE, text=True,
                                   stderr=subprocess.DEVNULL)
        try:
            monitor.stdout.readline()
            url = monitor.stdout.readline().split()[-1].removesuffix("/metrics")
            virsh("suspend", "busy")
            still = counted(url)
            quiet = by_hand(pid)
            virsh("resume", "busy")
            traffic.start()
            say(f"watching for {SECONDS} s")
            watch(url, 2)
            before = by_hand(pid)  # right after a reading, and so is the last: both sides see the same time
            readings = watch(url, SECONDS)
            after = by_hand(pid)
            virsh("suspend", "busy")
            traffic.over.set()
            traffic.join()
            end = counted(url)
            at_end = by_hand(pid)
            before |= still | {key: quiet[key] for key in ("block", "sent")}
            after |= end | {key: at_end[key] for key in ("block", "sent")}
        finally:
            monitor.terminate()
            monitor.wait()
            traffic.over.set()
    results = []
    for what, ours, theirs, size, whose in compare(readings, before, after):
        off = 100 * abs(ours - theirs) / (size or theirs)
        results.append((what, off, f"{ours:,.2f} of the monitor against {theirs:,.2f}: {whose}"))
        say(f"{what}: {results[-1][2]}: {off:.2f} % apart")
    worst = max(results, key=lambda result: result[1])
    record("monitor_trust", ours=worst[1], peer=1, peer_name="1 % of the range", unit="% apart", better="lower", limit=1.0,
           how=f"the worst of all below over {SECONDS} s ({worst[0]}); the two sides begin and end within a fraction of "
               "an interval of each other, which is a part of what is left")
    for what, off, how in results:
        record(f"monitor_trust_{what}", ours=off, peer=1, peer_name="1 % of the range", unit="% apart", better="lower",
               limit=1.0, how=how)


def main():
    return beside_libvirtd(__doc__, __file__, inside)


if __name__ == "__main__":
    sys.exit(main())
