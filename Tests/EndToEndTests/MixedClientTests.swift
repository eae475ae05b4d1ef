import Foundation
import Testing

extension EndToEnd {
  @Suite("Clients of both protocols on the same keys")
  struct MixedClientTests {
    private static let clientCount = 12

    @Test("see one order of everything while leaders are killed and stopped")
    func killsAndPauses() async throws {
      try await withCluster(of: 5, ["--request-timeout", "5"]) { cluster in
        let endpoints = cluster.nodes.map { MixedWorkload.Endpoint(port: $0.port.number) }
        let workload = MixedWorkload(endpoints)
        async let history = workload.run(clients: Self.clientCount)
        let disturbed: Result<Void, any Error> = Result {
          var term = -1
          for round in 0..<4 {
            try workload.awaitChanges(300)
            let leader = try cluster.awaitLeader(after: term)
            term = leader.term
            if round % 2 == 0 {
              try leader.node.end(by: SIGKILL)
              try leader.node.startAgain()
              try leader.node.awaitLog(
                StoreChoice.ofThisRun == .memory ? "joined cluster" : "back in cluster")
            } else {
              leader.node.send(SIGSTOP)
              let others = cluster.others(than: leader.node)
              defer { leader.node.send(SIGCONT) }
              try cluster.awaitLeader(among: others, after: term)
              try workload.awaitChanges(100)
            }
          }
          try workload.awaitChanges(300)
        }
        workload.stop()
        var operations = await history
        try disturbed.get()
        try cluster.awaitLeader()
        for endpoint in endpoints { operations += try workload.readAll(through: endpoint) }
        judge(operations, workload, "killed and stopped")
      }
    }

    @Test(
      "see one order of everything while leaders are cut off from the others, and not from clients",
      .enabled("networks can be made") { SeparateHosts.isPossible })
    func partitions() async throws {
      let hosts = try SeparateHosts(3)
      defer { hosts.remove() }
      let addresses = hosts.addresses
      let processes = try hosts.startNodes(["--request-timeout", "5"])
      let endpoints = (0..<3).map { MixedWorkload.Endpoint(host: hosts.host($0), port: 5000) }
      let workload = MixedWorkload(endpoints)
      _ = try Self.awaitLeader(endpoints, addresses, among: [0, 1, 2], after: -1)
      async let history = workload.run(clients: Self.clientCount)
      let disturbed: Result<Void, any Error> = Result {
        var term = -1
        for _ in 0..<4 {
          try workload.awaitChanges(300)
          let leader = try Self.awaitLeader(endpoints, addresses, among: [0, 1, 2], after: term)
          term = leader.term
          hosts.setCut(leader.number, true)
          defer { hosts.setCut(leader.number, false) }
          let others = (0..<3).filter { $0 != leader.number }
          _ = try Self.awaitLeader(endpoints, addresses, among: others, after: term)
          try workload.awaitChanges(100)
        }
        try workload.awaitChanges(300)
      }
      workload.stop()
      var operations = await history
      try disturbed.get()
      _ = try Self.awaitLeader(endpoints, addresses, among: [0, 1, 2], after: -1)
      for endpoint in endpoints { operations += try workload.readAll(through: endpoint) }
      judge(operations, workload, "cut off")
      for process in processes { process.send(SIGKILL) }
    }

    /// Waits until some nodes agree on a leader among them.
    private static func awaitLeader(
      _ endpoints: [MixedWorkload.Endpoint], _ addresses: [String], among numbers: [Int], after term: Int
    ) throws -> (number: Int, term: Int) {
      try eventually("the nodes \(numbers) agree on a leader", within: 60) {
        let statuses = numbers.compactMap { number -> NodeStatus? in
          let (host, port) = (endpoints[number].host, endpoints[number].port)
          guard let client = try? SocketClient(to: port, of: host, patience: 5),
            let answer = try? client.ask(Request.status)
          else { return nil }
          return try? NodeStatus(answer)
        }
        guard statuses.count == numbers.count, let first = statuses.first, first.term > term,
          statuses.allSatisfy({ $0.term == first.term && $0.leader == first.leader }),
          let number = numbers.first(where: { addresses[$0] == first.leader })
        else { return nil }
        return (number, first.term)
      }
    }

    private func judge(_ operations: [MixedWorkload.Operation], _ workload: MixedWorkload, _ what: String) {
      var checker = LinearizabilityChecker<String, String>()
      checker.successor = { value in String((Int(value ?? "0") ?? 0) + 1) }
      #expect(checker.check(operations).map(\.description) == [])
      #expect(workload.tornReads == [], "two keys that are only written together")
      let kinds = Dictionary(grouping: operations) { operation in
        switch operation.action {
        case .read: "reads"
        case .write: "writes"
        case .replace: "swaps"
        case .increment: "increments"
        }
      }.mapValues(\.count)
      let unknown = operations.count { $0.ending == .unknown }
      #expect(kinds.count == 4 && kinds.values.allSatisfy { $0 > 50 }, "\(kinds)")
      print(
        "leaders \(what), \(Self.clientCount) clients of both protocols: \(operations.count) operations, "
          + kinds.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
          + ", \(unknown) of unknown outcome")
    }
  }
}
