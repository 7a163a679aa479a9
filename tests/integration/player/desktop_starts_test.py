#!/usr/bin/env python3
"""A hundred graphical sessions one after another: each draws. The first client of a nested X server must never stall.

    tests/integration/player/desktop_starts_test.py      as root; BATON_BUILD: the build folder
"""
import subprocess
import time
import unittest

from desktop import DESK_COLOUR, DesktopTest
from playing import PLAY, loops_of

STARTS = 100


class Starts(DesktopTest):
    def test_a_hundred_in_a_row_draw(self):
        desk = self.desk()
        took = []
        for number in range(STARTS):
            begin = time.monotonic()
            play = self.display.start(*self.command(desk), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            self.addCleanup(lambda play=play: (play.kill(), play.wait()))
            self.wait_for(lambda screen: screen.has(DESK_COLOUR) > 10_000, f"start {number} draws")
            took.append(time.monotonic() - begin)
            play.terminate()
            play.wait(60)
            self.wait_for(lambda screen: screen.has(DESK_COLOUR) == 0, f"the PC's desktop after start {number}")
        self.assertEqual(loops_of(desk), [])
        self.check(desk)
        took.sort()
        print(f"{STARTS} starts: median {took[STARTS // 2] * 1000:.0f} ms, slowest {took[-1] * 1000:.0f} ms")

    def command(self, desk):
        return [PLAY, "--quiet", "--net", "none", desk, "--graphical", "--", *self.desk_window()]


if __name__ == "__main__":
    unittest.main()
