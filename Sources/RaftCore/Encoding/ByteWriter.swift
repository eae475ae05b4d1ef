/// Appends values to a byte buffer in the one encoding that frames, log records and commands share: integers are
/// little-endian and of fixed width, lists and strings are preceded by their length as 32 bits.
public struct ByteWriter: Sendable {
  /// What has been written so far. The owner may take it and put it back, to reuse the storage.
  public var bytes: Bytes

  /// Starts with an empty buffer that holds `capacity` bytes before it grows.
  public init(capacity: Int = 0) {
    bytes = []
    bytes.reserveCapacity(capacity)
  }

  /// How many bytes have been written.
  public var count: Int { bytes.count }

  /// Appends one byte.
  public mutating func write(_ value: UInt8) { bytes.append(value) }

  /// Appends two bytes.
  public mutating func write(_ value: UInt16) { writeInteger(value) }

  /// Appends four bytes.
  public mutating func write(_ value: UInt32) { writeInteger(value) }

  /// Appends eight bytes.
  public mutating func write(_ value: UInt64) { writeInteger(value) }

  /// Appends one byte, 0 or 1.
  public mutating func write(_ value: Bool) { bytes.append(value ? 1 : 0) }

  /// Appends bytes as they are, without their length.
  public mutating func writeRaw(_ value: some Sequence<UInt8>) { bytes.append(contentsOf: value) }

  /// Appends bytes as they are, without their length.
  public mutating func writeRaw(_ value: Bytes) { bytes.append(contentsOf: value) }

  /// Appends a length and that many bytes.
  public mutating func write(_ value: Bytes) {
    write(UInt32(value.count))
    bytes.append(contentsOf: value)
  }

  /// Appends a length and the string's UTF-8.
  public mutating func write(_ value: String) {
    write(UInt32(value.utf8.count))
    bytes.append(contentsOf: value.utf8)
  }

  /// Overwrites the four bytes at `offset`, which must have been written before: for a length known only afterwards.
  public mutating func overwrite(_ value: UInt32, at offset: Int) {
    precondition(offset >= 0 && offset + 4 <= bytes.count, "only bytes already written can be overwritten")
    for byte in 0..<4 { bytes[offset + byte] = UInt8(truncatingIfNeeded: value >> (8 * UInt32(byte))) }
  }

  private mutating func writeInteger<Value: FixedWidthInteger & UnsignedInteger & BitwiseCopyable>(
    _ value: Value
  ) {
    var rest = value
    for _ in 0..<MemoryLayout<Value>.size {
      bytes.append(UInt8(truncatingIfNeeded: rest))
      rest >>= 8
    }
  }
}

/// A value that can be written to bytes and read back on any node: commands, results, queries and answers that travel.
public protocol ByteCodable: Sendable {
  /// Appends the value.
  func encode(into writer: inout ByteWriter)

  /// The value's encoding alone. By default it is gathered in a buffer that grows.
  func encoded() -> Bytes

  /// Reads the value back.
  ///
  /// - Throws: ``MalformedBytes`` if the bytes are not what ``encode(into:)`` writes.
  init(from reader: inout ByteReader) throws(MalformedBytes)
}

extension ByteCodable {
  /// Encodes into a buffer that grows.
  public func encoded() -> Bytes {
    var writer = ByteWriter(capacity: 64)
    encode(into: &writer)
    return writer.bytes
  }

  /// Reads a value that takes up all of `bytes`.
  ///
  /// - Throws: ``MalformedBytes`` if the bytes are malformed, or something follows the value.
  public init(decoding bytes: Bytes) throws(MalformedBytes) {
    var reader = ByteReader(bytes)
    try self.init(from: &reader)
    try reader.expectEnd()
  }
}
