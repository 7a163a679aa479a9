"""The command line `baton`, as a person on the boot server would use it, with --json."""
import json
import os
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

    def start(self, *words):
        return subprocess.Popen(self.command(*words, "--json"), text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, env=self.env)
