import RaftCore
import RaftStore
import Testing

@Suite("What every store does with snapshots")
struct SnapshotStoreConformance {
  /// A store with the log 1@1, 2@2 … 2@6, committed.
  private func founded(_ kind: StoreKind) throws -> StoreUnderTest {
    try StoreUnderTest(kind, .found, .append(5, after: entryID(1, 1), term: 2, commit: 6))
  }

  private func content(_ term: UInt64, _ index: UInt64, _ count: Int) -> SnapshotContent {
    SnapshotContent(
      last: entryID(term, index),
      configuration: IndexedConfiguration(index: LogIndex(1), configuration: WritingNode.configuration),
      count: count)
  }

  private func all(of content: SnapshotContent, in store: any SnapshotStore) throws -> Bytes? {
    try store.read(
      fingerprint: content.snapshot.fingerprint, offset: 0, count: content.bytes.count)
  }

  /// Stores a piece.
  private func receive(
    _ content: SnapshotContent, _ range: Range<Int>, in store: inout any LogStore & SnapshotStore
  ) throws -> Bool {
    try store.receive(content.piece(range), bytes: Bytes(content.bytes[range]))
  }

  // MARK: - Saving

  @Test("a saved snapshot is what a restart begins with", arguments: StoreKind.allCases)
  func saving(_ kind: StoreKind) throws {
    var tested = try founded(kind)
    let content = content(2, 4, 100)
    try tested.node.perform(.save(last: entryID(2, 4), count: 100))
    let state = try #require(try tested.state())
    #expect(state.snapshot == content.snapshot)
    #expect(state.bytes == content.bytes)
    #expect(state.appliedIndex == LogIndex(4))
    #expect(state.base == .zero, "saving forgets nothing of the log")
    #expect(state.entries.count == 6)
  }

  @Test("any range of a snapshot can be read, and nothing beyond its end", arguments: StoreKind.allCases)
  func ranges(_ kind: StoreKind) throws {
    var store = try founded(kind).node.store
    let content = content(2, 20, 23)
    let fingerprint = content.snapshot.fingerprint
    for range in [0..<1, 1..<8, 8..<8, 8..<20, 20..<23] {
      #expect(try receive(content, range, in: &store))
    }
    for lower in 0...23 {
      for upper in lower...23 {
        let bytes = try store.read(fingerprint: fingerprint, offset: UInt64(lower), count: upper - lower)
        #expect(bytes == Bytes(content.bytes[lower..<upper]), "\(lower)..<\(upper)")
      }
      #expect(try store.read(fingerprint: fingerprint, offset: UInt64(lower), count: 24 - lower) == nil)
    }
    #expect(try store.read(fingerprint: fingerprint, offset: 24, count: 1) == nil)
    #expect(try store.read(fingerprint: fingerprint ^ 1, offset: 0, count: 1) == nil)
  }

  @Test("a snapshot of more than a million bytes is read back in ranges", arguments: StoreKind.allCases)
  func large(_ kind: StoreKind) throws {
    var tested = try founded(kind)
    let count = (1 << 20) + 1000
    try tested.node.perform(.save(last: entryID(2, 4), count: count))
    let content = content(2, 4, count)
    for range in [0..<9, (1 << 20) - 5..<(1 << 20) + 5, (1 << 20)..<count, count - 1..<count] {
      let bytes = try tested.node.store.read(
        fingerprint: content.snapshot.fingerprint, offset: UInt64(range.lowerBound), count: range.count)
      #expect(bytes == Bytes(content.bytes[range]))
    }
    #expect(try tested.state()?.bytes == content.bytes)
  }

  @Test(
    "a snapshot that ends before the newest one does not take its place (scenario 75)",
    arguments: StoreKind.allCases)
  func overtaken(_ kind: StoreKind) throws {
    var tested = try founded(kind)
    try tested.node.perform(.receive(last: entryID(3, 30), count: 50, pieces: [50], term: 3))
    let state = try #require(try tested.state())
    // The saving began before the installation.
    try tested.node.perform(.save(last: entryID(2, 4), count: 10), .retain([]))
    #expect(try tested.state() == state)
    #expect(try all(of: content(3, 30, 50), in: tested.node.store) == content(3, 30, 50).bytes)

    try tested.node.perform(
      .append(3, after: entryID(3, 30), term: 3, commit: 33), .save(last: entryID(3, 33), count: 12),
      .save(last: entryID(3, 31), count: 11), .retain([]))
    #expect(try tested.state()?.snapshot == content(3, 33, 12).snapshot)
    #expect(try tested.state()?.bytes == content(3, 33, 12).bytes)
    #expect(try tested.state()?.appliedIndex == LogIndex(33))
  }

  @Test("former snapshots are kept as long as they are named", arguments: StoreKind.allCases)
  func retaining(_ kind: StoreKind) throws {
    var tested = try founded(kind)
    let indices = 2...5 as ClosedRange<UInt64>
    for index in indices { try tested.node.perform(.save(last: entryID(2, index), count: 10)) }
    let present = { (tested: StoreUnderTest) in
      try indices.filter { try all(of: content(2, $0, 10), in: tested.node.store) != nil }
    }
    #expect(try present(tested) == [2, 3, 4, 5])
    try tested.node.perform(.retain([entryID(2, 2), entryID(2, 4)]))
    #expect(try present(tested) == [2, 4, 5])
    #expect(try all(of: content(2, 4, 10), in: tested.node.store) == content(2, 4, 10).bytes)
    try tested.node.perform(.retain([entryID(2, 4), entryID(2, 3)]))
    #expect(try present(tested) == [4, 5])
    try tested.node.perform(.retain([]))
    #expect(try present(tested) == [5], "the newest one is the node's own")
  }

  @Test(
    "one that is held can be read until it is released, whatever is retained, and is never the node's own",
    arguments: StoreKind.allCases)
  func holding(_ kind: StoreKind) throws {
    var tested = try founded(kind)
    try tested.node.perform(.save(last: entryID(2, 2), count: 10))
    let copy = content(2, 5, 20)
    for _ in 0..<2 {
      let draft = tested.node.store.beginSnapshot()
      try draft.add(copy.bytes)
      try tested.node.store.hold(copy.snapshot, draft)
    }
    try tested.node.perform(.save(last: entryID(2, 3), count: 10), .retain([]))
    #expect(try all(of: copy, in: tested.node.store) == copy.bytes)
    try tested.node.store.release(fingerprint: copy.snapshot.fingerprint)
    #expect(try all(of: copy, in: tested.node.store) == copy.bytes, "it is held a second time")
    try tested.node.store.release(fingerprint: copy.snapshot.fingerprint)
    #expect(try all(of: copy, in: tested.node.store) == nil)
    try tested.node.store.release(fingerprint: copy.snapshot.fingerprint)
    #expect(try all(of: content(2, 3, 10), in: tested.node.store) != nil)
    #expect(try all(of: content(2, 2, 10), in: tested.node.store) == nil)
  }

  // MARK: - Receiving

  @Test(
    "what is received can be read, and counts for nothing until it is installed",
    arguments: StoreKind.allCases)
  func receiving(_ kind: StoreKind) throws {
    var tested = try founded(kind)
    let state = try tested.state()
    let content = content(3, 20, 30)
    #expect(try receive(content, 0..<10, in: &tested.node.store))
    #expect(try receive(content, 10..<25, in: &tested.node.store))
    let part = try tested.node.store.read(fingerprint: content.snapshot.fingerprint, offset: 5, count: 20)
    #expect(part == Bytes(content.bytes[5..<25]))
    #expect(try all(of: content, in: tested.node.store) == nil)
    #expect(try receive(content, 25..<30, in: &tested.node.store))
    #expect(try all(of: content, in: tested.node.store) == content.bytes)
    #expect(try tested.state() == state)
  }

  @Test(
    "a last piece after which the whole is not what was announced is refused, and all of it dropped",
    arguments: StoreKind.allCases)
  func unsound(_ kind: StoreKind) throws {
    var store = try founded(kind).node.store
    let content = content(3, 20, 30)
    for damaged in 0..<2 {
      var bytes = content.bytes
      bytes[damaged * 20] ^= 4
      #expect(try store.receive(content.piece(0..<10), bytes: Bytes(bytes[..<10])))
      #expect(try !store.receive(content.piece(10..<30), bytes: Bytes(bytes[10...])))
      #expect(try store.read(fingerprint: content.snapshot.fingerprint, offset: 0, count: 1) == nil)
      #expect(try !receive(content, 10..<30, in: &store), "nothing is there that it continues")
    }
    #expect(try receive(content, 0..<10, in: &store))
    #expect(try receive(content, 10..<30, in: &store), "the next attempt begins anew")
  }

  @Test(
    "a piece that does not continue what is there is refused, and all of it dropped",
    arguments: StoreKind.allCases)
  func discontinuous(_ kind: StoreKind) throws {
    var store = try founded(kind).node.store
    let (content, other) = (content(3, 20, 30), content(3, 21, 30))
    #expect(try !receive(content, 10..<20, in: &store), "nothing is there")
    let misfits = [content.piece(11..<20), content.piece(9..<20), other.piece(10..<20)]
    for piece in misfits {
      #expect(try receive(content, 0..<10, in: &store))
      #expect(try !store.receive(piece, bytes: Bytes(repeating: 0, count: Int(piece.count))))
      #expect(try store.read(fingerprint: content.snapshot.fingerprint, offset: 0, count: 1) == nil)
    }
    #expect(try receive(content, 0..<10, in: &store))
    #expect(try !store.receive(content.piece(10..<20), bytes: [1, 2]), "fewer bytes than it says")
    #expect(try receive(content, 0..<10, in: &store))
    let tooLong = InstallSnapshot(of: content.snapshot, offset: 10, count: 21)
    #expect(try !store.receive(tooLong, bytes: Bytes(repeating: 0, count: 21)), "beyond the end")
    var longer = content.piece(10..<20)
    longer.bytes = 40
    #expect(try receive(content, 0..<10, in: &store))
    #expect(try !store.receive(longer, bytes: Bytes(content.bytes[10..<20])), "of another length")
  }

  @Test("a second reception takes the place of the first", arguments: StoreKind.allCases)
  func secondReception(_ kind: StoreKind) throws {
    var store = try founded(kind).node.store
    let (first, second) = (content(3, 20, 30), content(3, 25, 8))
    #expect(try receive(first, 0..<30, in: &store))
    #expect(try receive(second, 0..<4, in: &store))
    #expect(try store.read(fingerprint: first.snapshot.fingerprint, offset: 0, count: 1) == nil)
    #expect(try receive(second, 0..<3, in: &store), "a piece at the beginning begins anew")
    #expect(try receive(second, 3..<8, in: &store))
    #expect(try all(of: second, in: store) == second.bytes)
  }

  @Test("a reception is given up by its name, and no other is", arguments: StoreKind.allCases)
  func discarding(_ kind: StoreKind) throws {
    var store = try founded(kind).node.store
    let (content, other) = (content(3, 20, 30), content(3, 25, 8))
    #expect(try receive(content, 0..<10, in: &store))
    try store.discardReceived(fingerprint: other.snapshot.fingerprint)
    #expect(try receive(content, 10..<20, in: &store))
    try store.retain(fingerprints: [])
    #expect(try receive(content, 20..<30, in: &store), "what is being received is not forgotten")
    try store.discardReceived(fingerprint: content.snapshot.fingerprint)
    #expect(try all(of: content, in: store) == nil)
    try store.discardReceived(fingerprint: content.snapshot.fingerprint)
    #expect(try !receive(content, 10..<20, in: &store))
  }

  // MARK: - Installing

  @Test(
    "an installed snapshot takes the place of log and snapshot, with the entries that follow it",
    arguments: StoreKind.allCases)
  func installing(_ kind: StoreKind) throws {
    var tested = try founded(kind)
    try tested.node.perform(
      .save(last: entryID(2, 3), count: 10), .compact(through: 2),
      .receive(last: entryID(3, 20), count: 30, pieces: [10, 15, 5], term: 4))
    let state = try #require(try tested.state())
    let content = content(3, 20, 30)
    #expect(state.hardState.term == Term(4))
    #expect(state.base == entryID(3, 20))
    #expect(state.baseConfiguration == content.snapshot.configuration)
    #expect(state.entries.isEmpty)
    #expect(state.commitIndex == LogIndex(20) && state.appliedIndex == LogIndex(20))
    #expect(state.snapshot == content.snapshot)
    #expect(state.bytes == content.bytes)
    #expect(try tested.node.store.entries(after: LogIndex(4), through: LogIndex(5)) == nil)

    try tested.node.perform(.append(2, after: entryID(3, 20), term: 4, commit: 21))
    #expect(try tested.state()?.entries.map(\.id) == [entryID(4, 21), entryID(4, 22)])
    #expect(try tested.node.store.entries(after: LogIndex(20), through: LogIndex(22))?.count == 2)
    // Somebody may still be sent the former one.
    #expect(try all(of: self.content(2, 3, 10), in: tested.node.store) == self.content(2, 3, 10).bytes)
  }

  @Test("an empty snapshot is a snapshot", arguments: StoreKind.allCases)
  func empty(_ kind: StoreKind) throws {
    var tested = try founded(kind)
    try tested.node.perform(.receive(last: entryID(3, 20), count: 0, pieces: [0], term: 3))
    #expect(try tested.state()?.snapshot == content(3, 20, 0).snapshot)
    #expect(try tested.state()?.bytes == [])
    try tested.node.perform(
      .append(1, after: entryID(3, 20), term: 3, commit: 21), .save(last: entryID(3, 21), count: 0))
    #expect(try tested.state()?.appliedIndex == LogIndex(21))
  }

  @Test("a snapshot that is not there completely is not installed", arguments: StoreKind.allCases)
  func installingWhatIsMissing(_ kind: StoreKind) throws {
    let another = content(3, 20, 31).snapshot
    for alter in [{ _ in nil }, { _ in another }] as [(Snapshot?) -> Snapshot?] {
      var tested = try founded(kind)
      let state = try tested.state()
      tested.node.alterSnapshot = alter
      #expect(throws: StoreError.self) {
        try tested.node.perform(.receive(last: entryID(3, 20), count: 30, pieces: [30], term: 3))
      }
      #expect(try tested.state() == state)
    }
  }

  @Test("a write that speaks of no snapshot comes with none", arguments: StoreKind.allCases)
  func uncalledFor(_ kind: StoreKind) throws {
    var tested = try founded(kind)
    let state = try tested.state()
    let content = content(3, 20, 30)
    #expect(try receive(content, 0..<30, in: &tested.node.store))
    tested.node.alterSnapshot = { _ in content.snapshot }
    #expect(throws: StoreError.self) { try tested.node.perform(.vote(term: 3, for: 3)) }
    #expect(try tested.state() == state)
  }
}
