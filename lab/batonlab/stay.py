"""`--stay`: the site stays up for a person to try.

With ports of the boot server (nat) each person's screen is a unix socket that a viewer on the machine opens. A gateway's
certificate is for its address, so that a viewer goes to it from inside the clients' network.
"""
import pathlib
import shutil
import signal

from . import network, table3
from .site import GATEWAY_VNC_PORT

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

    def by_port(self, name, session):
        path = self.relay(name, session["route"]["listen_port"])
        return f"vncviewer {path}   (password {session['screen_password']})"

    def by_gateway(self, name, session):
        return f"user {name}, password {self.site.password_of(name)}"

    def welcome(self):
        gateway = self.site.settings.route == "gateway"
        print("\nThe site stays up. Three people are at work:\n")
        for name in PEOPLE:
            session = self.site.open(name)
            memory = table3.gib(session["desktop"]["memory_mib"])
            how = self.by_gateway(name, session) if gateway else self.by_port(name, session)
            print(f"  {name:<6} {memory:>4} GiB on {session['desktop']['host']}   {how}", flush=True)
        self.site.wait_settled()
        if gateway:
            print("\nA viewer for any of them; the person is asked for by name and password, and the viewer stays over every "
                  "handoff:\n"
                  f"  lab/enter --network client1 vncviewer -SecurityTypes=X509Plain -X509CA={self.site.viewer_authority} "
                  f"{network.BOOT_CLIENTS}::{GATEWAY_VNC_PORT}")
        print("\nFrom another terminal:\n"
              "  lab/enter boot baton session list              who has what\n"
              "  lab/enter boot baton session watch             the same, live\n"
              f"  lab/enter boot baton session open dave{self.route_text()}   (after: baton user add dave; "
              "baton desk create dave --owner dave)\n"
              "  lab/enter boot baton session grow kim          a handoff to a larger desktop\n"
              "  lab/enter host1 virsh list                     the machines behind it\n\n"
              "Ctrl-C ends the lab and everything in it.", flush=True)

    def route_text(self):
        return "".join(f" {word}" for word in self.site.route_words())

    def wait(self):
        while True:
            signal.pause()


def stay(site):
    guests = Guests(site)
    guests.welcome()
    guests.wait()
