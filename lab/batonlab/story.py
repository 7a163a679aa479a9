"""The main job: people join one by one, Table 3 is read from the hypervisors row by row, then people leave again."""
import json
import statistics
import time

from . import table3
from .baton import BatonFailed


def milliseconds(seconds):
    return "-" if seconds is None else f"{seconds * 1000:.0f} ms"


def user_name(number):
    return f"user{number:02d}"


class Story:
    def __init__(self, site, users):
        self.site = site
        self.users = users
        self.rows = []
        self.lines = {}  # user -> the lines that their diary must have
        self.leaves = []
        self.problems = []
        self.switches = []  # what the gateway told of each handoff, {"frame_to_frame_ms", "cut_to_frame_ms"}
        self.gateway = site.settings.route == "gateway"
        self.drops = 0  # viewers' connections that ended under them
        self.refused = ""
        self.paper = site.settings.hosts == 2  # Table 3 is about two hosts

    # -- joining ------------------------------------------------------------------------------

    def run(self, leave=True):
        try:
            self.heading()
            for number in range(1, self.users + 1):
                if not self.join(number):
                    break
            if leave:
                self.leave_all()
            self.check_desks()
            self.check_images()
        finally:
            self.site.stop_watching()
        self.count_drops()
        return self.summary()

    def count_drops(self):
        """Measured where people are: at each viewer, from its first frame until its session was closed."""
        self.drops = self.site.drops()
        if self.gateway and self.drops:
            self.problems.append(f"{self.drops} times a viewer lost its connection, which a gateway is there to keep")

    def heading(self):
        largest = table3.gib(self.site.settings.largest_mib)
        print(f"Table 3 on real virtual machines: {self.site.settings.hosts} hosts of {largest} GiB, image "
              f"'{self.site.image_id}', sizes and free memory in GiB as the hypervisors report them.\n")
        switch = f" {'cut to frame':>12} {'frame to frame':>14}" if self.gateway else ""
        print(f"{'users':>5}  {'sizes in join order':<30} {'free':>5} {'handoffs':>8}  {'to desktop':>10} "
              f"{'interruption':>12}{switch}  paper")

    def join(self, number):
        name = user_name(number)
        before = {row["id"]: row for row in self.site.sessions()}
        seen = self.site.last_event()
        started = time.monotonic()
        try:
            session = self.site.open(name, number)
        except BatonFailed as failed:
            return self.refusal(number, name, failed, before)
        watcher = self.site.watch(name, session)
        to_desktop = watcher.wait_for_desk(60) - started
        self.site.wait_settled()

        events = self.site.events_after(seen)
        moved = [event for event in events if event["kind"] == "handoff.done"]
        interruptions = [self.interruption(event) for event in moved]
        switches = self.switches_of(events, moved)
        desktops = self.site.desktops_by_session()  # read from the hypervisors
        sizes = [desktops[row["id"]] for row in self.site.sessions()]
        free = self.site.settings.hosts * self.site.settings.largest_mib - sum(desktops.values())
        row = {"users": number, "sizes_mib": sizes, "free_mib": free, "handoffs": len(moved),
               "to_desktop_s": to_desktop, "interruption_s": interruptions, "switch_ms": switches}
        verdict = "-"
        if self.paper:
            row["difference"] = table3.compare(number, self.site.settings.largest_mib, sizes, free, len(moved))
            verdict = row["difference"] or ("as in the paper" if number != 9 else "as by the rule (the paper's row 9 is a slip)")
            if row["difference"]:
                self.problems.append(f"row {number}: {row['difference']}")
        self.rows.append(row)
        shown = ", ".join(milliseconds(value) for value in interruptions) or "-"
        switch = ""
        if self.gateway:
            cut, frames = (", ".join(f"{one[key]:.0f} ms" for one in switches) or "-"
                           for key in ("cut_to_frame_ms", "frame_to_frame_ms"))
            switch = f" {cut:>12} {frames:>14}"
        print(f"{number:>5}  {table3.text(sizes):<30} {table3.gib(free):>5} {len(moved):>8}  "
              f"{to_desktop:>8.2f} s {shown:>12}{switch}  {verdict}", flush=True)

        self.write_diary(name)
        for event in moved:
            self.write_diary(self.site.user_of(event["subject"]))
        return True

    def interruption(self, event):
        """From the moment the old desktop was told to let go until the first frame with the desk mounted again."""
        data = event["data"]
        user = self.site.user_of(event["subject"])
        watcher = self.site.watchers[user]
        shown = watcher.wait_for_fence(data["fence"], 30)
        return shown - data["released_at_ns"] / 1e9

    def switches_of(self, events, moved):
        """What the gateway told of these handoffs: until the new desktop's first complete picture was sent on, from the
        moment when the viewer was cut off the old desktop, and from the old desktop's last frame (which it may have drawn
        long before, with nothing to show). Each must have been switched, and no viewer lost."""
        if not self.gateway:
            return []
        found = []
        for event in moved:
            told = [one["data"] for one in events if one["kind"] == "route.switched" and one["subject"] == event["subject"]]
            if not told:
                self.problems.append(f"the gateway told of no switch in the handoff of {self.site.user_of(event['subject'])}")
            if any(switch["lost"] for switch in told):
                self.problems.append(f"the gateway lost a viewer of {self.site.user_of(event['subject'])}")
            found += told
        self.switches += found
        return found

    def refusal(self, number, name, failed, before):
        self.refused = failed.text
        after = {row["id"]: row for row in self.site.sessions()}
        print(f"{number:>5}  refused: {failed.text.removeprefix('baton: ')}")
        if self.paper and number <= table3.MOST_USERS:
            self.problems.append(f"{name} was refused, the paper admits {table3.MOST_USERS}")
        if set(before) != set(after):
            self.problems.append(f"the refusal of {name} changed who is in")
        return False

    # -- what people write ----------------------------------------------------------------------

    def write_diary(self, name):
        """Types a line into the person's own file through their screen, and waits until it is on their desk."""
        lines = self.lines.setdefault(name, [])
        line = f"{name}-{len(lines) + 1}"
        self.site.type_line(name, f"echo {line} >> diary; sync")
        lines.append(line)

    def check_desks(self):
        for name in list(self.lines):
            if name in self.site.sessions_by_user:
                self.site.close(name)
        self.site.wait_settled()
        self.intact = 0
        for name, lines in self.lines.items():
            found = self.site.read_from_desk(name, "diary").split()
            if found == lines:
                self.intact += 1
            else:
                self.problems.append(f"the desk of {name} has {found} instead of {lines}")

    def check_images(self):
        self.untouched = self.site.image_untouched()
        if not self.untouched:
            self.problems.append(f"the OS image {self.site.image_id} has changed")

    # -- leaving --------------------------------------------------------------------------------

    def leave_all(self):
        present = [row["user"] for row in self.site.sessions()]
        print(f"\nPeople leave; the others' desktops grow back.\n\n{'users':>5}  {'sizes in join order':<30} {'free':>5} "
              f"{'handoffs':>8}")
        for name in reversed(present[1:]):
            seen = self.site.last_event()
            self.site.close(name)
            self.site.wait_settled()
            events = self.site.events_after(seen)
            moved = [event for event in events if event["kind"] == "handoff.done"]
            for event in moved:
                self.interruption(event)
            self.switches_of(events, moved)
            desktops = self.site.desktops_by_session()
            rows = self.site.sessions()
            sizes = [desktops[row["id"]] for row in rows]
            free = self.site.settings.hosts * self.site.settings.largest_mib - sum(desktops.values())
            self.leaves.append({"users": len(rows), "sizes_mib": sizes, "free_mib": free, "handoffs": len(moved)})
            print(f"{len(rows):>5}  {table3.text(sizes):<30} {table3.gib(free):>5} {len(moved):>8}", flush=True)
            for event in moved:
                self.write_diary(self.site.user_of(event["subject"]))
        if self.leaves and self.leaves[-1]["sizes_mib"] and max(self.leaves[-1]["sizes_mib"]) <= min(
                row["sizes_mib"][-1] for row in self.rows[-1:]):
            self.problems.append("nobody's desktop grew back although everybody else has left")

    # -- the end --------------------------------------------------------------------------------

    def summary(self):
        joined = len(self.rows)
        good = sum(1 for row in self.rows if not row.get("difference"))
        interruptions = [value for row in self.rows for value in row["interruption_s"]]
        print()
        if self.paper:
            print(f"Table 3:       {good} of {min(self.users, table3.MOST_USERS)} rows as in the paper (row 9 by the rule)")
            if good < min(self.users, table3.MOST_USERS) and not self.problems:
                self.problems.append("rows are missing")
        if self.users > table3.MOST_USERS and self.paper and not self.refused:
            self.problems.append("nobody was refused")
        print(f"Desks intact:  {self.intact} of {joined}")
        print(f"OS image:      {'untouched' if self.untouched else 'CHANGED'} ({self.site.image_id})")
        if interruptions:
            print(f"Handoffs:      {len(interruptions)} while joining; interruption median "
                  f"{milliseconds(statistics.median(interruptions))}, longest {milliseconds(max(interruptions))}")
        if self.gateway:
            self.say_switches()
        print(f"To desktop:    median {statistics.median(row['to_desktop_s'] for row in self.rows):.2f} s, longest "
              f"{max(row['to_desktop_s'] for row in self.rows):.2f} s (from `session open` to a frame with the desk)")
        for problem in self.problems:
            print(f"PROBLEM:       {problem}")
        return not self.problems

    def say_switches(self):
        for name, key in (("Cut to frame", "cut_to_frame_ms"), ("Frame to frame", "frame_to_frame_ms")):
            times = [switch[key] for switch in self.switches]
            if times:
                print(f"{name + ':':<14} {len(times)} switches while joining and leaving, as the gateway tells: median "
                      f"{statistics.median(times):.0f} ms, longest {max(times):.0f} ms")
        print(f"Viewers:       {self.drops} lost their connection over all handoffs")

    def record(self):
        return json.loads(json.dumps({
            "image": self.site.image_id, "route": self.site.settings.route, "switches": self.switches,
            "viewers_lost": self.drops, "largest_mib": self.site.settings.largest_mib, "hosts": self.site.settings.hosts,
            "joins": self.rows, "refused": self.refused, "leaves": self.leaves, "desks_intact": self.intact,
            "os_image_untouched": self.untouched, "problems": self.problems}))
