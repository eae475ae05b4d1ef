"""Puts a load on servers, with `raftnode bench` or with etcdload, and reads what these measured."""
import json
import subprocess
import time

import servers


class Loads:
    """The two generators, and how long they run."""

    def __init__(self, raftnode, etcdload, seconds, warmup):
        self.raftnode, self.etcdload = raftnode, etcdload
        self.seconds, self.warmup = seconds, warmup

    def command(self, server, options, addresses):
        """The command for a workload. Options are those of `raftnode bench`."""
        options = {"duration": self.seconds, "warmup": self.warmup, **options}
        if isinstance(server, servers.Etcd):
            clients = options.get("clients", 64)
            words = [self.etcdload, "-endpoints", ",".join(addresses), "-connections", str(connections_for(clients))]
            for name, value in options.items():
                if name in ("duration", "warmup", "timeout"):
                    value = f"{value}s"
                words += [f"-{name}", str(value)]
            return words
        words = [self.raftnode, "bench", "--json", "--ip", ",".join(addresses)]
        for name, value in options.items():
            words += [f"--{name}", str(value)]
        return words

    def begin(self, server, options, addresses=None):
        return subprocess.Popen(
            self.command(server, options, addresses or server.addresses()), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)

    def run(self, server, options, where="any", limit=None):
        """Runs a workload to its end. `where` is `any`, all nodes, or `leader`."""
        addresses = server.addresses()
        if where == "leader":
            addresses = [addresses[server.await_leader()]]
        before = server.processor_seconds()
        began = time.monotonic()
        result = self.end(self.begin(server, options, addresses), limit)
        # The generator's warm-up costs the nodes, too: their processor time is that of all of it.
        measured = result["seconds"]
        result["nodes_cpu_seconds"] = server.processor_seconds() - before
        result["wall_seconds"] = time.monotonic() - began
        share = measured / max(measured + (0 if options.get("requests") else self.warmup), 1e-9)
        if result["succeeded"]:
            result["nodes_cpu_per_million"] = result["nodes_cpu_seconds"] * share / result["succeeded"] * 1e6
        return result

    @staticmethod
    def end(process, limit=None):
        """Waits for a load. After `limit` seconds it is ended, and that is a failure."""
        try:
            out, error = process.communicate(timeout=limit or 120)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise servers.Failed(f"the load did not end within {limit or 120} s") from None
        if process.returncode != 0:
            raise servers.Failed(f"the load generator failed with {process.returncode}: {error.strip()} {out.strip()}")
        return json.loads(out)


def connections_for(clients):
    """etcd's client sends the requests of many goroutines over one connection; one for each 8 to 16 did best."""
    return 1 if clients < 8 else 8 if clients <= 64 else 32
