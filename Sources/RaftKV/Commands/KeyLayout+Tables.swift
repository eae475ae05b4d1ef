import RaftCore

/// The tables beside user data. All begin with the group and the number of the table.
///
/// - Table 2, when keys expire: the expiry (8 bytes, big-endian), and then what follows the table's number in the
///   stored key of the user's data. The values are empty. What expires first comes first.
/// - Table 3, how many keys there are: the namespace as it is; the value is a number (8 bytes, little-endian) that is
///   not 0.
extension KeyLayout {
  private static let expiryTable: UInt8 = 2
  private static let countTable: UInt8 = 3
  /// How many bytes the group and the number of the table take.
  private static let tableLength = 5

  /// Where the key of user data `stored` stands in the table of expiries.
  static func expiryKey(at expiry: UInt64, of stored: Bytes) -> Bytes {
    var key = table(expiryTable, capacity: stored.count + 8)
    key.append(bigEndian: expiry)
    key += stored[tableLength...]
    return key
  }

  /// The expiry in a key of the table of expiries, and the key of user data that it belongs to.
  static func splitExpiryKey(_ key: Bytes) -> (expiry: UInt64, stored: Bytes)? {
    guard key.count >= tableLength + 8 else { return nil }
    return (key.bigEndian(at: tableLength), table(1, capacity: key.count) + key[(tableLength + 8)...])
  }

  /// Where the number of keys in `namespace` stands.
  static func countKey(namespace: Bytes) -> Bytes {
    table(countTable, capacity: namespace.count) + namespace
  }

  /// The namespace in a key of the table of counts.
  static func splitCountKey(_ key: Bytes) -> Bytes { Bytes(key.dropFirst(tableLength)) }

  /// The range of the table of expiries.
  static var expiries: (lower: Bytes, upper: Bytes) { range(from: expiryTable, through: expiryTable) }

  /// The range of the table of counts.
  static var counts: (lower: Bytes, upper: Bytes) { range(from: countTable, through: countTable) }

  /// The range of the tables that hold user data, and what is known of it.
  static var userTables: (lower: Bytes, upper: Bytes) { range(from: 1, through: countTable) }

  private static func range(from first: UInt8, through last: UInt8) -> (lower: Bytes, upper: Bytes) {
    (table(first, capacity: 0), table(last + 1, capacity: 0))
  }

  private static func table(_ number: UInt8, capacity: Int) -> Bytes {
    var key: Bytes = []
    key.reserveCapacity(tableLength + capacity)
    key += [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: group >> $0) }
    key.append(number)
    return key
  }
}
