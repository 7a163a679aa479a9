#!/usr/bin/env python3
"""The boot server's half of network boot, without a PC: dnsmasq as Baton configures and keeps it, the files over TFTP and
HTTP, the doctor. Runs under tests/support/with-routing-network, in the namespace `boot`."""
import contextlib
import http.client
import os
import pathlib
import re
import signal
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from netboot_site import ADDRESS, BootServer, OtherDhcp, dnsmasqs, fake_image, wait_for  # noqa: E402


def dhcp(namespace, server):
    """What a DHCP client in that namespace is given: a dictionary, or None."""
    script = server.folder / "udhcpc-script"
    script.write_text('#!/bin/sh\n[ "$1" = bound ] && echo "ip=$ip server=$serverid file=$boot_file"\nexit 0\n')
    script.chmod(0o755)
    done = subprocess.run(["ip", "netns", "exec", namespace, "busybox", "udhcpc", "-i", "eth0", "-f", "-q", "-n", "-t", "4",
                           "-T", "1", "-s", str(script)], capture_output=True, text=True, timeout=60, check=False)
    found = re.search(r"ip=(\S*) server=(\S*)", done.stdout)
    return {"ip": found[1], "server": found[2]} if found else None


def get(path):
    with contextlib.closing(http.client.HTTPConnection(ADDRESS, 8480, timeout=10)) as connection:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()


def tftp(path):
    return subprocess.run(["busybox", "tftp", "-g", "-r", path, "-l", "/dev/stdout", ADDRESS], capture_output=True,
                          timeout=30, check=False)


def findings(server, status):
    return {one["about"]: one for one in server.json("netboot", "doctor", status=status)["findings"]}


class ServerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        subprocess.run(["ip", "address", "add", "fd98::1/64", "dev", "clients", "nodad"], check=True)

    def test_dnsmasq_understands_every_configuration(self):
        for more in (("--range", "10.98.0.100,10.98.0.200"), ("--proxy",),
                     ("--range", "10.98.0.100,10.98.0.200", "--router", "10.98.0.1", "--dns", "10.98.0.1", "--ipv6-prefix",
                      "fd98::", "--kernel-by", "tftp", "--root-by", "nfs"),
                     ("--proxy", "--ipv6-prefix", "fd98::", "--kernel-by", "tftp")):
            with self.subTest(more), BootServer() as server:
                fake_image(server.netboot, "one")
                server.enable(*more)
                server.start_service()
                server.service.wait_said("dnsmasq runs")  # which it does after dnsmasq --test
                wait_for(lambda: tftp("boot.ipxe").stdout.startswith(b"#!ipxe"), "TFTP answers", 10)

    def test_it_answers_on_its_interface_and_on_no_other(self):
        with BootServer() as server:
            fake_image(server.netboot, "one")
            server.enable()
            server.start_service()
            server.service.wait_said("dnsmasq runs")
            given = wait_for(lambda: dhcp("client1", server), "an address for client1", 20)
            self.assertRegex(given["ip"], r"^10\.98\.0\.(1\d\d|200)$")
            self.assertEqual(given["server"], ADDRESS)
            self.assertIsNone(dhcp("host1", server), "the hosts' network is none of its business")
            sockets = subprocess.run(["ss", "-Hulpn"], capture_output=True, text=True, check=True).stdout
            for line in sockets.splitlines():
                if "dnsmasq" in line:
                    self.assertRegex(line.split()[3], r"%clients:|^10\.98\.0\.1:|%clients\]|^\[fd98:|^\[fe80:")

    def test_it_is_started_again_and_follows_the_settings(self):
        with BootServer() as server:
            fake_image(server.netboot, "one")
            server.start_service()
            server.service.wait_said("not enabled")
            server.enable()
            server.service.wait_said("dnsmasq runs")
            runs = re.findall(r"dnsmasq runs, process (\d+)", server.service.said())
            os.kill(int(runs[-1]), signal.SIGKILL)
            server.service.wait_said("has ended with status 137")
            wait_for(lambda: len(re.findall("dnsmasq runs", server.service.said())) == 2, "dnsmasq runs again", 20)
            wait_for(lambda: tftp("boot.ipxe").returncode == 0, "TFTP answers again", 10)
            server.run("netboot", "disable")
            server.service.wait_said("dnsmasq has been ended")
            self.assertNotEqual(tftp("boot.ipxe").returncode, 0)
            self.assertNotIn("dnsmasq", subprocess.run(["ss", "-Hulpn"], capture_output=True, text=True, check=True).stdout)

    def test_one_that_a_kill_has_left_behind_is_replaced(self):
        with BootServer() as server:
            fake_image(server.netboot, "one")
            server.enable()
            server.start_service()
            server.service.wait_said("dnsmasq runs")
            server.service.process.kill()
            server.service.process.wait()
            self.assertEqual(len(dnsmasqs(server)), 1, "it has given up root, and does not end with its parent")
            left = dnsmasqs(server)
            server.start_service()
            wait_for(lambda: dnsmasqs(server) and not dnsmasqs(server) & left, "a new dnsmasq instead of the old one", 20)
            wait_for(lambda: tftp("boot.ipxe").returncode == 0, "TFTP answers", 10)

    def test_files_over_http_and_nothing_else(self):
        with BootServer() as server:
            image = fake_image(server.netboot, "one")
            server.start_batond()
            server.enable()
            server.batond.wait_said("files for PCs at")
            self.assertEqual(get(f"/netboot/images/{image}/kernel"), (200, b"one kernel"))
            status, script = get("/netboot/boot.ipxe")
            self.assertEqual(status, 200)
            self.assertIn(image.encode(), script)
            for path in ("/netboot/settings.json", "/netboot/images/../settings.json", "/v1/health", "/",
                         "/netboot/%2e%2e/state/admin.token", f"/netboot/images/{image}/manifest.json"):
                self.assertIn(get(path)[0], (400, 404), path)
            server.run("netboot", "disable")
            server.batond.wait_said("not enabled any more")
            with self.assertRaises(ConnectionRefusedError):
                get("/netboot/boot.ipxe")

    def test_roll_back_by_one_command(self):
        with BootServer() as server:
            first = fake_image(server.netboot, "one")
            manifest = server.netboot / "images" / first / "manifest.json"
            manifest.write_text(re.sub(r"20\d\d-", "2001-", manifest.read_text(), count=1))
            second = fake_image(server.netboot, "two")
            server.enable()
            self.assertIn(second, (server.netboot / "boot.ipxe").read_text())
            self.assertEqual(server.json("netboot", "rollback")["id"], first)
            self.assertIn(first, (server.netboot / "boot.ipxe").read_text())
            self.assertEqual([row["id"] for row in server.json("netboot", "list") if row["current"]], [first])

    def test_the_doctor(self):
        with BootServer() as server:
            self.assertIn("not enabled", server.run("netboot", "doctor", status=None).stdout)
            fake_image(server.netboot, "one")
            server.serve_all()
            found = findings(server, status=0)
            self.assertEqual({one["health"] for one in found.values()}, {"good"}, found)
            with OtherDhcp(server.folder):
                found = findings(server, status=None)
                self.assertEqual(found["DHCP on clients"]["health"], "fault")
                self.assertIn("10.98.0.51", found["DHCP on clients"]["text"])
            # a port that a firewall closes, and a file that is gone
            subprocess.run(["nft", "add table inet shut; add chain inet shut in { type filter hook input priority 0; };"
                            "add rule inet shut in udp dport 69 drop"], check=True)
            (server.netboot / "loaders" / "snponly.efi").unlink()
            found = findings(server, status=None)
            subprocess.run(["nft", "delete table inet shut"], check=True)
            self.assertEqual(found["TFTP, UDP port 69"]["health"], "fault")
            self.assertIn("snponly.efi is missing", found["iPXE"]["text"])

    def test_wrong_settings_change_nothing(self):
        with BootServer() as server:
            for more in (("--interface", "lo"), ("--interface", "eth*"), ("--interface", "a\nport=53")):
                done = server.run("netboot", "enable", *more, "--address", ADDRESS, "--range", "10.98.0.100,10.98.0.200",
                                  status=None)
                self.assertEqual(done.returncode, 2, done.stderr)
            self.assertFalse((server.netboot / "settings.json").exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)
