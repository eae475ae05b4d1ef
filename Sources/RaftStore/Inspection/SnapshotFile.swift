import Glibc
import RaftChecksum
import RaftCore

/// A snapshot in a file of its own, to be kept elsewhere.
///
/// Layout; numbers are little-endian, checksums CRC-32C:
/// - The head: `RAFTSNAP` (8 bytes), format (1 byte, 1), the last entry (term and index, 8 bytes each), the cluster that
///   it was taken from (8), how many bytes the snapshot has (8), its fingerprint (8), when it was taken, in milliseconds
///   since 1970 (8), checksum of all that (4).
/// - Chunks: length (4 bytes, 1 to 1,048,576), checksum of the content (4), the content.
/// - The end: length 0 (4 bytes), checksum of everything before it, the length included (4). Nothing follows.
package enum SnapshotFile {
  /// What the head says.
  package struct Head: Hashable, Sendable {
    /// The last entry whose effect the snapshot holds.
    package var last: EntryID
    /// Where it was taken.
    package var cluster: ClusterID
    /// How many bytes it has.
    package var bytes: UInt64
    /// Names these bytes: ``SnapshotFingerprint``.
    package var fingerprint: UInt64
    /// When it was taken, in milliseconds since 1970.
    package var takenAt: UInt64

    package init(
      last: EntryID, cluster: ClusterID, bytes: UInt64, fingerprint: UInt64, takenAt: UInt64
    ) {
      self.last = last
      self.cluster = cluster
      self.bytes = bytes
      self.fingerprint = fingerprint
      self.takenAt = takenAt
    }
  }

  static let mark = Bytes("RAFTSNAP".utf8)
  static let format: UInt8 = 1
  static let headBytes = 8 + 1 + 16 + 4 * 8 + 4
  static let chunkBytesMax = 1 << 20

  /// Reads a whole file, and believes nothing.
  ///
  /// - Throws: ``VolumeRefusal`` if it cannot be read, or is not whole.
  package static func verify(
    _ path: String, tell: (UInt64, UInt64) -> Void = { _, _ in }
  ) throws(VolumeRefusal) -> Head {
    let reader = try SnapshotFileReader(path)
    while try reader.next() != nil { tell(reader.offset, reader.head.bytes) }
    return reader.head
  }
}

extension SnapshotFile.Head {
  func encoded() -> Bytes {
    var writer = ByteWriter(capacity: SnapshotFile.headBytes)
    writer.writeRaw(SnapshotFile.mark)
    writer.write(SnapshotFile.format)
    writer.write(last.term.rawValue)
    writer.write(last.index.rawValue)
    writer.write(cluster.rawValue)
    writer.write(bytes)
    writer.write(fingerprint)
    writer.write(takenAt)
    writer.write(FastChecksum.crc32c(writer.bytes))
    return writer.bytes
  }

  init(_ content: Bytes, in path: String) throws(VolumeRefusal) {
    guard content.starts(with: SnapshotFile.mark), content.count > SnapshotFile.mark.count else {
      throw .unfit("\(path) is no snapshot file")
    }
    let format = content[SnapshotFile.mark.count]
    guard format == SnapshotFile.format else {
      throw .unfit("\(path) is of format \(format), and this version reads format \(SnapshotFile.format)")
    }
    do throws(MalformedBytes) {
      var reader = ByteReader(content)
      _ = try reader.readRaw(SnapshotFile.mark.count + 1)
      let term = Term(try reader.readUInt64())
      last = EntryID(term: term, index: LogIndex(try reader.readUInt64()))
      cluster = ClusterID(try reader.readUInt64())
      bytes = try reader.readUInt64()
      fingerprint = try reader.readUInt64()
      takenAt = try reader.readUInt64()
      guard try reader.readUInt32() == FastChecksum.crc32c(content, in: 0..<(content.count - 4)) else {
        throw MalformedBytes("its checksum does not fit", offset: content.count - 4)
      }
      try reader.expectEnd()
    } catch {
      throw .unfit("the head of \(path) is damaged: \(error)")
    }
  }
}

/// Writes a snapshot file under a name of its own, `PATH.partial`, until it is whole and on the device.
package final class SnapshotFileWriter {
  private let path: String
  private let draft: String
  private let head: SnapshotFile.Head
  private let descriptor: Int32
  private var checksum: UInt32 = 0
  private var fingerprint = SnapshotFingerprint()
  private var pending: Bytes = []
  private var isFinished = false
  /// How many bytes of the snapshot were added.
  package private(set) var bytes: UInt64 = 0

  /// Begins a file.
  ///
  /// - Throws: ``VolumeRefusal`` if there is one already, or it cannot be written.
  package init(_ path: String, _ head: SnapshotFile.Head) throws(VolumeRefusal) {
    self.path = path
    self.head = head
    draft = "\(path).partial"
    guard access(path, F_OK) != 0 else { throw .unfit("\(path) is there already: name another file") }
    descriptor = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw .failed("the file \(draft) cannot be written: \(Self.reason)") }
    try write(head.encoded())
  }

  /// What is not whole does not stay.
  deinit {
    guard descriptor >= 0 else { return }
    close(descriptor)
    if !isFinished { unlink(draft) }
  }

  /// Appends what follows of the snapshot.
  package func add(_ content: Bytes) throws(VolumeRefusal) {
    fingerprint.add(content)
    bytes += UInt64(content.count)
    pending += content
    while pending.count >= SnapshotFile.chunkBytesMax {
      try writeChunk(Bytes(pending[..<SnapshotFile.chunkBytesMax]))
      pending.removeFirst(SnapshotFile.chunkBytesMax)
    }
  }

  /// Makes the file durable, and gives it its name.
  ///
  /// - Throws: ``VolumeRefusal`` if it cannot be written, or the bytes are not what the head announces.
  package func finish() throws(VolumeRefusal) {
    guard bytes == head.bytes, fingerprint.value == head.fingerprint else {
      throw .unfit("the snapshot arrived damaged: \(bytes) bytes of \(head.bytes); try again")
    }
    if !pending.isEmpty { try writeChunk(pending) }
    var end = ByteWriter(capacity: 8)
    end.write(UInt32(0))
    end.write(FastChecksum.crc32c(end.bytes, in: 0..<4, seed: checksum))
    try write(end.bytes)
    guard fsync(descriptor) == 0 else { throw .failed("the file \(draft) cannot be synced: \(Self.reason)") }
    guard rename(draft, path) == 0 else { throw .failed("\(draft) cannot be renamed: \(Self.reason)") }
    isFinished = true
    let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    do throws(StoreError) { try VolumeFolder.syncFolder(folder) } catch { throw .failed("\(error)") }
  }

  private func writeChunk(_ content: Bytes) throws(VolumeRefusal) {
    var writer = ByteWriter(capacity: content.count + 8)
    writer.write(UInt32(content.count))
    writer.write(FastChecksum.crc32c(content))
    writer.writeRaw(content)
    try write(writer.bytes)
  }

  private func write(_ content: Bytes) throws(VolumeRefusal) {
    checksum = FastChecksum.crc32c(content, in: 0..<content.count, seed: checksum)
    var rest = content[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw .failed("the file \(draft) cannot be written: \(Self.reason)") }
      rest = rest.dropFirst(count)
    }
  }

  private static var reason: String { String(cString: strerror(errno)) }
}

/// Reads a snapshot file from its beginning to its end, once, and checks everything on the way.
package final class SnapshotFileReader {
  package let head: SnapshotFile.Head
  private let path: String
  private let descriptor: Int32
  private var checksum: UInt32 = 0
  private var fingerprint = SnapshotFingerprint()
  private var isAtEnd = false
  /// How many bytes of the snapshot were given.
  package private(set) var offset: UInt64 = 0

  /// Opens a file.
  ///
  /// - Throws: ``VolumeRefusal`` if it cannot be read, or is none.
  package init(_ path: String) throws(VolumeRefusal) {
    self.path = path
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw .noVolume("the file \(path) cannot be read: \(String(cString: strerror(errno)))")
    }
    self.descriptor = descriptor
    var start: Bytes = []
    do throws(VolumeRefusal) {
      start = try Self.read(SnapshotFile.headBytes, from: descriptor, path)
      head = try SnapshotFile.Head(start, in: path)
    } catch {
      close(descriptor)
      throw error
    }
    checksum = FastChecksum.crc32c(start)
  }

  deinit { close(descriptor) }

  /// What follows of the snapshot; nil behind its end, once all of it has turned out to be what was written.
  ///
  /// - Throws: ``VolumeRefusal`` if it is damaged, cut off, or goes on behind its end.
  package func next() throws(VolumeRefusal) -> Bytes? {
    guard !isAtEnd else { return nil }
    let start = try take(8)
    guard start.count == 8 else { throw cutOff }
    let length = Self.number(start, at: 0)
    guard length > 0 else { return try end(Self.number(start, at: 4), before: start) }
    checksum = FastChecksum.crc32c(start, in: 0..<8, seed: checksum)
    guard length <= SnapshotFile.chunkBytesMax else { throw damaged }
    let content = try take(Int(length))
    guard content.count == Int(length) else { throw cutOff }
    guard FastChecksum.crc32c(content) == Self.number(start, at: 4), offset + UInt64(length) <= head.bytes
    else {
      throw damaged
    }
    checksum = FastChecksum.crc32c(content, in: 0..<content.count, seed: checksum)
    fingerprint.add(content)
    offset += UInt64(length)
    return content
  }

  private func end(_ expected: UInt32, before last: Bytes) throws(VolumeRefusal) -> Bytes? {
    guard FastChecksum.crc32c(last, in: 0..<4, seed: checksum) == expected, offset == head.bytes,
      fingerprint.value == head.fingerprint, try take(1).isEmpty
    else { throw damaged }
    isAtEnd = true
    return nil
  }

  private var damaged: VolumeRefusal {
    .unfit("\(path) is damaged behind byte \(offset) of the snapshot: use another copy")
  }

  private var cutOff: VolumeRefusal {
    .unfit("\(path) is cut off behind byte \(offset) of \(head.bytes) of the snapshot: use another copy")
  }

  private func take(_ count: Int) throws(VolumeRefusal) -> Bytes {
    try Self.read(count, from: descriptor, path)
  }

  /// So many bytes; fewer at the end of the file.
  private static func read(
    _ count: Int, from descriptor: Int32, _ path: String
  ) throws(VolumeRefusal) -> Bytes {
    var content = Bytes(repeating: 0, count: count)
    var filled = 0
    while filled < count {
      let step = content.withUnsafeMutableBytes {
        Glibc.read(descriptor, $0.baseAddress.map { $0 + filled }, count - filled)
      }
      if step < 0, errno == EINTR { continue }
      guard step >= 0 else {
        throw .failed("the file \(path) cannot be read: \(String(cString: strerror(errno)))")
      }
      if step == 0 { break }
      filled += step
    }
    content.removeLast(count - filled)
    return content
  }

  private static func number(_ bytes: Bytes, at offset: Int) -> UInt32 {
    (0..<4).reduce(0) { $0 | UInt32(bytes[offset + $1]) << UInt32(8 * $1) }
  }
}
