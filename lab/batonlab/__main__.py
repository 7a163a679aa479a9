"""`make lab`: sixteen people join, the seventeenth is refused, and every row of Table 3 is read from real hypervisors."""
import argparse
import json
import os
import pathlib
import shutil
import signal
import sys
import time

from . import network, table3
from .process import StartFailed
from .site import Site, SiteSettings
from .stay import stay
from .story import Story

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent


def arguments():
    parser = argparse.ArgumentParser(
        prog="lab/lab", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="One boot server, two hosts and a client on this machine, in network namespaces of their own,\n"
                    "with real libvirtds, real virtual machines and real VNC screens.",
        epilog="Exit status: 0 all rows as in the paper, every desk intact, OS image untouched; 1 something differs;\n"
               "2 the lab could not be set up; 130 interrupted. Logs: build/lab/logs.")
    parser.add_argument("--stay", action="store_true",
                        help="stay up after the run and say how to connect with a viewer; end with Ctrl-C")
    parser.add_argument("--route", default="gateway", choices=["gateway", "nat"],
                        help="how people reach their desktops: through a gateway, which keeps a viewer's connection over a\n"
                             "handoff, or as in the paper by ports of the boot server (default %(default)s)")
    parser.add_argument("--image", default="tiny", choices=["tiny", "desktop"], help="OS image (default %(default)s)")
    parser.add_argument("--users", type=int, default=17, help="how many people try to join (default %(default)s)")
    parser.add_argument("--hosts", type=int, default=2, help="virtualization servers (default %(default)s, the paper's)")
    parser.add_argument("--largest", default="4GiB", metavar="SIZE",
                        help="C: what each host lends, and the largest desktop (default %(default)s)")
    parser.add_argument("--grace", type=float, default=0, metavar="SECONDS",
                        help="told to a person before their desktop changes (default %(default)g)")
    parser.add_argument("--no-leave", action="store_true", help="end after the last join")
    parser.add_argument("--json", metavar="FILE", help="write what was measured, row by row")
    parser.add_argument("--build", default=str(REPOSITORY / "build"), help="build folder (default build)")
    return parser.parse_args()


def mib_of(text):
    units = {"MiB": 1, "GiB": 1024}
    for unit, factor in units.items():
        if text.endswith(unit):
            mib = float(text[:-len(unit)]) * factor
            if mib == int(mib) and mib >= 1:
                return int(mib)
    raise SystemExit(f"lab: '{text}' is no size for --largest: write for example 4GiB or 2048MiB")


def memory_available_mib():
    for line in pathlib.Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) // 1024
    raise StartFailed("/proc/meminfo has no MemAvailable")


def scaled(largest, hosts, smallest_needed):
    """C, halved until `hosts` times C and 2 GiB for everything else fit into this machine."""
    available = memory_available_mib()
    fitting = largest
    while fitting * hosts + 2048 > available:
        fitting //= 2
        if fitting // 8 < smallest_needed:
            raise StartFailed(f"this machine has {available} MiB of memory available; the lab needs at least "
                              f"{smallest_needed * 8 * hosts + 2048} MiB (--hosts 1 needs less)")
    if fitting != largest:
        print(f"This machine has {available / 1024:.1f} GiB of memory available: C is scaled down from "
              f"{table3.gib(largest)} to {table3.gib(fitting)} GiB. The rule is the same, all sizes are "
              f"{largest // fitting} times smaller.")
    return fitting


def main():
    options = arguments()
    if os.getpid() != 1 or "BATON_LAB_STATE" not in os.environ:
        raise SystemExit("lab: start it with lab/lab (or make lab): it makes the namespaces that this runs in")
    state = pathlib.Path(os.environ["BATON_LAB_STATE"])
    for old in ("logs", "site"):
        shutil.rmtree(state / old, ignore_errors=True)
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))

    site = None
    started = time.monotonic()
    try:
        network.private_run()
        largest = scaled(mib_of(options.largest), options.hosts, 128)
        site = Site(SiteSettings(build=pathlib.Path(options.build), state=state, hosts=options.hosts, clients=2,
                                 largest_mib=largest, image=options.image, grace_seconds=options.grace,
                                 route=options.route))
        site.up()
        print(f"The site is up after {time.monotonic() - started:.1f} s.\n")
        story = Story(site, options.users)
        good = story.run(leave=not options.no_leave)
        if options.json:
            pathlib.Path(options.json).write_text(json.dumps(story.record(), indent=1) + "\n")
        print(f"\nThe whole run took {time.monotonic() - started:.0f} s.")
        if options.stay:
            stay(site)
        return 0 if good else 1
    except KeyboardInterrupt:
        print("\nlab: interrupted; everything that ran is ended", file=sys.stderr)
        return 130
    except (StartFailed, RuntimeError) as error:
        print(f"lab: {error}", file=sys.stderr)
        print(f"lab: the logs are in {state / 'logs'}", file=sys.stderr)
        return 2
    finally:
        if site:
            site.down()


if __name__ == "__main__":
    sys.exit(main())
