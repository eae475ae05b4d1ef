#!/usr/bin/env python3
"""A raftnode client in Python, with nothing but a socket.

usage: client.py HOST:PORT[,HOST:PORT...] put KEY JSON [NAMESPACE]
       client.py HOST:PORT[,HOST:PORT...] get KEY [NAMESPACE]
       client.py HOST:PORT[,HOST:PORT...] delete KEY [NAMESPACE]
       client.py HOST:PORT[,HOST:PORT...] status

Any node answers. If the first cannot be reached, the next is asked. Ends with 0 if the request was carried out, 1 if it
was refused and has no effect, 2 if that is not known.
"""

import json
import socket
import sys


class RaftnodeError(Exception):
    """A refusal. `outcome` is "not_executed" or "unknown": after "unknown" a write may have happened."""

    def __init__(self, error):
        super().__init__(error["message"])
        self.code = error["code"]
        self.outcome = error["outcome"]


class NoAnswer(Exception):
    """The connection broke, or the node took too long: whether a write happened is not known."""


class Client:
    """Keeps one connection open and sends one request after the other on it."""

    def __init__(self, addresses, timeout=15.0):
        self.connection = self.connect(addresses, timeout)
        self.answers = self.connection.makefile("r", encoding="utf-8", newline="\n")

    @staticmethod
    def connect(addresses, timeout):
        failure = None
        for address in addresses:
            host, _, port = address.rpartition(":")
            try:
                return socket.create_connection((host.strip("[]"), int(port)), timeout)
            except OSError as error:
                failure = error
        raise failure or ValueError("no address given")

    def ask(self, request):
        try:
            # The newline keeps the connection open for the next request.
            self.connection.sendall(json.dumps(request).encode() + b"\n")
            line = self.answers.readline()
        except OSError as error:
            raise NoAnswer(f"no answer: {error}") from error
        if not line:
            raise NoAnswer("the node closed the connection")
        answer = json.loads(line)
        if "error" in answer:
            raise RaftnodeError(answer["error"])
        return answer

    def put(self, key, value, namespace="default"):
        self.ask({"type": "put", "key": key, "value": value, "namespace": namespace})

    def get(self, key, namespace="default"):
        return self.ask({"type": "get", "key": key, "namespace": namespace})["data"]["value"]

    def delete(self, key, namespace="default"):
        self.ask({"type": "delete", "key": key, "namespace": namespace})

    def status(self):
        return self.ask({"type": "status"})


def main(arguments):
    if len(arguments) < 2:
        return usage()
    addresses, command, words = arguments[0].split(","), arguments[1], arguments[2:]
    least = {"put": 2, "get": 1, "delete": 1, "status": 0}.get(command)
    if least is None or not least <= len(words) <= least + (command != "status"):
        return usage()
    try:
        value = json.loads(words.pop(1)) if command == "put" else None
        client = Client(addresses)
        if command == "put":
            client.put(words[0], value, *words[1:])
            print("ok")
        elif command == "get":
            print(json.dumps(client.get(*words), ensure_ascii=False))
        elif command == "delete":
            client.delete(*words)
            print("ok")
        else:
            print(json.dumps(client.status(), indent=2))
    except RaftnodeError as error:
        print(f"{error} ({error.code}, {error.outcome})", file=sys.stderr)
        return 1 if error.outcome == "not_executed" else 2
    except NoAnswer as error:
        print(f"{error}; whether a write happened is not known", file=sys.stderr)
        return 2
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def usage():
    print(__doc__.strip(), file=sys.stderr)
    return 64


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
