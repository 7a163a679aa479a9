#!/usr/bin/env python3
"""A desk over an OS image instead of the PC's system: the same everywhere, whatever the PC has, the image untouched.

    tests/integration/player/base_image_test.py      as root; BATON_BUILD: the build folder (roots are kept there)
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import unittest

from playing import BATON, BUILD, PLAY, PlayerTest, digest, loops_of, wait_until
import portable_test

IMAGES = BUILD / "player-images"


def image_of(release):
    """A published image with that Debian in it, made once."""
    root = portable_test.root_of(release)
    if not (IMAGES / f"{release}-1" / "manifest.json").exists():
        shutil.rmtree(IMAGES, ignore_errors=True)
        raw, disk = BUILD / "player-base.raw", BUILD / "player-base.qcow2"
        try:
            with open(raw, "wb") as file:
                file.truncate(1 << 30)
            subprocess.run(["mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-m", "0", "-d", root, raw], check=True)
            subprocess.run(["qemu-img", "convert", "-O", "qcow2", raw, disk], check=True)
            subprocess.run([BATON, "os", "import", disk, "--name", release, "--no-agent", "--library", IMAGES], check=True,
                           stdout=subprocess.DEVNULL)
        finally:
            raw.unlink(missing_ok=True)
            disk.unlink(missing_ok=True)
    return f"{release}-1"


def storage_daemons():
    """Those whose parent is one of our players, or nobody any more."""
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b'"mountpoint":"/tmp/base"' in stat.read_bytes():
                found.append(int(stat.parts[2]))
        except OSError:
            pass
    return found


class BaseImage(PlayerTest):
    package = portable_test.Portable.package

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pcs = [portable_test.root_of("bookworm"), portable_test.root_of("trixie")]
        cls.image = image_of("bookworm")

    def over(self, desk, script, pc=0, user="root", base=None, status=0, options=()):
        done = self.play(desk, "/bin/sh", "-c", script,
                         options=("--net", "none", "--user", user, "--base", base or self.image, "--library", str(IMAGES),
                                  "--pc-root", str(self.pcs[pc]), *options))
        self.assertEqual(done.returncode, status, done.stderr + done.stdout)
        return done.stderr if status else done.stdout

    def test_the_image_is_the_system_and_stays_as_it_is(self):
        desk, disk = self.desk(), IMAGES / self.image / "disk.qcow2"
        before = digest(disk), storage_daemons()
        said = self.over(desk, ". /etc/os-release; echo $VERSION_ID; echo mine > /usr/share/mine; rm /usr/bin/env; "
                         "ls /usr/bin/env 2>&1; grep -c : /etc/shadow; id -un; cat /proc/self/mounts | grep -c ' / '", pc=1)
        self.assertEqual(said.splitlines()[0], "12", "on a PC with 13")
        self.assertIn("No such file", said)
        self.assertEqual(self.over(desk, "cat /usr/share/mine"), "mine\n")
        self.assertEqual((digest(disk), storage_daemons()), before)
        explained = subprocess.run([PLAY, "--base", "bookworm", "--library", IMAGES, "--explain", "/usr/bin/x"],
                                   capture_output=True, text=True, check=True).stdout
        self.assertIn(f"cow/{self.image}/usr/upper/bin/x", explained)

    def test_what_is_installed_is_there_on_every_pc(self):
        desk = self.desk(size="512MiB")
        done = subprocess.run([PLAY, "--net", "none", "--base", self.image, "--library", IMAGES, "--pc-root", self.pcs[0],
                               "--user", "root", desk, "--", "/bin/sh", "-c",
                               "cat > /tmp/g.deb && apt-get install -y /tmp/g.deb && greet"],
                              input=self.package().read_bytes(), capture_output=True, timeout=180)
        self.assertEqual(done.returncode, 0, done.stdout.decode() + done.stderr.decode())
        for pc in (0, 1):
            self.assertEqual(self.over(desk, "greet; dpkg-query -W -f '${Status}' baton-greeting", pc=pc),
                             "hello from a package\ninstall ok installed")
        # over the PC itself it is another base; the person is told
        elsewhere = self.play(desk, "/bin/sh", "-c", "command -v greet", options=("--net", "none", "--pc-root",
                                                                                  str(self.pcs[1]), "--user", "root"))
        self.assertNotEqual(elsewhere.returncode, 0)
        self.assertIn("baton-greeting", elsewhere.stderr)
        found = json.loads(subprocess.run([BATON, "desk", "diff", desk, "--json"], capture_output=True, check=True).stdout)
        base = next(one for one in found["bases"] if one["base"] == self.image)
        self.assertIn("/usr/bin/greet", [one["path"] for one in base["changes"]])

    def test_the_papers_word_over_an_image(self):
        desk = self.desk()
        word = "mkdir -p /usr/share/word; printf '#!/bin/sh\\necho word\\n' > /usr/bin/word; chmod 755 /usr/bin/word; word"
        self.assertEqual(self.over(desk, word, pc=0), "word\n")
        self.assertEqual(self.over(desk, "word", pc=1), "word\n")

    def test_a_changed_image_is_refused(self):
        library = self.folder / "images"
        library.mkdir()
        shutil.copytree(IMAGES / self.image, library / self.image)
        disk = library / self.image / "disk.qcow2"
        os.chmod(disk, 0o644)
        with open(disk, "r+b") as file:
            file.seek(5_000_000)
            byte = file.read(1)
            file.seek(5_000_000)
            file.write(bytes([byte[0] ^ 1]))
        os.chmod(disk, 0o444)
        desk = self.desk()
        before = digest(desk)
        refused = self.play(desk, "true", options=("--net", "none", "--base", self.image, "--library", str(library)))
        self.assertEqual(refused.returncode, 125)
        self.assertIn("disk.qcow2", refused.stderr)
        self.assertEqual(digest(desk), before)

    def test_what_is_no_base(self):
        desk = self.desk()
        nothing = self.over(desk, "true", base="nothing", status=125)
        self.assertIn(self.image, nothing, "it says what there is")
        missing = self.play(desk, "true", options=("--base", "x", "--library", str(self.folder / "none")))
        self.assertEqual(missing.returncode, 125)
        self.assertIn("no library", missing.stderr)
        self.assertFalse((self.folder / "none").exists(), "none is made")
        empty, library = self.folder / "empty.qcow2", self.folder / "images"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", empty, "64M"], check=True)
        subprocess.run([BATON, "os", "import", empty, "--name", "empty", "--no-agent", "--library", library], check=True,
                       stdout=subprocess.DEVNULL)
        refused = self.play(desk, "true", options=("--base", "empty", "--library", str(library)))
        self.assertEqual(refused.returncode, 125)
        self.assertIn("cannot be laid over the image empty-1", refused.stderr)
        self.assertEqual(storage_daemons(), [])

    def test_killed(self):
        desk = self.desk()
        play = subprocess.Popen([PLAY, "--net", "none", "--base", self.image, "--library", IMAGES, desk, "--", "/bin/sh",
                                 "-c", "echo in; sleep 1000"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(play.stdout.close)
        self.assertEqual(play.stdout.readline(), "in\n")
        daemon, = storage_daemons()
        self.assertEqual(len(loops_of(desk)), 1)
        self.assertEqual(subprocess.run([BATON, "os", "remove", self.image, "--library", IMAGES],
                                        capture_output=True).returncode, 5, "in use")
        os.kill(play.pid, signal.SIGKILL)
        play.wait()
        wait_until(lambda: not os.path.exists(f"/proc/{daemon}"), "the storage daemon ends with the player")
        wait_until(lambda: not loops_of(desk), "the kernel lets go of the desk")
        wait_until(lambda: not loops_of("/tmp/base"), "and of the image")
        self.assertEqual(self.over(desk, "echo again"), "again\n")


if __name__ == "__main__":
    unittest.main()
