import RaftCore
import Synchronization

/// Where the files of snapshots lie: in `copy-1`, and so on. None of them outlives the process.
final class CopyFolders: Sendable {
  private static let prefix = "copy-"

  private let volume: VolumeFolder
  private let last = Mutex<UInt64>(0)

  /// Removes what a former process has left.
  init(in volume: VolumeFolder) throws(StoreError) {
    self.volume = volume
    for name in try VolumeFolder.names(in: volume.path) where name.hasPrefix(Self.prefix) {
      try VolumeFolder.removeFolder("\(volume.path)/\(name)")
    }
  }

  /// Whether a folder in a volume is one of these.
  static func contains(_ name: String) -> Bool { name.hasPrefix(prefix) }

  private func nextPath() -> String {
    let number = last.withLock { last in
      last += 1
      return last
    }
    return "\(volume.path)/\(Self.prefix)\(number)"
  }

  /// Copies the files of a database as they are now.
  func copy(_ database: RocksDatabase) throws(StoreError) -> SnapshotFolder {
    let path = nextPath()
    do throws(StoreError) {
      try database.checkpoint(to: path)
      return SnapshotFolder(try SnapshotFileList(of: path), at: path, of: volume)
    } catch {
      try? VolumeFolder.removeFolder(path)
      throw error
    }
  }

  /// Begins to receive files, so many bytes with their list.
  func receive(bytes: UInt64) throws(StoreError) -> FolderReception {
    try FolderReception(at: nextPath(), of: volume, bytes: bytes)
  }
}
