#!/usr/bin/env python3
"""The proof that a desk leaves no trace: the PC's files, mounts, loop devices, processes, IPC, sockets, users, clock and
sysctls before and after a session whose root tries to change all of them; and after kill -9 of the player, of everything
inside, and after the image's disk is full.

    tests/integration/player/host_unchanged_test.py      as root; BATON_BUILD: the build folder
"""
import ctypes
import hashlib
import os
import pathlib
import signal
import stat
import subprocess
import time
import unittest

from playing import MAPPED, PLAY, PlayerTest, digest, loops_of, wait_until

MARK = "baton-evil"
CLONE_NEWIPC = 0x08000000
TREES = ["/bin", "/boot", "/etc", "/home", "/lib", "/opt", "/sbin", "/srv", "/usr"]
HASHED = ["/etc", "/usr/bin", "/usr/sbin"]
# where other programs of a machine at work write all the time: nothing of ours may be there
BUSY = ["/dev", "/root", "/run", "/tmp", "/var"]
# sysctls that change by themselves
LIVELY = ("kernel/random/", "kernel/ns_last_pid", "kernel/pty/nr", "fs/dentry-state", "fs/file-nr", "fs/inode-", "fs/aio-nr",
          "fs/quota", "fs/mqueue", "net/netfilter/nf_conntrack_count", "kernel/perf_event_max_sample_rate",
          "kernel/perf_cpu_time_max_percent", "net/ipv4/tcp_mem", "kernel/sched_domain", "net/ipv4/neigh/",
          "net/ipv6/neigh/", "net/ipv4/conf/", "net/ipv6/conf/", "net/ipv6/route/", "net/ipv4/route/")

DIRTY = MAPPED + r"""
exec 2>/dev/null
for d in / /etc /usr /usr/bin /usr/lib /usr/local/bin /home /root /opt /srv /boot /mnt /media /var /var/lib /var/tmp /tmp \
         /run /dev /dev/shm /sys /proc /proc/1/root /proc/1/cwd; do echo evil > $d/MARK; mkdir $d/MARK.d; done
echo '1.2.3.4 evil' >> /etc/hosts
echo 'evil:x:0:0::/:/bin/sh' >> /etc/passwd; useradd MARK
cp /usr/bin/true /usr/bin/false; chmod 0 /usr/bin/perl; chown 1:1 /etc/passwd; touch -d 2001-01-01 /usr/bin/ls
rm -rf /usr/share/doc /usr/bin/xz /etc/apt /var/lib/dpkg/info; mv /usr/share/man /usr/share/MARK
cp /usr/bin/id /usr/local/bin/id; chmod 6755 /usr/local/bin/id; chown root:root /usr/local/bin/id
hostname MARK; echo MARK > /proc/sys/kernel/hostname; ipcmk -M 4096 -Q -S 2; 
date -s 2001-01-01; hwclock --set --date 2001-01-01; date -s "+1 hour"
for s in kernel/core_pattern kernel/modprobe kernel/domainname kernel/msgmax kernel/panic vm/overcommit_memory vm/swappiness \
         fs/suid_dumpable net/ipv4/ip_forward kernel/sysrq; do echo 1 > /proc/sys/$s; done
echo h > /proc/sysrq-trigger; echo c > /proc/sysrq-trigger.MARK
for d in vda sda loop0 loop-control kmsg mem; do mknod /tmp/$d b 254 0; head -c 1 /tmp/$d; mknod /tmp/c$d c 10 237; : > /tmp/c$d; done
losetup -f /usr/bin/ls; mount -t tmpfs MARK /mnt; mount -t tmpfs MARK /tmp; mount --bind /usr /home; umount -l /etc /usr /proc
mount -o remount,rw /sys; unshare -Urm sh -c 'mount -t tmpfs x /tmp; umount /etc; mount -t proc x /proc; echo evil > /etc/MARK'
ip link add MARK type veth; ip link set lo down; ip addr add 10.9.9.9/24 dev lo; iptables -A INPUT -j DROP; nft flush ruleset
insmod /lib/modules/x.ko; modprobe dummy; swapon /usr/bin/ls; swapoff -a; reboot -f; dmesg -C
python3 - <<'P'
import os, socket
s = socket.socket(socket.AF_UNIX); s.bind('\0MARK'); s.listen()
t = socket.socket(); t.bind(('127.0.0.1', 0)); t.listen()
for path in ('/proc/1/environ', '/proc/1/mem', '/proc/kcore', '/dev/mem'):
    try: print('READABLE', path, len(open(path, 'rb').read(1)))
    except OSError: pass
for pid in os.listdir('/proc'):
    try: os.kill(int(pid), 0) if pid.isdigit() and int(pid) > 100000 else None
    except OSError: pass
P
(ulimit -c unlimited; sh -c 'kill -SEGV $$')
(setsid sleep 1000 &) ; (setsid sh -c 'trap "" TERM HUP; sleep 1000; sleep 1000' &)
sync; kill -9 1; kill -TERM 1
echo finished
""".replace("MARK", MARK)


def look(path):
    info = os.lstat(path)
    link = os.readlink(path) if stat.S_ISLNK(info.st_mode) else ""
    return (info.st_mode, info.st_uid, info.st_gid, info.st_size, info.st_mtime_ns, info.st_ino, link)


def files():
    seen = {}
    for tree in TREES:
        if os.path.islink(tree) or not os.path.exists(tree):
            continue
        for where, folders, names in os.walk(tree):
            for path in [where] + [os.path.join(where, name) for name in names]:
                try:
                    seen[path] = look(path)
                except FileNotFoundError:
                    seen[path] = None
    for tree in HASHED:
        for where, _, names in os.walk(tree):
            for name in names:
                path = os.path.join(where, name)
                if os.path.isfile(path) and not os.path.islink(path):
                    seen[path] += (digest(path),)
    seen["/"] = look("/")[:4]
    return seen


def sysctls():
    values = {}
    for where, _, names in os.walk("/proc/sys"):
        for name in names:
            path = os.path.join(where, name)
            if any(path.removeprefix("/proc/sys/").startswith(lively) for lively in LIVELY):
                continue
            try:
                values[path] = pathlib.Path(path).read_bytes()
            except OSError:
                values[path] = None
    return values


def marked():
    """Whatever of ours is in the places where a machine at work writes."""
    found = []
    for tree in BUSY:
        for where, folders, names in os.walk(tree):
            if where.startswith("/tmp/baton-player-") or (tree == "/dev" and where.startswith("/dev/fd")):
                continue
            found += [os.path.join(where, name) for name in folders + names if MARK in name]
    return found


def processes(desk):
    """Everybody whose user is one of an open desk's, or whose words name this test's folder."""
    folder_words = str(desk.parent).encode()
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            uid = int(next(line for line in (folder / "status").read_text().splitlines()
                           if line.startswith("Uid:")).split()[1])
            words = (folder / "cmdline").read_bytes()
        except (OSError, StopIteration):
            continue
        if 0x70000000 <= uid < 0x7FFE0000 or folder_words in words:
            found.append((folder.name, uid, words))
    return found


def state(desk):
    offset = time.clock_gettime(time.CLOCK_REALTIME) - time.clock_gettime(time.CLOCK_BOOTTIME)
    return {
        "files": files(),
        "sysctls": sysctls(),
        "mounts": sorted(pathlib.Path("/proc/self/mountinfo").read_text().splitlines()),
        "loops": loops_of(desk),
        "processes": processes(desk),
        "ipc": [pathlib.Path(f"/proc/sysvipc/{kind}").read_text() for kind in ("msg", "sem", "shm")],
        "sockets": [line for line in pathlib.Path("/proc/net/unix").read_text().splitlines() if MARK in line],
        "marked": marked(),
        "hostname": os.uname().nodename,
        "domain": pathlib.Path("/proc/sys/kernel/domainname").read_text(),
        "links": [name for name in os.listdir("/sys/class/net") if MARK in name],
        "users": hashlib.sha256(pathlib.Path("/etc/passwd").read_bytes()).hexdigest(),
        "clock": round(offset),
    }


def setUpModule():
    """What other programs of the machine share meanwhile is not the player's doing: its PC has IPC of its own."""
    if os.geteuid() == 0 and ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWIPC) != 0:
        raise OSError(ctypes.get_errno(), "no IPC namespace for the test")


class HostUnchanged(PlayerTest):
    def compare(self, before, after):
        for what in before:
            if isinstance(before[what], dict):
                changed = {key for key in before[what].keys() | after[what].keys()
                           if before[what].get(key) != after[what].get(key)}
                self.assertEqual(sorted(changed)[:20], [], what)
            else:
                self.assertEqual(before[what], after[what], what)

    def let_go(self, desk):
        wait_until(lambda: not loops_of(desk) and not processes(desk),
                   f"all is let go: {loops_of(desk)}, {processes(desk)}")

    def test_a_session_that_tries_hard(self):
        desk = self.desk(size="512MiB")
        before = state(desk)
        done = self.play(desk, "/bin/sh", "-c", DIRTY, options=("--net", "none", "--user", "root"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(done.stdout.endswith("finished\n"), done.stdout)
        self.assertNotIn("READABLE", done.stdout)
        self.compare(before, state(desk))
        self.check(desk)
        # and it was no empty gesture
        self.assertEqual(self.inside(desk, f"ls -d /etc/{MARK} /opt/{MARK} /usr/bin/{MARK} | wc -l").strip(), "3")

    def test_the_player_alone_is_killed(self):
        desk = self.desk(size="512MiB")
        before = state(desk)
        play = subprocess.Popen([PLAY, "--net", "none", "--user", "root", desk, "--", "/bin/sh", "-c", MAPPED +
                                 "trap '' TERM HUP INT; echo ready; i=0; while :; do i=$((i+1)); "
                                 f"echo x > /etc/{MARK}.$i; (setsid sleep 100 &) ; done"],
                                stdout=subprocess.PIPE, text=True)
        self.addCleanup(play.kill)
        self.assertEqual(play.stdout.readline(), "ready\n")
        play.kill()
        play.wait()
        play.stdout.close()
        self.let_go(desk)
        self.compare(before, state(desk))
        done = self.play(desk, "true")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("did not end in order", done.stderr)
        self.check(desk)

    def test_everything_inside_is_killed(self):
        desk = self.desk(size="512MiB")
        before = state(desk)
        play = subprocess.Popen([PLAY, "--net", "none", "--user", "root", desk, "--", "/bin/sh", "-c",
                                 MAPPED + "(setsid sleep 100 &); echo ready; sleep 100"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(play.kill)
        self.assertEqual(play.stdout.readline(), "ready\n")
        children = pathlib.Path(f"/proc/{play.pid}/task/{play.pid}/children").read_text().split()
        self.assertEqual(len(children), 1)
        os.kill(int(children[0]), signal.SIGKILL)
        _, said = play.communicate(timeout=60)
        self.assertIn("everything inside the desk was killed", said)
        self.assertEqual(play.returncode, 125)
        self.let_go(desk)
        self.compare(before, state(desk))
        self.check(desk)

    def test_the_desk_is_full(self):
        desk = self.desk()
        before = state(desk)
        done = self.play(desk, "/bin/sh", "-c", MAPPED + "echo kept > /root/kept; sync; "
                         "dd if=/dev/zero of=/root/big bs=1M 2>&1 | grep -c 'No space'; echo more > /etc/more; cat /root/kept",
                         options=("--net", "none", "--user", "root"))
        self.assertIn("1\n", done.stdout)
        self.assertIn("kept\n", done.stdout)
        self.compare(before, state(desk))
        self.check(desk)
        self.assertEqual(self.inside(desk, "rm /root/big; echo more > /etc/more; cat /etc/more /root/kept"),
                         "more\nkept\n")

    def test_the_disk_under_the_image_is_full(self):
        before = state(self.folder / "small" / "kim.desk")
        script = r"""
            set -e; mount -t tmpfs -o size=48m small "$1"; "$2" desk create "$1/kim.desk" --owner kim --size 256MiB >/dev/null
            set +e; "$3" --net none --user root "$1/kim.desk" -- /bin/sh -c "$4 echo kept > /root/kept; sync /root/kept;
                dd if=/dev/urandom of=/root/big bs=1M count=100 conv=fsync 2>&1 | tail -n1; cat /root/kept"
            echo "status $?"; mount -o remount,size=400m "$1"
            "$3" --net none --user root "$1/kim.desk" -- cat /root/kept && "$2" desk check "$1/kim.desk" """
        (self.folder / "small").mkdir()
        done = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", self.folder / "small",
                               PLAY.parent / "baton", PLAY, MAPPED], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        self.assertIn("kept", done.stdout.split("status")[1], done.stdout + done.stderr)
        self.let_go(self.folder / "small" / "kim.desk")
        self.compare(before, state(self.folder / "small" / "kim.desk"))


if __name__ == "__main__":
    unittest.main()
