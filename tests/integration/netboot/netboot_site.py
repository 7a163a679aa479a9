"""A boot server of its own in the network namespaces of tests/support/with-routing-network, which see: batond, the service
for DHCP and TFTP, and PCs without a disk (QEMU without KVM) on the clients' network."""
import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

BUILD = pathlib.Path(os.environ["BATON_BUILD"])
BATON = str(BUILD / "bin" / "baton")
BATOND = str(BUILD / "bin" / "batond")
SITE = BUILD / "netboot-site"
SCREENS = BUILD / "screens"
ADDRESS = "10.98.0.1"
RANGE = ("--range", "10.98.0.100,10.98.0.200")
PREFIX = ("--ipv6-prefix", "fd98::")
FIRMWARE = "/usr/share/OVMF/OVMF_CODE_4M.fd"
SCRIPTS = pathlib.Path(__file__).resolve().parents[3] / "src" / "netboot" / "client" / "root" / "etc" / "baton"
VARIABLES = "/usr/share/OVMF/OVMF_VARS_4M.fd"

CONFIG = """
[listen]
address = ["{address}"]
port = {port}
local_socket = "{folder}/sock"
[state]
dir = "{state}"
[netboot]
folder = "{netboot}"
[samples]
store = "none"
[simulate]
hosts = 1
"""


def wait_for(seen, what, seconds, tick=0.1):
    """The first true value of seen(); there is nothing to be told by."""
    end = time.monotonic() + seconds
    while True:
        found = seen()
        if found:
            return found
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds} s: {what}")
        time.sleep(tick)


class Program:
    """A process that ends with this test, whatever happens; what it says is kept."""

    def __init__(self, name, folder, words, **keywords):
        self.name = name
        self.log_path = pathlib.Path(folder) / f"{name}.log"
        self.log = open(self.log_path, "ab")
        self.begin = self.log.tell()  # a former one of that name may have said something
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, **keywords)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            print(f"--- {self.name} said:\n{self.said()[-4000:]}")
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
            self.process.kill()
        self.process.wait()
        self.log.close()

    def said(self):
        return self.log_path.read_bytes()[self.begin:].decode(errors="replace")

    def wait_said(self, words, seconds=20):
        def look():
            if self.process.poll() is not None:
                raise AssertionError(f"{self.name} has ended: {self.said()[-2000:]}")
            return words in self.said()
        wait_for(look, f"{self.name} says '{words}'", seconds)


def fake_image(netboot, content, sizes=None):
    """A client image of three small files, published and current: for what no PC starts from. `sizes`: bytes by name."""
    arguments, files = "quiet", []
    for name in ("kernel", "initrd", "root.squashfs"):
        data = f"{content} {name}".encode().ljust((sizes or {}).get(name, 0), b".")
        files.append({"name": name, "size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "data": data})
    text = arguments + "\n" + "".join(f"{one['name']} {one['sha256']}\n" for one in files)
    image = "client-" + hashlib.sha256(text.encode()).hexdigest()[:12]
    folder = pathlib.Path(netboot) / "images" / image
    folder.mkdir(parents=True)
    for one in files:
        (folder / one["name"]).write_bytes(one.pop("data"))
    (folder / "manifest.json").write_text(json.dumps({
        "format": "baton-client-image-1", "id": image, "created": time.strftime("%Y-%m-%dT%H:%M:%SZ"), "description": content,
        "kernel_arguments": arguments, "minimum_memory_mib": 512, "inputs_sha256": "", "files": files}))
    current = pathlib.Path(netboot) / "current"
    current.unlink(missing_ok=True)
    current.symlink_to(f"images/{image}")
    return image


def dnsmasqs(server):
    """The process ids of those that run with this server's configuration."""
    wanted = f"--conf-file={server.folder}/run/dnsmasq.conf"
    found = set()
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if wanted.encode() in path.read_bytes().split(b"\0"):
                found.add(path.parent.name)
    return found


class BootServer:
    """Use with `with`. `image`: whether PCs are to start from it; the image is the one of the fixture netboot_image."""

    def __init__(self, image=False, address=ADDRESS, port=8443):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="baton-netboot."))
        self.folder.chmod(0o755)  # dnsmasq gives up root
        self.netboot = self.folder / "netboot"
        self.state = self.folder / "state"
        self.stack = contextlib.ExitStack()
        self.batond = self.service = None
        if image:
            shutil.copytree(SITE / "state", self.state)
            shutil.copytree(SITE / "netboot", self.netboot, symlinks=True)
            (self.netboot / "settings.json").unlink(missing_ok=True)
        else:
            self.netboot.mkdir()
        self.netboot.chmod(0o755)
        self.config = self.folder / "batond.toml"
        self.config.write_text(CONFIG.format(address=address, port=port, folder=self.folder, state=self.state, netboot=self.netboot))

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.stack.__exit__(kind, value, trace)
        shutil.rmtree(self.folder)

    def start_batond(self):
        self.batond = self.stack.enter_context(Program("batond", self.folder, [BATOND, "--config", str(self.config)]))
        self.batond.wait_said("admin token in")

    def start_service(self):
        self.service = self.stack.enter_context(Program("service", self.folder, [
            BATON, "netboot", "serve", "--folder", str(self.netboot), "--run-folder", str(self.folder / "run")]))

    def run(self, *words, status=0, prefix=(), typed=""):
        environment = {**os.environ, "BATON_NETBOOT": str(self.netboot), "BATON_CONTROLLER": f"unix:{self.folder}/sock",
                       "BATON_TOKEN_FILE": str(self.state / "admin.token"), "HOME": str(self.folder)}
        done = subprocess.run([*prefix, BATON, *words], capture_output=True, text=True, timeout=1500, env=environment,
                              input=typed, check=False)
        if status is not None and done.returncode != status:
            raise AssertionError(f"baton {' '.join(words)}: exit status {done.returncode}, not {status}\n"
                                 f"{done.stdout}{done.stderr}")
        return done

    def json(self, *words, status=0):
        return json.loads(self.run(*words, "--json", status=status).stdout)

    def enable(self, *more):
        self.run("netboot", "enable", "--interface", "clients", "--address", ADDRESS, *(more or (*RANGE, *PREFIX)))

    def serve_all(self, *more):
        self.start_batond()
        self.enable(*more)
        self.start_service()
        self.service.wait_said("dnsmasq runs")
        self.batond.wait_said("files for PCs at")

    def client(self, mac):
        """What the controller knows of a PC; None until it has said that it is up."""
        done = self.run("client", "show", mac, "--json", status=None)
        return json.loads(done.stdout) if done.returncode == 0 else None


class Pc(Program):
    """A PC without a disk."""

    def __init__(self, server, number, uefi=False, memory_mib=1024, card="virtio-net-pci"):
        self.mac = f"52:54:00:99:00:{number:02x}"
        self.uuid = f"564d1f2c-0001-4000-8000-{number:012x}"
        self.tap = f"pc{number}"
        self.folder = server.folder / self.tap
        self.folder.mkdir()
        subprocess.run(["ip", "tuntap", "add", "dev", self.tap, "mode", "tap"], check=True)
        subprocess.run(["ip", "link", "set", self.tap, "master", "clients", "up"], check=True)
        words = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot", "-machine", "q35",
                 "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "1", "-m", str(memory_mib), "-uuid", self.uuid,
                 "-vga", "std", "-display", "none", "-serial", f"file:{self.folder}/console",
                 "-qmp", f"unix:{self.folder}/qmp,server=on,wait=off", "-device", "virtio-keyboard-pci",
                 "-netdev", f"tap,id=net,ifname={self.tap},script=no,downscript=no", "-boot", "n"]
        if uefi:
            # the firmware's own driver and PXE: nothing of iPXE until it comes by TFTP
            shutil.copy(VARIABLES, self.folder / "variables")
            words += ["-drive", f"if=pflash,format=raw,readonly=on,file={FIRMWARE}",
                      "-drive", f"if=pflash,format=raw,file={self.folder}/variables",
                      "-device", f"{card},netdev=net,mac={self.mac},bootindex=1,romfile="]
        else:
            words += ["-device", f"{card},netdev=net,mac={self.mac},bootindex=1"]
        self.started = time.monotonic()
        super().__init__(self.tap, self.folder, words)

    def __exit__(self, kind, value, trace):
        if kind:
            print(f"--- the PC's console ends with:\n{self.console()[-3000:]}")
            with contextlib.suppress(OSError):
                self.screenshot(f"netboot-missed-{self.tap}")
        super().__exit__(kind, value, trace)
        subprocess.run(["ip", "link", "del", self.tap], check=False)

    def console(self):
        path = self.folder / "console"
        return path.read_text(errors="replace") if path.exists() else ""

    def wait_console(self, words, seconds=240):
        def look():
            if self.process.poll() is not None:
                raise AssertionError(f"the PC has ended: {self.console()[-2000:]}")
            return words in self.console()
        wait_for(look, f"the PC's console says '{words}'", seconds)

    def wait_up(self, server, seconds=300):
        def look():
            if self.process.poll() is not None:
                raise AssertionError("the PC has ended")
            return server.client(self.mac)
        return wait_for(look, "the PC says that it is up", seconds, tick=0.5)

    def screenshot(self, name):
        """The PC's screen as a picture that stays in the build folder; its bytes."""
        import socket
        SCREENS.mkdir(exist_ok=True)
        path = SCREENS / f"{name}.ppm"
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(str(self.folder / "qmp"))
            with control.makefile("rw") as lines:
                lines.readline()
                for command in ({"execute": "qmp_capabilities"},
                                {"execute": "screendump", "arguments": {"filename": str(path)}}):
                    lines.write(json.dumps(command) + "\n")
                    lines.flush()
                    while "return" not in (answer := json.loads(lines.readline())):
                        if "error" in answer:
                            raise AssertionError(f"QEMU: {answer['error']['desc']}")
        return path.read_bytes()


class ScriptPc(Program):
    """The client image's own scripts, run by busybox in client1 or client2 with a root file system of their own: what a PC does
    when it is up, without the time that a PC takes. What they reboot is a process namespace's init, which does not mind."""

    def __init__(self, server, number=1):
        self.namespace = f"client{number}"
        self.root = server.folder / self.namespace
        for folder in ("bin", "sbin", "dev", "proc", "run/baton", "etc", "tmp", "usr/lib", "lib64"):
            (self.root / folder).mkdir(parents=True)
        (self.root / "lib").symlink_to("usr/lib")
        for name in ("busybox", "curl"):
            shutil.copy(shutil.which(name), self.root / "bin" / name)
        for name in ("sh", "sed", "awk", "tail", "cat", "mv", "sleep", "rm", "mkfifo"):
            (self.root / "bin" / name).symlink_to("busybox")
        shutil.copytree(SCRIPTS, self.root / "etc" / "baton")
        for script in (self.root / "etc" / "baton").iterdir():
            script.chmod(0o755)
        shutil.copy(server.state / "pki" / "api" / "ca-cert.pem", self.root / "etc" / "baton" / "ca.pem")
        os.mkfifo(self.root / "dev" / "ttyS0")
        line = os.open(self.root / "dev" / "ttyS0", os.O_RDWR)
        with open(self.root / "console", "wb") as console:
            self.line = subprocess.Popen(["cat"], stdin=line, stdout=console)
        os.close(line)
        (self.root / "dev" / "null").touch()
        self.mac = subprocess.run(["ip", "netns", "exec", self.namespace, "cat", "/sys/class/net/eth0/address"],
                                  capture_output=True, text=True, check=True).stdout.strip()
        self.address = f"10.98.0.5{number}"
        self.starts = 1
        self.clear_memory()
        inside = (f"mount --bind /dev/null {self.root}/dev/null && mount -t proc proc {self.root}/proc && "
                  f"mount --bind /usr/lib {self.root}/usr/lib && mount --bind /usr/lib64 {self.root}/lib64 && "
                  f"exec chroot {self.root} /bin/sh -c 'mkfifo /run/baton/phases && /etc/baton/up && "
                  f"{{ /etc/baton/phases & exec /etc/baton/orders; }}'")
        self.words = ["ip", "netns", "exec", self.namespace, "unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", inside]
        super().__init__(self.namespace, server.folder, self.words)

    def clear_memory(self):
        """As the first stage leaves it."""
        for file in (self.root / "run/baton").iterdir():
            file.unlink()
        (self.root / "run/baton/network").write_text(
            f"address={self.address}\ncard=eth0\nmac={self.mac}\nimage=client-0123456789ab\ncontroller=https://{ADDRESS}:8443\n")
        (self.root / "run/baton/timings").write_text("kernel=900\naddress=2100\n")

    def switch_off_and_on(self):
        self.process.kill()
        self.process.wait()
        self.clear_memory()
        self.process = subprocess.Popen(self.words, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.starts += 1
        self.wait_console("client is up", self.starts)

    def post(self, target, words, token=""):
        """As the PC, over its network."""
        done = subprocess.run(["ip", "netns", "exec", self.namespace, "curl", "-sS", "--fail-with-body", "--max-time", "60",
                               "--cacert", str(self.root / "etc/baton/ca.pem"), "-H", f"Authorization: Bearer {token}",
                               "--data", json.dumps(words), f"https://{ADDRESS}:8443{target}"],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(f"{target}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def __exit__(self, kind, *_):
        if kind:
            print(f"--- the PC's console ends with:\n{self.console()[-3000:]}")
        self.process.kill()  # a power switch; unshare(1) hears nothing gentler
        super().__exit__(kind, *_)
        self.line.kill()
        self.line.wait()

    def console(self):
        return (self.root / "console").read_text(errors="replace")

    def wait_console(self, words, times=1, seconds=30):
        def look():
            if self.process.poll() is not None:
                raise AssertionError(f"the PC's scripts have ended: {self.said()[-2000:]}")
            return self.console().count(words) >= times
        wait_for(look, f"the PC's console says '{words}'", seconds)

    def file(self, name):
        path = self.root / "run/baton" / name
        return path.read_text() if path.exists() else ""


class OtherDhcp(Program):
    """The network's own DHCP server, in client1's place (10.98.0.51): addresses and no word of booting."""

    def __init__(self, folder):
        words = ["ip", "netns", "exec", "client1", "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0",
                 "--bind-interfaces", "--interface=eth0", "--except-interface=lo", "--user=root", "--pid-file=",
                 "--dhcp-authoritative", "--dhcp-range=10.98.0.60,10.98.0.69,255.255.255.0,10m",
                 f"--dhcp-leasefile={folder}/other-leases", "--log-facility=-"]
        super().__init__("other-dhcp", folder, words)
        self.wait_said("DHCP, IP range")
