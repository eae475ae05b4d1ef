// Messages and entries as bytes, for whoever brings a transport. What an AppendEntries or an InstallSnapshot names does
// not belong to the message: it is written behind it.

extension Message: ByteCodable {
  /// Appends sender, receiver, term and body.
  public func encode(into writer: inout ByteWriter) {
    writer.write(from.rawValue)
    writer.write(to.rawValue)
    writer.write(term.rawValue)
    body.encode(into: &writer)
  }

  /// Reads the message back.
  public init(from reader: inout ByteReader) throws(MalformedBytes) {
    self.init(
      from: NodeID(try reader.readUInt64()), to: NodeID(try reader.readUInt64()), term: try reader.readTerm(),
      body: try Body(from: &reader))
  }
}

extension Message.Body: ByteCodable {
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

  private var tag: Tag {
    switch self {
    case .requestVote: .requestVote
    case .requestVoteReply: .requestVoteReply
    case .appendEntries: .appendEntries
    case .appendEntriesReply: .appendEntriesReply
    case .heartbeat: .heartbeat
    case .heartbeatReply: .heartbeatReply
    case .commitNotice: .commitNotice
    case .staleTerm: .staleTerm
    case .timeoutNow: .timeoutNow
    case .readIndex: .readIndex
    case .readIndexReply: .readIndexReply
    case .installSnapshot: .installSnapshot
    case .installSnapshotReply: .installSnapshotReply
    }
  }

  /// Appends a tag of one byte and the fields, integers little-endian.
  public func encode(into writer: inout ByteWriter) {
    writer.write(tag.rawValue)
    switch self {
    case .staleTerm, .timeoutNow: break
    case .requestVote(let request):
      writer.write(request.campaignTerm.rawValue)
      request.lastEntry.encode(into: &writer)
      writer.write(request.isPreVote)
      writer.write(request.isTransfer)
    case .requestVoteReply(let reply):
      writer.write(reply.campaignTerm.rawValue)
      writer.write(reply.isPreVote)
      writer.write(reply.isGranted)
    case .appendEntries(let append):
      append.previous.encode(into: &writer)
      writer.write(append.entriesTerm.rawValue)
      writer.write(append.commitIndex.rawValue)
      writer.write(append.count)
    case .appendEntriesReply(let reply): reply.encode(into: &writer)
    case .heartbeat(let heartbeat):
      writer.write(heartbeat.commitIndex.rawValue)
      writer.write(heartbeat.heldByAll.rawValue)
      writer.write(heartbeat.round)
    case .heartbeatReply(let reply): writer.write(reply.round)
    case .commitNotice(let index): writer.write(index.rawValue)
    case .readIndex(let read): read.encode(into: &writer)
    case .readIndexReply(let reply):
      reply.id.encode(into: &writer)
      writer.write(reply.readIndex != nil)
      if let readIndex = reply.readIndex { writer.write(readIndex.rawValue) }
    case .installSnapshot(let piece):
      piece.last.encode(into: &writer)
      writer.write(piece.bytes)
      writer.write(piece.fingerprint)
      writer.write(piece.offset)
      writer.write(piece.count)
    case .installSnapshotReply(let reply): reply.encode(into: &writer)
    }
  }

  /// Reads the body back.
  ///
  /// - Throws: ``MalformedBytes`` for what ``encode(into:)`` does not write, and for a term or an index that no cluster can
  ///   have reached.
  public init(from reader: inout ByteReader) throws(MalformedBytes) {
    let start = reader.offset
    guard let tag = Tag(rawValue: try reader.readUInt8()) else {
      throw MalformedBytes("a message of unknown kind", offset: start)
    }
    switch tag {
    case .staleTerm: self = .staleTerm
    case .timeoutNow: self = .timeoutNow
    case .requestVote:
      self = .requestVote(
        RequestVote(
          campaignTerm: try reader.readTerm(), lastEntry: try reader.readEntryID(),
          isPreVote: try reader.readBool(), isTransfer: try reader.readBool()))
    case .requestVoteReply:
      self = .requestVoteReply(
        RequestVoteReply(
          campaignTerm: try reader.readTerm(), isPreVote: try reader.readBool(),
          isGranted: try reader.readBool()))
    case .appendEntries: self = .appendEntries(try AppendEntries(from: &reader))
    case .appendEntriesReply: self = .appendEntriesReply(try AppendEntriesReply(from: &reader))
    case .heartbeat:
      self = .heartbeat(
        Heartbeat(
          commitIndex: try reader.readLogIndex(), heldByAll: try reader.readLogIndex(),
          round: try reader.readUInt64()))
    case .heartbeatReply: self = .heartbeatReply(HeartbeatReply(round: try reader.readUInt64()))
    case .commitNotice: self = .commitNotice(try reader.readLogIndex())
    case .readIndex: self = .readIndex(try ReadID(from: &reader))
    case .readIndexReply:
      let id = try ReadID(from: &reader)
      let index = try reader.readBool() ? try reader.readLogIndex() : nil
      self = .readIndexReply(ReadIndexReply(id: id, readIndex: index))
    case .installSnapshot: self = .installSnapshot(try InstallSnapshot(from: &reader))
    case .installSnapshotReply: self = .installSnapshotReply(try InstallSnapshotReply(from: &reader))
    }
  }
}

extension AppendEntries {
  fileprivate init(from reader: inout ByteReader) throws(MalformedBytes) {
    let previous = try reader.readEntryID()
    let entriesTerm = try reader.readTerm()
    let commitIndex = try reader.readLogIndex()
    let start = reader.offset
    let count = try reader.readUInt32()
    guard previous.index.advanced(by: Int(count)) <= .highestPlausible else {
      throw MalformedBytes("the entries end at an index that no cluster reaches", offset: start)
    }
    self.init(previous: previous, entriesTerm: entriesTerm, count: count, commitIndex: commitIndex)
  }
}

extension AppendEntriesReply {
  fileprivate func encode(into writer: inout ByteWriter) {
    switch self {
    case .accepted(let match):
      writer.write(true)
      writer.write(match.rawValue)
    case .rejected(let previous, let hint):
      writer.write(false)
      writer.write(previous.rawValue)
      hint.encode(into: &writer)
    }
  }

  fileprivate init(from reader: inout ByteReader) throws(MalformedBytes) {
    if try reader.readBool() {
      self = .accepted(match: try reader.readLogIndex())
    } else {
      self = .rejected(previous: try reader.readLogIndex(), hint: try reader.readEntryID())
    }
  }
}

extension InstallSnapshot {
  fileprivate init(from reader: inout ByteReader) throws(MalformedBytes) {
    let start = reader.offset
    self.init(
      last: try reader.readEntryID(), bytes: try reader.readUInt64(), fingerprint: try reader.readUInt64(),
      offset: try reader.readUInt64(), count: try reader.readUInt32())
    guard bytes <= Snapshot.bytesMax, offset <= bytes, end <= bytes else {
      throw MalformedBytes("a piece that does not lie in its snapshot", offset: start)
    }
  }
}

extension InstallSnapshotReply {
  fileprivate func encode(into writer: inout ByteWriter) {
    switch self {
    case .covered(let index):
      writer.write(true)
      writer.write(index.rawValue)
    case .wants(let fingerprint, let offset):
      writer.write(false)
      writer.write(fingerprint)
      writer.write(offset)
    }
  }

  fileprivate init(from reader: inout ByteReader) throws(MalformedBytes) {
    if try reader.readBool() {
      self = .covered(through: try reader.readLogIndex())
    } else {
      self = .wants(fingerprint: try reader.readUInt64(), offset: try reader.readUInt64())
    }
  }
}

extension ReadID: ByteCodable {
  /// Appends boot and number.
  public func encode(into writer: inout ByteWriter) {
    writer.write(boot)
    writer.write(number)
  }

  /// Reads the id back.
  public init(from reader: inout ByteReader) throws(MalformedBytes) {
    self.init(boot: try reader.readUInt64(), number: try reader.readUInt64())
  }
}

// MARK: - Entries

extension Entry: ByteCodable where Payload: ByteCodable {
  /// Appends the id, the size for limits, and what the entry carries.
  public func encode(into writer: inout ByteWriter) {
    id.encode(into: &writer)
    writer.write(bytes)
    switch content {
    case .empty: writer.write(UInt8(0))
    case .configuration(let configuration):
      writer.write(UInt8(1))
      configuration.encode(into: &writer)
    case .payload(let payload):
      writer.write(UInt8(2))
      payload.encode(into: &writer)
    }
  }

  /// Reads the entry back.
  public init(from reader: inout ByteReader) throws(MalformedBytes) {
    let id = try reader.readEntryID()
    let bytes = try reader.readUInt32()
    let start = reader.offset
    let content: EntryContent<Payload>
    switch try reader.readUInt8() {
    case 0: content = .empty
    case 1: content = .configuration(try Configuration(from: &reader))
    case 2: content = .payload(try Payload(from: &reader))
    default: throw MalformedBytes("an entry of unknown kind", offset: start)
    }
    self.init(id: id, content: content, bytes: bytes)
  }
}

// MARK: - Fields

extension ByteReader {
  /// Reads a term; one that no cluster can have reached is malformed.
  public mutating func readTerm() throws(MalformedBytes) -> Term {
    let start = offset
    let term = Term(try readUInt64())
    guard term <= .highestPlausible else {
      throw MalformedBytes("a term that no cluster reaches", offset: start)
    }
    return term
  }

  /// Reads a log index; one that no cluster can have reached is malformed.
  public mutating func readLogIndex() throws(MalformedBytes) -> LogIndex {
    let start = offset
    let index = LogIndex(try readUInt64())
    guard index <= .highestPlausible else {
      throw MalformedBytes("a log index that no cluster reaches", offset: start)
    }
    return index
  }

  /// Reads the id of an entry, within the same limits.
  public mutating func readEntryID() throws(MalformedBytes) -> EntryID {
    EntryID(term: try readTerm(), index: try readLogIndex())
  }
}
