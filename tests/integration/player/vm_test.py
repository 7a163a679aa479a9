#!/usr/bin/env python3
"""One desk, in the player and on a desktop: written in the player, seen and changed in a virtual machine, opened in the
player again, over the PC's system and over the machine's own OS image; and never in both at once.

    tests/integration/player/vm_test.py      as root; BATON_BUILD: the build folder, BATON_IMAGES: a library with `tiny`
"""
import os
import pathlib
import subprocess
import sys
import unittest

from playing import PLAY, PlayerTest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from guest_vm import Desktop  # noqa: E402

LIBRARY = pathlib.Path(os.environ["BATON_IMAGES"]).resolve()
HEADER = 1 << 20


class Vm(PlayerTest):
    def plug(self, desktop, desk, fence):
        """As a host does it: the image behind its header."""
        size = os.stat(desk).st_size - HEADER
        desktop.qmp("blockdev-add", **{"driver": "raw", "node-name": f"desk{fence}", "offset": HEADER, "size": size,
                                       "file": {"driver": "file", "filename": str(desk), "locking": "on"}})
        desktop.qmp("device_add", driver="virtio-blk-pci", bus="desk-slot", id=f"desk{fence}", drive=f"desk{fence}",
                    serial=f"desk-{fence}")

    def test_the_same_desk(self):
        desk = self.desk()
        self.inside(desk, "echo from the player > notes.txt; chmod 600 notes.txt", user="kim")
        with Desktop(str(max(LIBRARY.glob("tiny-*"))), str(self.folder), 256) as desktop:
            desktop.expect("ready", 180)
            desktop.identify("kim")
            # while the player has it, QEMU does not get it
            held = subprocess.Popen([PLAY, "--net", "none", desk, "--", "/bin/sh", "-c", "echo in; read end"],
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self.addCleanup(held.wait)
            self.addCleanup(held.kill)
            self.assertEqual(held.stdout.readline(), "in\n")
            with self.assertRaisesRegex(AssertionError, "lock"):
                self.plug(desktop, desk, 1)
            held.communicate("\n", timeout=60)
            self.assertEqual(held.returncode, 0)

            self.plug(desktop, desk, 2)
            desktop.say("mount", serial="desk-2", fence=2, read_only=False)
            desktop.expect("mounted")
            # and the reverse
            refused = self.play(desk, "true")
            self.assertEqual(refused.returncode, 125, refused.stderr)
            self.assertIn("in use", refused.stderr)
            desktop.type("cat notes.txt > seen.txt; echo from the machine >> notes.txt; sync\n")
            desktop.type("exit\n")
            desktop.expect("logged-out")
            desktop.say("release", grace_ms=1000)
            desktop.expect("released")
            desktop.unplug_desk(2)
        read = "cat seen.txt notes.txt; stat -c '%U %a' notes.txt"
        wanted = "from the player\nfrom the player\nfrom the machine\nkim 600\n"
        self.assertEqual(self.inside(desk, read, user="kim"), wanted)
        over = self.inside(desk, read + "; readlink /bin/cat", user="kim",
                           options=("--net", "none", "--base", "tiny", "--library", str(LIBRARY)))
        self.assertEqual(over, wanted + "busybox\n", "the image is the system")
        self.check(desk)


if __name__ == "__main__":
    unittest.main()
