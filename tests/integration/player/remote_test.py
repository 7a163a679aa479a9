#!/usr/bin/env python3
"""Desks that are elsewhere: at a real baton-deskd (NBD over TLS), and on a web server over HTTPS under a layer of one's own.

    tests/integration/player/remote_test.py      as root; BATON_BUILD: the build folder
"""
import http.server
import json
import os
import pathlib
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from playing import BATON, PLAY, can_show

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "control"))
import real_test  # noqa: E402
from real_test import RealSite  # noqa: E402

MIB = 1 << 20


def play(desk, script, *options, timeout=120, status=0, wait=True):
    words = [PLAY, "--net", "none", *options, desk, "--", "/bin/sh", "-c", script]
    child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if not wait:
        return child
    out, said = child.communicate(timeout=timeout)
    if child.returncode != status:
        raise AssertionError(f"exit status {child.returncode}, not {status}\n{out}{said}")
    return out, said


def quit_with(child, words="\n"):
    out, said = child.communicate(words, timeout=120)
    return child.returncode, out, said


class Leased:
    """A desk of 4 GiB at a desk server, given out to a PC whose certificate says host1."""

    def __init__(self, site):
        self.site = site
        site.baton("user", "add", "kim", "--no-password")
        site.baton("desk", "create", "kim", "--size", "4GiB")
        token = site.baton("host", "invite", "host1", "--json").json["token"]
        done = real_test.Hosts.join(self, site, "host1", token)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        self.tls = self.certificates(site.folder / "host1")
        deskd = site.config.read_text().split('server = "')[1].split('"')[0]
        self.address = deskd.removeprefix("https://")
        self.fence = 0
        self.lease()

    @staticmethod
    def certificates(folder):
        found = sorted(folder.rglob("client-cert.pem"))
        if not found:
            raise AssertionError([str(path) for path in folder.rglob("*")])
        return str(found[0].parent)

    def ask(self, method, path, body=None):
        pki = self.site.folder / "state/pki/controller"
        context = ssl.create_default_context(cafile=pki / "ca-cert.pem")
        context.load_cert_chain(pki / "client-cert.pem", pki / "client-key.pem")
        connection = http.client.HTTPSConnection(self.address, context=context, timeout=30)
        connection.request(method, path, json.dumps(body) if body is not None else None)
        answer = connection.getresponse()
        text = json.loads(answer.read())
        connection.close()
        if answer.status >= 300:
            raise AssertionError(text)
        return text

    def lease(self):
        self.fence += 1
        given = self.ask("PUT", "/v1/leases/kim", {"fence": self.fence, "holder": "host1"})
        self.url = f"nbds://{given['address']}:{given['port']}/{given['export']}"

    def close(self):
        self.ask("DELETE", f"/v1/leases/kim?fence={self.fence}")

    def options(self):
        return "--tls", self.tls


@unittest.skipIf(can_show(), can_show())
class AtADeskServer(unittest.TestCase):
    def test_written_there_and_read_again(self):
        with RealSite() as site:
            desk = Leased(site)
            out, said = play(desk.url, "echo from far > note; id -un; cat note; sync", "--timings", *desk.options())
            self.assertEqual(out, "kim\nfrom far\n", said)
            read = int(re.search(r"read over the network until the desk was open: (\d+) KiB", said).group(1))
            print(f"opening a desk of 4 GiB read {read} KiB")
            self.assertGreater(read, 0)
            self.assertLess(read, 16 * 1024)
            self.assertEqual(play(desk.url, "cat note", *desk.options())[0], "from far\n")
            # what was written is in the file of the desk server, in order, and no player is in its header
            desk.close()
            shown = desk.ask("GET", "/v1/desks/kim")
            self.assertIsNone(shown["lease"])
            self.assertEqual(site.baton("desk", "check", "kim", "--json").json["sound"], True)
            copy = site.folder / "copy.desk"
            site.baton("desk", "export", "kim", str(copy))
            self.assertEqual(play(copy, "cat note")[0], "from far\n")

    def test_who_may_not(self):
        with RealSite() as site:
            desk = Leased(site)
            # only the right certificate: the controller's is of the site, and not the holder's
            out, said = play(desk.url, "true", "--tls", str(site.folder / "state/pki/controller"), status=125)
            self.assertIn("--tls", said)
            nothing = site.folder / "nothing"
            nothing.mkdir()
            play(desk.url, "true", "--tls", str(nothing), status=125)
            # a number that is not given out any more
            before = desk.url
            desk.lease()
            self.assertEqual(play(before, "true", *desk.options(), status=125)[0], "")
            # two at once
            child = play(desk.url, "echo in; read x", *desk.options(), wait=False)
            self.assertEqual(child.stdout.readline(), "in\n")
            self.assertEqual(quit_with(child)[0], 0)

    def test_the_server_vanishes(self):
        with RealSite() as site:
            desk = Leased(site)
            child = play(desk.url, "echo saved > note; sync; echo in; read x", *desk.options(), wait=False)
            self.assertEqual(child.stdout.readline(), "in\n")
            # the lease is moved: the desk server closes the export under the player
            old = desk.url
            desk.lease()
            out, said = child.communicate(timeout=120)
            self.assertEqual(child.returncode, 125, said)
            self.assertIn("is gone", said)
            self.assertNotEqual(desk.url, old)
            out, said = play(desk.url, "cat note", *desk.options())
            self.assertEqual(out, "saved\n", said)


class Ranges(http.server.BaseHTTPRequestHandler):
    """What every web server does with files: Range."""
    protocol_version = "HTTP/1.1"

    def respond(self, with_body):
        path = self.server.folder / self.path.lstrip("/")
        if not path.exists():
            self.send_error(404)
            return
        size = path.stat().st_size
        first, last = 0, size - 1
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked:
            first, last = int(asked[1]), min(int(asked[2] or size - 1), size - 1)
        self.send_response(206 if asked else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(last - first + 1))
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.end_headers()
        if with_body:
            with open(path, "rb") as file:
                file.seek(first)
                data = file.read(last - first + 1)
            self.server.sent += len(data)
            self.wfile.write(data)

    def do_HEAD(self):
        self.respond(False)

    def do_GET(self):
        self.respond(True)

    def log_message(self, *_):
        pass


class Web:
    """An HTTPS server for a folder, and a mount namespace in which this PC trusts its certificate."""

    def __init__(self, folder):
        self.folder = folder
        names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", folder / "key.pem",
                        "-out", folder / "cert.pem", *names], check=True, capture_output=True)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ranges)
        self.server.folder, self.server.sent = folder, 0
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def url(self, name):
        return f"https://localhost:{self.server.server_port}/{name}"

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@unittest.skipIf(can_show(), can_show())
class OnAWebServer(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="baton-remote-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        (self.folder / "web").mkdir()
        self.web = Web(self.folder / "web")
        self.addCleanup(self.web.close)
        self.image = self.folder / "web/kim.desk"
        subprocess.run([BATON, "desk", "create", self.image, "--owner", "kim", "--size", "4GiB"], check=True, capture_output=True)
        play(self.image, "echo published > note")
        self.before = self.image.stat().st_mtime_ns
        self.overlay = self.folder / "kim.overlay"
        if os.environ.get("BATON_IN_NAMESPACE") == "1":
            subprocess.run(["mount", "--bind", self.folder / "web/cert.pem", "/etc/ssl/certs/ca-certificates.crt"], check=True)
            self.addCleanup(subprocess.run, ["umount", "/etc/ssl/certs/ca-certificates.crt"], check=True)

    def test_read_there_written_here(self):
        url = self.web.url("kim.desk")
        out, said = play(url, "cat note; echo mine > note; sync", "--overlay", self.overlay, "--timings")
        self.assertEqual(out, "published\n", said)
        print(f"opening an image of 4 GiB took {self.web.server.sent / MIB:.1f} MiB from the web server")
        self.assertLess(self.web.server.sent, 16 * MIB)
        self.assertGreater(self.web.server.sent, 0)
        self.assertEqual(play(url, "cat note", "--overlay", self.overlay)[0], "mine\n")
        self.assertEqual(self.image.stat().st_mtime_ns, self.before, "nothing was written there")
        # another person's layer, another desk
        self.assertEqual(play(url, "cat note", "--overlay", self.folder / "other")[0], "published\n")

    def test_what_is_refused(self):
        url = self.web.url("kim.desk")
        self.assertIn("--overlay", play(url, "true", status=2)[1])
        self.assertIn("in the open", play("http" + url[5:], "true", "--overlay", self.overlay, status=2)[1])
        self.assertFalse(self.overlay.exists())
        play(self.web.url("none.desk"), "true", "--overlay", self.overlay, status=125)
        self.assertFalse(self.overlay.exists(), "no trace of what was not there")
        play(url, "true", "--overlay", self.overlay)
        self.image.rename(self.folder / "web/lee.desk")
        self.assertIn("no overlay of", play(self.web.url("lee.desk"), "true", "--overlay", self.overlay, status=125)[1])


if __name__ == "__main__":
    if can_show():
        print(f"NOT TESTED here: {can_show()}")
    elif os.environ.get("BATON_IN_NAMESPACE") != "1":
        os.environ["BATON_IN_NAMESPACE"] = "1"
        os.execvp("unshare", ["unshare", "-m", "--propagation", "private", "python3", os.path.abspath(__file__), *sys.argv[1:]])
    unittest.main()
