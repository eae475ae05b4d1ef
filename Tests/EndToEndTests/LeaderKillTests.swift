import Foundation
import Synchronization
import Testing

extension EndToEnd {
  @Suite("Seven nodes whose leaders are killed")
  struct LeaderKillTests {
    private static let nodeCount = 7
    private static let clientCount = 16
    private static let killCount = 3

    @Test(
      "lose no acknowledged write, answer no stale read, and keep every promise that a write never happens")
    func nothingIsLost() async throws {
      try await withCluster(of: Self.nodeCount, ["--request-timeout", "5"]) { cluster in
        let workload = Workload(on: cluster, keys: (0..<32).map { "key-\($0)" })
        async let history = workload.run(clients: Self.clientCount)
        let killed: Result<[NodeProcess], any Error> = Result { try killLeaders(of: cluster, workload) }
        workload.stop()
        var operations = await history
        let restarted = try killed.get()
        for node in restarted {
          // A memory node is a new incarnation, which takes the place of the former one.
          try node.awaitLog(StoreChoice.ofThisRun == .memory ? "joined cluster" : "back in cluster")
        }
        for node in cluster.nodes { operations += try workload.readAll(through: node) }
        judge(operations)
      }
    }

    /// Kills one leader after the other, each when the cluster has served writes again for a while, and starts each
    /// again at once.
    ///
    /// - Returns: The nodes that were started again.
    private func killLeaders(of cluster: ClusterOfProcesses, _ workload: Workload) throws -> [NodeProcess] {
      var restarted: [NodeProcess] = []
      var term = -1
      for _ in 0..<Self.killCount {
        try workload.awaitWrites(400)
        let leader = try cluster.awaitLeader(after: term)
        term = leader.term
        try leader.node.end(by: SIGKILL)
        try leader.node.startAgain()
        restarted.append(leader.node)
      }
      try workload.awaitWrites(400)
      return restarted
    }

    private func judge(_ operations: [Workload.Operation]) {
      let findings = LinearizabilityChecker<String, String>().check(operations)
      #expect(findings.isEmpty)
      var seen: Set<String> = []
      var refused: Set<String> = []
      var writeEnds: [UInt64] = []
      for operation in operations {
        switch (operation.action, operation.ending) {
        case (.read(let value?), _): seen.insert(value)
        case (.write(let value?), .notExecuted): refused.insert(value)
        case (.write, .acknowledged(let end)): writeEnds.append(end)
        default: break
        }
      }
      #expect(seen.intersection(refused) == [], "these were promised never to happen")
      let clients = Set(
        operations.filter { if case .acknowledged = $0.ending { true } else { false } }.map(\.client))
      #expect(
        clients.count == Self.clientCount + 1, "every client was served, and the one that reads at the end")
      writeEnds.sort()
      let longest = zip(writeEnds, writeEnds.dropFirst()).map { $1 - $0 }.max() ?? 0
      let unknown = operations.count { $0.ending == .unknown }
      print(
        "seven nodes, \(Self.clientCount) clients, \(Self.killCount) leaders killed: \(operations.count) operations, "
          + "\(writeEnds.count) writes acknowledged, \(refused.count) refused, \(unknown) of unknown outcome; "
          + "longest interval without a successful write: \(longest / 1_000_000) milliseconds")
    }
  }
}
