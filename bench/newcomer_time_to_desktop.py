#!/usr/bin/env python3
"""What a newcomer waits for: `session open` to the first frame with their desk, with and without a handoff before it."""
from _bench import arguments, record
from _site import measure

HOW = ("from `baton session open` to the first frame with the newcomer's desk mounted, at a viewer behind the NAT route; "
       "the third person on two hosts, whose join costs one handoff (grace 0), against the second, whose join costs none; "
       "image '{image}', booted cold, without KVM")

build = arguments(__doc__).build
for image, name, rounds in (("tiny", "newcomer_time_to_desktop", 5), ("desktop", "newcomer_time_to_desktop_graphical", 3)):
    seen = measure(build, "newcomer", image, rounds)
    record(name, ours=seen["with_handoff_s"], peer=seen["without_handoff_s"], peer_name="a join without a handoff",
           unit="s", better="lower", limit=None, how=HOW.format(image=seen["image"]))
