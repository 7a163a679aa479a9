"""What the tests on a whole site share: people at work, a listener outside, and TigerVNC's viewer on an X server of its own."""
import itertools
import json
import pathlib
import re
import subprocess
import time

from batonlab import network
from batonlab.process import wait_for

displays = itertools.count(90)


def reaches(namespace, address, port, seconds=1):
    command = ["timeout", str(seconds), "bash", "-c", f"exec 3<>/dev/tcp/{address}/{port}"]
    return subprocess.run(network.inside(namespace, command), capture_output=True).returncode == 0


class Person:
    """Somebody at work, with a line written to their desk."""

    def __init__(self, site, name):
        self.site = site
        self.name = name
        self.session = site.open(name)
        self.watcher = site.watch(name, self.session)
        self.watcher.wait_for_desk(90)
        self.lines = []

    def write(self):
        # typed is not done: the shell tells somebody outside when the line is on the desk
        line = f"{self.name}-{len(self.lines) + 1}"
        said = Outside(self.site).ask(self.name, f"echo {line} >> diary && sync && echo kept")
        if said != "kept":
            raise AssertionError(f"{self.name} could not write: {said}")
        self.lines.append(line)

    def row(self):
        return next(row for row in self.site.sessions() if row["user"] == self.name)

    def fence(self):
        """The number of the desk's mount that is on the screen."""
        return max(frame["fence"] for frame in self.watcher.frames)


class Outside:
    """A listener outside the site that a desktop sends a command's output to: proof that it gets out, and an answer."""

    PORT = 8080
    heard = pathlib.Path("/tmp/outside")

    def __init__(self, site):
        self.site = site
        if not reaches("outside", network.OUTSIDE, self.PORT):
            listener = site.processes.start(
                "outside", ["socat", "-u", f"TCP-LISTEN:{self.PORT},fork,reuseaddr", f"OPEN:{self.heard},creat,append"],
                "outside")
            wait_for("the outside", lambda: reaches("outside", network.OUTSIDE, self.PORT), 10, [listener])

    def ask(self, name, command, type_line=None):
        """What `command` says on the person's desktop, typed by `type_line` or else through a viewer of its own."""
        mark = f"end-{time.monotonic_ns()}"
        start = self.heard.stat().st_size if self.heard.exists() else 0
        line = (f"({command}; echo {mark}) > /tmp/said; until nc -w 3 {network.OUTSIDE} {self.PORT} < /tmp/said; "
                "do sleep 1; done")
        if type_line:
            type_line(line)
        else:
            self.site.type_line(name, line)

        def answer():
            text = self.heard.read_bytes()[start:].decode(errors="replace") if self.heard.exists() else ""
            return text.split(mark)[0].strip() or "nothing" if mark in text else None
        return wait_for(f"what '{command}' says", answer, 60)


class Viewer:
    """TigerVNC's viewer in the client's network, alone on an X server of its own."""

    def __init__(self, site, name, pictures, options, env=None):
        self.site = site
        self.name = name
        self.pictures = pictures
        self.display = f":{next(displays)}"
        self.server = site.processes.start(
            f"xvfb-{name}", ["Xvfb", self.display, "-screen", "0", "1400x900x24", "-nolisten", "tcp"], "client1")
        wait_for("Xvfb", lambda: pathlib.Path(f"/tmp/.X11-unix/X{self.display[1:]}").exists(), 20, [self.server])
        self.process = site.processes.start(
            # a full screen has the keyboard, also where no window manager would give it to a window
            f"viewer-{name}", ["xtigervncviewer", "-FullScreen=1", "-RemoteResize=0", "-MenuKey=", *options], "client1",
            env={"DISPLAY": self.display, "HOME": "/tmp", **(env or {})})

    def picture(self, name):
        """A screenshot of the X server, as pictures/NAME.png; None: none could be taken yet."""
        path = self.pictures / f"{name}.png"
        shot = subprocess.run(network.inside("client1", ["import", "-display", self.display, "-window", "root", str(path)]),
                              capture_output=True)
        return path if shot.returncode == 0 else None

    def strip(self, name):
        """What the status strip says on a new picture: it may stand anywhere, windows have frames."""
        path = self.picture(name)
        if not path:
            return None
        done = subprocess.run([str(self.site.bin / "baton-screen"), "strip", "-"], capture_output=True,
                              input=subprocess.run(["convert", str(path), "ppm:-"], capture_output=True).stdout)
        words = re.search(rb'"fence":(\d+),"memory_mib":(\d+)', done.stdout)
        if not words or int(words.group(1)) == 0:
            return None
        return {"fence": int(words.group(1)), "memory_mib": int(words.group(2))}

    def wait_for_strip(self, name, wanted=lambda strip: True, what="the desk", seconds=60):
        def shown():
            strip = self.strip(name)
            return strip if strip and wanted(strip) else None
        return wait_for(f"the viewer to show {what}", shown, seconds, [self.process])

    def xdotool(self, *words):
        network.run(*network.inside("client1", ["xdotool", *words]), env={"DISPLAY": self.display, "PATH": "/usr/bin:/bin"})

    def type_line(self, line):
        """On this viewer's own keyboard. Slowly: a guest under emulation drops what overruns its keyboard's queue."""
        self.xdotool("type", "--delay", "60", line)
        self.picture(f"{self.name}-typed")
        self.xdotool("key", "Return")

    def sockets(self):
        """(local port, remote address and port) of each of its TCP connections that are open."""
        said = network.run(*network.inside("client1", ["ss", "-tnpH", "state", "established"]))
        return [(int(words[2].rsplit(":", 1)[1]), words[3]) for words in map(str.split, said.splitlines())
                if f"pid={self.process.pid}," in words[-1]]

    def stop(self):
        self.process.stop()
        self.server.stop()


def isolated_ports(host):
    """Whether each desktop's port on the host's bridge is shut off from its neighbours."""
    links = json.loads(network.run(*network.inside(host, ["bridge", "-d", "-j", "link"])))
    return [port["isolated"] for port in links if port["ifname"].startswith("vnet")]


def agents(host):
    """Process ids of the host's agent itself, without the loop that brings it back."""
    found = subprocess.run(["pgrep", "-f", f"baton-hostd run --config /mnt/site/{host}.toml"], text=True,
                           capture_output=True).stdout.split()
    return [int(pid) for pid in found
            if b"baton-hostd" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]]
