"""Drives a cluster with valkey-py; the arguments are the ports of its nodes. Prints "done" if everything was as expected."""

import sys

import valkey

ports = [int(port) for port in sys.argv[1:]]


def expect(found, wanted, what):
    if found != wanted:
        sys.exit(f"{what}: {found!r} instead of {wanted!r}")


for protocol in (2, 3):
    nodes = [
        valkey.Valkey(host="127.0.0.1", port=port, decode_responses=True, protocol=protocol, client_name="test")
        for port in ports
    ]
    nodes[0].flushall()
    for number, node in enumerate(nodes):
        following = nodes[(number + 1) % len(nodes)]
        expect(node.ping(), True, "ping")
        expect(node.client_getname(), "test", "client getname")
        key = f"key-{number}"
        expect(node.set(key, "value", ex=100), True, "set")
        expect(following.get(key), "value", "get through another node")
        expect(99 <= following.ttl(key) <= 100, True, "ttl")
        expect(node.mset({f"{key}-a": "1", f"{key}-b": "2"}), True, "mset")
        expect(following.mget(f"{key}-a", f"{key}-b", "none"), ["1", "2", None], "mget")
        expect(node.incrby("count", 5), 5 * (number + 1), "incrby")
        expect(node.incrbyfloat("float", 0.5), 0.5 * (number + 1), "incrbyfloat")
        expect(node.setbit("bits", number, 1), 0, "setbit")
        expect(following.bitcount("bits"), number + 1, "bitcount")
        expect(node.pfadd("hll", f"a{number}", f"b{number}"), 1, "pfadd")
        expect(following.pfcount("hll"), 2 * (number + 1), "pfcount")
        expect(node.bf().add("bloom", f"x{number}"), 1, "bf.add")
        expect(following.bf().exists("bloom", f"x{number}"), 1, "bf.exists")
        with node.pipeline(transaction=True) as pipe:
            pipe.set("in", number)
            pipe.get("in")
            pipe.incr("in")
            expect(pipe.execute(), [True, str(number), number + 1], "transaction")
        with node.pipeline(transaction=False) as pipe:
            for index in range(500):
                pipe.set(f"p{index}", index)
            expect(pipe.execute(), [True] * 500, "pipeline")
        expect(len(list(following.scan_iter(match="p*", count=50))), 500, "scan")
        expect(node.info()["redis_version"], "7.0.15", "info")
        expect(node.info()["cluster_enabled"], 0, "info")
        expect(node.info()["arch_bits"], 64, "info")
        expect(node.config_get("databases"), {"databases": "16"}, "config get")
        expect(node.command_count() > 80, True, "command count")
        expect("get" in node.command(), True, "command")
        expect(node.wait(0, 100) >= 1, True, "wait")
        expect(node.function_flush(), True, "function flush")
    # A guarded change that somebody else spoils.
    with nodes[0].pipeline() as pipe:
        pipe.watch("count")
        nodes[1].set("count", "other")
        pipe.multi()
        pipe.set("count", "mine")
        try:
            pipe.execute()
            sys.exit("a transaction ran although its key had changed")
        except valkey.WatchError:
            pass
    try:
        nodes[2].lpush("list", "a")
        sys.exit("lists are not there")
    except valkey.ResponseError as error:
        expect(str(error).startswith("unknown command"), True, "an unknown command")

print("done")
