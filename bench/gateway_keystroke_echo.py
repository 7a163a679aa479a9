#!/usr/bin/env python3
"""What a gateway adds to the echo of one keystroke: pressed key to its 8x16 pixels at the viewer. Records:
gateway_keystroke_echo (median, over TLS) and ..._p99 against the direct connection, and the same without TLS against HAProxy."""
import statistics

from _bench import arguments, record, say
from _gateway import Bed

ROUNDS = 9
KEYS = 400
HOW = (f"{KEYS} keys in each of {ROUNDS} rounds, 1 ms apart, from a viewer to a screen that answers at once with one Raw rectangle; "
       "screen, viewer and what is between them are processes on the loopback, in turns. ")


def percentile(samples, share):
    return sorted(samples)[int(len(samples) * share)]


def main():
    build = arguments(__doc__).build
    with Bed(build) as bed:
        certificate, key = bed.certificate()
        _, screen = bed.screen(1, 100, 1)
        _, tls_port, _ = bed.gateway(screen, certificate, key)
        _, plain_port, _ = bed.gateway(screen)
        _, haproxy_port = bed.haproxy(screen)
        ways = {"direct": ("none", screen), "gateway, TLS": ("tls", tls_port), "gateway": ("plain", plain_port),
                "haproxy": ("none", haproxy_port)}
        p50, p99 = {way: [] for way in ways}, {way: [] for way in ways}
        for _ in range(ROUNDS):
            for way, (kind, port) in ways.items():
                viewer = bed.start(bed.tool, "echo", kind, port, KEYS, *((certificate,) if kind == "tls" else ()))
                samples = [float(word) for word in viewer.rest()]
                bed.end(viewer)
                assert len(samples) == KEYS, f"{way}: {len(samples)} of {KEYS} keys were echoed"
                p50[way].append(statistics.median(samples))
                p99[way].append(percentile(samples, 0.99))
    for way in ways:
        say(f"{way}: median {statistics.median(p50[way]):.0f} us, p99 {statistics.median(p99[way]):.0f} us; "
            f"added to direct: {statistics.median(p50[way]) - statistics.median(p50['direct']):.0f} us, "
            f"p99 {statistics.median(p99[way]) - statistics.median(p99['direct']):.0f} us")
    record("gateway_keystroke_echo", ours=p50["gateway, TLS"], peer=p50["direct"], peer_name="the same screen, directly", unit="us",
           better="lower", limit=5, how=HOW + "Medians; over TLS to the viewer.")
    record("gateway_keystroke_echo_p99", ours=p99["gateway, TLS"], peer=p99["direct"], peer_name="the same screen, directly",
           unit="us", better="lower", limit=5, how=HOW + "99th percentiles; over TLS to the viewer.")
    record("gateway_keystroke_echo_vs_haproxy", ours=p50["gateway"], peer=p50["haproxy"], peer_name="haproxy, mode tcp", unit="us",
           better="lower", limit=1.5, how=HOW + "Medians; neither has TLS.")


main()
