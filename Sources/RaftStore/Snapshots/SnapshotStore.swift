import RaftChecksum
import RaftCore

/// Where a node keeps snapshots of its state machine: those it takes itself, and the one it receives.
///
/// The newest one that was saved or installed is the node's own: after a crash the state machine starts from it. Others are
/// kept only while they are being sent to somebody.
public protocol SnapshotStore {
  /// Whether the log may be forgotten only as far as a saved snapshot reaches: a store whose node can be restarted builds
  /// the state machine anew from the snapshot and the log behind it.
  var keepsLogBehindSnapshot: Bool { get }

  /// Begins a snapshot of this node's state machine.
  mutating func beginSnapshot() -> SnapshotDraft

  /// Lets a snapshot count that was written completely. If it is what the node starts from after a crash, it is durable
  /// when this returns; if the node keeps its state otherwise (``openState()``), it is kept to be sent to others.
  ///
  /// - Parameters:
  ///   - snapshot: What was written; fingerprint and bytes are those of the draft.
  ///   - draft: Where it was written.
  /// - Throws: ``StoreError``. The node must stop then.
  mutating func save(_ snapshot: Snapshot, _ draft: SnapshotDraft) throws(StoreError)

  /// Keeps a snapshot that is the files of a state, to be sent to others.
  ///
  /// - Throws: ``StoreError``. The node must stop then.
  mutating func keep(_ snapshot: Snapshot, _ files: SnapshotFolder) throws(StoreError)

  /// The state of the state machine as it was found, to be asked for once, after ``LogStore/recover()``; nil if this store
  /// keeps snapshots alone.
  ///
  /// - Throws: ``StoreError``.
  mutating func openState() throws(StoreError) -> MachineState?

  /// An empty state, which takes the place of the other one when the next snapshot is installed; nil if this store keeps
  /// snapshots alone.
  ///
  /// - Throws: ``StoreError``. The node must stop then.
  mutating func newState() throws(StoreError) -> MachineState?

  /// A state that holds what was received of a snapshot, all of it, and takes the place of the other one when that is
  /// installed; nil if what was received is a stream of values, to be put into a ``newState()``.
  ///
  /// - Throws: ``StoreError``. The node must stop then.
  mutating func receivedState(_ snapshot: Snapshot) throws(StoreError) -> MachineState?

  /// Stores a piece of a snapshot that another node sends. It need not be durable yet. A piece at offset 0 begins anew.
  ///
  /// - Returns: False if the piece was the last one and the whole is not what its fingerprint says, or if the piece does
  ///   not continue what is there: what was received is thrown away then.
  /// - Throws: ``StoreError``. The node must stop then.
  mutating func receive(_ piece: InstallSnapshot, bytes: Bytes) throws(StoreError) -> Bool

  /// Throws away what was received of a snapshot; without effect if nothing was.
  mutating func discardReceived(fingerprint: UInt64) throws(StoreError)

  /// The bytes `[offset, offset + count)` of a snapshot, saved or received; nil if there is no such snapshot, or it is
  /// shorter.
  ///
  /// - Throws: ``StoreError/corrupt(_:)`` if they are damaged.
  func read(fingerprint: UInt64, offset: UInt64, count: Int) throws(StoreError) -> Bytes?

  /// Forgets every snapshot but the node's own and those with one of these fingerprints; those that are held stay.
  mutating func retain(fingerprints: [UInt64]) throws(StoreError)

  /// Forgets a snapshot that nobody is to be sent any more, unless the node starts from it after a crash.
  ///
  /// - Throws: ``StoreError``. The node must stop then.
  mutating func withdraw(fingerprint: UInt64) throws(StoreError)

  /// Holds a snapshot that was written completely, until it is released: to be read, and for nothing else. It need not be
  /// durable.
  ///
  /// - Throws: ``StoreError``. The node must stop then.
  mutating func hold(_ snapshot: Snapshot, _ draft: SnapshotDraft) throws(StoreError)

  /// Forgets one held snapshot of this fingerprint.
  ///
  /// - Throws: ``StoreError``. The node must stop then.
  mutating func release(fingerprint: UInt64) throws(StoreError)
}

extension SnapshotStore {
  /// Saves a snapshot that is in memory.
  ///
  /// - Throws: ``StoreError``. The node must stop then.
  public mutating func save(_ snapshot: Snapshot, bytes: Bytes) throws(StoreError) {
    let draft = beginSnapshot()
    try draft.add(bytes)
    try save(snapshot, draft)
  }

  /// Saves it, so that it counts as one of the node's own.
  public mutating func hold(_ snapshot: Snapshot, _ draft: SnapshotDraft) throws(StoreError) {
    try save(snapshot, draft)
  }

  /// Does nothing: what was saved goes when it is not retained.
  public mutating func release(fingerprint: UInt64) throws(StoreError) {}

  /// Refuses: the store has no files.
  public mutating func keep(_ snapshot: Snapshot, _ files: SnapshotFolder) throws(StoreError) {
    throw .failed("this store keeps no files")
  }

  /// Nil: the store receives streams of values alone.
  public mutating func receivedState(_ snapshot: Snapshot) throws(StoreError) -> MachineState? { nil }

  /// Does nothing: the snapshot goes when it is not retained.
  public mutating func withdraw(fingerprint: UInt64) throws(StoreError) {}

  /// Nil: the store keeps snapshots alone.
  public mutating func openState() throws(StoreError) -> MachineState? { nil }

  /// Nil: the store keeps snapshots alone.
  public mutating func newState() throws(StoreError) -> MachineState? { nil }
}

/// Names the bytes of a snapshot: their number and their checksum. Machines that write equal states as equal bytes get
/// equal fingerprints, so that a transfer which one leader began can be continued by the next.
public struct SnapshotFingerprint: Hashable, Sendable {
  private var count: UInt64 = 0
  private var checksum: UInt32 = 0

  /// The fingerprint of nothing.
  public init() {}

  /// The fingerprint of `bytes`.
  public init(of bytes: Bytes) { add(bytes) }

  /// Adds what follows.
  public mutating func add(_ bytes: Bytes) {
    checksum = FastChecksum.crc32c(bytes, in: 0..<bytes.count, seed: checksum)
    count += UInt64(bytes.count)
  }

  /// The fingerprint as the protocol carries it.
  public var value: UInt64 { (count & 0xFFFF_FFFF) << 32 | UInt64(checksum) }
}

/// How much of a snapshot has been received.
struct SnapshotReception: Sendable {
  let fingerprint: UInt64
  let bytes: UInt64
  private(set) var received: UInt64 = 0
  private var running = SnapshotFingerprint()

  init(_ piece: InstallSnapshot) {
    fingerprint = piece.fingerprint
    bytes = piece.bytes
  }

  /// Whether `piece` is what comes next.
  func continues(with piece: InstallSnapshot, _ content: Bytes) -> Bool {
    piece.fingerprint == fingerprint && piece.bytes == bytes && piece.offset == received
      && content.count == Int(piece.count) && piece.end <= bytes
  }

  mutating func add(_ content: Bytes) {
    received += UInt64(content.count)
    running.add(content)
  }

  /// Whether the last byte is there.
  var isComplete: Bool { received == bytes }
  /// Whether what was received is what was announced.
  var isSound: Bool { running.value == fingerprint }
}
