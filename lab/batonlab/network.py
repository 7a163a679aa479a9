"""The lab's network, after Figure 1 of the first paper.

    clients 10.98.0.0/24 --- boot server --- hosts 10.99.0.0/24 --- desktops 10.101.N.0/24 (behind host N)
                                  |
                            outside 10.97.0.0/24

Each box is a network namespace. The namespaces' names live in a /run of our own (a tmpfs in our mount namespace), so
they vanish with the last process.
"""
import os
import pathlib
import subprocess

OUTSIDE_NETWORK = "10.97.0.0/24"
CLIENT_NETWORK = "10.98.0.0/24"
HOST_NETWORK = "10.99.0.0/24"
BOOT_OUTSIDE, OUTSIDE = "10.97.0.2", "10.97.0.1"
BOOT_CLIENTS = "10.98.0.1"
BOOT_HOSTS = "10.99.0.1"
FIRST_CLIENT = 50


def run(*command, check=True, **keywords):
    """Runs a command; its error output becomes the exception's text."""
    done = subprocess.run(command, text=True, capture_output=True, **keywords)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip() or done.returncode}")
    return done.stdout


def host_address(number):
    return f"10.99.0.{10 + number}"


def desktop_network(number):
    return f"10.101.{number}.0/24"


def client_address(number):
    return f"10.98.0.{FIRST_CLIENT + number}"


class Network:
    """Makes the namespaces boot, outside, host1.., client1.. and the wires between them."""

    def __init__(self, hosts, clients):
        self.hosts = hosts
        self.clients = clients

    def up(self):
        run("ip", "netns", "add", "boot")
        for bridge, address in (("clients", BOOT_CLIENTS), ("hosts", BOOT_HOSTS)):
            run("ip", "-n", "boot", "link", "add", bridge, "type", "bridge", "stp_state", "0", "forward_delay", "0")
            run("ip", "-n", "boot", "addr", "add", f"{address}/24", "dev", bridge)
            run("ip", "-n", "boot", "link", "set", bridge, "up")
        self._loopback("boot")
        self._write("boot", "/proc/sys/net/ipv4/ip_forward", "1")

        self._box("outside", "outside", None, f"{OUTSIDE}/24", None)
        run("ip", "-n", "boot", "addr", "add", f"{BOOT_OUTSIDE}/24", "dev", "outside")
        for number in range(1, self.hosts + 1):
            self._box(f"host{number}", f"host{number}", "hosts", f"{host_address(number)}/24", BOOT_HOSTS)
            self._write(f"host{number}", "/proc/sys/net/ipv4/ip_forward", "1")
            run("ip", "-n", "boot", "route", "add", desktop_network(number), "via", host_address(number))
        for number in range(1, self.clients + 1):
            self._box(f"client{number}", f"client{number}", "clients", f"{client_address(number)}/24", BOOT_CLIENTS)

    def _loopback(self, namespace):
        run("ip", "-n", namespace, "link", "set", "lo", "up")

    def _write(self, namespace, path, text):
        run("ip", "netns", "exec", namespace, "sh", "-c", f"echo {text} > {path}")

    def _box(self, namespace, wire, bridge, address, gateway):
        """A namespace with one interface eth0, whose other end `wire` is in the boot server."""
        run("ip", "netns", "add", namespace)
        self._loopback(namespace)
        run("ip", "link", "add", "name", wire, "netns", "boot", "type", "veth",
            "peer", "name", "eth0", "netns", namespace)
        if bridge:
            run("ip", "-n", "boot", "link", "set", wire, "master", bridge)
        run("ip", "-n", "boot", "link", "set", wire, "up")
        run("ip", "-n", namespace, "addr", "add", address, "dev", "eth0")
        run("ip", "-n", namespace, "link", "set", "eth0", "up")
        if gateway:
            run("ip", "-n", namespace, "route", "add", "default", "via", gateway)


def private_run():
    """A /run and a /tmp of our own: short socket paths, and nothing left on the machine."""
    for folder in ("/run", "/tmp"):
        run("mount", "-t", "tmpfs", "-o", "mode=1777,size=2g", "baton-lab", folder)
    for folder in ("/run/netns", "/run/lock", "/run/user", "/run/baton"):
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)


def inside(namespace, command):
    """`command` as it runs in a namespace."""
    return ["ip", "netns", "exec", namespace, *command]


def path_of_namespace(namespace):
    return os.path.join("/run/netns", namespace)
