#!/usr/bin/env python3
"""What 2,000 idle sessions cost: resident memory for each, and wake-ups. Records: gateway_idle_sessions against the bound of 32
KiB, gateway_idle_sessions_vs_haproxy."""
import time

from _bench import arguments, record, say
from _gateway import Bed

SESSIONS = 2000
QUIET_S = 5
HOW = (f"{SESSIONS} viewers over TLS 1.3 that have had a picture and do nothing; growth of the process's resident memory from the first "
       "viewer to the last, divided by their number")


def idle(bed, part, kind, port, authority):
    viewers = bed.start(bed.tool, "idle", kind, port, SESSIONS, authority)
    viewers.line()
    time.sleep(0.5)
    before = part.resident_bytes()
    assert viewers.line() == "all"
    time.sleep(2)
    each = (part.resident_bytes() - before) / (SESSIONS - 1)
    woken, cpu = part.wake_ups(), part.cpu_s()
    time.sleep(QUIET_S)
    woken, cpu = part.wake_ups() - woken, part.cpu_s() - cpu
    bed.end(viewers)
    return each / 1024, woken, cpu


def main():
    build = arguments(__doc__).build
    with Bed(build) as bed:
        certificate, key = bed.certificate()
        _, screen = bed.screen(0, 100, 1)
        gateway, vnc, _ = bed.gateway(screen, certificate, key)
        ours, woken, cpu = idle(bed, gateway, "tls", vnc, certificate)
        say(f"gateway: {ours:.1f} KiB for each session, {woken} wake-ups in {QUIET_S} s, {cpu * 1000:.1f} ms of CPU time")
        pem = bed.folder / "both.pem"
        pem.write_text(certificate.read_text() + key.read_text())
        haproxy, port = bed.haproxy(screen, f"ssl crt {pem} ssl-min-ver TLSv1.3")
        peer, peer_woken, _ = idle(bed, haproxy, "stunnel", port, certificate)
        say(f"haproxy: {peer:.1f} KiB for each session, {peer_woken} wake-ups in {QUIET_S} s")
    record("gateway_idle_sessions", ours=ours, peer=32, peer_name="the bound", unit="KiB/session", better="lower", limit=1,
           how=f"{HOW}; {woken} wake-ups of all of them together in {QUIET_S} s")
    record("gateway_idle_sessions_vs_haproxy", ours=ours, peer=peer, peer_name="haproxy, mode tcp, TLS in front", unit="KiB/session",
           better="lower", how=HOW)


main()
