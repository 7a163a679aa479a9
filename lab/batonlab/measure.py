"""Measurements on a whole site: what a person waits for. Run by bench/run through lab/in-namespaces.

    python3 -m batonlab.measure interruption --image desktop --rounds 5 --route gateway
    python3 -m batonlab.measure newcomer --image tiny --rounds 3

Prints one JSON object with the raw seconds of each kind of run, taken in turns.
"""
import argparse
import json
import os
import pathlib
import shutil
import sys
import time

from . import network
from .process import wait_for
from .site import Site, SiteSettings

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent


def open_and_watch(site, name):
    """Opens a session; returns the seconds until a frame showed it with its desk mounted."""
    started = time.monotonic()
    session = site.open(name)
    seconds = site.watch(name, session).wait_for_desk(120) - started
    site.wait_settled()
    return seconds


def phases(data):
    return {key: round(value, 1) for key, value in data.items() if key.endswith("_ms") and value is not None}


def handoff(site, name):
    """Moves the session to the other host by a handoff; returns the interruption in seconds."""
    row = next(row for row in site.sessions() if row["user"] == name)
    source = row["desktop"]["host"]
    seen = site.last_event()
    site.baton.text("host", "drain", source, "--timeout", "180")
    site.baton.text("host", "undrain", source)
    site.wait_settled()
    events = site.events_after(seen)
    done = next(event for event in events if event["kind"] == "handoff.done")
    watcher = site.watchers[name]
    shown = watcher.wait_for_fence(done["data"]["fence"], 60)
    print(f"handoff: {shown - done['data']['released_at_ns'] / 1e9:.3f} s to the frame; {phases(done['data'])}", flush=True)
    for event in events:
        if event["kind"] == "route.switched":
            print(f"         the gateway's switch: {phases(event['data'])}", flush=True)
    if site.settings.route == "gateway" and watcher.drops:
        raise RuntimeError("the viewer lost its connection in a handoff, which a gateway is there to keep")
    return shown - done["data"]["released_at_ns"] / 1e9


def cold_boot(site, name):
    """Stops the desktop and boots another one cold: the same interruption without a handoff."""
    started = time.monotonic()
    site.close(name)
    session = site.open(name)
    opened = time.monotonic()
    shown = site.watch(name, session).wait_for_desk(180)
    site.wait_settled()
    print(f"cold boot: {shown - started:.3f} s to the frame; {opened - started:.3f} s until the session was open", flush=True)
    return shown - started


def interruption(site, rounds):
    open_and_watch(site, "kim")
    handoff(site, "kim")  # a warm-up of both hosts' page caches, not counted
    result = {"handoff_s": [], "cold_boot_s": []}
    for _ in range(rounds):
        result["handoff_s"].append(handoff(site, "kim"))
        result["cold_boot_s"].append(cold_boot(site, "kim"))
    return result


def newcomer(site, rounds):
    """With two hosts the second person comes without a handoff, the third one costs one."""
    result = {"without_handoff_s": [], "with_handoff_s": []}
    for number in range(rounds + 1):
        open_and_watch(site, "first")
        without = open_and_watch(site, "second")
        seen = site.last_event()
        with_one = open_and_watch(site, "third")
        moved = [event for event in site.events_after(seen) if event["kind"] == "handoff.done"]
        if len(moved) != 1:
            raise RuntimeError(f"the third person's join cost {len(moved)} handoffs instead of one")
        if number > 0:  # the first round warms the page cache
            result["without_handoff_s"].append(without)
            result["with_handoff_s"].append(with_one)
        for name in ("third", "second", "first"):
            site.close(name)
        wait_for("everybody to be gone", lambda: not site.sessions() and not site.domains(), 60)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["interruption", "newcomer"])
    parser.add_argument("--image", default="tiny")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--route", default="nat", choices=["gateway", "nat"])
    parser.add_argument("--build", default=str(REPOSITORY / "build"))
    options = parser.parse_args()
    state = pathlib.Path(os.environ["BATON_LAB_STATE"])
    for old in ("logs", "site"):
        shutil.rmtree(state / old, ignore_errors=True)
    network.private_run()
    out, sys.stdout = sys.stdout, sys.stderr  # progress is not the result
    site = Site(SiteSettings(build=pathlib.Path(options.build), state=state, image=options.image,
                             grow_when_leaving=False, route=options.route))
    try:
        site.up()
        result = {"interruption": interruption, "newcomer": newcomer}[options.what](site, options.rounds)
    finally:
        site.down()
    print(json.dumps({"image": site.image_id, "route": options.route, **result}), file=out)


if __name__ == "__main__":
    main()
