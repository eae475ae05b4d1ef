import Glibc
import RaftCore

/// Takes the bytes of a snapshot that is the files of a database, and writes the files as they come.
///
/// `@unchecked Sendable` because one thread at a time uses it.
final class FolderReception: @unchecked Sendable {
  private let path: String
  private let owner: VolumeFolder
  /// How many bytes were announced.
  private let bytes: UInt64
  /// What has come of the list of files, until that is complete.
  private var pendingList: Bytes = []
  private var list: SnapshotFileList?
  /// Which file is being written, and how much of it is still to come.
  private var position = 0
  private var left: UInt64 = 0
  private var file: WrittenFile?
  /// Files that are complete, and not synced yet: nothing waits for the device while there is more to come.
  private var written: [WrittenFile] = []
  private var isTaken = false

  /// Whether a snapshot that begins so consists of files.
  static func isMeant(by bytes: Bytes) -> Bool { bytes.first == SnapshotFileList.mark }

  init(at path: String, of owner: VolumeFolder, bytes: UInt64) throws(StoreError) {
    self.path = path
    self.owner = owner
    self.bytes = bytes
    guard mkdir(path, 0o700) == 0 else {
      throw .failed("the folder \(path) cannot be made: \(String(cString: strerror(errno)))")
    }
  }

  deinit {
    // If some of it stays, the next start removes it.
    if !isTaken { try? VolumeFolder.removeFolder(path) }
  }

  /// Takes what comes next.
  ///
  /// - Returns: False if that is no list of files, or one of other files than were announced.
  /// - Throws: ``StoreError``. The node must stop then.
  func add(_ piece: Bytes) throws(StoreError) -> Bool {
    var rest = piece[...]
    if list == nil {
      pendingList += piece
      guard let (list, count) = readList() else { return pendingList.count < bytes && isListPossible }
      guard list.files.reduce(UInt64(count), { $0 &+ min($1.bytes, bytes) }) == bytes,
        Set(list.files.map(\.name)).count == list.files.count
      else { return false }
      self.list = list
      rest = pendingList[count...]
      pendingList = []
      try beginFile()
    }
    while let file {
      let count = Int(min(UInt64(rest.count), left))
      try file.append(rest.prefix(count))
      rest = rest.dropFirst(count)
      left -= UInt64(count)
      guard left == 0 else { break }
      written.append(file)
      position += 1
      try beginFile()
    }
    return rest.isEmpty
  }

  /// No list is longer.
  private var isListPossible: Bool { pendingList.count <= 64 << 20 }

  private func readList() -> (list: SnapshotFileList, count: Int)? {
    var reader = ByteReader(pendingList)
    guard let list = try? SnapshotFileList(from: &reader) else { return nil }
    return (list, pendingList.count - reader.remaining)
  }

  private func beginFile() throws(StoreError) {
    file = nil
    guard let list, position < list.files.count else { return }
    file = try WrittenFile(list.files[position].name, in: path)
    left = list.files[position].bytes
  }

  /// What was received, when all of it is there and sound; durable.
  func finish(fingerprint: UInt64) throws(StoreError) -> SnapshotFolder? {
    guard let list, position == list.files.count, !isTaken else { return nil }
    for file in written { try file.sync() }
    written = []
    try VolumeFolder.syncFolder(path)
    isTaken = true
    return SnapshotFolder(list, at: path, of: owner, verified: fingerprint)
  }
}

/// A snapshot that a store receives: a stream of values, in pieces under a generation; or the files of a database.
struct Reception: Sendable {
  var progress: SnapshotReception
  var generation: UInt64 = 0
  var files: FolderReception?
  /// The files, when all of them are there.
  var folder: SnapshotFolder?
}
