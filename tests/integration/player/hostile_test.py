#!/usr/bin/env python3
"""Images made to mislead or to harm: refused with a reason before anything is mounted, or harmless.

    tests/integration/player/hostile_test.py      as root; BATON_BUILD: the build folder
"""
import os
import random
import subprocess
import unittest

from playing import MAPPED, PlayerTest, loops_of

DATA = 1 << 20


class Hostile(PlayerTest):
    def debugfs(self, desk, *commands):
        done = subprocess.run(["debugfs", "-w", "-f", "-", f"{desk}?offset={DATA}"], input="\n".join(commands) + "\n",
                              capture_output=True, text=True, timeout=60, env={**os.environ, "DEBUGFS_PAGER": "__none__"})
        self.assertEqual(done.stderr.splitlines()[1:], [], done.stderr)

    def refused(self, desk, reason):
        done = self.play(desk, "true")
        self.assertEqual(done.returncode, 125, done.stderr)
        self.assertIn(reason, done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, "one sentence, and not a program's babble: " + done.stderr)
        self.assertEqual(loops_of(desk), [])

    def test_links_where_folders_belong(self):
        for store in ("fwd/opt", "fwd/home", "fwd/usrlocal", "cow"):
            desk = self.desk()
            self.debugfs(desk, f"unlink /{store}", f"symlink /{store} /etc")
            # the folder that was there has lost its name: mend that, so that the check finds nothing
            subprocess.run(["e2fsck", "-fy", f"{desk}?offset={DATA}"], capture_output=True, timeout=60)
            self.refused(desk, "is not a folder")
            self.check(desk)
            desk.unlink()

    def test_a_file_where_a_folder_belongs(self):
        desk = self.desk()
        self.debugfs(desk, "rmdir /fwd/srv", "write /etc/debian_version /fwd/srv")
        self.refused(desk, "is not a folder")

    def test_device_nodes_and_set_uid_files_give_nothing(self):
        desk = self.desk()
        numbers = os.stat("/dev/loop-control")
        self.debugfs(desk, "cd /fwd/opt", f"mknod control c {os.major(numbers.st_rdev)} {os.minor(numbers.st_rdev)}",
                     "mknod disk b 254 0", "write /usr/bin/id suid", "set_inode_field suid mode 0106755",
                     "set_inode_field suid uid 0", "set_inode_field control mode 020666",
                     "set_inode_field disk mode 060666")
        said = self.inside(desk, MAPPED + "for d in control disk; do head -c 1 /opt/$d 2>&1; (: > /opt/$d) 2>&1; done; true")
        self.assertEqual(said.count("Permission denied"), 4, said)
        self.assertEqual(self.inside(desk, "/opt/suid -u", user="kim").strip(), "1000")

    def test_cut_short_flipped_or_foreign(self):
        desk = self.desk()
        whole = desk.read_bytes()
        os.truncate(desk, 100 << 20)
        self.refused(desk, "cut short")
        desk.write_bytes(b"\0" * (4 << 20))
        self.refused(desk, "header")
        desk.write_bytes(random.Random(3).randbytes(4 << 20))
        self.refused(desk, "header")
        broken = bytearray(whole)
        for offset in (100, (512 << 10) + 100):
            broken[offset] ^= 1
        desk.write_bytes(broken)
        self.refused(desk, "header")
        broken = bytearray(whole)
        broken[DATA + 1024 + 0x18] ^= 0xff  # block size
        desk.write_bytes(broken)
        self.refused(desk, "damaged")

    def test_metadata_at_random(self):
        """Each either opens and works, or is refused with a reason; the kernel meets none that e2fsck refuses."""
        desk = self.desk(size="64MiB")
        self.inside(desk, "cp /bin/* /opt/ 2>/dev/null; ln -s x /opt/link; mkdir -p /opt/a/b/c; sync")
        whole = desk.read_bytes()
        chosen = random.Random(7)
        refused = 0
        for _ in range(24):
            broken = bytearray(whole)
            for _ in range(chosen.randrange(1, 6)):
                # superblock, descriptors, bitmaps, inode tables lie at the front
                at = DATA + chosen.randrange(1024, 3 << 20)
                broken[at] = chosen.randrange(256)
            desk.write_bytes(broken)
            done = self.play(desk, "true")
            self.assertIn(done.returncode, (0, 125), done.stderr)
            if done.returncode == 125:
                refused += 1
                self.assertRegex(done.stderr, "baton-play: .*(damaged|corrupt)")
            self.assertEqual(loops_of(desk), [])
        self.assertGreater(refused, 0, "nothing was ever broken")


if __name__ == "__main__":
    unittest.main()
