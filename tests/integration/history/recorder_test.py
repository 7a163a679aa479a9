#!/usr/bin/env python3
"""What two real hosts measure is kept by a real batond: in SQLite, in a real MariaDB, through a kill -9 and a full disk."""
import calendar
import contextlib
import csv
import io
import json
import pathlib
import sqlite3
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from measured_site import BATON, MariadbServer, MeasuredSite, Site, needs_root, wait_for  # noqa: E402


def seconds(text):
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


def busiest(site, who, *more):
    rows = csv.DictReader(io.StringIO(site.baton("history", who, "--csv", "--last", "10m", *more).out))
    return max(float(row["cpu_paper_percent"] or 0) for row in rows)


def told_alike(site, store, *words):
    """By the controller and by the database; a reading of that time may still be on its way."""
    def told():
        out = site.baton(*words).out
        return out if out == site.baton(*words, *store).out else None
    return wait_for(f"the same of {words}", told)


class InSqlite(unittest.TestCase):
    def test_what_is_measured_is_kept_shown_and_survives_kill_nine(self):
        with MeasuredSite() as site:
            store = ("--store", str(site.folder / "state" / "samples.db"))
            site.wait_until_kept(*store, count=2)
            self.the_commands_print_it(site, store)
            self.the_controller_tells_it(site, store)
            self.a_user_sees_nothing_of_it(site)
            self.the_papers_tables_have_it(site)
            self.kill_nine(site, store)

    def the_commands_print_it(self, site, store):
        wait_for("the test driver's machines say that they work", lambda: busiest(site, "vm-2-1", *store) > 0)
        self.assertIn("%", site.baton("graph", "host1", "--metric", "cpu", *store).out)
        hosts = [json.loads(line) for line in site.baton("top", "--once", "--json").out.splitlines()]
        self.assertEqual({host["host"]: len(host["desktops"]) for host in hosts}, {"host1": 2, "host2": 2})
        self.top_shows_it(site)
        told = wait_for("the size of the database", lambda: site.samples()["used_bytes"] and site.samples())
        self.assertGreater(told["written"], 0)
        self.assertFalse(told["failing"])
        self.assertIn("samples are kept in " + store[1], site.baton("status").out)

    def top_shows_it(self, site):
        table = site.baton("top", "--once").out.splitlines()
        self.assertRegex(table[2], r"^NAME .*LVL")
        self.assertEqual(sorted(line.split()[0] for line in table[3:]), ["vm-1-1", "vm-1-2", "vm-2-1", "vm-2-2"])
        self.assertEqual(len(site.baton("top", "--once", "--filter", "vm-2", "--sort", "name").out.splitlines()), 2 + 1 + 2)
        self.assertEqual(len(site.baton("top", "--once", "--csv").out.splitlines()), 1 + 2 + 4)
        # the live screen, in a terminal of 60 columns: by memory, then its end
        live = subprocess.run(["script", "-qec", f"stty cols 60 rows 20; '{BATON}' top --interval-ms 200", "/dev/null"], input="mq",
                              capture_output=True, text=True, timeout=60, env={**site.environment(), "TERM": "xterm"}, check=False)
        self.assertEqual(live.returncode, 0, live.stdout)
        for shown in ("host1", "host2", "NAME", "vm-1-1", "vm-2-2"):
            self.assertIn(shown, live.stdout)

    def the_controller_tells_it(self, site, store):
        """The same without --store: what is asked of the controller is what is in the database."""
        until = ("--until", site.points("host1", *store)[-2]["time"], "--last", "1m")
        for who in ("host1", "127.0.0.2", "vm-1-2", "00000000-0000-4000-8000-000000000201"):
            for form in ("--json", "--csv"):
                self.assertIn("cpu_percent", told_alike(site, store, "history", who, form, *until))
        told_alike(site, store, "graph", "vm-2-2", "--metric", "memory", *until)
        # more than one answer of the controller holds: it is asked piece by piece
        told_alike(site, store, "history", "host1", "--csv", "--every", "1s", *until[:2], "--last", "1d")
        advice = site.baton("advise", "--json").json
        self.assertEqual([one["who"] for one in advice["people"]], ["vm-1-1", "vm-1-2", "vm-2-1", "vm-2-2"])
        self.assertIn("there are samples of host1", site.baton("history", "nobody", status=3).err)

    def a_user_sees_nothing_of_it(self, site):
        site.baton("user", "add", "kim", "--password-stdin", given="correct horse\n")
        url = next(url for url in site.urls if url.startswith("https://"))
        mine = {"BATON_CONTROLLER": None, "BATON_TOKEN_FILE": None}  # what the login leaves in kim's home
        site.baton("login", "kim", "--password-stdin", "--controller", url, "--authority",
                   str(site.folder / "state" / "pki" / "ca-cert.pem"), given="correct horse\n", **mine)
        for who in ("host1", "vm-1-1", "nobody"):
            said = site.baton("history", who, status=3, **mine).err
            self.assertIn("own sessions", said)
            self.assertNotIn("host2", said)
        self.assertIn("role", site.baton("advise", status=6, **mine).err)

    def the_papers_tables_have_it(self, site):
        with contextlib.closing(sqlite3.connect(f"file:{site.folder}/state/samples.db?mode=ro", uri=True)) as database:
            self.assertEqual(database.execute("SELECT HostIP, HostName, VMC FROM T1 ORDER BY 1").fetchall(),
                             [("127.0.0.1", "host1", 2), ("127.0.0.2", "host2", 2)])
            self.assertGreater(database.execute("SELECT count(*) FROM T4 JOIN T3 USING (UUID) WHERE name = 'vm-1-2'")
                               .fetchone()[0], 0)

    def kill_nine(self, site, store):
        heard = max(json.loads(line)["wall_ms"] // 1000 for line in site.baton("top", "--once", "--json").out.splitlines())
        # what was heard has been written when as many have been as there were then: the recorder's own word
        written = site.samples()["written"] + site.samples()["waiting"]
        wait_for("what was heard is written", lambda: site.samples()["written"] >= written)
        killed = time.time()
        site.kill()
        last = seconds(site.points("host1", *store)[-1]["time"])
        print(f"killed {killed - last:.1f} s after the last second that was kept (of which that second is 1)")
        self.assertGreaterEqual(last, heard - 1)  # host1's may be of the second before
        site.start()
        wait_for("samples after the kill", lambda: seconds(site.points("host1", *store)[-1]["time"]) > killed)
        self.assertEqual(site.events("samples.stopped"), [])

    def test_none_is_none(self):
        with MeasuredSite(store="none") as site:
            wait_for("readings", lambda: len(site.baton("top", "--once", "--json").out.splitlines()) == 2)
            self.assertIsNone(site.samples())
            self.assertIn("samples are not kept", site.baton("status").out)
            self.assertFalse((site.folder / "state" / "samples.db").exists())


class InMariadb(unittest.TestCase):
    def test_the_same_in_a_real_server(self):
        with MariadbServer() as server, MeasuredSite(store=server.url) as site:
            site.wait_until_kept("--store", server.url, count=2)
            wait_for("usage of a desktop", lambda: busiest(site, "vm-1-1", "--store", server.url) > 0)
            until = ("--until", site.points("vm-1-1", "--store", server.url)[-2]["time"], "--last", "1m", "--csv")
            told_alike(site, ("--store", server.url), "history", "vm-1-1", *until)
            self.assertTrue(site.samples()["where"].startswith("mysql://root@localhost/samples"))
            self.assertFalse((site.folder / "state" / "samples.db").exists())
            self.the_server_dies_and_comes_back(server, site)

    def the_server_dies_and_comes_back(self, server, site):
        server.tell("k")
        wait_for("its death is noticed", lambda: site.samples()["failing"])
        self.assertEqual(site.baton("history", "host1", status=None).status, 7)  # what is away is said, not waited for
        waited = wait_for("samples wait", lambda: site.samples()["waiting"] > 20 and site.samples()["waiting"])
        self.assertEqual(len(site.baton("top", "--once", "--json").out.splitlines()), 2)
        server.tell("s")
        told = wait_for("history goes on", lambda: site.events("samples.resumed"))
        self.assertGreaterEqual(int(told[0]["text"].split()[3]), waited)
        self.assertEqual((len(site.events("samples.stopped")), site.samples()["lost"]), (1, 0))
        self.assertTrue(site.points("host1", "--store", server.url))


class People(unittest.TestCase):
    """Whose session it was, as batond knows it; its simulated hosts measure nothing."""

    def people(self, site):
        if site.baton("status", "--json").json["samples"]["used_bytes"] is None:
            return []  # not made yet
        with contextlib.closing(sqlite3.connect(f"file:{site.folder}/state/samples.db?mode=ro", uri=True)) as database:
            return database.execute("SELECT session, user_name, image, connected FROM person").fetchall()

    def test_who_has_a_session_is_remembered_and_told_to_a_new_database(self):
        with Site() as site:
            site.person("kim")
            session = site.baton("session", "open", "kim", "--json").json
            kim = wait_for("whose session it is", lambda: self.people(site))
            self.assertEqual([row[:3] for row in kim], [(session["id"], "kim", "tiny-1")])
            self.assertEqual(kim[0][3], seconds(session["created"][:19] + "Z"))
            site.kill()
            for file in (site.folder / "state").glob("samples.db*"):
                file.unlink()
            site.start()
            self.assertEqual(wait_for("the same in a new database", lambda: self.people(site)), kim)


class FullDisk(unittest.TestCase):
    def test_only_history_stops_is_told_once_and_goes_on(self):
        needs_root()
        with MeasuredSite(store="sqlite:{folder}/small/samples.db", tmpfs="4m") as site:
            wait_for("samples", lambda: site.samples()["written"] > 0)
            filler = site.inside("small/filler")
            subprocess.run(["dd", "if=/dev/zero", f"of={filler}", "bs=4k"], capture_output=True, check=False)
            wait_for("the full disk is noticed", lambda: site.samples()["failing"])
            told = site.samples()
            self.assertIn("samples database", told["why"])
            self.assertIn("HISTORY HAS STOPPED", site.baton("status").out)
            # everything else goes on: readings, commands that write the state
            site.baton("user", "add", "kim", "--no-password")
            wait_for("more wait", lambda: site.samples()["waiting"] > told["waiting"] + 20)
            self.assertEqual(len(site.baton("top", "--once", "--json").out.splitlines()), 2)
            self.assertEqual(len(wait_for("the event", lambda: site.events("samples.stopped"))), 1)
            waited = site.samples()["waiting"]
            filler.unlink()
            wait_for("history goes on", lambda: not site.samples()["failing"])
            told = wait_for("it is told", lambda: site.events("samples.resumed"))
            print(told[0]["text"])
            self.assertRegex(told[0]["text"], r"^history goes on: \d+ samples were caught up, 0 were lost$")
            self.assertGreaterEqual(int(told[0]["text"].split()[3]), waited)
            self.assertEqual(len(site.events("samples.stopped")), 1)
            self.assertEqual(site.samples()["lost"], 0)
            self.assertEqual((site.folder / "log").read_text(encoding="utf-8").count("HISTORY HAS STOPPED"), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
