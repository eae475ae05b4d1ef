"""Starts what is compared, on loopback, in folders of its own, and looks at it from outside."""
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request

import packages

TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A server did not do what it was started for."""


ports = iter(range(18_000, 30_000))


def free_port():
    """Below the ports that the system gives to outgoing connections: a client that tries again and again to reach a node
    that was killed would otherwise end up connected with itself."""
    for port in ports:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise Failed("no port is free")


class Server:
    """Some processes that serve together. `with` stops them, and removes their files."""

    name = "server"
    patience = 30

    def __init__(self, count):
        parent = os.path.join(packages.BUILT, "data")
        os.makedirs(parent, exist_ok=True)
        self.root = tempfile.mkdtemp(prefix=f"{self.name}-", dir=parent)
        os.chmod(self.root, 0o755)
        self.count = count
        self.processes = [None] * count
        self.ports = [free_port() for _ in range(count)]

    def __enter__(self):
        try:
            self.started = self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def command(self, number):
        raise NotImplementedError

    def environment(self, number):
        return dict(os.environ)

    def start(self):
        """Starts all nodes. Returns how long it took until a write succeeded, in seconds."""
        began = time.monotonic()
        for number in range(self.count):
            self.start_node(number)
        self.await_service()
        return time.monotonic() - began

    def start_node(self, number, **popen):
        folder = self.folder(number)
        os.makedirs(folder, exist_ok=True)
        with open(f"{self.root}/{number}.log", "ab") as log:
            self.processes[number] = subprocess.Popen(
                self.command(number), cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self.environment(number), **popen)

    def folder(self, number):
        return f"{self.root}/{number}"

    def await_service(self):
        """Until a write succeeds, at any node. All are asked at the same time: one that is silent is not waited for."""
        served, over = threading.Event(), threading.Event()

        def ask(number):
            while not over.is_set():
                try:
                    if self.try_write(number):
                        served.set()
                        return
                except (OSError, ValueError):
                    pass
                time.sleep(0.005)

        for number in range(self.count):
            threading.Thread(target=ask, args=(number,), daemon=True).start()
        until = time.monotonic() + self.patience
        try:
            while not served.wait(0.2):
                for node, process in enumerate(self.processes):
                    if process and process.poll() is not None:
                        raise Failed(f"{self.name} {node} has ended: {self.last_words(node)}")
                if time.monotonic() > until:
                    raise Failed(f"{self.name} does not serve within {self.patience} s: {self.last_words(0)}")
        finally:
            over.set()

    def await_all(self):
        """Until every node has served a write."""
        until = time.monotonic() + self.patience
        for number in range(self.count):
            while True:
                try:
                    if self.try_write(number):
                        break
                except (OSError, ValueError):
                    pass
                if time.monotonic() > until:
                    raise Failed(f"{self.name} {number} does not serve: {self.last_words(number)}")
                time.sleep(0.02)

    def last_words(self, number):
        with open(f"{self.root}/{number}.log", errors="replace") as log:
            return log.read()[-500:].strip()

    def try_write(self, number):
        raise NotImplementedError

    def await_rest(self):
        """Until nothing of former work is left to do, as far as that can be seen."""
        time.sleep(0.3)

    def leader(self):
        """The number of the node that leads."""
        return 0

    def await_leader(self):
        until = time.monotonic() + self.patience
        while time.monotonic() < until:
            try:
                found = self.leader()
                if found is not None:
                    return found
            except (OSError, ValueError, KeyError):
                pass
            time.sleep(0.05)
        raise Failed(f"{self.name} has no leader within {self.patience} s")

    def addresses(self):
        return [f"127.0.0.1:{port}" for port in self.ports]

    def kill(self, number):
        process = self.processes[number]
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()
        self.processes[number] = None

    def stop(self):
        for number in range(self.count):
            self.kill(number)
        shutil.rmtree(self.root, ignore_errors=True)

    def running(self):
        return [process.pid for process in self.processes if process]

    def processor_seconds(self):
        """What all nodes have used until now."""
        total = 0
        for pid in self.running():
            with open(f"/proc/{pid}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS

    def peak_megabytes(self):
        """The most memory that a node has used, of the node that used most."""
        return max(self.status(pid, "VmHWM") for pid in self.running()) / 1024

    @staticmethod
    def status(pid, field):
        with open(f"/proc/{pid}/status") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith(field + ":"))


class Raftnode(Server):
    name = "raftnode"
    protocol = "resp"

    def __init__(self, binary, store, count=3, extra=(), counter=None):
        self.binary, self.store, self.extra, self.counter = binary, store, list(extra), counter
        super().__init__(count)

    def command(self, number):
        peers = [address for node, address in enumerate(self.addresses()) if node != number]
        command = [self.binary, "--ip", self.addresses()[number], "--volume", self.folder(number)]
        command += ["--store", self.store, "--log-level", "error", *self.extra]
        return command + (["--peers", ",".join(peers)] if peers else [])

    def environment(self, number):
        if not self.counter:
            return dict(os.environ)
        return dict(os.environ, LD_PRELOAD=self.counter, COUNTING_FILE=f"{self.root}/{number}.count")

    def allocations(self, number):
        with open(f"{self.root}/{number}.count", "rb") as count:
            return int.from_bytes(count.read(8), "little")

    def ask(self, number, request, timeout=2):
        with socket.create_connection(("127.0.0.1", self.ports[number]), timeout=timeout) as connection:
            connection.sendall((json.dumps(request) + "\n").encode())
            return json.loads(connection.makefile("rb").readline())

    def try_write(self, number):
        return self.ask(number, {"type": "put", "key": "probe", "value": "x"}).get("data") is True

    def await_rest(self):
        """Until all nodes have applied the same, and use no processor to speak of."""
        until = time.monotonic() + self.patience
        while time.monotonic() < until:
            before = self.processor_seconds()
            time.sleep(0.5)
            applied = {self.ask(number, {"type": "status"})["applied"] for number in range(self.count)}
            if len(applied) == 1 and self.processor_seconds() - before < 0.1:
                return

    def leader(self):
        for number, process in enumerate(self.processes):
            if process is None:
                continue
            address = self.ask(number, {"type": "status"})["leader"]
            if address in self.addresses():
                return self.addresses().index(address)
        return None


class Etcd(Server):
    name = "etcd"

    def __init__(self, count=3):
        super().__init__(count)
        self.peer_ports = [free_port() for _ in range(count)]

    def command(self, number):
        client = f"http://{self.addresses()[number]}"
        peers = [f"http://127.0.0.1:{port}" for port in self.peer_ports]
        cluster = ",".join(f"n{node}={peer}" for node, peer in enumerate(peers))
        # Everything is as shipped but the quota: sixteen times the default, so that the long rows do not end in alarms.
        return [
            packages.find("etcd"), "--name", f"n{number}", "--data-dir", self.folder(number) + "/data",
            "--listen-client-urls", client, "--advertise-client-urls", client,
            "--listen-peer-urls", peers[number], "--initial-advertise-peer-urls", peers[number],
            "--initial-cluster", cluster, "--initial-cluster-state", "new", "--logger", "zap", "--log-level", "error",
            "--quota-backend-bytes", str(32 << 30),
        ]

    def post(self, number, path, body):
        request = urllib.request.Request(
            f"http://{self.addresses()[number]}{path}", data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=2) as answer:
            return json.loads(answer.read())

    def try_write(self, number):
        return "header" in self.post(number, "/v3/kv/put", {"key": "cHJvYmU=", "value": "eA=="})

    def leader(self):
        for number, process in enumerate(self.processes):
            if process is None:
                continue
            status = self.post(number, "/v3/maintenance/status", {})
            if status.get("leader", "0") != "0" and status["leader"] == status["header"]["member_id"]:
                return number
        return None


class Redis(Server):
    name = "redis"
    protocol = "resp"

    def __init__(self, is_durable):
        self.is_durable = is_durable
        super().__init__(1)

    def command(self, number):
        durable = ["--appendonly", "yes", "--appendfsync", "always"] if self.is_durable else ["--appendonly", "no"]
        return [
            packages.find("redis-server"), "--port", str(self.ports[0]), "--bind", "127.0.0.1", "--save", "",
            "--dir", self.folder(0), "--daemonize", "no", *durable,
        ]

    def try_write(self, number):
        with socket.create_connection(("127.0.0.1", self.ports[0]), timeout=2) as connection:
            connection.sendall(b"SET probe x\r\n")
            return connection.recv(64) == b"+OK\r\n"
