import Glibc
import RaftChecksum
import RaftCore

/// How many writes of a node were synced, at least: noted in a file of its own after each sync, and not synced itself.
///
/// A log that has been cut, or put back from a copy, looks like one that was never longer. This file tells the difference
/// whenever it was not lost with it: always, if the machine has kept running, and mostly otherwise. It can only be behind:
/// the number grows, and is written when the sync has returned.
final class SyncedCount: Sendable {
  private let descriptor: Int32
  private let path: String

  /// - Throws: ``StoreError`` if the file cannot be opened.
  init(in folder: String) throws(StoreError) {
    path = "\(folder)/SYNCED"
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw .failed("the file \(path) cannot be opened: \(String(cString: strerror(errno)))")
    }
  }

  /// Looks at the file, and does not change it.
  ///
  /// - Throws: ``StoreError`` if it cannot be opened.
  init(reading folder: String) throws(StoreError) {
    path = "\(folder)/SYNCED"
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw .failed("the file \(path) cannot be opened: \(String(cString: strerror(errno)))")
    }
  }

  deinit { close(descriptor) }

  /// The number; 0 if none was noted, or it cannot be read.
  var value: UInt64 {
    var record = Bytes(repeating: 0, count: 12)
    guard pread(descriptor, &record, record.count, 0) == record.count else { return 0 }
    var reader = ByteReader(record)
    guard let value = try? reader.readUInt64(), let checksum = try? reader.readUInt32(),
      checksum == FastChecksum.crc32c(record, in: 0..<8)
    else { return 0 }
    return value
  }

  /// Notes that so many writes are synced. That it cannot be written does no harm.
  func note(_ value: UInt64) {
    var writer = ByteWriter(capacity: 12)
    writer.write(value)
    writer.write(FastChecksum.crc32c(writer.bytes))
    _ = pwrite(descriptor, writer.bytes, writer.bytes.count, 0)
  }
}
