#!/usr/bin/env python3
"""Opens real desks with the real baton-play: what is seen inside, whose it is, what stays and what goes.

    tests/integration/player/play_test.py      as root; BATON_BUILD: the build folder
"""
import fcntl
import json
import os
import pathlib
import pty
import select
import signal
import struct
import subprocess
import termios
import unittest

from playing import BATON, MAPPED, PLAY, PlayerTest, can_play, loops_of, wait_until


class Playing(PlayerTest):
    def test_a_command_its_output_its_status(self):
        desk = self.desk()
        done = self.play(desk, "/bin/sh", "-c", "id -un; pwd; cat; exit 7", stdin="typed\n")
        self.assertEqual((done.returncode, done.stdout), (7, "kim\n/home/kim\ntyped\n"), done.stderr)
        self.assertEqual(self.play(desk, "/bin/sh", "-c", "kill -TERM $$").returncode, 128 + signal.SIGTERM)
        self.assertEqual(self.play(desk, "no-such-program").returncode, 125)
        self.assertIn("no program no-such-program", self.play(desk, "no-such-program").stderr)
        # 32 and 33 are the C library's own: no program can set them, and they stay as they were inherited
        ignored = int(self.inside(desk, "grep SigIgn /proc/self/status").split()[1], 16) & ~(0b11 << 31)
        self.assertEqual(ignored, 0)
        self.assertEqual(loops_of(desk), [])
        self.check(desk)

    def test_root_inside_is_nobody_outside(self):
        desk = self.desk()
        inside, outside, count = self.inside(desk, "cat /proc/self/uid_map").split()
        self.assertEqual((inside, count), ("0", "65536"))
        self.assertGreaterEqual(int(outside), 0x70000000)
        status = self.inside(desk, MAPPED + "cat /proc/self/status")
        fields = dict(line.split(":", 1) for line in status.splitlines())
        self.assertEqual(fields["NoNewPrivs"].strip(), "1")
        self.assertEqual(fields["Seccomp"].strip(), "2")
        self.assertEqual(int(fields["CapBnd"], 16) & (1 << 21), 0, "CAP_SYS_ADMIN")
        self.assertEqual(self.inside(desk, "ulimit -Hc; cat /proc/self/limits | grep -c 'core file size *1 *1 '"
                                     ).split()[-1], "1")

    def test_what_is_written_stays_where_the_policy_says(self):
        desk = self.desk()
        self.inside(desk, MAPPED + "for p in /home/kim /root /opt /usr/local /srv /usr/bin /etc /var/lib /tmp /run; do "
                    "echo mine > $p/baton-test-file || exit 1; done; rm /usr/bin/id; echo '10.1.2.3 x' >> /etc/hosts")
        seen = self.inside(desk, "for p in /home/kim /root /opt /usr/local /srv /usr/bin /etc /var/lib /tmp /run; do "
                           "[ -e $p/baton-test-file ] && echo $p; done; [ -e /usr/bin/id ] || echo no id; "
                           "grep -c 10.1.2.3 /etc/hosts")
        self.assertEqual(seen.split("\n")[:-1], ["/home/kim", "/root", "/opt", "/usr/local", "/srv", "/usr/bin",
                                                 "/etc", "/var/lib", "no id", "1"])
        self.assertTrue(os.path.exists("/usr/bin/id"), "the PC's own")
        files = subprocess.run([BATON, "desk", "show", desk, "--files", "/fwd/usrlocal"], capture_output=True,
                               text=True, check=True).stdout
        self.assertIn("baton-test-file", files)
        self.check(desk)

    def test_nothing_of_the_pc_is_seen(self):
        desk = self.desk()
        secret = pathlib.Path("/etc") / f"baton-secret-{os.getpid()}"
        folder = pathlib.Path("/etc") / f"baton-folder-{os.getpid()}"
        self.addCleanup(lambda: (secret.unlink(), (folder / "open").unlink(), folder.rmdir()))
        secret.write_text("secret")
        secret.chmod(0o600)
        folder.mkdir()
        (folder / "open").write_text("secret")
        folder.chmod(0o700)
        listed = self.inside(desk, MAPPED + "find /etc -type f | sort").split()
        self.assertIn("/etc/debian_version", listed)
        unreadable = set()
        for where, folders, names in os.walk("/etc"):
            hidden = os.stat(where).st_mode & 0o005 != 0o005 or any(
                where == root or where.startswith(root + "/") for root in unreadable)
            for name in folders + names:
                path = os.path.join(where, name)
                if hidden or (not os.path.islink(path) and os.stat(path).st_mode & 0o004 == 0):
                    unreadable.add(path)
        self.assertIn(str(secret), unreadable)
        self.assertIn(str(folder / "open"), unreadable)
        own = {"/etc/shadow", "/etc/gshadow"}  # the desk's own of that name
        self.assertEqual(unreadable & set(listed) - own, set())
        shadow = self.inside(desk, "cat /etc/shadow")
        self.assertEqual([line for line in shadow.splitlines() if line.split(":")[1] != "*"], [])
        self.assertNotEqual(self.inside(desk, "cat /etc/machine-id"),
                            pathlib.Path("/etc/machine-id").read_text() if os.path.exists("/etc/machine-id") else "")
        top = self.inside(desk, "ls -A / /home /root /srv /opt; ls -d /boot /mnt /media 2>/dev/null || true")
        self.assertEqual(set(top.split()) & {".stage", "boot", "mnt", "media", "lost+found"}, set())
        self.assertNotIn(str(desk), self.inside(desk, "cat /proc/*/cmdline /proc/self/mountinfo | tr '\\0' ' '"))
        var = self.inside(desk, "ls /var/lib /var/log /var/cache").split()
        self.assertNotIn("journal", var)

    def test_own_processes_names_and_network(self):
        desk = self.desk()
        self.assertLess(len(self.inside(desk, "ls -d /proc/[0-9]*").split()), 6)
        self.assertEqual(self.inside(desk, "cat /proc/sys/kernel/hostname").strip(), "kim-desk")
        self.assertEqual(self.inside(desk, "cat /proc/net/dev | tail -n +3 | cut -d: -f1").split(), ["lo"])
        for kind in ("mnt", "pid", "ipc", "uts", "net", "user", "cgroup", "time"):
            self.assertNotEqual(self.inside(desk, f"readlink /proc/self/ns/{kind}").strip(),
                                os.readlink(f"/proc/self/ns/{kind}"))
        dev = set(self.inside(desk, "ls /dev").split())
        self.assertEqual(dev, {"fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin",
                               "stdout", "tty", "urandom", "zero"})
        self.assertNotIn("kernel", self.inside(desk, "ls /sys"))

    def test_signals_are_passed_on(self):
        desk = self.desk()
        play = subprocess.Popen([PLAY, "--net", "none", desk, "--", "/bin/sh", "-c",
                                 "trap 'echo got; exit 3' USR1; echo ready; while :; do sleep 0.1; done"],
                                stdout=subprocess.PIPE, text=True)
        self.addCleanup(play.kill)
        self.assertEqual(play.stdout.readline(), "ready\n")
        play.send_signal(signal.SIGUSR1)
        self.assertEqual(play.stdout.readline(), "got\n")
        self.assertEqual(play.wait(30), 3)
        play.stdout.close()

    def test_a_terminal_of_its_own(self):
        desk = self.desk()
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 111, 0, 0))
        before = termios.tcgetattr(slave)
        play = subprocess.Popen([PLAY, "--net", "none", desk, "--", "/bin/sh", "-c",
                                 "tty; stty size; read word; echo word=$word; exit 4"],
                                stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        self.addCleanup(play.kill)
        text = b""

        def expect(what):
            nonlocal text
            while what not in text:
                self.assertTrue(select.select([master], [], [], 60)[0], text)
                text += os.read(master, 4096)
        expect(b"33 111")
        self.assertIn(b"/dev/pts/0", text)
        os.write(master, b"hello\n")
        expect(b"word=hello")
        self.assertEqual(play.wait(30), 4)
        self.assertEqual(termios.tcgetattr(slave), before, "the PC's terminal is as it was")
        os.close(slave)

    def test_one_opener_at_a_time(self):
        desk = self.desk()
        play = subprocess.Popen([PLAY, "--net", "none", desk, "--", "/bin/sh", "-c", "echo ready; read word"],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(play.kill)
        self.assertEqual(play.stdout.readline(), "ready\n")
        second = self.play(desk, "true")
        self.assertEqual(second.returncode, 125)
        self.assertIn("in use", second.stderr)
        self.assertIn("since", second.stderr)
        self.assertNotEqual(subprocess.run(["qemu-io", "-r", "-f", "raw", "-c", "read 0 512", desk],
                                           capture_output=True, timeout=60).returncode, 0,
                            "QEMU takes the same locks")
        # the file is kept also when the player alone is killed: the kernel lets go of it after the last process inside
        play.kill()
        play.wait()
        wait_until(lambda: not loops_of(desk), "the kernel lets go of the image")
        again = self.play(desk, "true")
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertIn("did not end in order", again.stderr)
        play.stdin.close()
        play.stdout.close()
        self.check(desk)

    def test_a_hundred_at_once(self):
        first = self.desk("d0", size="64MiB")
        desks = [first] + [self.folder / f"d{number}.desk" for number in range(1, 100)]
        for desk in desks[1:]:
            subprocess.run(["cp", "--sparse=always", first, desk], check=True)
        plays = []
        for desk in desks:
            play = subprocess.Popen([PLAY, "--net", "none", desk, "--", "/bin/sh", "-c",
                                     "read inside outside count < /proc/self/uid_map; echo $outside; read word"],
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self.addCleanup(play.kill)
            plays.append(play)
        ids = [play.stdout.readline() for play in plays]
        self.assertEqual(len(set(ids) - {""}), 100, "a range of ids for each")
        for play in plays:
            play.communicate("end\n", timeout=120)
        self.assertEqual({play.returncode for play in plays}, {0})
        self.assertEqual([desk for desk in desks if loops_of(desk)], [])

    def test_qemu_holds_it(self):
        desk = self.desk()
        qemu = subprocess.Popen(["qemu-io", "-f", "raw", desk], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(qemu.wait)
        self.addCleanup(qemu.communicate, "quit\n")
        qemu.stdin.write("length\n")
        qemu.stdin.flush()
        self.assertTrue(qemu.stdout.read(1))
        done = self.play(desk, "true")
        self.assertEqual(done.returncode, 125)
        self.assertIn("in use by another program", done.stderr)

    def test_a_lease_of_another_machine(self):
        desk = self.desk()
        # as if another PC had it: its name in the lease, and nobody holds the file
        play = subprocess.Popen(["unshare", "--uts", "sh", "-c",
                                 "hostname otherpc; exec \"$0\" --net none \"$1\" -- sh -c 'echo ready; sleep 60'",
                                 PLAY, desk], stdout=subprocess.PIPE, text=True)
        self.assertEqual(play.stdout.readline(), "ready\n")
        play.kill()
        play.wait()
        play.stdout.close()
        wait_until(lambda: not loops_of(desk), "the kernel lets go of the image")
        done = self.play(desk, "true")
        self.assertEqual(done.returncode, 125)
        self.assertIn("is open on the PC otherpc", done.stderr)
        self.assertIn("--break-lease", done.stderr)
        done = self.play(desk, "true", options=("--net", "none", "--break-lease"))
        self.assertEqual(done.returncode, 0, done.stderr)
        shown = json.loads(subprocess.run([BATON, "desk", "show", desk, "--json"], capture_output=True, text=True,
                                          check=True).stdout)
        self.assertFalse(shown.get("lease"), shown)

    def test_refused_with_a_reason(self):
        desk = self.desk()
        with open(desk, "r+b") as file:  # the root folder's inode and the group descriptors
            file.seek((1 << 20) + 4096)
            file.write(os.urandom(16384))
        done = self.play(desk, "true")
        self.assertEqual(done.returncode, 125)
        self.assertIn("is damaged", done.stderr)
        self.assertEqual(self.play("/etc/debian_version", "true").returncode, 125)
        self.assertEqual(self.play(self.folder / "none.desk", "true").returncode, 125)

    def test_words_that_make_no_sense(self):
        for words in (["--net", "mars", "x"], ["--explain", "no/path"], [], ["--explain", "/a/../b"]):
            done = subprocess.run([PLAY, *words], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 2, words)
            self.assertTrue(done.stderr.startswith("baton-play: "), done.stderr)

    def test_explain(self):
        def explained(path):
            return subprocess.run([PLAY, "--explain", path], capture_output=True, text=True, check=True).stdout
        self.assertIn("fwd/home/kim/x", explained("/home/kim/x"))
        self.assertIn("fwd/usrlocal/bin/x", explained("/usr/local/bin/x"))
        self.assertIn("/usr/upper/bin/ls", explained("/usr/bin/ls"))
        self.assertIn("masked", explained("/etc/shadow"))
        self.assertIn("memory", explained("/tmp/x"))
        self.assertIn("not there", explained("/boot/vmlinuz"))
        self.assertIn("not there", explained("/somewhere"))
        self.assertIn("/var/over/lib-dpkg/upper/status", explained("/var/lib/dpkg/status"))
        self.assertIn("/var/tree/log/x", explained("/var/log/x"))
        self.assertIn("hardware", explained("/dev/sda"))


if __name__ == "__main__":
    unittest.main()
