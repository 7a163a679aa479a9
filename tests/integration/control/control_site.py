"""A controller with simulated hosts as a real process, and the real command line, for tests."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

BUILD = pathlib.Path(os.environ.get("BATON_BUILD", "build"))
BATON = str(BUILD / "bin" / "baton")
BATOND = str(BUILD / "bin" / "batond")
PATIENCE = 60

CONFIG = """
[listen]
port = 0
local_socket = "{folder}/sock"
[state]
dir = "{folder}/state"
[handoff]
grace = "20ms"
close_grace = "5ms"
[simulate]
hosts = 2
boot = "{boot}"
{more}
"""


class Result:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    @property
    def json(self):
        return json.loads(self.out)


class Site:
    """Use with `with`: everything, processes included, is gone at the end."""

    def __init__(self, boot="30ms", more=""):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="baton-control."))
        self.config = self.folder / "batond.toml"
        self.config.write_text(CONFIG.format(folder=self.folder, boot=boot, more=more))
        self.process = None
        self.urls = []
        self.log = open(self.folder / "log", "ab")
        (self.folder / "home").mkdir()

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__(AssertionError)
            raise
        return self

    def __exit__(self, kind, *_):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
        self.log.close()
        if kind:
            print((self.folder / "log").read_text()[-4000:])
        shutil.rmtree(self.folder)

    def command(self):
        return [BATOND, "--config", str(self.config)]

    def start(self):
        """Returns when it listens: it says so."""
        self.process = subprocess.Popen(self.command(), stdout=subprocess.PIPE,
                                        stderr=self.log, text=True)
        self.urls = []
        for line in self.process.stdout:
            if line.startswith("listening on "):
                self.urls.append(line.split()[2])
            if line.startswith("admin token in "):
                return
        raise AssertionError("batond ended: " + (self.folder / "log").read_text()[-2000:])

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def terminate(self):
        self.process.terminate()
        status = self.process.wait(PATIENCE)
        self.process.stdout.close()
        self.process = None
        return status

    @property
    def token_file(self):
        return str(self.folder / "state" / "admin.token")

    def environment(self, **more):
        env = {"PATH": os.environ["PATH"], "HOME": str(self.folder / "home"), "LC_ALL": "C.UTF-8",
               "BATON_CONTROLLER": f"unix:{self.folder}/sock", "BATON_TOKEN_FILE": self.token_file}
        for name, value in more.items():
            if value is None:
                env.pop(name, None)
            else:
                env[name] = value
        return env

    def popen(self, *words, **more):
        return subprocess.Popen([BATON, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, env=self.environment(**more))

    def baton(self, *words, status=0, given="", **more):
        """Runs the command line; `status` is what its exit status must be (None: any)."""
        done = subprocess.run([BATON, *words], input=given, capture_output=True, text=True,
                              timeout=PATIENCE, env=self.environment(**more), check=False)
        if status is not None and done.returncode != status:
            raise AssertionError(f"baton {' '.join(words)}: exit status {done.returncode}, not {status}\n"
                                 f"{done.stdout}{done.stderr}")
        return Result(done.returncode, done.stdout, done.stderr)

    def person(self, name):
        self.baton("user", "add", name, "--no-password")
        self.baton("desk", "create", name)
