#!/usr/bin/env python3
"""The lab leaves nothing behind: not after its end by Ctrl-C, not after kill -9. Looked at from the machine's side."""
import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent
STATE = pathlib.Path(os.environ.get("BATON_LAB_DIR", REPOSITORY / "build" / "lab"))


def lines(*command):
    return sorted(subprocess.run(command, text=True, capture_output=True, check=True).stdout.splitlines())


def programs():
    """What of the lab's kind runs on the machine, by the file each process executes."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(STATE) in words or "/mnt/site" in words:
            found.append(words.replace("\0", " "))
    return sorted(found)


def machine():
    return {"links": lines("ip", "-o", "link"), "namespaces": lines("ip", "netns", "list"),
            "mounts": sorted(pathlib.Path("/proc/self/mounts").read_text().splitlines()),
            "rules": lines("nft", "list", "ruleset"), "routes": lines("ip", "route"), "programs": programs()}


class LabEndsTest(unittest.TestCase):
    def start(self):
        lab = subprocess.Popen([str(REPOSITORY / "lab" / "lab"), "--users", "1", "--no-leave", "--stay"], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               env={**os.environ, "BATON_LAB_DIR": str(STATE)})
        said = []
        for line in lab.stdout:
            said.append(line)
            if "Ctrl-C ends the lab" in line:
                self.assertTrue(programs(), "this test can see the lab's processes")
                return lab
        self.fail("the lab did not stay up:\n" + "".join(said[-20:]))

    def ends_without_a_trace(self, number):
        before = machine()
        lab = self.start()
        lab.send_signal(number)
        lab.wait(60)
        lab.stdout.close()
        end = time.monotonic() + 30  # the kernel takes the namespaces down behind the last process
        while machine() != before and time.monotonic() < end:
            time.sleep(0.1)
        self.assertEqual(machine(), before)
        # and the next one is not in the way of what is left in the folder
        lab = self.start()
        lab.send_signal(signal.SIGKILL)
        lab.wait(60)
        lab.stdout.close()

    def test_kill_9(self):
        self.ends_without_a_trace(signal.SIGKILL)

    def test_second_lab_is_told(self):
        lab = self.start()
        second = subprocess.run([str(REPOSITORY / "lab" / "lab")], text=True, capture_output=True,
                                env={**os.environ, "BATON_LAB_DIR": str(STATE)})
        lab.kill()
        lab.wait(60)
        lab.stdout.close()
        self.assertEqual(second.returncode, 1)
        self.assertIn("another lab is running", second.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=[sys.argv[0], *sys.argv[1:]])
