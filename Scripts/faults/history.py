"""What was written to a node, and whether a node still has it."""

import base64
import hashlib
import json
import random
import socket

VALUE_BYTES = 1024
WINDOW = 50


def make_value(serial):
    """A value that no other write has, and that does not get shorter by compression."""
    raw = random.Random(serial).randbytes(VALUE_BYTES)
    return f"{serial}:" + base64.b64encode(raw).decode()[: VALUE_BYTES - 16]


class Connection:
    """Requests to a node, one a line, pipelined."""

    def __init__(self, port, timeout=10):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.answers = self.socket.makefile("rb")

    def ask_all(self, requests):
        """The answers, as far as there are any before the connection ends."""
        lines = b"".join(json.dumps(request).encode() + b"\n" for request in requests)
        answers = []
        try:
            self.socket.sendall(lines)
            for _ in requests:
                line = self.answers.readline()
                if not line.endswith(b"\n"):
                    break
                answers.append(json.loads(line))
        except TimeoutError:
            raise
        except OSError:
            pass
        return answers

    def close(self):
        self.answers.close()
        self.socket.close()


class History:
    """Writes in the order in which they were sent: key, value (None: deleted), and whether the node acknowledged it."""

    def __init__(self, writes=()):
        self.writes = list(writes)

    def copy(self):
        return History(self.writes)

    def next_write(self):
        """Mostly new keys; some are written again, and some deleted."""
        serial = len(self.writes)
        if serial % 17 == 13:
            return f"key-{serial - 11}", make_value(serial)
        if serial % 23 == 19:
            return f"key-{serial - 7}", None
        return f"key-{serial}", make_value(serial)

    def next_large(self):
        """Two keys with values of almost 1 MiB: after 64 MiB a node syncs its state and forgets the log before."""
        serial = len(self.writes)
        return f"large-{serial % 2}", f"{serial}:" + "large " * 160_000

    def next_small(self):
        """A few keys with small values: of more than twice 4,096 entries a node forgets the first."""
        serial = len(self.writes)
        return f"small-{serial % 10}", serial

    def extend(self, connection, count, make=None, size=WINDOW):
        """Sends writes until `count` are acknowledged, or one is not. Returns how many were, and the last refusal."""
        done = 0
        while done < count:
            window = []
            for _ in range(min(size, count - done)):
                key, value = (make or self.next_write)()
                window.append(
                    {"type": "delete", "key": key} if value is None else {"type": "put", "key": key, "value": value})
                self.writes.append([key, value, False])
            answers = connection.ask_all(window)
            base = len(self.writes) - len(window)
            for place, answer in enumerate(answers):
                if answer.get("data") is True:
                    self.writes[base + place][2] = True
                    done += 1
                else:
                    return done, answer
            if len(answers) < len(window):
                return done, None
        return done, None

    @property
    def acknowledged(self):
        return sum(1 for write in self.writes if write[2])

    def allowed(self):
        """For each key the values that it may have: that of its last acknowledged write, and those of later writes."""
        values = {}
        for key, value, is_acknowledged in self.writes:
            if is_acknowledged:
                values[key] = [value]
            else:
                values.setdefault(key, [None]).append(value)
        return values

    def keys(self):
        return list(dict.fromkeys(write[0] for write in self.writes))

    def read(self, connection):
        """Key to value for all keys; stops where the node does. An answer that is an error is kept as an Exception."""
        found = {}
        keys = self.keys()
        for start in range(0, len(keys), WINDOW):
            window = keys[start : start + WINDOW]
            answers = connection.ask_all([{"type": "get", "key": key} for key in window])
            for key, answer in zip(window, answers):
                if "error" in answer:
                    found[key] = RuntimeError(answer["error"].get("message", answer["error"]))
                else:
                    found[key] = answer["data"]["value"]
            if len(answers) < len(window):
                break
        return found

    def missing(self, found):
        """What contradicts the promise: `KEY: what is wrong`, for the keys that were read."""
        faults = []
        for key, values in self.allowed().items():
            if key not in found:
                continue
            value = found[key]
            if isinstance(value, Exception):
                faults.append(f"{key} cannot be read: {value}")
            elif value not in values:
                if value is None:
                    faults.append(f"{key} is gone")
                else:
                    faults.append(f"{key} has a value of {digest(value)} instead of {digest(values[0])}")
        return faults

    def lost_tail(self, found):
        """How many acknowledged writes are missing at the end; None if what is there is not as it once was."""
        last = -1
        for place, (key, value, _) in enumerate(self.writes):
            if value is not None and found.get(key) == value:
                last = place
        # A deletion leaves nothing to recognise it by, so those that follow may have been carried out or not.
        ends = [last + 1]
        while ends[-1] < len(self.writes) and self.writes[ends[-1]][1] is None:
            ends.append(ends[-1] + 1)
        for end in ends:
            state = {}
            for key, value, _ in self.writes[:end]:
                state[key] = value
            if all(found.get(key) == state.get(key) for key in self.keys()):
                return sum(1 for write in self.writes[end:] if write[2])
        return None


def digest(value):
    if value is None:
        return "nothing"
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:8]
