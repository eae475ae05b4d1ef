"""One process of raftnode, with a volume, and what becomes of it."""

import ctypes
import os
import re
import resource
import signal
import subprocess
import time

from history import Connection

READY_SECONDS = 20
END_SECONDS = 10
STORE_FAILED = 74
PR_SET_PDEATHSIG = 1
LIBRARY = ctypes.CDLL(None)


class Hang(Exception):
    """The node neither answers nor ends."""


class Node:
    """Started at once."""

    environment = {"SWIFT_BACKTRACE": "enable=no"}

    def __init__(
        self, executable, port, volume, errors_path, *, shims=(), variables=None, file_bytes_max=None, user=None
    ):
        self.port, self.volume, self.errors_path = port, volume, errors_path
        variables = dict(os.environ, **self.environment, **(variables or {}))
        if shims:
            variables["LD_PRELOAD"] = " ".join(shims)

        def prepare():
            if file_bytes_max is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes_max, file_bytes_max))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            # No node outlives a script that is interrupted.
            LIBRARY.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

        with open(self.errors_path, "wb") as errors:
            self.process = subprocess.Popen(
                [
                    executable, "--ip", f"127.0.0.1:{port}", "--store", "database", "--volume", volume,
                    "--write-buffer-bytes", "1048576", "--cache-bytes", "1048576", "--election-timeout", "0.1",
                ],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, env=variables, user=user,
                preexec_fn=prepare)

    def connect(self):
        """A connection to the node as soon as it leads; None if it ends before."""
        deadline = time.monotonic() + READY_SECONDS
        connection = None
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                return None
            try:
                connection = connection or Connection(self.port)
                answers = connection.ask_all([{"type": "status"}])
                if answers and answers[0].get("role") == "leader":
                    return connection
                if not answers:
                    connection = None
            except OSError:
                connection = None
            time.sleep(0.01)
        raise Hang(f"does not lead after {READY_SECONDS} s")

    def status(self, seconds=END_SECONDS):
        """The exit status, below 0 for a signal; raises if the node does not end."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Hang(f"does not end within {seconds} s") from None

    @property
    def is_running(self):
        return self.process.poll() is None

    def kill(self):
        if self.is_running:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """In order. Returns the exit status."""
        if self.is_running:
            self.process.terminate()
        return self.status()

    def lines(self):
        """What was written to standard error, without times and paths that differ from run to run."""
        with open(self.errors_path, encoding="utf-8", errors="replace") as file:
            text = file.read()
        text = text.replace(self.volume.rstrip("/"), "VOLUME").replace(os.path.dirname(self.volume), "FOLDER")
        text = re.sub(r"in use by process \d+", "in use by process NUMBER", text)
        text = re.sub(r"\d{4}-\d\d-\d\dT[0-9:.]+Z ", "", text)
        return [line for line in text.splitlines() if line.strip()]

    def complaints(self):
        """The lines that are not mere information."""
        return [line for line in self.lines() if not re.match(r"(trace|debug|info|notice) ", line)]


def describe(status):
    """An exit status in words."""
    if status is None:
        return "runs"
    if status < 0:
        return f"signal {signal.Signals(-status).name}"
    return f"status {status}"


def shorten(text, limit=240):
    return text if len(text) <= limit else text[: limit - 1] + "…"
