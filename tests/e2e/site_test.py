#!/usr/bin/env python3
"""A whole site on real parts, reached by ports of the boot server: who reaches whom, a real viewer across a handoff,
kill -9 in the middle of one.

    lab/in-namespaces python3 tests/e2e/site_test.py [unittest arguments]

Pictures that were looked at are left in build/lab/pictures.
"""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import unittest

from batonlab import network
from batonlab.process import StartFailed, wait_for
from batonlab.site import Site, SiteSettings
from people import Outside, Person, Viewer, agents, isolated_ports, reaches

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
    site = Site(SiteSettings(build=BUILD, state=STATE, grow_when_leaving=False, route="nat"))
    site.up()


def tearDownModule():
    site.down()


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
        outside = Outside(site)
        site.processes.start("ssh", ["socat", "-u", "TCP-LISTEN:22,fork,reuseaddr", "OPEN:/dev/null"], "client1")
        wait_for("a listener on the client", lambda: reaches("client1", network.client_address(1), 22), 10)
        self.assertTrue(reaches("client1", network.OUTSIDE, 8080), "a client gets out through the boot server")
        self.assertFalse(reaches("client1", network.BOOT_CLIENTS, 6000), "no route before there is a session")
        person = Person(site, "reach")
        row = person.row()
        screen, port = row["desktop"]["screen"], row["route"]["listen_port"]
        self.assertTrue(reaches("client1", network.BOOT_CLIENTS, port), "the person's own client")
        self.assertFalse(reaches("client2", network.BOOT_CLIENTS, port), "another client has no route")
        self.assertFalse(reaches("client1", screen["address"], screen["port"]), "the screen itself is not for clients")
        self.assertTrue(reaches("boot", screen["address"], screen["port"]), "the boot server reaches screens")
        self.assertFalse(reaches("outside", screen["address"], screen["port"]), "nobody outside reaches a screen")
        self.assertEqual(isolated_ports(row["desktop"]["host"]), [True], "a desktop hears no other on its bridge")
        # from inside the desktop, through its own network card and its host's DHCP
        said = outside.ask("reach", f"nc -w 2 {network.client_address(1)} 22 </dev/null && echo open || echo shut")
        self.assertEqual(said, "shut", "a desktop reaches no client")
        said = outside.ask("reach", f"nc -w 2 {network.BOOT_HOSTS} 8443 </dev/null && echo open || echo shut")
        self.assertEqual(said, "shut", "a desktop does not reach the controller")
        self.leave(person)

    def test_viewer_before_and_after_a_handoff(self):
        """TigerVNC's viewer shows the same person's desk and, after the handoff, the new memory size."""
        kim = Person(site, "kim")
        kim.write()
        before = self.viewer_picture(kim, "viewer-before")
        others = [Person(site, "lee"), Person(site, "park")]
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
        password = pathlib.Path("/tmp/vnc-password")
        password.write_bytes(subprocess.run(["vncpasswd", "-f"], input=row["screen_password"].encode() + b"\n",
                                            capture_output=True, check=True).stdout)
        viewer = Viewer(site, name, PICTURES, ["-PasswordFile", str(password),
                                               f"{network.BOOT_CLIENTS}::{row['route']['listen_port']}"])
        strip = viewer.wait_for_strip(name)
        viewer.stop()
        return strip

    def test_controller_killed_in_a_handoff(self):
        """kill -9 of batond in three different steps of a handoff on real machines: it goes on, the desk is whole."""
        kim = Person(site, "killed")
        kim.write()
        for step in ("preparing", "attaching", "draining"):
            with self.subTest(step=step):
                self.kill_in(kim, step)
                kim.write()
        self.leave(kim)

    def kill_in(self, person, step):
        before = person.row()
        host = before["desktop"]["host"]
        fence = person.fence()
        drain = threading.Thread(target=lambda: subprocess.run(
            site.baton.command("host", "drain", host, "--timeout", "120"), env=site.baton.env, capture_output=True))
        drain.start()

        def there():
            # a step lasts some ten milliseconds: there is no time to start a program
            rows = (site.baton.get("/v1/sessions") or {"sessions": []})["sessions"]
            return any(row["id"] == before["id"] and row["move"] and row["move"]["phase"] == step for row in rows)
        caught = True
        try:
            wait_for(f"the step {step}", there, 60, [site.batond], pause=0.002)
        except StartFailed:
            caught = False
        site.batond.kill(signal.SIGKILL)
        drain.join()
        site.start_batond()
        self.assertTrue(caught, f"the step {step} was never seen")
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
        person = Person(site, "agent")
        person.write()
        host = person.row()["desktop"]["host"]
        names = {name for _, name, _, _ in site.domains()}
        for pid in agents(host):
            os.kill(pid, signal.SIGKILL)
        wait_for("the agent to be away and back", lambda: site.event_seen("host.down", host), 60)
        wait_for("the hosts to be back", site.hosts_connected, 60)
        site.wait_settled()
        self.assertEqual({name for _, name, _, _ in site.domains()}, names, "the same desktop runs on")
        person.write()
        self.leave(person)

    def test_system_forgets(self):
        """What is written to the operating system is gone in the next desktop; the desk is not."""
        person = Person(site, "forget")
        site.type_line("forget", "touch /etc/written; echo forget-1 >> diary; sync")
        person.lines.append("forget-1")
        self.leave(person)
        person = Person(site, "forget")
        person.lines.append("forget-1")
        self.assertIn("No such file", Outside(site).ask("forget", "ls /etc/written 2>&1"))
        self.leave(person)
        self.assertTrue(site.image_untouched())


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=[sys.argv[0], *sys.argv[1:]])
