import RaftCore
import Testing

/// A follower whose leader is a test, and whose driver reports when the test says so.
private struct SlowNode {
  let configuration: IndexedConfiguration
  var node: RaftNode<String>
  var outputs = Outputs()
  private let leader = NodeID(1)
  private let term = Term(5)

  /// Starts with ten entries behind the founding one, all of them committed and applied.
  init() throws {
    let members = (1...3 as ClosedRange<UInt64>).map {
      Member(id: NodeID($0), address: "n\($0)", store: .durable)
    }
    let founding = try Configuration(voters: members)
    configuration = IndexedConfiguration(index: LogIndex(1), configuration: founding)
    node = try RaftNode(id: NodeID(3), recovered: .founding(founding), seed: 1)
    append(10, after: EntryID(term: Term(1), index: LogIndex(1)))
    apply()
  }

  mutating func append(_ count: UInt64, after previous: EntryID) {
    let entries = (1...count).map { offset in
      Entry(
        id: EntryID(term: term, index: previous.index.advanced(by: Int(offset))),
        content: EntryContent<String>.payload("\(offset)"), bytes: 1)
    }
    let request = AppendEntries(
      previous: previous, entriesTerm: term, count: UInt32(count),
      commitIndex: previous.index.advanced(by: Int(count)))
    node.step(
      Message(from: leader, to: node.id, term: term, body: .appendEntries(request)), entries: entries,
      into: &outputs)
    persist()
  }

  mutating func persist() {
    while let write = node.takeWrite() { node.didPersist(write.assumeDurable(), into: &outputs) }
  }

  mutating func apply() {
    while let range = node.takeCommitted(bytesMax: 1000) { node.didApply(through: range.through) }
  }

  /// A snapshot of twenty bytes.
  func snapshot(_ index: UInt64, fingerprint: UInt64) -> Snapshot {
    Snapshot(
      last: EntryID(term: term, index: LogIndex(index)), configuration: configuration, bytes: 20,
      fingerprint: fingerprint)
  }

  /// The leader sends ten bytes of a snapshot. Returns the pieces to be stored.
  mutating func receive(_ snapshot: Snapshot, from offset: UInt64) -> [InstallSnapshot] {
    outputs.removeAll()
    let piece = InstallSnapshot(of: snapshot, offset: offset, count: 10)
    node.step(
      Message(from: leader, to: node.id, term: term, body: .installSnapshot(piece)),
      configuration: snapshot.configuration, into: &outputs)
    return outputs.chunks
  }

  mutating func stored(_ snapshot: Snapshot, through offset: UInt64) {
    node.didStoreChunk(fingerprint: snapshot.fingerprint, through: offset, into: &outputs)
  }
}

@Suite("Reports that come late, or twice, change nothing")
struct LateReportTests {
  @Test("of a piece: it is stored once, and one of a transfer that is over counts for nothing")
  func pieces() throws {
    var slow = try SlowNode()
    let (old, new) = (slow.snapshot(100, fingerprint: 7), slow.snapshot(200, fingerprint: 8))
    #expect(slow.receive(old, from: 0).count == 1)
    #expect(slow.receive(old, from: 0).isEmpty, "it is being stored")
    slow.stored(old, through: 10)
    slow.stored(old, through: 10)
    #expect(slow.node.status.receivedSnapshotBytes == 10)
    #expect(slow.receive(old, from: 10).count == 1)
    // Before that piece is stored, a newer snapshot takes the place of the old one.
    #expect(slow.receive(new, from: 0).map(\.fingerprint) == [8])
    #expect(slow.outputs.discardedSnapshots == [old])
    slow.stored(old, through: 20)
    slow.node.didFailToStore(fingerprint: 7, into: &slow.outputs)
    #expect(slow.node.status.receivedSnapshotBytes == 0)
    #expect(!slow.node.hasUnsavedChanges, "nothing is installed")
    slow.stored(new, through: 10)
    #expect(slow.receive(new, from: 10).count == 1)
    slow.stored(new, through: 20)
    slow.persist()
    #expect(slow.node.appliedIndex == LogIndex(200))
    slow.stored(new, through: 20)
    slow.node.didFailToStore(fingerprint: 8, into: &slow.outputs)
    #expect(slow.node.appliedIndex == LogIndex(200))
    #expect(!slow.node.hasUnsavedChanges)
  }

  @Test(
    "of the last piece: what the log has reached meanwhile is not installed, and the transfer is given up")
  func lastPiece() throws {
    var slow = try SlowNode()
    let snapshot = slow.snapshot(50, fingerprint: 7)
    #expect(slow.receive(snapshot, from: 0).count == 1)
    slow.stored(snapshot, through: 10)
    #expect(slow.receive(snapshot, from: 10).count == 1)
    slow.append(90, after: slow.node.lastEntry)
    slow.apply()
    slow.outputs.removeAll()
    slow.stored(snapshot, through: 20)
    #expect(slow.outputs.discardedSnapshots == [snapshot], "that is said when the piece is reported")
    #expect(slow.node.baseIndex == .zero)
    #expect(slow.node.appliedIndex == LogIndex(101))
  }

  @Test(
    "of a snapshot: one that is older than the newest, or than what was installed meanwhile, is not taken up")
  func snapshots() throws {
    var slow = try SlowNode()
    slow.node.didTakeSnapshot(slow.snapshot(9, fingerprint: 9), into: &slow.outputs)
    slow.node.didTakeSnapshot(slow.snapshot(5, fingerprint: 5), into: &slow.outputs)
    #expect(slow.node.status.snapshot?.fingerprint == 9)
    let sent = slow.snapshot(100, fingerprint: 7)
    for offset in [0, 10] as [UInt64] {
      #expect(slow.receive(sent, from: offset).count == 1)
      slow.stored(sent, through: offset + 10)
    }
    // The log begins at the end of what is being installed; the state machine does not yet.
    slow.node.didTakeSnapshot(slow.snapshot(10, fingerprint: 10), into: &slow.outputs)
    slow.persist()
    slow.node.didTakeSnapshot(sent, into: &slow.outputs)
    slow.node.didTakeSnapshot(slow.snapshot(11, fingerprint: 11), into: &slow.outputs)
    #expect(slow.node.status.snapshot == sent)
    #expect(slow.node.compact(through: LogIndex(11)) == LogIndex(100))
  }

  @Test("of a snapshot whose end is compacted away already: it can be sent to nobody, and harms nobody")
  func snapshotBehindTheLog() throws {
    var slow = try SlowNode()
    slow.node.compact(through: LogIndex(10))
    slow.node.didTakeSnapshot(slow.snapshot(9, fingerprint: 9), into: &slow.outputs)
    slow.node.didTakeSnapshot(slow.snapshot(11, fingerprint: 11), into: &slow.outputs)
    #expect(slow.node.status.snapshot?.fingerprint == 11)
  }
}
