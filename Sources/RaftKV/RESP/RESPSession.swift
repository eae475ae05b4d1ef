import RaftCore

/// What a client has set on its connection.
struct RESPSession: Hashable, Sendable {
  /// Which answers the client wants.
  enum ReplyMode: Hashable {
    case on, off
    /// All but the next one.
    case skip
  }

  var namespace = Bytes("default".utf8)
  /// The number that the client knows the namespace by.
  var database = 0
  var name: Bytes = []
  var library: Bytes = []
  var libraryVersion: Bytes = []
  /// The version of the protocol, 2 or 3.
  var version = 2
  /// What was asked for by the request that is being carried out.
  var replyMode: ReplyMode?
  /// Whether the client has ended its own connection.
  var isKilled = false
}
