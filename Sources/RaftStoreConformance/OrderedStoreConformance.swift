import RaftCore
import RaftStore

/// Checks that an ordered store of your own does what `OrderedStore` asks for: batches at once and in order, pairs in the
/// order of their keys' bytes, ranges with their bounds.
///
///     let faults = OrderedStoreConformance(seed: 1).faults(of: MyStore())
///     #expect(faults == [])
public struct OrderedStoreConformance: Sendable {
  private let seed: UInt64
  private let batches: Int

  /// Draws `batches` batches from a seed.
  public init(seed: UInt64 = 1, batches: Int = 200) {
    self.seed = seed
    self.batches = batches
  }

  /// Changes an empty store in many ways, and tells, in words, what it does otherwise than it should.
  public func faults(of store: some OrderedStore) -> [String] {
    var (store, model) = (store, MemoryBackend())
    var random = RandomSource(seed: seed)
    for number in 1...batches {
      let batch = Self.batch(&random)
      model.apply(batch)
      do {
        switch number % 3 {
        case 0: try store.commit(batch)
        case 1: try store.apply(batch)
        default:
          try store.apply(batch)
          try store.sync()
        }
        if number % 17 == 0 { try store.flush() }
        let faults = try Self.differences(store, model, &random)
        if !faults.isEmpty { return faults.map { "after batch \(number): \($0)" } }
      } catch {
        return ["batch \(number): \(error)"]
      }
    }
    return []
  }

  /// Bytes at which orders and ends differ, if they do.
  private static func key(_ random: inout RandomSource) -> Bytes {
    (0..<Int.random(in: 0...3, using: &random)).map { _ in
      [0x00, 0x01, 0x61, 0x7F, 0x80, 0xFF].randomElement(using: &random) ?? 0
    }
  }

  private static func batch(_ random: inout RandomSource) -> WriteBatch {
    var batch = WriteBatch()
    for _ in 0..<Int.random(in: 0...8, using: &random) {
      switch Int.random(in: 0..<10, using: &random) {
      case 0:
        let (one, other) = (key(&random), key(&random))
        let isInOrder = one.lexicographicallyPrecedes(other)
        batch.deleteRange(from: isInOrder ? one : other, to: isInOrder ? other : one)
      case 1...3: batch.delete(key(&random))
      default:
        let count = Int.random(in: 0...40, using: &random)
        batch.put((0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }, for: key(&random))
      }
    }
    return batch
  }

  private static func differences(
    _ store: some OrderedStore, _ model: MemoryBackend, _ random: inout RandomSource
  ) throws(StoreError) -> [String] {
    var faults: [String] = []
    let sought = key(&random)
    if try store.get(sought) != model.get(sought) { faults.append("get of \(sought) gives another value") }
    let bounds = [(Bytes(), nil), (key(&random), nil), (key(&random), key(&random))] as [(Bytes, Bytes?)]
    for (lower, upper) in bounds where upper.map({ lower.lexicographicallyPrecedes($0) }) ?? true {
      for limit in [Int.max, 2] {
        var (found, wanted) = ([[Bytes]](), [[Bytes]]())
        try store.scan(from: lower, to: upper) { key, value in
          found.append([key, value])
          return found.count < limit
        }
        model.scan(from: lower, to: upper) { key, value in
          wanted.append([key, value])
          return wanted.count < limit
        }
        if found != wanted {
          let end = upper.map { "\($0)" } ?? "the end"
          faults.append(
            "a scan from \(lower) to \(end) gives \(found.count) pairs, not these \(wanted.count)")
        }
      }
    }
    return faults
  }
}
