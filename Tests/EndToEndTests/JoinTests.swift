import Foundation
import Testing

extension EndToEnd {
  @Suite("Nodes that join a running cluster")
  struct JoinTests {
    /// Node 1 alone, node 2 with node 1 as its peer, node 3 with node 2 as its peer.
    private func withStory(
      _ store: StoreChoice, _ body: ([NodeProcess]) async throws -> Void
    ) async throws {
      let folder = try TemporaryFolder()
      defer { folder.remove() }
      var nodes: [NodeProcess] = []
      defer { nodes.kill() }
      for number in 0..<3 {
        let volume = "\(folder.path)/node-\(number)"
        nodes.append(
          try NodeProcess(
            at: try Port(), peers: nodes.last.map { [$0.address] } ?? [],
            options: store == .memory ? ["--volume", volume] : store.options(volume: volume)))
        try awaitVoters(nodes)
        if number == 0 { try nodes[0].insist(on: Request.put("first", "1")) }
      }
      do {
        try await body(nodes)
      } catch {
        for node in nodes { print("--- \(node.address) logged:\n\(node.log.suffix(4_000))---") }
        throw error
      }
    }

    /// Waits until all of them know all of them, and nobody else, as voters under one leader.
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
      "serve at once, and are back with everything after any of them was killed and started by the same command",
      arguments: StoreChoice.allCases)
    func story(store: StoreChoice) async throws {
      try await withStory(store) { nodes in
        #expect(try nodes[2].ask(Request.get("first")).value == "1")
        for (number, node) in nodes.enumerated() {
          try nodes[(number + 1) % 3].insist(on: Request.put("round-\(number)", "\(number)"))
          try node.end(by: SIGKILL)
          try node.startAgain()
          try awaitVoters(nodes)
          for earlier in 0...number {
            #expect(try node.insist(on: Request.get("round-\(earlier)")).value == "\(earlier)")
          }
        }
        #expect(!nodes[0].log.contains("founded cluster") || store == .database)
      }
    }

    @Test(
      "found no second cluster with one that comes back, though each is the only peer that the other was given"
    )
    func secondFounding() async throws {
      let folder = try TemporaryFolder()
      defer { folder.remove() }
      var nodes: [NodeProcess] = []
      defer { nodes.kill() }
      for number in 0..<4 {
        nodes.append(
          try NodeProcess(
            at: try Port(), peers: nodes.first.map { [$0.address] } ?? [],
            options: ["--volume", "\(folder.path)/\(number)"] + (number == 0 ? ["--leave-on-stop"] : [])))
        try awaitVoters(nodes)
      }
      let gone = nodes.removeFirst()
      try gone.insist(on: Request.put("first", "1"))
      try gone.end(by: SIGTERM)
      try awaitVoters(nodes)
      try nodes[0].end(by: SIGKILL)
      let new = try NodeProcess(
        at: gone.port, peers: [nodes[0].address], options: ["--volume", "\(folder.path)/new"])
      nodes.append(new)
      try nodes[0].startAgain()
      try awaitVoters(nodes)
      #expect(try new.insist(on: Request.get("first")).value == "1")
    }

    @Test("are refused by name when a durable member owns their address")
    func wipedVolume() async throws {
      let folder = try TemporaryFolder()
      defer { folder.remove() }
      try await withCluster(of: 3, store: .database) { cluster in
        try cluster.awaitLeader()
        let node = cluster.nodes[0]
        try node.end(by: SIGKILL)
        let wiped = try NodeProcess(
          at: node.port, peers: cluster.others(than: node).map(\.address),
          options: StoreChoice.database.options(volume: "\(folder.path)/new"))
        defer { wiped.send(SIGKILL) }
        try wiped.awaitLog("remove it first")
        let leader = try cluster.awaitLeader(among: cluster.others(than: node)).node
        #expect(try leader.status()?.members.count == 3)
      }
    }
  }
}
