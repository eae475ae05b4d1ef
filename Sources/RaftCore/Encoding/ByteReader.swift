/// Why bytes could not be read.
public struct MalformedBytes: Error, Hashable, Sendable, CustomStringConvertible {
  /// What was being read, or what is wrong with it.
  public let reason: String
  /// Where it begins, counted from the start of the buffer.
  public let offset: Int

  /// Says what is wrong at `offset`.
  public init(_ reason: String, offset: Int) {
    self.reason = reason
    self.offset = offset
  }

  /// The value in words, as logs print it.
  public var description: String { "\(reason) at byte \(offset)" }
}

/// Reads what ``ByteWriter`` wrote. Every read is checked against the end: hostile bytes lead to an error, never to a
/// trap, and never to an allocation larger than the bytes that are really there.
public struct ByteReader: Sendable {
  private let bytes: Bytes
  private let end: Int
  /// Where the next read begins, counted from the start of the buffer.
  public private(set) var offset: Int

  /// Reads all of `bytes`.
  public init(_ bytes: Bytes) { self.init(bytes, in: 0..<bytes.count) }

  /// Reads the part of `bytes` that lies in `range`.
  public init(_ bytes: Bytes, in range: Range<Int>) {
    precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "the range lies within the bytes")
    self.bytes = bytes
    offset = range.lowerBound
    end = range.upperBound
  }

  /// How many bytes are left.
  public var remaining: Int { end - offset }

  /// Reads one byte.
  public mutating func readUInt8() throws(MalformedBytes) -> UInt8 { try readInteger() }

  /// Reads two bytes.
  public mutating func readUInt16() throws(MalformedBytes) -> UInt16 { try readInteger() }

  /// Reads four bytes.
  public mutating func readUInt32() throws(MalformedBytes) -> UInt32 { try readInteger() }

  /// Reads eight bytes.
  public mutating func readUInt64() throws(MalformedBytes) -> UInt64 { try readInteger() }

  /// Reads one byte that must be 0 or 1.
  public mutating func readBool() throws(MalformedBytes) -> Bool {
    switch try readUInt8() {
    case 0: return false
    case 1: return true
    default: throw MalformedBytes("a truth value is 0 or 1", offset: offset - 1)
    }
  }

  /// Reads exactly `count` bytes.
  public mutating func readRaw(_ count: Int) throws(MalformedBytes) -> Bytes {
    guard count >= 0, count <= remaining else {
      throw MalformedBytes("\(count) bytes announced, \(remaining) left", offset: offset)
    }
    defer { offset += count }
    return Bytes(bytes[offset..<(offset + count)])
  }

  /// Reads a length and that many bytes.
  public mutating func readBytes() throws(MalformedBytes) -> Bytes {
    try readRaw(try readCount(elementBytes: 1))
  }

  /// Reads a length and that many bytes, of which nearly all are expected to be the same: if they are `usual`, that is
  /// given, and shares its memory.
  public mutating func readBytes(usually usual: Bytes) throws(MalformedBytes) -> Bytes {
    let count = try readCount(elementBytes: 1)
    guard count == usual.count, bytes[offset..<(offset + count)].elementsEqual(usual) else {
      return try readRaw(count)
    }
    offset += count
    return usual
  }

  /// Reads a length and that many bytes of UTF-8.
  public mutating func readString() throws(MalformedBytes) -> String {
    let start = offset
    guard let string = String(validating: try readBytes(), as: UTF8.self) else {
      throw MalformedBytes("text is not UTF-8", offset: start)
    }
    return string
  }

  /// Reads the length of a list whose elements take at least `elementBytes` each, and checks that they can be there.
  public mutating func readCount(elementBytes: Int) throws(MalformedBytes) -> Int {
    let start = offset
    let count = Int(try readUInt32())
    guard count <= remaining / max(elementBytes, 1) else {
      throw MalformedBytes("\(count) elements announced in \(remaining) bytes", offset: start)
    }
    return count
  }

  /// Checks that everything has been read.
  public func expectEnd() throws(MalformedBytes) {
    guard remaining == 0 else { throw MalformedBytes("\(remaining) bytes too many", offset: offset) }
  }

  private mutating func readInteger<Value: FixedWidthInteger & UnsignedInteger>() throws(MalformedBytes)
    -> Value
  {
    let size = MemoryLayout<Value>.size
    guard size <= remaining else {
      throw MalformedBytes("\(size) bytes expected, \(remaining) left", offset: offset)
    }
    var value: Value = 0
    for byte in 0..<size { value |= Value(truncatingIfNeeded: bytes[offset + byte]) << Value(8 * byte) }
    offset += size
    return value
  }
}
