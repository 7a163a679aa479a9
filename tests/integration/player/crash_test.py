#!/usr/bin/env python3
"""Straight to the image: copies of the image file taken while somebody writes inside, at a hundred moments and more, are
opened again: every file that had been fsynced is there whole, and the check is clean. The image lies on an XFS made for
this, whose reflinks copy a file at one moment.

    tests/integration/player/crash_test.py [POINTS]      as root; BATON_BUILD: the build folder
"""
import os
import random
import subprocess
import sys
import threading
import unittest

from playing import BATON, MAPPED, PLAY, PlayerTest

POINTS = 104
# each file says its own name again and again, is fsynced, then named on standard output
WRITER = MAPPED + r"""
python3 -c '
import os, random
random.seed(5)
os.chdir("/home/kim")
for i in range(1000000):
    name = f"f{i:06}"
    with open(name, "wb") as file:
        file.write(name.encode() * random.choice((1, 100, 2000, 20000)))
        file.flush()
        os.fsync(file.fileno())
    folder = os.open(".", os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
    print(name, os.path.getsize(name), flush=True)
    with open(f"scratch{i}", "wb") as file: file.write(bytes(30000))
    if i > 3: os.unlink(f"scratch{i-3}")
' """


class Crash(PlayerTest):
    def setUp(self):
        super().setUp()
        # mounts of this test are this test's alone
        if os.environ.get("BATON_OWN_MOUNTS") != "1":
            self.fail("run me through main(), which makes a mount namespace")
        disk = self.folder / "disk"
        with open(disk, "wb") as file:
            file.truncate(3 << 30)
        subprocess.run(["mkfs.xfs", "-q", "-m", "reflink=1", disk], check=True)
        self.disk = self.folder / "xfs"
        self.disk.mkdir()
        subprocess.run(["mount", "-o", "loop", disk, self.disk], check=True)
        self.addCleanup(subprocess.run, ["umount", self.disk], check=True)

    def test_every_synced_file_is_there(self):
        random.seed(11)
        desk = self.disk / "kim.desk"
        subprocess.run([BATON, "desk", "create", desk, "--owner", "kim", "--size", "512MiB"], check=True,
                       capture_output=True)
        play = subprocess.Popen([PLAY, "--net", "none", desk, "--", "/bin/sh", "-c", WRITER], stdout=subprocess.PIPE,
                                text=True)
        self.addCleanup(play.wait)
        self.addCleanup(play.kill)
        named = []

        def read():
            for line in play.stdout:
                named.append(line)
        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        copies = []
        while len(copies) < POINTS:
            before, written = len(named), list(named)
            copy = self.disk / f"copy{len(copies)}.desk"
            subprocess.run(["cp", "--reflink=always", desk, copy], check=True)
            copies.append((copy, written))
            # at least a few more files between two moments, told by the writer itself
            while len(named) < before + random.randrange(1, 6):
                self.assertIsNone(play.poll(), "the writer goes on")
                threading.Event().wait(0.002)
        play.kill()
        play.wait()
        reader.join(30)
        play.stdout.close()
        wanted = sum(len(written) for _, written in copies)
        self.assertGreater(wanted, 10 * POINTS)
        for number, (copy, written) in enumerate(copies):
            self.reopen(copy, written, whole=number % 13 == 0)
            copy.unlink()
        print(f"{len(copies)} moments, {wanted} synced files looked for")

    def reopen(self, copy, written, whole):
        # what was named before the copy was begun had been fsynced by then
        lines = "".join(written)
        verify = r"""
            python3 -c '
import hashlib, os, sys
os.chdir("/home/kim")
for line in sys.stdin:
    name, size = line.split()
    data = open(name, "rb").read()
    if data != name.encode() * (int(size) // len(name)): sys.exit("changed: " + name)
print("all there")
' """
        done = self.play(copy, "/bin/sh", "-c", verify, stdin=lines)
        self.assertEqual((done.returncode, done.stdout), (0, "all there\n"), done.stderr)
        if whole:
            self.check(copy)


if __name__ == "__main__":
    if os.environ.get("BATON_OWN_MOUNTS") != "1":
        os.environ["BATON_OWN_MOUNTS"] = "1"
        os.execvp("unshare", ["unshare", "-m", sys.executable, *sys.argv])
    if len(sys.argv) > 1:
        POINTS = int(sys.argv.pop())
    unittest.main()
