"""For benches written in Python: see README.md beside this file. Not a bench itself (its name begins with '_')."""
import argparse
import json
import os
import pathlib
import subprocess
import sys


def arguments(description):
    """What bench/run passes on: the build folder, made absolute."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--build", default="build", type=lambda text: pathlib.Path(text).resolve())
    return parser.parse_args()


def record(name, *, ours, peer, peer_name, unit, better, how, limit=None):
    """Prints one record. `ours` and `peer`: the samples of interleaved runs (or one figure); `limit`: of ours / peer."""
    print(json.dumps({"name": name, "ours": ours, "peer": peer, "peer_name": peer_name, "unit": unit,
                      "better": better, "limit": limit, "how": how}), flush=True)


def interleaved(rounds, ours, peer):
    """Calls ours() and peer() in turn and returns the samples of each."""
    samples = ([], [])
    for _ in range(rounds):
        samples[0].append(ours())
        samples[1].append(peer())
    return samples


def say(text):
    """Progress for whoever watches: standard output is for records alone."""
    print(text, file=sys.stderr, flush=True)


def beside_libvirtd(description, script, inside):
    """Runs `inside(build)` beside a libvirtd of its own: this script starts itself again there. Returns an exit status."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--build", default="build", type=lambda text: pathlib.Path(text).resolve())
    build = parser.parse_args().build
    if "BATON_LIBVIRT_URI" in os.environ and os.environ.get("BATON_BENCH_INSIDE"):
        inside(build)
        return 0
    with_libvirtd = pathlib.Path(__file__).resolve().parent.parent / "lab" / "with-libvirtd"
    environment = {**os.environ, "BATON_BENCH_INSIDE": "1"}
    return subprocess.run([str(with_libvirtd), "--", sys.executable, script, "--build", str(build)],
                          env=environment, check=False).returncode
