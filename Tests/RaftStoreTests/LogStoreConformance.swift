import RaftCore
import RaftStore
import Testing

/// A replica whose writes fill a store, as a driver's would.
struct WritingNode<Store: LogStore> {
  var node: RaftNode<Bytes>
  var store: Store
  private var outputs = Outputs()
  private let id: NodeID

  init(_ store: Store) throws {
    id = NodeID(1)
    self.store = store
    let others = [NodeID(2), NodeID(3)]
    let members = ([id] + others).map { Member(id: $0, address: "127.0.0.1:1", store: .memory) }
    let state = RecoveredState<Bytes>.founding(try Configuration(voters: members))
    try self.store.found(state)
    node = try RaftNode(id: id, recovered: state, seed: 1)
  }

  /// Takes entries from a leader and persists what they change.
  mutating func append(_ count: Int, after previous: EntryID, term: UInt64, commit: UInt64 = 1) throws {
    let entries = (1...count).map { offset in
      Entry<Bytes>(
        id: EntryID(term: Term(term), index: previous.index.advanced(by: offset)),
        content: .payload([UInt8(term), UInt8(offset)]), bytes: 2)
    }
    let request = AppendEntries(
      previous: previous, entriesTerm: Term(term), count: UInt32(count), commitIndex: LogIndex(commit))
    let leader = NodeID(term % 2 == 0 ? 2 : 3)
    node.step(
      Message(from: leader, to: id, term: Term(term), body: .appendEntries(request)), entries: entries,
      into: &outputs)
    try persist()
  }

  mutating func persist() throws {
    while let write = node.takeWrite() {
      let entries = node.entries(after: write.after, through: write.through) ?? []
      node.didPersist(try store.persist(write, entries: entries), into: &outputs)
    }
  }
}

/// What every log store must do.
struct LogStoreConformance<Store: LogStore> {
  let make: () -> Store

  private func id(_ term: UInt64, _ index: UInt64) -> EntryID {
    EntryID(term: Term(term), index: LogIndex(index))
  }

  func emptyStoreHoldsNothing() throws {
    var store = make()
    #expect(try store.recover() == nil)
  }

  func foundingHappensOnce() throws {
    var writing = try WritingNode(make())
    let recovered = try #require(try writing.store.recover())
    #expect(recovered.entries.count == 1)
    #expect(throws: StoreError.notEmpty) { try writing.store.found(recovered) }
  }

  func writesAreRecovered() throws {
    var writing = try WritingNode(make())
    try writing.append(5, after: id(1, 1), term: 2)
    let recovered = try #require(try writing.store.recover())
    #expect(recovered.hardState.term == Term(2))
    #expect(recovered.entries.map(\.id) == [id(1, 1)] + (2...6).map { id(2, $0) })
    _ = try RaftNode(id: NodeID(1), recovered: recovered, seed: 1)
  }

  func overwritingCutsTheLog() throws {
    var writing = try WritingNode(make())
    try writing.append(5, after: id(1, 1), term: 2)
    try writing.append(1, after: id(2, 3), term: 3)
    let recovered = try #require(try writing.store.recover())
    #expect(recovered.entries.map(\.id) == [id(1, 1), id(2, 2), id(2, 3), id(3, 4)])
  }

  func compactionForgetsTheBeginning() throws {
    var writing = try WritingNode(make())
    try writing.append(5, after: id(1, 1), term: 2, commit: 6)
    try writing.store.compact(through: LogIndex(4))
    let recovered = try #require(try writing.store.recover())
    #expect(recovered.base == id(2, 4))
    #expect(recovered.baseConfiguration?.index == LogIndex(1))
    #expect(recovered.entries.map(\.id) == [id(2, 5), id(2, 6)])
    #expect(try writing.store.entries(after: LogIndex(3), through: LogIndex(5)) == nil)
    #expect(try writing.store.entries(after: LogIndex(4), through: LogIndex(6))?.count == 2)
    try writing.append(2, after: id(2, 6), term: 2)
    #expect(try writing.store.recover()?.entries.last?.id == id(2, 8))
  }
}

@Suite("Log stores: the memory store")
struct MemoryLogStoreTests {
  private let conformance = LogStoreConformance { MemoryLogStore() }

  @Test("an empty store holds nothing")
  func emptyStoreHoldsNothing() throws { try conformance.emptyStoreHoldsNothing() }

  @Test("a log is founded once")
  func foundingHappensOnce() throws { try conformance.foundingHappensOnce() }

  @Test("what was written is recovered")
  func writesAreRecovered() throws { try conformance.writesAreRecovered() }

  @Test("entries of a newer leader replace what they contradict")
  func overwritingCutsTheLog() throws { try conformance.overwritingCutsTheLog() }

  @Test("compaction forgets the beginning and keeps the configuration in force there")
  func compactionForgetsTheBeginning() throws { try conformance.compactionForgetsTheBeginning() }
}
