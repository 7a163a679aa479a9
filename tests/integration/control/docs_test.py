#!/usr/bin/env python3
"""docs/cli.md against the real thing: its examples run as written, and it names every command and option."""
import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from control_site import BATON, Site  # noqa: E402

TEXT = pathlib.Path("docs/cli.md").read_text()
OWN = ("session", "user", "desk", "host", "client", "status", "events", "login", "logout")
EVERYWHERE = {"--help", "--controller", "--token-file", "--authority", "--fingerprint", "--wait"}


def words(*path):
    """What completion offers: the program's own word on what it has."""
    done = subprocess.run([BATON, "complete", *[":" + part for part in path]], capture_output=True, text=True, check=True)
    return done.stdout.split()


class Docs(unittest.TestCase):
    def test_examples_run_as_written(self):
        examples = [line[2:] for block in re.findall(r"```console\n(.*?)```", TEXT, re.S)
                    for line in block.splitlines() if line.startswith("$ ")]
        self.assertGreater(len(examples), 30)
        with Site() as site:
            environment = site.environment()
            environment["PATH"] = f"{pathlib.Path(BATON).resolve().parent}:{environment['PATH']}"
            for example in examples:
                command, _, wanted = example.partition("# exit status ")
                done = subprocess.run(["bash", "-c", "set -o pipefail; " + command], capture_output=True, text=True,
                                      env=environment, timeout=60, check=False)
                self.assertEqual(done.returncode, int(wanted or 0), f"{example}\n{done.stdout}{done.stderr}")

    def test_every_command_and_option_is_there(self):
        for group in OWN:
            subs = words(group, "")
            paths = [f"baton {group} {sub}" for sub in subs] if f"## baton {group}\n\n### " in TEXT or \
                f"### baton {group} " in TEXT else [f"baton {group}"]
            for path in paths:
                match = re.search(rf"^###? {path}$(.*?)(?=^##)", TEXT, re.S | re.M)
                self.assertTrue(match, f"docs/cli.md has no section '{path}'")
                for option in set(words(*path.split()[1:], "--")) - EVERYWHERE:
                    self.assertIn(option, match.group(1), f"docs/cli.md: {path}")

    def test_exit_statuses_are_those_of_the_program(self):
        header = pathlib.Path("src/programs/baton.cpp").read_text()
        for status in set(re.findall(r"return (\d+);\n", header)):
            self.assertRegex(TEXT, rf"\n\| {status} \| ")


if __name__ == "__main__":
    unittest.main(verbosity=2)
