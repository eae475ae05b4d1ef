"""Throughput and latency: each row is one workload, run in turns on the servers that it compares."""
import contextlib
from dataclasses import dataclass, field

import servers
import stats

KEYS = 10_000


@dataclass
class Row:
    """One workload. `systems` names the servers that take it, in the order of the table."""

    id: str
    title: str
    systems: tuple
    options: dict
    where: str = "any"
    # What each gets in addition, by the name of the system.
    changes: dict = field(default_factory=dict)


DURABLE = ("raftnode", "etcd")
PIPELINED = {"clients": 50, "pipeline": 32}

ROWS = [
    Row("write-1", "durable writes, 1 client", DURABLE, {"clients": 1}),
    Row("write-64", "durable writes, 64 clients", DURABLE, {"clients": 64}),
    Row("write-512", "durable writes, 512 clients", DURABLE, {"clients": 512}),
    Row("read-1", "linearizable reads, 1 client, any node", DURABLE, {"clients": 1, "reads": 1}),
    Row("read-64", "linearizable reads, 64 clients, any node", DURABLE, {"clients": 64, "reads": 1}),
    Row("read-512", "linearizable reads, 512 clients, any node", DURABLE, {"clients": 512, "reads": 1}),
    Row("read-64-leader", "linearizable reads, 64 clients, at the leader", DURABLE,
        {"clients": 64, "reads": 1}, "leader"),
    Row("mix-64", "90 % reads, 10 % durable writes, 64 clients", DURABLE, {"clients": 64, "reads": 0.9}),
    Row("write-64-1k", "durable writes of 1 KiB, 64 clients", DURABLE, {"clients": 64, "value-bytes": 1024}),
    Row("write-64-16k", "durable writes of 16 KiB, 64 clients", DURABLE, {"clients": 64, "value-bytes": 16384}),
    Row("pipelined", "durable writes, 50 connections, 32 deep", ("raftnode", "redis-durable"), PIPELINED, "leader"),
    Row("pipelined-read", "reads, 50 connections, 32 deep", ("raftnode", "redis-durable"),
        {**PIPELINED, "reads": 1}, "leader"),
    Row("memory-write", "memory: writes, 50 clients", ("raftnode-memory", "redis"), {"clients": 50}, "leader"),
    Row("memory-read", "memory: reads, 50 clients, at the leader", ("raftnode-memory", "redis"),
        {"clients": 50, "reads": 1}, "leader"),
    Row("memory-write-any", "memory: writes, 50 clients, any node", ("raftnode-memory", "redis"), {"clients": 50}),
    Row("memory-pipelined", "memory: writes, 50 connections, 32 deep", ("raftnode-memory", "redis"),
        PIPELINED, "leader"),
]


def make(system, raftnode):
    """The servers that a row calls by a name."""
    return {
        "raftnode": lambda: servers.Raftnode(raftnode, "database"),
        "raftnode-memory": lambda: servers.Raftnode(raftnode, "memory"),
        "raftnode-5": lambda: servers.Raftnode(raftnode, "database", count=5),
        "etcd": servers.Etcd,
        "redis": lambda: servers.Redis(False),
        "redis-durable": lambda: servers.Redis(True),
    }[system]()


def fill(loads, server, keys, limit=None, value_bytes=100):
    """Writes each key once."""
    options = {"requests": keys, "keys": keys, "value-bytes": value_bytes}
    if isinstance(server, servers.Etcd):
        options["clients"] = 512
    else:
        options.update(PIPELINED, distribution="sequential")
    result = loads.run(server, options, limit=limit)
    server.await_rest()
    return result


def measure(row, loads, repeats, raftnode, say):
    """Runs a row. New servers for each, so that no row finds what another has left."""
    results = {system: [] for system in row.systems}
    with contextlib.ExitStack() as stack:
        started = {system: stack.enter_context(make(system, raftnode)) for system in row.systems}
        for server in started.values():
            server.await_all()
            if row.options.get("reads"):
                fill(loads, server, KEYS)
        for repeat in range(repeats):
            # The one that went second goes first the next time.
            order = row.systems if repeat % 2 == 0 else tuple(reversed(row.systems))
            for system in order:
                options = {"keys": KEYS, "value-bytes": 100, **row.options, **row.changes.get(system, {})}
                results[system].append(loads.run(started[system], options, row.where))
    outcome = {"id": row.id, "title": row.title, "options": row.options, "where": row.where,
               "systems": {system: summarize(runs) for system, runs in results.items()}}
    say(f"{row.title}: " + ", ".join(
        f"{system} {outcome['systems'][system]['throughput']['median']:,.0f}/s" for system in row.systems))
    return outcome


def summarize(runs):
    """What the repeats of one workload on one system came to."""
    failed = {}
    for run in runs:
        for code, count in run["errors"].items():
            failed[code] = failed.get(code, 0) + count
    return {
        "throughput": stats.summary(stats.field(runs, "throughput")),
        "p50_ms": stats.summary([value / 1e3 for value in stats.field(runs, "latency_us.p50")]),
        "p99_ms": stats.summary([value / 1e3 for value in stats.field(runs, "latency_us.p99")]),
        "p999_ms": stats.summary([value / 1e3 for value in stats.field(runs, "latency_us.p99.9")]),
        "max_ms": stats.summary([value / 1e3 for value in stats.field(runs, "latency_us.max")]),
        "nodes_cpu_per_million": stats.summary(stats.field(runs, "nodes_cpu_per_million")),
        "generator_cpu_share": stats.summary([run["generator_cpu_seconds"] / run["seconds"] for run in runs]),
        "longest_gap_ms": stats.summary(stats.field(runs, "longest_gap_ms")),
        "errors": failed,
    }
