import Foundation
import Testing

extension EndToEnd {
  /// Each of these runs beside a ``Witness``, who must not notice anything.
  @Suite("Redis clients that ask for too much")
  struct RedisLimitTests {
    private func resident(_ node: NodeProcess) throws -> Int {
      let status = try String(contentsOfFile: "/proc/\(node.process.processID)/status", encoding: .utf8)
      let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
      return (line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) << 10
    }

    @Test("one that never reads is not served further, and costs little")
    func neverReads() async throws {
      try await withNode { node in
        let value = String(repeating: "v", count: 1 << 20)
        try RedisSocket(to: node.port.number).ask("SET", "k", value)
        let before = try resident(node)
        try await Witness.watching(node) {
          var clients: [SocketClient] = []
          for _ in 0..<8 {
            let client = try SocketClient(to: node.port.number, patience: 2)
            // 1,024 of these would be carried out together; their answers have a gigabyte.
            try? client.send(String(repeating: "GET k\r\n", count: 4_000))
            clients.append(client)
          }
          let other = try RedisSocket(to: node.port.number)
          for _ in 0..<50 { #expect(try other.ask("PING") == "+PONG\r\n") }
          #expect(try resident(node) - before < 300 << 20)
          withExtendedLifetime(clients) {}
        }
      }
    }

    @Test("one that reads late gets every answer, in order")
    func readsLate() async throws {
      try await withNode { node in
        try await Witness.watching(node) {
          let client = try RedisSocket(to: node.port.number)
          let words = String(repeating: "x", count: 500)
          async let sending: Void = client.send(
            Array((0..<20_000).map { "ECHO \($0)-\(words)\r\n" }.joined().utf8))
          for number in 0..<20_000 {
            let answer = String(decoding: try client.reply(), as: UTF8.self)
            guard answer.contains("\r\n\(number)-x") else {
              Issue.record("answer \(number) is \(answer.prefix(20))")
              break
            }
          }
          try await sending
        }
      }
    }

    @Test("a word of a gigabyte is refused when it is announced")
    func hugeWord() async throws {
      try await withNode { node in
        try await Witness.watching(node) {
          let client = try RedisSocket(to: node.port.number)
          try client.send(Array("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1073741824\r\n".utf8))
          let (bytes, isOver) = client.rest()
          #expect(String(decoding: bytes, as: UTF8.self) == "-ERR Protocol error: invalid bulk length\r\n")
          #expect(isOver)
        }
      }
    }

    @Test("words that are announced and never come hold nothing")
    func announcedWords() async throws {
      try await withNode { node in
        let before = try resident(node)
        try await Witness.watching(node) {
          let clients = try (0..<200).map { _ in
            let client = try node.connect()
            try client.send("*1000000\r\n$4\r\nMGET\r\n$4000000\r\n")
            return client
          }
          #expect(try resident(node) - before < 100 << 20)
          withExtendedLifetime(clients) {}
        }
      }
    }

    @Test("a pipeline of 100,000 requests is answered whole")
    func deepPipeline() async throws {
      try await withNode { node in
        try await Witness.watching(node) {
          let client = try RedisSocket(to: node.port.number, patience: 60)
          async let sending: Void = client.send(
            Array(String(repeating: "*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n", count: 100_000).utf8))
          var last: [UInt8] = []
          for _ in 0..<100_000 { last = try client.reply() }
          #expect(String(decoding: last, as: UTF8.self) == ":100000\r\n")
          try await sending
        }
      }
    }

    @Test("a line without an end is refused")
    func endlessLine() async throws {
      try await withNode { node in
        let before = try resident(node)
        try await Witness.watching(node) {
          let client = try RedisSocket(to: node.port.number)
          let piece = [UInt8](repeating: UInt8(ascii: "a"), count: 1 << 16)
          for _ in 0..<256 { guard (try? client.send(piece)) != nil else { break } }
          let (bytes, isOver) = client.rest()
          #expect(isOver)
          // Whoever goes on sending may find the connection reset before it has read this.
          let text = String(decoding: bytes, as: UTF8.self)
          #expect(text.isEmpty || text == "-ERR Protocol error: too big inline request\r\n")
          #expect(try resident(node) - before < 64 << 20)
        }
      }
    }

    @Test("a flood of short lines is answered line by line")
    func floodOfLines() async throws {
      try await withNode { node in
        try await Witness.watching(node) {
          let client = try RedisSocket(to: node.port.number, patience: 60)
          async let sending: Void = client.send(
            Array(String(repeating: "\r\nPING\r\n \r\n", count: 100_000).utf8))
          for _ in 0..<100_000 { guard try client.reply() == Array("+PONG\r\n".utf8) else { break } }
          try await sending
        }
      }
    }

    @Test("answers that would not fit between two nodes are errors; the nodes stay connected")
    func answersBetweenNodes() async throws {
      try await withSteadyCluster { cluster in
        let (leader, term) = try cluster.awaitLeader()
        let follower = try #require(cluster.others(than: leader).first)
        try await Witness.watching(follower) {
          let client = try RedisSocket(to: follower.port.number)
          try client.ask("SET", "k", String(repeating: "v", count: 1 << 20))
          try client.ask("MULTI")
          for _ in 0..<40 { try client.ask("GET", "k") }
          try client.ask("SET", "done", "1")
          let answer = try client.ask("EXEC")
          #expect(answer.hasPrefix("*41\r\n$1048576\r\n"))
          #expect(answer.contains("-ERR done, but what was answered together would have more than"))
          #expect(answer.utf8.count < 9 << 20)
          #expect(try client.ask("GET", "done") == "$1\r\n1\r\n")
          // And so it is without a transaction, where all of them are answered.
          try client.send(Array(String(repeating: "GETEX k\r\n", count: 30).utf8))
          for _ in 0..<30 { #expect(try client.reply().count == (1 << 20) + 12) }
        }
        let after = try cluster.awaitLeader()
        #expect(after.node === leader && after.term == term)
      }
    }

    @Test("connections beyond their number are turned away")
    func connections() async throws {
      try await withNode(["--max-clients", "20"]) { node in
        var clients = (0..<20).compactMap { _ in try? RedisSocket(to: node.port.number) }
        for client in clients { #expect(try client.ask("PING") == "+PONG\r\n") }
        let late = try RedisSocket(to: node.port.number)
        try? late.send(Array("PING\r\n".utf8))
        let (bytes, isOver) = late.rest()
        #expect(isOver && !bytes.starts(with: Array("+PONG".utf8)))
        clients.removeLast()
        try eventually("a place is free") {
          (try? RedisSocket(to: node.port.number).ask("PING")) == "+PONG\r\n"
        }
      }
    }
  }
}
