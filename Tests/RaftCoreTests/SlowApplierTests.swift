import RaftCore
import Testing

@Suite("An applier that takes its time")
struct SlowApplierTests {
  @Test("a snapshot may overtake entries that are being applied")
  func snapshotOvertakes() throws {
    let members = (1...3 as ClosedRange<UInt64>).map {
      Member(id: NodeID($0), address: "n\($0)", store: .durable)
    }
    let configuration = try Configuration(voters: members)
    let leader = NodeID(1)
    var node = try RaftNode<String>(id: NodeID(3), recovered: .founding(configuration), seed: 1)
    var outputs = Outputs()
    func settle() {
      while let write = node.takeWrite() { node.didPersist(write.assumeDurable(), into: &outputs) }
    }
    // The founding entry is taken, and not applied yet.
    #expect(node.takeCommitted(bytesMax: 1)?.through == LogIndex(1))
    let snapshot = Snapshot(
      last: EntryID(term: Term(2), index: LogIndex(9)),
      configuration: IndexedConfiguration(index: LogIndex(1), configuration: configuration), bytes: 5,
      fingerprint: 7)
    let piece = InstallSnapshot(of: snapshot, offset: 0, count: 5)
    node.step(
      Message(from: leader, to: NodeID(3), term: Term(2), body: .installSnapshot(piece)),
      configuration: snapshot.configuration, into: &outputs)
    node.didStoreChunk(fingerprint: 7, through: 5, into: &outputs)
    #expect(node.takeCommitted(bytesMax: 1) == nil, "nothing is durable before the snapshot is")
    node.didApply(through: LogIndex(1))
    #expect(node.appliedIndex == LogIndex(1))
    settle()
    #expect(node.appliedIndex == LogIndex(9))
    // What was reported too late changes nothing.
    node.didApply(through: LogIndex(1))
    #expect(node.appliedIndex == LogIndex(9))
    #expect(node.takeCommitted(bytesMax: 1) == nil)
    #expect(node.configuration(at: LogIndex(9)) == snapshot.configuration)
  }
}
