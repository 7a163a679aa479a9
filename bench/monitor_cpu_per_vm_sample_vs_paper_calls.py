#!/usr/bin/env python3
"""CPU time of all processes involved (who asks, libvirtd, every QEMU) for one sample of one VM, with real QEMU processes
beside a libvirtd of their own. Records: monitor_cpu_per_vm_sample_vs_paper_calls, ..._vs_virt_top,
..._vs_libvirt_exporter, monitor_total_vs_libvirt_exporter, monitor_cost_flat_16_to_256."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

from _bench import beside_libvirtd, record, say

ROUNDS = 9
VMS = 64
DOMAIN = """<domain type='qemu'><name>{name}</name><memory unit='MiB'>16</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{image}'/><target dev='vda' bus='virtio'/></disk>
<interface type='ethernet'><target dev='tap{number}'/><model type='virtio'/></interface><controller type='usb' model='none'/>
<memballoon model='virtio'><stats period='10'/></memballoon></devices></domain>"""


def schedstat_us(pid):
    """CPU time of a process, of all its threads that live."""
    total = 0
    try:
        for task in os.scandir(f"/proc/{pid}/task"):
            with open(f"{task.path}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
    except (FileNotFoundError, ProcessLookupError):
        pass
    return total / 1000


class Machines:
    """Paused QEMU processes of the private libvirtd that this runs beside."""

    def __init__(self, folder):
        self.folder = folder
        self.pids = []
        with open(os.environ["BATON_LIBVIRTD_PID_FILE"], encoding="ascii") as file:
            self.daemon = int(file.read())

    def grow_to(self, count):
        while len(self.pids) < count:
            number = len(self.pids)
            name = f"v{number:04}"
            image = self.folder / f"{name}.img"
            with open(image, "wb") as file:
                file.truncate(1 << 20)
            xml = self.folder / f"{name}.xml"
            xml.write_text(DOMAIN.format(name=name, image=image, number=number), encoding="ascii")
            subprocess.run(["virsh", "-q", "create", "--paused", str(xml)], check=True, stdout=subprocess.DEVNULL)
            pid_file = pathlib.Path("/run/libvirt/qemu") / f"{name}.pid"
            self.pids.append(int(pid_file.read_text(encoding="ascii")))

    def used_us(self, *others):
        return sum(schedstat_us(pid) for pid in [self.daemon, *self.pids, *others])


class Way:
    """monitor_ways: has found everything when it is made; measure() gives microseconds per VM-sample."""

    def __init__(self, build, machines, kind, rounds):
        self.machines, self.rounds = machines, rounds
        self.child = subprocess.Popen([str(build / "bench-tools" / "monitor_ways"), kind,
                                       os.environ["BATON_LIBVIRT_URI"], str(rounds)],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.child.stdout.readline().strip() != "ready":
            raise RuntimeError(f"monitor_ways {kind} did not begin")

    def measure(self):
        before = self.machines.used_us(self.child.pid)
        self.child.stdin.write("\n")
        self.child.stdin.flush()
        if self.child.stdout.readline().strip() != "done":
            raise RuntimeError("monitor_ways did not end")
        after = self.machines.used_us(self.child.pid)
        self.child.stdin.close()
        if self.child.wait() != 0:
            raise RuntimeError("monitor_ways failed")
        return (after - before) / (self.rounds * len(self.machines.pids))


def one_way(build, machines, kind, rounds):
    return Way(build, machines, kind, rounds).measure()


def by_command(machines, command, samples):
    """A program that ends by itself: its own CPU time comes from the kernel when it is waited for."""
    before = machines.used_us()
    own = os.times()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    now = os.times()
    used = machines.used_us() - before
    used += (now.children_user - own.children_user + now.children_system - own.children_system) * 1e6
    return used / (samples * len(machines.pids))


class Exporter:
    """prometheus-libvirt-exporter on a port of its own in this network namespace."""

    def __init__(self):
        self.child = subprocess.Popen(["prometheus-libvirt-exporter", "--web.listen-address=127.0.0.1:9177",
                                       f"--libvirt.uri={os.environ['BATON_LIBVIRT_URI']}"],
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 30
        while True:
            try:
                text = self.scrape()
                break
            except OSError:
                if time.monotonic() > until or self.child.poll() is not None:
                    raise RuntimeError("prometheus-libvirt-exporter did not begin") from None
                time.sleep(0.1)
        if "libvirt_domain" not in text:
            raise RuntimeError("prometheus-libvirt-exporter tells nothing of domains")

    @staticmethod
    def scrape():
        with urllib.request.urlopen("http://127.0.0.1:9177/metrics", timeout=60) as answer:
            return answer.read().decode()

    def measure(self, machines, rounds):
        before = machines.used_us(self.child.pid)
        for _ in range(rounds):
            self.scrape()
        return (machines.used_us(self.child.pid) - before) / (rounds * len(machines.pids))

    def end(self):
        self.child.terminate()
        self.child.wait()


def measure_total(build, machines, seconds):
    """baton-hostd as shipped, both tiers, per VM and second; what it does when it begins is not counted."""
    child = subprocess.Popen([str(build / "bin" / "baton-hostd"), "--monitor-only", "--listen", "127.0.0.1:0"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(12)  # more than one period of the slow tier: everybody has its place
        before, begun = machines.used_us(child.pid), time.monotonic()
        time.sleep(seconds)
        used, passed = machines.used_us(child.pid) - before, time.monotonic() - begun
        if child.poll() is not None:
            raise RuntimeError("baton-hostd ended")
    finally:
        child.terminate()
        child.wait()
    return used / (passed * len(machines.pids))


def bulk_peer(machines):
    """virt-top where there is one (Debian 12 has none), else virsh domstats, which asks the same."""
    if shutil.which("virt-top"):
        return "virt-top --csv", lambda: by_command(
            machines, ["virt-top", "--csv", "/dev/null", "--script", "-d", "1", "-n", "3"], 3)
    groups = ["--cpu-total", "--balloon", "--interface", "--block"]
    return "virsh domstats", lambda: by_command(machines, ["virsh", "domstats", *groups], 1)


def inside(build):
    with tempfile.TemporaryDirectory(prefix="baton-bench-") as name:
        machines = Machines(pathlib.Path(name))
        say("starting 16 of the machines")
        machines.grow_to(16)
        small = [one_way(build, machines, "ours", 200) for _ in range(ROUNDS)]
        say(f"starting {VMS}")
        machines.grow_to(VMS)
        bulk_name, bulk = bulk_peer(machines)
        ours, paper, bulks = [], [], []
        for number in range(ROUNDS):
            say(f"round {number + 1} of {ROUNDS}")
            ours.append(one_way(build, machines, "ours", 100))
            paper.append(one_way(build, machines, "paper", 2))
            bulks.append(bulk())
        how = (f"CPU time of who asks, libvirtd and {VMS} paused QEMU processes per VM-sample, {ROUNDS} rounds in turn; "
               "ours: the fast tier (CPU, memory of the process, physical disk, network, and the host), libvirtd "
               "followed by its events")
        record("monitor_cpu_per_vm_sample_vs_paper_calls", ours=ours, peer=paper,
               peer_name="virDomainGetInfo, MemoryStats, BlockStats, InterfaceStats", unit="us of CPU", better="lower",
               limit=0.01, how=how)
        record("monitor_cpu_per_vm_sample_vs_virt_top", ours=ours, peer=bulks, peer_name=bulk_name, unit="us of CPU",
               better="lower", limit=0.01, how=how)
        exporter = Exporter()
        try:
            scrapes, again = [], []
            for _ in range(ROUNDS):
                again.append(one_way(build, machines, "ours", 100))
                scrapes.append(exporter.measure(machines, 3))
        finally:
            exporter.end()
        record("monitor_cpu_per_vm_sample_vs_libvirt_exporter", ours=again, peer=scrapes,
               peer_name="prometheus-libvirt-exporter", unit="us of CPU", better="lower", limit=0.01, how=how)
        say("both tiers as shipped")
        total = [measure_total(build, machines, 20) for _ in range(3)]
        record("monitor_total_vs_libvirt_exporter", ours=total, peer=scrapes,
               peer_name="prometheus-libvirt-exporter scraped each second", unit="us of CPU per VM and second",
               better="lower", limit=0.1,
               how="baton-hostd --monitor-only with its defaults (fast tier 1 s, guests' memory 10 s, disks 30 s) over "
                   "20 s, three times; all processes counted")
        say("starting 256")
        machines.grow_to(256)
        large = [one_way(build, machines, "ours", 50) for _ in range(ROUNDS)]
        record("monitor_cost_flat_16_to_256", ours=large, peer=small, peer_name="the same with 16 VMs", unit="us of CPU",
               better="lower", limit=1.2, how="the fast tier per VM-sample with 256 VMs against 16")


def main():
    if not shutil.which("prometheus-libvirt-exporter"):
        print("prometheus-libvirt-exporter is missing: tools/setup bench installs it", file=sys.stderr)
        return 1
    return beside_libvirtd(__doc__, __file__, inside)


if __name__ == "__main__":
    sys.exit(main())
