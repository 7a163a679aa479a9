#!/usr/bin/env python3
"""What work costs inside a desk, against the same work on the bare PC: a build, a walk over the system, many small files."""
import pathlib
import shutil
import subprocess
import tempfile
import time

from _bench import arguments, interleaved, record, say

ROUNDS = 50

UNITS = 6  # of a build
SOURCE = """
#include <algorithm>
#include <map>
#include <string>
#include <vector>
int work%d(const std::vector<std::string>& words) {
    std::map<std::string, int> count;
    for (const auto& word : words) ++count[word];
    return std::max_element(count.begin(), count.end(), [](auto& a, auto& b) { return a.second < b.second; })->second;
}
"""


class Shell:
    """A shell that stays: what it takes to start is not measured."""

    def __init__(self, command, folder):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.run(f"cd {folder}; umask 022; export TMPDIR={folder}")

    def run(self, script):
        """Milliseconds until all of it is done."""
        begin = time.perf_counter()
        self.process.stdin.write("{\n" + script + "\n} > /dev/null && echo done || echo failed\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if answer != "done\n":
            raise SystemExit(f"failed: {script}")
        return (time.perf_counter() - begin) * 1000

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def main():
    build = pathlib.Path(arguments(__doc__).build).resolve()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-inside-", dir=build))
    try:
        measure(build, folder)
    finally:
        shutil.rmtree(folder)


def measure(build, folder):
    desk = folder / "kim.desk"
    subprocess.run([build / "bin/baton", "desk", "create", desk, "--owner", "kim"], check=True, stdout=subprocess.DEVNULL)
    play = [build / "bin/baton-play", "--quiet", "--net", "none", "--user", "root", desk, "--", "/bin/sh"]
    inside = Shell(play, "/root")
    bare = Shell(["/bin/sh"], folder)
    try:
        for n in range(UNITS):
            for shell in (inside, bare):
                shell.run(f"cat > unit{n}.cpp <<'END'\n{SOURCE % n}END\n")
        both(inside, bare, "build", 10,
             f"a build of {UNITS} C++ files by c++ -O1, sources and results in the home and beside the desk's image",
             " && ".join(f"c++ -std=c++17 -O1 -c unit{n}.cpp" for n in range(UNITS)))
        both(inside, bare, "find", ROUNDS, "find /usr -type f -size +1k, everything in the page cache: through the overlay, and without",
             "find /usr -type f -size +1k")
        both(inside, bare, "small_files", ROUNDS, "1000 files of 10 bytes written, read and removed; not made durable",
             "mkdir d; seq 1000000001 1000001000 | split -a 3 -l 1 - d/f; cat d/*; rm -r d")
        both(inside, bare, "durable_files", ROUNDS, "100 files of 10 bytes, then sync of their file system",
             "mkdir d; seq 1000000001 1000000100 | split -a 2 -l 1 - d/f; sync -f d; rm -r d")
        copied_up(inside, bare)
    finally:
        inside.end()
        bare.end()


def both(inside, bare, name, rounds, how, script):
    say(f"player_inside_{name}: {rounds} rounds")
    for shell in (inside, bare):
        shell.run(script)
    ours, peer = interleaved(rounds, lambda: inside.run(script), lambda: bare.run(script))
    record("player_inside" if name == "build" else f"player_inside_{name}", ours=ours, peer=peer, peer_name="the bare PC", unit="ms", better="lower",
           limit=1.1 if name in ("build", "find", "small_files") else None, how=how)


def copied_up(inside, bare):
    """A file of the base is copied into the desk at its first write: once for each file, so each round takes others."""
    say("player_inside_copy_up")
    files = sorted(str(path) for path in pathlib.Path("/usr/include").rglob("*.h") if path.is_file() and not path.is_symlink())
    batches = [files[at:at + 20] for at in range(0, min(len(files), ROUNDS * 20), 20)]
    ours = [inside.run("for f in " + " ".join(batch) + "; do echo >> $f; done") for batch in batches]
    peer = [bare.run("mkdir c; for f in " + " ".join(batch) + "; do cp $f c/x; echo >> c/x; done; rm -r c") for batch in batches]
    record("player_inside_copy_up", ours=ours, peer=peer, peer_name="cp and the same write on the bare PC", unit="ms",
           better="lower", limit=None, how="the first write to each of 20 files of the base")


if __name__ == "__main__":
    main()
