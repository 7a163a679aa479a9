#!/usr/bin/env python3
"""What two real hosts measure is kept by a real batond: in SQLite, in a real MariaDB, through a kill -9 and a full disk."""
import calendar
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
from measured_site import MariadbServer, MeasuredSite, needs_root, wait_for  # noqa: E402


def seconds(text):
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


def busiest(site, who, *more):
    rows = csv.DictReader(io.StringIO(site.baton("history", who, "--csv", "--last", "10m", *more).out))
    return max(float(row["cpu_paper_percent"] or 0) for row in rows)


class InSqlite(unittest.TestCase):
    def test_what_is_measured_is_kept_shown_and_survives_kill_nine(self):
        with MeasuredSite() as site:
            store = ("--store", str(site.folder / "state" / "samples.db"))
            site.wait_until_kept(*store, count=2)
            self.the_commands_print_it(site, store)
            self.the_papers_tables_have_it(site)
            self.kill_nine(site, store)

    def the_commands_print_it(self, site, store):
        wait_for("the test driver's machines say that they work", lambda: busiest(site, "vm-2-1", *store) > 0)
        self.assertIn("%", site.baton("graph", "host1", "--metric", "cpu", *store).out)
        hosts = [json.loads(line) for line in site.baton("top", "--once", "--json").out.splitlines()]
        self.assertEqual({host["host"]: len(host["desktops"]) for host in hosts}, {"host1": 2, "host2": 2})
        told = wait_for("the size of the database", lambda: site.samples()["used_bytes"] and site.samples())
        self.assertGreater(told["written"], 0)
        self.assertFalse(told["failing"])
        self.assertIn("samples are kept in " + store[1], site.baton("status").out)

    def the_papers_tables_have_it(self, site):
        with sqlite3.connect(f"file:{site.folder}/state/samples.db?mode=ro", uri=True) as database:
            self.assertEqual(database.execute("SELECT HostIP, HostName, VMC FROM T1 ORDER BY 1").fetchall(),
                             [("127.0.0.1", "host1", 2), ("127.0.0.2", "host2", 2)])
            self.assertGreater(database.execute("SELECT count(*) FROM T4 JOIN T3 USING (UUID) WHERE name = 'vm-1-2'")
                               .fetchone()[0], 0)
        database.close()

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
            site.wait_until_kept("--store", server.url)
            wait_for("usage of a desktop", lambda: busiest(site, "vm-1-1", "--store", server.url) > 0)
            self.assertTrue(site.samples()["where"].startswith("mysql://root@localhost/samples"))
            self.assertFalse((site.folder / "state" / "samples.db").exists())


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
