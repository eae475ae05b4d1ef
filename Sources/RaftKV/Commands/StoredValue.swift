import RaftCore

/// What stands under a stored key: a value of some kind, with the log index of its last change and, if it does not stay
/// for good, when it expires.
///
/// Its bytes are: the format (1), the kind, flags (bit 0: there is an expiry), the version and the expiry (8 bytes
/// each, little-endian), and the payload, up to the end.
public struct StoredValue: Hashable, Sendable {
  /// What the payload means.
  public enum Kind: UInt8, Hashable, Sendable, CaseIterable {
    /// Bytes. A count of distinct elements is a string, too.
    case string = 1
    /// A JSON text other than a string.
    case json = 2
    /// A bloom filter.
    case bloomFilter = 3
  }

  /// What the payload means.
  public var kind: Kind
  /// The log index of the last change.
  public var version: UInt64
  /// When the value ceases to be there, in milliseconds since 1970; nil if it stays.
  public var expiry: UInt64?
  /// The value itself.
  public var payload: Bytes

  /// A value that is not stored yet, or that is read back. ``Keyspace`` sets the version of what it stores.
  public init(kind: Kind, payload: Bytes, expiry: UInt64? = nil, version: UInt64 = 0) {
    self.kind = kind
    self.version = version
    self.expiry = expiry
    self.payload = payload
  }

  /// Its bytes in the store.
  public var encoded: Bytes {
    var bytes: Bytes = []
    bytes.reserveCapacity(payload.count + 19)
    bytes.append(Self.format)
    bytes.append(kind.rawValue)
    bytes.append(expiry == nil ? 0 : Self.expiryFlag)
    bytes.append(littleEndian: version)
    if let expiry { bytes.append(littleEndian: expiry) }
    bytes += payload
    return bytes
  }

  /// Reads what ``encoded`` wrote; nil if `bytes` are something else.
  public init?(encoded bytes: Bytes) {
    guard let header = Header(bytes) else { return nil }
    self.init(
      kind: header.kind, payload: Bytes(bytes[header.length...]), expiry: header.expiry,
      version: header.version)
  }

  /// What stands in front of the payload, which may be long and need not be copied to know this.
  struct Header {
    var kind: Kind
    var version: UInt64
    var expiry: UInt64?
    var length: Int

    init?(_ bytes: Bytes) {
      guard bytes.count >= 11, bytes[0] == StoredValue.format, let kind = Kind(rawValue: bytes[1]),
        bytes[2] & ~StoredValue.expiryFlag == 0
      else { return nil }
      self.kind = kind
      version = bytes.littleEndian(at: 3)
      length = 11
      guard bytes[2] & StoredValue.expiryFlag != 0 else { return }
      guard bytes.count >= 19 else { return nil }
      expiry = bytes.littleEndian(at: 11)
      length = 19
    }

    /// Whether the value is gone at `time`.
    func isExpired(at time: UInt64) -> Bool { expiry.map { $0 <= time } ?? false }
  }

  private static let format: UInt8 = 1
  private static let expiryFlag: UInt8 = 1
}

extension Bytes {
  /// Adds the eight bytes of `value`, the lowest first.
  mutating func append(littleEndian value: UInt64) {
    for shift in stride(from: 0, to: 64, by: 8) { append(UInt8(truncatingIfNeeded: value >> UInt64(shift))) }
  }

  /// Adds the eight bytes of `value`, the highest first, so that the bytes sort as the numbers do.
  mutating func append(bigEndian value: UInt64) {
    for shift in stride(from: 56, through: 0, by: -8) {
      append(UInt8(truncatingIfNeeded: value >> UInt64(shift)))
    }
  }

  /// The number in the eight bytes from `offset` on, the lowest first.
  func littleEndian(at offset: Int) -> UInt64 {
    var value: UInt64 = 0
    for index in 0..<8 { value |= UInt64(self[offset + index]) << UInt64(8 * index) }
    return value
  }

  /// The number in the eight bytes from `offset` on, the highest first.
  func bigEndian(at offset: Int) -> UInt64 {
    var value: UInt64 = 0
    for index in 0..<8 { value = value << 8 | UInt64(self[offset + index]) }
    return value
  }
}
