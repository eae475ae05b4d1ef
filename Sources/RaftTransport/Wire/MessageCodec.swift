import RaftCore

/// A message as it came from the wire, with the entries that travelled with it.
public struct ReceivedMessage: Equatable, Sendable {
  /// What the core is given.
  public var message: Message
  /// The entries that an `AppendEntries` names, in order; empty for every other message.
  public var entries: [Entry<Bytes>]
  /// The configuration of the snapshot of which an `InstallSnapshot` is a piece; nil for every other message.
  public var configuration: IndexedConfiguration?
  /// The bytes that an `InstallSnapshot` names; empty for every other message.
  public var chunk: Bytes

  /// Pairs a message with what travelled with it.
  public init(
    message: Message, entries: [Entry<Bytes>] = [], configuration: IndexedConfiguration? = nil,
    chunk: Bytes = []
  ) {
    self.message = message
    self.entries = entries
    self.configuration = configuration
    self.chunk = chunk
  }
}

/// Writes messages of the Raft core as frame bodies and reads them back. Sender and target stand in the
/// frame's header; the ids of entries follow from the message, which never spans two terms.
public enum MessageCodec {
  private enum Tag: UInt8 {
    case requestVote = 1
    case requestVoteReply = 2
    case appendEntries = 3
    case appendEntriesReply = 4
    case heartbeat = 5
    case heartbeatReply = 6
    case staleTerm = 7
    case timeoutNow = 8
    case readIndex = 9
    case readIndexReply = 10
    case installSnapshot = 11
    case installSnapshotReply = 12
    case commitNotice = 13
  }

  private enum EntryTag: UInt8 {
    case empty = 0
    case configuration = 1
    case payload = 2
  }

  /// Appends the whole frame of `message`.
  ///
  /// - Parameters:
  ///   - message: What the core says.
  ///   - entries: The entries that an `AppendEntries` names, in order; empty for every other message.
  ///   - configuration: That of the snapshot of which an `InstallSnapshot` is a piece; nil for every other message.
  ///   - chunk: The bytes that an `InstallSnapshot` names; empty for every other message.
  ///   - trafficClass: The class of the connection it will travel on.
  ///   - boot: The sender's boot number.
  ///   - writer: Where the frame is appended.
  public static func writeFrame(
    _ message: Message, entries: some Collection<Entry<Bytes>> = [],
    configuration: IndexedConfiguration? = nil, chunk: Bytes = [], trafficClass: TrafficClass = .consensus,
    boot: UInt64, into writer: inout ByteWriter
  ) {
    let header = FrameHeader(
      kind: .message, trafficClass: trafficClass, target: message.to, sender: message.from, boot: boot)
    writer.writeFrame(header) {
      encode(message, entries: entries, configuration: configuration, chunk: chunk, into: &$0)
    }
  }

  /// Appends the body of the frame of `message`.
  ///
  /// - Precondition: There are as many entries, and bytes of a snapshot, as the message names.
  public static func encode(
    _ message: Message, entries: some Collection<Entry<Bytes>> = [],
    configuration: IndexedConfiguration? = nil, chunk: Bytes = [], into writer: inout ByteWriter
  ) {
    writer.write(message.term.rawValue)
    switch message.body {
    case .requestVote(let request):
      writer.write(Tag.requestVote.rawValue)
      writer.write(request.campaignTerm.rawValue)
      request.lastEntry.encode(into: &writer)
      writer.write(request.isPreVote)
      writer.write(request.isTransfer)
    case .requestVoteReply(let reply):
      writer.write(Tag.requestVoteReply.rawValue)
      writer.write(reply.campaignTerm.rawValue)
      writer.write(reply.isPreVote)
      writer.write(reply.isGranted)
    case .appendEntries(let append):
      precondition(entries.count == Int(append.count), "an AppendEntries travels with the entries it names")
      writer.write(Tag.appendEntries.rawValue)
      encode(append, entries: entries, into: &writer)
    case .appendEntriesReply(let reply):
      writer.write(Tag.appendEntriesReply.rawValue)
      encode(reply, into: &writer)
    case .heartbeat(let heartbeat):
      writer.write(Tag.heartbeat.rawValue)
      writer.write(heartbeat.commitIndex.rawValue)
      writer.write(heartbeat.heldByAll.rawValue)
      writer.write(heartbeat.round)
    case .heartbeatReply(let reply):
      writer.write(Tag.heartbeatReply.rawValue)
      writer.write(reply.round)
    case .commitNotice(let index):
      writer.write(Tag.commitNotice.rawValue)
      writer.write(index.rawValue)
    case .staleTerm:
      writer.write(Tag.staleTerm.rawValue)
    case .timeoutNow:
      writer.write(Tag.timeoutNow.rawValue)
    case .readIndex(let id):
      writer.write(Tag.readIndex.rawValue)
      encode(id, into: &writer)
    case .readIndexReply(let reply):
      writer.write(Tag.readIndexReply.rawValue)
      encode(reply.id, into: &writer)
      writer.write(reply.readIndex != nil)
      if let readIndex = reply.readIndex { writer.write(readIndex.rawValue) }
    case .installSnapshot(let request):
      writer.write(Tag.installSnapshot.rawValue)
      encode(request, configuration: configuration, chunk: chunk, into: &writer)
    case .installSnapshotReply(let reply):
      writer.write(Tag.installSnapshotReply.rawValue)
      encode(reply, into: &writer)
    }
  }

  /// Reads the message in a frame of kind ``FrameKind/message``.
  ///
  /// - Throws: `MalformedBytes` if the body is not what ``encode(_:entries:configuration:chunk:into:)`` writes, or claims a
  ///   term or an index that no cluster can have reached.
  public static func decode(_ frame: Frame) throws(MalformedBytes) -> ReceivedMessage {
    guard let target = frame.header.target else {
      throw MalformedBytes("a message names its target", offset: 0)
    }
    var reader = frame.bodyReader()
    let term = try readTerm(from: &reader)
    let start = reader.offset
    guard let tag = Tag(rawValue: try reader.readUInt8()) else {
      throw MalformedBytes("a message of unknown kind", offset: start)
    }
    var received = ReceivedMessage(
      message: Message(from: frame.header.sender, to: target, term: term, body: .staleTerm))
    received.message.body =
      switch tag {
      case .installSnapshot:
        .installSnapshot(try decodeInstallSnapshot(into: &received, from: &reader))
      case .appendEntries:
        .appendEntries(try decodeAppendEntries(entries: &received.entries, from: &reader))
      default: try decode(tag, from: &reader)
      }
    try reader.expectEnd()
    return received
  }

  /// Reads the fields of a message that nothing travels with.
  private static func decode(
    _ tag: Tag, from reader: inout ByteReader
  ) throws(MalformedBytes) -> Message.Body {
    switch tag {
    case .requestVote:
      return .requestVote(
        RequestVote(
          campaignTerm: try readTerm(from: &reader), lastEntry: try readEntryID(from: &reader),
          isPreVote: try reader.readBool(), isTransfer: try reader.readBool()))
    case .requestVoteReply:
      return .requestVoteReply(
        RequestVoteReply(
          campaignTerm: try readTerm(from: &reader), isPreVote: try reader.readBool(),
          isGranted: try reader.readBool()))
    case .appendEntries, .installSnapshot:
      throw MalformedBytes("a message that brings its load along", offset: reader.offset)
    case .appendEntriesReply:
      return .appendEntriesReply(try decodeAppendEntriesReply(from: &reader))
    case .heartbeat:
      return .heartbeat(
        Heartbeat(
          commitIndex: try readIndex(from: &reader), heldByAll: try readIndex(from: &reader),
          round: try reader.readUInt64()))
    case .heartbeatReply:
      return .heartbeatReply(HeartbeatReply(round: try reader.readUInt64()))
    case .commitNotice:
      return .commitNotice(try readIndex(from: &reader))
    case .staleTerm:
      return .staleTerm
    case .timeoutNow:
      return .timeoutNow
    case .readIndex:
      return .readIndex(try readReadID(from: &reader))
    case .readIndexReply:
      let id = try readReadID(from: &reader)
      let index = try reader.readBool() ? try readIndex(from: &reader) : nil
      return .readIndexReply(ReadIndexReply(id: id, readIndex: index))
    case .installSnapshotReply:
      return .installSnapshotReply(try decodeInstallSnapshotReply(from: &reader))
    }
  }
}

// MARK: - Snapshots

extension MessageCodec {
  private static func encode(
    _ request: InstallSnapshot, configuration: IndexedConfiguration?, chunk: Bytes,
    into writer: inout ByteWriter
  ) {
    guard let configuration, chunk.count == Int(request.count) else {
      preconditionFailure("a piece of a snapshot travels with its bytes and the snapshot's configuration")
    }
    let snapshot = Snapshot(
      last: request.last, configuration: configuration, bytes: request.bytes,
      fingerprint: request.fingerprint)
    snapshot.encode(into: &writer)
    writer.write(request.offset)
    writer.write(chunk)
  }

  private static func decodeInstallSnapshot(
    into received: inout ReceivedMessage, from reader: inout ByteReader
  ) throws(MalformedBytes) -> InstallSnapshot {
    let start = reader.offset
    let snapshot = try Snapshot(from: &reader)
    let offset = try reader.readUInt64()
    received.configuration = snapshot.configuration
    received.chunk = try reader.readBytes()
    let request = InstallSnapshot(of: snapshot, offset: offset, count: UInt32(received.chunk.count))
    guard snapshot.last.term <= .highestPlausible, snapshot.last.index <= .highestPlausible,
      snapshot.bytes <= Snapshot.bytesMax, offset <= snapshot.bytes, request.end <= snapshot.bytes
    else {
      throw MalformedBytes("a piece that does not lie in a snapshot", offset: start)
    }
    return request
  }

  private static func encode(_ reply: InstallSnapshotReply, into writer: inout ByteWriter) {
    switch reply {
    case .covered(let index):
      writer.write(true)
      writer.write(index.rawValue)
    case .wants(let fingerprint, let offset):
      writer.write(false)
      writer.write(fingerprint)
      writer.write(offset)
    }
  }

  private static func decodeInstallSnapshotReply(
    from reader: inout ByteReader
  ) throws(MalformedBytes) -> InstallSnapshotReply {
    if try reader.readBool() { return .covered(through: try readIndex(from: &reader)) }
    return .wants(fingerprint: try reader.readUInt64(), offset: try reader.readUInt64())
  }
}

// MARK: - Entries

extension MessageCodec {
  private static func encode(
    _ append: AppendEntries, entries: some Collection<Entry<Bytes>>, into writer: inout ByteWriter
  ) {
    append.previous.encode(into: &writer)
    writer.write(append.entriesTerm.rawValue)
    writer.write(append.commitIndex.rawValue)
    writer.write(append.count)
    for entry in entries {
      switch entry.content {
      case .empty:
        writer.write(EntryTag.empty.rawValue)
        writer.write(UInt32(0))
      case .configuration(let configuration):
        writer.write(EntryTag.configuration.rawValue)
        let lengthOffset = writer.count
        writer.write(UInt32(0))
        configuration.encode(into: &writer)
        writer.overwrite(UInt32(writer.count - lengthOffset - 4), at: lengthOffset)
      case .payload(let payload):
        writer.write(EntryTag.payload.rawValue)
        writer.write(payload)
      }
    }
  }

  private static func decodeAppendEntries(
    entries: inout [Entry<Bytes>], from reader: inout ByteReader
  ) throws(MalformedBytes) -> AppendEntries {
    let previous = try readEntryID(from: &reader)
    let entriesTerm = try readTerm(from: &reader)
    let commitIndex = try readIndex(from: &reader)
    let start = reader.offset
    let count = try reader.readCount(elementBytes: 5)
    guard previous.index.advanced(by: count) <= .highestPlausible else {
      throw MalformedBytes("the entries end at an index that no cluster reaches", offset: start)
    }
    entries.reserveCapacity(count)
    for offset in 0..<count {
      let id = EntryID(term: entriesTerm, index: previous.index.advanced(by: offset + 1))
      entries.append(try decodeEntry(id, from: &reader))
    }
    return AppendEntries(
      previous: previous, entriesTerm: entriesTerm, count: UInt32(count), commitIndex: commitIndex)
  }

  private static func decodeEntry(
    _ id: EntryID, from reader: inout ByteReader
  ) throws(MalformedBytes) -> Entry<Bytes> {
    let start = reader.offset
    guard let tag = EntryTag(rawValue: try reader.readUInt8()) else {
      throw MalformedBytes("an entry of unknown kind", offset: start)
    }
    let length = try reader.readCount(elementBytes: 1)
    switch tag {
    case .empty:
      guard length == 0 else { throw MalformedBytes("an empty entry with \(length) bytes", offset: start) }
      return Entry(id: id, content: .empty, bytes: 0)
    case .configuration:
      let end = reader.offset + length
      let configuration = try Configuration(from: &reader)
      guard reader.offset == end else {
        throw MalformedBytes("a configuration of another length than announced", offset: start)
      }
      return Entry(id: id, content: .configuration(configuration), bytes: UInt32(length))
    case .payload:
      return Entry(id: id, content: .payload(try reader.readRaw(length)), bytes: UInt32(length))
    }
  }

  private static func encode(_ reply: AppendEntriesReply, into writer: inout ByteWriter) {
    switch reply {
    case .accepted(let match):
      writer.write(true)
      writer.write(match.rawValue)
    case .rejected(let previous, let hint):
      writer.write(false)
      writer.write(previous.rawValue)
      hint.encode(into: &writer)
    }
  }

  private static func decodeAppendEntriesReply(
    from reader: inout ByteReader
  ) throws(MalformedBytes) -> AppendEntriesReply {
    guard try reader.readBool() else {
      return .rejected(previous: try readIndex(from: &reader), hint: try readEntryID(from: &reader))
    }
    return .accepted(match: try readIndex(from: &reader))
  }
}

// MARK: - Fields

extension MessageCodec {
  private static func encode(_ id: ReadID, into writer: inout ByteWriter) {
    writer.write(id.boot)
    writer.write(id.number)
  }

  private static func readReadID(from reader: inout ByteReader) throws(MalformedBytes) -> ReadID {
    ReadID(boot: try reader.readUInt64(), number: try reader.readUInt64())
  }

  private static func readTerm(from reader: inout ByteReader) throws(MalformedBytes) -> Term {
    let start = reader.offset
    let term = Term(try reader.readUInt64())
    guard term <= .highestPlausible else {
      throw MalformedBytes("a term that no cluster reaches", offset: start)
    }
    return term
  }

  private static func readIndex(from reader: inout ByteReader) throws(MalformedBytes) -> LogIndex {
    let start = reader.offset
    let index = LogIndex(try reader.readUInt64())
    guard index <= .highestPlausible else {
      throw MalformedBytes("a log index that no cluster reaches", offset: start)
    }
    return index
  }

  private static func readEntryID(from reader: inout ByteReader) throws(MalformedBytes) -> EntryID {
    EntryID(term: try readTerm(from: &reader), index: try readIndex(from: &reader))
  }
}
