/// What the core knows of a snapshot of the state machine: which entries it stands for, and how many bytes it takes.
/// The bytes themselves belong to the driver.
public struct Snapshot: Hashable, Sendable {
  /// The last entry whose effect the snapshot holds.
  public var last: EntryID
  /// The configuration in force at `last`, and where in the log it stood.
  public var configuration: IndexedConfiguration
  /// How many bytes are to be transferred.
  public var bytes: UInt64
  /// Names these bytes: two snapshots with the same fingerprint are equal byte for byte, so that a transfer begun from
  /// one leader can go on from another. A checksum over them, or a random number if nobody else can have the same.
  public var fingerprint: UInt64

  /// The most bytes that are believed of a snapshot, so that counting on from an offset cannot overflow.
  public static let bytesMax: UInt64 = 1 << 60

  /// Describes a snapshot.
  public init(last: EntryID, configuration: IndexedConfiguration, bytes: UInt64, fingerprint: UInt64) {
    self.last = last
    self.configuration = configuration
    self.bytes = bytes
    self.fingerprint = fingerprint
  }
}

/// One piece of a snapshot, from the leader (thesis §5.3). The driver attaches the bytes `[offset, offset + count)` and the
/// snapshot's configuration.
public struct InstallSnapshot: Hashable, BitwiseCopyable, Sendable {
  /// The last entry whose effect the snapshot holds.
  public var last: EntryID
  /// How many bytes the whole snapshot takes.
  public var bytes: UInt64
  /// Names the snapshot's bytes: see ``Snapshot/fingerprint``.
  public var fingerprint: UInt64
  /// Where the piece begins.
  public var offset: UInt64
  /// How many bytes it holds.
  public var count: UInt32

  /// Names a piece of `snapshot`.
  public init(of snapshot: Snapshot, offset: UInt64, count: UInt32) {
    self.init(
      last: snapshot.last, bytes: snapshot.bytes, fingerprint: snapshot.fingerprint, offset: offset,
      count: count)
  }

  /// Names a piece.
  public init(last: EntryID, bytes: UInt64, fingerprint: UInt64, offset: UInt64, count: UInt32) {
    self.last = last
    self.bytes = bytes
    self.fingerprint = fingerprint
    self.offset = offset
    self.count = count
  }

  /// Where the piece ends.
  public var end: UInt64 { offset + UInt64(count) }
}

/// The answer to an ``InstallSnapshot``.
public enum InstallSnapshotReply: Hashable, BitwiseCopyable, Sendable {
  /// Everything before `offset` of the snapshot with this fingerprint is there; what begins at it is wanted next. A
  /// follower that was restarted wants the beginning again (scenario 67).
  case wants(fingerprint: UInt64, offset: UInt64)
  /// The follower durably holds everything through this index: it needs no snapshot, or none any more.
  case covered(through: LogIndex)
}
