#!/usr/bin/env python3
"""A desk's own session bus and the services that its owner has: started with it, kept, ended with it, whoever else does the
same on the same port.

    tests/integration/player/services_test.py      as root; BATON_BUILD: the build folder
"""
import os
import subprocess
import unittest
import urllib.request

from playing import PLAY, PlayerTest, in_own_network, wait_until

FOLDER = "/home/kim/.config/baton/services"
LOGS = "/home/kim/.local/state/baton/services"
# ends when the named file is there; what happens elsewhere inside is waited for so
UNTIL = "i=0; until [ -e {0} ]; do sleep 0.02; i=$((i + 1)); [ $i -lt 1500 ] || exit 9; done; "


class Services(PlayerTest):
    def with_service(self, name, text, desk=None):
        desk = desk or self.desk()
        done = self.play(desk, "/bin/sh", "-c", f"mkdir -p {FOLDER}; cat > {FOLDER}/{name}.toml", stdin=text,
                         options=("--net", "none", "--no-services"))
        self.assertEqual(done.returncode, 0, done.stderr)
        return desk

    def test_one_runs_as_the_owner_while_the_desk_is_open(self):
        sleep = f"sleep 1000.{os.getpid()}"  # nobody else's on this machine
        desk = self.with_service("ticker", 'command = ["/bin/sh", "-c", "id -un > who; pwd >> who; echo $NAME >> who; echo out; '
                                           f'mv who /tmp/said; exec {sleep}"]\nfolder = "/srv"\n[environment]\nNAME = "x y"\n')
        said = self.inside(desk, UNTIL.format("/tmp/said") + f"cat /tmp/said; cat {LOGS}/ticker.log; pgrep -c sleep", user="kim")
        self.assertEqual(said.split("\n"), ["kim", "/srv", "x y", "out", "1", ""])
        self.assertEqual(subprocess.run(["pgrep", "-xf", sleep], capture_output=True).returncode, 1, "it ended")
        quiet = self.inside(desk, "pgrep -c sleep || true", user="kim", options=("--net", "none", "--no-services"))
        self.assertEqual(quiet, "0\n")

    def test_one_that_fails_is_started_again_and_then_left_alone(self):
        desk = self.with_service("broken", 'command = ["/bin/sh", "-c", "echo once; exit 3"]\n')
        self.with_service("typo", 'command = "x"\n', desk)
        self.with_service("missing", 'command = ["no-such-program"]\nrestart = "no"\n', desk)
        done = self.play(desk, "/bin/sh", "-c", "i=0; until [ \"$(grep -c once " + LOGS + "/broken.log 2>/dev/null)\" = 5 ]; do "
                         f"sleep 0.02; i=$((i+1)); [ $i -lt 1500 ] || exit 9; done; sleep 0.5; cat {LOGS}/missing.log; "
                         f"grep -c once {LOGS}/broken.log")
        self.assertEqual((done.returncode, done.stdout), (0, "cannot start no-such-program: it is not there\n5\n"), done.stderr)
        self.assertIn("typo.toml:1: command must be a list", done.stderr)
        self.assertIn("the service broken ended again and again", done.stderr)
        self.assertIn("the service missing failed", done.stderr)

    def test_the_session_bus_is_the_desks_own(self):
        desk = self.desk()
        ask = ("dbus-send --session --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.GetConnectionUnixUser "
               "string:org.freedesktop.DBus | grep -o 'uint32.*'; ")
        said = self.inside(desk, "echo $DBUS_SESSION_BUS_ADDRESS; pgrep -c dbus-daemon; " + ask + ask +
                           "pgrep -u kim -c dbus-daemon", user="kim")
        self.assertEqual(said, "unix:path=/run/user/1000/bus\n0\nuint32 1000\nuint32 1000\n1\n", "at the first call")
        killed = self.inside(desk, ask + "pkill dbus-daemon; while pgrep dbus-daemon > /tmp/x; do sleep 0.02; done; " + ask,
                             user="kim")
        self.assertEqual(killed, "uint32 1000\nuint32 1000\n", "and again")
        self.assertEqual(self.inside(desk, "echo [$DBUS_SESSION_BUS_ADDRESS]", user="root"), "[]\n", "the owner's alone")

    def test_two_desks_run_the_same_service_on_the_same_port(self):
        players = []
        for name, port in (("ann", 8081), ("bob", 8082)):
            desk = self.desk(name)
            self.inside(desk, f"mkdir -p ~/.config/baton/services site; echo desk of {name} > site/index.html; "
                        "echo 'command = [\"/usr/bin/python3\", \"-m\", \"http.server\", \"8080\"]' > "
                        "~/.config/baton/services/web.toml; "
                        f"echo 'folder = \"/home/{name}/site\"' >> ~/.config/baton/services/web.toml", user=name)
            play = subprocess.Popen([PLAY, "--net", "user", "--publish", f"127.0.0.1/{port}:8080", desk, "--", "/bin/sh", "-c",
                                     "echo open; read end"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self.addCleanup(play.wait)
            self.addCleanup(play.kill)
            self.assertEqual(play.stdout.readline(), "open\n")
            players.append((name, port, play))
        for name, port, _ in players:
            answer = []

            def answered(port=port, answer=answer):
                try:
                    answer.append(urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).read().decode())
                    return True
                except OSError:
                    return False  # it takes a moment to listen
            wait_until(answered, f"an answer on port {port}", seconds=60)
            self.assertEqual(answer, [f"desk of {name}\n"])
        for _, _, play in players:
            play.communicate("\n", timeout=60)
            self.assertEqual(play.returncode, 0)
        for _, port, _ in players:
            with self.assertRaises(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5)


if __name__ == "__main__":
    in_own_network()
    unittest.main()
