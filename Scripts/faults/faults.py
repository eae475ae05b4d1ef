#!/usr/bin/env python3
"""Lets a node's disk fail in many ways, one after another, and says whether the node kept what it had promised.

A failed write or sync ends the node with status 74 and one sentence, before anything is acknowledged that is not durable;
after that, or after a power failure, it has everything that it acknowledged. Damage is found, and the sentence names the
file. Each fault gets a fresh copy of a volume with thousands of values.
"""

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor

from history import History
from node import Node
from table import make_cases

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
WRITES = 2600

INTRODUCTION = """# Faults

What a single node with a database does when its disk fails or its files are damaged, one fault after another, each on a
fresh copy of a volume with thousands of writes; `make faults` does it again and writes this table. A fault is ok if the
node stopped with status 74 and one sentence that names the file, or went on, and whatever it had acknowledged before was
there when it was started again without the fault, and when it was started with what a power failure had left. `undone` is
a start after a damaged file was put back. Of syncs that were lies only their consequences can be found: the node refuses,
or has lost nothing but the last writes.
"""


class Bench:
    """What the cases of a process share: the executable, the shims, a folder, and the prepared volume."""

    def __init__(self, executable, folder):
        os.makedirs(folder)
        self.executable, self.folder = executable, folder
        self.failing = self.build("faults/failing.c")
        self.powerless = self.build("torture/powerless.c")
        self.port = self.spare_port()
        self.prepared = os.path.join(folder, "prepared")
        self.history = History()
        self.used = self.started = 0

    def build(self, source):
        library = os.path.join(self.folder, os.path.basename(source)[:-2] + ".so")
        subprocess.run(
            ["clang", "-shared", "-fPIC", "-O2", "-o", library, os.path.join(HERE, "..", source), "-ldl"], check=True)
        return library

    def spare_port(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    def prepare(self):
        """A volume with entries in several files, a log that has been cut at its beginning, and ends as a kill leaves it."""
        node = self.start(self.prepared)
        connection = node.connect()
        if connection is None:
            sys.exit("the node does not start: " + " / ".join(node.lines()))
        steps = [(600, None, 50), (76, self.history.next_large, 4), (6000, self.history.next_small, 200), (WRITES, None, 50)]
        for count, make, size in steps:
            done, answer = self.history.extend(connection, count, make, size)
            if done < count:
                sys.exit(f"the node refuses writes: {answer} {node.lines()}")
        time.sleep(0.5)
        connection.close()
        node.kill()

    def path(self, name):
        return os.path.join(self.folder, name)

    def fresh(self, is_prepared=True):
        """A volume of its own for a case, and what is in it."""
        self.used += 1
        volume = self.path(f"volume-{self.used}")
        if not is_prepared:
            return volume, History()
        shutil.copytree(self.prepared, volume)
        return volume, self.history.copy()

    def start(self, volume, **options):
        self.started += 1
        errors = self.path(f"volume-stderr-{self.started}")
        return Node(self.executable, options.pop("port", self.port), volume, errors, **options)

    def sweep(self):
        for name in os.listdir(self.folder):
            if name.startswith("volume-"):
                path = self.path(name)
                shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)


def escape(text):
    return text.replace("|", "\\|").replace("<", "\\<")


def row(number, name, outcome):
    verdict = "ok" if not outcome.faults else "NOT OK: " + "; ".join(outcome.faults)
    return "| " + " | ".join(escape(cell) for cell in [
        str(number), name, outcome.did, outcome.kept, verdict]) + " |"


def find_executable(given):
    for path in [given] if given else [f"{ROOT}/.build/release/raftnode", f"{ROOT}/.build/debug/raftnode"]:
        if os.access(path, os.X_OK):
            return os.path.abspath(path)
    sys.exit(f"{given or 'raftnode'} is not built: make release")


bench = None
cases = []


def begin(executable, folder):
    """In each process: a volume of its own, because a volume belongs to an address."""
    global bench, cases
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    bench = Bench(executable, os.path.join(folder, str(os.getpid())))
    bench.prepare()
    cases = make_cases(bench)


def carry_out(number, is_kept):
    try:
        return cases[number].run()
    finally:
        if not is_kept:
            bench.sweep()


def main():
    options = parse()
    folder = tempfile.mkdtemp(prefix="faults-")
    os.chmod(folder, 0o755)
    # Whoever builds meanwhile does not change what is tried.
    executable = shutil.copy(options.executable, os.path.join(folder, "raftnode"))
    names = [case.name for case in make_cases(None)]
    chosen = [number for number, name in enumerate(names) if options.only in name and number + 1 >= options.first]
    begun = time.monotonic()
    bad = 0
    rows = []

    def say(line):
        rows.append(line)
        print(line, flush=True)

    say("| # | fault | what the node did | what it had acknowledged | verdict |")
    say("|---|---|---|---|---|")
    try:
        with ProcessPoolExecutor(options.jobs, initializer=begin, initargs=(executable, folder)) as pool:
            outcomes = pool.map(carry_out, chosen, [options.keep] * len(chosen))
            for number, outcome in zip(chosen, outcomes):
                bad += bool(outcome.faults)
                say(row(number + 1, names[number], outcome))
    finally:
        if options.keep:
            print(f"the volumes are in {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    summary = f"{len(chosen)} faults, {len(chosen) - bad} ok, {bad} not ok."
    print(f"\n{summary} It took {time.monotonic() - begun:.0f} s.")
    if options.document:
        with open(options.document, "w", encoding="utf-8") as file:
            file.write(INTRODUCTION + "\n" + "\n".join(rows) + f"\n\n{summary}\n")
    sys.exit(1 if bad else 0)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--node", help="the executable; .build/release/raftnode, or the debug one, if not given")
    parser.add_argument("--only", default="", help="only faults whose description has this text in it")
    parser.add_argument("--from", dest="first", type=int, default=1, help="the number of the first fault")
    parser.add_argument("--jobs", type=int, default=2, help="how many faults are tried at once (2)")
    parser.add_argument("--document", help="a file to write the table to, with an introduction")
    parser.add_argument("--keep", action="store_true", help="keep the folder with the volumes, and name it")
    options = parser.parse_args()
    options.executable = find_executable(options.node)
    return options


if __name__ == "__main__":
    main()
