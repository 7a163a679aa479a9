#!/usr/bin/env python3
"""The switch alone, over TLS, between two screens that draw all the time: behind a gateway, against re-pointing NAT and the
viewer's own reconnect. Records: gateway_switch_vs_nat (last old to first new complete picture, at the viewer),
gateway_switch_cut, gateway_switch_frame and gateway_switch_frame_p99 against their bounds."""
import json
import pathlib
import subprocess
import sys

from _bench import arguments, record

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
ROUNDS = 220
HOW = ("two QEMU screens of 640x400 and 720x400 that draw 50 times a second without KVM, in network namespaces; the viewer is the "
       "same program on both ways, draws every picture and is the whole time connected over TLS (X509Plain at the gateway; "
       "X509Vnc at QEMU, whose route nftables re-points while established flows are cut and made to notice); in blocks of 20 and 6 in turns, the "
       "other way's screens standing still. ")


def p99(samples):
    return sorted(samples)[int(len(samples) * 0.99)]


def main():
    build = arguments(__doc__).build
    done = subprocess.run([str(REPOSITORY / "tests" / "support" / "with-routing-network"),
                           str(pathlib.Path(build) / "bench-tools" / "gateway_switch"), str(ROUNDS)],
                          stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"measuring the switches failed (status {done.returncode})")
    seen = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))  # the gateway's log is there too
    frames, cuts, nat = seen["frame_to_frame_ms"], seen["cut_to_frame_ms"], seen["nat_ms"]
    record("gateway_switch_vs_nat", ours=frames, peer=nat, peer_name="NAT re-pointed, viewer reconnects", unit="ms", better="lower",
           limit=0.25, how=HOW + "Last complete picture of the old screen to the first complete one of the new, at the viewer.")
    record("gateway_switch_vs_nat_p99", ours=p99(frames), peer=p99(nat), peer_name="the same of NAT", unit="ms", better="lower",
           how="The 99th percentile of the same.")
    for name, ours, bound, how in (
            ("gateway_switch_cut", cuts, 5, "cut to the new screen's complete picture sent on, as the gateway tells it"),
            ("gateway_switch_frame", frames, 40, "last complete old picture to complete new one, at the viewer"),
            ("gateway_switch_frame_p99", p99(frames), 120, f"99th percentile of the same, n = {len(frames)}")):
        record(name, ours=ours, peer=bound, peer_name="the bound", unit="ms", better="lower", limit=1, how=how)


main()
