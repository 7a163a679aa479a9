"""For the benches of the gateway: the parts of build/bench-tools/gateway_bed, each a process (bench/tools/gateway_bed/bed.h),
and what else stands between a viewer and a screen. Not a bench itself."""
import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Part:
    """A program with a pipe at each end; ends with us at the latest."""

    def __init__(self, *words, quiet=False):
        self.process = subprocess.Popen([str(word) for word in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        stderr=subprocess.DEVNULL if quiet else None, start_new_session=True)

    def line(self):
        line = self.process.stdout.readline().strip()
        if not line:
            sys.exit(f"'{' '.join(self.process.args)}' has ended without a word")
        return line

    def rest(self):
        return self.process.stdout.read().split()

    def processes(self):
        """Of its session: a forking server's children as well."""
        found = []
        for entry in os.scandir("/proc"):
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    with open(f"{entry.path}/stat", encoding="ascii", errors="replace") as file:
                        if int(file.read().rpartition(")")[2].split()[3]) == self.process.pid:
                            found.append(int(entry.name))
        return found

    def cpu_s(self):
        """CPU time so far of every thread that lives."""
        total = 0
        for pid in self.processes():
            with contextlib.suppress(OSError):
                for task in os.scandir(f"/proc/{pid}/task"):
                    with open(f"{task.path}/schedstat", encoding="ascii") as file:
                        total += int(file.read().split()[0])
        return total / 1e9

    def resident_bytes(self):
        total = 0
        for pid in self.processes():
            with open(f"/proc/{pid}/status", encoding="ascii") as file:
                total += sum(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS:"))
        return total

    def wake_ups(self):
        total = 0
        for pid in self.processes():
            for task in os.scandir(f"/proc/{pid}/task"):
                with open(f"{task.path}/status", encoding="ascii") as file:
                    total += sum(int(line.split()[1]) for line in file if line.startswith("voluntary_ctxt_switches:"))
        return total

    def end(self):
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            pass
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()


class Bed:
    """Everything of one bench; ends it all."""

    def __init__(self, build):
        self.tool = pathlib.Path(build) / "bench-tools" / "gateway_bed"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="baton-bench-"))
        self.parts = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for part in reversed(self.parts):
            part.end()
        for path in self.folder.iterdir():
            path.unlink()
        self.folder.rmdir()

    def start(self, *words, quiet=False):
        self.parts.append(Part(*words, quiet=quiet))
        return self.parts[-1]

    def end(self, part):
        self.parts.remove(part)
        part.end()

    def certificate(self):
        """Of a CA of one: certificate (its own CA) and key, for 127.0.0.1."""
        certificate, key = self.folder / "cert.pem", self.folder / "key.pem"
        if not certificate.exists():
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                            "-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out",
                            str(certificate)], check=True, capture_output=True)
        return certificate, key

    def screen(self, mebibytes, rectangle_bytes, rectangles, *asked):
        screen = self.start(self.tool, "screen", mebibytes, rectangle_bytes, rectangles, *asked)
        return screen, int(screen.line())

    def gateway(self, screen_port, *tls):
        """The part and its two ports: for viewers, for browsers."""
        gateway = self.start(self.tool, "gateway", screen_port, *tls)
        vnc, web = gateway.line().split()
        return gateway, int(vnc), int(web)

    def copy(self, screen_port):
        copy = self.start(self.tool, "copy", screen_port)
        return copy, int(copy.line())

    def haproxy(self, screen_port, bind_options=""):
        """Debian's haproxy, one thread as the gateway has, in TCP mode."""
        port = free_port()
        config = self.folder / f"haproxy-{port}.cfg"
        config.write_text(f"global\n    nbthread 1\n    maxconn 8000\ndefaults\n    mode tcp\n    timeout connect 5s\n"
                          f"    timeout client 10m\n    timeout server 10m\nlisten screen\n    bind 127.0.0.1:{port} {bind_options}\n"
                          f"    server screen 127.0.0.1:{screen_port}\n")
        part = self.start("/usr/sbin/haproxy", "-db", "-q", "-f", config)
        self.wait_for(port)
        return part, port

    def websockify(self, screen_port, *tls):
        """Debian's websockify."""
        port = free_port()
        words = ["/usr/bin/websockify"]
        if tls:
            words += ["--cert", tls[0], "--key", tls[1], "--ssl-only"]
        part = self.start(*words, f"127.0.0.1:{port}", f"127.0.0.1:{screen_port}", quiet=True)
        self.wait_for(port)
        return part, port

    def wait_for(self, port):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.02)
        sys.exit(f"nothing listens on port {port}")

    def stream(self, kind, port, between, authority="", *asking):
        """One viewer takes the whole stream. Bytes, seconds, and CPU seconds of what is between it and the screen."""
        before = between.cpu_s()
        viewer = self.start(self.tool, "view", kind, port, authority, *asking)
        viewer.line()
        taken, seconds = viewer.line().split()
        after = between.cpu_s()  # while a child that serves this viewer alone still lives
        self.end(viewer)
        return int(taken), float(seconds), after - before
