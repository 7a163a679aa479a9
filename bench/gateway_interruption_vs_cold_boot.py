#!/usr/bin/env python3
"""What a person feels behind a gateway: a hard handoff, against stopping the desktop and booting another one cold.

As handoff_interruption_vs_cold_boot, but the viewer is logged in at a gateway: it keeps its one connection over every
handoff (the bench fails if it does not), and logs in anew after a cold boot. Progress tells every phase of each handoff.
"""
from _bench import arguments, record
from _site import measure

HOW = ("interruption of a handoff between two hosts (drain), old desktop told to let go of the desk -> first frame with the "
       "desk mounted at a viewer that stays connected to a gateway (X509Plain, raw pixels); against session close -> open "
       "of the same session on a cold-booted desktop, same first frame, the viewer's login included; in turns on one site, "
       "image '{image}', without KVM")

build = arguments(__doc__).build
for image, name, rounds in (("desktop", "gateway_interruption_vs_cold_boot", 5),
                            ("tiny", "gateway_interruption_vs_cold_boot_tiny", 7)):
    seen = measure(build, "interruption", image, rounds, "gateway")
    record(name, ours=seen["handoff_s"], peer=seen["cold_boot_s"], peer_name="stop, then cold boot", unit="s",
           better="lower", limit=0.1 if image == "desktop" else None, how=HOW.format(image=seen["image"]))
