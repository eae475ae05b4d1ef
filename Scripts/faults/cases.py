"""The faults, and what is expected of a node in each of them."""

import os
import re
import shutil
import time
from dataclasses import dataclass, field
from typing import Callable

import volumes
from node import STORE_FAILED, Hang, describe, shorten

WRITES = 2600


@dataclass
class Outcome:
    """What came of a fault."""

    did: str = ""
    kept: str = ""
    faults: list = field(default_factory=list)


@dataclass
class Case:
    name: str
    run: Callable[[], Outcome]


def check_end(node, outcome, *, names=()):
    """A node that has ended: with status 74, and one sentence that names a file."""
    status = node.status()
    complaints = node.complaints()
    outcome.did = shorten(" / ".join(complaints) or "no line") + f"; {describe(status)}"
    if status != STORE_FAILED:
        outcome.faults.append(f"{describe(status)} instead of status {STORE_FAILED}")
    if len(complaints) != 1:
        outcome.faults.append(f"{len(complaints)} lines of error instead of one")
    if names and not any(is_named(name, line) for line in complaints for name in names):
        outcome.faults.append(f"the line does not name {' or '.join(names)}")
    return status


def is_named(name, line):
    """Whether a sentence names a file: by its path, or by its folder and its name."""
    folder, _, base = name.rpartition("/")
    return name in line or (folder != "" and f"VOLUME/{folder}" in line and base in line)


def check_content(node, history, outcome, label, *, may_lose_tail=False):
    """A node that should have everything that was acknowledged, and take another write."""
    connection = node.connect()
    if connection is None:
        status = node.status()
        outcome.kept = f"{label} it does not start"
        outcome.faults.append(
            f"{label} it does not start: {shorten(' / '.join(node.complaints()))}; {describe(status)}")
        return
    found = history.read(connection)
    if len(found) < len(history.keys()):
        status = node.status()
        outcome.faults.append(
            f"{label} it ends while it is read: {shorten(' / '.join(node.complaints()))}; {describe(status)}")
        return
    missing = history.missing(found)
    count = history.acknowledged
    if not missing:
        outcome.kept = join(outcome.kept, f"{label} all {count}")
    elif (lost := history.lost_tail(found)) is not None:
        outcome.kept = join(outcome.kept, f"{label} all but the last {lost} of {count}")
        if not may_lose_tail:
            outcome.faults.append(f"{label} the last {lost} are lost, and nothing says so".strip())
    else:
        outcome.kept = join(outcome.kept, f"{label} {len(missing)} of {len(found)} keys wrong")
        outcome.faults.append(f"{label} ".lstrip() + ", ".join(missing[:3]) + (" …" if len(missing) > 3 else ""))
    done, answer = history.extend(connection, 20)
    if done < 20:
        outcome.faults.append(f"{label} it does not take writes: {answer}")
    connection.close()
    status = node.stop()
    if status != 0:
        outcome.faults.append(f"{label} SIGTERM ends it with {describe(status)}")


def join(one, other):
    return f"{one}; {other}" if one else other


def guarded(bench, body):
    """Runs a case; a node that hangs is a finding, and no process is left."""

    def run():
        outcome, nodes = Outcome(), []

        def start(volume, **options):
            nodes.append(bench.start(volume, **options))
            return nodes[-1]

        try:
            body(outcome, start)
        except (Hang, TimeoutError) as hang:
            node = nodes[-1]
            outcome.did = outcome.did or shorten(" / ".join(node.complaints()) or "no line") + "; hangs"
            outcome.faults.append(f"hangs: {hang}")
        except Exception as error:
            outcome.faults.append(f"cannot be tried: {type(error).__name__}: {error}")
        finally:
            for node in nodes:
                node.kill()
        return outcome

    return run


# What fails while the node runs


def injected(bench, name, fault, *, is_prepared=True, may_survive=False, names=()):
    """A node is started and written to until a call fails; then it is started again, and once more after a power failure.
    Of a node that has data, calls are counted from when it takes writes; of a new one, from its start."""

    def body(outcome, start):
        volume, history = bench.fresh(is_prepared)
        shadow, note, when = f"{volume}.shadow", f"{volume}.note", f"{volume}.when"
        node = start(
            volume, shims=[bench.powerless, bench.failing],
            variables={
                "POWERLESS_ROOT": volume, "POWERLESS_SHADOW": shadow, "FAILING_ROOT": volume, "FAILING_FAULT": fault,
                "FAILING_NOTE": note, **({"FAILING_WHEN": when} if is_prepared else {}),
            })
        connection = node.connect()
        refusal = None
        if connection is not None:
            before = history.acknowledged
            open(when, "wb").close()
            done, refusal = history.extend(connection, WRITES)
            at = f" after {history.acknowledged - before} writes"
            if done == WRITES:
                found = history.read(connection)
                if missing := history.missing(found):
                    outcome.faults.append(f"while it runs {missing[0]}")
        else:
            at = " at the start"
        killed = fault.split(":")[3] == "kill"
        happened = os.path.exists(note)
        if not happened:
            outcome.faults.append("the fault did not happen")
        if killed:
            status = node.status()
            outcome.did = f"killed{at}"
            if status != -9:
                outcome.faults.append(f"{describe(status)} instead of the kill")
        elif connection is not None and done == WRITES and node.is_running:
            node.kill()
            outcome.did = "goes on" + ("" if not node.complaints() else ": " + shorten(" / ".join(node.complaints())))
            if not may_survive and happened:
                outcome.faults.append("it goes on")
        else:
            check_end(node, outcome, names=names)
            outcome.did += at
        if refusal is not None and refusal.get("error", {}).get("outcome") not in ("unknown", "not_executed"):
            outcome.faults.append(f"refused without an outcome: {refusal}")
        restored = f"{volume}-power"
        volumes.restore(shadow, volume, restored)
        check_content(start(volume), history.copy(), outcome, "restarted:")
        check_content(start(restored), history.copy(), outcome, "after power failure:")

    return Case(name, guarded(bench, body))


def injected_at_start(bench, name, fault, *, names=()):
    """A call fails at the start of a node that has data: it refuses; without the fault it starts."""

    def body(outcome, start):
        volume, history = bench.fresh()
        note = f"{volume}.note"
        node = start(
            volume, shims=[bench.failing],
            variables={"FAILING_ROOT": volume, "FAILING_FAULT": fault, "FAILING_NOTE": note})
        connection = node.connect()
        if connection is None:
            check_end(node, outcome, names=names)
        else:
            found = history.read(connection)
            if len(found) < len(history.keys()):
                check_end(node, outcome, names=names)
                outcome.did += " while it is read"
            else:
                outcome.did = "goes on" + "".join(": " + line for line in node.complaints()[:1])
                outcome.faults += [f"while it runs {line}" for line in history.missing(found)[:1]]
        if not os.path.exists(note):
            outcome.faults.append("the fault did not happen")
        node.kill()
        check_content(start(volume), history, outcome, "restarted:")

    return Case(name, guarded(bench, body))


# What is wrong when the node starts


def damaged(bench, name, damage, pattern, *, names=None, is_young=False):
    """A file of a stopped node is damaged: the node has everything, or refuses and names the file. Refusing changes nothing,
    so that the node starts when the damage is undone."""

    def body(outcome, start):
        volume, history = bench.fresh(is_prepared=not is_young)
        if is_young:
            node = start(volume)
            history.extend(node.connect(), WRITES)
            node.kill()
        path = volumes.pick(volume, pattern)
        original = f"{volume}-original"
        shutil.copyfile(path, original)
        damage(path)
        # The database asks for a table that is missing by an older ending, too.
        wanted = names or [re.sub("sst$", "", os.path.relpath(path, volume))]
        is_refused = check_damaged(start(volume), history, outcome, wanted)
        if is_refused:
            shutil.copyfile(original, path)
            check_content(start(volume), history, outcome, "undone:")

    return Case(name, guarded(bench, body))


def changed(bench, name, change, *, names=(), may_lose_tail=False):
    """Something else is done to the folder of a stopped node: the node has everything, or refuses."""

    def body(outcome, start):
        volume, history = bench.fresh()
        change(volume)
        check_damaged(start(volume), history, outcome, names, may_lose_tail)

    return Case(name, guarded(bench, body))


def check_damaged(node, history, outcome, names, may_lose_tail=False):
    """Whether it has refused."""
    connection = node.connect()
    if connection is None:
        check_end(node, outcome, names=names)
        outcome.kept = "refused"
        return True
    found = history.read(connection)
    if len(found) < len(history.keys()):
        check_end(node, outcome, names=names)
        outcome.did += " when it is read"
        outcome.kept = "refused"
        wrong = [line for line in history.missing(found) if "cannot be read" not in line]
        if wrong:
            outcome.faults.append("before it ends " + wrong[0])
        return True
    complaints = node.complaints()
    outcome.did = "starts" + (": " + shorten(" / ".join(complaints)) if complaints else "")
    connection.close()
    check_content(node, history, outcome, "", may_lose_tail=may_lose_tail)
    outcome.kept = outcome.kept.strip()
    return False


def lied(bench, name, databases, *, is_prepared=True):
    """Syncs do nothing, then the power fails: what `databases` hold is as it was at the start, everything else (unless that
    is None) as it was written. The node has lost nothing but the last writes, or refuses."""

    def body(outcome, start):
        volume, history = bench.fresh(is_prepared)
        shadow = f"{volume}.shadow"
        node = start(
            volume, shims=[bench.powerless],
            variables={"POWERLESS_ROOT": volume, "POWERLESS_SHADOW": shadow, "POWERLESS_LIE": "1"})
        connection = node.connect()
        done, answer = history.extend(connection, 1500)
        if done < 1500:
            outcome.faults.append(f"takes {done} writes, then {answer}")
        node.kill()
        restored = f"{volume}-power"
        if os.path.exists(os.path.join(shadow, "complete")):
            volumes.restore(shadow, volume, restored)
        else:
            os.mkdir(restored, 0o700)
        if databases is not None:
            mixed = f"{volume}-mixed"
            shutil.copytree(volume, mixed)
            for database in databases:
                shutil.rmtree(os.path.join(mixed, database))
                shutil.copytree(os.path.join(restored, database), os.path.join(mixed, database))
            restored = mixed
        check_damaged(start(restored), history, outcome, (), may_lose_tail=True)

    return Case(name, guarded(bench, body))


def torn(bench, name, tear):
    """Killed between a write to the log and its sync; then something is done to what was written by that."""

    def body(outcome, start):
        volume, history = bench.fresh()
        note, when, shadow = f"{volume}.note", f"{volume}.when", f"{volume}.shadow"
        node = start(
            volume, shims=[bench.powerless, bench.failing],
            variables={
                "POWERLESS_ROOT": volume, "POWERLESS_SHADOW": shadow, "FAILING_ROOT": volume,
                "FAILING_FAULT": "sync:consensus/*.log:9:kill:0", "FAILING_NOTE": note, "FAILING_WHEN": when,
            })
        connection = node.connect()
        open(when, "wb").close()
        history.extend(connection, WRITES)
        node.status()
        durable = f"{volume}-durable"
        volumes.restore(shadow, volume, durable)
        path = max(volumes.all_of(volume, "consensus/*.log"))
        synced = os.path.getsize(os.path.join(durable, os.path.relpath(path, volume)))
        written = os.path.getsize(path) - synced
        if written < 1000:
            outcome.faults.append(f"only {written} bytes were not synced")
        tear(path, synced)
        check_damaged(start(volume), history, outcome, ())
        if not outcome.did.startswith("starts"):
            outcome.faults.append("a torn tail is not recovered")

    return Case(name, guarded(bench, body))


def killed_at(bench, milliseconds):
    """Killed so long after it was started in an empty folder."""

    def body(outcome, start):
        volume, history = bench.fresh(is_prepared=False)
        node = start(volume)
        time.sleep(milliseconds / 1000)
        if not node.is_running:
            outcome.faults.append("it has ended by itself")
        node.kill()
        outcome.did = "killed"
        check_content(start(volume), history, outcome, "restarted:")

    return Case(f"first start: killed after {milliseconds} ms", guarded(bench, body))
