import Foundation
import RaftCore
import RaftStore
import Testing

/// The kinds of store there are; each must do what the two suites of conformance say.
enum StoreKind: String, CaseIterable, Sendable, CustomTestStringConvertible {
  case memory
  case durable
  case rocksDB

  var testDescription: String { rawValue }
}

/// A store with the replica that writes to it.
struct StoreUnderTest {
  var node: WritingNode
  private var device: FaultyDevice?
  private var folder: TestFolder?

  /// An empty store.
  init(_ kind: StoreKind) throws {
    switch kind {
    case .memory:
      node = try WritingNode(MemoryLogStore())
    case .durable:
      let device = FaultyDevice()
      self.device = device
      node = try WritingNode(device.store())
    case .rocksDB:
      let folder = try TestFolder()
      self.folder = folder
      node = try WritingNode(Volume.open(VolumeOptions(path: folder.path + "/volume")))
    }
  }

  /// A store to which this was done.
  init(_ kind: StoreKind, _ steps: Step...) throws {
    try self.init(kind)
    for step in steps { try node.perform(step) }
  }

  /// The store as it is after a restart; nil if it does not lie on a device.
  func restarted() -> (any LogStore & SnapshotStore)? { device?.restarted().store() }

  /// What would be found if the node were started anew.
  func state() throws -> StoredState? {
    if let folder {
      // What is in the files at this instant, while another process has them open, is what a crash would leave.
      return try withExtendedLifetime(folder) {
        let copy = folder.path + "/copy-\(UUID().uuidString)"
        try FileManager.default.copyItem(atPath: folder.path + "/volume", toPath: copy)
        var store: any LogStore & SnapshotStore = try Volume.open(VolumeOptions(path: copy))
        return try StoredState(&store)
      }
    }
    var store = device?.restarted().store() ?? node.store
    return try StoredState(&store)
  }
}

/// A folder that is gone when nobody refers to it any more.
final class TestFolder {
  let path: String

  init() throws {
    let url = FileManager.default.temporaryDirectory.appending(path: "raftstore-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    path = url.path
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}

@Suite("What every log store does with the log")
struct LogStoreConformance {
  @Test("an empty store holds nothing", arguments: StoreKind.allCases)
  func emptyStoreHoldsNothing(_ kind: StoreKind) throws {
    #expect(try StoreUnderTest(kind).state() == nil)
  }

  @Test("a log is founded once", arguments: StoreKind.allCases)
  func foundingHappensOnce(_ kind: StoreKind) throws {
    var tested = try StoreUnderTest(kind, .found)
    let state = try #require(try tested.state())
    #expect(state.entries.map(\.id) == [entryID(1, 1)])
    #expect(state.entries.first?.content == .configuration(WritingNode.configuration))
    #expect(state.hardState == HardState(term: Term(1), votedFor: nil))
    #expect(state.commitIndex == LogIndex(1))
    #expect(throws: StoreError.notEmpty) { try tested.node.perform(.found) }
    #expect(try tested.state() == state)
  }

  @Test("what was written is recovered", arguments: StoreKind.allCases)
  func writesAreRecovered(_ kind: StoreKind) throws {
    var tested = try StoreUnderTest(
      kind, .found, .append(5, after: entryID(1, 1), term: 2, commit: 3))
    var state = try #require(try tested.state())
    #expect(state.hardState == HardState(term: Term(2), votedFor: nil))
    #expect(state.entries.map(\.id) == [entryID(1, 1)] + (2...6).map { entryID(2, $0) })
    #expect(state.entries.last?.content == .payload([2, 5, 0xAB]))
    #expect(state.entries.last?.bytes == 3)
    #expect(state.commitIndex == LogIndex(3))
    #expect(state.appliedIndex == .zero)
    #expect(state.base == .zero && state.baseConfiguration == nil && state.snapshot == nil)

    try tested.node.perform(.vote(term: 3, for: 3))
    state.hardState = HardState(term: Term(3), votedFor: NodeID(3))
    #expect(try tested.state() == state, "a vote changes nothing else")
  }

  @Test("entries of a newer leader replace what they contradict", arguments: StoreKind.allCases)
  func overwritingCutsTheLog(_ kind: StoreKind) throws {
    let tested = try StoreUnderTest(
      kind, .found, .append(5, after: entryID(1, 1), term: 2), .append(1, after: entryID(2, 3), term: 3))
    let state = try #require(try tested.state())
    #expect(state.entries.map(\.id) == [entryID(1, 1), entryID(2, 2), entryID(2, 3), entryID(3, 4)])
    #expect(state.entries.last?.content == .payload([3, 1, 0xAB]))
  }

  @Test("any part of the log can be read, and nothing beyond it", arguments: StoreKind.allCases)
  func entriesAreRead(_ kind: StoreKind) throws {
    let store = try StoreUnderTest(kind, .found, .append(5, after: entryID(1, 1), term: 2)).node.store
    for after in 0...6 as ClosedRange<UInt64> {
      for through in after...6 {
        let entries = try store.entries(after: LogIndex(after), through: LogIndex(through))
        #expect(entries?.map(\.id.index.rawValue) == Array((after..<through).map { $0 + 1 }))
      }
    }
    #expect(try store.entries(after: LogIndex(5), through: LogIndex(7)) == nil)
    #expect(try store.entries(after: LogIndex(7), through: LogIndex(7)) == nil)
  }

  @Test(
    "compaction forgets the beginning and keeps the configuration in force there",
    arguments: StoreKind.allCases)
  func compaction(_ kind: StoreKind) throws {
    var tested = try StoreUnderTest(
      kind, .found, .append(3, after: entryID(1, 1), term: 2, commit: 4),
      .configure(after: entryID(2, 4), term: 2), .append(3, after: entryID(2, 5), term: 2, commit: 8),
      .save(last: entryID(2, 6), count: 10), .compact(through: 4))
    var state = try #require(try tested.state())
    #expect(state.base == entryID(2, 4))
    #expect(
      state.baseConfiguration
        == IndexedConfiguration(index: LogIndex(1), configuration: WritingNode.configuration))
    #expect(state.entries.map(\.id) == (5...8).map { entryID(2, $0) })
    #expect(state.appliedIndex == LogIndex(6))
    #expect(try tested.node.store.entries(after: LogIndex(3), through: LogIndex(5)) == nil)
    #expect(try tested.node.store.entries(after: LogIndex(4), through: LogIndex(8))?.count == 4)

    try tested.node.perform(.compact(through: 6), .compact(through: 2))
    state = try #require(try tested.state())
    #expect(state.base == entryID(2, 6))
    #expect(
      state.baseConfiguration
        == IndexedConfiguration(index: LogIndex(5), configuration: WritingNode.laterConfiguration))
    try tested.node.perform(.append(2, after: entryID(2, 8), term: 3))
    #expect(try tested.state()?.entries.map(\.id.index.rawValue) == [7, 8, 9, 10])
  }

  @Test("compaction keeps no configuration that was overwritten", arguments: StoreKind.allCases)
  func compactionAfterOverwriting(_ kind: StoreKind) throws {
    let tested = try StoreUnderTest(
      kind, .found, .append(2, after: entryID(1, 1), term: 2), .configure(after: entryID(2, 3), term: 2),
      .append(2, after: entryID(2, 3), term: 3, commit: 5), .save(last: entryID(3, 5), count: 10),
      .compact(through: 5))
    let state = try #require(try tested.state())
    #expect(state.base == entryID(3, 5))
    #expect(
      state.baseConfiguration
        == IndexedConfiguration(index: LogIndex(1), configuration: WritingNode.configuration))
  }

  @Test("compaction keeps a configuration that a restart has found in the log")
  func compactionAfterRestart() throws {
    let tested = try StoreUnderTest(
      .durable, .found, .append(2, after: entryID(1, 1), term: 2), .configure(after: entryID(2, 3), term: 2),
      .append(2, after: entryID(2, 4), term: 2, commit: 6), .save(last: entryID(2, 5), count: 10))
    var restarted = try #require(tested.restarted())
    _ = try restarted.recover()
    try restarted.compact(through: LogIndex(5))
    #expect(
      try restarted.recover()?.baseConfiguration
        == IndexedConfiguration(index: LogIndex(4), configuration: WritingNode.laterConfiguration))
  }

  @Test("what is not there cannot be forgotten", arguments: StoreKind.allCases)
  func compactionBeyondTheEnd(_ kind: StoreKind) throws {
    var tested = try StoreUnderTest(
      kind, .found, .append(3, after: entryID(1, 1), term: 2, commit: 4),
      .save(last: entryID(2, 4), count: 10))
    let state = try tested.state()
    #expect(throws: StoreError.gap(last: LogIndex(4), first: LogIndex(5))) {
      try tested.node.perform(.compact(through: 5))
    }
    #expect(try tested.state() == state)
  }

  @Test("a store that is restarted forgets no more of the log than a snapshot covers")
  func compactionBeyondTheSnapshot() throws {
    var tested = try StoreUnderTest(
      .durable, .found, .append(3, after: entryID(1, 1), term: 2, commit: 4),
      .save(last: entryID(2, 3), count: 10))
    #expect(tested.node.store.keepsLogBehindSnapshot)
    let state = try tested.state()
    #expect(throws: StoreError.self) { try tested.node.perform(.compact(through: 4)) }
    #expect(try tested.state() == state)
    try tested.node.perform(.compact(through: 3))
  }

  // MARK: - Refusals

  @Test("a write that does not fit the log is refused, and changes nothing", arguments: StoreKind.allCases)
  func misfits(_ kind: StoreKind) throws {
    let writer = try StoreUnderTest(kind, .found, .append(5, after: entryID(1, 1), term: 2)).node
    var behind = try StoreUnderTest(kind, .found, .append(1, after: entryID(1, 1), term: 2))
    try expect(.gap(last: LogIndex(2), first: LogIndex(7)), in: &behind, from: writer) {
      try $0.perform(.append(1, after: entryID(2, 6), term: 2))
    }
    var ahead = try StoreUnderTest(
      kind, .found, .append(5, after: entryID(1, 1), term: 2, commit: 6),
      .save(last: entryID(2, 4), count: 10), .compact(through: 4))
    try expect(.compacted(base: LogIndex(4), after: LogIndex(3)), in: &ahead, from: writer) {
      try $0.perform(.append(1, after: entryID(2, 3), term: 3))
    }
    var same = try StoreUnderTest(kind, .found, .append(5, after: entryID(1, 1), term: 2))
    let incomplete = StoreError.incomplete(after: LogIndex(6), through: LogIndex(9), entries: 2)
    for part in [{ $0.dropFirst() }, { $0.dropLast() }]
      as [(ArraySlice<Entry<Bytes>>) -> ArraySlice<Entry<Bytes>>]
    {
      try expect(incomplete, in: &same, from: writer) {
        $0.alterEntries = part
        try $0.perform(.append(3, after: entryID(2, 6), term: 2))
      }
    }
    try same.node.perform(.append(1, after: entryID(2, 6), term: 2))
    #expect(try same.state()?.entries.last?.id == entryID(2, 7), "a refusal is no failure of the store")
  }

  /// Expects a store to refuse what a node does to it whose own store it is not.
  private func expect(
    _ refusal: StoreError, in tested: inout StoreUnderTest, from writer: WritingNode,
    _ body: (inout WritingNode) throws -> Void
  ) throws {
    let state = try tested.state()
    var writer = writer
    writer.store = tested.node.store
    #expect(throws: refusal) { try body(&writer) }
    tested.node.store = writer.store
    #expect(try tested.state() == state)
  }
}
