import RaftCore

/// How answers travel, and are remembered for clients that ask again: a byte that tells the case, and what it holds.
extension Reply: ByteCodable {
  /// How deep lists may stand in lists.
  private static let depthMax = 8

  /// Appends the value.
  public func encode(into writer: inout ByteWriter) {
    switch self {
    case .null: writer.write(0 as UInt8)
    case .nullArray: writer.write(1 as UInt8)
    case .status(let text):
      writer.write(2 as UInt8)
      writer.write(text)
    case .error(let text):
      writer.write(3 as UInt8)
      writer.write(text)
    case .integer(let value):
      writer.write(4 as UInt8)
      writer.write(UInt64(bitPattern: value))
    case .double(let text):
      writer.write(5 as UInt8)
      writer.write(text)
    case .bulk(let bytes):
      writer.write(6 as UInt8)
      writer.write(bytes)
    case .array(let replies): Self.write(replies, 7, into: &writer)
    case .map(let pairs):
      Self.write(pairs.flatMap { [$0.key, $0.value] }, 8, into: &writer)
    case .set(let replies): Self.write(replies, 9, into: &writer)
    case .boolean(let value):
      writer.write(10 as UInt8)
      writer.write(value)
    case .verbatim(let format, let text):
      writer.write(11 as UInt8)
      writer.write(format)
      writer.write(text)
    }
  }

  private static func write(_ replies: [Reply], _ mark: UInt8, into writer: inout ByteWriter) {
    writer.write(mark)
    writer.write(UInt32(replies.count))
    for reply in replies { reply.encode(into: &writer) }
  }

  /// Reads the value back.
  public init(from reader: inout ByteReader) throws(MalformedBytes) {
    try self.init(from: &reader, depth: 0)
  }

  private init(from reader: inout ByteReader, depth: Int) throws(MalformedBytes) {
    let mark = try reader.readUInt8()
    switch mark {
    case 0: self = .null
    case 1: self = .nullArray
    case 2: self = .status(try reader.readString())
    case 3: self = .error(try reader.readString())
    case 4: self = .integer(Int64(bitPattern: try reader.readUInt64()))
    case 5: self = .double(try reader.readString())
    case 6: self = .bulk(try reader.readBytes())
    case 7: self = .array(try Self.list(from: &reader, depth))
    case 8:
      let flat = try Self.list(from: &reader, depth)
      guard flat.count % 2 == 0 else {
        throw MalformedBytes("a map has as many keys as values", offset: reader.offset)
      }
      self = .map(stride(from: 0, to: flat.count, by: 2).map { Pair(flat[$0], flat[$0 + 1]) })
    case 9: self = .set(try Self.list(from: &reader, depth))
    case 10: self = .boolean(try reader.readBool())
    case 11: self = .verbatim(format: try reader.readString(), text: try reader.readBytes())
    default: throw MalformedBytes("unknown kind of answer \(mark)", offset: reader.offset - 1)
    }
  }

  private static func list(from reader: inout ByteReader, _ depth: Int) throws(MalformedBytes) -> [Reply] {
    guard depth < depthMax else {
      throw MalformedBytes("answers are nested too deeply", offset: reader.offset)
    }
    let count = try reader.readCount(elementBytes: 1)
    var replies: [Reply] = []
    replies.reserveCapacity(count)
    for _ in 0..<count { replies.append(try Reply(from: &reader, depth: depth + 1)) }
    return replies
  }
}
