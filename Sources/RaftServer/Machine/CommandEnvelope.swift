import RaftCore

/// What the log holds of one request: the operation, and what all replicas must know about it.
///
/// Layout of version 1, integers little-endian: format (1 byte), operation kind (1), leader's time (8), session (8),
/// sequence (8), lowest unacknowledged sequence (8), then the operation's own bytes to the end.
package struct CommandEnvelope: Sendable {
  /// The only version there is so far.
  static let format: UInt8 = 1
  /// Size of everything before the operation.
  static let headerBytes = 34

  /// What is done.
  package enum Kind: UInt8, Sendable {
    /// A command of the state machine.
    case command = 1
    /// A client session is opened; its id is the entry's log index.
    case openSession = 2
    /// A client session is closed.
    case closeSession = 3
  }

  package var kind: Kind
  /// Milliseconds since 1970 on the leader's clock when it proposed the entry; never less than in the entry before.
  var leaderTime: UInt64
  package var session: SessionStamp
  var operation: Bytes

  func encode(into writer: inout ByteWriter) {
    writer.write(Self.format)
    writer.write(kind.rawValue)
    writer.write(leaderTime)
    session.encode(into: &writer)
    writer.writeRaw(operation)
  }

  func encoded() -> Bytes {
    var writer = ByteWriter(capacity: Self.headerBytes + operation.count)
    encode(into: &writer)
    return writer.bytes
  }

  init(kind: Kind, leaderTime: UInt64, session: SessionStamp, operation: Bytes) {
    self.kind = kind
    self.leaderTime = leaderTime
    self.session = session
    self.operation = operation
  }

  package init(decoding bytes: Bytes) throws(MalformedBytes) {
    var reader = ByteReader(bytes)
    try self.init(headerFrom: &reader)
    operation = try reader.readRaw(reader.remaining)
  }

  /// Reads everything before the operation, which is what is left for `reader` then.
  init(headerFrom reader: inout ByteReader) throws(MalformedBytes) {
    let format = try reader.readUInt8()
    guard format == Self.format else {
      throw MalformedBytes("command format \(format), this version reads \(Self.format)", offset: 0)
    }
    guard let kind = Kind(rawValue: try reader.readUInt8()) else {
      throw MalformedBytes("an operation kind is 1, 2 or 3", offset: 1)
    }
    self.kind = kind
    leaderTime = try reader.readUInt64()
    session = try SessionStamp(from: &reader)
    operation = []
  }
}

/// Which request of which client session a command is (thesis §6.3): by it, a retry is told from a new command.
public struct SessionStamp: ByteCodable, Hashable {
  /// The session, as the cluster named it; 0 for a command outside of any session.
  public var session: UInt64
  /// Counts the commands of the session from 1.
  public var sequence: UInt64
  /// The client has the answers to everything below, so they need not be remembered.
  public var lowestUnacknowledged: UInt64

  /// Outside of any session: a retry may run twice.
  public static let none = SessionStamp(session: 0, sequence: 0, lowestUnacknowledged: 0)

  /// Names one command of a session.
  public init(session: UInt64, sequence: UInt64, lowestUnacknowledged: UInt64) {
    self.session = session
    self.sequence = sequence
    self.lowestUnacknowledged = lowestUnacknowledged
  }

  /// Appends the value.
  public func encode(into writer: inout ByteWriter) {
    writer.write(session)
    writer.write(sequence)
    writer.write(lowestUnacknowledged)
  }

  /// Reads the value back.
  public init(from reader: inout ByteReader) throws(MalformedBytes) {
    session = try reader.readUInt64()
    sequence = try reader.readUInt64()
    lowestUnacknowledged = try reader.readUInt64()
  }
}
