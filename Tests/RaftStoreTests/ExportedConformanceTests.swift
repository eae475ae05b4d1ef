import Foundation
import RaftCore
import RaftStore
import RaftStoreConformance
import Testing

@Suite("The suites for stores of one's own")
struct ExportedConformanceTests {
  @Test("find nothing in the stores that are here", arguments: 1...8)
  func sound(seed: UInt64) throws {
    #expect(OrderedStoreConformance(seed: seed).faults(of: MemoryBackend()) == [])
    let device = FaultyDevice()
    #expect(RaftStoreConformance.LogStoreConformance(seed: seed).faults { device.store() } == [])
    let folder = try TestFolder()
    defer { withExtendedLifetime(folder) {} }
    let path = folder.path + "/volume"
    #expect(
      RaftStoreConformance.LogStoreConformance(seed: seed).faults {
        try Volume.open(VolumeOptions(path: path))
      } == [])
  }

  /// Forgets votes when it is opened again.
  private struct Forgetful: LogStore, SnapshotStore {
    var inner: MemoryLogStore

    mutating func recover() throws(StoreError) -> RecoveredState<Bytes>? {
      var state = inner.recover()
      state?.hardState.votedFor = nil
      return state
    }

    var keepsLogBehindSnapshot: Bool { inner.keepsLogBehindSnapshot }
    func identity() -> NodeIdentity? { inner.identity() }
    mutating func setIdentity(_ identity: NodeIdentity) { inner.setIdentity(identity) }
    mutating func found(_ state: RecoveredState<Bytes>) throws(StoreError) { try inner.found(state) }
    mutating func persist(
      _ write: consuming PendingWrite, entries: ArraySlice<Entry<Bytes>>, installing snapshot: Snapshot?
    ) throws(StoreError) -> DurableWrite {
      let proof = try inner.persist(write, entries: entries, installing: snapshot)
      saved.store = inner
      return proof
    }
    mutating func compact(through index: LogIndex) throws(StoreError) {
      try inner.compact(through: index)
      saved.store = inner
    }
    func entries(after: LogIndex, through: LogIndex) -> ArraySlice<Entry<Bytes>>? {
      inner.entries(after: after, through: through)
    }
    func beginSnapshot() -> SnapshotDraft { inner.beginSnapshot() }
    mutating func save(_ snapshot: Snapshot, _ draft: SnapshotDraft) {
      inner.save(snapshot, draft)
      saved.store = inner
    }
    mutating func receive(_ piece: InstallSnapshot, bytes: Bytes) -> Bool {
      inner.receive(piece, bytes: bytes)
    }
    mutating func discardReceived(fingerprint: UInt64) { inner.discardReceived(fingerprint: fingerprint) }
    func read(fingerprint: UInt64, offset: UInt64, count: Int) -> Bytes? {
      inner.read(fingerprint: fingerprint, offset: offset, count: count)
    }
    mutating func retain(fingerprints: [UInt64]) { inner.retain(fingerprints: fingerprints) }

    let saved: Saved
  }

  private final class Saved: @unchecked Sendable {
    var store = MemoryLogStore()
  }

  @Test("find a store that forgets a vote, and one that is in no order")
  func unsound() {
    let saved = Saved()
    let faults = (1...8).flatMap { seed in
      saved.store = MemoryLogStore()
      return RaftStoreConformance.LogStoreConformance(seed: UInt64(seed)).faults {
        Forgetful(inner: saved.store, saved: saved)
      }
    }
    #expect(faults.contains { $0.contains("vote none") }, "\(faults)")
  }
}
