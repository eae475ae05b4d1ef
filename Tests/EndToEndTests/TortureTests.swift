import Foundation
import Testing

extension EndToEnd {
  /// `make torture ROUNDS=200` runs more rounds.
  @Suite("Nodes whose power fails again and again")
  struct TortureTests {
    private static let rounds = Int(ProcessInfo.processInfo.environment["TORTURE_ROUNDS"] ?? "") ?? 6
    private static let seed = UInt64(ProcessInfo.processInfo.environment["TORTURE_SEED"] ?? "") ?? 1
    private static let roundsPerEpoch = 5
    private static let clientCount = 8

    @Test(
      "lose no acknowledged write, do nothing that they said would not happen, and answer nothing old (scenario 64)"
    )
    func durable() async throws {
      try await withCluster(
        of: 3, ["--request-timeout", "5", "--flush-entries", "100"], store: .database, isPowerless: true
      ) {
        cluster in
        let findings = try await torture(cluster, rounds: Self.rounds)
        #expect(findings.isEmpty)
      }
    }

    /// If this run found nothing, the one above would say nothing.
    @Test("lose acknowledged writes when nothing is synced, which shows that this would be seen")
    func withoutSync() async throws {
      try await withCluster(
        of: 3, ["--request-timeout", "5", "--no-sync"], store: .database, isPowerless: true
      ) { cluster in
        let findings = try await torture(cluster, rounds: 2, victims: .all)
        #expect(findings.contains { $0.contains("linearizable") }, "\(findings)")
      }
    }

    private enum Victims: CaseIterable {
      case random
      case leader
      case all
    }

    /// Returns what is wrong.
    private func torture(
      _ cluster: ClusterOfProcesses, rounds: Int, victims: Victims? = nil
    ) async throws -> [String] {
      var random = SeededRandom(seed: Self.seed)
      var findings: [String] = []
      var values: [(key: String, value: String?)] = []
      var count = Count()
      for epoch in 0..<((rounds + Self.roundsPerEpoch - 1) / Self.roundsPerEpoch) {
        let keys = (0..<16).map { "key-\(epoch)-\($0)" }
        let workload = Workload(on: cluster, keys: keys)
        async let history = workload.run(clients: Self.clientCount)
        let killing = Result {
          for _ in 0..<min(Self.roundsPerEpoch, rounds - epoch * Self.roundsPerEpoch) {
            try workload.awaitWrites(100)
            count.kills += try strike(
              cluster, victims ?? Victims.allCases.randomElement(using: &random) ?? .all, &random)
          }
          try cluster.awaitLeader()
          if victims == nil { try workload.awaitWrites(100) }
        }
        workload.stop()
        var operations = await history
        try killing.get()
        for node in cluster.nodes {
          do {
            operations += try workload.readAll(through: node)
          } catch {
            findings.append("\(error)")
          }
        }
        findings += LinearizabilityChecker<String, String>().check(operations).map { "\($0)" }
        findings += broken(promises: operations)
        count.add(operations)
        if rounds > 20, epoch % 4 == 3 { print("\((epoch + 1) * Self.roundsPerEpoch) rounds: \(count)") }
        // A cluster that has contradicted itself need not answer any more.
        guard findings.isEmpty else { break }
        values += operations.suffix(keys.count).compactMap { operation in
          if case .read(let value) = operation.action { (operation.key, value) } else { nil }
        }
      }
      if findings.isEmpty { findings = changes(of: values, on: cluster.nodes[0]) }
      print("\(rounds) rounds: \(count); \(findings.count) findings")
      return findings
    }

    /// What happened, in numbers.
    private struct Count: CustomStringConvertible {
      var kills = 0
      private var acknowledged = 0
      private var refused = 0
      private var unknown = 0

      mutating func add(_ operations: [Workload.Operation]) {
        for operation in operations {
          switch (operation.action, operation.ending) {
          case (.write, .acknowledged): acknowledged += 1
          case (.write, .notExecuted): refused += 1
          case (.write, .unknown): unknown += 1
          default: break
          }
        }
      }

      var description: String {
        "\(kills) nodes cut off, \(acknowledged) writes acknowledged, \(refused) refused, \(unknown) of unknown outcome"
      }
    }

    /// What is not any more as it was when nobody wrote it any more.
    private func changes(of values: [(key: String, value: String?)], on node: NodeProcess) -> [String] {
      values.compactMap { key, value in
        guard let now = try? node.insist(on: Request.get(key)).value else { return "\(key) cannot be read" }
        let before = value.map { "\"\($0)\"" } ?? "null"
        return now == before ? nil : "\(key) was \(before) when nobody wrote it any more, and is \(now)"
      }
    }

    /// Kills nodes and takes from them what was not synced. Returns how many.
    private func strike(
      _ cluster: ClusterOfProcesses, _ victims: Victims, _ random: inout SeededRandom
    ) throws -> Int {
      let chosen: [Int]
      switch victims {
      case .all: chosen = Array(cluster.nodes.indices)
      case .random: chosen = [Int.random(in: cluster.nodes.indices, using: &random)]
      case .leader:
        let leader = try cluster.awaitLeader().node
        chosen = cluster.nodes.indices.filter { cluster.nodes[$0] === leader }
      }
      for number in chosen { cluster.nodes[number].send(SIGKILL) }
      for number in chosen {
        _ = try cluster.nodes[number].process.awaitEnd()
        try cluster.supplies[number].fail(&random)
        try cluster.nodes[number].startAgain()
      }
      return chosen.count
    }

    private func broken(promises operations: [Workload.Operation]) -> [String] {
      var seen: Set<String> = []
      var refused: Set<String> = []
      for operation in operations {
        switch (operation.action, operation.ending) {
        case (.read(let value?), _): seen.insert(value)
        case (.write(let value?), .notExecuted): refused.insert(value)
        default: break
        }
      }
      return seen.intersection(refused).sorted().map { "\($0) was promised never to happen, and was read" }
    }
  }
}
