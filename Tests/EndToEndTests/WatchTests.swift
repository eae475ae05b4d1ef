import Foundation
import Synchronization
import Testing

/// A client that follows changes as the protocol's description tells it: it takes the events of one log index together,
/// and goes on from the next one at another node when its connection is lost.
private struct Watcher {
  /// One change.
  struct Event: Hashable {
    let index: Int
    let key: String
    let value: Int?
  }

  let nodes: [NodeProcess]
  let what: String
  /// From where on it goes on.
  private(set) var from: Int
  private(set) var events: [Event] = []
  /// The events of an index of which more are to come.
  private var pending: [Event] = []
  private var turn = 0
  private var connection: SocketClient?
  private(set) var reconnections = 0

  init(_ what: String, from index: Int, on nodes: [NodeProcess]) {
    (self.what, from, self.nodes) = (what, index, nodes)
  }

  /// Takes one line, or connects to the next node if there is none.
  mutating func step() {
    do {
      if let connection, let line = try connection.receiveLine() { return take(try Answer(line)) }
    } catch {}
    pending = []
    connection = nil
    turn += 1
    reconnections += 1
    do {
      let client = try nodes[turn % nodes.count].connect(patience: 3)
      try client.send(#"{"type":"watch",\#(what),"from":\#(from)}"# + "\n")
      connection = client
    } catch {
      usleep(10_000)
    }
  }

  private mutating func take(_ line: Answer) {
    guard line.type == "event", let index = line.fields["index"] as? Int else {
      // This node does not remember what is wanted: another one does.
      if !line.isSuccess { connection = nil }
      return
    }
    pending.append(
      Event(index: index, key: line.fields["key"] as? String ?? "", value: line.fields["value"] as? Int))
    guard line.fields["more"] == nil else { return }
    events += pending
    pending = []
    from = index + 1
  }
}

extension EndToEnd {
  @Suite("Watches")
  struct WatchTests {
    @Test("every node tells the same changes in the same order, whoever has made them")
    func everyNode() async throws {
      try await withSteadyCluster { cluster in
        let watches = try cluster.nodes.map { node in
          let client = try node.connect()
          #expect(try client.ask(#"{"type":"watch","prefix":"a","id":"w"}"#).isSuccess)
          return client
        }
        for (number, node) in cluster.nodes.enumerated() {
          try node.insist(on: Request.put("a\(number)", "\(number)"))
          try node.insist(on: Request.put("b", "0"))
          let redis = try node.connect()
          try redis.send("SET a-redis \(number)\r\n")
          #expect(try redis.receiveLine() == "+OK\r")
          try node.insist(
            on: #"{"type":"batch","ops":[{"type":"delete","key":"a\#(number)"},{"type":"incr","key":"a"}]}"#)
        }
        let lines = try watches.map { watch in
          try (0..<12).map { _ in try #require(try watch.receiveLine()) }
        }
        #expect(lines[0] == lines[1])
        #expect(lines[1] == lines[2])
        let ends = lines[0].map {
          $0.drop { $0 != "," }.split(separator: ",").dropFirst(2).joined(separator: ",")
        }
        for number in 0..<3 {
          #expect(
            Array(ends[(4 * number)..<(4 * number + 4)]) == [
              #""key":"a\#(number)","value":\#(number)}"#, #""key":"a-redis","value":"\#(number)"}"#,
              #""key":"a\#(number)","deleted":true,"more":true}"#, #""key":"a","value":\#(number + 1)}"#,
            ])
        }
      }
    }

    @Test("expiry is told once, by every node")
    func expiry() async throws {
      try await withSteadyCluster { cluster in
        let watches = try cluster.nodes.map { node in
          let client = try node.connect()
          #expect(try client.ask(#"{"type":"watch","key":"k"}"#).isSuccess)
          return client
        }
        try cluster.nodes[0].insist(on: #"{"type":"put","key":"k","value":1,"ttl":0.2}"#)
        for watch in watches {
          #expect(try #require(try watch.receiveLine()).contains(#""value":1"#))
          #expect(try #require(try watch.receiveLine()).contains(#""expired":true"#))
        }
        try cluster.nodes[1].insist(on: Request.put("k", "2"))
        for watch in watches { #expect(try #require(try watch.receiveLine()).contains(#""value":2"#)) }
      }
    }

    @Test("no change is lost or doubled while leaders are killed and the client goes from node to node")
    func failover() async throws {
      try await withCluster(of: 3) { cluster in
        let session = try #require(
          try cluster.nodes[0].insist(on: #"{"type":"session"}"#).fields["session"] as? Int)
        let count = 300
        let written = Atomic(0)
        async let watching = Task {
          var watcher = Watcher(#""prefix":"n""#, from: 1, on: cluster.nodes)
          let deadline = monotonicNanoseconds() + 90_000_000_000
          while watcher.events.count < 2 * count, monotonicNanoseconds() < deadline { watcher.step() }
          return watcher
        }.value
        async let writing: Void = Task {
          for number in 1...count {
            let batch =
              #"{"type":"batch","ops":[{"type":"incr","key":"n1"},{"type":"incr","key":"n2"}],"#
              + #""session":\#(session),"seq":\#(number),"acked":\#(number - 1)}"#
            try eventually("write \(number) is carried out", within: 60) {
              (try? cluster.nodes[number % 3].ask(batch, patience: 5))?.isSuccess ?? false
            }
            written.store(number, ordering: .relaxed)
          }
        }.value
        for round in 1...2 {
          try eventually("the client has written", within: 60) {
            written.load(ordering: .relaxed) >= round * count / 3
          }
          let leader = try cluster.awaitLeader().node
          try leader.end(by: SIGKILL)
          try leader.startAgain()
        }
        try await writing
        let watcher = await watching
        #expect(watcher.events.map(\.value) == (1...count).flatMap { [$0, $0] })
        #expect(watcher.events.map(\.key) == (1...count).flatMap { _ in ["n1", "n2"] })
        #expect(zip(watcher.events, watcher.events.dropFirst()).allSatisfy { $0.index <= $1.index })
      }
    }

    @Test("a scan and a watch from behind its index leave no gap, whatever is written meanwhile")
    func scanAndWatch() async throws {
      try await withSteadyCluster { cluster in
        let rounds = 40
        async let writing: Void = Task {
          let writer = try cluster.nodes[0].connect()
          for number in 0..<(rounds * 20) {
            _ = try writer.ask(#"{"type":"incr","key":"c\#(number % 7)"}"#)
          }
        }.value
        for round in 0..<rounds {
          let client = try cluster.nodes[1 + round % 2].connect()
          let scan = try client.ask(#"{"type":"scan","prefix":"c"}"#)
          var values: [String: Int] = [:]
          for item in scan.fields["data"] as? [[String: Any]] ?? [] {
            values[item["key"] as? String ?? ""] = item["value"] as? Int
          }
          let index = try #require(scan.fields["index"] as? Int)
          #expect(
            try client.ask(#"{"type":"watch","prefix":"c","from":\#(index + 1)}"#).isSuccess)
          _ = try cluster.nodes[0].ask(#"{"type":"incr","key":"c0"}"#)
          // Counters go up by one: one that was missed, or told twice, shows.
          let line = try Answer(try #require(try client.receiveLine()))
          let key = try #require(line.fields["key"] as? String)
          #expect(line.fields["value"] as? Int == (values[key] ?? 0) + 1)
        }
        try await writing
      }
    }

    @Test("a client that does not read loses its watch, is told from where on, and holds up nobody")
    func slowClient() async throws {
      try await withNode { node in
        let slow = try node.connect()
        #expect(try slow.ask(#"{"type":"watch","prefix":"k","id":7}"#).isSuccess)
        let value = "\"" + String(repeating: "x", count: 1_000_000) + "\""
        let writer = try node.connect()
        for number in 0..<60 { #expect(try writer.ask(Request.put("k\(number % 3)", value)).isSuccess) }
        var indexes: [Int] = []
        var end: Answer?
        while end == nil {
          let line = try Answer(try #require(try slow.receiveLine()))
          if let index = line.fields["index"] as? Int { indexes.append(index) } else { end = line }
        }
        #expect(end?.refusal?.code == "compacted")
        let error = try #require(end?.fields["error"] as? [String: Any])
        #expect(error["id"] as? Int == 7)
        let from = try #require(error["from"] as? Int)
        let oldest = try #require(error["oldest"] as? Int)
        #expect(zip(indexes, indexes.dropFirst()).allSatisfy { $0 + 1 == $1 })
        #expect(from == (indexes.last ?? 0) + 1)
        #expect(oldest > from)
        #expect(try slow.ask(#"{"type":"watch","prefix":"k","from":\#(oldest)}"#).isSuccess)
        #expect(try #require(try slow.receiveLine()).contains(#""index":\#(oldest),"#))
      }
    }
  }
}
