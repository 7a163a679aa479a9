#!/usr/bin/env python3
"""A screen's stream to a browser's WebSocket over TLS: bytes per CPU second of the gateway, against websockify. Records:
gateway_ws_bytes_per_cpu_vs_websockify, the same without TLS, and gateway_ws_vs_openssl (this machine's limit for TLS)."""
import re
import statistics
import subprocess

from _bench import arguments, record, say
from _gateway import Bed

ROUNDS = 9
HOW = ("{mib} MiB of updates of {rectangles} Tight rectangles of {rectangle} bytes to one viewer in a WebSocket {tls}, {asked}; CPU time "
       "of the process between (of websockify with its child), in turns")


def openssl_bytes_per_s():
    """What OpenSSL alone encrypts in a CPU second here, in records of 16 KiB."""
    text = subprocess.run(["openssl", "speed", "-elapsed", "-seconds", "1", "-bytes", "16384", "-evp", "aes-256-gcm"], check=True,
                          capture_output=True, text=True).stdout
    return float(re.search(r"^AES-256-GCM\s+([0-9.]+)k", text, re.M | re.I).group(1)) * 1000


def measure(bed, tls, mebibytes, rectangle, rectangles, asked):
    _, screen = bed.screen(mebibytes, rectangle, rectangles, *(["asked"] if asked else []))
    files = bed.certificate() if tls else ()
    gateway, _, web = bed.gateway(screen, *files)
    websockify, websockify_port = bed.websockify(screen, *files)
    kind = "wss" if tls else "ws"
    ours, peer, limit = [], [], []
    for number in range(ROUNDS + 1):
        for port, part, samples in ((web, gateway, ours), (websockify_port, websockify, peer)):
            size, _, cpu = bed.stream(kind, port, part, files[0] if files else "", *(["asking"] if asked else []))
            if number > 0:
                samples.append(size / cpu / 1e6)
        if number > 0 and tls:
            limit.append(openssl_bytes_per_s() / 1e6)
    say(f"{kind}, {rectangle} bytes: gateway {statistics.median(ours):.0f}, websockify {statistics.median(peer):.0f} MB/CPU-s")
    return ours, peer, limit


def main():
    build = arguments(__doc__).build
    for name, tls, mebibytes, rectangle, rectangles, asked in (
            ("gateway_ws_bytes_per_cpu_vs_websockify", True, 24, 150, 24, True),
            ("gateway_ws_bytes_per_cpu_vs_websockify_flood", True, 384, 4096, 200, False),
            ("gateway_ws_bytes_per_cpu_vs_websockify_flood_without_tls", False, 384, 4096, 200, False)):
        with Bed(build) as bed:
            ours, peer, limit = measure(bed, tls, mebibytes, rectangle, rectangles, asked)
        how = HOW.format(mib=mebibytes, rectangles=rectangles, rectangle=rectangle, tls="over TLS" if tls else "without TLS",
                         asked="each asked for behind the one before" if asked else "as fast as they go")
        record(name, ours=ours, peer=peer, peer_name="websockify (Debian's)", unit="MB/CPU-s", better="higher",
               limit=5 if name.endswith("websockify") else None, how=how)
        if limit:
            record(name.replace("bytes_per_cpu_vs_websockify", "vs_openssl"), ours=ours, peer=limit,
                   peer_name="openssl speed -evp aes-256-gcm, 16 KiB (the limit)", unit="MB/CPU-s", better="higher", how=how)


main()
