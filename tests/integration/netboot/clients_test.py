#!/usr/bin/env python3
"""What an operator wants of PCs without a disk, and PCs of their controller: batond with simulated hosts, and the scripts of
the client image in network namespaces. Runs under tests/support/with-routing-network, in the namespace `boot`."""
import pathlib
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from netboot_site import BootServer, Program, ScriptPc, fake_image, wait_for  # noqa: E402

HEARS = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hears:
    hears.bind(("0.0.0.0", 9))
    print("listens", flush=True)
    while True:
        print(hears.recv(2048).hex(), flush=True)
"""


class Hears(Program):
    """UDP port 9 in that namespace: what a network card that waits for its packet sees."""

    def __init__(self, server, namespace):
        super().__init__(f"hears-{namespace}", server.folder,
                         ["ip", "netns", "exec", namespace, sys.executable, "-c", HEARS])
        self.wait_said("listens")


class ClientsTest(unittest.TestCase):
    def site(self, more=""):
        server = self.enterContext(BootServer())
        server.config.write_text(server.config.read_text().replace("[netboot]\n", f"[netboot]\n{more}\n"))
        fake_image(server.netboot, "one")
        server.start_batond()
        server.enable()
        server.batond.wait_said("files for PCs at")
        return server

    def pc(self, server, number=1):
        pc = self.enterContext(ScriptPc(server, number))
        pc.wait_console("client is up")
        return pc

    def test_a_pc_starts_again_once_when_it_is_asked_to(self):
        server = self.site()
        pc = self.pc(server)
        self.assertTrue(server.json("client", "reboot", pc.mac)["taken"])
        pc.wait_console("starts again, as the controller has asked")
        second = server.json("client", "message", pc.mac, "x", "--timeout", "0")
        self.assertEqual((second["order"], second["taken"]), (2, False), "it starts again, and asks for nothing")
        self.assertEqual(pc.console().count("starts again"), 1)
        self.assertRegex(server.run("events").stdout, "admin asks the PC .* to start again")

    def test_a_message_is_on_the_screen_and_is_taken_away(self):
        server = self.site()
        first, second = self.pc(server, 1), self.pc(server, 2)
        text = "Lunch: 점심시간 'til \"one\" \\n $(reboot) `reboot`"
        done = server.run("client", "message", first.mac, text)
        self.assertIn("the PC has it", done.stdout)
        self.assertEqual(first.file("message"), text + "\n")
        self.assertEqual(second.file("message"), "")
        self.assertNotIn("starts again", first.console())
        shown = subprocess.run(["chroot", first.root, "/bin/sh", "/etc/baton/status"], capture_output=True, text=True, check=True)
        self.assertIn(text, shown.stdout)
        server.run("client", "message", first.mac, "")
        wait_for(lambda: first.file("message") == "\n", "the message is taken away", 20)

    def test_who_is_switched_off_gets_it_later_or_never(self):
        server = self.site()
        with ScriptPc(server) as pc:
            pc.wait_console("client is up")
        self.assertFalse(server.json("client", "message", pc.mac, "are you there?", "--timeout", "0")["taken"])

    def test_a_controller_that_starts_again_is_asked_again(self):
        server = self.site()
        pc = self.pc(server)
        server.batond.process.terminate()
        server.batond.process.wait(20)
        server.start_batond()
        done = server.json("client", "message", pc.mac, "hello again", "--timeout", "60")
        self.assertTrue(done["taken"])
        client = server.client(pc.mac)
        self.assertEqual(client["boots"], 1, "it was the controller that started")
        self.assertEqual(pc.console().count("client is up"), 1)

    def sessions(self, server):
        return {one["user"]: one for one in server.json("session", "list")}

    def test_the_signal_starts_the_desktop_of_whose_pc_it_is(self):
        server = self.site('prestart = true\nkept_unused = "8s"')
        server.run("user", "add", "kim", "--password-stdin", typed="correct horse\n")
        pc = self.pc(server)
        server.run("client", "assign", pc.mac, "--user", "kim")
        pc.switch_off_and_on()
        session = wait_for(lambda: self.sessions(server).get("kim"), "kim's desktop is started", 20)
        wait_for(lambda: self.sessions(server)["kim"]["phase"] == "serving", "it serves", 20)
        self.assertEqual(server.client(pc.mac)["prestarted"], session["id"])
        wait_for(lambda: not self.sessions(server), "nobody comes, and it ends", 30)
        self.assertIsNone(server.client(pc.mac)["prestarted"])
        events = server.run("events").stdout
        self.assertIn("the desktop of kim is started beforehand", events)
        self.assertIn("nobody has come for 8 s", events)

    def test_who_logs_in_has_it_and_keeps_it(self):
        server = self.site('prestart = true\nkept_unused = "10s"')
        server.run("user", "add", "kim", "--password-stdin", typed="correct horse\n")
        pc = self.pc(server)
        server.run("client", "assign", pc.mac, "--user", "kim")
        pc.switch_off_and_on()
        session = wait_for(lambda: self.sessions(server).get("kim"), "kim's desktop is started", 20)
        token = pc.post("/v1/login", {"name": "kim", "password": "correct horse"})["token"]
        opened = pc.post("/v1/sessions?wait=20", {}, token)
        self.assertEqual((opened["id"], opened["phase"]), (session["id"], "serving"))
        self.assertIsNone(server.client(pc.mac)["prestarted"])

    def test_what_the_viewer_has_seen_is_drawn(self):
        server = self.site()
        pc = self.pc(server)
        now = server.client(pc.mac)["timings"]["up_ms"]
        with open(pc.root / "run/baton/phases", "w") as viewer:
            viewer.write(f"login {now + 4300}\nnonsense\nlogin x\nentered {now + 9100}\nfirst_frame {now + 11350}\n")
        timings = wait_for(lambda: (found := server.client(pc.mac)["timings"]).get("first_frame_ms") and found,
                           "the phases have come", 30)
        self.assertEqual([timings[name] - now for name in ("login_ms", "entered_ms", "first_frame_ms")], [4300, 9100, 11350])
        shown = server.run("client", "show", pc.mac).stdout
        self.assertRegex(shown, r"login +4300 ms")
        self.assertRegex(shown, r"first frame +2250 ms")

    def test_a_pc_for_guests_is_told_so_at_its_next_start(self):
        server = self.site()
        pc = self.pc(server)
        self.assertEqual(pc.file("guest"), "")
        self.assertTrue(server.json("client", "assign", pc.mac, "--guest")["guest"])
        pc.switch_off_and_on()
        guest = "guest-" + pc.mac.replace(":", "")
        self.assertEqual(pc.file("guest"), guest + "\n")
        self.assertEqual(pc.file("token"), "Authorization: Bearer " + pc.file("secret"))
        self.assertIn(guest, server.run("user", "list").stdout)
        self.assertIn("(guests)", server.run("client", "list").stdout)

    def test_a_pc_is_switched_on_from_the_networks_of_network_boot_alone(self):
        server = self.site()
        pc = self.pc(server)
        with Hears(server, "client1") as clients, Hears(server, "host1") as hosts:
            server.run("client", "wake", pc.mac)
            clients.wait_said("ff" * 6 + pc.mac.replace(":", "") * 16)
            self.assertEqual(hosts.said(), "listens\n")
            server.run("netboot", "disable")
            server.batond.wait_said("not enabled any more")
            self.assertIn("not enabled", server.run("client", "wake", pc.mac, status=None).stderr)
            self.assertEqual(clients.said().count("ff" * 6), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
