"""A desktop in a plain QEMU without KVM, with what Baton's hypervisor gives it and no network, for tests of OS images
and of baton-guest: its command line, QMP, the guest's port and the screen."""
import json
import os
import select
import socket
import subprocess
import time

PORT_NAME = "org.baton.guest.0"
CELLS = 30


def command_line(image, folder, memory_mib, screen=None):
    """What QEMU is started with. `image`: the folder that a recipe made, or one of a library; `folder`: sockets, console
    and overlay; `screen`: what -vnc takes, a unix socket in `folder` if not given."""
    description = next(path for path in (f"{image}/recipe.json", f"{image}/manifest.json") if os.path.exists(path))
    with open(description, encoding="utf-8") as file:
        recipe = json.load(file)
    return [
        "qemu-system-x86_64", "-nodefaults", "-no-reboot", "-no-user-config",
        "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "1", "-m", str(memory_mib),
        "-vga", "none", "-device", "VGA,vgamem_mb=16", "-display", "none", "-vnc", screen or f"unix:{folder}/vnc",
        "-device", "virtio-keyboard-pci", "-device", "virtio-tablet-pci",
        "-serial", f"file:{folder}/console", "-qmp", f"unix:{folder}/qmp,server=on,wait=off",
        "-blockdev", f"driver=qcow2,node-name=root,file.driver=file,file.filename={folder}/overlay.qcow2",
        "-device", "virtio-blk-pci,drive=root",
        "-device", "pcie-root-port,id=desk-slot,chassis=1,slot=1",
        "-device", "virtio-serial-pci", "-chardev", f"socket,id=guest,path={folder}/guest,server=on,wait=off",
        "-device", f"virtserialport,chardev=guest,name={PORT_NAME}",
        "-kernel", f"{image}/kernel", "-initrd", f"{image}/initrd", "-append", recipe["kernel_arguments"],
    ]


class Lines:
    """JSON lines over a unix socket, each wait with a deadline."""

    def __init__(self, path, deadline):
        self.pending = b""
        while True:
            self.socket = socket.socket(socket.AF_UNIX)
            try:
                self.socket.connect(path)
                return
            except (FileNotFoundError, ConnectionRefusedError):
                # QEMU makes its sockets in its first milliseconds, and there is nothing to be told by
                self.socket.close()
                if time.monotonic() > deadline:
                    raise TimeoutError(f"nobody listens at {path}") from None
                time.sleep(0.01)

    def send(self, message):
        self.socket.sendall(json.dumps(message).encode() + b"\n")

    def receive(self, timeout):
        end = time.monotonic() + timeout
        while True:
            line, newline, rest = self.pending.partition(b"\n")
            if newline:
                self.pending = rest
                if line.strip():
                    return json.loads(line)
                continue
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                raise TimeoutError("no message in time")
            data = self.socket.recv(65536)
            if not data:
                raise EOFError("the other side has closed")
            self.pending += data


class Desktop:
    def __init__(self, image, folder, memory_mib=512, screen=None, prefix=()):
        """`prefix`: words before QEMU's own, such as those that enter a network namespace."""
        self.folder = folder
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", f"{image}/disk.qcow2", "-F", "qcow2",
                        f"{folder}/overlay.qcow2"], check=True)
        self.started = time.monotonic()
        # the log is a file and not a pipe: nobody reads it while the machine runs
        self.log = open(f"{folder}/qemu.log", "wb")
        self.process = subprocess.Popen([*prefix, *command_line(image, folder, memory_mib, screen)],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        try:
            self.qmp_socket = Lines(f"{folder}/qmp", self.started + 10)
            self.qmp_socket.receive(10)
            self.events = []
            self.qmp("qmp_capabilities")
            self.connect_guest()
        except BaseException:
            self.stop()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            print(f"--- the guest's console ends with:\n{self.console()[-3000:]}\n--- {value!r}")
        self.stop()

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.log.close()

    def elapsed(self):
        return time.monotonic() - self.started

    def console(self):
        with open(f"{self.folder}/console", encoding="utf-8", errors="replace") as file:
            return file.read()

    # ---- the guest's port

    def connect_guest(self):
        self.guest = Lines(f"{self.folder}/guest", time.monotonic() + 10)

    def disconnect_guest(self):
        self.guest.socket.close()

    def say(self, kind, **fields):
        self.guest.send({"type": kind, **fields})

    def expect(self, kind, timeout=90):
        """The next message of this type; others before it are returned with it."""
        end = time.monotonic() + timeout
        before = []
        while True:
            try:
                message = self.guest.receive(end - time.monotonic())
            except TimeoutError:
                raise TimeoutError(f"the guest did not say '{kind}' within {timeout} s, but {before}") from None
            if message["type"] == kind:
                return message
            if message["type"] == "failed":
                raise AssertionError(f"the guest could not: {message}")
            before.append(message)

    def identify(self, person, **fields):
        self.say("identify", **{"hostname": "d-test", "person": person, "session": "s-test", "memory_mib": 512,
                                "os_image": "", "unix_time_ms": int(time.time() * 1000),
                                "random_seed_hex": os.urandom(32).hex(), **fields})

    # ---- QEMU

    def qmp(self, command, **arguments):
        self.qmp_socket.send({"execute": command, "arguments": arguments})
        while True:
            answer = self.qmp_socket.receive(30)
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise AssertionError(f"QEMU refused {command}: {answer['error']['desc']}")
            self.events.append(answer)

    def wait_event(self, name, timeout=30, **data):
        end = time.monotonic() + timeout
        while True:
            for event in self.events:
                if event["event"] == name and data.items() <= event["data"].items():
                    self.events.remove(event)
                    return
            self.events.append(self.qmp_socket.receive(end - time.monotonic()))

    def plug_desk(self, path, fence, read_only=False):
        self.qmp("blockdev-add", **{"driver": "raw", "node-name": f"desk{fence}", "read-only": read_only,
                                    "file": {"driver": "file", "filename": path}})
        self.qmp("device_add", driver="virtio-blk-pci", bus="desk-slot", id=f"desk{fence}", drive=f"desk{fence}",
                 serial=f"desk-{fence}")

    def unplug_desk(self, fence):
        self.qmp("device_del", id=f"desk{fence}")
        self.wait_event("DEVICE_DELETED", device=f"desk{fence}")
        self.qmp("blockdev-del", **{"node-name": f"desk{fence}"})

    def type(self, text):
        names = {" ": "spc", "\n": "ret", "-": "minus", "/": "slash", ".": "dot", ";": "semicolon", "=": "equal",
                 "'": "apostrophe", ",": "comma"}
        shifted = {">": "dot", "_": "minus", "|": "backslash", "&": "7", "(": "9", ")": "0", "$": "4", "~": "grave_accent",
                   '"': "apostrophe", "*": "8", "!": "1", ":": "semicolon", "?": "slash", "+": "equal"}
        for at, letter in enumerate(text):
            if at % 4 == 0:
                # a virtio keyboard holds 64 events, and a key with shift is 8 of them: on a busy machine the guest
                # loses what comes sooner than it reads. That it has read the last four is seen by their echo.
                if at:
                    self.wait_picture(lambda p, old=before: p.bytes != old, "the echo of typed keys")
                before = self.picture().bytes
            if letter in shifted or letter.isupper():
                self.press("shift", shifted.get(letter, letter.lower()))
            else:
                self.press(names.get(letter, letter))

    def press(self, *keys):
        events = [{"type": "key", "data": {"down": down, "key": {"type": "qcode", "data": key}}}
                  for down, order in ((True, keys), (False, reversed(keys))) for key in order]
        self.qmp("input-send-event", events=events)

    # ---- the screen

    def picture(self, save=None):
        path = save or f"{self.folder}/screen.ppm"
        self.qmp("screendump", filename=path)
        return Picture(path)

    def wait_picture(self, wanted, what, timeout=90):
        """The first picture for which wanted(picture) holds. QEMU has no event for what is on a screen."""
        end = time.monotonic() + timeout
        while True:
            picture = self.picture()
            if wanted(picture):
                return picture
            if time.monotonic() > end:
                picture.keep(f"{self.folder}/missed.ppm")
                raise TimeoutError(f"the screen did not show {what} within {timeout} s (strip: {picture.strip()})")
            time.sleep(0.2)


class Picture:
    def __init__(self, path):
        with open(path, "rb") as file:
            self.bytes = file.read()
        kind, size, depth, self.pixels = self.bytes.split(b"\n", 3)
        assert kind == b"P6" and depth == b"255", "QEMU's screendump is a binary PPM"
        self.width, self.height = map(int, size.split())

    def keep(self, path):
        with open(path, "wb") as file:
            file.write(self.bytes)

    def pixel(self, x, y):
        at = (y * self.width + x) * 3
        return tuple(self.pixels[at:at + 3])

    def colours(self, left, top, width, height):
        """The set of colours in a rectangle."""
        return {self.pixel(x, y) for y in range(top, top + height) for x in range(left, left + width)}

    def strip(self):
        """(fence, memory in MiB) as docs/formats/guest-protocol.md says, None if it is not there or not whole."""
        names = {(1, 0, 1): "m", (0, 1, 1): "c", (1, 1, 1): "1", (0, 0, 0): "0"}
        cells = ""
        if self.width < CELLS * 8:
            return None
        for cell in range(CELLS):
            seen = set()
            for x, y in ((2, 2), (5, 2), (4, 8), (2, 13), (5, 13)):
                channels = self.pixel(cell * 8 + x, y)
                seen.add(tuple(1 if c >= 160 else 0 if c <= 90 else None for c in channels))
            cells += names.get(seen.pop(), "?") if len(seen) == 1 else "?"
        if not (cells.startswith("mcm") and cells.endswith("cmc") and set(cells[3:27]) <= {"0", "1"}):
            return None
        return int(cells[3:19], 2), 1 << int(cells[19:27], 2)


def make_desk(path, files=None, size="64M"):
    """A desk's file system as `baton desk create` makes it inside, for a person kim."""
    root = path + ".d"
    for folder in ("fwd/home/kim", "fwd/opt", "fwd/usrlocal", "fwd/srv", "cow"):
        os.makedirs(f"{root}/{folder}")
    for name, text in (files or {}).items():
        with open(f"{root}/fwd/home/kim/{name}", "w", encoding="utf-8") as file:
            file.write(text)
    subprocess.run(["chown", "-R", "1000:1000", f"{root}/fwd/home/kim"], check=True)
    subprocess.run(["truncate", "-s", size, path], check=True)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-d", root, path], check=True)
    subprocess.run(["rm", "-r", root], check=True)


def read_from_desk(path, inside):
    """A file's text out of an ext4 image, without mounting it."""
    done = subprocess.run(["debugfs", "-R", f"cat {inside}", path], capture_output=True, check=True)
    return done.stdout.decode()


def file_system_faults(path):
    """What e2fsck finds wrong, "" for nothing; also says whether it was left unmounted."""
    done = subprocess.run(["e2fsck", "-n", "-f", path], capture_output=True, text=True)
    state = subprocess.run(["dumpe2fs", "-h", path], capture_output=True, text=True, check=True).stdout
    faults = "" if done.returncode == 0 else done.stdout
    return faults if "needs_recovery" not in state else faults + "it was not unmounted"
