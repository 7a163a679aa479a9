#!/usr/bin/env python3
"""How long a desk's desktop takes to be seen, and to be switched to and from, on a display of Xvfb."""
import ctypes
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from _bench import arguments, interleaved, record, say

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests/integration/player"))
from desktop import DESK_COLOUR, Display, hex_of  # noqa: E402

ROUNDS = 50
PLACE = (600, 400)  # in the window that everybody here opens
WINDOW = ["xterm", "-geometry", "100x40+100+100", "-bg", hex_of(DESK_COLOUR), "-e", "sh", "-c", "exec sleep 1000"]


class Pixel:
    """One pixel of a display, asked for again and again."""

    def __init__(self, display):
        self.x = ctypes.CDLL("libX11.so.6")
        for name in ("XOpenDisplay", "XGetImage"):
            getattr(self.x, name).restype = ctypes.c_void_p
        for name in ("XDefaultRootWindow", "XGetPixel"):
            getattr(self.x, name).restype = ctypes.c_ulong
        os.environ.update(DISPLAY=display.environment["DISPLAY"], XAUTHORITY=display.environment["XAUTHORITY"])
        self.display = ctypes.c_void_p(self.x.XOpenDisplay(None))
        self.root = ctypes.c_ulong(self.x.XDefaultRootWindow(self.display))

    def colour(self):
        image = ctypes.c_void_p(self.x.XGetImage(self.display, self.root, *PLACE, 1, 1, ctypes.c_ulong(0xFFFFFF), 2))
        value = self.x.XGetPixel(image, 0, 0)
        self.x.XDestroyImage(image)
        return value & 0xFFFFFF

    def wait(self, shown):
        wanted = int.from_bytes(bytes(DESK_COLOUR), "big")
        end = time.perf_counter() + 30
        while (self.colour() == wanted) != shown:
            if time.perf_counter() > end:
                raise SystemExit(f"the display does not show it within 30 s (wanted: {shown})")


def main():
    build = pathlib.Path(arguments(__doc__).build).resolve()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-desktop-", dir="/dev/shm"))
    display = Display(folder)
    try:
        measure(build, folder, display)
    finally:
        display.end()
        shutil.rmtree(folder)


def measure(build, folder, display):
    play = build / "bin/baton-play"
    policy = folder / "policy.toml"
    source = pathlib.Path(__file__).resolve().parent.parent / "packaging/player/policy.toml"
    (folder / "known").mkdir(mode=0o700)
    policy.write_text(source.read_text().replace('remember = "/run/baton-play"', f'remember = "{folder}/known"'))
    desk = folder / "kim.desk"
    subprocess.run([build / "bin/baton", "desk", "create", desk, "--owner", "kim"], check=True, stdout=subprocess.DEVNULL)
    pixel = Pixel(display)
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}

    def session(command):
        begin = time.perf_counter()
        run = display.start(*command, **quiet)
        pixel.wait(True)
        took = (time.perf_counter() - begin) * 1000
        run.terminate()
        run.wait()
        pixel.wait(False)
        return took

    ours = [play, "--quiet", "--net", "none", "--policy", policy, desk, "--graphical", "--", *WINDOW]
    # the same server, window manager and program on the PC itself
    peer = ["sh", "-c", "trap 'kill $X $J $W' TERM; Xephyr -displayfd 3 -fullscreen -noreset -nolisten tcp 3>$0 & X=$!; "
            "read number <$0; export DISPLAY=:$number; jwm & J=$!; "
            "until xprop -root _NET_SUPPORTING_WM_CHECK | grep -q window; do sleep 0.005; done; \"$@\" & W=$!; wait; wait",
            str(folder / "fifo"), *WINDOW]
    os.mkfifo(folder / "fifo")
    for command in (ours, peer):
        for _ in range(3):
            session(command)
    say(f"player_desktop: {ROUNDS} graphical sessions against the same programs without a desk")
    record("player_desktop", **dict(zip(("ours", "peer"), interleaved(ROUNDS, lambda: session(ours), lambda: session(peer)))),
           peer_name="Xephyr, jwm and xterm on the PC itself", unit="ms", better="lower", limit=1.5,
           how="process start to the first pixel of xterm's window on the PC's display (Xvfb 1280x800); desk on a tmpfs, closed "
               "in order before; both wait for the window manager; ours opens the desk and sandboxes the server besides")

    run = display.start(*ours, **quiet)
    pixel.wait(True)
    other = display.start("xterm", "-fullscreen", "-T", "other", "-geometry", "200x60+0+0", "-bg", "black", "-e", "sh", "-c",
                          "exec sleep 1000", **quiet)
    window = display.run("xdotool", "search", "--sync", "--name", "^other$").stdout.split()[0]

    def switched(to_desk):
        begin = time.perf_counter()
        subprocess.run([play, "switch", "kim" if to_desk else "host"], check=True, **quiet)
        pixel.wait(to_desk)
        return (time.perf_counter() - begin) * 1000

    def mapped(show):
        begin = time.perf_counter()
        subprocess.run(["xdotool", "windowmap" if show else "windowunmap", window], check=True, **quiet)
        return (time.perf_counter() - begin) * 1000

    say(f"player_switch: {ROUNDS} times to the PC's desktop and back")
    for name, to_desk in (("player_switch_to_desk", True), ("player_switch_to_pc", False)):
        samples = ([], [])
        for _ in range(ROUNDS):
            switched(not to_desk)
            samples[0].append(switched(to_desk))
            samples[1].append(mapped(to_desk))
        record(name, ours=samples[0], peer=samples[1], peer_name="xdotool windowmap or windowunmap, not seen to be drawn",
               unit="ms", better="lower", limit=None,
               how="`baton-play switch`, process start to the pixel on the PC's display; to stay under 50 ms")
    for one in (run, other):
        one.terminate()
        one.wait()


if __name__ == "__main__":
    main()
