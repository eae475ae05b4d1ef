#!/usr/bin/env python3
"""A raftnode client in Python, with nothing but a socket.

usage: client.py HOST:PORT[,HOST:PORT...] put KEY JSON [NAMESPACE]
       client.py HOST:PORT[,HOST:PORT...] get KEY [NAMESPACE]
       client.py HOST:PORT[,HOST:PORT...] delete KEY [NAMESPACE]
       client.py HOST:PORT[,HOST:PORT...] status

Any node answers. If the first cannot be reached, the next is asked.
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
        # The newline keeps the connection open for the next request.
        self.connection.sendall(json.dumps(request).encode() + b"\n")
        line = self.answers.readline()
        if not line:
            raise ConnectionError("the node closed the connection; whether a write happened is not known")
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
        sys.exit(__doc__)
    client, command, words = Client(arguments[0].split(",")), arguments[1], arguments[2:]
    if command == "put" and len(words) in (2, 3):
        client.put(words[0], json.loads(words[1]), *words[2:])
        print("ok")
    elif command == "get" and len(words) in (1, 2):
        print(json.dumps(client.get(*words), ensure_ascii=False))
    elif command == "delete" and len(words) in (1, 2):
        client.delete(*words)
        print("ok")
    elif command == "status" and not words:
        print(json.dumps(client.status(), indent=2))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except RaftnodeError as error:
        sys.exit(f"{error} ({error.code}, {error.outcome})")
    except (OSError, ValueError) as error:
        sys.exit(str(error))
