#!/usr/bin/env python3
"""A whole site on real parts, and a PC without a disk: it starts from the boot server, shows the login on its bare display,
somebody types their name and password at it, and works on their desktop.

    lab/in-namespaces python3 tests/e2e/netboot_site_test.py [unittest arguments]

Pictures of the PC's screen are left in build/lab/pictures. The client image is the one of the fixture netboot_image.
"""
import json
import os
import pathlib
import shutil
import socket
import sys
import time
import unittest

from batonlab import network
from batonlab.process import wait_for
from batonlab.site import SITE, Site, SiteSettings
from people import Outside

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("BATON_BUILD", REPOSITORY / "build"))
STATE = pathlib.Path(os.environ["BATON_LAB_STATE"])
CLIENT_IMAGE = BUILD / "netboot-site"
PICTURES = STATE / "pictures"
NETBOOT = SITE / "netboot"
LOGIN_PAPER = bytes((0x20, 0x2A, 0x36))  # login_view.cpp
LOGIN_PANEL = bytes((0x2E, 0x3B, 0x4A))

UNSHIFTED = {" ": "spc", "-": "minus", ".": "dot", "/": "slash", ";": "semicolon", "\n": "ret", "\t": "tab"}
SHIFTED = {"(": "9", ")": "0", "&": "7", ">": "dot", "<": "comma"}


class NetbootSite(Site):
    """A site whose authority is the one in the client image, and whose boot server gives it to PCs."""

    def _boot_server(self):
        shutil.copytree(CLIENT_IMAGE / "state" / "pki", SITE / "batond" / "pki")
        shutil.copytree(CLIENT_IMAGE / "netboot", NETBOOT, symlinks=True)
        (NETBOOT / "settings.json").unlink(missing_ok=True)
        super()._boot_server()

    def start_batond(self):
        with open(self.config, "a") as config:
            config.write(f'[netboot]\nfolder = "{NETBOOT}"\n')
        super().start_batond()

    def serve_netboot(self):
        network.run("ip", "-n", "boot", "address", "add", "fd98::1/64", "dev", "clients", "nodad")
        program = str(self.bin / "baton")
        network.run(*network.inside("boot", [
            program, "netboot", "enable", "--folder", str(NETBOOT), "--interface", "clients", "--address",
            network.BOOT_CLIENTS, "--range", "10.98.0.100,10.98.0.200", "--ipv6-prefix", "fd98::"]))
        service = self.processes.start("netboot", [program, "netboot", "serve", "--folder", str(NETBOOT), "--run-folder",
                                                   "/run/baton-netboot"], "boot")
        wait_for("dnsmasq", lambda: "dnsmasq runs" in service.tail(), 20, [service])


class Pc:
    """A PC without a disk, with a keyboard that is typed at."""

    MAC = "52:54:00:99:01:01"

    def __init__(self, site):
        network.run("ip", "-n", "boot", "tuntap", "add", "dev", "pc1", "mode", "tap")
        network.run("ip", "-n", "boot", "link", "set", "pc1", "master", "clients", "up")
        self.started = time.monotonic()
        self.process = site.processes.start("pc", [
            "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max",
            "-m", "1024", "-vga", "std", "-display", "none", "-serial", f"file:{STATE}/logs/pc-console.log", "-qmp",
            "unix:/run/pc-qmp,server=on,wait=off", "-device", "virtio-keyboard-pci", "-netdev",
            "tap,id=net,ifname=pc1,script=no,downscript=no", "-device", f"virtio-net-pci,netdev=net,mac={self.MAC},bootindex=1"],
            "boot")
        wait_for("the PC's control socket", pathlib.Path("/run/pc-qmp").exists, 20, [self.process])
        self.control = socket.socket(socket.AF_UNIX)
        self.control.settimeout(60)
        self.control.connect("/run/pc-qmp")
        self.lines = self.control.makefile("rw")
        self.lines.readline()
        self.command("qmp_capabilities")

    def seconds(self):
        return round(time.monotonic() - self.started, 1)

    def command(self, name, **arguments):
        self.lines.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
        self.lines.flush()
        while "return" not in (answer := json.loads(self.lines.readline())):
            if "error" in answer:
                raise RuntimeError(f"the PC: {answer['error']['desc']}")

    def type(self, text):
        # each key is let go of before the next: send-key comes back before it is. As fast as a person can: a PC under
        # emulation drops what overruns its keyboard's queue
        for letter in text:
            time.sleep(0.06)
            codes = ["shift", SHIFTED[letter]] if letter in SHIFTED else [UNSHIFTED.get(letter, letter)]
            for down in (True, False):
                for code in codes if down else reversed(codes):
                    self.command("input-send-event", events=[
                        {"type": "key", "data": {"down": down, "key": {"type": "qcode", "data": code}}}])

    def type_line(self, line):
        self.type(line + "\n")

    def picture(self, name):
        """The PC's screen, as pictures/NAME.ppm; its bytes."""
        path = PICTURES / f"{name}.ppm"
        self.command("screendump", filename=str(path))
        return path.read_bytes()

    def share(self, name, colour):
        """How much of the screen has this colour."""
        time.sleep(0.3)  # between two looks: pictures are 3 MB, and the PC needs the processor
        pixels = self.picture(name)
        return pixels.count(colour) * 3 / len(pixels)

    def login_shown(self, name):
        return self.share(name, LOGIN_PAPER) > 1 / 4


class NetbootSiteTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        for old in ("logs", "site", "pictures"):
            shutil.rmtree(STATE / old, ignore_errors=True)
        PICTURES.mkdir(parents=True)
        network.private_run()
        cls.site = NetbootSite(SiteSettings(build=BUILD, state=STATE, hosts=1, clients=1, route="gateway"))
        cls.addClassCleanup(cls.site.down)
        cls.site.up()
        cls.site.serve_netboot()

    def test_from_power_on_to_work_and_back_to_the_login(self):
        site, times = self.site, {}
        site.add_person("kim")
        pc = Pc(site)
        wait_for("the login on the PC's screen", lambda: pc.login_shown("login"), 240, [pc.process])
        times["login_s"] = pc.seconds()
        known = site.baton.json("client", "show", pc.MAC)
        times["phases"] = known["timings"]
        self.assertEqual(site.sessions(), [], "nobody has logged in")

        pc.type("kim\t" + site.password_of("kim"))
        panel = pc.share("typed", LOGIN_PANEL)
        entered = pc.seconds()
        pc.type("\n")
        if len({image["name"] for image in site.baton.get("/v1/os-images")["os_images"]}) > 1:
            wait_for("the choice of a system", lambda: pc.share("choice", LOGIN_PANEL) > panel * 1.1, 60, [pc.process])
            pc.type("\n")
        session = wait_for("a session of the person's", lambda: next(iter(site.sessions()), None), 60, [pc.process])
        self.assertEqual(session["user"], "kim")
        site.sessions_by_user["kim"] = session["id"]
        wait_for("the login to be gone", lambda: not pc.login_shown("desktop"), 120, [pc.process])
        times["login_to_desktop_s"] = round(pc.seconds() - entered, 1)
        site.watch("kim", session).wait_for_desk(90)
        pc.picture("desk")

        said = Outside(site).ask("kim", "echo typed at the pc >> diary && sync && echo kept", pc.type_line)
        self.assertEqual(said, "kept")
        pc.picture("worked")

        site.close("kim")
        wait_for("the login again", lambda: pc.login_shown("after"), 60, [pc.process])
        wait_for("the desktop to be gone", lambda: not site.domains(), 60)
        self.assertEqual(site.read_from_desk("kim", "diary"), "typed at the pc\n")
        print(json.dumps(times))


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=[sys.argv[0], *sys.argv[1:]])
