#!/usr/bin/env python3
"""One desk on two PCs: two Debian roots of different releases stand for them. What is installed into the home, /opt and
/usr/local runs on both; what the package manager installs is there again on the same base, and set aside on another.

    tests/integration/player/portable_test.py      as root; BATON_BUILD: the build folder (the roots are kept there)
"""
import os
import pathlib
import shutil
import subprocess
import unittest

from playing import BUILD, PlayerTest

ROOTS = BUILD / "player-roots"
MIRROR = os.environ.get("BATON_DEBIAN_MIRROR", "http://deb.debian.org/debian")


def root_of(release):
    """A minimal Debian of that release, made once."""
    root = ROOTS / release
    if not (root / ".made").exists():
        shutil.rmtree(root, ignore_errors=True)
        ROOTS.mkdir(exist_ok=True)
        subprocess.run(["mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory", "--quiet",
                        "--include=passwd", "--dpkgopt=force-unsafe-io", release, root, MIRROR], check=True, timeout=900)
        (root / ".made").touch()
    return root


# every policy of the paper's argument but forwarding: all of it copy-on-write over the PC
ALL_COPY_ON_WRITE = """
[forward]
"/root" = "fwd/root"
[copy-on-write]
paths = ["/usr", "/etc", "/opt", "/home", "/srv", "/var/lib/dpkg"]
[own]
paths = ["/var"]
[memory]
"/tmp" = { mode = "1777", size = "50%" }
"/run" = { mode = "0755", size = "20%" }
[masked]
paths = ["/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow"]
[hardware]
devices = ["null", "zero", "full", "random", "urandom", "tty"]
"""
# an installer as the paper has it: what is there already is not installed
INSTALL_WORD = ("mkdir -p /opt/word; [ -e /opt/word/word ] || printf '#!/bin/sh\\necho word of the desk\\n' > /opt/word/word; "
                "chmod 755 /opt/word/word; /opt/word/word")


class Portable(PlayerTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.old, cls.new = root_of("bookworm"), root_of("trixie")

    def on(self, pc, desk, script, user="root", options=()):
        return self.play(desk, "/bin/sh", "-c", script,
                         options=("--net", "none", "--pc-root", str(pc), "--user", user, *options))

    def said(self, pc, desk, script, **more):
        done = self.on(pc, desk, script, **more)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_the_two_are_different(self):
        desk = self.desk()
        here = [self.said(pc, desk, ". /etc/os-release; echo $VERSION_ID") for pc in (self.old, self.new)]
        self.assertEqual(here, ["12\n", "13\n"])

    def test_a_program_with_its_libraries(self):
        desk = self.desk(size="512MiB")
        # into /opt: a real program, its libraries and its loader; /usr/local: a link; the home: a script that uses it
        self.said(self.old, desk, r"""
            set -e; mkdir -p /opt/tar/lib; cp /usr/bin/tar /opt/tar/tar
            for l in $(ldd /usr/bin/tar | grep -o '/[^ ]*'); do cp $l /opt/tar/lib/; done
            printf '#!/bin/sh\nexec /opt/tar/lib/ld-linux-x86-64.so.2 --library-path /opt/tar/lib /opt/tar/tar "$@"\n' \
                > /usr/local/bin/mytar
            chmod 755 /usr/local/bin/mytar; mkdir -p /home/kim/bin
            printf '#!/bin/sh\nmytar --version | head -n1\n' > /home/kim/bin/which-tar; chmod 755 /home/kim/bin/which-tar
            chown -R 1000:1000 /home/kim/bin""")
        first = self.said(self.old, desk, "~/bin/which-tar", user="kim")
        second = self.said(self.new, desk, "~/bin/which-tar; rm -f /usr/bin/tar 2>/dev/null; tar --version | head -n1",
                           user="kim").splitlines(keepends=True)
        self.assertEqual(second[0], first, "the desk's own, on the other PC")
        self.assertNotEqual(second[1], first, "the PC's is another, and is not touched")
        self.assertEqual(self.said(self.new, desk, "rm /usr/bin/tar; mytar --version | head -n1"), first, "nor needed")
        self.assertTrue((self.new / "usr/bin/tar").exists())

    def package(self):
        tree = self.folder / "package"
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "DEBIAN/control").write_text("Package: baton-greeting\nVersion: 1.0\nArchitecture: all\n"
                                             "Maintainer: Baton <baton@example.org>\nDescription: says hello\n")
        (tree / "usr/bin").mkdir(parents=True)
        (tree / "usr/bin/greet").write_text("#!/bin/sh\necho hello from a package\n")
        (tree / "usr/bin/greet").chmod(0o755)
        subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, self.folder / "greeting.deb"], check=True,
                       capture_output=True)
        return self.folder / "greeting.deb"

    def test_what_the_package_manager_installs(self):
        desk = self.desk(size="512MiB")
        before = (self.old / "var/lib/dpkg/status").read_bytes()
        done = subprocess.run([str(BUILD / "bin/baton-play"), "--net", "none", "--pc-root", self.old, "--user", "root", desk,
                               "--", "/bin/sh", "-c", "cat > /tmp/g.deb && apt-get install -y /tmp/g.deb && greet"],
                              input=self.package().read_bytes(), capture_output=True, timeout=180)
        self.assertEqual(done.returncode, 0, done.stdout.decode() + done.stderr.decode())
        self.assertTrue(done.stdout.endswith(b"hello from a package\n"))
        self.assertEqual((self.old / "var/lib/dpkg/status").read_bytes(), before)
        self.assertFalse((self.old / "usr/bin/greet").exists())
        self.assertEqual(self.said(self.old, desk, "greet; dpkg-query -W -f '${Status}' baton-greeting"),
                         "hello from a package\ninstall ok installed", "there again on the same base")
        elsewhere = self.on(self.new, desk, "command -v greet || dpkg-query -W baton-greeting 2>&1 | head -n1")
        self.assertIn("set aside", elsewhere.stderr)
        self.assertIn("baton-greeting", elsewhere.stderr)
        self.assertIn("no packages found", elsewhere.stdout)
        self.assertNotIn("set aside", self.on(self.new, desk, "true").stderr, "said once")
        self.assertEqual(self.said(self.old, desk, "greet"), "hello from a package\n", "and back")

    def test_the_papers_word(self):
        word = self.old / "opt/word"
        shutil.rmtree(word, ignore_errors=True)
        self.addCleanup(shutil.rmtree, word, ignore_errors=True)
        word.mkdir()
        (word / "word").write_text("#!/bin/sh\necho word of the PC\n")
        (word / "word").chmod(0o755)
        forwarded = self.desk("forwarded")
        self.assertEqual(self.said(self.old, forwarded, INSTALL_WORD), "word of the desk\n", "the PC's is not seen")
        self.assertEqual(self.said(self.new, forwarded, "/opt/word/word"), "word of the desk\n")
        self.assertEqual((word / "word").read_text(), "#!/bin/sh\necho word of the PC\n")
        policy = self.folder / "all-cow.toml"
        policy.write_text(ALL_COPY_ON_WRITE)
        every = self.desk("everything")
        options = ("--policy", str(policy))
        self.assertEqual(self.said(self.old, every, INSTALL_WORD, options=options), "word of the PC\n",
                         "the installer found it, and stored nothing")
        elsewhere = self.on(self.new, every, "/opt/word/word", options=options)
        self.assertNotEqual(elsewhere.returncode, 0, "which is why there is a policy")


if __name__ == "__main__":
    unittest.main()
