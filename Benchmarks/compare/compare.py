#!/usr/bin/env python3
"""Measures raftnode beside etcd and Redis, on this machine, in one run.

usage: compare.py [--quick] [--record] [--only GROUP,...] [--rows ID,...] [--raftnode FILE] [--output FOLDER]

Installs what is compared with apt-get where it is missing, starts it on loopback in temporary folders, and stops it.
Writes compare.json, compare.md and pictures. Ends with status 1 if something could not be measured, and with --check with
status 2 if a bound is missed.
"""
import argparse
import datetime
import os
import shutil
import signal
import subprocess
import sys
import time

import allocations
import failover
import footprint
import load
import packages
import report
import rows
import scaling
import servers

GROUPS = ["rows", "failover", "memory", "start", "scaling", "allocations", "cross_check"]


def arguments():
    parser = argparse.ArgumentParser(description="Measures raftnode beside etcd and Redis.")
    parser.add_argument("--raftnode", default=os.path.join(packages.REPOSITORY, ".build/release/raftnode"))
    parser.add_argument("--output", default=os.path.join(packages.BUILT, "report"))
    parser.add_argument("--quick", action="store_true", help="a few minutes: three short repeats, fewer keys")
    parser.add_argument("--record", action="store_true", help="write into Benchmarks/results, and the README")
    parser.add_argument("--check", action="store_true", help="end with status 2 if a bound is missed")
    parser.add_argument("--only", default=",".join(GROUPS), help=f"groups: {', '.join(GROUPS)}")
    parser.add_argument("--rows", help="rows of throughput, by their ids, separated by commas")
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--seconds", type=float, help="how long each repeat is measured")
    options = parser.parse_args()
    options.repeats = options.repeats or (3 if options.quick else 5)
    options.seconds = options.seconds or (0.7 if options.quick else 2.0)
    options.only = options.only.split(",")
    unknown = set(options.only) - set(GROUPS)
    unknown |= set(options.rows.split(",")) - {row.id for row in rows.ROWS} if options.rows else set()
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    if options.record:
        options.output = os.path.join(packages.REPOSITORY, "Benchmarks/results")
    return options


class Run:
    """One run of everything, and what came of it."""

    def __init__(self, options):
        self.options = options
        etcdload, self.counter = packages.build()
        self.loads = load.Loads(options.raftnode, etcdload, options.seconds, 0.3 if options.quick else 0.4)
        self.began = time.monotonic()
        self.results = {
            "meta": {
                "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
                "versions": packages.versions(options.raftnode), "repeats": options.repeats,
                "seconds": options.seconds, "quick": options.quick,
            },
            "rows": [], "failover": [], "memory": {}, "start": {}, "scaling": [], "allocations": [],
            "cross_check": [], "failures": [],
        }

    def say(self, text):
        print(f"{time.monotonic() - self.began:6.0f} s  {text}", flush=True)

    def attempt(self, what, measure):
        """Measures something; what goes wrong is told in the report, and does not keep the rest from being measured."""
        try:
            return measure()
        except (servers.Failed, packages.Missing, failover.NotPermitted, OSError, ValueError, KeyError,
                subprocess.SubprocessError) as error:
            self.results["failures"].append(f"{what}: {error}")
            self.say(f"FAILED {what}: {error}")
            return None

    def all(self):
        for group in GROUPS:
            if group in self.options.only:
                getattr(self, group)()
        self.results["meta"]["minutes"] = round((time.monotonic() - self.began) / 60, 1)

    def rows(self):
        for row in rows.ROWS:
            if self.options.rows and row.id not in self.options.rows.split(","):
                continue
            self.attempt(row.title, lambda row=row: self.results["rows"].append(rows.measure(
                row, self.loads, self.options.repeats, self.options.raftnode, self.say)))

    def failover(self):
        # As long as it takes to see the end of it.
        seconds = {"raftnode": 5, "etcd": 7}
        repeats = 1 if self.options.quick else self.options.repeats
        for kind in failover.KINDS:
            self.attempt(f"failover, {failover.KINDS[kind]}", lambda kind=kind: self.results["failover"].append(
                failover.measure(
                    kind, ("raftnode", "etcd"), self.loads, repeats, seconds, self.options.raftnode, self.say)))

    def memory(self):
        keys = 30_000 if self.options.quick else 1_000_000
        for system in ("raftnode", "raftnode-memory", "etcd", "redis"):
            found = self.attempt(f"memory, {system}", lambda system=system: footprint.memory_and_recovery(
                system, self.loads, keys, self.options.raftnode, self.say))
            if found:
                self.results["memory"][system] = found

    def start(self):
        self.results["start"] = self.attempt("start", lambda: footprint.start_times(
            ("raftnode", "etcd"), self.options.repeats, self.options.raftnode, self.say)) or {}

    def scaling(self):
        options = self.options
        for measure in scaling.measure(self.loads, options.repeats, options.raftnode, options.quick, self.say):
            found = self.attempt("scaling", measure)
            if found:
                self.results["scaling"].append(found)

    def allocations(self):
        requests = 20_000 if self.options.quick else 100_000
        self.results["allocations"] = self.attempt("allocations", lambda: allocations.measure(
            self.loads, requests, self.options.raftnode, self.counter, self.say)) or []

    def cross_check(self):
        """The same load on one Redis, by our generator and by Redis's own."""
        def measure():
            with servers.Redis(False) as redis:
                for title, options, words in (
                        ("SET, 50 clients", {"clients": 50}, []),
                        ("SET, 50 connections, 32 deep", rows.PIPELINED, ["-P", "32"])):
                    ours = self.loads.run(redis, {"keys": rows.KEYS, **options})["throughput"]
                    count = max(10_000, int(ours * self.options.seconds))
                    command = [packages.find("redis-benchmark"), "-p", str(redis.ports[0]), "-t", "set", "-d", "100",
                               "-c", "50", "-r", str(rows.KEYS), "-n", str(count), "--csv", *words]
                    lines = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
                    theirs = float(lines.strip().split("\n")[-1].split(",")[1].strip('"'))
                    self.results["cross_check"].append({"title": title, "ours": ours, "theirs": theirs})
                    self.say(f"{title}: raftnode bench {ours:,.0f}/s, redis-benchmark {theirs:,.0f}/s")
        self.attempt("cross-check", measure)


def main():
    options = arguments()
    # A run that is stopped from outside stops its servers, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        packages.install()
        if not os.access(options.raftnode, os.X_OK):
            raise packages.Missing(f"{options.raftnode} is not there: build it with `make release`")
        run = Run(options)
    except packages.Missing as error:
        print(f"compare: {error}", file=sys.stderr)
        return 1
    try:
        run.all()
    finally:
        shutil.rmtree(os.path.join(packages.BUILT, "data"), ignore_errors=True)
    readme = os.path.join(packages.REPOSITORY, "README.md") if options.record else None
    report.write(run.results, options.output, readme)
    print(f"\n{options.output}/compare.md, after {run.results['meta']['minutes']} minutes")
    for bound in run.results["bounds"]:
        print(f"  {'met   ' if bound['met'] else 'MISSED'} {bound['title']}: {bound['value']:.3g} "
              f"({bound['sense']} {bound['limit']:.3g} {bound['unit']})")
    if run.results["failures"]:
        print("not measured:", *run.results["failures"], sep="\n  ", file=sys.stderr)
        return 1
    return 2 if options.check and not all(bound["met"] for bound in run.results["bounds"]) else 0


if __name__ == "__main__":
    sys.exit(main())
