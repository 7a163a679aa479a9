#!/usr/bin/env python3
"""The command line against a real controller: what people and programs see, and every exit status."""
import contextlib
import json
import os
import pathlib
import sqlite3
import stat
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from control_site import BATON, BATOND, Site  # noqa: E402


class Sixteen(unittest.TestCase):
    """Table 3 of the paper by the command line alone."""

    # sizes in join order of the first eight rows, and the last two
    ROWS = {1: [4096], 2: [4096, 2048], 3: [2048] * 3, 4: [2048] * 3 + [1024], 5: [2048] * 2 + [1024] * 3,
            6: [2048] + [1024] * 5, 7: [1024] * 7, 8: [1024] * 7 + [512], 9: [1024] * 6 + [512] * 3,
            15: [512] * 15, 16: [512] * 16}

    def test_sixteen_people_join_and_the_seventeenth_is_told_why_not(self):
        with Site() as site:
            for n in range(1, 17):
                site.person(f"u{n}")
                session = site.baton("session", "open", f"u{n}", "--json", "--client", f"10.98.0.{n}").json
                self.assertEqual(session["phase"], "serving")
                self.assertEqual(session["user"], f"u{n}")
                self.assertEqual(session["desk"], f"u{n}")
                self.assertIn(session["desktop"]["host"], ("host1", "host2"))
                self.assertGreaterEqual(session["route"]["listen_port"], 6000)
                self.assertEqual(len(session["screen_password"]), 8)
                sessions = site.baton("session", "list", "--json").json
                self.assertEqual([one["user"] for one in sessions], [f"u{i}" for i in range(1, n + 1)])
                if n in self.ROWS:
                    self.assertEqual([one["desktop"]["memory_mib"] for one in sessions], self.ROWS[n])
            site.person("u17")
            refused = site.baton("session", "open", "u17", status=4)
            self.assertIn("16 of 16", refused.err)
            self.assertEqual(len(site.baton("session", "list", "--json").json), 16)
            hosts = site.baton("host", "list", "--json").json
            self.assertEqual([host["used_mib"] for host in hosts], [4096, 4096])
            self.leave(site)

    def leave(self, site):
        for n in range(16, 2, -1):
            site.baton("session", "close", f"u{n}")
        grown = site.baton("session", "grow", "u1", "--json").json
        self.assertGreater(grown["desktop"]["memory_mib"], 512)
        kinds = [event["kind"] for event in map(json.loads, site.baton("events", "--json").out.splitlines())]
        for kind in ("user.added", "desk.created", "session.opened", "handoff.done", "session.closed"):
            self.assertIn(kind, kinds)


class Cli(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.site = Site()
        cls.site.start()

    @classmethod
    def tearDownClass(cls):
        cls.site.__exit__(None)

    def baton(self, *words, **more):
        return self.site.baton(*words, **more)

    def test_secrets_are_private_and_never_on_the_command_line(self):
        self.assertEqual(stat.S_IMODE(os.stat(self.site.token_file).st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(self.site.folder / "state").st_mode), 0o700)
        for key in (self.site.folder / "state" / "pki").rglob("*-key.pem"):
            self.assertEqual(stat.S_IMODE(os.stat(key).st_mode) & 0o077, 0, key)
        self.baton("user", "add", "argv", "--password", "secret word", status=2)
        # no terminal, and nothing on standard input
        process = subprocess.run(["setsid", BATON, "user", "add", "argv"], stdin=subprocess.DEVNULL,
                                 capture_output=True, text=True, env=self.site.environment(), check=False)
        self.assertEqual(process.returncode, 2)
        self.assertIn("--password-stdin", process.stderr)
        log = (self.site.folder / "log").read_text()
        self.assertNotIn(pathlib.Path(self.site.token_file).read_text().strip(), log)

    def test_people_log_in_over_tls_and_see_their_own(self):
        self.baton("user", "add", "ann", "--password-stdin", given="correct horse\n")
        self.baton("user", "add", "bob", "--password-stdin", given="battery staple\n")
        self.baton("desk", "create", "ann")
        url = next(url for url in self.site.urls if url.startswith("https://"))
        authority = str(self.site.folder / "state" / "pki" / "ca-cert.pem")
        mine = {"BATON_CONTROLLER": None, "BATON_TOKEN_FILE": None}
        self.baton("login", "ann", "--password-stdin", "--controller", url, given="correct horse\n",
                   status=6, **mine)  # nobody vouches for this controller
        self.baton("login", "ann", "--password-stdin", "--controller", url, "--authority", authority,
                   given="wrong\n", status=6, **mine)
        said = self.baton("login", "ann", "--password-stdin", "--controller", url, "--authority", authority,
                          given="correct horse\n", **mine)
        self.assertIn("as ann (user)", said.out)
        kept = self.site.folder / "home" / ".config" / "baton" / "token"
        self.assertEqual(stat.S_IMODE(os.stat(kept).st_mode), 0o600)
        session = self.baton("session", "open", "--json", **mine).json
        self.assertEqual(session["user"], "ann")
        self.baton("session", "open", "bob", status=6, **mine)
        self.baton("user", "list", status=6, **mine)
        self.baton("host", "list", status=6, **mine)
        self.assertEqual([one["user"] for one in self.baton("session", "list", "--json", **mine).json], ["ann"])
        self.assertEqual([one["name"] for one in self.baton("desk", "list", "--json", **mine).json], ["ann"])
        self.baton("user", "passwd", "--password-stdin", given="correct horse\nanother horse\n", **mine)
        self.baton("session", "list", status=6, **mine)  # the old token is void
        self.baton("login", "ann", "--password-stdin", given="another horse\n", **mine)
        self.baton("logout", **mine)
        self.assertFalse(kept.exists())
        self.baton("session", "close", "ann")

    def test_the_same_person_gets_their_own_session_back(self):
        self.site.person("twice")
        first = self.baton("session", "open", "twice", "--json").json
        again = self.baton("session", "open", "twice", "--json").json
        self.assertEqual(first["id"], again["id"])
        told = self.baton("session", "open", "twice")
        self.assertIn("vncviewer", told.out)
        self.assertIn(first["screen_password"], told.out)
        self.baton("session", "close", "twice")
        self.baton("session", "close", "twice", status=3)
        closed = self.baton("session", "show", first["id"], "--json").json
        self.assertEqual(closed["phase"], "closed")

    def test_nothing_waits_with_no_wait(self):
        self.site.person("hasty")
        session = self.baton("session", "open", "hasty", "--no-wait", "--json").json
        self.assertIn(session["phase"], ("opening", "serving"))
        self.baton("session", "open", "hasty")
        self.baton("session", "close", "hasty")

    def test_bad_input_gets_a_sentence_and_a_status(self):
        def refuse(status, sentence, *words):
            result = self.baton(*words, status=status)
            self.assertIn(sentence, result.err)
            self.assertTrue(result.err.startswith("baton: ") or "--help" in result.err, result.err)

        self.site.person("desky")
        refuse(3, "no user 'nobody'", "session", "open", "nobody")
        refuse(3, "no open session", "session", "close", "nobody")
        refuse(3, "no host 'host9'", "host", "show", "host9")
        refuse(3, "no host 'host9'", "host", "drain", "host9")
        refuse(3, "no desk 'none'", "desk", "show", "none")
        refuse(3, "no OS image 'none'", "session", "open", "desky", "--image", "none")
        refuse(2, "cannot be a user name", "user", "add", "Bad Name!", "--no-password")
        refuse(2, "cannot be a host name", "host", "invite", "Host One")
        refuse(2, "not an IPv4 address", "session", "open", "desky", "--client", "10.0.0")
        refuse(5, "already", "user", "add", "desky", "--no-password")
        refuse(5, "already", "desk", "create", "desky")
        refuse(5, "is connected", "host", "invite", "host1")
        refuse(4, "only admin", "user", "disable", "admin")
        refuse(2, "--role", "user", "add", "x", "--role", "king")
        self.baton("nonsense", status=2)
        self.baton("session", status=2)
        session = self.baton("session", "open", "desky", "--json").json
        refuse(5, session["id"], "desk", "remove", "desky")
        refuse(5, session["id"], "desk", "check", "desky")
        refuse(5, "waits for an answer", "session", "answer", "desky", "now")
        self.baton("session", "close", "desky")
        self.baton("desk", "check", "desky")
        self.baton("desk", "remove", "desky")
        self.assertIn("shorter than 8", self.baton("user", "add", "shorty", "--password-stdin",
                                                   given="short\n", status=2).err)

    def test_a_controller_that_is_not_there_is_named(self):
        result = self.baton("session", "list", "--controller", "unix:/nowhere/sock", status=None)
        self.assertIn(result.status, (3, 7, 9))
        self.assertIn("/nowhere/sock", result.err)
        result = self.baton("session", "list", BATON_CONTROLLER=None, status=2)
        self.assertIn("--controller", result.err)
        result = self.baton("session", "list", "--token-file", "/nowhere/token", status=3)
        self.assertIn("/nowhere/token", result.err)

    def test_the_controller_may_be_named_before_or_behind_the_command(self):
        where = ["--controller", f"unix:{self.site.folder}/sock", "--token-file", self.site.token_file]
        mine = {"BATON_CONTROLLER": None, "BATON_TOKEN_FILE": None}
        self.baton(*where, "session", "list", **mine)
        self.baton("session", "list", *where, **mine)
        self.baton("--controller", "unix:/nowhere", "session", "list", *where, **mine)

    def test_hosts_are_invited_with_a_token_that_says_where(self):
        invitation = self.baton("host", "invite", "host7", "--json").json
        self.assertEqual(invitation["host"], "host7")
        self.assertGreater(len(invitation["token"]), 80)
        listed = {host["id"]: host for host in self.baton("host", "list", "--json").json}
        self.assertEqual(listed["host7"]["state"], "invited")
        self.assertEqual(listed["host1"]["state"], "up")
        self.assertFalse(listed["host1"]["acceleration"]["kvm"])
        self.assertIn("simulated", self.baton("host", "show", "host1").out)
        self.baton("host", "remove", "host7")
        self.baton("host", "show", "host7", status=3)

    def test_a_host_is_drained_and_comes_back(self):
        self.site.person("mover")
        host = self.baton("session", "open", "mover", "--json").json["desktop"]["host"]
        drained = self.baton("host", "drain", host, "--json").json
        self.assertEqual(drained["desktops"], 0)
        after = self.baton("session", "show", "mover", "--json").json
        self.assertNotEqual(after["desktop"]["host"], host)
        self.baton("host", "undrain", host)
        self.assertEqual(self.baton("host", "show", host, "--json").json["state"], "up")
        self.baton("session", "close", "mover")

    def test_listings_are_aligned_and_events_follow(self):
        self.site.person("table")
        follow = self.site.popen("events", "--follow", "--json")
        self.baton("session", "open", "table")
        for line in follow.stdout:
            event = json.loads(line)
            if event["kind"] == "session.opened" and "table" in event["text"]:
                break
        follow.kill()
        follow.wait()
        follow.stdout.close()
        follow.stderr.close()
        lines = self.baton("session", "list").out.splitlines()
        self.assertTrue(lines[0].startswith("USER"))
        at = lines[0].index("PHASE")
        self.assertTrue(all(line[at - 1] == " " and line[at] != " " for line in lines))
        self.assertIn("GiB", "\n".join(lines))
        self.assertIn("free", self.baton("status").out)
        self.assertIn("table", self.baton("session", "watch", "--times", "1").out)
        self.baton("session", "close", "table")

    def test_completion_offers_what_there_is(self):
        def offers(line):
            words = line.split(" ")
            script = ('source packaging/completion/baton.bash; COMP_WORDS=("$@"); '
                      'COMP_CWORD=$(($# - 1)); _baton 2>/dev/null; printf "%s\\n" "${COMPREPLY[@]}"')
            env = self.site.environment()
            env["PATH"] = f"{pathlib.Path(BATON).resolve().parent}:{env['PATH']}"
            done = subprocess.run(["bash", "-c", script, "bash", *words], capture_output=True, text=True,
                                  env=env, check=True)
            return done.stdout.split()

        self.site.person("tabby")
        self.baton("session", "open", "tabby")
        self.assertIn("session", offers("baton "))
        self.assertNotIn("complete", offers("baton "))
        self.assertEqual(offers("baton se"), ["session"])
        self.assertEqual(offers("baton session sh"), ["share", "show"])
        self.assertIn("--client", offers("baton session open --"))
        self.assertIn("tabby", offers("baton session close "))
        self.assertIn("host1", offers("baton host show h"))
        self.assertEqual(offers("baton session open --image "), [])
        self.baton("session", "close", "tabby")

    def test_every_command_helps_with_an_example(self):
        commands = [line.split()[0] for line in self.baton("--help").out.split("Subcommands:")[1].splitlines()
                    if line.startswith("  ")]
        for command in commands:
            if command in ("os", "plan"):
                continue
            text = self.baton(command, "--help").out
            for sub in [line.split()[0] for line in text.partition("Subcommands:")[2].splitlines()
                        if line.startswith("  ") and line[2] != " "]:
                self.assertIn("Example: ", self.baton(command, sub, "--help").out, f"{command} {sub}")


class Daemon(unittest.TestCase):
    def test_it_ends_cleanly_and_goes_on_where_it_was(self):
        with Site() as site:
            site.person("kim")
            before = site.baton("session", "open", "kim", "--json").json
            token = pathlib.Path(site.token_file).read_text()
            self.assertEqual(site.terminate(), 0)
            site.start()
            self.assertEqual(pathlib.Path(site.token_file).read_text(), token)
            after = site.baton("session", "show", "kim", "--json").json
            self.assertEqual((after["id"], after["phase"], after["desktop"]["id"]),
                             (before["id"], "serving", before["desktop"]["id"]))

    def test_a_lost_token_file_is_made_anew(self):
        with Site() as site:
            lost = pathlib.Path(site.token_file).read_text()
            os.remove(site.token_file)
            site.terminate()
            site.start()
            self.assertNotEqual(pathlib.Path(site.token_file).read_text(), lost)
            site.baton("user", "list")
            old = site.folder / "old"
            old.write_text(lost)
            site.baton("user", "list", status=6, BATON_TOKEN_FILE=str(old))

    def test_history_that_is_not_kept_is_removed_and_its_absence_said(self):
        with Site(more="[retention]\nmost_events = 1000") as site:
            site.terminate()
            with contextlib.closing(sqlite3.connect(site.folder / "state" / "state.db")) as database, database:
                database.executemany("INSERT INTO events (at, kind, subject, text, data_json) "
                                     "VALUES (0, 'x', '', '', '{}')", [()] * 1500)
            site.start()
            with site.popen("events", "--follow", "--json") as follow:
                told = next(event for event in map(json.loads, follow.stdout) if event["kind"] == "history.pruned")
                follow.kill()
            gone = told["data"]["events"]
            self.assertGreaterEqual(gone, 500)
            missed = site.baton("events", "--after", "1", "--json")
            self.assertIn(f"baton: {gone - 1} events after number 1 are not kept any more", missed.err)
            self.assertEqual(json.loads(missed.out.splitlines()[0])["seq"], gone + 1)
            self.assertNotIn("not kept", site.baton("events", "--after", str(gone)).err)

    def run_batond(self, *words):
        return subprocess.run([BATOND, *words], capture_output=True, text=True, timeout=60, check=False)

    def test_what_is_wrong_is_said_in_one_line(self):
        with Site() as site:
            second = self.run_batond("--config", str(site.config))
            self.assertEqual(second.returncode, 1)
            self.assertIn("another batond runs on", second.stderr)
            port = next(url for url in site.urls if url.startswith("https")).rsplit(":", 1)[1]
            other = site.folder / "other.toml"
            other.write_text(site.config.read_text().replace("port = 0", f"port = {port}")
                             .replace("/state", "/other").replace("/sock", "/other-sock"))
            taken = self.run_batond("--config", str(other))
            self.assertEqual(taken.returncode, 1)
            self.assertIn(port, taken.stderr)
            self.assertIn("in use", taken.stderr)
            broken = site.folder / "broken.toml"
            broken.write_text("[listen]\nprot = 1\n")
            wrong = self.run_batond("--config", str(broken))
            self.assertEqual(wrong.returncode, 2)
            self.assertIn("broken.toml:2: listen.prot", wrong.stderr)
            self.assertEqual(self.run_batond("--config", str(site.config), "--check").returncode, 0)
            self.assertEqual(self.run_batond("--config", "/nowhere.toml").returncode, 1)
            self.assertEqual(self.run_batond("--nonsense").returncode, 2)
            policy = site.folder / "policy.toml"
            policy.write_text(site.config.read_text() + '[allocation]\npolicy = "greedy"\n')
            self.assertIn("greedy", self.run_batond("--config", str(policy)).stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
