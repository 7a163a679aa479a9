"""A whole site: boot server (batond, baton-helper, baton-deskd), hosts (libvirtd, baton-hostd) and clients."""
import dataclasses
import json
import os
import pathlib
import re
import subprocess
import sys
import time

from . import network
from .baton import Baton
from .process import Processes, StartFailed, unix_socket_answers, wait_for
from .screen import Access, Watcher

# Short, because sockets live below it and their paths have 107 characters at most.
SITE = pathlib.Path("/mnt/site")
API_PORT = 8443
DESKD_PORT = 8445
GATEWAY = "gate1"
GATEWAY_VNC_PORT = 5900
GATEWAY_WEB_PORT = 8444
RELAY_PORT = 5899  # baton-hostd's own default


@dataclasses.dataclass
class SiteSettings:
    build: pathlib.Path
    state: pathlib.Path
    hosts: int = 2
    clients: int = 2
    largest_mib: int = 4096
    levels: int = 4
    image: str = "tiny"
    grace_seconds: float = 0
    grow_when_leaving: bool = True
    route: str = "gateway"  # or "nat", the paper's

    def __post_init__(self):
        if self.route not in ("gateway", "nat"):
            raise StartFailed(f"'{self.route}' is no route: choose gateway or nat")


def toml(tables):
    """A TOML text of {"table": {"key": value}}."""
    lines = []
    for name, table in tables.items():
        lines.append(f"[{name}]" if name else "")
        for key, value in table.items():
            lines.append(f"{key} = {json.dumps(value)}")
        lines.append("")
    return "\n".join(lines)


class Site:
    def __init__(self, settings):
        self.settings = settings
        self.bin = settings.build / "bin"
        self.network = network.Network(settings.hosts, settings.clients)
        self.processes = Processes(settings.state / "logs")
        self.watchers = {}
        self.screens = {}  # user -> Access
        self.earlier_drops = 0  # of watchers that have ended
        self.sessions_by_user = {}
        self.hosts = []
        self.image_id = settings.image
        self.baton = None

    # -- up and down ----------------------------------------------------------------------------

    def up(self):
        self._folders()
        self._image()
        self.network.up()
        self._boot_server()
        for number in range(1, self.settings.hosts + 1):
            self._host(number)
        wait_for("the hosts", self.hosts_connected, 60, self.processes.running)
        if self.settings.route == "gateway":
            self._gateway()

    def down(self):
        self.stop_watching()
        self.processes.stop_all()

    def _folders(self):
        kept = self.settings.state / "site"
        kept.mkdir(parents=True, exist_ok=True)
        network.run("mount", "-t", "tmpfs", "-o", "size=1m", "baton-lab", "/mnt")
        SITE.mkdir()
        network.run("mount", "--bind", str(kept), str(SITE))

    def _image(self):
        """Built once, kept in the build folder between runs."""
        library, cache = self.settings.build / "images", self.settings.build / "image-cache"
        program = str(self.bin / "baton")
        print(f"OS image '{self.settings.image}': ", end="", flush=True)
        started = time.monotonic()
        done = subprocess.run([program, "os", "build", self.settings.image, "--library", str(library), "--cache",
                               str(cache), "--json"], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env={**os.environ, "TMPDIR": str(self.settings.state)})
        if done.returncode != 0:
            print("failed")
            raise StartFailed(f"the OS image could not be built: {done.stderr.strip()}")
        self.image_id = json.loads(done.stdout)["id"]
        self.library = library
        print(f"{self.image_id} ({time.monotonic() - started:.1f} s)")

    def _boot_server(self):
        batond = SITE / "batond"
        self.config = SITE / "batond.toml"
        self.config.write_text(toml({
            "listen": {"address": [network.BOOT_HOSTS, network.BOOT_CLIENTS], "port": API_PORT,
                       "local_socket": "/run/baton/batond.sock",
                       "public_url": f"https://{network.BOOT_HOSTS}:{API_PORT}"},
            "state": {"dir": str(batond)},
            "images": {"folder": str(self.library), "default": self.image_id},
            "desks": {"server": f"https://{network.BOOT_HOSTS}:{DESKD_PORT}", "size": "1GiB"},
            "routing": {"helper_socket": "/run/baton/helper.sock", "viewer_address": network.BOOT_CLIENTS},
            "allocation": {"largest": f"{self.settings.largest_mib}MiB", "levels": self.settings.levels,
                           "no_host_reserve": True, "grow_when_leaving": self.settings.grow_when_leaving},
            "handoff": {"grace": f"{int(self.settings.grace_seconds * 1000)}ms", "close_grace": "2s"},
        }))
        self.start_helper()
        self.start_batond()
        self.baton = Baton(self.bin / "baton", "boot",
                           {"BATON_CONTROLLER": "unix:/run/baton/batond.sock",
                            "BATON_TOKEN_FILE": str(batond / "admin.token")})
        self.start_deskd()

    def start_helper(self):
        config = SITE / "helper.toml"
        desktops = [network.desktop_network(number) for number in range(1, self.settings.hosts + 1)]
        config.write_text(
            f'clients = [{{ interface = "clients", network = "{network.CLIENT_NETWORK}" }}]\n'
            f'hosts = {{ interface = "hosts", network = "{network.HOST_NETWORK}" }}\n'
            f"desktops = {json.dumps(desktops)}\n"
            f'outside = "outside"\n')
        self.helper = self.processes.start(
            "helper", [str(self.bin / "baton-helper"), "--socket", "/run/baton/helper.sock", "--allow-uid", "0",
                       "--config", str(config)], "boot")
        wait_for("baton-helper's socket", unix_socket_answers("/run/baton/helper.sock"), 10, [self.helper])

    def start_batond(self):
        self.batond = self.processes.start("batond", [str(self.bin / "batond"), "--config", str(self.config)], "boot")
        wait_for("batond's socket", unix_socket_answers("/run/baton/batond.sock"), 20, [self.batond])

    def start_deskd(self):
        pki = SITE / "batond" / "pki"
        config = SITE / "deskd.toml"
        config.write_text(toml({
            "listen": {"address": network.BOOT_HOSTS, "port": DESKD_PORT},
            "tls": {"certificate": str(pki / "deskd/server-cert.pem"), "key": str(pki / "deskd/server-key.pem"),
                    "authority": str(pki / "deskd/ca-cert.pem")},
            "desks": {"folder": str(SITE / "desks")},
            "exports": {"runtime": "/run/baton/deskd", "address": network.BOOT_HOSTS},
        }))
        self.deskd = self.processes.start("deskd", [str(self.bin / "baton-deskd"), "--config", str(config)], "boot")
        wait_for("baton-deskd", lambda: self._answers(network.BOOT_HOSTS, DESKD_PORT), 20, [self.deskd])

    def _answers(self, address, port):
        done = subprocess.run(network.inside("boot", ["bash", "-c", f"exec 3<>/dev/tcp/{address}/{port}"]),
                              capture_output=True)
        return done.returncode == 0

    # -- the gateway ----------------------------------------------------------------------------

    def _gateway(self):
        self.gateway_state = SITE / "gateway"
        joined = subprocess.run(network.inside("boot", [
            str(self.bin / "baton-gateway"), "join", "--token", self.invite_gateway(GATEWAY), "--name", GATEWAY,
            "--address", network.BOOT_CLIENTS, "--state", str(self.gateway_state)]), text=True, capture_output=True)
        if joined.returncode != 0:
            raise StartFailed(f"{GATEWAY} could not join: {joined.stderr.strip()}")
        # people on the machine look at it from outside the lab too: see stay.py
        self.viewer_authority = self.settings.state / "gateway-ca.pem"
        self.viewer_authority.write_bytes((self.gateway_state / "pki" / "ca-cert.pem").read_bytes())
        self.start_gateway()

    def invite_gateway(self, name):
        """A one-time token for a new gateway."""
        return self.baton.json("gateway", "invite", name)["token"]

    def start_gateway(self):
        self.gateway = self.processes.start("gateway", [
            str(self.bin / "baton-gateway"), "run", "--state", str(self.gateway_state),
            "--vnc", f"{network.BOOT_CLIENTS}:{GATEWAY_VNC_PORT}",
            "--web", f"{network.BOOT_CLIENTS}:{GATEWAY_WEB_PORT}"], "boot")
        wait_for("the gateway", self.gateway_connected, 20, [self.gateway])

    def gateway_connected(self):
        return any(row["id"] == GATEWAY and row["connected"] for row in self.baton.json("gateway", "list"))

    def _host(self, number):
        name = f"host{number}"
        state = SITE / f"agent{number}"
        token = self.baton.json("host", "invite", name)["token"]
        joined = subprocess.run(network.inside(name, [
            str(self.bin / "baton-hostd"), "join", "--controller", f"https://{network.BOOT_HOSTS}:{API_PORT}",
            "--token", token, "--name", name, "--state", str(state),
            "--address", network.host_address(number), "--memory", f"{self.settings.largest_mib}MiB"]), text=True, capture_output=True)
        if joined.returncode != 0:
            raise StartFailed(f"{name} could not join: {joined.stderr.strip()}")
        config = SITE / f"{name}.toml"
        config.write_text(toml({
            "controller": {"url": f"https://{network.BOOT_HOSTS}:{API_PORT}"},
            "host": {"state_dir": str(state), "memory": f"{self.settings.largest_mib}MiB",
                     "screen_address": network.host_address(number)},
            "images": {"folder": str(SITE / f"images{number}")},
            "network": {"bridge": "desktops", "subnet": network.desktop_network(number)},
        }))
        # the loop: an agent that is killed comes back, as a service manager would bring it back; its desktops stay
        agent = f'while :; do "{self.bin}/baton-hostd" run --config "{config}"; sleep 0.2; done'
        process = self.processes.start(name, [
            str(self.settings.build.parent / "lab" / "with-libvirtd"), "--state", str(SITE / name), "--address",
            network.host_address(number), "--pki", str(state / "pki"), "--keep-net", "--", "bash", "-c", agent], name)
        self.hosts.append({"name": name, "process": process,
                           "uri": f"qemu+unix:///system?socket={SITE / name}/sock/libvirt-sock"})
        if self.settings.route == "gateway":
            relay = self.processes.start(f"screens{number}", [str(self.bin / "baton-hostd"), "screens", "--config",
                                                              str(config)], name)
            # said by itself: a probe would be a handshake that fails
            wait_for(f"the relay of {name}", lambda: "listening on" in relay.tail(), 20, [relay])
            self.hosts[-1]["relay"] = relay

    def hosts_connected(self):
        connected = [row for row in self.baton.json("host", "list") if row["connected"]]
        return len(connected) == self.settings.hosts

    # -- people ---------------------------------------------------------------------------------

    def add_person(self, name):
        if name in {row["name"] for row in self.baton.json("user", "list")}:
            return
        self.baton.text("user", "add", name, "--password-stdin", stdin=self.password_of(name) + "\n")
        self.baton.text("desk", "create", name, "--owner", name)

    @staticmethod
    def password_of(name):
        """With which a person logs in."""
        return f"{name}-in-the-lab"

    def route_words(self):
        """How `baton session open` is told the route."""
        return ["--route", "gateway"] if self.settings.route == "gateway" else ["--client", network.client_address(1)]

    def open(self, name, client=1):
        self.add_person(name)
        session = self.baton.json("session", "open", name, "--quiet", "--image", self.image_id, *self.route_words())
        if session["route"]["kind"] != self.settings.route:
            raise StartFailed(f"the session of {name} is reached by {session['route']}, not by {self.settings.route}")
        self.sessions_by_user[name] = session["id"]
        return session

    def close(self, name):
        if name in self.watchers:
            self.stop_watcher(name)
        self.baton.text("session", "close", self.sessions_by_user.pop(name))

    def sessions(self):
        """Those that are open, in join order."""
        return [row for row in self.baton.json("session", "list") if row["phase"] != "closed"]

    def user_of(self, session_id):
        for name, session in self.sessions_by_user.items():
            if session == session_id:
                return name
        raise StartFailed(f"nobody has the session {session_id}")

    def wait_settled(self, seconds=120):
        """Until nothing is under way: every session serves, and every desktop that runs belongs to one."""
        def settled():
            rows = self.sessions()
            return all(row["phase"] == "serving" and not row["move"] for row in rows)
        wait_for("every session to serve", settled, seconds, [self.batond])

    # -- what the hypervisors say ----------------------------------------------------------------

    def virsh(self, host, *words):
        return network.run("virsh", "-q", "-c", host["uri"], *words)

    def domains(self):
        """(host name, domain name, MiB, metadata XML) of every running domain, straight from each libvirtd."""
        found = []
        for host in self.hosts:
            for name in self.virsh(host, "list", "--name").split():
                info = self.virsh(host, "dominfo", name)
                mib = int(re.search(r"Max memory:\s+(\d+) KiB", info).group(1)) // 1024
                found.append((host["name"], name, mib, self.virsh(host, "dumpxml", name)))
        return found

    def desktops_by_session(self):
        """MiB of each session's desktop as its hypervisor reports it."""
        sizes = {}
        for _, _, mib, xml in self.domains():
            session = re.search(r'session="?>?(s-[0-9a-z]+)|<[^>]*session>(s-[0-9a-z]+)<', xml)
            if not session:
                raise StartFailed("a domain has no session in its metadata")
            key = session.group(1) or session.group(2)
            if key in sizes:
                raise StartFailed(f"the session {key} has two desktops although nothing is under way")
            sizes[key] = mib
        return sizes

    # -- events ---------------------------------------------------------------------------------

    def events_after(self, seq):
        text = self.baton.text("events", "--after", str(seq), "--json")
        return [json.loads(line) for line in text.splitlines() if line.strip()]

    def last_event(self):
        events = self.events_after(0)
        return events[-1]["seq"] if events else 0

    def event_seen(self, kind, subject):
        return any(event["kind"] == kind and event["subject"] == subject for event in self.events_after(0))

    # -- screens --------------------------------------------------------------------------------

    def access(self, name, session):
        """Where the person's viewer connects, and with what."""
        if self.settings.route == "gateway":
            return Access(network.BOOT_CLIENTS, GATEWAY_VNC_PORT, self.password_of(name), name, str(self.viewer_authority))
        return Access(network.BOOT_CLIENTS, session["route"]["listen_port"], session["screen_password"])

    def watch(self, name, session):
        self.screens[name] = self.access(name, session)
        self.watchers[name] = Watcher(self.bin / "baton-screen", "client1", self.screens[name])
        return self.watchers[name]

    def stop_watcher(self, name):
        watcher = self.watchers.pop(name)
        watcher.stop()
        self.earlier_drops += watcher.drops

    def stop_watching(self):
        for name in list(self.watchers):
            self.stop_watcher(name)

    def drops(self):
        """How often a connection ended under somebody who looked on, as their viewers saw it."""
        return self.earlier_drops + sum(watcher.drops for watcher in self.watchers.values())

    def screen(self, name, *words):
        command = [str(self.bin / "baton-screen"), words[0], *self.screens[name].words(), *words[1:]]
        return network.run(*network.inside("client1", command))

    def type_line(self, name, line):
        self.screen(name, "type", line + "\n")
        # typed is not done: the shell's own answer would be on the screen, but what counts is on the desk, which is
        # looked at when the session has ended

    def picture(self, name, path):
        self.screen(name, "shot", "--out", str(path))

    # -- desks and images -----------------------------------------------------------------------

    def read_from_desk(self, name, path):
        """A file of the person's home, read from the image at rest, without mounting it."""
        image = SITE / "desks" / f"{name}.desk"
        done = subprocess.run(["debugfs", "-R", f"cat /fwd/home/{name}/{path}", f"{image}?offset=1048576"],
                              text=True, capture_output=True)
        return done.stdout

    def image_untouched(self):
        try:
            network.run(str(self.bin / "baton"), "os", "verify", self.image_id, "--library", str(self.library))
            for number in range(1, self.settings.hosts + 1):
                brought = SITE / f"images{number}"
                if (brought / self.image_id).exists():  # a host that never had a desktop has no image
                    network.run(str(self.bin / "baton"), "os", "verify", self.image_id, "--library", str(brought))
            return True
        except RuntimeError as error:
            print(error, file=sys.stderr)
            return False
