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
    _ message: Message, entries: ArraySlice<Entry<Bytes>> = [],
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
    _ message: Message, entries: ArraySlice<Entry<Bytes>> = [],
    configuration: IndexedConfiguration? = nil, chunk: Bytes = [], into writer: inout ByteWriter
  ) {
    writer.write(message.term.rawValue)
    message.body.encode(into: &writer)
    switch message.body {
    case .appendEntries(let append):
      precondition(entries.count == Int(append.count), "an AppendEntries travels with the entries it names")
      for entry in entries { encode(entry, into: &writer) }
    case .installSnapshot(let piece):
      guard let configuration, chunk.count == Int(piece.count) else {
        preconditionFailure("a piece of a snapshot travels with its bytes and the snapshot's configuration")
      }
      configuration.encode(into: &writer)
      writer.writeRaw(chunk)
    default: break
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
    let term = try reader.readTerm()
    let body = try Message.Body(from: &reader)
    var received = ReceivedMessage(
      message: Message(from: frame.header.sender, to: target, term: term, body: body))
    switch body {
    case .appendEntries(let append):
      received.entries = try decodeEntries(of: append, from: &reader)
    case .installSnapshot(let piece):
      received.configuration = try IndexedConfiguration(from: &reader)
      received.chunk = try reader.readRaw(Int(piece.count))
    default: break
    }
    try reader.expectEnd()
    return received
  }
}

// MARK: - Entries

extension MessageCodec {
  private static func encode(_ entry: Entry<Bytes>, into writer: inout ByteWriter) {
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

  private static func decodeEntries(
    of append: AppendEntries, from reader: inout ByteReader
  ) throws(MalformedBytes) -> [Entry<Bytes>] {
    // Before anything is allocated for them: each takes five bytes at least.
    guard Int(append.count) <= reader.remaining / 5 else {
      throw MalformedBytes("more entries are announced than there are bytes", offset: reader.offset)
    }
    var entries: [Entry<Bytes>] = []
    entries.reserveCapacity(Int(append.count))
    for offset in 0..<Int(append.count) {
      let id = EntryID(term: append.entriesTerm, index: append.previous.index.advanced(by: offset + 1))
      entries.append(try decodeEntry(id, from: &reader))
    }
    return entries
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
}
