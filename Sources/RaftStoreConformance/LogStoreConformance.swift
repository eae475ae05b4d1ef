import RaftCore
import RaftStore

/// Checks that a store of your own does what `LogStore` and `SnapshotStore` ask for: a replica writes to it, votes, cuts and
/// compacts its log, saves and receives snapshots, and is started anew, at random; and what the store then gives back is
/// compared with what a store in memory holds to which the same was done.
///
///     let faults = LogStoreConformance(seed: 1).faults { try MyStore(at: path) }
///     #expect(faults == [])
public struct LogStoreConformance: Sendable {
  private let seed: UInt64
  private let steps: Int

  /// Draws `steps` steps from a seed.
  public init(seed: UInt64 = 1, steps: Int = 120) {
    self.seed = seed
    self.steps = steps
  }

  /// Tells, in words, what a store does otherwise than it should.
  ///
  /// - Parameter open: Opens the store: empty the first time, and afterwards with what it was left with. The store that was
  ///   opened before is not used any more by then.
  public func faults(opening open: () throws -> any LogStore & SnapshotStore) -> [String] {
    var random = RandomSource(seed: seed)
    do {
      var tested = try WritingReplica(try open())
      var model = try WritingReplica(MemoryLogStore())
      guard tested.isEmpty else { return ["an empty store says that it holds something"] }
      try tested.found()
      try model.found()
      for number in 1...steps {
        let step = model.drawStep(&random)
        try model.perform(step)
        do {
          try tested.perform(step)
        } catch {
          return ["step \(number), \(step): \(error)"]
        }
        guard number % 10 == 0 else { continue }
        let wanted = try model.contents()
        tested.close()
        tested = try WritingReplica(try open())
        // Both begin with what was written down: how far they had come otherwise is forgotten.
        model = try model.restarted()
        let found = try tested.contents()
        if found != wanted {
          return ["after step \(number), \(step), it holds \(found), and should hold \(wanted)"]
        }
      }
    } catch {
      return ["\(error)"]
    }
    return []
  }
}
