import RaftCore

/// Where the data of users stands in the backend's one ordered key space.
///
/// A stored key is: the Raft group (4 bytes, big-endian; there is one so far, 0), the table (1 byte; 1 is user data),
/// the namespace with each byte 0 written as `00 FF`, the end mark `00 01`, and then the key as it is. The end mark
/// cannot occur inside an escaped namespace, so no two pairs of namespace and key share a stored key; and it sorts
/// below every escaped byte, so a namespace is one contiguous range, and namespaces sort by their bytes.
public enum KeyLayout {
  /// The only Raft group there is so far.
  public static let group: UInt32 = 0
  /// The table of user data.
  static let userTable: UInt8 = 1

  /// The stored key of `key` in `namespace`.
  public static func storedKey(namespace: Bytes, key: Bytes) -> Bytes {
    var stored = prefix(namespace: namespace, capacity: key.count)
    stored += key
    return stored
  }

  /// The range that holds all keys of `namespace`, and no others.
  public static func range(of namespace: Bytes) -> (lower: Bytes, upper: Bytes) {
    let lower = prefix(namespace: namespace, capacity: 0)
    var upper = lower
    upper[upper.count - 1] += 1
    return (lower, upper)
  }

  /// Namespace and key of a stored key; nil if it is none of user data.
  public static func split(_ stored: Bytes) -> (namespace: Bytes, key: Bytes)? {
    guard stored.starts(with: [0, 0, 0, 0, userTable]) else { return nil }
    var namespace: Bytes = []
    var index = 5
    while index < stored.count {
      guard stored[index] == 0 else {
        namespace.append(stored[index])
        index += 1
        continue
      }
      guard index + 1 < stored.count else { return nil }
      switch stored[index + 1] {
      case 0x01: return (namespace, Bytes(stored[(index + 2)...]))
      case 0xFF: namespace.append(0)
      default: return nil
      }
      index += 2
    }
    return nil
  }

  private static func prefix(namespace: Bytes, capacity: Int) -> Bytes {
    var prefix: Bytes = []
    prefix.reserveCapacity(namespace.count + capacity + 8)
    for shift in stride(from: 24 as UInt32, through: 0, by: -8) {
      prefix.append(UInt8(truncatingIfNeeded: group >> shift))
    }
    prefix.append(userTable)
    for byte in namespace {
      prefix.append(byte)
      if byte == 0 { prefix.append(0xFF) }
    }
    prefix.append(0x00)
    prefix.append(0x01)
    return prefix
  }
}
