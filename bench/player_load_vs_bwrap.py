#!/usr/bin/env python3
"""How long a desk takes to open, against programs of Debian that make an environment without attaching an image."""
import pathlib
import shutil
import subprocess
import tempfile
import time

from _bench import arguments, interleaved, record, say

ROUNDS = 50


def first_byte(command):
    """From the start of the command to the first byte that the program inside writes."""
    begin = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
        if run.stdout.read(1) != b"x":
            raise SystemExit(f"no answer: {command}")
        took = time.perf_counter() - begin
        run.stdout.read()
    return took * 1000


def whole(command):
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return (time.perf_counter() - begin) * 1000


def peers(bare):
    """Those that are installed, with the same kinds of namespaces and a root of their own."""
    found = {}
    if shutil.which("bwrap"):
        found["bwrap"] = ["bwrap", "--unshare-all", "--ro-bind", "/usr", "/usr", "--ro-bind", "/etc", "/etc",
                          "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64",
                          "/lib64", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", "--tmpfs", "/run", "--tmpfs",
                          "/var", "--tmpfs", "/home", "--tmpfs", "/root"]
    if shutil.which("unshare"):
        found["unshare"] = ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--ipc", "--uts", "--net",
                            "--cgroup", "--mount-proc"]
    if bare and shutil.which("systemd-nspawn"):
        found["systemd-nspawn"] = ["systemd-nspawn", "-q", "--register=no", "--keep-unit", "--private-network",
                                   "--volatile=overlay", "-U", "-D", bare]
    if bare and shutil.which("podman"):
        found["podman"] = ["podman", "run", "--rm", "--network", "none", "--cgroups", "disabled", "--log-driver", "none",
                           "--rootfs", f"{bare}:O"]
    return found


def main():
    build = pathlib.Path(arguments(__doc__).build).resolve()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-player-", dir=build))
    memory = pathlib.Path(tempfile.mkdtemp(prefix="bench-player-", dir="/dev/shm"))
    try:
        measure(build, folder, memory)
    finally:
        shutil.rmtree(folder)
        shutil.rmtree(memory)


def measure(build, folder, memory):
    policy = folder / "policy.toml"
    source = pathlib.Path(__file__).resolve().parent.parent / "packaging/player/policy.toml"
    remembered = memory / "known"
    remembered.mkdir(mode=0o700)
    policy.write_text(source.read_text().replace('remember = "/run/baton-play"', f'remember = "{remembered}"'))
    root = build / "player-roots/bookworm"
    others = peers(str(root) if root.exists() else "")
    for place, where in (("", folder), ("_in_memory", memory)):
        desk = where / "kim.desk"
        subprocess.run([build / "bin/baton", "desk", "create", desk, "--owner", "kim"], check=True, stdout=subprocess.DEVNULL)
        play = [build / "bin/baton-play", "--quiet", "--net", "none", "--policy", policy, desk, "--"]
        for _ in range(3):
            whole([*play, "true"])
        say(f"player_load{place}: {ROUNDS} rounds against bwrap")
        ours, peer = interleaved(ROUNDS, lambda: first_byte([*play, "/bin/echo", "x"]),
                                 lambda: first_byte([*others["bwrap"], "/bin/echo", "x"]))
        on = "a tmpfs" if place else "this machine's disk, its lease made durable there first"
        record(f"player_load_vs_bwrap{place}", ours=ours, peer=peer, peer_name="bwrap, same namespaces, no image", unit="ms",
               better="lower", limit=1.3,
               how=f"process start to the first byte that a program inside writes; 32 GiB desk on {on}, closed in order "
                   "before (its check left out)")
        ours, peer = interleaved(ROUNDS, lambda: whole([*play, "true"]), lambda: whole([*others["bwrap"], "true"]))
        record(f"player_run{place}", ours=ours, peer=peer, peer_name="bwrap", unit="ms", better="lower", limit=None,
               how="the whole run of `true`, with the unmounting and the lease given back")
        if place:
            for name in others.keys() - {"bwrap"}:
                rounds = 10 if name in ("systemd-nspawn", "podman") else ROUNDS
                try:
                    ours, peer = interleaved(rounds, lambda: whole([*play, "true"]), lambda n=name: whole([*others[n], "true"]))
                except subprocess.CalledProcessError as error:
                    say(f"{name} does not run here: {error}")
                    continue
                record(f"player_run_vs_{name.replace('-', '_')}", ours=ours, peer=peer, peer_name=name, unit="ms",
                       better="lower", limit=None, how="the whole run of `true`, desk on a tmpfs")
    fresh = [build / "bin/baton-play", "--quiet", "--net", "none", folder / "kim.desk", "--"]
    ours, peer = interleaved(10, lambda: first_byte([*fresh, "/bin/echo", "x"]),
                             lambda: first_byte([*others["bwrap"], "/bin/echo", "x"]))
    record("player_first_load", ours=ours, peer=peer, peer_name="bwrap", unit="ms", better="lower", limit=None,
           how="as player_load_vs_bwrap, with the check by sandboxed e2fsck, as on a PC that does not know the desk")


if __name__ == "__main__":
    main()
