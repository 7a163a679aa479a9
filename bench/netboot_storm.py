#!/usr/bin/env python3
"""Two hundred PCs are switched on at one switch, and sixteen before a boot server of one core and 1 GiB."""
import argparse
import asyncio
import contextlib
import math
import os
import pathlib
import ssl
import subprocess
import sys

from _bench import record, say
from _storm import PHASES, Dhcp, Failed, Pc

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
PASSWORD = "correct horse"
GROUP = pathlib.Path("/sys/fs/cgroup/memory")
HOW = ("{count} simulated PCs switched on at once, each with a MAC and an address of its own: DHCP from the real dnsmasq, boot "
       "script, 3 MiB of kernel and first stage and a root of {root} MiB from batond over HTTP, \"client is up\", login and session "
       "open over TLS, against simulated hosts that take 0.3 s to start a desktop{confined}. 429 and what breaks off is tried again "
       "({waits} times){what}. Peer: one such PC alone, before the storm")


def percentile(samples, share):
    return sorted(samples)[max(0, math.ceil(share * len(samples)) - 1)]


class Storm:
    """A boot server, and a namespace with PCs before it."""

    def __init__(self, build, count, root_mib, confined):
        os.environ["BATON_BUILD"] = str(build)
        sys.path.insert(0, str(REPOSITORY / "tests" / "integration" / "netboot"))
        import netboot_site
        self.site, self.count, self.confined = netboot_site, count, confined
        self.server, self.password = netboot_site.ADDRESS, PASSWORD
        self.dhcp = Dhcp()
        self.boot = netboot_site.BootServer()
        self.image = netboot_site.fake_image(self.boot.netboot, "storm", {"kernel": 2 << 20, "initrd": 1 << 20,
                                                                          "root.squashfs": root_mib << 20})
        hosts = math.ceil(count / 4) + 1
        self.boot.config.write_text(self.boot.config.read_text().replace("hosts = 1\n", f"hosts = {hosts}\n") +
                                    '[allocation]\nlargest = "1GiB"\nlevels = 1\nno_host_reserve = true\n')
        self.group = None

    def confine(self, pid):
        """One core and 1 GiB for that process."""
        subprocess.run(["taskset", "-a", "-p", "-c", "0", str(pid)], check=True, stdout=subprocess.DEVNULL)
        if self.group:
            (self.group / "cgroup.procs").write_text(str(pid))

    def prepare(self):
        for number in range(self.count + 1):
            self.boot.run("user", "add", f"pc{number}", "--password-stdin", typed=PASSWORD + "\n")

    @contextlib.contextmanager
    def running(self):
        with self.boot as boot:
            boot.start_batond()
            self.prepare()
            boot.enable("--range", "10.98.1.1,10.98.2.250", "--netmask", "255.255.252.0", "--ipv6-prefix", "fd98::")
            boot.start_service()
            boot.service.wait_said("dnsmasq runs")
            boot.batond.wait_said("files for PCs at")
            if self.confined:
                if os.access(GROUP, os.W_OK):
                    self.group = GROUP / f"baton-storm-{os.getpid()}"
                    self.group.mkdir()
                    (self.group / "memory.limit_in_bytes").write_text(str(1 << 30))
                self.confine(boot.batond.process.pid)
                for pid in self.site.dnsmasqs(boot):
                    self.confine(pid)
                os.sched_setaffinity(0, set(range(os.cpu_count())) - {0} or {0})
            self.tls = ssl.create_default_context(cafile=str(boot.state / "pki" / "api" / "ca-cert.pem"))
            yield self
        if self.group:
            self.group.rmdir()

    async def take_address(self, address):
        process = await asyncio.create_subprocess_exec("ip", "address", "replace", f"{address}/22", "dev", "eth0")
        if await process.wait() != 0:
            raise Failed(f"cannot take the address {address}")

    async def run(self):
        """The PC alone, and all of them."""
        await self.dhcp.open("eth0")
        alone = await Pc(0, self).run()
        say("one PC alone: " + ", ".join(f"{phase} {alone.took[phase]:.2f} s" for phase in (*PHASES, "together")))
        ends = await asyncio.gather(*(Pc(number, self).run() for number in range(1, self.count + 1)), return_exceptions=True)
        failed = [end for end in ends if isinstance(end, BaseException)]
        for end in failed[:10]:
            say(f"FAILED: {end}")
        served = [end for end in ends if isinstance(end, Pc)]
        return alone, served, failed


def table(storm, served):
    say(f"{len(served)} PCs at once{', one core and 1 GiB' if storm.confined else ''}:")
    say(f"  {'phase':<10} {'p50':>8} {'p99':>8}  seconds")
    for phase in (*PHASES, "together"):
        times = [pc.took[phase] for pc in served]
        say(f"  {phase:<10} {percentile(times, 0.5):8.2f} {percentile(times, 0.99):8.2f}")
    say(f"  asked to wait: {sum(pc.asked_to_wait for pc in served)} times")


def in_storm_namespace():
    """This thread's network is from now on the PCs'; the programs that were started stay where they are."""
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/run/netns/storm", "rb") as space:
        if libc.setns(space.fileno(), 0x40000000) != 0:
            raise OSError(ctypes.get_errno(), "setns")


def make_network():
    def ip(*words):
        subprocess.run(["ip", *words], check=True)
    ip("netns", "add", "storm")
    ip("link", "add", "s0", "type", "veth", "peer", "name", "eth0", "netns", "storm")
    ip("link", "set", "s0", "master", "clients", "up")
    ip("-n", "storm", "link", "set", "lo", "up")
    ip("-n", "storm", "link", "set", "eth0", "up")
    ip("address", "del", "10.98.0.1/24", "dev", "clients")
    ip("address", "add", "10.98.0.1/22", "dev", "clients")
    ip("address", "add", "fd98::1/64", "dev", "clients", "nodad")


def inside(build, name, count, root_mib, confined):
    make_network()
    storm = Storm(build, count, root_mib, confined)
    with storm.running():
        in_storm_namespace()
        alone, served, failed = asyncio.run(storm.run())
    if served:
        table(storm, served)
    if failed:
        sys.exit(f"{len(failed)} of {count} PCs were not served")
    words = {"count": count, "root": root_mib, "waits": sum(pc.asked_to_wait for pc in served),
             "confined": ", the boot server confined to one core and 1 GiB" if confined else ""}
    for phase in ("together", *PHASES):
        times = [pc.took[phase] for pc in served]
        own = name if phase == "together" else f"{name}_{phase}"
        record(own, ours=times, peer=alone.took[phase], peer_name="one PC alone", unit="s", better="lower",
               how=HOW.format(what=f"; the phase '{phase}', median", **words))
        if phase != "together":
            continue
        record(f"{own}_p99", ours=percentile(times, 0.99), peer=alone.took[phase], peer_name="one PC alone", unit="s",
               better="lower", how=HOW.format(what=f"; the phase '{phase}', 99 of 100 are below", **words))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build", type=lambda text: pathlib.Path(text).resolve())
    parser.add_argument("--inside", nargs=4, metavar=("NAME", "COUNT", "ROOT_MIB", "CONFINED"))
    options = parser.parse_args()
    if options.inside:
        name, count, root_mib, confined = options.inside
        inside(options.build, name, int(count), int(root_mib), confined == "yes")
        return
    network = REPOSITORY / "tests" / "support" / "with-routing-network"
    for words in (("netboot_storm", "200", "4", "no"), ("netboot_small_server", "16", "32", "yes")):
        subprocess.run([str(network), sys.executable, __file__, "--build", str(options.build), "--inside", *words], check=True)


if __name__ == "__main__":
    main()
