"""Drives a cluster with redis-py; the arguments are the ports of its nodes. Prints "done" if everything was as expected."""

import sys
import threading
import time

import redis

ports = [int(port) for port in sys.argv[1:]]


def client(number, **options):
    return redis.Redis(host="127.0.0.1", port=ports[number % len(ports)], decode_responses=True, **options)


def expect(found, wanted, what):
    if found != wanted:
        sys.exit(f"{what}: {found!r} instead of {wanted!r}")


for protocol in (2, 3):
    a, b, c = (client(number, protocol=protocol) for number in range(3))
    a.flushall()
    expect(a.ping(), True, "ping")
    expect(a.set("k", "v"), True, "set")
    expect([node.get("k") for node in (a, b, c)], ["v"] * 3, "get through every node")
    expect(a.set("k", "w", nx=True), None, "set nx")
    expect(b.set("k", "w", get=True), "v", "set get")
    expect(c.delete("k", "none"), 1, "delete")
    expect(a.get("k"), None, "get of nothing")
    expect(a.mset({"x": "1", "y": "2"}), True, "mset")
    expect(b.mget("x", "none", "y"), ["1", None, "2"], "mget")
    expect([a.incr("n"), b.incr("n", 5), c.decr("n")], [1, 6, 5], "incr and decr")
    expect(sorted(a.scan_iter(match="*", count=2)), ["n", "x", "y"], "scan")
    expect(b.dbsize(), 3, "dbsize")
    expect(a.append("x", "abc"), 4, "append")
    expect(b.getrange("x", 1, -1), "abc", "getrange")
    expect(a.expire("y", 100), True, "expire")
    expect(0 < b.ttl("y") <= 100, True, "ttl")
    expect(b.persist("y"), True, "persist")
    expect(c.ttl("y"), -1, "ttl of what stays")
    expect(a.setbit("bits", 7, 1), 0, "setbit")
    expect(b.bitcount("bits"), 1, "bitcount")
    expect(a.type("x"), "string", "type")
    expect(a.info()["redis_mode"], "standalone", "info")
    expect(a.config_get("save"), {"save": ""}, "config get")
    expect(isinstance(a.client_id(), int), True, "client id")

    # What has expired is gone, everywhere, and stays gone.
    a.set("short", "1", px=150)
    deadline = time.time() + 10
    while b.get("short") is not None:
        expect(time.time() < deadline, True, "a key expires")
        time.sleep(0.02)
    expect([node.get("short") for node in (a, b, c)], [None] * 3, "an expired key")

    # A pipeline, a transaction, and one that somebody else spoils.
    with a.pipeline(transaction=False) as pipe:
        for number in range(1000):
            pipe.set(f"p{number}", number)
        expect(pipe.execute(), [True] * 1000, "pipeline")
    expect(b.get("p999"), "999", "the end of the pipeline")
    with b.pipeline() as pipe:
        pipe.watch("n")
        pipe.multi()
        pipe.incr("n")
        pipe.get("n")
        expect(pipe.execute(), [6, "6"], "transaction")
    with b.pipeline() as pipe:
        pipe.watch("n")
        c.set("n", "changed")
        pipe.multi()
        pipe.set("n", "mine")
        try:
            pipe.execute()
            sys.exit("a transaction ran although its key had changed")
        except redis.WatchError:
            pass
    try:
        a.incr("n")
        sys.exit("a text was incremented")
    except redis.ResponseError as error:
        expect(str(error), "value is not an integer or out of range", "incr of a text")
    other = client(1, protocol=protocol, db=3)
    other.set("k", "elsewhere")
    expect(a.get("k"), None, "another database")
    expect(client(2, protocol=protocol, db=3).get("k"), "elsewhere", "the same database through another node")

# Clients that count together lose nothing, with and without transactions.
client(0).set("counter", 0)
client(0).set("guarded", 0)


def count(number):
    own = client(number)
    for _ in range(25):
        own.incr("counter")
        while True:
            with own.pipeline() as pipe:
                try:
                    pipe.watch("guarded")
                    value = int(pipe.get("guarded"))
                    pipe.multi()
                    pipe.set("guarded", value + 1)
                    pipe.execute()
                    break
                except redis.WatchError:
                    continue


threads = [threading.Thread(target=count, args=(number,)) for number in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
expect([client(number).get("counter") for number in range(3)], ["150"] * 3, "counter")
expect([client(number).get("guarded") for number in range(3)], ["150"] * 3, "guarded counter")
print("done")
