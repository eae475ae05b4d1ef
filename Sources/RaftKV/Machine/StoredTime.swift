import RaftCore

// Time is part of the data: after a restart, what has expired must not be there again.

extension Keyspace {
  /// The time of the last command that was applied; 0 if none was.
  var storedTime: UInt64 {
    guard let bytes = backend.get(KeyLayout.timeKey), bytes.count == 8 else { return 0 }
    return bytes.littleEndian(at: 0)
  }

  /// Makes the time part of the data.
  mutating func storeTime() {
    var bytes: Bytes = []
    bytes.append(littleEndian: time)
    backend.put(bytes, for: KeyLayout.timeKey)
  }
}

extension KeyLayout {
  /// Where the time stands: table 4, one record of 8 bytes, little-endian, in milliseconds since 1970.
  static let timeKey: Bytes = [0, 0, 0, 0, 4]
}
