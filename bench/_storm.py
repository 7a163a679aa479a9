"""Simulated PCs without a disk, as far as a boot server sees them: DHCP from a real dnsmasq, files over HTTP, "client is up"
over TLS, login and a session. In one network namespace, each with a MAC and an IPv4 address of its own."""
import asyncio
import json
import socket
import ssl
import struct
import time

PHASES = ("address", "script", "kernel", "root", "up", "login", "session")
PATIENCE = 300  # seconds until a step counts as failed, its waits included
DISCOVER, OFFER, REQUEST, ACK = 1, 2, 3, 5


class Failed(Exception):
    pass


def dhcp_message(mac, transaction, kind, *options):
    """RFC 2131, with the broadcast flag: the PC has no address yet."""
    fixed = struct.pack("!BBBBIHH4s4s4s4s16s64s128s", 1, 1, 6, 0, transaction, 0, 0x8000, b"", b"", b"", b"", mac, b"", b"")
    body = bytes([53, 1, kind]) + b"".join(bytes([code, len(value)]) + value for code, value in options)
    return fixed + b"\x63\x82\x53\x63" + body + b"\xff"


def dhcp_options(message):
    found, at = {}, 240
    while at + 1 < len(message) and message[at] != 255:
        if message[at] == 0:
            at += 1
            continue
        found[message[at]] = message[at + 2:at + 2 + message[at + 1]]
        at += 2 + message[at + 1]
    return found


class Dhcp(asyncio.DatagramProtocol):
    """Port 68 of the namespace's one card, for all PCs on it."""

    def __init__(self):
        self.waiting = {}
        self.transport = None

    async def open(self, interface):
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
        one.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        one.bind(("0.0.0.0", 68))
        self.transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=one)

    def datagram_received(self, data, addr):
        if len(data) < 241:
            return
        waiting = self.waiting.get(struct.unpack("!I", data[4:8])[0])
        kind = dhcp_options(data).get(53, b"\0")[0]
        if waiting and kind == waiting[0] and not waiting[1].done():
            waiting[1].set_result(data)

    async def ask(self, transaction, message, answer):
        """Again after 1, 2, 4 ... seconds, as a ROM does."""
        pause = 1
        while True:
            future = asyncio.get_running_loop().create_future()
            self.waiting[transaction] = (answer, future)
            self.transport.sendto(message, ("255.255.255.255", 67))
            try:
                return await asyncio.wait_for(future, pause)
            except asyncio.TimeoutError:
                pause = min(2 * pause, 8)


class Pc:
    def __init__(self, number, storm):
        self.number, self.storm = number, storm
        self.mac = f"52:54:00:98:{number >> 8:02x}:{number & 255:02x}"
        self.user = f"pc{number}"
        self.address = self.token = ""
        self.took = {}
        self.asked_to_wait = 0

    async def run(self):
        """Every phase's seconds into self.took; Failed names the step."""
        begin = time.monotonic()
        for phase in PHASES:
            started = time.monotonic()
            try:
                await asyncio.wait_for(getattr(self, "do_" + phase)(), PATIENCE)
            except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
                raise Failed(f"{self.user}, {phase}: {type(error).__name__} {error}") from error
            self.took[phase] = time.monotonic() - started
        self.took["together"] = time.monotonic() - begin
        return self

    async def do_address(self):
        mac = bytes.fromhex(self.mac.replace(":", ""))
        transaction = 0x42000000 + self.number
        offer = await self.storm.dhcp.ask(transaction, dhcp_message(
            mac, transaction, DISCOVER, (60, b"PXEClient:Arch:00000:UNDI:002001"), (93, b"\0\0"), (175, b"\x13\1\1")), OFFER)
        server = dhcp_options(offer)[54]
        offered = offer[16:20]
        await self.storm.dhcp.ask(transaction, dhcp_message(
            mac, transaction, REQUEST, (54, server), (50, offered), (60, b"PXEClient:Arch:00000:UNDI:002001"), (93, b"\0\0")), ACK)
        self.address = socket.inet_ntoa(offered)
        await self.storm.take_address(self.address)

    async def do_script(self):
        await self.fetch("/netboot/boot.ipxe")

    async def do_kernel(self):
        await self.fetch(f"/netboot/images/{self.storm.image}/kernel")
        await self.fetch(f"/netboot/images/{self.storm.image}/initrd")

    async def do_root(self):
        await self.fetch(f"/netboot/images/{self.storm.image}/root.squashfs")

    async def do_up(self):
        await self.call("POST", "/v1/clients/up", {
            "mac": self.mac, "memory_mib": 971, "image": self.storm.image, "firmware": "bios", "up_ms": 4000})

    async def do_login(self):
        answer = await self.call("POST", "/v1/login", {"name": self.user, "password": self.storm.password})
        self.token = answer["token"]

    async def do_session(self):
        answer = await self.call("POST", "/v1/sessions?wait=120", {"route": "gateway"}, self.token)
        if answer["phase"] != "serving":
            raise Failed(f"{self.user}, session: {answer['phase']}")

    async def fetch(self, path):
        """Over plain HTTP; what comes is counted and dropped. Tried again as the first stage does."""
        while True:
            writer, status, left = None, 0, 1
            try:
                reader, writer = await asyncio.open_connection(self.storm.server, 8480, local_addr=(self.address, 0), limit=1 << 20)
                writer.write(f"GET {path} HTTP/1.1\r\nHost: {self.storm.server}\r\nConnection: close\r\n\r\n".encode())
                status, headers = await read_head(reader)
                left = int(headers["content-length"])
                while left > 0:
                    data = await reader.read(1 << 18)
                    if not data:
                        break
                    left -= len(data)
            except (ConnectionError, asyncio.IncompleteReadError):
                left = 1
            finally:
                if writer:
                    writer.close()
            if status == 200 and left == 0:
                return
            if status not in (0, 200, 429, 503):
                raise Failed(f"{self.user}, {path}: HTTP {status}")
            self.asked_to_wait += 1
            await asyncio.sleep(3)

    async def call(self, method, target, words, token=""):
        """JSON over TLS. 429, 503 and what breaks off is waited for, as the image's scripts and the viewer do."""
        pause = 1
        while True:
            writer, headers = None, {}
            try:
                reader, writer = await asyncio.open_connection(self.storm.server, 8443, ssl=self.storm.tls,
                                                               local_addr=(self.address, 0))
                body = json.dumps(words)
                writer.write((f"{method} {target} HTTP/1.1\r\nHost: {self.storm.server}\r\nConnection: close\r\n"
                              f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" +
                              (f"Authorization: Bearer {token}\r\n" if token else "") + f"\r\n{body}").encode())
                status, headers = await read_head(reader)
                answer = await reader.readexactly(int(headers["content-length"]))
            except (ConnectionError, asyncio.IncompleteReadError):
                status = 0  # the server had no time for its handshake; whoever has a connection to make tries again
            finally:
                if writer:
                    writer.close()
            if 0 < status < 300:
                return json.loads(answer)
            if status not in (0, 429, 503):
                raise Failed(f"{self.user}, {target}: HTTP {status} {answer.decode(errors='replace')}")
            self.asked_to_wait += 1
            await asyncio.sleep(int(headers.get("retry-after", pause)))
            pause = min(2 * pause, 30)



async def read_head(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    return int(head[0].split()[1]), headers
