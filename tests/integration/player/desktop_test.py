#!/usr/bin/env python3
"""Desks with desktops of their own beside the PC's, on a display of this test's: what is seen on which side, and what is not.

    tests/integration/player/desktop_test.py      as root; BATON_BUILD: the build folder, which gets pictures in tests/screens
"""
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import textwrap
import unittest

from desktop import DESK_COLOUR, FREE_PLACE, PC_COLOUR, PC_PLACE, DesktopTest
from playing import PLAY, loops_of, wait_until

WALLPAPER = {"kim": (0x7A, 0x5C, 0x3A), "lee": (0x56, 0x60, 0x6A)}


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
        menu = (0xEC, 0xEF, 0xF2)
        seen = [0]

        def whole(screen):  # twice the same: it is drawn to its end
            seen.append(screen.has(menu))
            return seen[-1] > 5_000 and seen[-1] == seen[-2]
        places = list(self.wait_for(whole, "the menu").places(menu))
        self.keep("menu")
        # its last word is Log out; keys would go astray until the menu has the keyboard, which nobody sees
        left, bottom = min(x for x, _ in places), max(y for _, y in places)
        self.display.run("xdotool", "mousemove", str(left + 30), str(bottom - 8), "click", "1")
        self.assertEqual(play.wait(60), 0)

    def test_the_desk_says_how_it_looks(self):
        desk = self.desk()
        picture = self.display.run("convert", "-size", "64x40", "xc:#2468ac", "png:-", text=False).stdout
        subprocess.run([PLAY, "--net", "none", desk, "--", "sh", "-c",
                        "mkdir -p Pictures .config/baton; cat > Pictures/lake.png"], input=picture, check=True, timeout=60)
        window = shlex.join(self.desk_window())
        settings = f'wallpaper = "Pictures/lake.png"\nstart = ["{window}"]\nterminal = "xterm"\n'
        self.inside(desk, "cat > ~/.config/baton/desktop.toml", user="kim", stdin=settings)
        play = self.open_desktop(desk)
        lake = (0x24, 0x68, 0xAC)

        def shown(screen):  # stretched over the screen, which may change a colour by one or two
            near = all(abs(a - b) <= 3 for a, b in zip(screen.at(FREE_PLACE), lake))
            return near and screen.has(DESK_COLOUR) > 10_000
        self.wait_for(shown, "picture and started program")
        self.keep("own")
        play.terminate()
        play.wait(60)
        # what is wrong with the settings is said in the log, and the desktop is there all the same
        self.inside(desk, "echo 'wallpaper = 3' > ~/.config/baton/desktop.toml", user="kim")
        play = self.open_desktop(desk)
        self.wait_for(lambda screen: screen.at(FREE_PLACE) == WALLPAPER["kim"], "the desktop as it is without settings")
        play.terminate()
        play.wait(60)
        self.assertIn("desktop.toml:1: wallpaper must be a text",
                      self.inside(desk, "cat ~/.local/state/baton/desktop.log", user="kim"))

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

    def test_several_at_once(self):
        kim, lee = self.desk("kim"), self.desk("lee")
        self.open_desktop(kim, *self.desk_window("kim"))
        self.wait_for(lambda screen: self.shows_desk(screen, "kim"), "kim's desktop")
        self.open_desktop(lee, *self.desk_window("lee"))
        seen = self.wait_for(lambda screen: self.shows_desk(screen, "lee"), "lee's desktop")
        self.assertEqual(seen.has(WALLPAPER["kim"]), 0, "its own wallpaper")
        self.keep("lee")
        self.assertEqual(self.listed(), {"kim": False, "lee": True})

        # round in a circle, by the key and by the command
        circle = [self.shows_pc, lambda screen: self.shows_desk(screen, "kim"), lambda screen: self.shows_desk(screen, "lee")]
        for turn, shown in enumerate(circle + circle):
            if turn % 2 == 0:
                self.display.run("xdotool", "key", "ctrl+alt+Home")
            else:
                self.switch()
            self.wait_for(shown, f"turn {turn}")
        # from one to the other, and the PC's window has the keyboard again at the end
        self.display.run("xdotool", "key", "ctrl+alt+Home")
        self.wait_for(self.shows_pc, "the PC's")
        self.display.run("xdotool", "search", "--name", "PCs own", "windowfocus", "--sync")
        owner = self.display.run("xdotool", "getwindowfocus").stdout
        for word in ("lee", "kim", str(lee), "kim.desk"):
            self.switch(word)
            self.wait_for(lambda screen, word=word: self.shows_desk(screen, "lee" if "lee" in word else "kim"), word)
            self.assertNotEqual(self.display.run("xdotool", "getwindowfocus").stdout, owner)
        self.switch("pc")
        self.wait_for(self.shows_pc, "the PC's")
        self.assertEqual(self.display.run("xdotool", "getwindowfocus").stdout, owner)

        # the one that had the hotkey ends: the other one has it
        done = self.display.run(PLAY, "switch", "eve", check=False)
        self.assertEqual((done.returncode, "no desk eve" in done.stderr), (125, True), done.stderr)
        self.sessions[0].terminate()
        self.sessions[0].wait(60)
        self.assertEqual(self.listed(), {"lee": False})
        for shown in (True, False):
            self.display.run("xdotool", "key", "ctrl+alt+Home")
            self.wait_for((lambda screen: self.shows_desk(screen, "lee")) if shown else self.shows_pc, f"lee alone, {shown}")

    def test_a_desk_sees_nothing_of_the_pc_and_of_another(self):
        kim, lee = self.desk("kim"), self.desk("lee")
        self.open_desktop(lee, *self.desk_window("lee"))
        self.wait_for(lambda screen: self.shows_desk(screen, "lee"), "lee's desktop")
        self.switch("host")
        # who looks for everything, as root of the desk
        script = """
            import os, socket, subprocess
            def out(*words):
                return subprocess.run(words, capture_output=True, text=True).stdout
            print(os.listdir("/tmp/.X11-unix"))
            for name in ("/tmp/.X11-unix/X%s", chr(0) + "/tmp/.X11-unix/X%s"):
                for number in [PC] + list(range(200)):
                    one = socket.socket(socket.AF_UNIX)
                    if one.connect_ex(name % number) == 0 and (name[0], number) != ("/", 0):
                        print("REACHED", repr(name), number)
            print("TCP", [port for port in (6000, 6000 + PC) if socket.socket().connect_ex(("127.0.0.1", port)) == 0])
            print("PCs own" in out("xwininfo", "-root", "-tree"), "lees own" in out("xwininfo", "-root", "-tree"))
            print(out("xclip", "-o", "-selection", "clipboard") + out("xclip", "-o") == "")
            del os.environ["XAUTHORITY"]
            print(out("xdpyinfo") == "")
        """
        for selection in ("clipboard", "primary"):
            subprocess.run(["xclip", "-selection", selection], input="of the PC", text=True, env=self.display.environment,
                           check=True, timeout=60)
        script = textwrap.dedent(script).replace("PC]", self.display.number + "]").replace("+ PC", "+ " + self.display.number)
        done = self.display.run(PLAY, kim, "--graphical", "--user", "root", "--net", "none", "--", "/usr/bin/python3", "-c",
                                script, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, "['X0']\nTCP []\nFalse False\nTrue\nTrue\n", done.stderr)

    def test_a_key_logger_sees_its_own_desk_alone(self):
        desk = self.desk()
        # what is typed anywhere in this X server, whoever has the keyboard; it listens when it has heard a key of ours
        self.open_desktop(desk, "sh", "-c", "touch said; xinput test-xi2 --root > keys & "
                          "until grep -q detail keys; do xdotool key F12; sleep 0.1; done; "
                          + " ".join(f"'{word}'" for word in self.desk_window()))
        self.wait_for(self.shows_desk, "the desk's desktop")
        self.switch("host")
        self.wait_for(self.shows_pc, "the PC's desktop")
        self.display.run("xdotool", "type", "secret")
        self.display.run("xdotool", "key", "ctrl+alt+Home")
        self.wait_for(self.shows_desk, "the desk again")
        self.display.run("xdotool", "type", "own")
        self.display.run("xdotool", "key", "Escape")
        self.switch("host")
        self.sessions[0].terminate()
        self.sessions[0].wait(60)
        keys = set(self.inside(desk, "sed -n 's/^ *detail: *//p' ~/keys", user="kim").split())
        self.assertGreaterEqual(keys, {"32", "25", "57"}, "o, w, n")
        self.assertEqual(keys & {"39", "26", "54", "27", "28"}, set(), "s, e, c, r, t")

    def copied(self, text):
        subprocess.run(["xclip", "-selection", "clipboard"], input=text, text=True, env=self.display.environment, check=True,
                       timeout=60)

    def pasted(self):
        done = self.display.run("timeout", "20", "xclip", "-o", "-selection", "clipboard", check=False)
        return done.stdout if done.returncode == 0 else None

    def test_the_clipboard_goes_where_it_is_allowed(self):
        desk = self.desk()
        long = "\u00e9\ud55c" * 200_000  # more than one request of X's takes
        for allowed, inward, outward in (("apart", False, False), ("in", True, False), ("out", False, True),
                                         ("both", True, True)):
            for text in ("short", long) if allowed == "both" else ("short",):
                self.copied("from the PC " + text)
                # pastes, copies, and stays until the file is there
                script = ("timeout 20 xclip -o -selection clipboard > in.txt || echo nothing > in.txt; "
                          "(printf 'from the desk '; cat in.txt) > out.txt; xclip -selection clipboard < out.txt; echo ready; "
                          "until [ -e /tmp/end ]; do sleep 0.02; done; cat in.txt")
                play = self.display.start(PLAY, desk, "--graphical", "--net", "none", "--clipboard", allowed, "--", "sh", "-c",
                                          "{ " + script + "; } & read end; touch /tmp/end; wait", stdin=subprocess.PIPE,
                                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
                self.addCleanup(lambda play=play: (play.kill(), play.wait(), play.stdin.close(), play.stdout.close()))
                self.assertEqual(play.stdout.readline(), "ready\n", allowed)
                given = "from the PC " + text if inward else "nothing\n"
                wanted = "from the desk " + given if outward else "from the PC " + text
                seen = []
                # who owns it now reaches the other side a moment later
                wait_until(lambda: seen.append(self.pasted()) or seen[-1] == wanted, f"{allowed}: {wanted[:40]!r}", 20)
                self.assertEqual(play.communicate("\n", timeout=60)[0], given, allowed)
                self.assertEqual(play.returncode, 0)

    def test_what_speaks_with_the_display_is_the_persons(self):
        person = 65534
        if subprocess.run(["unshare", "--user", "true"], capture_output=True, user=person, group=person).returncode != 0:
            print("\nNOT TESTED: users of this machine may not make user namespaces\n", file=sys.stderr)
            self.skipTest("no user namespaces for users")
        # as after sudo: root, who came from somebody else, whose cookies only they can read
        self.folder.chmod(0o711)
        os.chown(self.display.cookies, person, person)
        self.display.environment["SUDO_UID"] = str(person)
        play = self.open_desktop(self.desk(), *self.desk_window())
        self.wait_for(self.shows_desk, "the desk's desktop")
        users = {}
        for pid in self.children_of(play.pid):
            status = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
            users[status["Name"].strip()] = (int(status["Uid"].split()[0]), int(status["CapPrm"], 16))
        self.assertEqual(users["baton-present"], (person, 0))
        self.assertEqual(users["bwrap"][0], person)
        self.assertGreaterEqual(users["baton-desk"][0], 0x70000000)

        # who may ask the player: that person and root, nobody else, and the kernel says who it is
        name = next(line.split("@", 1)[1] for line in pathlib.Path("/proc/net/unix").read_text().splitlines()
                    if f"@baton-play/{play.pid}/" in line)
        asking = ("import socket, sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.settimeout(20); "
                  "s.connect(chr(0) + sys.argv[1]); s.send(sys.argv[2].encode()); print(s.recv(9999).decode())")

        def asked(user, word):
            done = subprocess.run(["python3", "-c", asking, name, word], user=user, group=user, capture_output=True, text=True,
                                  timeout=60, cwd="/")
            return done.stdout.strip() if done.returncode == 0 else "no answer"
        self.assertIn('"owner":"kim"', asked(person, '{"ask":"status"}'))
        self.assertIn('"owner":"kim"', asked(0, '{"ask":"status"}'))
        self.assertIn(asked(12345, '{"ask":"hide"}'), ("", "no answer"))
        self.assertIn("does not understand", asked(person, "anything"))
        self.assertTrue(self.shows_desk(self.display.screen()), "nobody has switched")
        self.assertIn('"shown":false', asked(person, '{"ask":"hide"}'))
        self.wait_for(self.shows_pc, "the PC's desktop")

    def test_nothing_of_it_is_left_on_the_pc(self):
        def look():
            return (self.display.cookies.read_bytes(), self.display.run("xprop", "-root").stdout, sorted(self.titles()),
                    self.display.run("xdotool", "getwindowfocus", check=False).stdout)
        before = look()
        play = self.open_desktop(self.desk(), *self.desk_window())
        self.wait_for(self.shows_desk, "the desk's desktop")
        self.assertEqual(look()[:2], before[:2], "no cookie and no property while it is open")
        server = [pid for pid in self.children_of(play.pid) if "bwrap" in pathlib.Path(f"/proc/{pid}/comm").read_text()]
        inner = self.children_of(server[0])
        self.assertEqual(len(inner), 1, "Xephyr")
        self.assertFalse(os.path.samestat(os.stat(f"/proc/{inner[0]}/root/tmp"), os.stat("/tmp")), "its lock, if any, is its own")
        listens = [line.split()[-1] for line in pathlib.Path(f"/proc/{inner[0]}/net/unix").read_text().splitlines()
                   if " 00010000 " in line]
        self.assertEqual(listens, [], "its network has no socket of any name")
        for _ in range(3):
            self.display.run("xdotool", "key", "ctrl+alt+Home")
        play.terminate()
        play.wait(60)
        self.wait_for(self.shows_pc, "the PC's desktop")
        self.assertEqual(look(), before)

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
