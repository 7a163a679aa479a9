"""Looking at a desktop through the route, as a viewer would: whose desk does the picture show, since when?"""
import dataclasses
import json
import subprocess
import threading
import time

from . import network
from .process import StartFailed


@dataclasses.dataclass
class Access:
    """Where a person's viewer connects, and with what: a screen's password (nat), or their own at a gateway."""
    address: str
    port: int
    password: str
    user: str = ""
    authority: str = ""

    def words(self):
        """As baton-screen wants it told."""
        login = ["--user", self.user, "--ca", self.authority] if self.user else []
        return [f"{self.address}:{self.port}", "--password", self.password, *login]


class Watcher:
    """Follows one person's screen with baton-screen, which reconnects by itself and reads the status strip."""

    def __init__(self, program, namespace, access):
        command = [str(program), "follow", *access.words()]
        self.popen = subprocess.Popen(network.inside(namespace, command), stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.changed = threading.Condition()
        self.frames = []  # {"t_ns", "fence", "memory_mib"}: the first complete frame of each strip
        self.drops = 0  # connections that ended under the viewer
        self.sizes = []  # (width, height): what the screen changed to while the connection stayed
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.popen.stdout:
            word = json.loads(line)
            with self.changed:
                if word["event"] == "frame":
                    self.frames.append(word)
                elif word["event"] == "dropped":
                    self.drops += 1
                elif word["event"] == "resized":
                    self.sizes.append((word["width"], word["height"]))
                self.changed.notify_all()
        with self.changed:
            self.changed.notify_all()

    def wait(self, wanted, seconds, what):
        end = time.monotonic() + seconds
        with self.changed:
            while True:
                for frame in self.frames:
                    if wanted(frame):
                        return frame["t_ns"] / 1e9
                left = end - time.monotonic()
                if left <= 0:
                    raise StartFailed(f"the screen did not show {what} within {seconds:g} s; it showed {self.frames[-3:]}")
                self.changed.wait(left)

    def wait_for_desk(self, seconds):
        """Monotonic seconds of the first complete frame that shows a mounted desk."""
        return self.wait(lambda frame: frame["fence"] > 0, seconds, "a mounted desk")

    def wait_for_fence(self, fence, seconds):
        return self.wait(lambda frame: frame["fence"] == fence & 0xFFFF, seconds, f"the desk under number {fence}")

    def stop(self):
        self.popen.kill()
        self.popen.wait()
        self.reader.join()
        self.popen.stdout.close()
