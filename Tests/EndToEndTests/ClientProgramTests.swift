import Foundation
import Testing

/// A program of the examples, run by an interpreter that may not be there.
enum Interpreter {
  /// Whether a program is in `PATH`; a test that needs one that is not is skipped by name.
  static func isInstalled(_ name: String) -> Bool {
    (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").contains {
      FileManager.default.isExecutableFile(atPath: "\($0)/\(name)")
    }
  }

  /// A Python that has FastAPI and uvicorn, if there is one: that of the virtual environment which `.ci/run` makes, or
  /// the machine's own.
  static let pythonWithFastAPI: String? = {
    let own = BuiltProduct.packageFolder.appendingPathComponent(".build/python/bin/python3").path
    return [own, "python3"].first { python in
      let probe = try? ChildProcess(python, ["-c", "import fastapi, uvicorn"]).awaitEnd()
      return probe == .exited(0)
    }
  }()

  static func example(_ name: String) -> String {
    BuiltProduct.packageFolder.appendingPathComponent("Examples/clients/\(name)").path
  }
}

extension EndToEnd {
  @Suite("The example programs")
  struct ClientProgramTests {
    /// Runs a program to its end.
    private func run(_ words: [String]) throws -> (end: ProcessEnd, output: String, errors: String) {
      let process = try ChildProcess(words[0], Array(words.dropFirst()))
      let end = try process.awaitEnd()
      return (end, process.output, process.errors)
    }

    /// Drives one of the small command lines against every node of a cluster.
    ///
    /// - Parameters:
    ///   - program: The words before the command, for the node at a port.
    ///   - unreachable: What it ends with if there is no node.
    private func drive(
      unreachable: Int32 = 1, _ program: @Sendable (_ port: Port) -> [String]
    ) async throws {
      try await withSteadyCluster { cluster in
        let key = #"a "quoted" \ key, é"#
        for (number, node) in cluster.nodes.enumerated() {
          let (here, next) = (program(node.port), program(cluster.nodes[(number + 1) % 3].port))
          let value = #"{"n":\#(number),"list":[1,2.5,"é",null]}"#
          try expect("", of: here + ["put", key, value])
          try expect("2.5", of: next + ["get", key])
          try expect("é", of: next + ["get", key])
          #expect(try node.ask(Request.get(key)).value == value)
          try expect("", of: next + ["put", key, "7654321", "shop"])
          try expect("7654321", of: here + ["get", key, "shop"])
          try expect("2.5", of: here + ["get", key])
          try expect("", of: next + ["delete", key])
          try expect("null", of: here + ["get", key])
          try expect("7654321", of: here + ["get", key, "shop"])
          try expect(node.address, of: here + ["status"])
        }
        try expectFailures(program, at: cluster.nodes[0].port, unreachable: unreachable)
      }
    }

    private func expect(_ output: String, of words: [String]) throws {
      let result = try run(words)
      #expect(
        result.end == .exited(0) && (output.isEmpty || result.output.contains(output)), "\(words): \(result)")
    }

    private func expectFailures(_ program: (Port) -> [String], at port: Port, unreachable: Int32) throws {
      for words in [[], ["explode"], ["get"], ["put", "key"], ["status", "key"]] {
        let result = try run(program(port) + words)
        #expect(result.end == .exited(64) && result.errors.contains("usage: "), "\(words): \(result)")
      }
      let refused = try run(program(port) + ["get", String(repeating: "k", count: 5_000)])
      #expect(refused.end == .exited(1))
      for word in ["limit is 4096", "key_too_large", "not_executed"] {
        #expect((refused.output + refused.errors).contains(word), "\(refused)")
      }
      #expect(try run(program(try Port()) + ["get", "k"]).end == .exited(unreachable))
    }

    @Test(
      "the Python client works against every node",
      .enabled(if: Interpreter.isInstalled("python3"), "client.py is not tested: there is no python3"))
    func python() async throws {
      try await drive { ["python3", Interpreter.example("client.py"), $0.address] }
      // Of several nodes, it asks the first one that it can reach.
      try await withNode { node in
        let addresses = "\(try Port().address),\(node.address)"
        try expect("null", of: ["python3", Interpreter.example("client.py"), addresses, "get", "k"])
      }
    }

    @Test(
      "the shell client works against every node",
      .enabled(if: Interpreter.isInstalled("nc"), "client.sh is not tested: there is no nc"))
    func shell() async throws {
      // It does not learn whether nc has sent anything before it failed.
      try await drive(unreachable: 2) {
        ["sh", Interpreter.example("client.sh"), "127.0.0.1", "\($0.number)"]
      }
    }

    @Test(
      "the Node.js client works against every node",
      .enabled(if: Interpreter.isInstalled("node"), "client.js is not tested: there is no node"))
    func nodeJS() async throws {
      try await drive { ["node", Interpreter.example("client.js"), $0.address] }
    }

    @Test(
      "the original's documented client works against every node, on FastAPI",
      .enabled("fastapi_client.py is not tested on FastAPI: no Python here has fastapi and uvicorn") {
        Interpreter.pythonWithFastAPI != nil
      })
    func documentedClientOnFastAPI() async throws {
      try await driveDocumentedClient(
        [try #require(Interpreter.pythonWithFastAPI)], expecting: "with fastapi")
    }

    @Test(
      "the original's documented client works against every node, on Python's own http.server",
      .enabled(if: Interpreter.isInstalled("python3"), "fastapi_client.py is not tested: there is no python3")
    )
    func documentedClientOnHTTPServer() async throws {
      // Isolated from installed packages, so that it takes the other way.
      try await driveDocumentedClient(["python3", "-I", "-S"], expecting: "with http.server")
    }

    private func driveDocumentedClient(_ python: [String], expecting line: String) async throws {
      try await withSteadyCluster { cluster async throws in
        let leader = try cluster.awaitLeader().node
        let ports = try cluster.nodes.map { _ in try Port() }
        let fronts = try zip(cluster.nodes, ports).map { node, port in
          try ChildProcess(
            python[0],
            Array(python.dropFirst()) + [
              Interpreter.example("fastapi_client.py"), node.address, "\(port.number)",
            ])
        }
        defer { for front in fronts { front.send(SIGKILL) } }
        for (number, port) in ports.enumerated() {
          let next = ports[(number + 1) % 3]
          #expect(
            try HTTP.ask(port, "PUT", "/put/data?key=k%20\(number)&value=v%C3%A9&namespace=shop").status
              == 200)
          #expect(fronts[number].output.contains(line))
          let get = try HTTP.ask(next, "GET", "/get/data?key=k%20\(number)&namespace=shop")
          #expect(get.status == 200 && (get.body["data"] as? [String: Any])?["value"] as? String == "vé")
          // A namespace of its own: the default one does not have the key.
          let other = try HTTP.ask(next, "GET", "/get/data?key=k%20\(number)")
          #expect((other.body["data"] as? [String: Any])?["value"] is NSNull)
          let peers = try HTTP.ask(port, "GET", "/get/peers")
          let others = cluster.nodes.filter { $0 !== leader }.map(\.address)
          #expect(Set(peers.body["peers"] as? [String] ?? []) == Set(others))
          #expect(try HTTP.ask(port, "DELETE", "/delete?key=k%20\(number)&namespace=shop").status == 200)
          let gone = try HTTP.ask(next, "GET", "/get/data?key=k%20\(number)&namespace=shop")
          #expect((gone.body["data"] as? [String: Any])?["value"] is NSNull)
          // What the node refuses must not look like success.
          let long = String(repeating: "k", count: 5_000)
          #expect(try HTTP.ask(port, "PUT", "/put/data?key=\(long)&value=v").status == 400)
        }
      }
    }

    @Test("an embedder's own state machine runs on three replicas in one process")
    func customStateMachine() throws {
      let ports = try (0..<3).map { _ in try Port() }
      let result = try run([try BuiltProduct.path("CustomStateMachine")] + ports.map { "\($0.number)" })
      #expect(result.end == .exited(0), "\(result)")
      #expect(result.output.contains("Cy bids 12: too low"))
      #expect(result.output.contains("with one node gone, \(ports[2].address) says: Dee leads"))
    }
  }
}

/// As much of HTTP as these tests need.
enum HTTP {
  static func ask(_ port: Port, _ method: String, _ path: String) throws -> (status: Int, body: [String: Any])
  {
    let client = try connect(port)
    try client.send(
      "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    let text = String(decoding: try client.receiveToEnd(), as: UTF8.self)
    guard let split = text.range(of: "\r\n\r\n"),
      let status = Int(text.split(separator: " ").dropFirst().first ?? ""),
      let body = try JSONSerialization.jsonObject(with: Data(text[split.upperBound...].utf8))
        as? [String: Any]
    else { throw NeverHappened("an HTTP answer instead of \(text)") }
    return (status, body)
  }

  /// The server starts beside the test, and takes a moment.
  private static func connect(_ port: Port) throws -> SocketClient {
    for _ in 0..<2_000 {
      if let client = try? SocketClient(to: port.number) { return client }
      usleep(10_000)
    }
    return try SocketClient(to: port.number)
  }
}
