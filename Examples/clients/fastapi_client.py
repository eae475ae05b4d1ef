#!/usr/bin/env python3
"""An HTTP front for one raftnode, in the manner of the client that the original raftnode documents.

usage: fastapi_client.py NODE_HOST:NODE_PORT HTTP_PORT

For each HTTP request it opens one connection to the node, sends the JSON text in one send, reads once with recv(1024),
and closes.

    PUT    /put/data?key=K&value=V[&namespace=N]
    GET    /get/data?key=K[&namespace=N]
    GET    /get/peers
    DELETE /delete?key=K[&namespace=N]

An answer without data, or that is no JSON, becomes status 500; falsy data becomes 400; everything else is passed on.
It runs on FastAPI and uvicorn where they are installed, and else on Python's own http.server, with the same handlers.
"""

import json
import socket
import sys


class Node:
    def __init__(self, address):
        host, _, port = address.rpartition(":")
        self.address = (host, int(port))

    def ask(self, request, field="data"):
        """Returns HTTP status and body."""
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            connection.settimeout(15)
            connection.connect(self.address)
            connection.send(json.dumps(request).encode())
            answer = json.loads(connection.recv(1024).decode())
            data = answer[field]
        except (OSError, ValueError, KeyError, TypeError) as error:
            return 500, {"detail": f"{type(error).__name__}: {error}"}
        finally:
            connection.close()
        return (200, answer) if data else (400, {"detail": answer})

    def put(self, key, value, namespace="default"):
        return self.ask({"type": "put", "key": key, "value": value, "namespace": namespace})

    def get(self, key, namespace="default"):
        return self.ask({"type": "get", "key": key, "namespace": namespace})

    def peers(self):
        return self.ask({"type": "peers"}, field="peers")

    def delete(self, key, namespace="default"):
        return self.ask({"type": "delete", "key": key, "namespace": namespace, "delete": True})


def serve_with_fastapi(node, port):
    import uvicorn
    from fastapi import FastAPI
    from fastapi.responses import JSONResponse

    app = FastAPI()

    def respond(result):
        return JSONResponse(status_code=result[0], content=result[1])

    @app.put("/put/data")
    def put(key: str, value: str, namespace: str = "default"):
        return respond(node.put(key, value, namespace))

    @app.get("/get/data")
    def get(key: str, namespace: str = "default"):
        return respond(node.get(key, namespace))

    @app.get("/get/peers")
    def peers():
        return respond(node.peers())

    @app.delete("/delete")
    def delete(key: str, namespace: str = "default"):
        return respond(node.delete(key, namespace))

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


def serve_with_http_server(node, port):
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from urllib.parse import parse_qsl, urlsplit

    routes = {
        ("PUT", "/put/data"): node.put,
        ("GET", "/get/data"): node.get,
        ("GET", "/get/peers"): node.peers,
        ("DELETE", "/delete"): node.delete,
    }

    class Handler(BaseHTTPRequestHandler):
        def answer(self):
            parts = urlsplit(self.path)
            handler = routes.get((self.command, parts.path))
            try:
                status, body = handler(**dict(parse_qsl(parts.query))) if handler else (404, {"detail": "Not Found"})
            except TypeError as error:
                status, body = 422, {"detail": str(error)}
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_PUT = do_DELETE = answer

        def log_message(self, *arguments):
            pass

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


def main(arguments):
    if len(arguments) != 2:
        sys.exit(__doc__)
    node, port = Node(arguments[0]), int(arguments[1])
    try:
        import fastapi  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError:
        print("fastapi or uvicorn is not installed; serving with http.server", flush=True)
        serve_with_http_server(node, port)
    else:
        print("serving with fastapi", flush=True)
        serve_with_fastapi(node, port)


if __name__ == "__main__":
    main(sys.argv[1:])
