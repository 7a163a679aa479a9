"""The command line `baton`, as a person on the boot server would use it, with --json."""
import http.client
import json
import os
import pathlib
import socket
import subprocess

from . import network


class BatonFailed(RuntimeError):
    def __init__(self, words, status, text):
        super().__init__(f"baton {' '.join(words)}: {text.strip()}")
        self.status = status
        self.text = text.strip()


class Baton:
    def __init__(self, program, namespace, env):
        self.program = str(program)
        self.namespace = namespace
        self.env = {**os.environ, **env}

    def command(self, *words):
        return network.inside(self.namespace, [self.program, *words])

    def text(self, *words, stdin=None, seconds=180):
        done = subprocess.run(self.command(*words), input=stdin, text=True, capture_output=True, env=self.env,
                              timeout=seconds)
        if done.returncode != 0:
            raise BatonFailed(words, done.returncode, done.stderr or done.stdout)
        return done.stdout

    def json(self, *words, **keywords):
        return json.loads(self.text(*words, "--json", **keywords))

    def get(self, path):
        """The API's answer without a program's start in between: for what lasts a moment. None: batond is not there."""
        kind, place = self.env["BATON_CONTROLLER"].split(":", 1)
        assert kind == "unix", "only a Unix socket is asked so"
        token = pathlib.Path(self.env["BATON_TOKEN_FILE"]).read_text().strip()
        connection = http.client.HTTPConnection("baton", timeout=10)
        with socket.socket(socket.AF_UNIX) as connection.sock:
            connection.sock.settimeout(10)
            try:
                connection.sock.connect(place)
                connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
                answer = connection.getresponse()
                body = answer.read()
            except OSError:
                return None
        if answer.status != 200:
            raise BatonFailed(("GET", path), answer.status, body.decode())
        return json.loads(body)

    def start(self, *words):
        return subprocess.Popen(self.command(*words, "--json"), text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, env=self.env)
