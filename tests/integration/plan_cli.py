#!/usr/bin/env python3
"""Runs the real `baton plan` and compares what it prints with Table 3 of the first paper.

    tests/integration/plan_cli.py [BATON]      BATON: default $BATON_BUILD/bin/baton
"""
import json
import os
import subprocess
import sys
import tempfile
import unittest

BATON = os.path.join(os.environ.get("BATON_BUILD", "build"), "bin", "baton")

# sizes in join order in GiB, free GiB, handoffs at this join; row 9 by the rule (its print adds up to 8.5 of 8 GiB)
TABLE3 = [
    ([4], 4, 0), ([4, 2], 2, 0), ([2] * 3, 2, 1), ([2] * 3 + [1], 1, 0), ([2] * 2 + [1] * 3, 1, 1),
    ([2] + [1] * 5, 1, 1), ([1] * 7, 1, 1), ([1] * 7 + [0.5], 0.5, 0), ([1] * 6 + [0.5] * 3, 0.5, 1),
    ([1] * 5 + [0.5] * 5, 0.5, 1), ([1] * 4 + [0.5] * 7, 0.5, 1), ([1] * 3 + [0.5] * 9, 0.5, 1),
    ([1] * 2 + [0.5] * 11, 0.5, 1), ([1] + [0.5] * 13, 0.5, 1), ([0.5] * 15, 0.5, 1), ([0.5] * 16, 0, 0),
]
PAPER = ["--hosts", "2", "--host-memory", "4GiB", "--levels", "4", "--users", "17"]


def plan(*arguments, stdin=""):
    return subprocess.run([BATON, "plan", *arguments], input=stdin, capture_output=True, text=True, timeout=60)


class Plan(unittest.TestCase):
    def plan_json(self, *arguments, stdin=""):
        done = plan(*arguments, "--json", stdin=stdin)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return json.loads(done.stdout)

    def test_table_3_as_json(self):
        rows = self.plan_json(*PAPER)
        self.assertEqual(len(rows), 17)
        for number, (row, (sizes, free, handoffs)) in enumerate(zip(rows, TABLE3), 1):
            self.assertEqual(list(row), ["users", "sizes_mib", "free_mib", "handoffs", "hosts"])
            self.assertEqual(row["users"], number)
            self.assertEqual(row["sizes_mib"], [int(size * 1024) for size in sizes])
            self.assertEqual(row["free_mib"], int(free * 1024))
            self.assertEqual(row["handoffs"], handoffs)
            self.assertEqual(len(row["hosts"]), number)
            for host in ("host1", "host2"):
                on_it = [size for size, where in zip(row["sizes_mib"], row["hosts"]) if where == host]
                self.assertLessEqual(sum(on_it), 4096)
            self.assertLessEqual(set(row["hosts"]), {"host1", "host2"})
        self.assertEqual(list(rows[16]), ["users", "refused"])
        self.assertEqual(rows[16]["users"], 17)
        self.assertIn("16 of 16", rows[16]["refused"])
        self.assertIn("add a host", rows[16]["refused"])

    def test_table_3_for_people(self):
        done = plan(*PAPER)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        lines = done.stdout.splitlines()
        self.assertEqual(lines[0], "2 hosts, desktops of 4 GiB down to 512 MiB")
        self.assertEqual(lines[3].split(), ["1", "4", "4", "GiB", "0", "host1"])
        self.assertIn("1x6 0.5x3", lines[11])
        self.assertIn("user7: 1 GiB on host", lines[11])
        self.assertRegex(lines[19], r"^ *17  refused: .*16 of 16")
        self.assertEqual(len(lines), 20)

    def test_one_more_user_than_fit_is_the_default(self):
        self.assertEqual(self.plan_json(), self.plan_json(*PAPER))

    def test_unequal_hosts_and_a_reserve(self):
        rows = self.plan_json("--host-memory", "5GiB,9GiB", "--reserve", "1GiB", "--levels", "4")
        self.assertEqual(len(rows), 8 + 16 + 1)
        self.assertEqual(rows[0]["sizes_mib"], [4096])
        self.assertEqual(rows[23]["free_mib"], 0)
        self.assertIn("24 of 24", rows[24]["refused"])
        rows = self.plan_json("--host-memory", "16GiB", "--hosts", "1", "--reserve", "default", "--users", "1")
        self.assertEqual(rows[0]["free_mib"] + rows[0]["sizes_mib"][0], 1843 * 8)  # 16384 - 1639, in eight whole parts

    def test_a_trace_of_joins_and_leaves(self):
        trace = "# a morning\n+ kim\n+ lee\n+ cho  # late\n\n- kim\n- lee\n"
        rows = self.plan_json("--trace", "-", "--grow", stdin=trace)
        self.assertEqual([row["event"] for row in rows], ["+ kim", "+ lee", "+ cho", "- kim", "- lee"])
        self.assertEqual([row["users"] for row in rows], [1, 2, 3, 2, 1])
        self.assertEqual(rows[4]["sizes_mib"], [4096])  # cho has grown back
        self.assertEqual(rows[4]["handoffs"], 1)
        self.assertEqual(self.plan_json("--trace", "-", stdin=trace)[4]["sizes_mib"], [2048])

    def test_the_load_of_a_host_is_part_of_the_trace(self):
        self.assertEqual(self.plan_json("--trace", "-", stdin="+ kim\n")[0]["hosts"], ["host1"])
        rows = self.plan_json("--trace", "-", stdin="@ host1 busy\n+ kim\n@ host1 idle\n- kim\n+ lee\n")
        self.assertEqual([row["event"] for row in rows], ["+ kim", "- kim", "+ lee"])
        self.assertEqual([row["hosts"] for row in rows], [["host2"], [], ["host1"]])

    def test_policies_side_by_side(self):
        paper, lazy, advised = self.plan_json("--compare", "--events", "4000")
        self.assertEqual((paper["policy"], lazy["policy"]), ("paper", "lazy"))
        self.assertGreater(paper["joins"], 1000)
        self.assertEqual({**advised, "policy": "paper"}, paper)  # nobody is known to need more
        self.assertEqual((paper["joins"], paper["refused"]), (lazy["joins"], lazy["refused"]))
        self.assertLess(lazy["handoffs_per_leave"], paper["handoffs_per_leave"])
        self.assertEqual(self.plan_json("--compare", "--events", "4000", "--policy", "lazy"), [lazy])

    def test_impossible_wishes_are_refused_in_a_sentence(self):
        with tempfile.NamedTemporaryFile("w", suffix=".trace") as trace:
            trace.write("+ kim\n? lee\n")
            trace.flush()
            for arguments, words in [
                (["--levels", "0"], "--levels 0"),
                (["--levels", "14"], "cannot be halved 13 times"),
                (["--hosts", "0"], "--hosts 0"),
                (["--users", "-1"], "--users -1"),
                (["--users", "many"], "many"),
                (["--host-memory", "4"], "no unit"),
                (["--host-memory", "4GiB", "--reserve", "4GiB"], "nothing to lend"),
                (["--largest", "1GiB", "--host-memory", "100MiB"], "does not hold one desktop"),
                (["--hosts", "3", "--host-memory", "4GiB,8GiB"], "--hosts is 3"),
                (["--policy", "best"], "choose from: paper, lazy"),
                (["--policy", "paper,lazy"], "--compare"),
                (["--compare", "--load", "200"], "--load 200"),
                (["--trace", trace.name], "line 2: '? lee'"),
                (["--trace", "/nowhere/at/all"], "No such file"),
            ]:
                done = plan(*arguments)
                self.assertNotEqual(done.returncode, 0, arguments)
                self.assertEqual(done.stdout, "", arguments)
                self.assertIn(words, done.stderr, arguments)

    def test_help_has_examples(self):
        done = plan("--help")
        self.assertEqual(done.returncode, 0)
        self.assertIn("baton plan --hosts 2 --host-memory 4GiB --levels 4 --users 17", done.stdout)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        BATON = sys.argv.pop(1)
    unittest.main()
