#!/usr/bin/env python3
"""What somebody who is not root of the PC is told, and that nothing was begun by then.

    tests/integration/player/rootless_test.py      as root; BATON_BUILD: the build folder
"""
import os
import shutil
import subprocess
import unittest

from playing import BATON, PLAY, PlayerTest, can_play, digest, loops_of

NOBODY_IN_PARTICULAR = "61234"


class Rootless(PlayerTest):
    def setUp(self):
        super().setUp()
        for program in (BATON, PLAY):  # the build folder may be root's alone
            shutil.copy(program, self.folder)
        os.chmod(self.folder, 0o755)
        self.own = self.folder / "own"
        self.own.mkdir()
        os.chown(self.own, int(NOBODY_IN_PARTICULAR), int(NOBODY_IN_PARTICULAR))
        self.image = self.own / "kim.desk"
        self.assertEqual(self.as_user(self.folder / "baton", "desk", "create", self.image, "--size", "128MiB").returncode, 0)

    def as_user(self, *words):
        return subprocess.run(["setpriv", "--reuid", NOBODY_IN_PARTICULAR, "--regid", NOBODY_IN_PARTICULAR, "--clear-groups",
                               "--inh-caps=-all", *words], capture_output=True, text=True, timeout=60, cwd=self.own)

    def refused(self, *before):
        kept = digest(self.image)
        done = self.as_user(*before, self.folder / "baton-play", "--net", "none", self.image, "--", "true")
        self.assertEqual(done.returncode, 125, done.stderr)
        for part in ("only an administrator of this PC opens desks", "loop device", f"sudo baton-play {self.image}",
                     "Without root"):
            self.assertIn(part, done.stderr)
        self.assertEqual(digest(self.image), kept)
        self.assertEqual(loops_of(self.image), [])
        return done.stderr

    def test_an_ordinary_user(self):
        self.assertNotIn("container", self.refused())

    def test_root_of_a_container(self):
        self.assertIn("root of a container", self.refused("unshare", "--user", "--map-root-user", "--mount"))

    def test_what_goes_without(self):
        listed = self.as_user(self.folder / "baton", "desk", "show", self.image, "--files", "/fwd/home")
        self.assertEqual(listed.returncode, 0, listed.stderr)
        self.assertIn("kim", listed.stdout)
        self.assertEqual(self.as_user(self.folder / "baton", "desk", "check", self.image).returncode, 0)


if __name__ == "__main__":
    if can_play():
        print(f"NOT TESTED here: {can_play()}")
    unittest.main()
