"""What the player's tests share: desks, runs of baton-play, and the state of the machine around them."""
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

BUILD = pathlib.Path(os.environ.get("BATON_BUILD", "build")).resolve()
BATON = BUILD / "bin" / "baton"
PLAY = BUILD / "bin" / "baton-play"

# what a hostile test asks before anything else: that root inside is not root outside. Without it, it goes no further
MAPPED = ("read inside outside count < /proc/self/uid_map; "
          "[ $inside = 0 ] && [ $outside -ge 65536 ] && [ $count = 65536 ] || { echo 'NO ID MAP' >&2; exit 97; }; ")


def can_play():
    """Why desks cannot be opened here, or ''. A chroot cannot make user namespaces."""
    if os.geteuid() != 0:
        return "only root opens desks with the kernel"
    if subprocess.run(["unshare", "--user", "true"], capture_output=True).returncode != 0:
        return "this kernel (or a chroot) makes no user namespaces here"
    if not os.path.exists("/dev/loop-control"):
        return "there are no loop devices here"
    return ""


def can_show():
    """The same of a desk that a storage daemon shows as a file."""
    if can_play():
        return can_play()
    if shutil.which("qemu-storage-daemon") is None:
        return "no qemu-storage-daemon"
    if not os.path.exists("/dev/fuse"):
        return "no FUSE"
    return ""


class PlayerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        reason = can_play()
        if reason:
            print(f"\nNOT TESTED: the player needs more than this machine gives: {reason}\n", file=sys.stderr)
            raise unittest.SkipTest(reason)

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="baton-player-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def desk(self, name="kim", size="256MiB"):
        path = self.folder / f"{name}.desk"
        subprocess.run([BATON, "desk", "create", path, "--owner", name, "--size", size], check=True,
                       capture_output=True, timeout=60)
        return path

    def play(self, desk, *command, options=("--net", "none"), timeout=120, stdin="", program=PLAY):
        return subprocess.run([program, *options, desk, "--", *command], input=stdin, capture_output=True, text=True,
                              timeout=timeout)

    def inside(self, desk, script, user="root", **more):
        """The output of a shell script inside, which must end with 0."""
        options = more.pop("options", ("--net", "none"))
        done = self.play(desk, "/bin/sh", "-c", script, options=("--user", user, *options), **more)
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        return done.stdout

    def check(self, desk):
        done = subprocess.run([BATON, "desk", "check", desk], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout


def wait_until(true, what, seconds=30):
    """For what the kernel does on its own after a process was killed, and tells nobody about."""
    import time
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def loops_of(desk):
    """The loop devices whose file this is."""
    found = []
    for backing in pathlib.Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            if backing.read_text().strip().removesuffix(" (deleted)") == str(desk):
                found.append(backing.parts[3])
        except OSError:
            pass  # it went away meanwhile
    return found


def digest(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def in_own_network():
    """The program begins again in a network namespace of its own that has a way out of it which leads nowhere."""
    if os.environ.get("BATON_OWN_NETWORK") != "1":
        os.environ["BATON_OWN_NETWORK"] = "1"
        os.execvp("unshare", ["unshare", "-n", sys.executable, *sys.argv])
    for words in (["link", "set", "lo", "up"], ["link", "add", "veth0", "type", "veth", "peer", "name", "veth1"],
                  ["link", "set", "veth0", "up"], ["link", "set", "veth1", "up"],
                  ["addr", "add", "10.77.0.1/24", "dev", "veth0"], ["route", "add", "default", "via", "10.77.0.2"]):
        subprocess.run(["ip", *words], check=True)
