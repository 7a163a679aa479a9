#!/usr/bin/env python3
"""The controller with real parts around it: baton-deskd keeps the desks, baton-hostd joins. No VM is started."""
import hashlib
import json
import pathlib
import random
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from control_site import BUILD, Site  # noqa: E402

DESKD = str(BUILD / "bin" / "baton-deskd")
HOSTD = str(BUILD / "bin" / "baton-hostd")

MORE = """
[images]
folder = "{folder}/images"
[routing]
helper_socket = "{folder}/no-helper.sock"
[desks]
server = "{desks}"
"""

DESKD_CONFIG = """
[listen]
address = "127.0.0.1"
port = 0
[tls]
certificate = "{pki}/server-cert.pem"
key = "{pki}/server-key.pem"
authority = "{pki}/ca-cert.pem"
[desks]
folder = "{folder}/desks"
low_space = "1MiB"
[exports]
runtime = "{folder}/run"
end_at_exit = true
"""


def shown(site):
    return site.baton("desk", "show", "kim", "--json").json


class RealSite(Site):
    """Real hosts and a real desk server instead of simulated ones."""

    def __init__(self):
        super().__init__()
        self.deskd = None
        self.configure("https://127.0.0.1:1")

    def configure(self, desks):
        text = self.config.read_text().split("[simulate]")[0].split("\n[images]")[0]
        self.config.write_text(text + MORE.format(folder=self.folder, desks=desks))

    def __enter__(self):
        try:
            self.begin()
        except BaseException:
            self.__exit__(AssertionError)
            raise
        return self

    def begin(self):
        self.start()  # makes the certificates that the desk server needs
        config = self.folder / "deskd.toml"
        config.write_text(DESKD_CONFIG.format(folder=self.folder, pki=self.folder / "state" / "pki" / "deskd"))
        self.deskd = subprocess.Popen([DESKD, "--config", str(config)], stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.deskd.stdout.readline()
        if not line.startswith("listening on "):
            raise AssertionError("baton-deskd does not start")
        self.terminate()
        self.configure(line.split()[2])
        self.start()

    def __exit__(self, kind, *rest):
        if self.deskd:
            self.deskd.terminate()
            self.deskd.wait(60)
            self.deskd.stdout.close()
        super().__exit__(kind, *rest)


class Desks(unittest.TestCase):
    def test_a_desk_is_made_checked_carried_out_and_in_and_removed(self):
        with RealSite() as site:
            site.baton("user", "add", "kim", "--no-password")
            desk = site.baton("desk", "create", "kim", "--size", "64MiB", "--json").json
            self.assertEqual((desk["owner"], desk["size_bytes"], desk["state"]), ("kim", 64 << 20, "ok"))
            image = site.folder / "desks" / "kim.desk"
            self.assertTrue(image.is_file())
            self.assertTrue(site.baton("desk", "check", "kim", "--json").json["sound"])
            packed = site.folder / "kim.desk.zst"
            site.baton("desk", "export", "kim", str(packed))
            self.assertGreater(packed.stat().st_size, 0)
            site.baton("desk", "export", "kim", str(packed), status=5)
            whole = site.folder / "whole.desk"
            site.baton("desk", "export", "kim", str(whole))
            self.assertEqual(whole.stat().st_size, image.stat().st_size)
            self.assertEqual(site.baton("desk", "show", str(whole), "--json").json["id"], desk["id"])
            # the same desk twice is refused: two writers of one desk would be one step away
            site.baton("desk", "import", str(packed), "twin", "--owner", "kim", status=5)
            site.baton("desk", "remove", "kim")
            self.assertFalse(image.exists())
            site.baton("desk", "import", str(packed), "kim")
            site.baton("desk", "remove", "kim")
            site.baton("desk", "import", str(whole), "kim")
            again = site.baton("desk", "show", "kim", "--json").json
            self.assertEqual(again["id"], desk["id"])
            self.assertTrue(site.baton("desk", "check", "kim", "--json").json["sound"])

    def test_a_desk_is_kept_and_is_again_what_it_was(self):
        with RealSite() as site:
            site.baton("user", "add", "kim", "--no-password")
            site.baton("desk", "create", "kim", "--size", "64MiB")
            image = site.folder / "desks" / "kim.desk"
            before = hashlib.sha256(image.read_bytes()[1 << 20:]).hexdigest()
            self.assertIn("is kept as it is now, as clean", site.baton("desk", "snapshot", "kim", "clean").out)
            self.assertEqual(site.baton("desk", "snapshot", "kim", "clean", status=5).status, 5)
            self.assertIn("snapshot  clean, ", site.baton("desk", "show", "kim").out)
            with open(image, "r+b") as changed:
                changed.seek((1 << 20) + (20 << 20))
                changed.write(b"what came since")
            self.assertNotEqual(hashlib.sha256(image.read_bytes()[1 << 20:]).hexdigest(), before)
            self.assertIn("it has: clean", site.baton("desk", "restore", "kim", "dirty", status=3).err)
            self.assertIn("kim is what it was at clean", site.baton("desk", "restore", "kim", "clean").out)
            self.assertEqual(hashlib.sha256(image.read_bytes()[1 << 20:]).hexdigest(), before)
            self.assertEqual([one["name"] for one in site.baton("desk", "show", "kim", "--json").json["snapshots"]], ["clean"])
            site.baton("desk", "snapshot", "kim", "clean", "--remove")
            self.assertEqual(site.baton("desk", "show", "kim", "--json").json["snapshots"], [])
            kinds = [json.loads(line)["kind"] for line in site.baton("events", "--json").out.splitlines()]
            self.assertEqual([kind for kind in kinds if kind.startswith("desk.")],
                             ["desk.created", "desk.snapshot", "desk.restored", "desk.snapshot_removed"])

    def test_a_desk_is_taken_away_and_comes_back(self):
        with RealSite() as site:
            site.baton("user", "add", "kim", "--password-stdin", given="correct horse\n")
            site.baton("desk", "create", "kim", "--size", "64MiB")
            home = site.folder / "desks" / "kim.desk"
            stick = site.folder / "stick"
            stick.mkdir()
            away = stick / "kim.desk"
            kim = {"BATON_CONTROLLER": None, "BATON_TOKEN_FILE": None}
            site.baton("login", "kim", "--password-stdin", "--controller", next(url for url in site.urls if "https" in url),
                       "--authority", str(site.folder / "state" / "pki" / "ca-cert.pem"), given="correct horse\n", **kim)
            done = site.baton("desk", "checkout", "kim", str(away), "--to", "stick", "--json", **kim).json
            self.assertEqual((done["state"], done["away"]["to"], done["away"]["by"]), ("checked_out", "stick", "kim"))
            self.assertEqual([path.name for path in stick.iterdir()], ["kim.desk"], "nothing else is left on the stick")
            shown = site.baton("desk", "show", "kim").out
            self.assertIn("at stick, taken by kim on ", shown)
            # again with the same file: what a lost answer needs; with another: no
            self.assertEqual(site.baton("desk", "checkout", "kim", str(away), "--json").json["away"]["to"], "stick")
            self.assertIn("stick", site.baton("desk", "checkout", "kim", str(stick / "more.desk"), status=4).err)
            with open(away, "r+b") as file:
                file.seek(-4096, 2)
                file.write(b"on the way")
            twin = stick / "twin.desk"
            twin.write_bytes(away.read_bytes())
            site.baton("desk", "checkin", "kim", "--lost", status=6, **kim)
            back = site.baton("desk", "checkin", "kim", str(away), "--json", **kim).json
            self.assertEqual((back["state"], back["away"]), ("ok", None))
            self.assertIn(b"on the way", home.read_bytes()[-4096:])
            self.assertTrue(site.baton("desk", "check", "kim", "--json").json["sound"])
            self.assertEqual(json.loads(site.baton("desk", "show", str(away), "--json").out)["checked_out"]["to"], "desk-server")
            with open(twin, "r+b") as file:
                file.seek(-4096, 2)
                file.write(b"another way")
            self.assertIn("cannot come back", site.baton("desk", "checkin", "kim", str(twin), status=5).err)
            self.assertIn(b"on the way", home.read_bytes()[-4096:])
            # a stick that is lost
            site.baton("desk", "checkout", "kim", str(stick / "lost.desk"))
            self.assertIn("used again", site.baton("desk", "checkin", "kim", "--lost").out)
            self.assertIn("cannot come back", site.baton("desk", "checkin", "kim", str(stick / "lost.desk"), status=5).err)
            kinds = [json.loads(line)["kind"] for line in site.baton("events", "--json").out.splitlines()]
            self.assertEqual([kind for kind in kinds if kind.startswith("desk.")],
                             ["desk.created", "desk.checked_out", "desk.checked_in"] + ["desk.checked_out", "desk.checked_in"])

    def test_killed_on_the_way_nothing_is_lost(self):
        """The command line or the controller killed at any moment of a check-out and a check-in."""
        with RealSite() as site:
            site.baton("user", "add", "kim", "--no-password")
            site.baton("desk", "create", "kim", "--size", "64MiB")
            home = site.folder / "desks" / "kim.desk"
            with open(home, "r+b") as file:  # content that takes a while on its way
                file.seek((1 << 20) + (40 << 20))
                file.write(random.Random(5).randbytes(12 << 20))
            away = site.folder / "kim.desk"
            chance = random.Random(11)
            reached = {"out": 0, "in": 0, "killed": 0}
            for turn in range(14):
                mark = f"turn {turn:04}".encode()
                self.cut_off(site, chance, reached, "checkout", "kim", str(away))
                # given again it goes on, whatever was reached
                if away.exists() and not shown(site)["away"]:
                    again = site.baton("desk", "checkout", "kim", str(away), status=None)
                    if again.status:  # a file that never became the desk
                        away.unlink()
                if not shown(site)["away"]:
                    site.baton("desk", "checkout", "kim", str(away))
                reached["out"] += 1
                with open(away, "r+b") as file:
                    file.seek(-4096, 2)
                    file.write(mark)
                self.cut_off(site, chance, reached, "checkin", "kim", str(away))
                if shown(site)["away"] or not json.loads(site.baton("desk", "show", str(away), "--json").out)["checked_out"]:
                    site.baton("desk", "checkin", "kim", str(away))
                reached["in"] += 1
                self.assertIn(mark, home.read_bytes()[-4096:])
                self.assertEqual(shown(site)["state"], "ok")
                away.unlink()
            self.assertTrue(site.baton("desk", "check", "kim", "--json").json["sound"])
            self.assertGreater(reached["killed"], 0)
            print(reached)

    def cut_off(self, site, chance, reached, *words):
        child = site.popen("desk", *words)
        try:
            child.wait(chance.uniform(0.02, 0.5))
        except subprocess.TimeoutExpired:
            reached["killed"] += 1
            if reached["killed"] % 3 == 0:
                site.kill()
                site.start()
            else:
                child.kill()
        child.communicate(timeout=60)
        # what the controller does for a caller that has gone goes on: until then the desk is in work
        deadline = time.monotonic() + 60
        while True:
            looked = site.baton("desk", "check", "kim", status=None)
            if looked.status == 0:
                return
            if time.monotonic() > deadline:
                raise AssertionError(looked.err)
            time.sleep(0.05)

    def test_a_damaged_desk_is_named(self):
        with RealSite() as site:
            site.baton("user", "add", "kim", "--no-password")
            site.baton("desk", "create", "kim", "--size", "256MiB")
            with open(site.folder / "desks" / "kim.desk", "r+b") as image:
                image.seek((1 << 20) + 1024)  # the superblock, of which there are copies
                image.write(b"\0" * 1024)
            site.baton("desk", "check", "kim", status=8)
            site.baton("desk", "check", "kim", "--repair")
            self.assertEqual(site.baton("desk", "show", "kim", "--json").json["state"], "ok")
            with open(site.folder / "desks" / "kim.desk", "r+b") as image:
                image.write(b"\0" * (1 << 20))
            result = site.baton("desk", "check", "kim", status=8)
            self.assertIn("kim", result.err)
            self.assertEqual(site.baton("desk", "show", "kim", "--json").json["state"], "damaged")

    def test_a_desk_server_that_is_away_is_said_and_nothing_half_made_stays(self):
        with RealSite() as site:
            site.baton("user", "add", "kim", "--no-password")
            site.deskd.terminate()
            site.deskd.wait(60)
            result = site.baton("desk", "create", "kim", status=7)
            self.assertIn("https://127.0.0.1", result.err)
            self.assertEqual(site.baton("desk", "list", "--json").json, [])


class Hosts(unittest.TestCase):
    def join(self, site, name, token, *more):
        return subprocess.run([HOSTD, "join", "--token", token, "--name", name, "--state", str(site.folder / name),
                               "--address", "127.0.0.1", "--memory", "8GiB", *more],
                              capture_output=True, text=True, timeout=60, check=False)

    def test_a_host_joins_with_its_invitation_once(self):
        with RealSite() as site:
            token = site.baton("host", "invite", "host1", "--json").json["token"]
            joined = self.join(site, "host1", token)
            self.assertEqual(joined.returncode, 0, joined.stderr)
            host = site.baton("host", "show", "host1", "--json").json
            self.assertEqual((host["state"], host["memory_mib"], host["reserve_mib"]), ("away", 8192, 1024))
            certificate = (site.folder / "host1" / "pki" / "client-cert.pem").read_text()
            der = subprocess.run(["openssl", "x509", "-outform", "DER"], input=certificate.encode(),
                                 capture_output=True, check=True).stdout
            self.assertEqual(hashlib.sha256(der).hexdigest(), host["certificate_sha256"])
            again = self.join(site, "host1", token, "--replace")
            self.assertNotEqual(again.returncode, 0)
            self.assertIn("invitation", again.stderr)
            other = site.baton("host", "invite", "host2", "--json").json["token"]
            wrong = self.join(site, "host3", other)
            self.assertNotEqual(wrong.returncode, 0)
            self.assertIn("host2", wrong.stderr)

    def test_without_an_image_or_a_host_a_session_is_told_why(self):
        with RealSite() as site:
            site.baton("user", "add", "kim", "--no-password")
            self.assertIn("baton os build", site.baton("session", "open", "kim", status=3).err)
            self.assertEqual(json.loads(site.baton("session", "list", "--json").out), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
