import RaftChecksum
import RaftCore

/// Keys of what a replica stores: the Raft group (4 bytes, big-endian; there is one so far, 0), the table (1 byte), and
/// what the table says.
enum StoredKey {
  /// The only Raft group there is so far.
  private static let group: UInt32 = 0

  /// One record each.
  enum Table: UInt8 {
    /// In the consensus store: term, vote, and what is known of the log's end. One record.
    case state = 16
    /// In the consensus store: where the log begins, and the snapshot that it follows. One record.
    case base = 17
    /// In the consensus store: an entry, by its index (8 bytes, big-endian).
    case entry = 18
    /// In the consensus store: who the node is. One record.
    case identity = 19
    /// In the data store: a piece of a snapshot, by its generation and its offset (8 bytes each, big-endian).
    case piece = 32
  }

  static let state = key(.state, [])
  static let base = key(.base, [])
  static let identity = key(.identity, [])

  static func entry(_ index: LogIndex) -> Bytes { key(.entry, [index.rawValue]) }

  /// Behind the last entry.
  static let entriesEnd: Bytes = end(of: key(.entry, []))

  static func piece(generation: UInt64, offset: UInt64) -> Bytes { key(.piece, [generation, offset]) }

  static let piecesEnd: Bytes = end(of: key(.piece, []))

  /// The index in the key of an entry.
  static func index(of key: Bytes) -> LogIndex? {
    guard key.count == 13 else { return nil }
    return LogIndex(number(in: key, at: 5))
  }

  /// Generation and offset in the key of a piece.
  static func place(of key: Bytes) -> (generation: UInt64, offset: UInt64)? {
    guard key.count == 21 else { return nil }
    return (number(in: key, at: 5), number(in: key, at: 13))
  }

  static func isPiece(_ key: Bytes) -> Bool { key.starts(with: self.key(.piece, [])) }

  private static func key(_ table: Table, _ numbers: [UInt64]) -> Bytes {
    var key: Bytes = []
    key.reserveCapacity(5 + 8 * numbers.count)
    for shift in [24, 16, 8, 0] as [UInt32] { key.append(UInt8(truncatingIfNeeded: group >> shift)) }
    key.append(table.rawValue)
    for number in numbers {
      for shift in stride(from: 56 as UInt64, through: 0, by: -8) {
        key.append(UInt8(truncatingIfNeeded: number >> shift))
      }
    }
    return key
  }

  private static func end(of prefix: Bytes) -> Bytes {
    var end = prefix
    end[end.count - 1] += 1
    return end
  }

  private static func number(in key: Bytes, at offset: Int) -> UInt64 {
    key[offset..<(offset + 8)].reduce(0) { $0 << 8 | UInt64($1) }
  }
}

/// The value of every stored pair: a format version (1 byte), a checksum (4 bytes, little-endian) over the key, the version
/// and the content, and the content. With the key in the checksum, a record that was moved to another place is found out.
enum StoredRecord {
  /// The only version there is so far.
  static let version: UInt8 = 1
  private static let headerBytes = 5

  /// Makes the value for `key`, of a content that takes about `capacity` bytes.
  static func write(_ key: Bytes, capacity: Int = 64, _ content: (inout ByteWriter) -> Void) -> Bytes {
    var writer = ByteWriter(capacity: headerBytes + capacity)
    writer.write(version)
    writer.write(UInt32(0))
    content(&writer)
    writer.overwrite(checksum(of: writer.bytes, key: key), at: 1)
    return writer.bytes
  }

  /// Reads the content of a record.
  ///
  /// - Throws: ``StoreError/corrupt(_:)`` if it is damaged, of another version, or not what `content` reads.
  static func read<Content>(
    _ key: Bytes, _ record: Bytes, _ name: @autoclosure () -> String,
    _ content: (inout ByteReader) throws(MalformedBytes) -> Content
  ) throws(StoreError) -> Content {
    guard record.count >= headerBytes else { throw .corrupt("\(name()) is too short: \(record.count) bytes") }
    guard record[0] == version else {
      throw .corrupt("\(name()) is of format \(record[0]); this version reads \(version)")
    }
    var reader = ByteReader(record)
    do throws(MalformedBytes) {
      _ = try reader.readUInt8()
      let expected = try reader.readUInt32()
      guard checksum(of: record, key: key) == expected else {
        throw MalformedBytes("its checksum does not fit", offset: 1)
      }
      let value = try content(&reader)
      try reader.expectEnd()
      return value
    } catch {
      throw .corrupt("\(name()) is damaged: \(error)")
    }
  }

  private static func checksum(of record: Bytes, key: Bytes) -> UInt32 {
    let seed = FastChecksum.crc32c(record, in: 0..<1, seed: FastChecksum.crc32c(key))
    return FastChecksum.crc32c(record, in: headerBytes..<record.count, seed: seed)
  }
}
