#!/usr/bin/env python3
"""Snapshots and check-outs of a desk that is a file, as a person uses them: played, kept, changed, restored, taken away,
brought back; killed in the middle, with a full disk, and by several who do not know of each other.

    tests/integration/player/copies_test.py      as root; BATON_BUILD: the build folder
"""
import json
import os
import pathlib
import random
import subprocess
import time
import unittest

from playing import BATON, BUILD, PlayerTest, can_play, digest


class Copies(unittest.TestCase):
    """What needs no namespaces: header and content of files."""
    setUp = PlayerTest.setUp
    desk = PlayerTest.desk
    check = PlayerTest.check

    def baton(self, *words, status=0):
        done = subprocess.run([BATON, "desk", *words], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        if status != 0:
            self.assertEqual(done.stdout, "")
            self.assertTrue(done.stderr.startswith("baton: "), done.stderr)
        return done.stderr if status != 0 else done.stdout

    def shown(self, desk):
        return json.loads(self.baton("show", desk, "--json"))

    def put(self, desk, byte):
        """Something into the file system's last block, where ext4 keeps nothing of its own in a new desk."""
        with open(desk, "r+b") as file:
            file.seek(-4096, os.SEEK_END)
            file.write(byte * 4096)

    def got(self, desk):
        with open(desk, "rb") as file:
            file.seek(-4096, os.SEEK_END)
            return file.read(1)

    def test_back_to_a_snapshot(self):
        desk = self.desk()
        self.put(desk, b"1")
        made = json.loads(self.baton("snapshot", desk, "first", "--json"))
        self.assertEqual(made["name"], "first")
        self.put(desk, b"2")
        self.baton("snapshot", desk, "second")
        self.put(desk, b"3")
        self.assertEqual([one["name"] for one in self.shown(desk)["snapshots"]], ["first", "second"])
        self.assertIn("snapshot   first, ", self.baton("show", desk))
        before = self.shown(desk)
        os.chmod(desk, 0o640)
        self.baton("restore", desk, "first")
        self.assertEqual(self.got(desk), b"1")
        after = self.shown(desk)
        self.assertGreater(after["generation"], before["generation"])
        self.assertEqual((after["id"], after["owner"]), (before["id"], before["owner"]))
        self.assertEqual(os.stat(desk).st_mode & 0o777, 0o640)
        self.baton("restore", desk, "second")
        self.assertEqual(self.got(desk), b"2")
        self.check(desk)
        self.assertIn("first, second", self.baton("restore", desk, "third", status=3))
        self.baton("snapshot", desk, "first", status=5)
        self.baton("snapshot", desk, "../x", status=2)
        self.assertIn("stays as it is", self.baton("check", "--repair", made["file"], status=4))
        self.baton("snapshot", desk, "first", "--remove")
        self.assertEqual([one["name"] for one in self.shown(desk)["snapshots"]], ["second"])
        self.baton("remove", desk)
        self.assertEqual(os.listdir(self.folder), [], "with everything in it")

    def test_away_and_back(self):
        desk, stick = self.desk(), self.folder / "stick"
        stick.mkdir()
        away = stick / "kim.desk"
        self.put(desk, b"1")
        self.baton("checkout", desk, away, "--to", "stick")
        self.assertEqual(self.shown(desk)["checked_out"]["to"], "stick")
        self.assertIsNone(self.shown(away)["checked_out"])
        self.assertIn("taken away to stick", self.baton("checkout", desk, stick / "more.desk", status=4))
        self.baton("snapshot", desk, "meanwhile")
        self.assertIn("checkin", self.baton("restore", desk, "meanwhile", status=4))
        self.put(away, b"2")
        second = stick / "copied-by-hand.desk"
        second.write_bytes(away.read_bytes())
        self.baton("checkin", desk, away, "--to", "home")
        self.assertEqual(self.got(desk), b"2")
        self.assertIsNone(self.shown(desk)["checked_out"])
        self.assertEqual(self.shown(away)["checked_out"]["to"], "home")
        self.check(desk)
        before = digest(desk)
        self.put(second, b"3")
        self.assertIn("another copy came back", self.baton("checkin", desk, second, status=5))
        # the next journey: the copy of the last one is another's
        self.baton("checkout", desk, stick / "again.desk")
        self.assertIn("not the one that left", self.baton("checkin", desk, second, status=5))
        self.assertIn("the one that stayed", self.baton("checkin", desk, away, status=5))
        self.assertIn("another desk", self.baton("checkin", desk, self.desk("lee"), status=5))
        self.baton("checkin", desk, stick / "again.desk")
        self.assertEqual(self.got(desk), b"2")
        self.assertNotEqual(digest(desk), before, "its generation")
        self.baton("checkin", desk, status=2)
        self.baton("checkin", desk, "--lost", status=5)

    def test_a_lost_stick(self):
        desk, away = self.desk(), self.folder / "away.desk"
        self.baton("checkout", desk, away)
        self.baton("checkin", desk, "--lost")
        self.assertIsNone(self.shown(desk)["checked_out"])
        self.put(away, b"9")
        self.baton("checkin", desk, away, status=5)
        self.assertNotEqual(self.got(desk), b"9")

    def test_a_damaged_copy_does_not_come_back(self):
        desk, away = self.desk(), self.folder / "away.desk"
        self.baton("checkout", desk, away)
        with open(away, "r+b") as file:
            file.seek(1024 * 1024 + 4096)
            file.write(b"x" * 4096)
        before = digest(desk)
        self.assertIn("damaged", self.baton("checkin", desk, away, status=8))
        self.assertEqual(digest(desk), before)

    def test_killed_in_the_middle(self):
        desk, away = self.desk(), self.folder / "away.desk"
        # enough content that a copy is under way for a while
        with open(desk, "r+b") as file:
            file.seek(140 << 20)  # where a new ext4 has nothing of its own
            file.write(random.Random(3).randbytes(48 << 20))
        random.seed(17)
        commands = [("snapshot", desk, "kept"), ("restore", desk, "first"), ("checkout", desk, away)]
        self.put(desk, b"1")
        self.baton("snapshot", desk, "first")
        self.put(desk, b"2")
        took = {}
        for command, undo in zip(commands, (("snapshot", desk, "kept", "--remove"), None, ("checkin", desk, away))):
            started = time.monotonic()
            self.baton(*command)
            took[command[0]] = time.monotonic() - started
            if undo:
                self.baton(*undo)
        away.unlink()
        self.put(desk, b"2")
        reached = dict.fromkeys(("old", "new"), 0)
        for turn in range(18):
            command = commands[turn % 3]
            child = subprocess.Popen([BATON, "desk", *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                # from before anything is made to after the end
                child.wait(timeout=random.uniform(0, 1.2) * took[command[0]])
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            state = self.shown(desk)
            names = [one["name"] for one in state["snapshots"]]
            self.assertIn(self.got(desk), (b"1", b"2"))
            whole = {"snapshot": "kept" in names, "restore": self.got(desk) == b"1",
                     "checkout": state["checked_out"] is not None}[command[0]]
            reached["new" if whole else "old"] += 1
            if turn % 6 < 3:
                self.check(desk)
            if "kept" in names:
                self.check(self.folder / "kim.desk.snapshots" / "kept.desk")
                self.baton("snapshot", desk, "kept", "--remove")
            if state["checked_out"]:
                self.check(away)
                self.baton("checkin", desk, away)
            elif away.exists():
                self.baton("checkin", desk, away, status=5)
            away.unlink(missing_ok=True)
            if self.got(desk) == b"1":
                self.put(desk, b"2")
        self.assertGreater(reached["old"], 0, reached)
        # what was left behind goes with the next command, once nobody can be at it any more
        left = [path for where in (self.folder, self.folder / "kim.desk.snapshots") for path in where.glob(".*.new")]
        for path in left:
            os.utime(path, (time.time() - 3600,) * 2)
        self.baton("snapshot", desk, "kept")
        self.baton("restore", desk, "kept")
        self.assertEqual([path for path in left if path.exists()], [])
        print(f"killed: {reached}, {len(left)} files left behind")

    def test_a_full_disk(self):
        script = f"""
            set -e; mount -t tmpfs -o size=40m none {self.folder}; cd {self.folder}
            {BATON} desk create ./kim.desk --size 256MiB >&2
            dd if=/dev/urandom of=kim.desk bs=1M seek=200 count=20 conv=notrunc status=none
            for command in 'snapshot ./kim.desk one' 'checkout ./kim.desk ./away.desk'; do
                status=0; {BATON} desk $command || status=$?; echo $status; ls -A
            done; {BATON} desk check ./kim.desk """
        done = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.stdout, "4\nkim.desk\n4\nkim.desk\n./kim.desk: clean\n", done.stderr)
        self.assertEqual(done.stderr.count("No space left on device"), 2, done.stderr)


class Played(PlayerTest):
    baton, shown = Copies.baton, Copies.shown

    def test_the_desk_in_use_and_away(self):
        desk, away = self.desk(), self.folder / "away.desk"
        self.inside(desk, "echo first > /home/kim/note", user="kim")
        self.baton("snapshot", desk, "first")
        self.inside(desk, "echo second > /home/kim/note", user="kim")
        held = subprocess.Popen([BUILD / "bin/baton-play", "--net", "none", desk, "--", "/bin/sh", "-c", "echo in; read x"],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(held.wait)
        self.addCleanup(held.kill)
        self.assertEqual(held.stdout.readline(), "in\n")
        for words in (("snapshot", desk, "x"), ("restore", desk, "first"), ("checkout", desk, away)):
            self.baton(*words, status=5)
        held.communicate("\n", timeout=60)
        self.assertEqual(held.returncode, 0)
        self.baton("restore", desk, "first")
        self.assertEqual(self.inside(desk, "cat /home/kim/note", user="kim"), "first\n")
        self.baton("checkout", desk, away, "--to", "stick")
        refused = self.play(desk, "true")
        self.assertEqual(refused.returncode, 125)
        self.assertIn("was taken away to stick", refused.stderr)
        self.inside(away, "echo away > /home/kim/note", user="kim")
        self.baton("checkin", desk, away)
        self.assertEqual(self.inside(desk, "cat /home/kim/note", user="kim"), "away\n")
        self.assertIn("stayed behind", self.play(away, "true").stderr)
        self.assertEqual(self.shown(desk)["snapshots"][0]["name"], "first")
        # opened at home all the same: two desks from then on
        self.baton("checkout", desk, self.folder / "next.desk")
        self.inside(desk, "true", options=("--net", "none", "--break-lease"))
        self.baton("checkin", desk, self.folder / "next.desk", status=5)

    def test_what_it_changed(self):
        desk = self.desk()
        # whatever this PC has: one file that goes, one that changes, one that is replaced whole as packages do it
        self.inside(desk, r"""
            rm /usr/bin/env; echo >> /etc/profile; cp /etc/debian_version /etc/x; mv /etc/x /etc/debian_version
            mkdir -p /usr/share/new/folder; head -c 5000 /dev/zero > /usr/share/new/folder/file
            head -c 7000 /dev/zero > /opt/tool; ln -s tool /opt/link; echo hi > /var/lib/dpkg/kept; echo hi > /var/own """)
        found = json.loads(self.baton("diff", desk, "--json"))
        base, = found["bases"]
        self.assertTrue(base["compared"])
        changes = {one["path"]: (one["how"], one["kind"]) for one in base["changes"]}
        for path, change in {"/usr/bin/env": ("removed", ""), "/etc/profile": ("changed", "file"),
                             "/etc/debian_version": ("changed", "file"), "/usr/share/new": ("added", "folder"),
                             "/usr/share/new/folder": ("added", "folder"),
                             "/usr/share/new/folder/file": ("added", "file"),
                             "/var/lib/dpkg/kept": ("added", "file"), "/etc/passwd": ("changed", "file")}.items():
            self.assertEqual(changes.get(path), change, path)
        self.assertNotIn("/usr/bin", changes, "a folder on the way")
        forwarded = {one["folder"]: one for one in found["forwarded"]}
        self.assertEqual((forwarded["/opt"]["files"], forwarded["/opt"]["size_bytes"]), (2, 7000))
        self.assertEqual([one["folder"] for one in base["own"]], ["/var"])
        text = self.baton("diff", desk)
        self.assertIn("  + /usr/share/new/folder/file  4.9 KiB\n", text)
        self.assertIn("  - /usr/bin/env\n", text)
        self.assertNotIn("/usr/bin/env", self.baton("diff", desk, "--summary"))
        # over another system it is another base's
        elsewhere = self.folder / "pc"
        (elsewhere / "usr/bin").mkdir(parents=True)
        other = json.loads(self.baton("diff", desk, "--over", elsewhere, "--json"))["bases"][0]
        self.assertFalse(other["compared"])
        self.assertIn(("removed", "/usr/bin/env"), [(one["how"], one["path"]) for one in other["changes"]])
        self.baton("diff", desk, "--over", self.folder / "nothing", status=3)
        with open(desk, "r+b") as file:  # the file system's folders
            file.seek(1024 * 1024)
            body = bytearray(file.read(64 << 20))
            at = body.index(b"fwd\0") - 8
            file.seek(1024 * 1024 + at + 4)
            file.write(b"\xff\xff\xff\xff")
        self.assertIn("cannot look into", self.baton("diff", desk, status=8))


if __name__ == "__main__":
    if can_play():
        print(f"NOT TESTED here: {can_play()}")
    unittest.main()
