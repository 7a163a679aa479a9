"""`--stay`: the site stays up for a person to try, with screens as unix sockets that a viewer on the machine opens."""
import pathlib
import shutil
import signal

from . import network, table3

PEOPLE = ("alice", "bob", "kim")


class Guests:
    def __init__(self, site):
        self.site = site
        self.folder = pathlib.Path(site.settings.state) / "screens"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()

    def relay(self, name, port):
        """A socket on the machine's own file system that leads, from the client's network, to the person's route."""
        path = self.folder / name
        self.site.processes.start(f"screen-{name}", [
            "socat", f"UNIX-LISTEN:{path},fork,mode=600", f"TCP:{network.BOOT_CLIENTS}:{port}"], "client1")
        return path

    def welcome(self):
        print("\nThe site stays up. Three people are at work:\n")
        for name in PEOPLE:
            session = self.site.open(name)
            path = self.relay(name, session["route"]["listen_port"])
            memory = table3.gib(session["desktop"]["memory_mib"])
            print(f"  {name:<6} {memory:>4} GiB on {session['desktop']['host']}   vncviewer {path}   "
                  f"(password {session['screen_password']})", flush=True)
        self.site.wait_settled()
        print("\nFrom another terminal:\n"
              "  lab/enter boot baton session list              who has what\n"
              "  lab/enter boot baton session watch             the same, live\n"
              "  lab/enter boot baton session open dave --client "
              f"{network.client_address(1)}   (after: baton user add dave --no-password; baton desk create dave --owner dave)\n"
              "  lab/enter boot baton session grow kim          a handoff to a larger desktop\n"
              "  lab/enter host1 virsh list                     the machines behind it\n\n"
              "Ctrl-C ends the lab and everything in it.", flush=True)

    def wait(self):
        while True:
            signal.pause()


def stay(site):
    guests = Guests(site)
    guests.welcome()
    guests.wait()
