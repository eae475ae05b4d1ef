extension UInt64: ByteCodable {
  /// Appends the value.
  public func encode(into writer: inout ByteWriter) { writer.write(self) }
  /// Reads the value back.
  public init(from reader: inout ByteReader) throws(MalformedBytes) { self = try reader.readUInt64() }
}

extension Int: ByteCodable {
  /// Appends the value.
  public func encode(into writer: inout ByteWriter) { writer.write(UInt64(bitPattern: Int64(self))) }
  /// Reads the value back.
  public init(from reader: inout ByteReader) throws(MalformedBytes) {
    self = Int(Int64(bitPattern: try reader.readUInt64()))
  }
}

extension Bool: ByteCodable {
  /// Appends the value.
  public func encode(into writer: inout ByteWriter) { writer.write(self) }
  /// Reads the value back.
  public init(from reader: inout ByteReader) throws(MalformedBytes) { self = try reader.readBool() }
}

extension String: ByteCodable {
  /// Appends the value.
  public func encode(into writer: inout ByteWriter) { writer.write(self) }
  /// Reads the value back.
  public init(from reader: inout ByteReader) throws(MalformedBytes) { self = try reader.readString() }
}

extension [UInt8]: ByteCodable {
  /// Appends the value.
  public func encode(into writer: inout ByteWriter) { writer.write(self) }
  /// Reads the value back.
  public init(from reader: inout ByteReader) throws(MalformedBytes) { self = try reader.readBytes() }
}

extension Optional: ByteCodable where Wrapped: ByteCodable {
  /// Appends the value.
  public func encode(into writer: inout ByteWriter) {
    writer.write(self != nil)
    self?.encode(into: &writer)
  }
  /// Reads the value back.
  public init(from reader: inout ByteReader) throws(MalformedBytes) {
    self = try reader.readBool() ? try Wrapped(from: &reader) : nil
  }
}

extension EntryID: ByteCodable {
  /// Appends the value.
  public func encode(into writer: inout ByteWriter) {
    writer.write(term.rawValue)
    writer.write(index.rawValue)
  }
  /// Reads the value back.
  public init(from reader: inout ByteReader) throws(MalformedBytes) {
    self.init(term: Term(try reader.readUInt64()), index: LogIndex(try reader.readUInt64()))
  }
}

extension Member: ByteCodable {
  /// Appends the value.
  public func encode(into writer: inout ByteWriter) {
    writer.write(id.rawValue)
    writer.write(store.rawValue)
    writer.write(priority)
    writer.write(address)
  }
  /// Reads the value back.
  public init(from reader: inout ByteReader) throws(MalformedBytes) {
    let id = NodeID(try reader.readUInt64())
    let start = reader.offset
    guard let store = StoreKind(rawValue: try reader.readUInt8()) else {
      throw MalformedBytes("a store kind is 1 (memory) or 2 (durable)", offset: start)
    }
    let priority = try reader.readUInt8()
    self.init(id: id, address: try reader.readString(), store: store, priority: priority)
  }
}

extension Configuration: ByteCodable {
  /// The canonical encoding: the same configuration has the same bytes on every node, on disk and on the wire.
  public func encode(into writer: inout ByteWriter) {
    writer.write(UInt32(members.count))
    for member in members { member.encode(into: &writer) }
    for list in [voters, outgoingVoters, learners] {
      writer.write(UInt32(list.count))
      for id in list { writer.write(id.rawValue) }
    }
    writer.write(leaseTimeoutTicks ?? 0)
  }

  /// Reads the value back.
  public init(from reader: inout ByteReader) throws(MalformedBytes) {
    let start = reader.offset
    var members: [Member] = []
    for _ in 0..<(try reader.readCount(elementBytes: 14)) { members.append(try Member(from: &reader)) }
    var lists: [[NodeID]] = []
    for _ in 0..<3 {
      var list: [NodeID] = []
      for _ in 0..<(try reader.readCount(elementBytes: 8)) { list.append(NodeID(try reader.readUInt64())) }
      lists.append(list)
    }
    let leaseTimeoutTicks = try reader.readUInt32()
    do {
      try self.init(
        members: members, voters: lists[0], outgoingVoters: lists[1], learners: lists[2],
        leaseTimeoutTicks: leaseTimeoutTicks)
    } catch {
      throw MalformedBytes("\(error)", offset: start)
    }
  }
}

extension IndexedConfiguration: ByteCodable {
  /// Appends the value.
  public func encode(into writer: inout ByteWriter) {
    writer.write(index.rawValue)
    configuration.encode(into: &writer)
  }
  /// Reads the value back.
  public init(from reader: inout ByteReader) throws(MalformedBytes) {
    self.init(index: LogIndex(try reader.readUInt64()), configuration: try Configuration(from: &reader))
  }
}

extension Snapshot: ByteCodable {
  /// Appends the value.
  public func encode(into writer: inout ByteWriter) {
    last.encode(into: &writer)
    configuration.encode(into: &writer)
    writer.write(bytes)
    writer.write(fingerprint)
  }
  /// Reads the value back.
  public init(from reader: inout ByteReader) throws(MalformedBytes) {
    self.init(
      last: try EntryID(from: &reader), configuration: try IndexedConfiguration(from: &reader),
      bytes: try reader.readUInt64(), fingerprint: try reader.readUInt64())
  }
}
