#!/usr/bin/env python3
"""Desks under a passphrase: made, played, moved in and out of it; wrong passphrases, two openers, a kill.

    tests/integration/player/encrypted_test.py      as root; BATON_BUILD: the build folder
"""
import json
import os
import pathlib
import pty
import re
import shutil
import subprocess
import tempfile
import unittest

from playing import BATON, BUILD, PlayerTest, can_play, digest, loops_of, wait_until

PLAY = BUILD / "bin/baton-play"


class Encrypted(PlayerTest):
    def setUp(self):
        if shutil.which("qemu-storage-daemon") is None or not os.path.exists("/dev/fuse"):
            self.skipTest("no qemu-storage-daemon, or no FUSE")
        super().setUp()
        self.key = self.folder / "key"
        self.key.write_text("자물쇠 and key\n")
        self.wrong = self.folder / "wrong"
        self.wrong.write_text("and key\n")
        self.image = self.folder / "kim.desk"

    def baton(self, *words, status=0):
        done = subprocess.run([BATON, "desk", *words], capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout if status == 0 else done.stderr

    @classmethod
    def tearDownClass(cls):
        if cls.kept:
            shutil.rmtree(cls.kept, ignore_errors=True)
        super().tearDownClass()

    kept = None

    def make(self):
        """Made once: the key alone takes seconds of the processor, as it is meant to."""
        if Encrypted.kept is None:
            Encrypted.kept = pathlib.Path(tempfile.mkdtemp(prefix="baton-encrypted-"))
            self.make_new()
            shutil.copy(self.image, Encrypted.kept / "kim.desk")
        else:
            shutil.copy(Encrypted.kept / "kim.desk", self.image)

    def make_new(self):
        made = json.loads(self.baton("create", self.image, "--encrypt", "--passphrase-file", self.key, "--size", "128MiB", "--json"))
        self.assertTrue(made["encrypted"])

    def run_in(self, script, key=None, status=0):
        done = self.play(self.image, "/bin/sh", "-c", script, options=("--net", "none", "--passphrase-file", key or self.key))
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout if status == 0 else done.stderr

    def test_kept_and_unreadable(self):
        self.make()
        secret = "what nobody but kim may read"
        self.run_in(f"for i in $(seq 2000); do echo '{secret}'; done > note; sync")
        self.assertEqual(self.run_in("sort -u note"), secret + "\n")
        stored = self.image.read_bytes()
        for plain in (secret.encode(), b"baton-desk", b"BATONDSK", b"kim", self.key.read_text().strip().encode()):
            self.assertEqual(stored.find(plain), -1, plain)
        self.assertIn("encrypted", self.baton("show", self.image, status=10))
        self.assertIn("baton-play", self.baton("check", self.image, status=10))
        before = digest(self.image)
        self.assertIn("not the passphrase", self.run_in("true", self.wrong, status=125))
        self.assertEqual(digest(self.image), before, "a wrong passphrase leaves no trace")
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["key", "kim.desk", "wrong"])
        self.assertEqual(loops_of(self.image), [])
        # no terminal and no file: it is said what to do, nothing waits
        asked = subprocess.run(["setsid", PLAY, self.image, "--", "true"], stdin=subprocess.DEVNULL, capture_output=True,
                               text=True, timeout=60)
        self.assertEqual(asked.returncode, 2)
        self.assertIn("--passphrase-file", asked.stderr)

    def test_asked_on_the_terminal_without_an_echo(self):
        self.make()
        child, master = pty.fork()
        if child == 0:
            os.execv(PLAY, [str(PLAY), "--net", "none", str(self.image), "--", "/bin/echo", "opened"])
        seen = b""
        while b"passphrase of" not in seen:
            seen += os.read(master, 4096)
        os.write(master, self.key.read_bytes())
        try:
            while part := os.read(master, 4096):
                seen += part
        except OSError:  # the other end is closed
            pass
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0, seen)
        os.close(master)
        self.assertIn(b"opened", seen)
        self.assertNotIn(b"and key", seen)

    def test_no_passphrase_on_any_command_line(self):
        self.make()
        held = subprocess.Popen([PLAY, "--net", "none", "--passphrase-file", self.key, self.image, "--", "/bin/sh", "-c",
                                 "echo in; read x"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(held.wait)
        self.addCleanup(held.kill)
        self.assertEqual(held.stdout.readline(), "in\n")
        for line in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                self.assertNotIn("자물쇠".encode(), line.read_bytes())
            except OSError:  # it has ended
                pass
        self.assertIn("in use", self.run_in("true", status=125), "one opener at a time")
        mounts = pathlib.Path("/proc/self/mountinfo").read_text()
        self.assertIsNone(re.search(re.escape(str(self.image)), mounts), "shown to the player alone")
        held.communicate("\n", timeout=60)
        self.assertEqual(held.returncode, 0)

    def test_in_and_out_of_it(self):
        plain = self.desk("lee", "128MiB")
        self.inside(plain, "echo hers > /home/lee/note", user="lee")
        self.baton("export", plain, self.image, "--encrypt", "--passphrase-file", self.key)
        self.assertEqual(self.run_in("id -un; cat note; echo more >> note"), "lee\nhers\n")
        back = self.folder / "back.desk"
        self.assertIn("not its passphrase", self.baton("export", self.image, back, "--decrypt", "--passphrase-file", self.wrong,
                                                       status=6))
        self.assertFalse(back.exists())
        self.baton("export", self.image, back, "--decrypt", "--passphrase-file", self.key)
        self.check(back)
        self.assertEqual(self.inside(back, "cat /home/lee/note", user="lee"), "hers\nmore\n")
        self.baton("export", plain, self.image, "--encrypt", "--passphrase-file", self.key, status=5)

    def test_a_file_that_names_files_of_the_pc(self):
        """Made by somebody else, opened by this PC's root: what it names must not be read or written."""
        named = self.folder / "named"
        made = ["qemu-img", "create", "-q", "-f", "qcow2", "--object", f"secret,id=key,file={self.wrong}"]
        luks = "encrypt.format=luks,encrypt.key-secret=key,encrypt.iter-time=10"
        for more in (["-o", luks, "-b", named, "-F", "raw"], ["-o", f"{luks},data_file={named}"]):
            self.image.unlink(missing_ok=True)
            named.write_bytes(b"a secret of the PC".ljust(1 << 20, b"."))
            subprocess.run([*made, *more, self.image, "1M"], check=True, timeout=120)
            stored = digest(named)
            self.assertIn("names another file", self.run_in("true", self.wrong, status=125))
            self.assertIn("names another file", self.baton("export", self.image, self.folder / "out", "--decrypt",
                                                           "--passphrase-file", self.wrong, status=4))
            self.assertEqual(digest(named), stored)

    def test_killed(self):
        self.make()
        held = subprocess.Popen([PLAY, "--net", "none", "--passphrase-file", self.key, self.image, "--", "/bin/sh", "-c",
                                 "echo kept > note; sync; echo in; while :; do head -c 200000 /dev/urandom > x; done"],
                                stdout=subprocess.PIPE, text=True)
        self.assertEqual(held.stdout.readline(), "in\n")
        held.kill()
        held.wait()
        held.stdout.close()
        wait_until(lambda: self.play(self.image, "true", options=("--net", "none", "--passphrase-file", self.key)).returncode == 0,
                   "the killed player's desk is free")
        self.assertEqual(self.run_in("cat note"), "kept\n")


if __name__ == "__main__":
    if can_play():
        print(f"NOT TESTED here: {can_play()}")
    unittest.main()
