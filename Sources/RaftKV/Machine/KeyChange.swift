import RaftCore

/// What must be true of a key for a change of it to be made. Everything that is named must hold.
public struct KeyCondition: ByteCodable, Hashable {
  /// Nothing stands there, or a JSON null.
  public var isAbsent = false
  /// The value, as a JSON text; null holds for an absent key as well.
  public var value: Bytes?
  /// The log index of its last change; 0 for an absent key.
  public var version: UInt64?

  /// Always holds.
  public init() {}

  /// Whether it always holds.
  public var isNone: Bool { self == KeyCondition() }

  /// Appends the value.
  public func encode(into writer: inout ByteWriter) {
    writer.write((isAbsent ? 1 : 0) | (value == nil ? 0 : 2) | (version == nil ? 0 : 4) as UInt8)
    if let value { writer.write(value) }
    if let version { writer.write(version) }
  }

  /// Reads the value back.
  public init(from reader: inout ByteReader) throws(MalformedBytes) {
    let flags = try reader.readUInt8()
    guard flags < 8 else { throw MalformedBytes("condition \(flags)", offset: reader.offset - 1) }
    isAbsent = flags & 1 != 0
    if flags & 2 != 0 { value = try reader.readBytes() }
    if flags & 4 != 0 { version = try reader.readUInt64() }
  }

  func holds(for found: StoredValue?) -> Bool {
    if isAbsent, !found.isNullOrAbsent { return false }
    if let version, version != found?.version ?? 0 { return false }
    guard let value else { return true }
    let wanted = StoredValue(json: value)
    if wanted.isNull { return found.isNullOrAbsent }
    return found?.kind == wanted.kind && found?.payload == wanted.payload
  }
}

/// One change of one key.
///
/// Layout: action (1 byte: 1 put, 2 put that expires, 3 delete, 4 add), namespace, key, condition, and then, of a put, the
/// value, and how long it stays, in milliseconds, of an addition, the number. Bytes have their length before them.
public struct KeyChange: ByteCodable, Hashable {
  /// What is done.
  public enum Action: Hashable, Sendable {
    /// The value is what a JSON text stands for; it stays for so many milliseconds, or for good.
    case put(Bytes, milliseconds: UInt64?)
    /// The key is removed.
    case delete
    /// A number is added to the value; an absent key counts as 0. What expires still does.
    case add(Int64)
  }

  /// The namespace.
  public var namespace: Bytes
  /// The key.
  public var key: Bytes
  /// What is done.
  public var action: Action
  /// When.
  public var condition: KeyCondition

  /// Names a change.
  public init(namespace: Bytes, key: Bytes, action: Action, condition: KeyCondition = KeyCondition()) {
    self.namespace = namespace
    self.key = key
    self.action = action
    self.condition = condition
  }

  /// About how long its encoding is.
  var bytes: Int {
    let payload = if case .put(let value, _) = action { value.count } else { 0 }
    return namespace.count + key.count + payload + (condition.value?.count ?? 0) + 48
  }

  /// Appends the value.
  public func encode(into writer: inout ByteWriter) {
    switch action {
    case .put(_, nil): writer.write(1 as UInt8)
    case .put: writer.write(2 as UInt8)
    case .delete: writer.write(3 as UInt8)
    case .add: writer.write(4 as UInt8)
    }
    writer.write(namespace)
    writer.write(key)
    condition.encode(into: &writer)
    switch action {
    case .put(let value, let milliseconds):
      writer.write(value)
      if let milliseconds { writer.write(milliseconds) }
    case .delete: break
    case .add(let number): writer.write(UInt64(bitPattern: number))
    }
  }

  /// Reads the value back.
  public init(from reader: inout ByteReader) throws(MalformedBytes) {
    let action = try reader.readUInt8()
    namespace = try reader.readBytes()
    key = try reader.readBytes()
    condition = try KeyCondition(from: &reader)
    switch action {
    case 1: self.action = .put(try reader.readBytes(), milliseconds: nil)
    case 2: self.action = .put(try reader.readBytes(), milliseconds: try reader.readUInt64())
    case 3: self.action = .delete
    case 4: self.action = .add(Int64(bitPattern: try reader.readUInt64()))
    default: throw MalformedBytes("unknown change \(action)", offset: reader.offset)
    }
  }
}

/// What a change has led to. Layout: kind (1 byte: 1 put, 2 deleted, 3 number) and, of a number, 8 bytes.
public enum KeyChangeResult: ByteCodable, Hashable {
  /// The value stands there.
  case put
  /// The key is gone, or was not there.
  case deleted
  /// The sum.
  case number(Int64)

  /// Appends the value.
  public func encode(into writer: inout ByteWriter) {
    switch self {
    case .put: writer.write(1 as UInt8)
    case .deleted: writer.write(2 as UInt8)
    case .number(let number):
      writer.write(3 as UInt8)
      writer.write(UInt64(bitPattern: number))
    }
  }

  /// Reads the value back.
  public init(from reader: inout ByteReader) throws(MalformedBytes) {
    let kind = try reader.readUInt8()
    switch kind {
    case 1: self = .put
    case 2: self = .deleted
    case 3: self = .number(Int64(bitPattern: try reader.readUInt64()))
    default: throw MalformedBytes("unknown result \(kind)", offset: reader.offset - 1)
    }
  }
}

/// Why none of several changes was made. Layout: position (4 bytes), reason (1), version (8).
public struct KeyChangeRefusal: ByteCodable, Hashable {
  /// What was wrong.
  public enum Reason: UInt8, Hashable, Sendable {
    /// The condition does not hold.
    case condition = 1
    /// Something is to be added to what is no whole number of 64 bits.
    case notANumber = 2
    /// The sum is no whole number of 64 bits.
    case overflow = 3
  }

  /// The first change that cannot be made, counted from 0.
  public var position: Int
  /// Why.
  public var reason: Reason
  /// The version of its key; 0 if that is absent.
  public var version: UInt64

  init(position: Int, reason: Reason, version: UInt64) {
    self.position = position
    self.reason = reason
    self.version = version
  }

  /// Appends the value.
  public func encode(into writer: inout ByteWriter) {
    writer.write(UInt32(position))
    writer.write(reason.rawValue)
    writer.write(version)
  }

  /// Reads the value back.
  public init(from reader: inout ByteReader) throws(MalformedBytes) {
    position = Int(try reader.readUInt32())
    let code = try reader.readUInt8()
    guard let reason = Reason(rawValue: code) else {
      throw MalformedBytes("unknown reason \(code)", offset: reader.offset - 1)
    }
    self.reason = reason
    version = try reader.readUInt64()
  }
}

extension StoredValue {
  private static let null = Bytes("null".utf8)

  /// Whether it is a JSON null, which reads like an absent key.
  var isNull: Bool { kind == .json && payload == Self.null }
}

extension StoredValue? {
  var isNullOrAbsent: Bool { self?.isNull ?? true }
}
