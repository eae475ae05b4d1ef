import RaftCore

/// How much commands may answer. A few bytes of a request can ask for many values, over and over.
enum AnswerLimit {
  /// The most bytes of what one entry of the log answers. It travels from the leader to the node that was asked, as one
  /// frame between nodes, which holds twice as much at least.
  static let entryBytes = 8 << 20
  /// How many values of so many bytes one entry can answer; at least one.
  static func values(of bytes: Int) -> Int { max(1, entryBytes / (bytes + Reply.overheadBytes)) }

  /// Commands that read are carried out together until they have answered this much. The others follow when the client
  /// has taken that.
  static let readBytes = 4 << 20
  /// The most bytes that one command answers.
  static let replyBytes = 32 << 20

  static let tooLong = CommandError("ERR the answer would have more than \(replyBytes) bytes")
}

/// Adds up what the commands of one entry answer. An answer that does not fit gives way to an error; the command has run
/// all the same, as the others have.
struct AnswerBudget {
  private var left = AnswerLimit.entryBytes

  mutating func admitted(_ reply: Reply) -> Reply {
    let bytes = reply.bytes
    guard bytes <= left else {
      return .error(
        "ERR done, but what was answered together would have more than \(AnswerLimit.entryBytes) bytes")
    }
    left -= bytes
    return reply
  }
}

extension Reply {
  /// What a reply takes besides its text, at most.
  static let overheadBytes = 16

  /// About how many bytes it takes on the wire.
  var bytes: Int {
    switch self {
    case .null, .nullArray, .boolean, .integer: Self.overheadBytes
    case .status(let text), .error(let text), .double(let text): Self.overheadBytes + text.utf8.count
    case .bulk(let bytes), .verbatim(_, let bytes): Self.overheadBytes + bytes.count
    case .array(let replies), .set(let replies): replies.reduce(Self.overheadBytes) { $0 + $1.bytes }
    case .map(let pairs): pairs.reduce(Self.overheadBytes) { $0 + $1.key.bytes + $1.value.bytes }
    }
  }
}
