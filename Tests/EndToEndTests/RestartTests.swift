import Foundation
import Testing

extension EndToEnd {
  @Suite("Nodes with a database that are started again")
  struct RestartTests {
    @Test(
      "hold everything that was acknowledged, however they ended", arguments: [SIGTERM, SIGKILL])
    func alone(signal: Int32) async throws {
      try await withNode(store: .database) { node in
        for round in 0..<3 {
          let client = try node.connect()
          for number in 0..<50 {
            #expect(try client.ask(Request.put("k-\(round)-\(number)", "\(number)")).isSuccess)
          }
          #expect(try client.ask(Request.delete("k-\(round)-7")).isSuccess)
          try node.end(by: signal)
          try node.startAgain()
          try node.awaitLeader()
          for earlier in 0...round {
            #expect(try node.ask(Request.get("k-\(earlier)-49")).value == "49")
            #expect(try node.ask(Request.get("k-\(earlier)-7")).value == "null")
          }
        }
        try node.awaitLog("entries of the log were applied again")
      }
    }

    @Test("hold everything that was acknowledged when all of them are killed at once")
    func all() async throws {
      try await withCluster(of: 3, store: .database) { cluster in
        for round in 0..<3 {
          try cluster.awaitLeader()
          let client = try cluster.nodes[round].connect()
          for number in 0..<100 {
            #expect(try client.ask(Request.put("k-\(round)-\(number)", "\(number)")).isSuccess)
          }
          for node in cluster.nodes { node.send(SIGKILL) }
          for node in cluster.nodes { _ = try node.process.awaitEnd() }
          for node in cluster.nodes { try node.startAgain() }
          try cluster.awaitLeader()
          for earlier in 0...round {
            for number in [0, 42, 99] {
              #expect(
                try cluster.nodes[(round + 1) % 3].insist(on: Request.get("k-\(earlier)-\(number)")).value
                  == "\(number)")
            }
          }
        }
      }
    }

    @Test("are refused with one line and status 74 when somebody else uses their volume")
    func twoOnOneVolume() async throws {
      let folder = try TemporaryFolder()
      defer { folder.remove() }
      let options = StoreChoice.database.options(volume: folder.path)
      let first = try NodeProcess(at: try Port(), options: options)
      defer { first.send(SIGKILL) }
      try first.awaitLeader()
      let second = try NodeProcess(at: try Port(), options: options)
      #expect(try second.process.awaitEnd() == .exited(74))
      #expect(second.log.split(separator: "\n").count == 1, "\(second.log)")
      #expect(second.log.contains(folder.path))
      #expect(try first.ask(Request.put("k", "1")).isSuccess)
    }
  }
}
