#!/usr/bin/env python3
"""A stick that is pulled out while the desk on it is open. The stick is a loop device whose bytes come from a
qemu-storage-daemon by FUSE: when that is killed, every read and write of the "stick" fails, as it does when somebody pulls it.

    tests/integration/player/pulled_test.py      as root; BATON_BUILD: the build folder
"""
import os
import pathlib
import shutil
import subprocess
import time
import unittest

from playing import BATON, PLAY, can_show

STICK_MIB = 192


class Stick:
    """Runs inside a mount namespace of its own (unshare -m): its mounts end with it."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.raw = self.folder / "stick.raw"
        self.shown = self.folder / "shown"
        self.place = self.folder / "stick"
        self.server = None
        self.shown.touch()
        self.place.mkdir(exist_ok=True)

    def plug_in(self):
        self.server = subprocess.Popen(
            ["qemu-storage-daemon", "--blockdev", f"driver=file,node-name=raw,filename={self.raw},locking=off",
             "--export", f"type=fuse,id=stick,node-name=raw,mountpoint={self.shown},writable=on"])
        deadline = time.monotonic() + 30
        while os.stat(self.shown).st_size != STICK_MIB << 20:
            if self.server.poll() is not None or time.monotonic() > deadline:
                raise AssertionError("the stick does not come up")
            time.sleep(0.01)
        subprocess.run(["mount", "-o", "loop", self.shown, self.place], check=True)  # the loop device clears itself

    def pull(self):
        self.server.kill()
        self.server.wait()

    def clear(self):
        subprocess.run(["umount", "-l", self.place], check=False, capture_output=True)
        subprocess.run(["umount", "-l", self.shown], check=False, capture_output=True)


@unittest.skipIf(can_show(), can_show())
class Pulled(unittest.TestCase):
    def setUp(self):
        # the folder is on a disk: a memory file system reads past no cache
        self.folder = pathlib.Path(subprocess.run(["mktemp", "-d", "-p", "/var/tmp", "baton-pulled.XXXXXX"], check=True,
                                                  capture_output=True, text=True).stdout.strip())
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.stick = Stick(self.folder)
        self.addCleanup(self.stick.clear)
        subprocess.run(["truncate", "-s", f"{STICK_MIB}M", self.stick.raw], check=True)
        subprocess.run(["mkfs.ext4", "-q", "-F", self.stick.raw], check=True)
        self.stick.plug_in()
        self.addCleanup(self.stick.pull)
        self.desk = self.stick.place / "kim.desk"
        subprocess.run([BATON, "desk", "create", self.desk, "--owner", "kim", "--size", "128MiB"], check=True,
                       stdout=subprocess.DEVNULL)

    def play(self, script, **more):
        return subprocess.Popen([PLAY, "--net", "none", "--user", "root", self.desk, "--", "/bin/sh", "-c", script],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)

    def ended(self, child):
        out, said = child.communicate(timeout=60)
        self.assertEqual(child.returncode, 125, out + said)
        gone = [line for line in said.splitlines() if "is gone: it was pulled out" in line]
        self.assertEqual(len(gone), 1, said)
        self.assertIn(str(self.desk), gone[0])
        self.assertIn("put it back", said)
        return said

    def good_again(self, wanted):
        """Back in, the image is sound, holds what was saved, and is taken over without a word of force."""
        self.stick.clear()
        self.stick.plug_in()
        child = self.play("cat /root/saved; echo again >> /root/saved; sync")
        out, said = child.communicate(timeout=60)
        self.assertEqual((child.returncode, out), (0, wanted), said)
        self.assertIn("taken over", said)
        done = subprocess.run([BATON, "desk", "check", self.desk], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_an_idle_session(self):
        child = self.play("echo first > /root/saved; sync; echo ready; read never")
        self.assertEqual(child.stdout.readline(), "ready\n")
        self.stick.pull()
        self.ended(child)
        self.good_again("first\n")

    def test_in_the_middle_of_writing(self):
        child = self.play("echo first > /root/saved; sync; echo ready;"
                          "i=0; while :; do i=$((i+1)); head -c 300000 /dev/urandom > /root/f$((i % 7)); done")
        self.assertEqual(child.stdout.readline(), "ready\n")
        time.sleep(0.5)  # anywhere in its writing
        self.stick.pull()
        self.ended(child)
        self.good_again("first\n")

    def test_when_the_program_ends_first(self):
        child = self.play("echo first > /root/saved; sync; echo ready; read go")
        self.assertEqual(child.stdout.readline(), "ready\n")
        self.stick.pull()
        child.stdin.write("\n")
        child.stdin.flush()
        self.ended(child)
        self.good_again("first\n")


if __name__ == "__main__":
    if can_show():
        print(f"NOT TESTED here: {can_show()}")
    elif os.environ.get("BATON_IN_NAMESPACE") != "1":
        os.environ["BATON_IN_NAMESPACE"] = "1"
        os.execvp("unshare", ["unshare", "-m", "--propagation", "private", "python3", os.path.abspath(__file__)])
    unittest.main()
