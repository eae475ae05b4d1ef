#!/usr/bin/env python3
"""Measures what a newcomer costs a cluster that holds much.

usage: newcomer.py RAFTNODE [--megabytes N] [--limit BYTES] [--load SHARE] [--store database|memory]

Starts three nodes, fills them, and lets a fourth join, while clients write at a share of what the cluster can. Prints the
time, the rate, the throughput of the others before and during the transfer, and the memory of the leader.
"""
import argparse, json, os, random, shutil, socket, subprocess, tempfile, threading, time

parser = argparse.ArgumentParser()
parser.add_argument("raftnode")
parser.add_argument("--megabytes", type=int, default=1024)
parser.add_argument("--limit", type=int, default=0, help="bytes in a second")
parser.add_argument("--load", type=float, default=0.0, help="share of the capacity at which clients write")
parser.add_argument("--store", choices=["database", "memory"], default="database")
parser.add_argument("--clients", type=int, default=16)
options = parser.parse_args()

root = tempfile.mkdtemp(prefix="raftnode-newcomer-")
processes, ports = {}, {}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(number, peers):
    ports.setdefault(number, free_port())
    arguments = [options.raftnode, "--ip", f"127.0.0.1:{ports[number]}", "--log-level", "warning"]
    arguments += ["--volume", f"{root}/{number}"]
    if options.store == "database":
        arguments += ["--store", "database"]
    if peers:
        arguments += ["--peers", ",".join(f"127.0.0.1:{ports[peer]}" for peer in peers)]
    if options.limit:
        arguments += ["--snapshot-bandwidth", str(options.limit)]
    processes[number] = subprocess.Popen(arguments, stderr=open(f"{root}/{number}.log", "ab"))


def ask(number, request):
    with socket.create_connection(("127.0.0.1", ports[number]), timeout=20) as connection:
        connection.sendall((json.dumps(request) + "\n").encode())
        return json.loads(connection.makefile("rb").readline())


def memory(number, field="VmRSS"):
    with open(f"/proc/{processes[number].pid}/status") as status:
        return next(int(line.split()[1]) // 1024 for line in status if line.startswith(field))


def command(key, value):
    return b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n" % (len(key), key, len(value), value)


def fill(number, megabytes):
    noise = random.Random(1).randbytes(1 << 20)
    with socket.create_connection(("127.0.0.1", ports[number]), timeout=60) as connection:
        answers = connection.makefile("rb")
        for first in range(0, megabytes << 10, 200):
            keys = range(first, min(first + 200, megabytes << 10))
            pieces = []
            for key in keys:
                start = key * 7919 % (len(noise) - 1024)
                pieces.append(command(b"key-%09d" % key, noise[start:start + 1000]))
            connection.sendall(b"".join(pieces))
            for _ in keys:
                assert answers.readline() == b"+OK\r\n"


class Load:
    """Clients that write, each at a steady rate; or as fast as they can, if that is None."""

    def __init__(self, number, rate):
        self.done, self.worst, self.isGoing = 0, 0.0, True
        interval = options.clients / rate if rate else 0
        self.threads = [threading.Thread(target=self.run, args=(number, n, interval)) for n in range(options.clients)]
        for thread in self.threads:
            thread.start()

    def run(self, number, client, interval):
        with socket.create_connection(("127.0.0.1", ports[number]), timeout=60) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            due, count = time.monotonic() + random.random() * interval, 0
            while self.isGoing:
                if interval:
                    time.sleep(max(0, due - time.monotonic()))
                    due += interval
                began = time.monotonic()
                connection.sendall(command(b"load-%d-%d" % (client, count % 1000), b"x" * 100))
                assert connection.recv(100) == b"+OK\r\n"
                self.worst = max(self.worst, time.monotonic() - began)
                self.done += 1
                count += 1

    def end(self):
        self.isGoing = False
        for thread in self.threads:
            thread.join()


def rate_of(load, seconds):
    before, began = load.done, time.monotonic()
    time.sleep(seconds)
    return (load.done - before) / (time.monotonic() - began)


try:
    for number in range(3):
        ports[number] = free_port()
    for number in range(3):
        start(number, [peer for peer in range(3) if peer != number])
    leader = None
    while leader is None:
        time.sleep(0.1)
        try:
            address = ask(0, {"type": "status"})["leader"]
            leader = next((n for n in range(3) if address and address.endswith(f":{ports[n]}")), None)
        except OSError:
            pass
    fill(leader, options.megabytes)
    before = 0
    load = None
    if options.load:
        load = Load(leader, None)
        time.sleep(1)
        capacity = rate_of(load, 4)
        load.end()
        load = Load(leader, capacity * options.load)
        time.sleep(1)
        before = rate_of(load, 5)
        load.worst = 0
        print(f"capacity {capacity:.0f}/s; writes before: {before:.0f}/s")
    resident = memory(leader)
    began, done = time.monotonic(), load.done if load else 0
    start(3, [0, 1, 2])
    peak = 0
    while True:
        peak = max(peak, memory(leader))
        try:
            if ask(3, {"type": "status"})["role"] in ("follower", "leader"):
                break
        except (OSError, KeyError, ValueError):
            pass
        time.sleep(0.05)
    seconds = time.monotonic() - began
    size = options.megabytes * 1.0
    if options.store == "database":
        size = int(subprocess.check_output(["du", "-sm", "--apparent-size", f"{root}/3"]).split()[0])
    print(f"joined in {seconds:.1f} s: {size / seconds:.1f} MiB/s of {size:.0f} MiB")
    if options.limit:
        print(f"share of the limit: {size * (1 << 20) / seconds / options.limit:.2f}")
    if load:
        during = (load.done - done) / seconds
        print(f"writes meanwhile: {during:.0f}/s, {during / before:.2f} of before; slowest {load.worst * 1000:.0f} ms")
        load.end()
    print(f"memory of the leader: {resident} MiB before, at most {peak} MiB; newcomer: at most {memory(3, 'VmHWM')} MiB")
    if options.store == "database":
        began = time.monotonic()
        receiver = socket.socket()
        receiver.bind(("127.0.0.1", 0))
        receiver.listen()

        def receive():
            connection = receiver.accept()[0]
            with open(f"{root}/copied", "wb") as copied:
                while True:
                    piece = connection.recv(1 << 20)
                    if not piece:
                        break
                    copied.write(piece)
                copied.flush()
                os.fsync(copied.fileno())

        thread = threading.Thread(target=receive)
        thread.start()
        with socket.create_connection(receiver.getsockname()) as connection:
            folder = next(f"{root}/{leader}/{name}" for name in os.listdir(f"{root}/{leader}") if name.startswith("data-"))
            for name in sorted(os.listdir(folder)):
                with open(f"{folder}/{name}", "rb") as content:
                    connection.sendfile(content)
        thread.join()
        print(f"copying the files over loopback, with a sync: {time.monotonic() - began:.1f} s")
finally:
    for process in processes.values():
        process.kill()
        process.wait()
    shutil.rmtree(root, ignore_errors=True)
