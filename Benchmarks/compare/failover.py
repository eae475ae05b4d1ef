"""How long no write succeeds after the leader has died: killed, stopped without a word, or cut off."""
import os
import signal
import subprocess
import time

import packages
import rows
import servers
import stats

CLIENTS = 32
WARM_UP, BEFORE = 0.3, 1.2
# How much sooner the generator may have begun to measure than it was started, in milliseconds.
SLACK = 300
FIRST_USER = 60_900

KINDS = {
    "kill": "SIGKILL of the leader",
    "stop": "SIGSTOP of the leader",
    "drop": "all packets of the leader dropped",
}


class NotPermitted(Exception):
    """The system does not let us do that."""


def measure(kind, systems, loads, repeats, seconds, raftnode, say):
    """Lets the leader die while clients write, so many times, in turns."""
    results = {system: [] for system in systems}
    for repeat in range(repeats):
        for system in systems:
            results[system].append(once(kind, system, loads, seconds[system], raftnode))
    outcome = {"kind": kind, "title": KINDS[kind], "systems": {}}
    for system in systems:
        outcome["systems"][system] = stats.summary([gap for gap, _ in results[system]])
        # Of these it is known only that it took as long at least.
        outcome["systems"][system]["unended"] = sum(not has_ended for _, has_ended in results[system])
    say(f"{KINDS[kind]}: " + ", ".join(
        f"{system} {outcome['systems'][system]['median']:,.0f} ms" for system in systems))
    return outcome


def once(kind, system, loads, seconds, raftnode):
    """Milliseconds without a write, over all clients, and whether that ended while it was measured."""
    server = rows.make(system, raftnode)
    if kind == "drop":
        isolate_users(server)
    with server:
        server.await_all()
        time.sleep(0.5)
        leader = server.await_leader()
        load = loads.begin(server, {"clients": CLIENTS, "keys": rows.KEYS, "duration": seconds, "warmup": WARM_UP})
        undo = None
        try:
            time.sleep(BEFORE)
            if load.poll() is not None:
                loads.end(load)
            undo = die(kind, server, leader)
            result = loads.end(load, seconds + 30)
        finally:
            if load.poll() is None:
                load.kill()
                load.communicate()
            if undo:
                undo()
        if result["succeeded"] == 0:
            raise servers.Failed(f"{system} took no write at all")
        left = 1000 * (seconds + WARM_UP - BEFORE) - SLACK
        return result["longest_gap_ms"], result["longest_gap_ms"] < left


def die(kind, server, leader):
    process = server.processes[leader]
    if kind == "kill":
        # Not waited for here: that is not what is measured.
        process.send_signal(signal.SIGKILL)
        return None
    if kind == "stop":
        process.send_signal(signal.SIGSTOP)
        return lambda: process.send_signal(signal.SIGCONT)
    return drop(server, leader)


def isolate_users(server):
    """Has each node run as a user of its own, so that its packets can be told."""
    if os.getuid() != 0:
        raise NotPermitted("dropping packets needs root")
    original = server.start_node

    def start_node(number):
        os.makedirs(server.folder(number), exist_ok=True)
        os.chown(server.folder(number), FIRST_USER + number, FIRST_USER + number)
        original(number, user=FIRST_USER + number, group=FIRST_USER + number)

    server.start_node = start_node


def drop(server, leader):
    """Drops what the leader sends, and what is sent to the ports on which it listens."""
    ports = [server.ports[leader]] + ([server.peer_ports[leader]] if hasattr(server, "peer_ports") else [])
    rules = [["OUTPUT", "-o", "lo", "-m", "owner", "--uid-owner", str(FIRST_USER + leader)]]
    rules += [["INPUT", "-i", "lo", "-p", "tcp", "--dport", str(port)] for port in ports]
    made = []

    def undo():
        for rule in made:
            iptables("-D", *rule)

    for rule in rules:
        if not iptables("-I", *rule):
            undo()
            raise NotPermitted("iptables is not permitted here")
        made.append(rule)
    return undo


def iptables(operation, chain, *rule):
    command = [packages.find("iptables"), "-w", operation, chain, *rule, "-j", "DROP"]
    return subprocess.run(command, capture_output=True).returncode == 0
