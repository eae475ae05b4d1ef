import Glibc
import RaftChecksum
import RaftCore

/// Looks at the files of a database that does not open: which of them is damaged, and whether the damage is no more than the
/// end of a write that the power cut off.
///
/// RocksDB takes a log that ends in the middle of a record for one that was cut off, and drops the record. But a file
/// system may have made the file longer before the bytes were there: then it ends in zeros. Nothing that was synced looks
/// like that.
///
/// A log is blocks of 32 KiB with records in them: a checksum (4 bytes), a length (2) and a type (1), then the content;
/// no record goes on in the next block, long ones are parts of their own type.
struct LogFiles {
  private static let blockBytes = 32 << 10
  private static let headerBytes = 7

  private let folder: String
  private let names: [String]

  init(in folder: String) throws(StoreError) {
    self.folder = folder
    names = try VolumeFolder.names(in: folder)
  }

  /// Something that has to be there and is not; nil if all is there that can be told.
  var missing: String? {
    // A database that was being made when its node ended has no data yet.
    let hasData = names.contains { $0.hasSuffix(".sst") || $0.hasSuffix(".log") }
    let isMade = hasData && names.contains { $0.hasPrefix("MANIFEST-") }
    return isMade && !names.contains("CURRENT") ? "\(folder)/CURRENT" : nil
  }

  /// The first log that has a damaged record, and where that record begins.
  func firstDamage() throws(StoreError) -> (file: String, offset: Int, isTorn: Bool)? {
    let logs = names.filter { $0.hasSuffix(".log") }
    for name in logs {
      let content = try Self.contents(of: "\(folder)/\(name)")
      guard let damage = Self.firstDamage(in: content) else { continue }
      // Only the newest log can have been written to when the power failed.
      return ("\(folder)/\(name)", damage.offset, damage.endsInZeros && name == logs.last)
    }
    return nil
  }

  /// Cuts a log off before a record that was not written completely.
  static func cut(_ file: String, at offset: Int) throws(StoreError) {
    let descriptor = open(file, O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .failed("the file \(file) cannot be opened: \(reason)") }
    defer { close(descriptor) }
    guard ftruncate(descriptor, offset) == 0, fsync(descriptor) == 0 else {
      throw .failed("the file \(file) cannot be cut: \(reason)")
    }
  }

  static func firstDamage(in log: Bytes) -> (offset: Int, endsInZeros: Bool)? {
    let written = (log.lastIndex { $0 != 0 } ?? -1) + 1
    var offset = 0
    while offset < log.count {
      let left = blockBytes - offset % blockBytes
      guard left >= headerBytes else {
        offset += left
        continue
      }
      // A header that is not there completely, or was never written.
      if offset + headerBytes > log.count || offset >= written { return nil }
      let length = Int(log[offset + 4]) | Int(log[offset + 5]) << 8
      let end = offset + headerBytes + length
      if end > log.count, length <= left - headerBytes { return nil }
      guard length <= left - headerBytes, isSound(log, offset, end) else { return (offset, written < end) }
      offset = end
    }
    return nil
  }

  private static func isSound(_ log: Bytes, _ offset: Int, _ end: Int) -> Bool {
    var stored: UInt32 = 0
    for byte in 0..<4 { stored |= UInt32(log[offset + byte]) << UInt32(8 * byte) }
    let checksum = FastChecksum.crc32c(log, in: (offset + 6)..<end)
    // Checksums of bytes that hold checksums are stored turned and shifted.
    return stored == (checksum >> 15 | checksum << 17) &+ 0xa282_ead8
  }

  private static func contents(of file: String) throws(StoreError) -> Bytes {
    let descriptor = open(file, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .failed("the file \(file) cannot be read: \(reason)") }
    defer { close(descriptor) }
    var content: Bytes = []
    var buffer = Bytes(repeating: 0, count: 1 << 20)
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      guard count >= 0 else { throw .failed("the file \(file) cannot be read: \(reason)") }
      if count == 0 { return content }
      content += buffer[..<count]
    }
  }

  private static var reason: String { String(cString: strerror(errno)) }
}
