"""Plays a record of baton-view (src/viewer/recorder.h) to a viewer on the loopback. For benches; not one itself."""
import select
import socket
import struct
import time

HEAD = b"baton-view record 1\n"
TOP = 0x80000000


class Record:
    """The record's last connection."""

    def __init__(self, path):
        self.init = b""
        self.pieces = []  # (seconds since the first of them, bytes)
        self.frames = 0
        with open(path, "rb") as file:
            if not HEAD.startswith(file.read(len(HEAD))):
                raise SystemExit(f"{path} is no record of baton-view")
            while len(head := file.read(12)) == 12:
                when, frames, length = struct.unpack(">III", head)
                data = file.read(length & ~TOP)
                if length & TOP:
                    self.init, self.pieces, self.frames = data, [], 0
                elif len(data) == length:
                    self.pieces.append((when / 1000, data))
                    self.frames = frames
        begin = self.pieces[0][0] if self.pieces else 0
        self.pieces = [(when - begin, data) for when, data in self.pieces]
        self.bytes = sum(len(data) for _, data in self.pieces)

    @property
    def size(self):
        return struct.unpack(">HH", self.init[:4])


class Player:
    """One viewer's server. It is let in without a password."""

    def __init__(self, record):
        self.record = record
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(30)
        self.port = self.listener.getsockname()[1]
        self.viewer = None

    def welcome(self):
        """Until the viewer asks for pictures."""
        self.viewer, _ = self.listener.accept()
        self.viewer.settimeout(30)
        self.viewer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.viewer.sendall(b"RFB 003.008\n")
        self.exactly(12)
        for answer, length in ((b"\x01\x01", 1), (b"\0\0\0\0", 1)):
            self.viewer.sendall(answer)
            self.exactly(length)
        self.viewer.sendall(self.record.init)
        lengths = {0: 19, 3: 9, 4: 7, 5: 5}
        kind = None
        while kind != 3:
            kind = self.exactly(1)[0]
            if kind == 2:
                self.exactly(1)
                self.exactly(4 * struct.unpack(">H", self.exactly(2))[0])
            elif kind in lengths:
                self.exactly(lengths[kind])
            else:
                raise SystemExit(f"the viewer says {kind} before it asks for pictures")

    def exactly(self, count):
        text = b""
        while len(text) < count:
            some = self.viewer.recv(count - len(text))
            if not some:
                raise SystemExit("the viewer has gone")
            text += some
        return text

    def play(self):
        """All of it, each piece at its time."""
        begin = time.monotonic()
        for when, data in self.record.pieces:
            while (left := begin + when - time.monotonic()) > 0:
                self.drain(left)
            self.send(data)

    def send(self, data):
        view = memoryview(data)
        self.viewer.setblocking(False)
        while view:
            try:
                view = view[self.viewer.send(view):]
            except BlockingIOError:
                select.select([], [self.viewer], [], 10)
            self.drain(0)

    def drain(self, seconds):
        """What the viewer asks meanwhile is not waited for."""
        if select.select([self.viewer], [], [], seconds)[0] and not self.viewer.recv(65536):
            raise SystemExit("the viewer has gone")

    def fill(self, area, colour):
        """An update of one rectangle of one colour (Tight)."""
        self.send(struct.pack(">xxH4Hi", 1, *area, 7) + b"\x80" + bytes(colour))

    def close(self):
        for one in (self.viewer, self.listener):
            if one is not None:
                one.close()
