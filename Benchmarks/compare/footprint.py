"""What a cluster takes: memory with many keys, time to start, time to be there again after all nodes were killed."""
import time

import rows
import servers
import stats


def memory_and_recovery(system, loads, keys, raftnode, say):
    """Writes many keys, looks at the memory, kills all nodes, and starts them again."""
    with rows.make(system, raftnode) as server:
        server.await_all()
        # The same way for all: 512 clients, one write each at a time.
        began = time.monotonic()
        options = {"requests": keys, "keys": keys, "clients": 512, "value-bytes": 100}
        if not isinstance(server, servers.Etcd):
            options["distribution"] = "sequential"
        filled = loads.run(server, options, limit=600)
        outcome = {
            "keys": filled["succeeded"],
            "fill_seconds": time.monotonic() - began,
            "peak_megabytes": server.peak_megabytes(),
            "start_seconds": server.started,
        }
        if system not in ("raftnode-memory", "redis"):
            for number in range(server.count):
                server.kill(number)
            outcome["recovery_seconds"] = server.start()
    again = f", there again after {outcome['recovery_seconds']:.2f} s" if "recovery_seconds" in outcome else ""
    say(f"{keys:,} keys: {system} {outcome['peak_megabytes']:,.0f} MB{again}")
    return outcome


def start_times(systems, repeats, raftnode, say):
    """From the start of all processes, with nothing on the disk, to the first write that succeeds."""
    times = {system: [] for system in systems}
    for _ in range(repeats):
        for system in systems:
            with rows.make(system, raftnode) as server:
                times[system].append(server.started)
    outcome = {system: stats.summary(values) for system, values in times.items()}
    say("start: " + ", ".join(f"{system} {outcome[system]['median']:.2f} s" for system in systems))
    return outcome
