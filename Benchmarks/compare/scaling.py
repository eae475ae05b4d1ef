"""Whether cost grows as it should: more nodes, more keys, more connections, more load."""
import contextlib
import time

import rows
import stats


def in_turns(loads, repeats, first, second):
    """Two workloads in turns, each a server, its options, and where. Returns the results of both."""
    results = ([], [])
    for repeat in range(repeats):
        for which in ((0, 1) if repeat % 2 == 0 else (1, 0)):
            server, options, where = (first, second)[which]
            results[which].append(loads.run(server, options, where))
    return results


def throughputs(title, results, bound, say, note=None):
    more, base = (stats.summary(stats.field(runs, "throughput")) for runs in results)
    outcome = {"title": title, "unit": "writes/s", "more": more, "base": base,
               "ratio": more["median"] / base["median"], "bound": bound, "sense": "at least", "note": note,
               "errors": sum(run["failed"] for runs in results for run in runs)}
    say(f"{title}: {outcome['ratio']:.2f}")
    return outcome


def nodes(loads, repeats, raftnode, say):
    with contextlib.ExitStack() as stack:
        five, three = (stack.enter_context(rows.make(name, raftnode)) for name in ("raftnode-5", "raftnode"))
        for server in (five, three):
            server.await_all()
        options = {"clients": 64, "keys": rows.KEYS}
        results = in_turns(loads, repeats, (five, options, "any"), (three, options, "any"))
    return throughputs("durable writes, 64 clients: 5 nodes to 3", results, 0.6, say)


def keys(loads, repeats, raftnode, many, limit, say):
    """Fills one cluster for `limit` seconds at most; if that is not enough, with as many keys as there are then."""
    note = None
    with contextlib.ExitStack() as stack:
        full, small = (stack.enter_context(rows.make("raftnode", raftnode)) for _ in range(2))
        for server in (full, small):
            server.await_all()
        rows.fill(loads, small, rows.KEYS)
        written, began, part = 0, time.monotonic(), max(1, many // 20)
        rate = rows.fill(loads, full, part)["throughput"]
        wanted = many
        if many / max(rate, 1) > limit:
            wanted = int(rate * limit)
            note = f"only {wanted:,} keys: more would have taken longer than {limit} s"
        written = rows.fill(loads, full, wanted, limit=3 * limit)["succeeded"]
        results = in_turns(
            loads, repeats, (full, {"clients": 64, "keys": wanted}, "any"),
            (small, {"clients": 64, "keys": rows.KEYS}, "any"))
    return throughputs(
        f"durable writes, 64 clients: {written:,} keys to {rows.KEYS:,}", results, 0.7, say, note)


def connections(loads, repeats, raftnode, many, say):
    with rows.make("raftnode", raftnode) as server:
        server.await_all()
        results = in_turns(
            loads, repeats, (server, {"clients": many, "keys": rows.KEYS, "timeout": 30}, "any"),
            (server, {"clients": 64, "keys": rows.KEYS}, "any"))
    return throughputs(f"durable writes: {many:,} connections to 64", results, 0.7, say)


def half_load(loads, repeats, raftnode, say):
    """Latency at a fixed rate, counted from when each request was due."""
    with rows.make("raftnode", raftnode) as server:
        server.await_all()
        options = {"clients": 64, "keys": rows.KEYS}
        capacity = stats.median([loads.run(server, options)["throughput"] for _ in range(3)])
        half = {**options, "rate": max(1, round(capacity / 2))}
        idle = {**options, "rate": max(1, round(min(100, capacity / 100)))}
        results = in_turns(loads, repeats, (server, half, "any"), (server, idle, "any"))
    outcome = {"title": f"latency of durable writes at half load ({half['rate']:,}/s) to idle ({idle['rate']:,}/s)",
               "unit": "ms", "bound": 2.0, "sense": "at most", "note": "medians; p99 is in the result file",
               "errors": sum(run["failed"] for runs in results for run in runs)}
    for percentile in ("p50", "p99"):
        more, base = (
            stats.summary([value / 1e3 for value in stats.field(runs, f"latency_us.{percentile}")])
            for runs in results)
        suffix = "" if percentile == "p50" else "_p99"
        outcome.update({f"more{suffix}": more, f"base{suffix}": base})
        outcome[f"ratio{suffix}"] = more["median"] / max(base["median"], 1e-9)
    say(f"{outcome['title']}: {outcome['ratio']:.2f} (p99: {outcome['ratio_p99']:.2f})")
    return outcome


def measure(loads, repeats, raftnode, is_quick, say):
    yield lambda: nodes(loads, repeats, raftnode, say)
    yield lambda: keys(loads, repeats, raftnode, 300_000 if is_quick else 10_000_000, 20 if is_quick else 120, say)
    yield lambda: connections(loads, repeats, raftnode, 1_000 if is_quick else 5_000, say)
    yield lambda: half_load(loads, repeats, raftnode, say)
