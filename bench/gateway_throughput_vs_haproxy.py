#!/usr/bin/env python3
"""A screen's stream through the gateway without TLS, against HAProxy in TCP mode, which looks at nothing. Records:
gateway_throughput_vs_haproxy (bytes/s), gateway_cpu_vs_haproxy (CPU-s per GB), and for the physical limit
gateway_throughput_vs_copy (a loop of read and write of 64 KiB)."""
import statistics

from _bench import arguments, record, say
from _gateway import Bed

ROUNDS = 11
MEBIBYTES = 768
WHAT = (f"{MEBIBYTES} MiB of updates of 200 Tight rectangles of {{}} bytes, sent by a screen that waits for nobody, taken by a viewer that "
        "draws nothing; screen, viewer and what is between them are processes on the loopback, in turns")


def main():
    build = arguments(__doc__).build
    for rectangle, suffix in ((4096, ""), (150, "_small")):
        with Bed(build) as bed:
            _, screen = bed.screen(MEBIBYTES if not suffix else MEBIBYTES // 3, rectangle, 200)
            gateway, vnc, _ = bed.gateway(screen)
            haproxy, haproxy_port = bed.haproxy(screen)
            copy, copy_port = bed.copy(screen)
            ways = {"gateway": ("plain", vnc, gateway), "haproxy": ("none", haproxy_port, haproxy), "copy": ("none", copy_port, copy)}
            rates, costs = {way: [] for way in ways}, {way: [] for way in ways}
            for number in range(ROUNDS + 1):
                for way, (kind, port, part) in ways.items():
                    size, seconds, cpu = bed.stream(kind, port, part)
                    if number > 0:
                        rates[way].append(size / seconds / 1e9)
                        costs[way].append(cpu / size * 1e9)
            for way in ways:
                say(f"{way}: {statistics.median(rates[way]):.2f} GB/s, {statistics.median(costs[way]):.3f} CPU-s/GB")
        what = WHAT.format(rectangle)
        record(f"gateway_throughput_vs_haproxy{suffix}", ours=rates["gateway"], peer=rates["haproxy"], peer_name="haproxy, mode tcp",
               unit="GB/s", better="higher", limit=None if suffix else 0.9, how=what)
        record(f"gateway_throughput_cpu_vs_haproxy{suffix}", ours=costs["gateway"], peer=costs["haproxy"],
               peer_name="haproxy, mode tcp", unit="CPU-s/GB", better="lower", how=what + "; CPU time of the process between alone")
        record(f"gateway_throughput_vs_copy{suffix}", ours=rates["gateway"], peer=rates["copy"],
               peer_name="read and write of 64 KiB in a loop (the loopback's limit)", unit="GB/s", better="higher", how=what)


main()
