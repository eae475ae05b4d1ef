import Foundation
import Testing

extension EndToEnd {
  @Suite("Nodes that leave, that are missing, and that move")
  struct DepartureTests {
    /// Waits until each of them says that exactly these are the voters, and who leads.
    private func awaitVoters(_ nodes: [NodeProcess]) throws {
      let addresses = nodes.map(\.address).sorted()
      try eventually("\(addresses) are the voters") {
        try nodes.allSatisfy { node in
          guard let status = try node.status(), let leader = status.leader else { return false }
          return addresses.contains(leader) && status.members.map(\.address).sorted() == addresses
            && status.members.allSatisfy { $0.role == "voter" }
        } ? () : nil
      }
    }

    @Test(
      "are removed when they are stopped with --leave-on-stop: follower, leader, but not the last one (scenario 53)"
    )
    func leaveOnStop() async throws {
      try await withCluster(of: 3, ["--leave-on-stop"]) { cluster in
        try cluster.nodes[0].insist(on: Request.put("kept", "1"))
        let leader = try cluster.awaitLeader().node
        let followers = cluster.others(than: leader)
        #expect(try followers[0].end(by: SIGTERM) == .exited(0))
        #expect(followers[0].log.contains("left cluster"))
        try awaitVoters([leader, followers[1]])
        #expect(try leader.end(by: SIGTERM) == .exited(0))
        #expect(leader.log.contains("left cluster"))
        try awaitVoters([followers[1]])
        #expect(try followers[1].insist(on: Request.get("kept")).value == "1")
        #expect(try followers[1].end(by: SIGTERM) == .exited(75))
        #expect(followers[1].log.contains("it is the only voter"))
      }
    }

    @Test("find out that they were removed when they come back, although nobody was left who would tell them")
    func removedWhileAway() async throws {
      try await withCluster(of: 3, store: .database) { cluster in
        let away = cluster.nodes[0]
        let rest = cluster.others(than: away)
        try away.end(by: SIGKILL)
        let leader = try cluster.awaitLeader(among: rest).node
        let answer = try leader.insist(
          on: #"{"type":"member","action":"remove","addr":"\#(away.address)"}"#)
        #expect(answer.isSuccess)
        // Who starts anew has forgotten to whom it wanted to say farewell.
        for node in rest {
          try node.end(by: SIGTERM)
          try node.startAgain()
        }
        try awaitVoters(rest)
        try away.startAgain()
        #expect(try away.process.awaitEnd() == .exited(77))
        #expect(away.log.contains("removed from cluster"))
        try awaitVoters(rest)
      }
    }

    @Test("are removed when they are silent for long, but never so that less than three voters are left")
    func removeDead() async throws {
      try await withCluster(of: 4, ["--remove-dead-after", "1.5"]) { cluster in
        let leader = try cluster.awaitLeader().node
        let others = cluster.others(than: leader)
        try others[0].end(by: SIGKILL)
        try awaitVoters([leader, others[1], others[2]])
        try others[1].end(by: SIGKILL)
        try leader.awaitLog("only 2 voters would be left, and there must be 3")
        #expect(try leader.status()?.members.count == 3)
        try leader.insist(on: Request.put("still", "1"))
      }
    }

    @Test("are found at another address when a database is started there: followers, leaders, one of two")
    func move() async throws {
      for count in [3, 2] {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        var nodes: [NodeProcess] = []
        defer { nodes.kill() }
        let ports = try (0..<count).map { _ in try Port() }
        let addresses = ports.map(\.address)
        func volume(_ number: Int) -> [String] {
          StoreChoice.database.options(volume: "\(folder.path)/\(number)")
        }
        nodes = try ports.enumerated().map {
          try NodeProcess(at: $1, peers: addresses, options: volume($0))
        }
        try awaitVoters(nodes)
        for number in 0..<count {
          try nodes[number].insist(on: Request.put("at-\(number)", "\(number)"))
          try nodes[number].end(by: SIGKILL)
          nodes[number] = try NodeProcess(at: try Port(), peers: addresses, options: volume(number))
          try awaitVoters(nodes)
        }
        for number in 0..<count {
          #expect(try nodes[0].insist(on: Request.get("at-\(number)")).value == "\(number)")
        }
      }
    }

    @Test("move alone, too")
    func moveAlone() async throws {
      let folder = try TemporaryFolder()
      defer { folder.remove() }
      let options = StoreChoice.database.options(volume: folder.path + "/only")
      let first = try NodeProcess(at: try Port(), options: options)
      defer { first.send(SIGKILL) }
      try first.awaitLeader()
      try first.insist(on: Request.put("a", "7"))
      try first.end(by: SIGTERM)
      let second = try NodeProcess(at: try Port(), options: options)
      defer { second.send(SIGKILL) }
      try awaitVoters([second])
      #expect(try second.insist(on: Request.get("a")).value == "7")
    }
  }
}
