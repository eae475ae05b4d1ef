import RaftCore
import RaftStore

extension Applier {
  /// Puts what a snapshot file holds into an empty state, piece by piece.
  ///
  /// - Throws: `StoreError` if it cannot be read by this version, or is damaged.
  package static func restore(
    _ file: SnapshotFileReader, into state: MachineState, blank: Applier
  ) throws(StoreError) {
    var applier = blank
    try applier.keep(in: state)
    let head = file.head
    var pending: Bytes = []
    let source = SnapshotSource(bytes: head.bytes) { _, count throws(StoreError) in
      // Nothing depends on the pieces before the record of how far the state has come, which is written last.
      state.spill()
      do throws(VolumeRefusal) {
        while pending.count < count, let next = try file.next() { pending += next }
      } catch {
        throw .corrupt("\(error)")
      }
      guard pending.count >= count else { return nil }
      defer { pending.removeFirst(count) }
      return Bytes(pending[..<count])
    }
    var reader = SnapshotReader(source)
    do throws(MalformedBytes) {
      try applier.restore(from: &reader, last: head.last)
    } catch {
      throw source.failure ?? .corrupt("the snapshot cannot be read: \(error)")
    }
    applier.commit()
    if let failure = applier.failure { throw failure }
    // The checksum at the end counts as well.
    do throws(VolumeRefusal) { _ = try file.next() } catch { throw .corrupt("\(error)") }
  }
}
