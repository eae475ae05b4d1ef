import RaftCore

/// What changes the key-value store.
///
/// Layout, integers little-endian: format (1 byte, 1), operation (1 byte: 1 put, 2 delete), then namespace, key and, of
/// a put, value, each with its length as 4 bytes before it. Other operations, and other formats, are refused by a
/// version that does not know them.
public enum KeyValueCommand: ByteCodable, Hashable {
  /// Sets the value of a key, whatever it was before.
  case put(namespace: Bytes, key: Bytes, value: Bytes)
  /// Removes a key, if it is there.
  case delete(namespace: Bytes, key: Bytes)

  static let format: UInt8 = 1

  /// Appends the value.
  public func encode(into writer: inout ByteWriter) {
    writer.write(Self.format)
    switch self {
    case .put(let namespace, let key, let value):
      writer.write(1 as UInt8)
      writer.write(namespace)
      writer.write(key)
      writer.write(value)
    case .delete(let namespace, let key):
      writer.write(2 as UInt8)
      writer.write(namespace)
      writer.write(key)
    }
  }

  /// The value's encoding alone.
  public func encoded() -> Bytes {
    var writer = ByteWriter(capacity: 14 + payloadBytes)
    encode(into: &writer)
    return writer.bytes
  }

  private var payloadBytes: Int {
    switch self {
    case .put(let namespace, let key, let value): namespace.count + key.count + value.count
    case .delete(let namespace, let key): namespace.count + key.count
    }
  }

  /// Reads the value back.
  public init(from reader: inout ByteReader) throws(MalformedBytes) {
    let operation = try reader.readOperation(format: Self.format)
    switch operation {
    case 1:
      self = .put(
        namespace: try reader.readBytes(), key: try reader.readBytes(), value: try reader.readBytes())
    case 2:
      self = .delete(namespace: try reader.readBytes(), key: try reader.readBytes())
    default:
      throw MalformedBytes("unknown key-value operation \(operation)", offset: reader.offset - 1)
    }
  }
}

/// What a command answers, the same on every replica. Layout: format (1 byte, 1), kind (1 byte: 1 done).
public enum KeyValueOutcome: ByteCodable, Hashable {
  /// The command ran.
  case done

  /// Appends the value.
  public func encode(into writer: inout ByteWriter) {
    writer.write(KeyValueCommand.format)
    switch self {
    case .done: writer.write(1 as UInt8)
    }
  }

  /// Reads the value back.
  public init(from reader: inout ByteReader) throws(MalformedBytes) {
    let kind = try reader.readOperation(format: KeyValueCommand.format)
    guard kind == 1 else {
      throw MalformedBytes("unknown key-value outcome \(kind)", offset: reader.offset - 1)
    }
    self = .done
  }
}

/// What asks the key-value store.
public enum KeyValueQuery: Hashable, Sendable {
  /// The value of a key.
  case get(namespace: Bytes, key: Bytes)
}

/// What a query answers.
public enum KeyValueAnswer: Hashable, Sendable {
  /// The value as it was put; nil if the key is absent.
  case value(Bytes?)
}

extension ByteReader {
  /// Reads a format byte, which must be `format`, and the byte that tells what follows.
  fileprivate mutating func readOperation(format expected: UInt8) throws(MalformedBytes) -> UInt8 {
    let format = try readUInt8()
    guard format == expected else {
      throw MalformedBytes("key-value format \(format), this version reads \(expected)", offset: offset - 1)
    }
    return try readUInt8()
  }
}
