#!/usr/bin/env python3
"""A whole site on real parts: who reaches whom, a real viewer across a handoff, kill -9 in the middle of one.

    lab/in-namespaces python3 tests/e2e/site_test.py [unittest arguments]

Pictures that were looked at are left in build/lab/pictures.
"""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import unittest

from batonlab import network
from batonlab.process import StartFailed, wait_for
from batonlab.site import Site, SiteSettings

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("BATON_BUILD", REPOSITORY / "build"))
STATE = pathlib.Path(os.environ["BATON_LAB_STATE"])
PICTURES = STATE / "pictures"

site = None


def setUpModule():
    global site
    for old in ("logs", "site", "pictures"):
        shutil.rmtree(STATE / old, ignore_errors=True)
    PICTURES.mkdir(parents=True)
    network.private_run()
    pathlib.Path("/tmp/.X11-unix").mkdir(mode=0o1777)
    site = Site(SiteSettings(build=BUILD, state=STATE, grow_when_leaving=False))
    site.up()


def tearDownModule():
    site.down()


def reaches(namespace, address, port, seconds=1):
    command = ["timeout", str(seconds), "bash", "-c", f"exec 3<>/dev/tcp/{address}/{port}"]
    return subprocess.run(network.inside(namespace, command), capture_output=True).returncode == 0


class Person:
    """Somebody at work, with a line written to their desk."""

    def __init__(self, name):
        self.name = name
        self.session = site.open(name)
        self.watcher = site.watch(name, self.session)
        self.watcher.wait_for_desk(90)
        self.lines = []

    def write(self):
        # typed is not done: the shell tells somebody outside when the line is on the desk
        line = f"{self.name}-{len(self.lines) + 1}"
        said = Outside().ask(self.name, f"echo {line} >> diary && sync && echo kept")
        if said != "kept":
            raise AssertionError(f"{self.name} could not write: {said}")
        self.lines.append(line)

    def row(self):
        return next(row for row in site.sessions() if row["user"] == self.name)


class Outside:
    """A listener outside the site that a desktop sends a command's output to: proof that it gets out, and an answer."""

    PORT = 8080
    heard = pathlib.Path("/tmp/outside")

    def __init__(self):
        if not reaches("outside", network.OUTSIDE, self.PORT):
            listener = site.processes.start(
                "outside", ["socat", "-u", f"TCP-LISTEN:{self.PORT},fork,reuseaddr", f"OPEN:{self.heard},creat,append"],
                "outside")
            wait_for("the outside", lambda: reaches("outside", network.OUTSIDE, self.PORT), 10, [listener])

    def ask(self, name, command):
        mark = f"end-{time.monotonic_ns()}"
        start = self.heard.stat().st_size if self.heard.exists() else 0
        site.type_line(name, f"({command}; echo {mark}) > /tmp/said; until nc -w 3 {network.OUTSIDE} {self.PORT} "
                             f"< /tmp/said; do sleep 1; done")

        def answer():
            text = self.heard.read_bytes()[start:].decode(errors="replace") if self.heard.exists() else ""
            return text.split(mark)[0].strip() or "nothing" if mark in text else None
        return wait_for(f"what '{command}' says", answer, 60)


class SiteTest(unittest.TestCase):
    def setUp(self):
        wait_for("an empty site", lambda: not site.sessions() and not site.domains(), 60)

    def leave(self, *people):
        """Closes the sessions; every line that was written must be on its desk."""
        for person in people:
            site.close(person.name)
        wait_for("the desktops to be gone", lambda: not site.domains(), 60)
        for person in people:
            found = site.read_from_desk(person.name, "diary").split()
            self.assertEqual(found, person.lines, f"the desk of {person.name}")

    def test_reach(self):
        """Issue of the route: nothing before its rule, only the screen after it, the outside for all."""
        outside = Outside()
        site.processes.start("ssh", ["socat", "-u", "TCP-LISTEN:22,fork,reuseaddr", "OPEN:/dev/null"], "client1")
        wait_for("a listener on the client", lambda: reaches("client1", network.client_address(1), 22), 10)
        self.assertTrue(reaches("client1", network.OUTSIDE, 8080), "a client gets out through the boot server")
        self.assertFalse(reaches("client1", network.BOOT_CLIENTS, 6000), "no route before there is a session")
        person = Person("reach")
        row = person.row()
        screen, port = row["desktop"]["screen"], row["route"]["listen_port"]
        self.assertTrue(reaches("client1", network.BOOT_CLIENTS, port), "the person's own client")
        self.assertFalse(reaches("client2", network.BOOT_CLIENTS, port), "another client has no route")
        self.assertFalse(reaches("client1", screen["address"], screen["port"]), "the screen itself is not for clients")
        self.assertTrue(reaches("boot", screen["address"], screen["port"]), "the boot server reaches screens")
        self.assertFalse(reaches("outside", screen["address"], screen["port"]), "nobody outside reaches a screen")
        ports = [port for port in json.loads(subprocess.run(
            network.inside(row["desktop"]["host"], ["bridge", "-d", "-j", "link"]),
            capture_output=True, check=True, text=True).stdout) if port["ifname"].startswith("vnet")]
        self.assertEqual([port["isolated"] for port in ports], [True], "a desktop hears no other on its bridge")
        # from inside the desktop, through its own network card and its host's DHCP
        said = outside.ask("reach", f"nc -w 2 {network.client_address(1)} 22 </dev/null && echo open || echo shut")
        self.assertEqual(said, "shut", "a desktop reaches no client")
        said = outside.ask("reach", f"nc -w 2 {network.BOOT_HOSTS} 8443 </dev/null && echo open || echo shut")
        self.assertEqual(said, "shut", "a desktop does not reach the controller")
        self.leave(person)

    def test_viewer_before_and_after_a_handoff(self):
        """TigerVNC's viewer shows the same person's desk and, after the handoff, the new memory size."""
        kim = Person("kim")
        kim.write()
        before = self.viewer_picture(kim, "viewer-before")
        others = [Person("lee"), Person("park")]
        site.wait_settled()
        kim.watcher.wait(lambda frame: frame["memory_mib"] == 2048, 60, "2 GiB")
        after = self.viewer_picture(kim, "viewer-after")
        self.assertEqual(before["memory_mib"], 4096)
        self.assertEqual(after["memory_mib"], 2048)
        self.assertGreater(after["fence"], before["fence"])
        kim.write()
        self.leave(kim, *others)

    def viewer_picture(self, person, name):
        """A screenshot of TigerVNC's viewer, and what its status strip says."""
        row = person.row()
        display = f":{90 + len(list(PICTURES.glob('*.png')))}"
        password = pathlib.Path("/tmp/vnc-password")
        password.write_bytes(subprocess.run(["vncpasswd", "-f"], input=row["screen_password"].encode() + b"\n",
                                            capture_output=True, check=True).stdout)
        server = site.processes.start(f"xvfb-{name}", ["Xvfb", display, "-screen", "0", "1400x900x24", "-nolisten", "tcp"],
                                      "client1")
        wait_for("Xvfb", lambda: pathlib.Path(f"/tmp/.X11-unix/X{display[1:]}").exists(), 20, [server])
        viewer = site.processes.start(
            f"viewer-{name}", ["xtigervncviewer", "-PasswordFile", str(password), "-geometry", "1280x800+0+0",
                               "-MenuKey", "none", f"{network.BOOT_CLIENTS}::{row['route']['listen_port']}"],
            "client1", env={"DISPLAY": display, "HOME": "/tmp"})
        picture = PICTURES / f"{name}.png"
        strip = wait_for("the viewer to show the desk", lambda: self.strip_of(display, picture), 40, [viewer])
        viewer.stop()
        server.stop()
        return strip

    def strip_of(self, display, picture):
        """Reads the status strip out of what the X server shows: it may stand anywhere, windows have frames."""
        shot = subprocess.run(network.inside("client1", ["import", "-display", display, "-window", "root", str(picture)]),
                              capture_output=True)
        if shot.returncode != 0:
            return None
        done = subprocess.run([str(site.bin / "baton-screen"), "strip", "-"], capture_output=True,
                              input=subprocess.run(["convert", str(picture), "ppm:-"], capture_output=True).stdout)
        words = re.search(rb'"fence":(\d+),"memory_mib":(\d+)', done.stdout)
        if not words or int(words.group(1)) == 0:
            return None
        return {"fence": int(words.group(1)), "memory_mib": int(words.group(2))}

    def test_controller_killed_in_a_handoff(self):
        """kill -9 of batond in three different steps of a handoff on real machines: it goes on, the desk is whole."""
        kim = Person("killed")
        kim.write()
        for step in ("preparing", "attaching", "draining"):
            with self.subTest(step=step):
                self.kill_in(kim, step)
                kim.write()
        self.leave(kim)

    def kill_in(self, person, step):
        before = person.row()
        host = before["desktop"]["host"]
        fence = max(frame["fence"] for frame in person.watcher.frames)
        drain = threading.Thread(target=lambda: subprocess.run(
            site.baton.command("host", "drain", host, "--timeout", "120"), env=site.baton.env, capture_output=True))
        drain.start()

        def there():
            move = person.row()["move"]
            return move is not None and move["phase"] == step
        caught = True
        try:
            wait_for(f"the step {step}", there, 60, [site.batond])
        except StartFailed:
            caught = False
        site.batond.kill(signal.SIGKILL)
        drain.join()
        self.assertTrue(caught, f"the step {step} was never seen")
        site.start_batond()
        wait_for("the hosts to be back", site.hosts_connected, 60, [site.batond])
        site.wait_settled()
        person.watcher.wait(lambda frame: frame["fence"] > fence, 60, "the desk under a later number")
        after = person.row()
        self.assertNotEqual(after["desktop"]["host"], host)
        self.assertEqual(after["id"], before["id"])
        self.assertEqual(len(site.domains()), 1, "one desktop and no leftover")
        site.baton.text("host", "undrain", host)

    def test_host_agent_killed(self):
        """kill -9 of baton-hostd: the desktop runs on, the agent finds it again and can end it."""
        person = Person("agent")
        person.write()
        host = person.row()["desktop"]["host"]
        agent = subprocess.run(["pgrep", "-f", f"baton-hostd run --config /mnt/site/{host}.toml"], text=True,
                               capture_output=True).stdout.split()
        names = {name for _, name, _, _ in site.domains()}
        for pid in agent:
            if b"baton-hostd" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]:
                os.kill(int(pid), signal.SIGKILL)
        wait_for("the agent to be away and back", lambda: site.event_seen("host.down", host), 60)
        wait_for("the hosts to be back", site.hosts_connected, 60)
        site.wait_settled()
        self.assertEqual({name for _, name, _, _ in site.domains()}, names, "the same desktop runs on")
        person.write()
        self.leave(person)

    def test_system_forgets(self):
        """What is written to the operating system is gone in the next desktop; the desk is not."""
        person = Person("forget")
        site.type_line("forget", "touch /etc/written; echo forget-1 >> diary; sync")
        person.lines.append("forget-1")
        self.leave(person)
        person = Person("forget")
        person.lines.append("forget-1")
        self.assertIn("No such file", Outside().ask("forget", "ls /etc/written 2>&1"))
        self.leave(person)
        self.assertTrue(site.image_untouched())


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=[sys.argv[0], *sys.argv[1:]])
