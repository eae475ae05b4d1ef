import Foundation
import Testing

extension EndToEnd {
  @Suite("Clients that speak the Redis protocol")
  struct RedisClientTests {
    private static let hasCommandLine = Interpreter.isInstalled("redis-cli")
    private static let pythonWithRedis = interpreter(with: "redis")
    private static let pythonWithValkey = interpreter(with: "valkey")

    private static func interpreter(with module: String) -> String? {
      let own = BuiltProduct.packageFolder.appendingPathComponent(".build/python/bin/python3").path
      return [own, "python3"].first { python in
        (try? ChildProcess(python, ["-c", "import \(module)"]).awaitEnd()) == .exited(0)
      }
    }

    private func run(_ program: String, _ arguments: [String]) throws -> String {
      let process = try ChildProcess(program, arguments)
      let end = try process.awaitEnd(within: 120)
      #expect(end == .exited(0), "\(program) printed: \(process.output)\(process.errors)")
      return process.output
    }

    @Test("redis-cli works against any node", .enabled("there is a redis-cli") { hasCommandLine })
    func commandLine() async throws {
      try await withCluster(of: 3) { cluster in
        func redis(_ node: Int, _ words: String...) throws -> String {
          try run("redis-cli", ["-p", "\(cluster.nodes[node].port.number)"] + words)
        }
        #expect(try redis(0, "PING") == "PONG\n")
        #expect(try redis(0, "SET", "color", "dark blue") == "OK\n")
        #expect(try redis(1, "GET", "color") == "dark blue\n")
        #expect(try redis(2, "INCRBY", "n", "41") == "41\n")
        #expect(try redis(0, "INCR", "n") == "42\n")
        #expect(try redis(1, "-3", "HELLO", "3").contains("proto 3"))
        #expect(try redis(2, "DBSIZE") == "2\n")
        // What one protocol puts, the other one reads.
        #expect(try cluster.nodes[1].ask(Request.get("color")).value == "\"dark blue\"")
        try cluster.nodes[2].insist(on: Request.put("json", #"{"a":[1,null]}"#))
        try cluster.nodes[2].insist(on: Request.put("text", #""plain""#))
        #expect(try redis(0, "GET", "json") == "{\"a\":[1,null]}\n")
        #expect(try redis(0, "GET", "text") == "plain\n")
      }
    }

    @Test(
      "redis-py works with every node of a cluster", .enabled("there is redis-py") { pythonWithRedis != nil })
    func python() async throws {
      try await withCluster(of: 3) { cluster in
        let script = BuiltProduct.packageFolder.appendingPathComponent(
          "Tests/EndToEndTests/Programs/redis_py.py"
        ).path
        let output = try run(
          try #require(Self.pythonWithRedis), [script] + cluster.nodes.map { "\($0.port.number)" })
        #expect(output == "done\n")
      }
    }

    @Test(
      "valkey-py works with every node of a cluster",
      .enabled("there is valkey-py") { pythonWithValkey != nil })
    func valkey() async throws {
      try await withCluster(of: 3) { cluster in
        let script = BuiltProduct.packageFolder.appendingPathComponent(
          "Tests/EndToEndTests/Programs/valkey_py.py"
        ).path
        let output = try run(
          try #require(Self.pythonWithValkey), [script] + cluster.nodes.map { "\($0.port.number)" })
        #expect(output == "done\n")
      }
    }

    @Test(
      "redis-benchmark works with every node, with and without a pipeline",
      .enabled("there is a redis-benchmark") { Interpreter.isInstalled("redis-benchmark") })
    func benchmark() async throws {
      try await withCluster(of: 3) { cluster in
        for node in cluster.nodes {
          for pipeline in [["-n", "500"], ["-n", "3200", "-P", "32"]] {
            let output = try run(
              "redis-benchmark",
              ["-p", "\(node.port.number)", "-c", "20", "--csv", "-t", "ping,set,get,incr,mset"] + pipeline)
            for test in ["PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "MSET (10 keys)"] {
              #expect(output.contains("\"\(test)\""), "\(output)")
            }
          }
        }
      }
    }

    @Test("bytes that are no request are told so, and the connection ends")
    func badBytes() async throws {
      try await withNode { node in
        for (bytes, error) in [
          ("*1\r\n:5\r\n", "-ERR Protocol error: expected '$', got ':'\r\n"),
          ("*x\r\n", "-ERR Protocol error: invalid multibulk length\r\n"),
          ("*1\r\n$-5\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
          ("SET \"a\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n"),
          ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "-ERR wrong number of arguments for 'get' command\r\n"),
        ] {
          let client = try node.connect()
          try client.send(bytes)
          #expect(String(decoding: try client.receiveToEnd(), as: UTF8.self) == error)
        }
        // Requests in pieces, and several in one.
        let client = try node.connect()
        for byte in "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\n\r\n\r\nGET k\r\nPING\r\n".utf8 {
          try client.send([byte])
        }
        client.endOutput()
        #expect(
          String(decoding: try client.receiveToEnd(), as: UTF8.self) == "+OK\r\n$2\r\n\r\n\r\n+PONG\r\n")
      }
    }
  }
}
