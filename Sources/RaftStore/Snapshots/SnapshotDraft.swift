import RaftCore

/// A snapshot that is being written. It may be written on another thread than the one that uses its store.
///
/// `@unchecked Sendable` because one thread at a time uses it: the one that writes, and then the one that saves.
public final class SnapshotDraft: @unchecked Sendable {
  /// Which of the store's snapshots it will be.
  let generation: UInt64
  private let put: (UInt64, Bytes) throws(StoreError) -> Void
  private var running = SnapshotFingerprint()
  /// How many bytes have been written.
  public private(set) var bytes: UInt64 = 0

  /// Says whether the writing is to end with an error, because the node stops; asked before every piece.
  public var isBroken: @Sendable () -> Bool = { false }
  /// What has been written, if that stays in memory.
  let content: DraftContent?

  init(
    generation: UInt64, content: DraftContent? = nil,
    put: @escaping (UInt64, Bytes) throws(StoreError) -> Void
  ) {
    self.generation = generation
    self.content = content
    self.put = put
  }

  /// Names what has been written.
  public var fingerprint: UInt64 { running.value }

  /// Appends what follows.
  ///
  /// - Throws: ``StoreError``. The node must stop then.
  public func add(_ piece: Bytes) throws(StoreError) {
    guard !piece.isEmpty else { return }
    guard !isBroken() else { throw .failed("the node stops") }
    try put(bytes, piece)
    running.add(piece)
    bytes += UInt64(piece.count)
  }
}

/// The bytes of a snapshot that is written in memory.
final class DraftContent {
  var bytes: Bytes = []
}
