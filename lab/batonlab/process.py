"""Processes of the lab: each with a log, ended in reverse order, and looked at when a start goes wrong."""
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time

from . import network


class Process:
    def __init__(self, name, command, popen, log):
        self.name = name
        self.command = command
        self.popen = popen
        self.log = log

    @property
    def pid(self):
        return self.popen.pid

    def alive(self):
        return self.popen.poll() is None

    def tail(self, lines=15):
        text = self.log.read_text(errors="replace").splitlines()
        return "\n".join(text[-lines:])

    def kill(self, number=signal.SIGKILL):
        self.popen.send_signal(number)
        self.popen.wait(30)

    def stop(self, seconds=10):
        if self.alive():
            self.popen.terminate()
            try:
                self.popen.wait(seconds)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait(10)


class Processes:
    """Starts and, at the end, stops what the lab runs."""

    def __init__(self, logs):
        self.logs = pathlib.Path(logs)
        self.logs.mkdir(parents=True, exist_ok=True)
        self.running = []

    def start(self, name, command, namespace=None, env=None, cwd=None):
        log = self.logs / f"{name}.log"
        full = network.inside(namespace, command) if namespace else list(command)
        with open(log, "ab") as out:
            popen = subprocess.Popen(full, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                     env={**os.environ, **(env or {})}, cwd=cwd, start_new_session=True)
        process = Process(name, full, popen, log)
        self.running.append(process)
        return process

    def stop_all(self):
        for process in reversed(self.running):
            process.stop()
        self.running.clear()


class StartFailed(RuntimeError):
    pass


def wait_for(what, condition, seconds, processes=(), pause=0.02):
    """Waits until condition() is true, and looks again after `pause` seconds. A process in `processes` that ends meanwhile ends the wait with its log's tail."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        for process in processes:
            if not process.alive():
                raise StartFailed(f"{process.name} ended (status {process.popen.returncode}) while waiting for {what}:\n"
                                  f"{process.tail()}")
        if time.monotonic() > end:
            tails = "\n".join(f"--- {process.name}\n{process.tail()}" for process in processes)
            raise StartFailed(f"{what} did not come within {seconds:g} s\n{tails}")
        threading.Event().wait(pause)


def unix_socket_answers(path):
    def check():
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(path))
                return True
            except OSError:
                return False
    return check
