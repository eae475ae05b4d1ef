import RaftCore
import RaftTransport

extension FrameKind {
  /// A node that is in no cluster asks a member to let it in; or one that is a learner, to let it vote.
  static let join = FrameKind(rawValue: 19)
  /// The member's answer.
  static let joinReply = FrameKind(rawValue: 20)
  /// A member asks the leader to be removed.
  static let leave = FrameKind(rawValue: 21)
  /// A node is told that it is no member any more.
  static let removed = FrameKind(rawValue: 22)
  /// A node that stops says why.
  static let lastWords = FrameKind(rawValue: 23)
}

/// What a node says when it stops, so that those who ask the others are told more than that it does not answer. Nothing
/// rests on it: it is for people.
struct LastWords: ByteCodable, Hashable {
  /// Whether the store failed; otherwise the node was stopped in order.
  var isFailure: Bool
  /// The words, on one line.
  var reason: String

  /// Longer words are cut off, in bytes.
  static let bytesMax = 512

  init(isFailure: Bool, reason: String) {
    self.isFailure = isFailure
    let line = reason.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : String($0) }
    var text = ""
    for piece in line where text.utf8.count + piece.utf8.count <= Self.bytesMax { text += piece }
    self.reason = text
  }

  func encode(into writer: inout ByteWriter) {
    writer.write(isFailure ? 2 : 1 as UInt8)
    writer.write(reason)
  }

  init(from reader: inout ByteReader) throws(MalformedBytes) {
    let kind = try reader.readUInt8()
    guard kind == 1 || kind == 2 else {
      throw MalformedBytes("last words are of kind 1 or 2, not \(kind)", offset: 0)
    }
    // What comes from the network is made as harmless as what goes there.
    self.init(isFailure: kind == 2, reason: try reader.readString())
  }
}

/// What a node is told that its cluster has removed, and that may have missed it.
///
/// It is believed only if the configuration is as new as what the node itself knows: a member that lags behind knows a
/// configuration in which a new member is not there *yet*.
struct RemovedNotice: ByteCodable, Hashable {
  /// Where the committed configuration stands that does not hold the node.
  var index: LogIndex

  init(index: LogIndex) { self.index = index }

  func encode(into writer: inout ByteWriter) { writer.write(index.rawValue) }

  init(from reader: inout ByteReader) throws(MalformedBytes) { index = LogIndex(try reader.readUInt64()) }
}

/// What a newcomer says of itself.
struct JoinRequest: ByteCodable, Hashable {
  var member: Member

  init(member: Member) { self.member = member }

  func encode(into writer: inout ByteWriter) { member.encode(into: &writer) }

  init(from reader: inout ByteReader) throws(MalformedBytes) { member = try Member(from: &reader) }
}

/// What a newcomer is answered. It asks again until it votes, so no answer needs to arrive.
enum JoinReply: ByteCodable, Hashable {
  /// It is a member of this cluster, with this configuration.
  case admitted(ClusterID, Configuration)
  /// The leader is at this address: ask there.
  case ask(address: String)
  /// Not now, for this reason: ask again.
  case wait(reason: String)
  /// Not as things are: somebody has to do something about it.
  case refused(reason: String)

  func encode(into writer: inout ByteWriter) {
    switch self {
    case .admitted(let cluster, let configuration):
      writer.write(1 as UInt8)
      writer.write(cluster.rawValue)
      configuration.encode(into: &writer)
    case .ask(let address):
      writer.write(2 as UInt8)
      writer.write(address)
    case .wait(let reason):
      writer.write(3 as UInt8)
      writer.write(reason)
    case .refused(let reason):
      writer.write(4 as UInt8)
      writer.write(reason)
    }
  }

  init(from reader: inout ByteReader) throws(MalformedBytes) {
    switch try reader.readUInt8() {
    case 1:
      let cluster = ClusterID(try reader.readUInt64())
      guard cluster.rawValue != 0 else { throw MalformedBytes("cluster id 0 is reserved", offset: 1) }
      self = .admitted(cluster, try Configuration(from: &reader))
    case 2: self = .ask(address: try reader.readString())
    case 3: self = .wait(reason: try reader.readString())
    case 4: self = .refused(reason: try reader.readString())
    case let kind: throw MalformedBytes("an answer to a newcomer is 1 to 4, not \(kind)", offset: 0)
    }
  }
}
