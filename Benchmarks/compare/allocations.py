"""How often the leader asks the allocator for memory, for each request: counted in a run of its own, with a library that is
preloaded (counting.c), so that the other figures are not those of a node that counts."""
import rows
import servers

WORKLOADS = [
    ("write", "writes, 64 clients", {"clients": 64}),
    ("write-pipelined", "writes, 50 connections, 32 deep", {**rows.PIPELINED}),
    ("read", "reads, 64 clients", {"clients": 64, "reads": 1}),
    ("read-pipelined", "reads, 50 connections, 32 deep", {**rows.PIPELINED, "reads": 1}),
]


ATTEMPTS = 4


class Moved(Exception):
    """Somebody else leads than when counting began."""


def measure(loads, requests, raftnode, counter, say):
    found = []
    for store in ("database", "memory"):
        with servers.Raftnode(raftnode, store, counter=counter) as server:
            server.await_all()
            rows.fill(loads, server, rows.KEYS)
            for name, title, options in WORKLOADS:
                found.append({"store": store, "id": name, "title": title,
                              "per_request": steady(loads, server, {"keys": rows.KEYS, **options}, requests)})
                say(f"allocations on the leader, {store}, {title}: {found[-1]['per_request']:.2f} a request")
    return found


def steady(loads, server, options, requests):
    """Of one workload, while the same node led from its beginning to its end."""
    for _ in range(ATTEMPTS):
        try:
            return count(loads, server, options, requests)
        except Moved:
            continue
    raise servers.Failed(f"the leader has changed in each of {ATTEMPTS} attempts to count allocations")


def count(loads, server, options, requests):
    leader = server.await_leader()
    # Once to warm up: buffers that are used for the first time grow.
    loads.run(server, {**options, "requests": requests // 4}, "leader")
    before = server.allocations(leader)
    result = loads.run(server, {**options, "requests": requests}, "leader")
    made = server.allocations(leader) - before
    if server.await_leader() != leader or result["failed"]:
        raise Moved
    return made / result["succeeded"]
