#!/usr/bin/env python3
"""What a frame costs baton-view, and how long it takes to be seen, against TigerVNC's viewer on the same record."""
import ctypes
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

from _bench import arguments, interleaved, record, say
from _replay import Player, Record

ROUNDS = 7
FILLS = 40
SIZE = (1280, 800)
AREA = (400, 250, 480, 300)  # what is filled to see how long it takes
PLACE = (640, 400)           # a pixel in it
TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")

# half a terminal that scrolls, half colours as of a photograph
WORK = r'''
import random, time
random.seed(1)
words = [line.strip() for line in open("/etc/services") if line.strip()]
for frame in range(200):
    print("\n".join("%4d %s" % (frame, random.choice(words)[:100]) for _ in range(4)), flush=True)
    time.sleep(0.02)
for frame in range(60):
    rows = ["".join("\x1b[48;2;%d;%d;%dm " % (random.randrange(256), (x * 2 + frame) % 256, (y * 5) % 256)
                    for x in range(100)) for y in range(30)]
    print("\x1b[H" + "\r\n".join(rows), end="", flush=True)
    time.sleep(0.05)
'''


class XServer:
    """Xvfb, or Xvnc with `words` of its own."""

    def __init__(self, *words):
        reading, writing = os.pipe()
        self.process = subprocess.Popen([*words, "-displayfd", str(writing), "-nolisten", "tcp", "-noreset"],
                                        pass_fds=[writing], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            self.display = ":" + pipe.readline().strip()

    def end(self):
        self.process.terminate()
        self.process.wait()


class Pixel:
    def __init__(self, display):
        self.x = ctypes.CDLL("libX11.so.6")
        for name in ("XOpenDisplay", "XGetImage"):
            getattr(self.x, name).restype = ctypes.c_void_p
        for name in ("XDefaultRootWindow", "XGetPixel"):
            getattr(self.x, name).restype = ctypes.c_ulong
        self.display = ctypes.c_void_p(self.x.XOpenDisplay(display.encode()))
        self.root = ctypes.c_ulong(self.x.XDefaultRootWindow(self.display))

    def wait(self, colour):
        wanted = int.from_bytes(bytes(colour), "big")
        end = time.perf_counter() + 30
        while True:
            image = ctypes.c_void_p(self.x.XGetImage(self.display, self.root, *PLACE, 1, 1, ctypes.c_ulong(0xFFFFFF), 2))
            value = self.x.XGetPixel(image, 0, 0) & 0xFFFFFF
            self.x.XDestroyImage(image)
            if value == wanted:
                return
            if time.perf_counter() > end:
                raise SystemExit(f"the viewer does not show {wanted:06x} within 30 s, but {value:06x}")


def make_record(build, folder, screen):
    """By baton-view itself, of a terminal on TigerVNC's server."""
    path = folder / "record"
    socket_path = folder / "xvnc"
    server = XServer("Xtigervnc", "-rfbport", "-1", "-rfbunixpath", str(socket_path), "-SecurityTypes", "None",
                     "-geometry", "%dx%d" % SIZE, "-depth", "24")
    try:
        viewer = subprocess.Popen([build / "bin/baton-view", "--gateway", socket_path, "--window", "%dx%d" % SIZE,
                                   "--record", path], env={**os.environ, "DISPLAY": screen.display})
        end = time.monotonic() + 20
        while not path.exists() or not Record(path).frames:  # its first picture
            if time.monotonic() > end:
                raise SystemExit("baton-view records nothing")
            time.sleep(0.05)
        script = folder / "work.py"
        script.write_text(WORK)
        subprocess.run(["xterm", "-geometry", "200x60+0+0", "-e", "python3", str(script)], check=True,
                       env={**os.environ, "DISPLAY": server.display})
        viewer.terminate()
        viewer.wait()
    finally:
        server.end()
    return Record(path)


def cpu_ms(pid):
    """Of the process with all its threads, user and system."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * TICK_MS


def one_run(command, environment, played, pixel, screen):
    """CPU per frame of the viewer and of its X server (ms), and the median time from a fill to its pixel (ms)."""
    player = Player(played)
    viewer = subprocess.Popen([word.replace("PORT", str(player.port)) for word in command], env=environment,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        player.welcome()
        before, x_before = cpu_ms(viewer.pid), cpu_ms(screen.process.pid)
        player.play()
        player.fill(AREA, (1, 2, 3))
        pixel.wait((1, 2, 3))
        cpu, x_cpu = cpu_ms(viewer.pid) - before, cpu_ms(screen.process.pid) - x_before
        times = []
        for turn in range(FILLS):
            colour = (200, turn, 50)
            begin = time.perf_counter()
            player.fill(AREA, colour)
            pixel.wait(colour)
            times.append((time.perf_counter() - begin) * 1000)
            time.sleep(0.03)  # a frame by itself, not one of a burst
    finally:
        viewer.terminate()
        viewer.wait()
        player.close()
    return cpu / played.frames, x_cpu / played.frames, statistics.median(times)


def main():
    build = pathlib.Path(arguments(__doc__).build).resolve()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-viewer-", dir="/dev/shm"))
    screen = XServer("Xvfb", "-screen", "0", "%dx%dx24" % SIZE)
    try:
        measure(build, folder, screen)
    finally:
        screen.end()
        shutil.rmtree(folder)


def measure(build, folder, screen):
    played = make_record(build, folder, screen)
    say(f"{played.frames} frames, {played.bytes / 1e6:.1f} MB, {played.pieces[-1][0]:.1f} s")
    pixel = Pixel(screen.display)
    environment = {**os.environ, "DISPLAY": screen.display, "HOME": str(folder)}
    ours = [str(build / "bin/baton-view"), "--gateway", "127.0.0.1:PORT", "--window", "%dx%d" % SIZE]
    peer = ["xtigervncviewer", "-SecurityTypes=None", "-RemoteResize=0", "-MenuKey=", "-AutoSelect=0", "-NoJPEG=1",
            "-PreferredEncoding=Tight", "-geometry", "%dx%d+0+0" % SIZE, "-ReconnectOnError=0", "-AlertOnFatalError=0",
            "127.0.0.1::PORT"]
    samples = interleaved(ROUNDS, lambda: one_run(ours, environment, played, pixel, screen),
                          lambda: one_run(peer, environment, played, pixel, screen))
    how = (f"{played.frames} frames ({played.bytes / 1e6:.1f} MB) of a terminal that scrolls and of random colours, recorded from "
           f"TigerVNC's server at {SIZE[0]}x{SIZE[1]} (Tight without JPEG), played at their own times to each viewer on the same Xvfb")
    for which, (name, unit, more) in enumerate((
            ("viewer_cpu_per_frame_vs_tigervnc", "ms", "; user and system time of the viewer's process"),
            ("viewer_cpu_per_frame_vs_tigervnc_x_server", "ms", "; user and system time of the X server"),
            ("viewer_cpu_per_frame_vs_tigervnc_time_to_frame", "ms",
             f"; then {FILLS} rectangles of one colour, from the send to the pixel on the display, a run's median"))):
        record(name, ours=[run[which] for run in samples[0]], peer=[run[which] for run in samples[1]],
               peer_name="TigerVNC's viewer 1.12", unit=unit, better="lower", limit=1.0 if which != 1 else None, how=how + more)


if __name__ == "__main__":
    main()
