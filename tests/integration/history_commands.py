#!/usr/bin/env python3
"""`baton history`, `baton graph` and `baton advise`, as a person meets them, over a database that a test program fills.

    history_commands.py BUILD
"""
import csv
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as xml

BUILD = pathlib.Path(sys.argv.pop(1))
START = 1_700_000_040  # 2023-11-14T22:14:00Z


def baton(*words, status=0):
    done = subprocess.run([str(BUILD / "bin/baton"), *words], capture_output=True, text=True, timeout=60, check=False,
                          env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"})
    assert done.returncode == status, f"{words}: status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout if status == 0 else done.stderr


class HistoryCommands(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.store = str(pathlib.Path(cls.folder.name) / "samples.db")
        subprocess.run([str(BUILD / "tests/history_filler"), cls.store, "600"], check=True, timeout=60)
        cls.until = ("--store", cls.store, "--until", "2023-11-14T22:23:59Z", "--last", "10m")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_csv_has_every_second_and_every_unit(self):
        rows = list(csv.DictReader(io.StringIO(baton("history", "host1", "--csv", *self.until))))
        self.assertEqual(len(rows), 600)
        self.assertEqual(rows[0]["time"], "2023-11-14T22:14:00Z")
        self.assertEqual(float(rows[5]["cpu_percent"]), (START + 5) % 100)
        self.assertEqual(float(rows[5]["disk_bytes_per_second"]), 1_000_000)
        self.assertEqual(rows[5]["swap_in_bytes_per_second"], "")

    def test_minutes_in_json_have_four_figures(self):
        told = json.loads(baton("history", "host1", "--json", "--every", "1m", *self.until))
        self.assertEqual(told["every_seconds"], 60)
        self.assertEqual(set(told["points"][0]["cpu_percent"]), {"min", "mean", "max", "p95"})

    def test_a_session_a_desktop_and_a_uuid_are_the_same(self):
        by_session = baton("history", "s-kim", "--csv", *self.until)
        self.assertEqual(by_session, baton("history", "d-0", "--csv", *self.until))
        self.assertEqual(by_session, baton("history", "00000000-0000-4000-8000-000000000000", "--csv", *self.until))

    def test_a_session_has_its_own_time_on_a_desktop_alone(self):
        for session, first in (("s-lee", "2023-11-14T22:14:00Z"), ("s-park", "2023-11-14T22:19:00Z")):
            rows = list(csv.DictReader(io.StringIO(baton("history", session, "--csv", *self.until))))
            self.assertEqual((len(rows), rows[0]["time"]), (300, first), session)

    def test_a_graph_in_a_file_and_in_the_terminal(self):
        for metric in ("cpu", "memory", "disk", "net"):
            path = pathlib.Path(self.folder.name) / f"{metric}.svg"
            baton("graph", "s-kim", "--metric", metric, "--svg", str(path), *self.until)
            self.assertTrue(xml.parse(path).getroot().findall("{http://www.w3.org/2000/svg}path"), metric)
        disk = pathlib.Path(self.folder.name) / "disk.svg"
        self.assertIn("read and written", disk.read_text(encoding="utf-8"))  # its test data have no directions
        baton("graph", "host1", "--metric", "disk", "--svg", str(disk), *self.until)
        self.assertNotIn("read and written", disk.read_text(encoding="utf-8"))
        png = pathlib.Path(self.folder.name) / "cpu.png"
        baton("graph", "host1", "--png", str(png), *self.until)
        self.assertEqual(png.read_bytes()[:8], b"\x89PNG\r\n\x1a\n")
        text = baton("graph", "host1", "--columns", "60", *self.until)
        self.assertIn("100 %", text)
        self.assertLessEqual(max(len(line) for line in text.splitlines()), 60)

    def test_advice_says_who_what_and_why(self):
        told = json.loads(baton("advise", "--json", "--store", self.store, "--until", "2023-11-14T22:30:00Z"))
        kim = [one for one in told["people"] if one["who"] == "kim"]
        self.assertEqual([one["image"] for one in kim], ["tiny-1"])
        self.assertEqual(round(kim[0]["base_mib"]), 562)  # 488 MiB and 15 %
        self.assertEqual(kim[0]["advised_mib"], 2048)  # what it has: ten minutes are not yet 24 quiet hours
        self.assertTrue(kim[0]["waits"])
        self.assertIn("90 %", kim[0]["why"])
        self.assertIn("needs differ", baton("advise", "--store", self.store, "--until", "2023-11-14T22:30:00Z"))

    def test_the_papers_figure_13(self):
        curve = pathlib.Path(self.folder.name) / "figure13.csv"
        curve.write_text("2GiB,107.1\n4GiB,2473.9\n8GiB,2548.4\n", encoding="utf-8")
        self.assertEqual(json.loads(baton("advise", "--curve", str(curve), "--json"))["chosen_mib"], 4096)
        strict = baton("advise", "--curve", str(curve), "--tolerance", "2.92", "--json")
        self.assertEqual(json.loads(strict)["chosen_mib"], 8192)
        curve.write_text("2GiB,107.1\n", encoding="utf-8")
        for more in ((), ("--store", self.store)):
            self.assertIn("two sizes or more", baton("advise", "--curve", str(curve), *more, status=2))

    def test_what_makes_no_sense_is_told(self):
        self.assertIn("no samples of 'nobody'", baton("history", "nobody", *self.until, status=3))
        self.assertIn("no length of time", baton("history", "host1", "--store", self.store, "--last", "soon", status=2))
        self.assertIn("or name a samples database with --store", baton("history", "host1", status=2))
        self.assertIn("cannot open the samples database", baton("history", "host1", "--store", "/no/where", status=3))
        self.assertIn("names no user or no database", baton("history", "host1", "--store", "mysql://", status=2))
        junk = pathlib.Path(self.folder.name) / "junk"
        junk.write_bytes(b"this is no database" * 100)
        self.assertIn("samples database", baton("history", "host1", "--store", str(junk), status=8))


if __name__ == "__main__":
    unittest.main()
