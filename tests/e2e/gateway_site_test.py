#!/usr/bin/env python3
"""A whole site on real parts, reached through a gateway: a real viewer that stays over handoffs, who reaches what, and
kill -9 of each program that a viewer's picture comes through or is switched by.

    lab/in-namespaces python3 tests/e2e/gateway_site_test.py [unittest arguments]

Pictures that were looked at are left in build/lab/pictures.
"""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import unittest

from batonlab import network
from batonlab.process import wait_for
from batonlab.site import GATEWAY_VNC_PORT, GATEWAY_WEB_PORT, RELAY_PORT, Site, SiteSettings
from people import Outside, Person, Viewer, agents, reaches

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
    site = Site(SiteSettings(build=BUILD, state=STATE, grow_when_leaving=False, route="gateway"))
    site.up()


def tearDownModule():
    site.down()


def viewer_of(person, label):
    """TigerVNC's viewer, logged in as the person, when it shows their desk."""
    viewer = Viewer(site, label, PICTURES,
                    ["-SecurityTypes=X509Plain", f"-X509CA={site.viewer_authority}", "-ReconnectOnError=0",
                     "-AlertOnFatalError=0", f"{network.BOOT_CLIENTS}::{GATEWAY_VNC_PORT}"],
                    {"VNC_USERNAME": person.name, "VNC_PASSWORD": site.password_of(person.name)})
    viewer.strip_at_first = viewer.wait_for_strip(f"{label}-first")
    return viewer


def listeners(namespace):
    """(port, what `ss` says of the process) of each TCP port that is listened at."""
    said = network.run(*network.inside(namespace, ["ss", "-ltnpH"]))
    return [(int(words[3].rsplit(":", 1)[1]), words[-1]) for words in map(str.split, said.splitlines())]


class GatewaySiteTest(unittest.TestCase):
    def setUp(self):
        for name in list(site.sessions_by_user):  # of a test that failed
            site.close(name)
        wait_for("an empty site", lambda: not site.sessions() and not site.domains(), 60)

    def leave(self, *people):
        """Closes the sessions; every line that was written must be on its desk."""
        for person in people:
            site.close(person.name)
        wait_for("the desktops to be gone", lambda: not site.domains(), 60)
        for person in people:
            found = site.read_from_desk(person.name, "diary").split()
            self.assertEqual(found, person.lines, f"the desk of {person.name}")

    def type_diary(self, person, viewer):
        """A line into the diary on the viewer's own keyboard, and the desktop's word that it is kept."""
        line = f"{person.name}-{len(person.lines) + 1}"
        said = Outside(site).ask(person.name, f"echo {line} >> diary && sync && echo kept", viewer.type_line)
        self.assertEqual(said, "kept")
        person.lines.append(line)

    def goes_on(self, person, viewer, label):
        """What is typed at the viewer is kept on the desk, and seen on the viewer's picture."""
        before = viewer.picture(f"{label}-before").read_bytes()
        self.type_diary(person, viewer)
        wait_for("the viewer's picture to change",
                 lambda: viewer.picture(f"{label}-after").read_bytes() != before, 20, [viewer.process])

    def empty_the_host(self, person):
        """Hands the person off to the other host."""
        host = person.row()["desktop"]["host"]
        site.baton.text("host", "drain", host, "--timeout", "180")
        site.baton.text("host", "undrain", host)

    def stays(self, viewer, sockets):
        self.assertTrue(viewer.process.alive(), "the same viewer")
        self.assertEqual(viewer.sockets(), sockets, "and the same connection")

    def test_viewer_stays_over_a_handoff(self):
        """The host is drained under a person at work: their viewer shows the same desk in less memory, and stays."""
        kim, lee = Person(site, "kim"), Person(site, "lee")
        kim.write()
        viewer = viewer_of(kim, "kim")
        sockets = viewer.sockets()
        self.assertEqual([remote for _, remote in sockets], [f"{network.BOOT_CLIENTS}:{GATEWAY_VNC_PORT}"])
        fence, session, host = kim.fence(), kim.row()["id"], kim.row()["desktop"]["host"]
        seen = site.last_event()

        self.empty_the_host(kim)
        kim.watcher.wait(lambda frame: frame["fence"] > fence, 60, "the desk on the other host")
        self.type_diary(kim, viewer)  # right after it, and on the viewer that was there before it
        after = viewer.wait_for_strip("kim-after", lambda strip: strip["fence"] > fence, "the desk on the other host")

        self.assertEqual(viewer.strip_at_first["memory_mib"], 4096)
        self.assertLess(after["memory_mib"], 4096, "lee has a part of the other host's memory")
        self.assertEqual(after["memory_mib"], kim.row()["desktop"]["memory_mib"])
        self.stays(viewer, sockets)
        self.assertEqual(kim.row()["id"], session)
        self.assertNotEqual(kim.row()["desktop"]["host"], host)
        switches = [event["data"] for event in site.events_after(seen) if event["kind"] == "route.switched"]
        self.assertEqual([(told["viewers"], told["lost"]) for told in switches], [(2, 0)])
        self.assertEqual(kim.watcher.drops, 0)
        viewer.stop()
        self.leave(kim, lee)

    def test_reach(self):
        """Screens have no ports; the relay of screens is for gateways, the gateway for people who say who they are."""
        person = Person(site, "reach")
        here = site.access("reach", person.session)
        for host in site.hosts:
            ports = listeners(host["name"])
            self.assertNotIn("qemu", " ".join(process for _, process in ports), "no QEMU listens anywhere")
            self.assertEqual([port for port, _ in ports if 5800 <= port <= 6999], [RELAY_PORT])
            address = network.host_address(int(host["name"].removeprefix("host")))
            self.assertTrue(reaches("boot", address, RELAY_PORT), "the boot server reaches the relay")
            self.assertFalse(reaches("client1", address, RELAY_PORT), "a client does not")
            self.assertFalse(reaches("outside", address, RELAY_PORT), "nobody outside does")
        self.assertTrue(reaches("client1", network.BOOT_CLIENTS, GATEWAY_WEB_PORT), "browsers have their port")

        site.screen("reach", "shot")
        for what, words, answer in (
                ("a wrong password", ["--user", "reach", "--password", "wrong-password", "--ca", here.authority],
                 "the name or the password is wrong"),
                ("a wrong name", ["--user", "nobody", "--password", here.password, "--ca", here.authority],
                 "the name or the password is wrong"),
                ("a gateway of another site", ["--user", "reach", "--password", here.password, "--ca",
                                               self.another_authority()], "is not trusted"),
                ("no login at all", [], "no kind of login")):
            with self.subTest(what):
                refused = subprocess.run(network.inside("client1", [
                    str(site.bin / "baton-screen"), "shot", f"{network.BOOT_CLIENTS}:{GATEWAY_VNC_PORT}", *words]),
                    text=True, capture_output=True)
                self.assertEqual(refused.returncode, 1)
                self.assertIn(answer, refused.stderr)
        site.screen("reach", "shot")
        self.leave(person)

    @staticmethod
    def another_authority():
        path = pathlib.Path("/tmp/another-ca.pem")
        network.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", "/tmp/another-key.pem", "-out", str(path), "-subj", "/CN=another site", "-days", "1")
        return str(path)

    def test_controller_killed(self):
        """kill -9 of batond while somebody looks on: the picture goes on, and is switched when batond is back."""
        person = Person(site, "steer")
        viewer = viewer_of(person, "steer")
        sockets, fence = viewer.sockets(), person.fence()
        site.batond.kill(signal.SIGKILL)
        self.goes_on(person, viewer, "steer-alone")
        self.stays(viewer, sockets)

        site.start_batond()
        wait_for("the hosts to be back", site.hosts_connected, 60, [site.batond])
        wait_for("the gateway to be back", site.gateway_connected, 60, [site.batond])
        site.wait_settled()
        self.empty_the_host(person)
        viewer.wait_for_strip("steer-after", lambda strip: strip["fence"] > fence, "the desk on the other host")
        self.type_diary(person, viewer)
        self.stays(viewer, sockets)
        self.assertEqual(person.watcher.drops, 0)
        viewer.stop()
        self.leave(person)

    def test_gateway_killed(self):
        """kill -9 of the gateway: a new viewer logs in, and is in the same session with the same desk."""
        person = Person(site, "again")
        viewer = viewer_of(person, "again-1")
        self.type_diary(person, viewer)
        before, desktops = person.row(), {name for _, name, _, _ in site.domains()}
        site.gateway.kill(signal.SIGKILL)
        wait_for("the viewer to end", lambda: not viewer.process.alive(), 20)
        viewer.stop()
        site.start_gateway()

        viewer = viewer_of(person, "again-2")
        self.goes_on(person, viewer, "again-after")
        self.assertEqual(person.row()["id"], before["id"])
        self.assertEqual(viewer.strip("again-2")["fence"], person.fence())
        self.assertEqual({name for _, name, _, _ in site.domains()}, desktops, "the same desktop")
        viewer.stop()
        self.leave(person)

    def test_host_agent_killed(self):
        """kill -9 of the host's agent: the picture goes on, for the relay of screens is another process."""
        person = Person(site, "agent")
        viewer = viewer_of(person, "agent")
        sockets, host = viewer.sockets(), person.row()["desktop"]["host"]
        killed = agents(host)
        self.assertTrue(killed, "there is an agent")
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        self.goes_on(person, viewer, "agent-alone")
        wait_for("the agent to be away and back", lambda: site.event_seen("host.down", host), 60)
        wait_for("the hosts to be back", site.hosts_connected, 60)
        self.stays(viewer, sockets)
        self.assertEqual(person.watcher.drops, 0)
        viewer.stop()
        self.leave(person)


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=[sys.argv[0], *sys.argv[1:]])
