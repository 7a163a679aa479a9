#!/usr/bin/env python3
"""A whole site on real parts, and PCs without a disk: each starts from the boot server, shows the login on its bare display,
somebody types their name and password at it, and works on their desktop, also over a handoff, a cable that is pulled out
and a power loss.

    lab/in-namespaces python3 tests/e2e/netboot_site_test.py [unittest arguments]

Pictures of the PC's screen are left in build/lab/pictures. The client image is the one of the fixture netboot_image.
"""
import json
import os
import pathlib
import shutil
import signal
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
BAR = bytes((0x1D, 0x2B, 0x3A))  # the desktop image's jwmrc
TERMINAL = bytes((0x10, 0x18, 0x20))
ALARM = bytes((0xFF, 0x9E, 0x80))
UEFI = "/usr/share/OVMF/OVMF_CODE_4M.fd"
UEFI_VARIABLES = "/usr/share/OVMF/OVMF_VARS_4M.fd"

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

    def __init__(self, site, number, uefi=False):
        self.site = site
        self.mac = f"52:54:00:99:01:{number:02x}"
        self.tap = f"pc{number}"
        network.run("ip", "-n", "boot", "tuntap", "add", "dev", self.tap, "mode", "tap")
        network.run("ip", "-n", "boot", "link", "set", self.tap, "master", "clients", "up")
        words = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-machine", "q35", "-accel", "tcg,thread=multi",
                 "-cpu", "max", "-m", "1024", "-vga", "std", "-display", "none", "-serial",
                 f"file:{STATE}/logs/{self.tap}-console.log", "-qmp", f"unix:/run/{self.tap}-qmp,server=on,wait=off",
                 "-device", "virtio-keyboard-pci", "-netdev", f"tap,id=net,ifname={self.tap},script=no,downscript=no",
                 "-device", f"virtio-net-pci,netdev=net,mac={self.mac},bootindex=1"]
        if uefi:
            variables = f"/run/{self.tap}-variables"
            shutil.copy(UEFI_VARIABLES, variables)
            words += ["-drive", f"if=pflash,format=raw,readonly=on,file={UEFI}",
                      "-drive", f"if=pflash,format=raw,file={variables}"]
        self.started = time.monotonic()
        self.process = site.processes.start(self.tap, words, "boot")
        socket_path = f"/run/{self.tap}-qmp"
        wait_for("the PC's control socket", pathlib.Path(socket_path).exists, 20, [self.process])
        self.control = socket.socket(socket.AF_UNIX)
        self.control.settimeout(60)
        self.control.connect(socket_path)
        self.lines = self.control.makefile("rw")
        self.lines.readline()
        self.command("qmp_capabilities")

    def power_off(self):
        """As somebody does who pulls the plug."""
        self.lines.close()
        self.control.close()
        self.process.kill(signal.SIGKILL)
        network.run("ip", "-n", "boot", "link", "del", self.tap)

    def cable(self, plugged):
        network.run("ip", "-n", "boot", "link", "set", self.tap, "up" if plugged else "down")

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
            self.key(*(["shift", SHIFTED[letter]] if letter in SHIFTED else [UNSHIFTED.get(letter, letter)]))

    def key(self, *codes):
        """One key, or several together."""
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

    def colours(self, name, left, top, width, height):
        """The colours in a rectangle of the screen."""
        data = self.picture(name)
        across = int(data.split(None, 3)[1])
        start = len(data) - across * int(data.split(None, 3)[2]) * 3
        return {data[at:at + 3] for y in range(top, top + height)
                for at in range(start + (y * across + left) * 3, start + (y * across + left + width) * 3, 3)}

    def share(self, name, colour):
        """How much of the screen has this colour."""
        time.sleep(0.3)  # between two looks: pictures are 3 MB, and the PC needs the processor
        pixels = self.picture(name)
        return pixels.count(colour) * 3 / len(pixels)

    def login_shown(self, name):
        return self.share(name, LOGIN_PAPER) > 1 / 4


class OnASite(unittest.TestCase):
    IMAGE = "tiny"

    @classmethod
    def setUpClass(cls):
        for old in ("logs", "site", "pictures"):
            shutil.rmtree(STATE / old, ignore_errors=True)
        PICTURES.mkdir(parents=True)
        network.private_run()
        cls.site = NetbootSite(SiteSettings(build=BUILD, state=STATE, hosts=2, clients=1, route="gateway",
                                            image=cls.IMAGE, grow_when_leaving=False))
        cls.addClassCleanup(cls.site.down)
        cls.site.up()
        cls.site.serve_netboot()

    def log_in(self, pc, name):
        """Types name and password, chooses the image that is offered first; how many seconds ago Enter was pressed."""
        pc.type(f"{name}\t{self.site.password_of(name)}")
        panel = pc.share(f"{name}-typed", LOGIN_PANEL)
        entered = time.monotonic()
        pc.type("\n")
        if len({image["name"] for image in self.site.baton.get("/v1/os-images")["os_images"]}) > 1:
            wait_for("the choice of a system", lambda: pc.share(f"{name}-choice", LOGIN_PANEL) > panel * 1.1, 60, [pc.process])
            pc.type("\n")
        return lambda: round(time.monotonic() - entered, 1)

    def session_of(self, name, pc):
        session = wait_for(f"a session of {name}",
                           lambda: next((row for row in self.site.sessions() if row["user"] == name), None), 60, [pc.process])
        self.site.sessions_by_user[name] = session["id"]
        return session

    def diary(self, name, line, pc):
        """A line into the diary at the PC's own keyboard, and the desktop's word that it is kept."""
        said = Outside(self.site).ask(name, f"echo {line} >> diary && sync && echo kept", pc.type_line)
        self.assertEqual(said, "kept")


class NetbootSiteTest(OnASite):
    def test_from_power_on_to_work_and_back_to_the_login(self):
        site, times = self.site, {}
        site.add_person("kim")
        pc = Pc(site, 1)
        wait_for("the login on the PC's screen", lambda: pc.login_shown("login"), 240, [pc.process])
        times["login_s"] = pc.seconds()
        known = site.baton.json("client", "show", pc.mac)
        times["phases"] = known["timings"]
        self.assertEqual(site.sessions(), [], "nobody has logged in")

        since_enter = self.log_in(pc, "kim")
        session = self.session_of("kim", pc)
        wait_for("the login to be gone", lambda: not pc.login_shown("desktop"), 120, [pc.process])
        times["login_to_desktop_s"] = since_enter()
        watcher = site.watch("kim", session)
        watcher.wait_for_desk(90)
        pc.picture("desk")
        self.diary("kim", "first", pc)
        pc.picture("worked")

        # others come, and the desktop is handed off to a smaller one meanwhile
        for other in ("lee", "park"):
            site.open(other)
        site.wait_settled()
        watcher.wait(lambda frame: frame["memory_mib"] == 2048, 60, "half the memory")
        self.diary("kim", "second", pc)
        pc.picture("handed-off")

        # the cable is out for longer than a connection waits, and the picture comes back by itself
        pc.cable(False)
        time.sleep(20)
        unplugged = pc.picture("unplugged")
        pc.cable(True)
        wait_for("the shell to answer again", lambda: pc.type("\n") or pc.picture("plugged") != unplugged, 60, [pc.process])
        self.diary("kim", "third", pc)

        for name in ("lee", "park", "kim"):
            site.close(name)
        wait_for("the login again", lambda: pc.login_shown("after"), 60, [pc.process])
        wait_for("the desktops to be gone", lambda: not site.domains(), 60)
        self.assertEqual(site.read_from_desk("kim", "diary").split(), ["first", "second", "third"])
        print(json.dumps(times))
        pc.power_off()


class PowerLossTest(OnASite):
    def test_no_place_and_power_loss(self):
        """A PC with UEFI. No host takes anybody: its person reads why, and the PC tries on. Power goes while they work:
        their session is still theirs at another PC."""
        site = self.site
        site.add_person("choi")
        for host in site.hosts:
            site.baton.text("host", "drain", host["name"])
        pc = Pc(site, 2, uefi=True)
        wait_for("the login on the PC's screen", lambda: pc.login_shown("uefi-login"), 300, [pc.process])
        self.assertEqual(site.baton.json("client", "show", pc.mac)["firmware"], "uefi")
        self.log_in(pc, "choi")
        wait_for("a word on why there is no desktop", lambda: pc.share("no-place", ALARM) > 0.0001, 60, [pc.process])
        self.assertEqual(site.sessions(), [])
        for host in site.hosts:
            site.baton.text("host", "undrain", host["name"])
        session = self.session_of("choi", pc)
        wait_for("the login to be gone", lambda: not pc.login_shown("place"), 120, [pc.process])
        site.watch("choi", session).wait_for_desk(90)
        self.diary("choi", "before", pc)
        pc.power_off()

        other = Pc(site, 3)
        wait_for("the login on the other PC", lambda: other.login_shown("other-login"), 240, [other.process])
        self.assertEqual([row["id"] for row in site.sessions()], [session["id"]], "the session has been kept")
        # who has a session is not asked what it starts from
        other.type(f"choi\t{site.password_of('choi')}\n")
        wait_for("the login to be gone", lambda: not other.login_shown("other-desktop"), 120, [other.process])
        self.diary("choi", "after", other)
        self.assertEqual([row["id"] for row in site.sessions()], [session["id"]])
        site.close("choi")
        wait_for("the desktops to be gone", lambda: not site.domains(), 60)
        self.assertEqual(site.read_from_desk("choi", "diary").split(), ["before", "after"])
        other.power_off()


class FourPcsTest(OnASite):
    """A row of PCs that is switched on at once."""

    def test_four_at_once(self):
        site = self.site
        names = ("han", "seo", "yun", "jang")
        for name in names:
            site.add_person(name)
        pcs = {name: Pc(site, 4 + number) for number, name in enumerate(names)}
        for name, pc in pcs.items():
            wait_for(f"the login of {name}", lambda: pc.login_shown(f"four-{name}"), 400, [pc.process])
        timings = {pc.mac: site.baton.json("client", "show", pc.mac)["timings"]["up_ms"] for pc in pcs.values()}
        for name, pc in pcs.items():
            self.log_in(pc, name)
        for name, pc in pcs.items():
            self.session_of(name, pc)
        site.wait_settled(240)
        for name, pc in pcs.items():
            wait_for(f"the desktop of {name}", lambda: not pc.login_shown(f"four-{name}-desktop"), 240, [pc.process])
        for name, pc in pcs.items():
            self.diary(name, f"of-{name}", pc)
        for name in names:
            site.close(name)
        wait_for("the desktops to be gone", lambda: not site.domains(), 60)
        for name, pc in pcs.items():
            self.assertEqual(site.read_from_desk(name, "diary").split(), [f"of-{name}"])
            pc.power_off()
        print(json.dumps(timings))


class KoreanTest(OnASite):
    """A Korean sentence, by the keys of a Korean keyboard at the PC, in a graphical desktop."""

    IMAGE = "desktop"
    SENTENCE = "dkssudgktpdy"  # 안녕하세요 on the two-set keyboard

    def test_a_korean_sentence(self):
        site = self.site
        site.add_person("ryu")
        pc = Pc(site, 9)
        wait_for("the login on the PC's screen", lambda: pc.login_shown("korean-login"), 300, [pc.process])
        self.log_in(pc, "ryu")
        session = self.session_of("ryu", pc)
        wait_for("the login to be gone", lambda: not pc.login_shown("korean-desktop"), 180, [pc.process])
        site.watch("ryu", session).wait_for_desk(120)
        # the PC's screen is as large as the desktop: what is where is as in guest_desktop_test
        wait_for("the input method's icon", lambda: pc.colours("korean-desk", 1214, 778, 24, 16) != {BAR}, 120, [pc.process])
        pc.type_line("terminal -geometry 60x8-30-60 &")
        wait_for("a second terminal", lambda: pc.colours("korean-terminal", 900, 640, 300, 60) == {TERMINAL}
                 and pc.colours("korean-terminal", 704, 590, 60, 16) > {TERMINAL}, 60, [pc.process])
        pc.type_line("cat > korean.txt")
        time.sleep(1)
        pc.key("lang1")
        for letter in self.SENTENCE:
            before = pc.picture("korean-typed")
            pc.type(letter)
            wait_for("a syllable", lambda before=before: pc.picture("korean-typed") != before, 30, [pc.process])
        pc.type("\n")
        time.sleep(1)
        pc.key("ctrl", "d")
        pc.key("lang1")
        time.sleep(1)
        pc.type_line("exit")
        wait_for("the terminal to be gone", lambda: pc.colours("korean-written", 720, 640, 60, 60) != {TERMINAL}, 60,
                 [pc.process])
        site.close("ryu")
        wait_for("the desktop to be gone", lambda: not site.domains(), 60)
        self.assertEqual(site.read_from_desk("ryu", "korean.txt"), "안녕하세요\n")
        pc.power_off()


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=[sys.argv[0], *sys.argv[1:]])
