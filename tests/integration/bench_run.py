#!/usr/bin/env python3
"""Runs bench/run over benches made up here, in a build folder of its own, and looks at its results.json."""
import json
import pathlib
import subprocess
import tempfile
import unittest

RUN = pathlib.Path(__file__).resolve().parents[2] / "bench" / "run"


def line(name, ours, peer, better="lower", limit=2):
    return json.dumps({"name": name, "ours": ours, "peer": peer, "peer_name": "the other", "unit": "ms", "better": better,
                       "limit": limit, "how": "made up"})


class BenchRun(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.build = pathlib.Path(folder.name)
        (self.build / "bin").mkdir()

    def bench(self, name, *lines, status=0):
        program = self.build / "bin" / f"bench_{name}"
        program.write_text("#!/bin/sh\ncat <<'END'\n" + "\n".join(lines) + f"\nEND\nexit {status}\n", encoding="utf-8")
        program.chmod(0o755)

    def run_bench(self, *arguments):
        return subprocess.run([RUN, "--build", self.build, *arguments], capture_output=True, text=True, timeout=60)

    def results(self):
        return json.loads((self.build / "bench" / "results.json").read_text(encoding="utf-8"))

    def test_records_are_medians_with_their_ratio(self):
        self.bench("speed", line("speed", [30, 10, 11], [20, 22, 21]), line("speed_of_light", 3, 2, "higher", None))
        done = self.run_bench("--name", "speed")
        self.assertEqual(done.returncode, 0, done.stderr)
        first, second = self.results()
        self.assertEqual(first, {"name": "speed", "ours": 11, "peer": 21, "peer_name": "the other", "unit": "ms",
                                 "ratio": 11 / 21, "better": "lower", "n": 3, "limit": 2, "how": "made up"})
        self.assertEqual((second["ratio"], second["n"], second["limit"]), (1.5, 1, None))
        self.assertIn("< 2 yes", done.stdout)

    def test_one_name_replaces_only_its_own_records(self):
        self.bench("a", line("a", 1, 1))
        self.bench("b", line("b", 1, 1))
        for name in "ab":
            self.assertEqual(self.run_bench("--name", name).returncode, 0)
        self.bench("a", line("a", 3, 1), line("a_too", 1, 1))
        done = self.run_bench("--name", "a", "--check")
        self.assertEqual(done.returncode, 1)  # 3 is over 2
        self.assertIn("over their limit: a", done.stdout)
        self.assertEqual([(r["name"], r["ratio"]) for r in self.results()], [("a", 3), ("b", 1), ("a_too", 1)])

    def test_what_went_wrong_is_said_and_nothing_is_written_for_it(self):
        self.bench("good", line("good", 1, 1))
        self.assertEqual(self.run_bench("--name", "good").returncode, 0)
        for lines, status, words in [([line("bad", 1, 1)], 3, "exit status 3"), (["hello"], 0, "no JSON record"),
                                     ([], 0, "printed no record"), ([line("bad", 1, 0)], 0, "nothing to compare with"),
                                     ([line("bad", [], 1)], 0, "'ours'"), ([line("bad", 1, 1, "best")], 0, "'better'")]:
            self.bench("bad", *lines, status=status)
            done = self.run_bench("--name", "bad")
            self.assertEqual(done.returncode, 1, words)
            self.assertIn(words, done.stderr)
            self.assertEqual([record["name"] for record in self.results()], ["good"])

    def test_an_unknown_name_is_told_the_known_ones(self):
        self.bench("speed", line("speed", 1, 1))
        done = self.run_bench("--name", "sped")
        self.assertEqual(done.returncode, 2)
        self.assertIn("there is no bench 'sped'", done.stderr)
        self.assertIn("speed", done.stderr)
        self.assertIn("speed", self.run_bench("--list").stdout.split())


if __name__ == "__main__":
    unittest.main()
