import Synchronization

/// Where a durable node keeps everything, and how.
public struct VolumeOptions: Hashable, Sendable {
  /// The folder, for one node alone; made if it is missing.
  public var path: String
  /// How much memory the database uses to keep what was read, in bytes. Default 32 MiB.
  public var cacheBytes = 32 << 20
  /// How much the database gathers in memory before it writes a file, in bytes. Default 16 MiB.
  public var writeBufferBytes = 16 << 20
  /// Whether what is proved to be durable is on the device. Default true; false is for data that may be thrown away. Terms
  /// and votes are synced nevertheless.
  public var isSynced = true

  /// The defaults for a folder.
  public init(path: String) { self.path = path }
}

/// A folder in which a node keeps everything.
public enum Volume {
  /// Opens the databases of a node.
  ///
  /// - Parameters:
  ///   - options: Where, and how.
  ///   - keepsState: Whether the state machine keeps its state here (``MachineState``), in a database of its own; if not, it
  ///     starts from snapshots.
  /// - Throws: ``StoreError`` with a sentence that names the folder, what is wrong, and what can be done.
  public static func open(
    _ options: VolumeOptions, keepsState: Bool = false
  ) throws(StoreError) -> DurableStore<RocksBackend> {
    let folder = try VolumeFolder(at: options.path)
    let consensus = try RocksDatabase(
      at: options.path + "/consensus",
      .init(hasLog: true, cacheBytes: 1 << 20, writeBufferBytes: options.writeBufferBytes))
    let snapshots = try RocksDatabase(
      at: options.path + "/snapshots",
      .init(hasLog: false, cacheBytes: 1 << 20, writeBufferBytes: 4 << 20))
    try VolumeFolder.syncFolder(options.path)
    return DurableStore(
      consensus: RocksBackend(consensus, in: folder), data: RocksBackend(snapshots, in: folder),
      states: keepsState ? try StateFolders(in: folder, options) : nil, isSynced: options.isSynced,
      synced: options.isSynced ? try SyncedCount(in: options.path) : nil)
  }
}

/// The states of a node's state machine, each in a database of its own: `data-1`, and so on.
private final class StateFolders: FileStateHome {
  private let folder: VolumeFolder
  private let options: VolumeOptions
  private let copies: CopyFolders
  private let open = Mutex<[(generation: UInt64, database: Weak)]>([])

  /// Does not keep a database open.
  private struct Weak {
    weak var database: RocksDatabase?
  }

  init(in folder: VolumeFolder, _ options: VolumeOptions) throws(StoreError) {
    self.folder = folder
    self.options = options
    copies = try CopyFolders(in: folder)
  }

  private func path(of generation: UInt64) -> String { "\(folder.path)/data-\(generation)" }

  func open(_ generation: UInt64) throws(StoreError) -> any StateDevice {
    let database = try RocksDatabase(
      at: path(of: generation),
      .init(hasLog: false, cacheBytes: options.cacheBytes, writeBufferBytes: options.writeBufferBytes),
      holding: folder, copies)
    try VolumeFolder.syncFolder(folder.path)
    open.withLock { $0.append((generation, Weak(database: database))) }
    return database
  }

  func open(_ generation: UInt64, sharing files: SnapshotFolder) throws(StoreError) -> any StateDevice {
    try files.share(as: path(of: generation))
    return try open(generation)
  }

  func receive(bytes: UInt64) throws(StoreError) -> FolderReception { try copies.receive(bytes: bytes) }

  func removeAll(but generation: UInt64) throws(StoreError) {
    let used = open.withLock { open in
      open.removeAll { $0.database.database == nil }
      return open.compactMap { entry in entry.database.database.map { (entry.generation, $0) } }
    }
    for name in try VolumeFolder.names(in: folder.path) {
      guard name.hasPrefix("data-"), let found = UInt64(name.dropFirst(5)), found != generation else {
        continue
      }
      if let (_, database) = used.first(where: { $0.0 == found }) {
        database.leave()
      } else {
        try VolumeFolder.removeFolder(path(of: found))
      }
    }
  }
}
