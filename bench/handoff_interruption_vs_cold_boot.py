#!/usr/bin/env python3
"""What a person feels: a hard handoff over the NAT route, against stopping the desktop and booting another one cold.

Real virtual machines on two hosts in the lab's namespaces. Both begin when the old session stops taking input and end
with the first frame, at a viewer in the client's network, that shows the session with its desk mounted; the viewer's
reconnect is part of both.
"""
from _bench import arguments, record
from _site import measure

HOW = ("interruption of a handoff between two hosts (drain), old desktop told to let go of the desk -> first frame with the "
       "desk mounted at a viewer behind the NAT route, reconnect included; against session close -> open of the same "
       "session on a cold-booted desktop, same first frame; in turns on one site, image '{image}', without KVM")

build = arguments(__doc__).build
for image, name, rounds in (("desktop", "handoff_interruption_vs_cold_boot", 5),
                            ("tiny", "handoff_interruption_vs_cold_boot_tiny", 7)):
    seen = measure(build, "interruption", image, rounds)
    record(name, ours=seen["handoff_s"], peer=seen["cold_boot_s"], peer_name="stop, then cold boot", unit="s",
           better="lower", limit=0.2 if image == "desktop" else None, how=HOW.format(image=seen["image"]))
