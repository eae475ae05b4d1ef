import Foundation
import Testing

extension EndToEnd {
  /// A cluster of one whose log does not reach back to its beginning: whoever joins needs a snapshot.
  @Suite("Newcomers that need a snapshot")
  struct NewcomerTests {
    private static let valueBytes = 64 << 10
    private static let keys = 120
    /// So many bytes have been written that the first commands are compacted away.
    private static let writes = 1_400

    /// Runs `body` with the node that leads, and a folder for others.
    private func withFilled(
      _ store: StoreChoice, _ options: [String] = [], _ body: (NodeProcess, String) async throws -> Void
    ) async throws {
      let folder = try TemporaryFolder()
      defer { folder.remove() }
      try await withCluster(of: 1, options, store: store) { cluster in
        try fill(cluster.nodes[0])
        try await body(cluster.nodes[0], folder.path)
      }
    }

    /// Text that cannot be made shorter.
    private static let noise: [UInt8] = {
      var random = SeededRandom(seed: 1)
      let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-".utf8)
      return (0..<(2 * valueBytes)).map { _ in letters[Int(random.next() % 64)] }
    }()

    private func value(of write: Int) -> String {
      let start = write * 37 % Self.valueBytes
      return "\(write) " + String(decoding: Self.noise[start..<(start + Self.valueBytes - 8)], as: UTF8.self)
    }

    private func fill(_ node: NodeProcess, _ count: Int = writes) throws {
      let client = try node.connect()
      for first in stride(from: 0, to: count, by: 20) {
        let batch = first..<min(first + 20, count)
        for write in batch {
          let (key, value) = ("key-\(write % Self.keys)", value(of: write))
          try client.send(
            "*3\r\n$3\r\nSET\r\n$\(key.utf8.count)\r\n\(key)\r\n$\(value.utf8.count)\r\n\(value)\r\n")
        }
        for _ in batch { #expect(try client.receiveLine() == "+OK\r") }
      }
    }

    /// Checks that a node has all of it, by what it reads from its own state.
    private func expectEverything(in node: NodeProcess) throws {
      for key in 0..<Self.keys {
        let last = Self.writes - 1 - (Self.writes - 1 - key) % Self.keys
        let answer = try node.insist(on: Request.get("key-\(key)"))
        #expect(answer.value == "\"\(value(of: last))\"", "key-\(key)")
      }
    }

    private func awaitVoter(_ node: NodeProcess) throws {
      try eventually("\(node.address) is a voter; it logged:\n\(node.log.suffix(2_000))", within: 60) {
        try node.status()?.members.contains { $0.address == node.address && $0.role == "voter" } ?? false
      }
    }

    @Test(
      "get it whichever store they and the leader have", arguments: StoreChoice.allCases, StoreChoice.allCases
    )
    func stores(_ leading: StoreChoice, _ joining: StoreChoice) async throws {
      try await withFilled(leading) { leader, folder in
        let newcomer = try NodeProcess(
          at: try Port(), peers: [leader.address], options: joining.options(volume: "\(folder)/newcomer"))
        defer { _ = try? newcomer.end(by: SIGKILL) }
        try awaitVoter(newcomer)
        #expect(newcomer.log.contains("caught up by a snapshot"))
        try expectEverything(in: newcomer)
        guard joining == .database else { return }
        // What was installed is what a restart finds.
        try newcomer.end(by: SIGKILL)
        try newcomer.startAgain()
        try awaitVoter(newcomer)
        try expectEverything(in: newcomer)
      }
    }

    @Test("and are of both stores at once, get what they can read")
    func mixed() async throws {
      try await withFilled(.database) { leader, folder in
        let newcomers = try StoreChoice.allCases.map { store in
          try NodeProcess(
            at: try Port(), peers: [leader.address], options: store.options(volume: "\(folder)/\(store)"))
        }
        defer { for newcomer in newcomers { _ = try? newcomer.end(by: SIGKILL) } }
        for newcomer in newcomers {
          try awaitVoter(newcomer)
          try expectEverything(in: newcomer)
        }
      }
    }

    @Test("begin again, or go on, when they are killed at any instant, ten times over (scenarios 66, 67)")
    func killed() async throws {
      // Two seconds for all of it: it is killed somewhere in there.
      let limit = ["--snapshot-bandwidth", "\(Self.keys * Self.valueBytes / 2)"]
      try await withFilled(.database, limit) { leader, folder in
        var random = SeededRandom(seed: 10)
        let volume = "\(folder)/newcomer"
        let newcomer = try NodeProcess(
          at: try Port(), peers: [leader.address], options: StoreChoice.database.options(volume: volume))
        defer { _ = try? newcomer.end(by: SIGKILL) }
        for round in 0..<10 {
          let share = Double(round) / 10 + Double.random(in: 0...0.1, using: &random)
          try eventually("so much has come that it is time for kill \(round)", within: 60) {
            received(in: volume) >= Int(share * Double(Self.keys * Self.valueBytes))
          }
          try newcomer.end(by: SIGKILL)
          try leader.insist(on: Request.put("round", "\(round)"))
          try newcomer.startAgain()
        }
        try awaitVoter(newcomer)
        #expect(newcomer.log.contains("caught up by a snapshot"))
        try expectEverything(in: newcomer)
        #expect(try newcomer.insist(on: Request.get("round")).value == "9")
        // Nothing is left of what was begun.
        try newcomer.end(by: SIGTERM)
        #expect(
          try FileManager.default.contentsOfDirectory(atPath: volume).allSatisfy { !$0.hasPrefix("copy-") })
      }
    }

    @Test("and were members, and are still applying what they had, are taken further by it (scenario 69)")
    func applying() async throws {
      let options = ["--log-bytes-max", "\(64 << 20)", "--flush-entries", "1000000"]
      try await withCluster(of: 3, options, store: .database) { cluster in
        let leader = try cluster.awaitLeader().node
        let away = cluster.others(than: leader)[0]
        // It has a log to apply again, and misses more than what is kept for it.
        let client = try leader.connect()
        for number in 0..<2_000 {
          #expect(try client.ask(Request.put("early-\(number)", "\(number)")).isSuccess)
        }
        try away.end(by: SIGKILL)
        try fill(leader)
        try away.startAgain()
        try away.awaitLog("caught up by a snapshot", within: 60)
        try expectEverything(in: away)
        for number in [0, 1_000, 1_999] {
          #expect(try away.insist(on: Request.get("early-\(number)")).value == "\(number)")
        }
      }
    }

    @Test("and have a database from before their log begins, do not start (scenario 74)")
    func oldState() async throws {
      try await withFilled(.database) { node, _ in
        try node.end(by: SIGTERM)
        let volume = try #require(node.volume)
        for name in try FileManager.default.contentsOfDirectory(atPath: volume) where name.hasPrefix("data-")
        {
          try FileManager.default.removeItem(atPath: "\(volume)/\(name)")
        }
        try node.startAgain()
        #expect(try node.process.awaitEnd() == .exited(74))
        #expect(node.log.contains("the log holds what is behind entry"), "\(node.log)")
      }
    }

    /// Counter-example: the newcomer was killed when it had the log through a configuration of one. It took what the leader sent,
    /// which that configuration does not know, and had nowhere to send its answers.
    @Test(
      "go on when they were killed in the middle of the log, and a node leads that they have not heard of")
    func unknownLeader() async throws {
      let folder = try TemporaryFolder()
      defer { folder.remove() }
      func options(_ name: String) -> [String] {
        StoreChoice.database.options(volume: "\(folder.path)/\(name)")
      }
      let first = try NodeProcess(at: try Port(), options: options("first"))
      defer { first.send(SIGKILL) }
      try first.awaitLeader()
      // So much that a newcomer is seen in the middle of it, and less than would be compacted away.
      try fill(first, 700)
      let second = try NodeProcess(at: try Port(), peers: [first.address], options: options("second"))
      defer { second.send(SIGKILL) }
      try awaitVoter(second)
      try eventually("\(second.address) leads", within: 60) {
        if try first.status()?.leader == second.address { return true }
        _ = try first.ask(#"{"type":"transfer","addr":"\#(second.address)"}"#)
        return false
      }
      let newcomer = try NodeProcess(at: try Port(), peers: [first.address], options: options("newcomer"))
      defer { newcomer.send(SIGKILL) }
      try eventually("\(newcomer.address) is in the middle of the log", within: 60) {
        guard let status = try newcomer.status(), status.commit > 0 else { return false }
        #expect(status.members.count < 3, "it has the whole log already")
        return true
      }
      try newcomer.end(by: SIGKILL)
      try newcomer.startAgain()
      try awaitVoter(newcomer)
    }

    /// How much of a snapshot has come, or was installed.
    private func received(in volume: String) -> Int {
      let names = (try? FileManager.default.contentsOfDirectory(atPath: volume)) ?? []
      return names.filter { $0.hasPrefix("copy-") || $0.hasPrefix("data-") }.reduce(0) { total, name in
        let folder = "\(volume)/\(name)"
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return files.reduce(total) { sum, file in
          let attributes = try? FileManager.default.attributesOfItem(atPath: "\(folder)/\(file)")
          return sum + (attributes?[.size] as? Int ?? 0)
        }
      }
    }
  }
}
