#!/usr/bin/env python3
"""A desk's own network: out by passt, published ports of two desks that run one service on one port. In a network
namespace made here, so that nothing of it leaves this test.

    tests/integration/player/network_test.py      as root; BATON_BUILD: the build folder
"""
import subprocess
import time
import unittest
import urllib.request

from playing import PLAY, PlayerTest, in_own_network, loops_of, wait_until


class Network(PlayerTest):
    def serve(self, name, port):
        desk = self.desk(name)
        play = subprocess.Popen([PLAY, "--net", "user", "--user", "root", "--publish", f"127.0.0.1/{port}:80", desk, "--",
                                 "/bin/sh", "-c", f"cd /tmp; echo desk of {name} > index.html; echo ready; "
                                 "exec /usr/bin/python3 -m http.server 80"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (play.terminate(), play.communicate(timeout=60)))
        self.assertEqual(play.stdout.readline(), "ready\n", play.poll())
        return desk

    def ask(self, port):
        answer = []

        def answered():
            try:
                answer.append(urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).read().decode())
                return True
            except OSError:
                return False  # python takes a moment to listen
        wait_until(answered, f"an answer on port {port}")
        return answer[0]

    def test_two_desks_one_service_one_port(self):
        self.serve("ann", 8081)
        self.serve("bob", 8082)
        self.assertEqual(self.ask(8081), "desk of ann\n")
        self.assertEqual(self.ask(8082), "desk of bob\n")

    def test_a_way_out_but_not_to_the_pcs_loopback(self):
        server = subprocess.Popen(["/usr/bin/python3", "-m", "http.server", "8090", "--bind", "127.0.0.1"],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.folder)
        self.addCleanup(lambda: (server.kill(), server.wait()))
        self.ask(8090)
        desk = self.desk()
        said = self.inside(desk, "cut -d: -f1 /proc/net/dev | tail -n +3; cat /proc/net/route; "
                           "/usr/bin/python3 -c 'import socket; s = socket.socket(); s.settimeout(3); "
                           "print(s.connect_ex((\"127.0.0.1\", 8090)) != 0, s.connect_ex((\"10.77.0.2\", 8090)) != 0)'",
                           options=("--net", "user"))
        self.assertIn("veth0", said)
        self.assertIn("True True", said)

    def test_without_a_route_a_note_and_no_network(self):
        subprocess.run(["ip", "route", "del", "default"], check=True)
        self.addCleanup(subprocess.run, ["ip", "route", "add", "default", "via", "10.77.0.2"], check=True)
        desk = self.desk()
        done = self.play(desk, "true", options=("--net", "user"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("no way to the network", done.stderr)

    def test_abstract_sockets_are_the_desks(self):
        desk = self.desk()
        script = ("import socket; s = socket.socket(socket.AF_UNIX); s.bind(chr(0) + 'baton-test'); s.listen(); "
                  "print(open('/proc/net/unix').read().count('@baton-test'))")
        self.assertEqual(self.inside(desk, f'/usr/bin/python3 -c "{script}"', options=("--net", "user")).strip(), "1")
        with open("/proc/net/unix") as sockets:
            self.assertNotIn("@baton-test", sockets.read())


if __name__ == "__main__":
    in_own_network()
    unittest.main()
