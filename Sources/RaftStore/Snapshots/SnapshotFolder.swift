import CFile
import Glibc
import RaftCore
import Synchronization

/// A state as the files of its database: a snapshot that costs no copying where it is taken, nor where it is installed.
///
/// As a snapshot's bytes it is ``SnapshotFileList``, and then the content of each file. The files go when this object does.
///
/// `@unchecked Sendable`: nothing in it changes but the file that is open, which the lock guards.
public final class SnapshotFolder: @unchecked Sendable {
  /// The folder; it belongs to this object.
  let path: String
  private let files: SnapshotFileList
  private let head: Bytes
  /// Where each file begins in the snapshot.
  private let starts: [UInt64]
  /// The file that was read last: pieces come in order.
  private let opened = Mutex<OpenedFile?>(nil)
  private let owner: VolumeFolder

  /// How many bytes the snapshot has.
  public let bytes: UInt64
  /// Names the bytes: ``SnapshotFingerprint``.
  public private(set) var fingerprint: UInt64 = 0

  /// Takes over a folder of files that nobody changes.
  init(_ files: SnapshotFileList, at path: String, of owner: VolumeFolder) {
    self.path = path
    self.files = files
    self.owner = owner
    let head = files.encoded()
    self.head = head
    var next = UInt64(head.count)
    var starts: [UInt64] = []
    for file in files.files {
      starts.append(next)
      next += file.bytes
    }
    self.starts = starts
    bytes = next
  }

  /// Takes over a folder whose bytes were received, and found to be what their fingerprint says.
  convenience init(
    _ files: SnapshotFileList, at path: String, of owner: VolumeFolder, verified fingerprint: UInt64
  ) {
    self.init(files, at: path, of: owner)
    self.fingerprint = fingerprint
  }

  deinit {
    // If some of it stays, the next start removes it.
    try? VolumeFolder.removeFolder(path)
  }

  /// The state that the files are, to be looked at.
  ///
  /// - Throws: ``StoreError``.
  package func state() throws(StoreError) -> MachineState {
    var options = RocksDatabase.Options(hasLog: false, cacheBytes: 1 << 20, writeBufferBytes: 1 << 20)
    options.isReadOnly = true
    return MachineState(try RocksDatabase(at: path, options, holding: self), generation: 0)
  }

  /// Reads everything, to name it.
  ///
  /// - Parameter isBroken: Asked again and again whether to end with an error, because the node stops.
  /// - Throws: ``StoreError``.
  package func takeFingerprint(unless isBroken: () -> Bool) throws(StoreError) {
    var running = SnapshotFingerprint()
    var offset: UInt64 = 0
    while offset < bytes {
      guard !isBroken() else { throw .failed("the node stops") }
      let piece = try read(at: offset, Int(min(bytes - offset, 1 << 20)))
      running.add(piece)
      offset += UInt64(piece.count)
    }
    fingerprint = running.value
  }

  /// The bytes `[offset, offset + count)`, which are there.
  ///
  /// - Throws: ``StoreError``.
  func read(at offset: UInt64, _ count: Int) throws(StoreError) -> Bytes {
    var piece: Bytes = []
    var offset = offset
    let end = min(offset + UInt64(count), bytes)
    if offset < UInt64(head.count) {
      piece.reserveCapacity(count)
      piece += head[Int(offset)..<Int(min(end, UInt64(head.count)))]
      offset += UInt64(piece.count)
    }
    var position = (starts.firstIndex { $0 > offset } ?? starts.count) - 1
    while offset < end, position < starts.count {
      let file = files.files[position]
      let within = offset - starts[position]
      let wanted = min(end - offset, file.bytes - within)
      if wanted > 0 { try append(Int(wanted), of: file.name, from: within, to: &piece) }
      offset += wanted
      position += 1
    }
    return piece
  }

  private func append(
    _ count: Int, of name: String, from offset: UInt64, to piece: inout Bytes
  ) throws(StoreError) {
    let result = opened.withLock { opened -> Result<Bytes, StoreError> in
      do throws(StoreError) {
        if opened?.name != name { opened = try OpenedFile(name, in: path) }
        return .success(try opened?.read(from: offset, count) ?? [])
      } catch {
        return .failure(error)
      }
    }
    let content = try result.get()
    if piece.isEmpty { piece = content } else { piece += content }
  }

  /// Makes the files a folder of their own, which may be changed: those that a database never changes are shared.
  ///
  /// - Throws: ``StoreError``.
  func share(as target: String) throws(StoreError) {
    guard mkdir(target, 0o700) == 0 else {
      throw .failed("the folder \(target) cannot be made: \(String(cString: strerror(errno)))")
    }
    for file in files.files {
      let (source, copy) = ("\(path)/\(file.name)", "\(target)/\(file.name)")
      if file.name.hasSuffix(".sst") {
        guard link(source, copy) == 0 else {
          throw .failed("the file \(copy) cannot be made: \(String(cString: strerror(errno)))")
        }
      } else {
        let content = try OpenedFile(file.name, in: path).read(from: 0, Int(file.bytes))
        let written = try WrittenFile(file.name, in: target)
        try written.append(content[...])
        try written.sync()
      }
    }
    try VolumeFolder.syncFolder(target)
  }
}

/// The files of which a snapshot consists, in order.
struct SnapshotFileList: Hashable, Sendable, ByteCodable {
  /// The first byte of such a snapshot. One that is a stream of values begins with another one.
  static let mark: UInt8 = 0xF1
  private static let format: UInt8 = 1
  /// The most files; a database of a terabyte has fewer.
  private static let countMax = 1 << 20

  /// One of them.
  struct File: Hashable, Sendable {
    var name: String
    var bytes: UInt64
  }

  var files: [File]

  init(files: [File]) { self.files = files }

  /// The files in a folder.
  init(of path: String) throws(StoreError) {
    files = []
    for name in try VolumeFolder.names(in: path) {
      files.append(File(name: name, bytes: try OpenedFile(name, in: path).size()))
    }
  }

  func encode(into writer: inout ByteWriter) {
    writer.write(Self.mark)
    writer.write(Self.format)
    writer.write(UInt32(files.count))
    for file in files {
      writer.write(file.name)
      writer.write(file.bytes)
    }
  }

  init(from reader: inout ByteReader) throws(MalformedBytes) {
    guard try reader.readUInt8() == Self.mark else { throw MalformedBytes("no list of files", offset: 0) }
    let format = try reader.readUInt8()
    guard format == Self.format else {
      throw MalformedBytes("list of files of format \(format), this version reads \(Self.format)", offset: 1)
    }
    let count = try reader.readUInt32()
    guard count <= Self.countMax else { throw MalformedBytes("\(count) files", offset: 2) }
    files = []
    for _ in 0..<count {
      let name = try reader.readString()
      guard Self.isName(name) else {
        throw MalformedBytes("no name of a file: '\(name.prefix(64))'", offset: 6)
      }
      files.append(File(name: name, bytes: try reader.readUInt64()))
    }
  }

  /// Whether a name that came from elsewhere stays in its folder.
  private static func isName(_ name: String) -> Bool {
    (1...128).contains(name.utf8.count) && !name.hasPrefix(".")
      && name.utf8.allSatisfy {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
          || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0)
          || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
          || [UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_")].contains($0)
      }
  }
}

/// A file that is read.
final class OpenedFile {
  let name: String
  private let path: String
  private let descriptor: Int32

  init(_ name: String, in folder: String) throws(StoreError) {
    self.name = name
    path = "\(folder)/\(name)"
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw .failed("the file \(path) cannot be opened: \(String(cString: strerror(errno)))")
    }
  }

  deinit { close(descriptor) }

  func size() throws(StoreError) -> UInt64 {
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw .failed("\(path) is no file that can be read")
    }
    return UInt64(status.st_size)
  }

  func read(from offset: UInt64, _ count: Int) throws(StoreError) -> Bytes {
    var failure: StoreError?
    let bytes = Bytes(unsafeUninitializedCapacity: count) { buffer, filled in
      while filled < count {
        let step = pread(
          descriptor, UnsafeMutableRawPointer(buffer.baseAddress)?.advanced(by: filled), count - filled,
          off_t(offset) + off_t(filled))
        if step < 0, errno == EINTR { continue }
        guard step > 0 else {
          let reason = step == 0 ? "it ends too early" : String(cString: strerror(errno))
          failure = .failed("the file \(path) cannot be read: \(reason)")
          return
        }
        filled += step
      }
    }
    if let failure { throw failure }
    return bytes
  }
}

/// A new file that is written from its beginning to its end.
final class WrittenFile {
  private let path: String
  private let descriptor: Int32
  /// How much is written, and how much of that is on its way to the device.
  private var bytes: UInt64 = 0
  private var begun: UInt64 = 0

  private static let stepBytes: UInt64 = 4 << 20

  init(_ name: String, in folder: String) throws(StoreError) {
    path = "\(folder)/\(name)"
    descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw .failed("the file \(path) cannot be made: \(String(cString: strerror(errno)))")
    }
  }

  deinit { close(descriptor) }

  func append(_ bytes: ArraySlice<UInt8>) throws(StoreError) {
    let isWritten = bytes.withUnsafeBytes { buffer in
      var done = 0
      while done < buffer.count {
        let step = write(descriptor, buffer.baseAddress?.advanced(by: done), buffer.count - done)
        if step < 0, errno == EINTR { continue }
        guard step > 0 else { return false }
        done += step
      }
      return true
    }
    guard isWritten else {
      throw .failed("the file \(path) cannot be written: \(String(cString: strerror(errno)))")
    }
    self.bytes += UInt64(bytes.count)
    if self.bytes - begun >= Self.stepBytes { beginSync() }
  }

  /// Has the device begin with what was written, so that little is left to wait for when the file is synced: syncs of
  /// other files, which clients wait for, would otherwise wait behind a gigabyte. It promises nothing, and may fail.
  private func beginSync() {
    _ = sync_file_range(descriptor, Int64(begun), Int64(bytes - begun), sync_file_range_write)
    begun = bytes
  }

  func sync() throws(StoreError) {
    guard fsync(descriptor) == 0 else {
      throw .failed("the file \(path) cannot be synced: \(String(cString: strerror(errno)))")
    }
  }
}
