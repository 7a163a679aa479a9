"""batond with real hosts whose virtual machines are those of libvirt's test driver, for tests of the samples."""
import json
import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "control"))
from control_site import BATON, BATOND, BUILD, PATIENCE, Site  # noqa: E402, F401

HOSTD = str(BUILD / "bin" / "baton-hostd")
INTERVAL_MS = 200  # of the hosts' monitors: several readings a second, one of which is kept

REAL = """
[images]
folder = "{folder}/images"
[routing]
helper_socket = "{folder}/no-helper.sock"
[desks]
server = "https://127.0.0.1:1"
[samples]
store = "{store}"
"""

HOSTD_CONFIG = """
[controller]
url = "{url}"
[host]
state_dir = "{state}"
memory = "8GiB"
screen_address = "{address}"
[libvirt]
uri = "test://{state}/node.xml"
kvm = false
[monitor]
interval_ms = {interval}
guest_interval_ms = 1000
"""

DOMAIN = """<domain type='test'><name>{name}</name><uuid>{uuid}</uuid><memory unit='MiB'>64</memory><vcpu>2</vcpu>
<os><type>hvm</type></os></domain>"""


def wait_for(what, ready, patience=PATIENCE):
    """Asks again and again; what `ready` gives when it is true."""
    end = time.monotonic() + patience
    while True:
        found = ready()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {patience} s: {what}")
        time.sleep(0.1)


class MeasuredSite(Site):
    """Two hosts with two virtual machines each. The port stays when batond is started again."""

    def __init__(self, store="sqlite", tmpfs=None):
        super().__init__()
        self.tmpfs = tmpfs  # a folder under self.folder that gets a file system of this size, of batond's alone
        self.hosts = {}
        self.port = 0
        self.store = store
        self.configure()

    def configure(self):
        text = self.config.read_text(encoding="utf-8").split("[simulate]")[0].split("\n[images]")[0]
        lines = [f"port = {self.port}" if line.startswith("port = ") else line for line in text.splitlines()]
        self.config.write_text("\n".join(lines) + REAL.format(folder=self.folder, store=self.store.format(folder=self.folder)), encoding="utf-8")

    def command(self):
        words = [BATOND, "--config", str(self.config)]
        if self.tmpfs is None:
            return words
        (self.folder / "small").mkdir(exist_ok=True)
        mount = f"mount -t tmpfs -o size={self.tmpfs} tmpfs '{self.folder}/small' && exec \"$@\""
        return ["unshare", "--mount", "sh", "-c", mount, "sh", *words]

    def inside(self, path):
        """A path as batond sees it."""
        return pathlib.Path(f"/proc/{self.process.pid}/root{self.folder}") / path

    def start(self):
        super().start()
        self.port = int(next(url for url in self.urls if url.startswith("https")).rsplit(":", 1)[1])
        self.configure()

    def __enter__(self):
        super().__enter__()
        try:
            for number in (1, 2):
                self.add_host(number)
        except BaseException:
            self.__exit__(AssertionError)
            raise
        return self

    def add_host(self, number):
        name, address = f"host{number}", f"127.0.0.{number}"
        state = self.folder / name
        token = self.baton("host", "invite", name, "--json").json["token"]
        subprocess.run([HOSTD, "join", "--token", token, "--name", name, "--state", str(state), "--address", address,
                        "--memory", "8GiB"], capture_output=True, timeout=PATIENCE, check=True)
        machines = "".join(DOMAIN.format(name=f"vm-{number}-{one}", uuid=f"00000000-0000-4000-8000-00000000{number:02}{one:02}")
                           for one in (1, 2))
        (state / "node.xml").write_text(f"<node>{machines}</node>", encoding="utf-8")
        config = state / "hostd.toml"
        config.write_text(HOSTD_CONFIG.format(url=f"https://127.0.0.1:{self.port}", state=state, address=address,
                                              interval=INTERVAL_MS), encoding="utf-8")
        self.hosts[name] = subprocess.Popen([HOSTD, "run", "--config", str(config)], stdout=self.log, stderr=self.log)

    def __exit__(self, kind, *rest):
        for host in self.hosts.values():
            host.terminate()
        for host in self.hosts.values():
            host.wait(PATIENCE)
        self.hosts = {}
        super().__exit__(kind, *rest)

    def samples(self):
        """What `baton status` says of them."""
        return self.baton("status", "--json").json["samples"]

    def events(self, kind):
        lines = self.baton("events", "--json").out.splitlines()
        return [event for event in map(json.loads, lines) if event["kind"] == kind]

    def points(self, who, *more):
        """By `baton history`; none yet is none."""
        result = self.baton("history", who, "--json", "--last", "10m", *more, status=None, **self.quiet)
        return result.json["points"] if result.status == 0 else []

    quiet = {"BATON_SAMPLES": None}

    def wait_until_kept(self, *more, count=1):
        for who in ("host1", "host2", "vm-1-1", "vm-2-2"):
            wait_for(f"{count} samples of {who}", lambda who=who: len(self.points(who, *more)) >= count)


class MariadbServer:
    """A real server for this test alone, with one empty database."""

    def __enter__(self):
        self.process = subprocess.Popen([str(BUILD / "tests" / "mariadb_for_test"), "samples"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()
        if not self.url:
            self.__exit__()
            raise AssertionError("MariaDB does not start")
        return self

    def tell(self, word):
        """k: kill -9; s: start again over the same data. Returns when it is done."""
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        if not self.process.stdout.readline():
            raise AssertionError("the MariaDB server's helper has ended")

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(PATIENCE)
        self.process.stdout.close()


def needs_root():
    assert os.geteuid() == 0, "this test mounts a small file system for batond alone: run it as root"
