#!/usr/bin/env python3
"""batond with two hosts that measure themselves: who joins goes to the one that is less loaded."""
import json
import pathlib
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from control_site import BATON, BUILD, PATIENCE, Site  # noqa: E402

HOSTD = str(BUILD / "bin" / "baton-hostd")
HOST = str(BUILD / "tests" / "measured_host")

CONFIG = """
[images]
folder = "{folder}/images"
[routing]
helper_socket = ""
[allocation]
no_host_reserve = true
by_load = {by_load}
"""


class Host:
    """The host's agent over the real link; its monitor reads what the test says."""

    def __init__(self, site, name):
        self.site, self.name = site, name
        token = site.baton("host", "invite", name, "--json").json["token"]
        subprocess.run([HOSTD, "join", "--token", token, "--name", name, "--state", str(site.folder / name),
                        "--address", "127.0.0.1", "--memory", "8GiB"],
                       check=True, capture_output=True, timeout=PATIENCE)
        self.process = subprocess.Popen([HOST, str(site.folder / name), site.urls[0], name],
                                        stdin=subprocess.PIPE, stdout=site.log, stderr=site.log, text=True)

    def shown(self):
        return self.site.baton("host", "show", self.name, "--json").json

    def reads(self, cpu, load):
        """Readings until the controller goes by them."""
        end = time.monotonic() + PATIENCE
        while self.shown()["load"] != load:
            if time.monotonic() > end:
                raise AssertionError(f"{self.name} never became {load}: {self.shown()}")
            self.process.stdin.write(f"cpu {cpu}\n")
            self.process.stdin.flush()

    def end(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE)


class LoadedSite(Site):
    def __init__(self, by_load):
        super().__init__()
        text = self.config.read_text().split("[simulate]")[0]
        self.config.write_text(text + CONFIG.format(folder=self.folder, by_load=by_load))
        self.hosts = []

    def __enter__(self):
        disk = self.folder / "disk.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(disk), "16M"], check=True)
        subprocess.run([BATON, "os", "import", str(disk), "--library", str(self.folder / "images"),
                        "--name", "none", "--version", "1"], check=True, capture_output=True)
        super().__enter__()
        try:
            self.hosts = [Host(self, "host1"), Host(self, "host2")]
            for name in ("kim", "lee"):
                self.baton("user", "add", name, "--no-password")
        except BaseException:
            self.__exit__(AssertionError)
            raise
        return self

    def __exit__(self, kind, *rest):
        for host in self.hosts:
            host.end()
        super().__exit__(kind, *rest)

    def open(self, name):
        return self.baton("session", "open", name, "--json").json["desktop"]["host"]

    def loads(self):
        events = [json.loads(line) for line in self.baton("events", "--json").out.splitlines()]
        return [event["text"] for event in events if event["kind"] == "host.load"]


class Load(unittest.TestCase):
    def test_the_busy_host_is_passed_over_and_the_reason_is_written_down(self):
        with LoadedSite("true") as site:
            busy, calm = site.hosts
            busy.reads(95, "swamped")
            calm.reads(10, "idle")
            self.assertEqual(site.open("kim"), "host2")
            self.assertEqual([text.split(",")[0] for text in site.loads()],
                             ["host1 is swamped", "host2 is idle"])
            self.assertIn("load          idle", site.baton("host", "show", "host2").out)

    def test_it_can_be_switched_off(self):
        with LoadedSite("false") as site:
            for host in site.hosts:
                host.process.stdin.write("cpu 95\n")
                host.process.stdin.flush()
            end = time.monotonic() + PATIENCE
            while any(host.shown()["state"] != "up" for host in site.hosts):
                self.assertLess(time.monotonic(), end, "the hosts never came up")
            self.assertEqual(site.open("kim"), "host1")
            self.assertEqual(site.loads(), [])
            self.assertIsNone(site.hosts[0].shown()["load"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
