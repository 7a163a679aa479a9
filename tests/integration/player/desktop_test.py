#!/usr/bin/env python3
"""Desks with desktops of their own beside the PC's, on a display of this test's: what is seen on which side, and what is not.

    tests/integration/player/desktop_test.py      as root; BATON_BUILD: the build folder, which gets pictures in tests/screens
"""
import os
import pathlib
import signal
import subprocess
import unittest

from desktop import DESK_COLOUR, FREE_PLACE, PC_COLOUR, PC_PLACE, DesktopTest
from playing import PLAY, loops_of, wait_until

WALLPAPER = {"kim": (0x7A, 0x5C, 0x3A), "lee": (0x3B, 0x5F, 0x7D)}


class Desktops(DesktopTest):
    def shows_desk(self, screen, owner="kim"):
        return screen.at(FREE_PLACE) == WALLPAPER[owner] and screen.has(DESK_COLOUR) > 10_000

    def shows_pc(self, screen):
        return screen.at(PC_PLACE) == PC_COLOUR and screen.at(FREE_PLACE) == (0, 0, 0)

    def test_beside_the_pcs_and_back(self):
        desk = self.desk()
        play = self.open_desktop(desk, *self.desk_window())
        seen = self.wait_for(self.shows_desk, "the desk's desktop")
        self.assertEqual(seen.has(PC_COLOUR), 0, "nothing of the PC's desktop")
        self.assertGreater(seen.has((0x1F, 0x26, 0x2E)), 5_000, "the bar with menu and window list")
        self.keep("desk")
        self.assertEqual(self.listed(), {"kim": True})
        # the PC's other clients see one window without what is in it
        self.assertEqual(set(self.titles()) & {"kims own"}, set())
        self.assertIn("Desk of kim", self.titles())
        self.assertEqual(self.display.run("xdotool", "search", "--name", "kims own", check=False).stdout, "")

        self.switch("host")
        seen = self.wait_for(self.shows_pc, "the PC's desktop")
        self.assertEqual((seen.has(DESK_COLOUR), seen.has(WALLPAPER["kim"])), (0, 0), "nothing of the desk")
        self.keep("pc")
        self.assertEqual(self.listed(), {"kim": False})
        self.switch("kim")
        self.wait_for(self.shows_desk, "the desk again")
        for shown in (False, True):  # and by the key
            self.display.run("xdotool", "key", "ctrl+alt+Home")
            self.wait_for(self.shows_desk if shown else self.shows_pc, f"the hotkey, {shown}")

        play.terminate()
        self.assertEqual(play.wait(60), signal.SIGTERM, "xterm's own status")
        self.wait_for(self.shows_pc, "the PC's desktop at the end")
        self.assertNotIn("Desk of kim", self.titles())
        self.assertEqual(self.listed(), {})
        self.assertEqual(loops_of(desk), [])
        self.check(desk)

    def test_the_command_ends_the_session(self):
        done = self.display.run(PLAY, self.desk(), "--graphical", "--net", "none", "--timings", "--", "sh", "-c",
                                "xdpyinfo | grep -c 'dimensions: *1280x800'; echo $DISPLAY $XAUTHORITY; exit 7", check=False)
        self.assertEqual((done.returncode, done.stdout), (7, "1\n:0 /run/user/1000/Xauthority\n"), done.stderr)
        self.assertIn("the desk's display, shown", done.stderr)

    def test_log_out_ends_the_session(self):
        play = self.open_desktop(self.desk())
        self.wait_for(lambda screen: screen.at(FREE_PLACE) == WALLPAPER["kim"], "the desktop")
        self.display.run("xdotool", "mousemove", "640", "300", "click", "3")
        self.wait_for(lambda screen: screen.has((0xEC, 0xEF, 0xF2)) > 5_000, "the menu")
        self.keep("menu")
        self.display.run("xdotool", "key", "Up", "Return")  # its last word is Log out
        self.assertEqual(play.wait(60), 0)

    def test_what_is_missing_is_said(self):
        desk = self.desk()
        environment = dict(self.display.environment)
        del environment["DISPLAY"]

        def refused(**changes):
            done = subprocess.run([PLAY, desk, "--graphical", "--net", "none", "--", "true"], capture_output=True, text=True,
                                  timeout=60, env=environment | changes)
            self.assertEqual(done.returncode, 125, done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
            return done.stderr
        self.assertIn("DISPLAY is not set", refused())
        display = f":{self.display.number}"
        self.assertIn("xserver-xephyr", refused(DISPLAY=display, PATH=str(self.folder)))
        self.assertIn("no X server answers at the display", refused(DISPLAY=display, XAUTHORITY="/none"))
        self.assertIn("no X server answers at the display :59999", refused(DISPLAY=":59999"))
        done = self.display.run(PLAY, desk, "--graphical", "--net", "host", "--", "true", check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("within its reach", done.stderr)
        without = self.display.run(PLAY, desk, "--graphical", "--net", "none", "--user", "root", "--", "sh", "-c",
                                   "rm /usr/bin/jwm; rm -f /usr/bin/openbox /usr/bin/icewm /usr/bin/fluxbox /usr/bin/twm")
        self.assertEqual(without.returncode, 0)
        done = self.display.run(PLAY, desk, "--graphical", "--net", "none", check=False)
        self.assertEqual(done.returncode, 125)
        self.assertIn("install jwm", done.stderr)
        self.assertTrue(os.path.exists("/usr/bin/jwm"), "the PC's own")
        self.assertEqual(loops_of(desk), [])

    def test_killed_it_leaves_nothing(self):
        desk = self.desk()
        play = self.open_desktop(desk, *self.desk_window())
        self.wait_for(self.shows_desk, "the desk's desktop")
        family = self.children_of(play.pid)
        self.assertGreaterEqual(len(family), 3, "environment, presenter, server")
        play.kill()
        play.wait()
        self.wait_for(self.shows_pc, "the PC's desktop")
        wait_until(lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in family), "they end with it")
        wait_until(lambda: not loops_of(desk), "the kernel lets go of the image")
        self.assertEqual(self.listed(), {})
        self.assertEqual([name for name in self.titles() if "kim" in name], [])
        self.check(desk)


if __name__ == "__main__":
    unittest.main()
