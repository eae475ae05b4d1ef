"""What the figures have to come to: ratios within one run, never absolute figures, except for failover."""
from dataclasses import dataclass

# The shortest election timeout as shipped, in milliseconds.
ELECTION_TIMEOUT = 300


@dataclass
class Bound:
    """A ratio, or a time, with the limit that it has to keep."""

    title: str
    value: float
    limit: float
    is_least: bool
    unit: str = ""

    @property
    def is_met(self):
        return self.value >= self.limit if self.is_least else self.value <= self.limit

    def json(self):
        return {"title": self.title, "value": self.value, "limit": self.limit, "unit": self.unit,
                "sense": "at least" if self.is_least else "at most", "met": self.is_met}


THROUGHPUT = [
    ("write-1", "etcd", 2), ("write-64", "etcd", 8), ("write-512", "etcd", 8), ("read-64", "etcd", 8),
    ("pipelined", "redis-durable", 0.35), ("memory-write", "redis", 0.5), ("memory-read", "redis", 0.7),
]


def judge(results):
    """All bounds for which there are figures."""
    found = []
    rows = {row["id"]: row for row in results.get("rows", [])}

    def ratio(row, peer, figure):
        systems = rows[row]["systems"]
        ours = next(name for name in systems if name.startswith("raftnode"))
        if not systems[peer][figure] or not systems[ours][figure]:
            return None
        return systems[ours][figure]["median"] / max(systems[peer][figure]["median"], 1e-9)

    def add(title, value, limit, is_least, unit=""):
        if value is not None:
            found.append(Bound(title, value, limit, is_least, unit))

    for row, peer, limit in THROUGHPUT:
        if row in rows:
            add(f"{rows[row]['title']}: throughput, to {peer}", ratio(row, peer, "throughput"), limit, True)
    for row in ("write-64", "write-512"):
        if row in rows:
            add(f"{rows[row]['title']}: p99, to etcd", ratio(row, "etcd", "p99_ms"), 1, False)
    for row in ("write-64", "write-512"):
        if row in rows:
            add(f"{rows[row]['title']}: processor time of all nodes, to etcd",
                ratio(row, "etcd", "nodes_cpu_per_million"), 1 / 8, False)
    for failure in results.get("failover", []):
        times = failure["systems"]
        ours, etcd = times["raftnode"]["median"], times["etcd"]["median"]
        is_kill = failure["kind"] == "kill"
        add(f"failover, {failure['title']}: to etcd", ours / max(etcd, 1e-9), 1 / 20 if is_kill else 1 / 3, False)
        limit = 50 if is_kill else 3 * ELECTION_TIMEOUT
        add(f"failover, {failure['title']}: median", ours, limit, False, "ms")
    memory = results.get("memory", {})
    if "raftnode" in memory and "etcd" in memory:
        add(f"peak memory of a node with {memory['raftnode']['keys']:,} keys, to etcd",
            memory["raftnode"]["peak_megabytes"] / memory["etcd"]["peak_megabytes"], 1 / 2, False)
    for row in results.get("scaling", []):
        add(row["title"], row["ratio"], row["bound"], row["sense"] == "at least")
    return found
