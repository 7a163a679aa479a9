#!/usr/bin/env python3
"""A hundred desks open at once: memory and descriptors of each, against as many environments of bwrap."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from _bench import arguments, record, say

DESKS = 100
BWRAP = ["bwrap", "--unshare-all", "--ro-bind", "/usr", "/usr", "--ro-bind", "/etc", "/etc", "--symlink", "usr/bin", "/bin",
         "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"]


def available():
    for line in pathlib.Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("this kernel does not say what memory is free")


def descendants(roots):
    """Process ids of these and of all that came from them."""
    children = {}
    for entry in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rsplit(")", 1)[1].split()
        except OSError:  # it has ended
            continue
        children.setdefault(int(fields[1]), []).append(int(entry.parent.name))
    found, rest = [], list(roots)
    while rest:
        found.append(rest.pop())
        rest += children.get(found[-1], [])
    return found


def shares(pids):
    """Bytes of memory (a shared page divided among those who share it), and open descriptors."""
    memory = descriptors = 0
    for pid in pids:
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                memory += int(line.split()[1]) * 1024
        descriptors += len(os.listdir(f"/proc/{pid}/fd"))
    return memory, descriptors


def many(commands):
    """Starts all, waits until a program runs in each, and measures: bytes and descriptors for each, bytes of the whole PC."""
    before = available()
    runs, took = [], []
    try:
        for command in commands:
            begin = time.perf_counter()
            runs.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            if runs[-1].stdout.readline() != "in\n":
                raise SystemExit(f"no answer: {command}")
            took.append((time.perf_counter() - begin) * 1000)
        pids = descendants([run.pid for run in runs])
        memory, descriptors = shares(pids)
        return {"memory": memory / len(runs) / 2**20, "descriptors": descriptors / len(runs),
                "processes": len(pids) / len(runs), "whole": (before - available()) / len(runs) / 2**20, "took": took}
    finally:
        for run in runs:
            run.communicate("\n")


def main():
    build = pathlib.Path(arguments(__doc__).build).resolve()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-many-", dir=build))
    waiting = ["/bin/sh", "-c", "echo in; read x"]
    try:
        desks = [folder / f"p{n}.desk" for n in range(DESKS)]
        for desk in desks:
            subprocess.run([build / "bin/baton", "desk", "create", desk, "--owner", "kim", "--size", "256MiB"], check=True,
                           stdout=subprocess.DEVNULL)
        say(f"{DESKS} desks at once")
        ours = many([[build / "bin/baton-play", "--quiet", "--net", "none", desk, "--", *waiting] for desk in desks])
        peer = many([[*BWRAP, *waiting]] * DESKS)
    finally:
        shutil.rmtree(folder)
    how = f"{DESKS} open at once, a shell waiting in each, no network; for each: "
    for name, unit, what in (("memory", "MiB", "proportional share of all its processes"),
                             ("whole", "MiB", "how much less memory the PC has, kernel and caches included"),
                             ("descriptors", "", "open descriptors of all its processes"),
                             ("processes", "", "processes")):
        record("player_many" if name == "memory" else f"player_many_{name}", ours=[ours[name]], peer=[peer[name]], peer_name="bwrap, no image", unit=unit,
               better="lower", limit=None, how=how + what)
    record("player_many_opening", ours=ours["took"], peer=peer["took"], peer_name="bwrap, no image", unit="ms", better="lower",
           limit=None, how="one after the other, all staying open; the desks are new here: with the check by e2fsck")


if __name__ == "__main__":
    main()
