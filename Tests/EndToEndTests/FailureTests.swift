import Foundation
import Testing

extension EndToEnd {
  @Suite("Nodes that stop, pause and go")
  struct FailureTests {
    @Test(
      "a leader that is told to stop hands over, ends with status 0, and loses nothing",
      arguments: [SIGTERM, SIGINT])
    func gracefulStop(signal: Int32) async throws {
      try await withCluster(of: 3) { cluster in
        let workload = Workload(on: cluster, keys: ["a", "b", "c", "d", "e", "f"])
        async let history = workload.run(clients: 4)
        let survivors: Result<[NodeProcess], any Error> = Result {
          try workload.awaitWrites(100)
          let leader = try cluster.awaitLeader()
          #expect(try leader.node.end(by: signal) == .exited(0))
          let others = cluster.others(than: leader.node)
          #expect(try cluster.awaitLeader(among: others, after: leader.term).node !== leader.node)
          try workload.awaitWrites(100)
          #expect(leader.node.log.contains("stopping on \(signal == SIGTERM ? "SIGTERM" : "SIGINT")"))
          return others
        }
        workload.stop()
        var operations = await history
        for node in try survivors.get() { operations += try workload.readAll(through: node) }
        #expect(LinearizabilityChecker<String, String>().check(operations).isEmpty)
      }
    }

    /// Counter-example: a node that is stopped for longer than an election takes, and judges by a clock that stood still
    /// whether it still leads, answers what the others have overwritten meanwhile.
    @Test("a leader that was paused and goes on never answers a stale read")
    func pausedLeader() async throws {
      try await withCluster(of: 3) { cluster in
        for round in 0..<3 {
          let leader = try cluster.awaitLeader()
          let others = cluster.others(than: leader.node)
          try leader.node.insist(on: Request.put("k", "\"old \(round)\""))
          let readers = try (0..<4).map { _ in try leader.node.connect() }
          for reader in readers { #expect(try reader.ask(Request.get("k")).value != "null") }
          leader.node.send(SIGSTOP)
          defer { leader.node.send(SIGCONT) }
          let next = try cluster.awaitLeader(among: others, after: leader.term).node
          try next.insist(on: Request.put("k", "\"new \(round)\""))
          // These lie in the sockets of the paused leader: the first thing it sees when it goes on, with its own timers.
          for reader in readers { try reader.send(Request.get("k") + "\n") }
          leader.node.send(SIGCONT)
          for reader in readers {
            let answer = try Answer(try #require(try reader.receiveLine()))
            #expect(answer.value == "\"new \(round)\"" || answer.refusal != nil, "\(answer)")
          }
        }
      }
    }

    @Test("a follower that was paused catches up, and answers what was written meanwhile")
    func pausedFollower() async throws {
      try await withSteadyCluster { cluster in
        let leader = try cluster.awaitLeader().node
        let follower = try #require(cluster.others(than: leader).first)
        follower.send(SIGSTOP)
        defer { follower.send(SIGCONT) }
        let client = try leader.connect()
        for number in 0..<500 {
          #expect(try client.ask(Request.put("k-\(number % 50)", "\(number)")).isSuccess)
        }
        follower.send(SIGCONT)
        #expect(try follower.ask(Request.get("k-49")).value == "499")
        #expect(try follower.ask(Request.get("k-0")).value == "450")
        let commit = try #require(try leader.status()).commit
        try eventually("the follower has applied everything") {
          try follower.status().flatMap { $0.applied >= commit ? () : nil }
        }
      }
    }

    @Test("two of five nodes acknowledge nothing, and what they promise never to do they do not do later")
    func minority() async throws {
      try await withCluster(of: 5, ["--request-timeout", "1"]) { cluster in
        let leader = try cluster.awaitLeader().node
        let follower = cluster.others(than: leader)[0]
        let minority = [leader, follower]
        let majority = cluster.nodes.filter { node in !minority.contains { $0 === node } }
        try leader.insist(on: Request.put("k", "\"before\""))
        for node in majority { node.send(SIGSTOP) }
        defer { for node in majority { node.send(SIGCONT) } }
        var possible = ["\"before\""]
        for round in 0..<2 {
          for (number, node) in minority.enumerated() {
            let value = "\"\(round)-\(number)\""
            let answer = try node.ask(Request.put("k", value))
            let refusal = try #require(answer.refusal, "\(answer)")
            #expect(answer.fields["data"] as? Bool == false)
            if !refusal.isNotExecuted { possible.append(value) }
            #expect(try node.ask(Request.get("k")).isSuccess == false, "a read needs a majority, too")
          }
        }
        for node in majority { node.send(SIGCONT) }
        try cluster.awaitLeader()
        let seen = try #require(try majority[0].insist(on: Request.get("k")).value)
        #expect(possible.contains(seen))
        try follower.insist(on: Request.put("k", "\"after\""))
        for node in cluster.nodes { #expect(try node.insist(on: Request.get("k")).value == "\"after\"") }
      }
    }
  }

  @Suite("Nodes that are started for the first time")
  struct FoundingTests {
    @Test("wait for every listed node, say for whom, and acknowledge nothing before")
    func foundingWaitsForAll() async throws {
      let ports = try (0..<3).map { _ in try Port() }
      func start(_ number: Int) throws -> NodeProcess {
        try NodeProcess(at: ports[number], peers: ports.map(\.address))
      }
      var nodes = [try start(0), try start(1)]
      defer { for node in nodes { node.send(SIGKILL) } }
      for node in nodes {
        try node.awaitAnswer()
        try node.awaitLog("waiting for \(ports[2].address) before the cluster is founded")
        let answer = try node.ask(Request.put("k", "1"))
        #expect(answer.refusal?.code == "not_ready")
        #expect(answer.refusal?.isNotExecuted == true)
        let status = try #require(try node.status())
        #expect(status.term == 0 && status.leader == nil && status.members.isEmpty)
      }
      nodes.append(try start(2))
      for node in nodes { try node.awaitLeader() }
      #expect(
        try nodes[2].insist(on: Request.get("k")).value == "null", "what was refused has not happened")
      try nodes[2].insist(on: Request.put("k", "2"))
      #expect(try nodes[0].insist(on: Request.get("k")).value == "2")
    }

    @Test("and name different sets, wait and say so, until they agree")
    func differentSets() async throws {
      let ports = try (0..<3).map { _ in try Port() }
      let two = [ports[0].address, ports[1].address]
      let first = try NodeProcess(at: ports[0], peers: two)
      defer { first.send(SIGKILL) }
      let second = try NodeProcess(at: ports[1], peers: two + [ports[2].address])
      defer { second.send(SIGKILL) }
      for node in [first, second] {
        try node.awaitLog("all must name the same set")
        #expect(try node.ask(Request.put("k", "1")).refusal?.code == "not_ready")
        #expect(try node.status()?.leader == nil)
      }
      #expect(
        first.log.contains(
          "for the nodes \(([ports[0], ports[1], ports[2]].map(\.address)).sorted().joined(separator: ", "))")
      )
      try second.end(by: SIGTERM)
      let agreeing = try NodeProcess(at: ports[1], peers: two)
      defer { agreeing.send(SIGKILL) }
      for node in [first, agreeing] { try node.awaitLeader() }
      try first.insist(on: Request.put("k", "1"))
      #expect(try agreeing.insist(on: Request.get("k")).value == "1")
    }
  }
}
