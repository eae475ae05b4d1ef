import Glibc

/// The folder of one node: made, marked, and locked against a second process.
///
/// `@unchecked Sendable`: nothing in it changes; the lock belongs to the open file.
final class VolumeFolder: @unchecked Sendable {
  /// The only format there is so far.
  static let format = 1
  private static let mark = "raftnode volume, format "

  let path: String
  /// Holds the lock as long as it is open.
  private let lock: Int32

  /// Makes or opens a folder.
  ///
  /// - Throws: ``StoreError/failed(_:)`` with a sentence that names the folder, what is wrong, and what can be done.
  init(at path: String) throws(StoreError) {
    self.path = path
    try Self.makeFolder(path)
    lock = try Self.takeLock(path)
    // If it throws, the lock goes with this object.
    try Self.checkMark(path)
  }

  /// Locks a folder as it is, without changing anything in it.
  ///
  /// - Throws: ``VolumeRefusal`` if it is no volume, or in use.
  init(reading path: String) throws(VolumeRefusal) {
    self.path = path
    lock = try Self.takeLock(reading: path)
  }

  private static func takeLock(reading path: String) throws(VolumeRefusal) -> Int32 {
    var status = stat()
    guard stat(path, &status) == 0 else { throw .noVolume("the folder \(path) cannot be read: \(reason)") }
    guard status.st_mode & S_IFMT == S_IFDIR else { throw .noVolume("\(path) is no folder") }
    let text: String?
    do { text = try contents(of: "\(path)/VOLUME") } catch { throw .noVolume("\(error)") }
    guard let text else {
      throw .noVolume("\(path) holds no file VOLUME: it is not a folder of a node with a database")
    }
    let line = text.prefix { $0 != "\n" }
    guard line.hasPrefix(mark), let number = Int(line.dropFirst(mark.count)) else {
      throw .noVolume("\(path)/VOLUME does not say what \(path) is")
    }
    guard number == format else {
      throw .noVolume("\(path) is of format \(number), and this version reads format \(format)")
    }
    // A volume that was never opened, or was copied without the file, has nobody in it.
    let descriptor = open("\(path)/LOCK", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      if errno == ENOENT { return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
      throw .noVolume("the file \(path)/LOCK cannot be opened: \(reason)")
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let owner = owner(in: descriptor)
      close(descriptor)
      throw .inUse("\(path) is in use by \(owner): stop the node first")
    }
    return descriptor
  }

  deinit { close(lock) }

  private static func makeFolder(_ path: String) throws(StoreError) {
    var prefix = path.hasPrefix("/") ? "" : "."
    for part in path.split(separator: "/") {
      let parent = prefix.isEmpty ? "/" : prefix
      prefix += "/\(part)"
      if mkdir(prefix, 0o700) == 0 {
        try syncFolder(parent)
      } else if errno != EEXIST {
        throw .failed("the folder \(path) cannot be made: \(reason)")
      }
    }
    var status = stat()
    guard stat(path, &status) == 0 else { throw .failed("the folder \(path) cannot be used: \(reason)") }
    guard status.st_mode & S_IFMT == S_IFDIR else { throw .failed("\(path) is no folder; name one") }
  }

  private static func takeLock(_ path: String) throws(StoreError) -> Int32 {
    let file = "\(path)/LOCK"
    let descriptor = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw .failed("the file \(file) cannot be opened: \(reason)") }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let owner = owner(in: descriptor)
      close(descriptor)
      throw .failed(
        "\(path) is in use by \(owner): a folder belongs to one node; name another one, or stop that process")
    }
    // Who holds the lock is only told, never relied on.
    let owner = "\(getpid())\n"
    if ftruncate(descriptor, 0) == 0 { _ = pwrite(descriptor, owner, owner.utf8.count, 0) }
    return descriptor
  }

  /// Who says that he holds the lock.
  private static func owner(in descriptor: Int32) -> String {
    var buffer = [UInt8](repeating: 0, count: 32)
    let count = read(descriptor, &buffer, buffer.count)
    let owner = String(decoding: buffer.prefix(max(0, count)), as: UTF8.self).prefix { $0.isNumber }
    return owner.isEmpty ? "another process" : "process \(owner)"
  }

  /// Reads the mark, or writes it into an empty folder.
  private static func checkMark(_ path: String) throws(StoreError) {
    let file = "\(path)/VOLUME"
    guard let text = try contents(of: file) else {
      if let name = try firstForeignName(in: path) {
        throw .failed(
          "\(path) holds '\(name)' and no file VOLUME: it is not a folder of raftnode; name an empty one")
      }
      return try writeMark(path)
    }
    let line = text.prefix { $0 != "\n" }
    guard line.hasPrefix(mark), let number = Int(line.dropFirst(mark.count)) else {
      throw .corrupt("\(file) does not say what \(path) is")
    }
    guard number == format else {
      throw .failed("\(path) is of format \(number), and this version reads format \(format)")
    }
  }

  private static func writeMark(_ path: String) throws(StoreError) {
    let draft = "\(path)/VOLUME.new"
    let text = "\(mark)\(format)\n"
    let descriptor = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw .failed("the file \(draft) cannot be written: \(reason)") }
    defer { close(descriptor) }
    guard write(descriptor, text, text.utf8.count) == text.utf8.count, fsync(descriptor) == 0,
      rename(draft, "\(path)/VOLUME") == 0
    else { throw .failed("the file \(draft) cannot be written: \(reason)") }
    try syncFolder(path)
  }

  private static func contents(of file: String) throws(StoreError) -> String? {
    let descriptor = open(file, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      if errno == ENOENT { return nil }
      throw .failed("the file \(file) cannot be read: \(reason)")
    }
    defer { close(descriptor) }
    var buffer = [UInt8](repeating: 0, count: 256)
    let count = read(descriptor, &buffer, buffer.count)
    guard count >= 0 else { throw .failed("the file \(file) cannot be read: \(reason)") }
    return String(decoding: buffer.prefix(count), as: UTF8.self)
  }

  /// Something in a folder that a new volume does not have; what a memory node leaves behind is none of it.
  private static func firstForeignName(in path: String) throws(StoreError) -> String? {
    try names(in: path).first { name in
      !["LOCK", "VOLUME.new", "SYNCED", "lost+found"].contains(name) && !name.hasPrefix("members-of-")
    }
  }

  /// What is in a folder, in the order of the names.
  static func names(in path: String) throws(StoreError) -> [String] {
    guard let folder = opendir(path) else { throw .failed("the folder \(path) cannot be read: \(reason)") }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// Removes a folder that holds files alone.
  static func removeFolder(_ path: String) throws(StoreError) {
    for name in try names(in: path) where unlink("\(path)/\(name)") != 0 {
      throw .failed("the file \(path)/\(name) cannot be removed: \(reason)")
    }
    guard rmdir(path) == 0 else { throw .failed("the folder \(path) cannot be removed: \(reason)") }
  }

  /// Makes the names in a folder durable.
  static func syncFolder(_ path: String) throws(StoreError) {
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .failed("the folder \(path) cannot be opened: \(reason)") }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw .failed("the folder \(path) cannot be synced: \(reason)") }
  }

  private static var reason: String { String(cString: strerror(errno)) }
}

/// Why the folder of a stopped node cannot be looked at, or changed, by hand.
package enum VolumeRefusal: Error, Hashable, Sendable, CustomStringConvertible {
  /// It is not a volume, or not one of this version.
  case noVolume(String)
  /// A process holds it.
  case inUse(String)
  /// What it holds does not allow what was asked for.
  case unfit(String)
  /// The environment failed.
  case failed(String)

  package var description: String {
    switch self {
    case .noVolume(let reason), .inUse(let reason), .unfit(let reason), .failed(let reason): reason
    }
  }
}

// For those who only look.
extension VolumeFolder {
  static func isFolder(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  /// How many files lie in a folder, and how many bytes they have; what is in folders below does not count.
  static func sizes(in path: String) throws(StoreError) -> (count: Int, bytes: UInt64) {
    var (count, bytes) = (0, UInt64(0))
    for name in try names(in: path) {
      var status = stat()
      guard lstat("\(path)/\(name)", &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
      count += 1
      bytes += UInt64(max(0, status.st_size))
    }
    return (count, bytes)
  }

  /// How many writes were synced, if that is noted.
  static func syncedCount(in path: String) -> UInt64? {
    guard access("\(path)/SYNCED", F_OK) == 0 else { return nil }
    return try? SyncedCount(reading: path).value
  }
}
