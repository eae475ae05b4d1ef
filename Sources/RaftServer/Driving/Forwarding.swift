import RaftCore
import RaftTransport

extension FrameKind {
  /// A follower hands a client's write to the leader.
  package static let forward = FrameKind(rawValue: 16)
  /// The leader's answer to it.
  package static let forwardReply = FrameKind(rawValue: 17)
  /// A member tells a founder of its cluster what was founded.
  static let founded = FrameKind(rawValue: 18)
}

/// A client's write on its one hop from a follower to the leader. Together with the boot number in the frame, `number`
/// names it for ever.
///
/// It is taken only by the leader of exactly `term`. Counter-example that this prevents: a follower forwards write 1 to
/// L, which loses its leadership unheard; write 2 of the same client goes to the next leader and commits; L is elected
/// again, reads write 1 from its socket, and appends it *after* write 2.
struct Forward: ByteCodable {
  var number: UInt64
  var term: Term
  var kind: CommandEnvelope.Kind
  var session: SessionStamp
  var operation: Bytes

  init(number: UInt64, term: Term, kind: CommandEnvelope.Kind, session: SessionStamp, operation: Bytes) {
    self.number = number
    self.term = term
    self.kind = kind
    self.session = session
    self.operation = operation
  }

  func encode(into writer: inout ByteWriter) {
    writer.write(number)
    writer.write(term.rawValue)
    writer.write(kind.rawValue)
    session.encode(into: &writer)
    writer.write(operation)
  }

  init(from reader: inout ByteReader) throws(MalformedBytes) {
    number = try reader.readUInt64()
    term = Term(try reader.readUInt64())
    guard let kind = CommandEnvelope.Kind(rawValue: try reader.readUInt8()) else {
      throw MalformedBytes("an operation kind is 1, 2 or 3", offset: reader.offset - 1)
    }
    self.kind = kind
    session = try SessionStamp(from: &reader)
    operation = try reader.readBytes()
  }
}

/// How a forwarded write ended. Only ``refused`` and ``busy`` say that it was never proposed.
struct ForwardReply: ByteCodable {
  enum Result: UInt8, Sendable {
    /// It ran; `outcome` is what it answered (for a session being opened, the session's id).
    case outcome = 1
    /// Refused before proposing, because the asked node does not lead that term: it may be sent again elsewhere.
    case refused = 2
    /// Refused before proposing, because too much is waiting.
    case busy = 3
    /// Another term committed at its position: it never runs.
    case overwritten = 4
    /// Its session is unknown, so it did not run now.
    case sessionExpired = 5
    /// Its end was not learned.
    case unknown = 6
  }

  var number: UInt64
  /// The boot number of the process that forwarded it.
  var boot: UInt64
  var result: Result
  var outcome: Bytes

  init(number: UInt64, boot: UInt64, result: Result, outcome: Bytes = []) {
    self.number = number
    self.boot = boot
    self.result = result
    self.outcome = outcome
  }

  func encode(into writer: inout ByteWriter) {
    writer.write(number)
    writer.write(boot)
    writer.write(result.rawValue)
    writer.write(outcome)
  }

  init(from reader: inout ByteReader) throws(MalformedBytes) {
    number = try reader.readUInt64()
    boot = try reader.readUInt64()
    guard let result = Result(rawValue: try reader.readUInt8()) else {
      throw MalformedBytes("a forward's result is 1 to 6", offset: reader.offset - 1)
    }
    self.result = result
    outcome = try reader.readBytes()
  }
}
