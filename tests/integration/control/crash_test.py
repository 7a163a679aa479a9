#!/usr/bin/env python3
"""batond is killed -9 at random moments while sessions open, grow and close; what is left must agree with itself.

The simulated hosts and desks live in a file of their own and go on without batond, as real ones do."""
import json
import os
import pathlib
import random
import selectors
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from control_site import Site  # noqa: E402

SEED = int(os.environ.get("BATON_SEED", random.randrange(1 << 32)))
KILLS = int(os.environ.get("BATON_KILLS", "12"))
PEOPLE = [f"u{n}" for n in range(1, 13)]


class Crash(unittest.TestCase):
    def stir(self, site, dice, running):
        """Begins a few things and lets some of them get somewhere: a random moment after a random event."""
        for _ in range(dice.randrange(2, 7)):
            person = dice.choice(PEOPLE)
            verb = dice.choice(["open", "open", "close", "grow"])
            running.append(site.popen("session", verb, person, "--no-wait"))
        events = site.popen("events", "--follow", "--json")
        with selectors.DefaultSelector() as selector:
            selector.register(events.stdout, selectors.EVENT_READ)
            selector.select(timeout=dice.uniform(0.0, 0.6))  # the moment of death is the point
        site.kill()
        events.kill()  # it would wait for the controller to come back
        events.communicate()
        for process in running:
            process.communicate(timeout=60)
        running.clear()

    def check(self, site):
        """Everybody's session is open and serves. Does the world agree with what is said?"""
        world = json.loads((site.folder / "state" / "simulated.json").read_text())
        sessions = site.baton("session", "list", "--json").json
        self.assertEqual(sorted(one["user"] for one in sessions), sorted(PEOPLE))
        said = {one["desktop"]["id"]: one for one in sessions}
        self.assertEqual(len(said), len(PEOPLE))
        there = {one["id"]: one for one in world["desktops"]}
        self.assertEqual(set(said), set(there), "desktops that run, and desktops that sessions have")
        fences = {one["name"]: one for one in world["desks"]}
        used = {}
        for name, session in said.items():
            desktop = there[name]
            self.assertEqual(desktop["session"], session["id"])
            self.assertEqual(desktop["host"], session["desktop"]["host"])
            self.assertEqual(desktop["memory_mib"], session["desktop"]["memory_mib"])
            self.assertTrue(desktop["ready"])
            self.assertEqual(desktop["fence"], fences[session["user"]]["fence"], "who may write the desk")
            self.assertNotEqual(desktop["fence"], 0)
            used[desktop["host"]] = used.get(desktop["host"], 0) + desktop["memory_mib"]
        for host, memory in used.items():
            self.assertLessEqual(memory, 4096, host)

    def test_killed_at_random_moments_it_converges(self):
        print(f"BATON_SEED={SEED}", flush=True)
        dice = random.Random(SEED)
        running = []
        with Site(boot="50ms") as site:
            for person in PEOPLE:
                site.person(person)
            for _ in range(KILLS):
                self.stir(site, dice, running)
                site.start()
            for person in PEOPLE:  # whatever was going on: this ends it, and waits until it serves
                site.baton("session", "open", person)
            self.settle(site)
            self.check(site)
            for person in PEOPLE:
                site.baton("session", "close", person)
            world = json.loads((site.folder / "state" / "simulated.json").read_text())
            self.assertEqual(world["desktops"], [])
            self.assertEqual([one["fence"] for one in world["desks"]], [0] * len(PEOPLE))
            self.assertEqual([host["used_mib"] for host in site.baton("host", "list", "--json").json], [0, 0])

    def test_who_waits_for_a_session_waits_through_a_restart(self):
        with Site(boot="700ms") as site:
            site.person("kim")
            follow = site.popen("events", "--follow", "--json")
            for line in follow.stdout:  # it listens when it has told what was before
                if json.loads(line)["kind"] == "desk.created":
                    break
            waiting = site.popen("session", "open", "kim", "--json")
            while not site.baton("session", "list", "--json").json:
                pass  # until the one who waits has asked for it
            site.kill()
            site.start()
            out, err = waiting.communicate(timeout=60)
            self.assertEqual(waiting.returncode, 0, err)
            self.assertEqual(json.loads(out)["phase"], "serving")
            for line in follow.stdout:
                if json.loads(line)["kind"] == "session.opened":
                    break
            follow.kill()
            follow.communicate()

    def settle(self, site):
        """Waits, by what batond tells, until no session moves any more."""
        follow = site.popen("events", "--follow", "--json")
        try:
            while any(one["phase"] != "serving" or one["move"] for one in site.baton("session", "list", "--json").json):
                follow.stdout.readline()
        finally:
            follow.kill()
            follow.communicate()


if __name__ == "__main__":
    unittest.main(verbosity=2)
