"""A PC's display for tests: Xvfb with a cookie, what is seen on it, and desks with desktops of their own beside it."""
import os
import pathlib
import re
import secrets
import shutil
import subprocess

from playing import BUILD, PLAY, PlayerTest, wait_until

PC_COLOUR = (0xC0, 0x30, 0x20)    # of the PC's own window
PC_PLACE = (200, 150)             # somewhere in it
DESK_COLOUR = (0x20, 0xC0, 0x40)  # of the window of a desk's program
FREE_PLACE = (1000, 100)          # where neither has a window: a desk's wallpaper


def hex_of(colour):
    return "#%02x%02x%02x" % colour


class Screen:
    """What a display shows at one moment."""

    def __init__(self, display, width=1280, height=800):
        self.width = width
        self.bytes = display.run("import", "-window", "root", "-depth", "8", "rgb:-", text=False).stdout
        assert len(self.bytes) == width * height * 3, len(self.bytes)

    def at(self, place):
        first = 3 * (place[0] + place[1] * self.width)
        return tuple(self.bytes[first:first + 3])

    def places(self, colour):
        """Of the pixels of just this colour."""
        one, at = bytes(colour), -1
        while (at := self.bytes.find(one, at + 1)) >= 0:
            if at % 3 == 0:
                yield at // 3 % self.width, at // 3 // self.width

    def has(self, colour):
        """Pixels of just this colour."""
        return sum(1 for _ in self.places(colour))


class Display:
    def __init__(self, folder):
        self.folder = folder
        self.cookies = folder / "pc-cookies"
        subprocess.run(["xauth", "-q", "-f", self.cookies, "add", ":99", ".", secrets.token_hex(16)], check=True,
                       capture_output=True)
        reading, writing = os.pipe()
        with (folder / "xvfb.log").open("w") as log:
            self.server = subprocess.Popen(["Xvfb", "-displayfd", str(writing), "-screen", "0", "1280x800x24", "-nolisten",
                                            "tcp", "-noreset", "-auth", self.cookies], pass_fds=[writing], stderr=log)
        os.close(writing)
        with os.fdopen(reading) as said:
            self.number = said.readline().strip()
        assert self.number, (folder / "xvfb.log").read_text()
        cookie = subprocess.run(["xauth", "-q", "-f", self.cookies, "list"], check=True, capture_output=True,
                                text=True).stdout.split()[-1]
        subprocess.run(["xauth", "-q", "-f", self.cookies, "add", f":{self.number}", ".", cookie], check=True,
                       capture_output=True)
        self.environment = dict(os.environ, DISPLAY=f":{self.number}", XAUTHORITY=str(self.cookies))
        for name in ("SUDO_UID", "PKEXEC_UID"):
            self.environment.pop(name, None)

    def run(self, *words, text=True, check=True):
        return subprocess.run(words, env=self.environment, capture_output=True, text=text, check=check, timeout=60)

    def start(self, *words, **more):
        return subprocess.Popen(words, env=self.environment, **more)

    def end(self):
        self.server.terminate()
        self.server.wait()

    def screen(self):
        return Screen(self)

    def windows(self):
        return self.run("xwininfo", "-root", "-tree").stdout


class DesktopTest(PlayerTest):
    """One PC's display with a window of its own, for each test."""

    def setUp(self):
        super().setUp()
        self.sessions = []
        for program in ("Xvfb", "Xephyr", "jwm", "xterm", "xclip", "xdotool", "xinput", "import"):
            self.assertTrue(shutil.which(program), f"{program} is missing: tools/setup run test")
        self.display = Display(self.folder)
        self.addCleanup(self.display.end)
        window = self.display.start("xterm", "-T", "PCs own", "-geometry", "40x16+100+100", "-bg", hex_of(PC_COLOUR), "-e",
                                    "sh", "-c", "exec sleep 1000", stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: (window.kill(), window.wait()))
        self.wait_for(lambda screen: screen.at(PC_PLACE) == PC_COLOUR, "the PC's own window")

    def wait_for(self, true, what):
        """Until the display shows it; what it showed last otherwise."""
        last = []

        def looked():
            last[:] = [self.display.screen()]
            return true(last[0])
        try:
            wait_until(looked, what)
        except AssertionError:
            self.keep("failed")
            raise
        return last[0]

    def keep(self, name):
        """A picture of the display, to be looked at, in the build folder."""
        folder = BUILD / "tests" / "screens"
        folder.mkdir(parents=True, exist_ok=True)
        self.display.run("import", "-window", "root", str(folder / f"{self._testMethodName}-{name}.png"))

    def open_desktop(self, desk, *command, options=("--net", "none"), **more):
        """A graphical session; it is ended with the test."""
        play = self.display.start(PLAY, desk, "--graphical", *options, *(("--", *command) if command else ()),
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)

        def end():
            if play.poll() is None:
                play.terminate()
            said = play.communicate(timeout=60)
            if play.returncode not in (0, 15, 143, -9):
                print(f"baton-play: {play.returncode}", *said)
        self.addCleanup(end)
        self.sessions.append(play)
        return play

    def desk_window(self, name="kim"):
        """A command for a desk: one window of its colour."""
        return ("xterm", "-T", f"{name}s own", "-geometry", "40x16+300+200", "-bg", hex_of(DESK_COLOUR), "-e", "sh", "-c",
                "exec sleep 1000")

    def switch(self, *words):
        done = self.display.run(PLAY, "switch", *words, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def listed(self):
        """owner -> whether it is shown."""
        lines = self.display.run(PLAY, "list").stdout.splitlines()
        found = {}
        for line in lines[1:]:
            owner, _, _, display, shown = line.split()[:5]
            if display == f":{self.display.number}":
                found[owner] = shown == "yes"
        return found

    def children_of(self, pid):
        return [int(word) for word in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def titles(self):
        return re.findall(r'0x[0-9a-f]+ "([^"]*)"', self.display.windows())
