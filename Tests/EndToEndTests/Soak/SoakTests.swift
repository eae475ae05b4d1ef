import Foundation
import Testing

extension EndToEnd {
  /// `make soak-cluster` runs it for half an hour.
  @Suite("A cluster whose nodes come, go, and end all the time")
  struct SoakTests {
    private static let environment = ProcessInfo.processInfo.environment
    private static let seconds = Double(environment["SOAK_SECONDS"] ?? "") ?? 180
    private static let seed = UInt64(environment["SOAK_SEED"] ?? "") ?? UInt64.random(in: 0...999_999)
    private static let clientCount = 8
    /// No operation may fail for longer than this in a row, in nanoseconds.
    private static let longestMax: UInt64 = 2_000_000_000

    @Test("loses nothing that it acknowledged, answers nothing old, and keeps nobody waiting")
    func soak() async throws {
      let store = StoreChoice.ofThisRun
      print("soak of \(Int(Self.seconds)) seconds, store \(store), SOAK_SEED=\(Self.seed)")
      let cluster = try SoakCluster(store, sizes: store == .memory ? 3...7 : 1...7)
      defer { cluster.kill() }
      var changes = SoakChanges(of: cluster, seed: Self.seed)
      try changes.begin()
      let record = SoakRecord()
      let clients = SoakClients(of: cluster, record, seed: Self.seed)
      let check = SoakCheck(clients, record, seed: Self.seed)
      async let load: Void = clients.run(count: Self.clientCount)
      async let checking: Void = check.run()
      let start = monotonicNanoseconds()
      var minutes: UInt64 = 5
      let outcome = Result {
        try changes.run(for: Self.seconds) {
          if monotonicNanoseconds() - start >= minutes * 60_000_000_000 {
            print("after \(minutes) minutes: \(record.count)")
            minutes += 5
          }
          return check.findings.isEmpty
        }
      }
      record.stop()
      await load
      await checking
      let count = record.count
      print(
        "soak of \(Int(Self.seconds)) seconds, store \(store), SOAK_SEED=\(Self.seed): \(count); \(changes.count); "
          + "\(check.keyCount) keys")
      for story in count.stories { print(story) }
      try outcome.get()
      try cluster.awaitVoters()
      try check.lookAtEverything(through: cluster.serving)
      #expect(check.findings.isEmpty)
      #expect(count.longest <= Self.longestMax, "\(count.stories.joined(separator: "\n"))")
      if FailureNote.isFailed { print(cluster.logs) }
    }
  }
}
