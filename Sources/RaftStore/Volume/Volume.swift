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
  /// - Throws: ``StoreError`` with a sentence that names the folder, what is wrong, and what can be done.
  public static func open(_ options: VolumeOptions) throws(StoreError) -> DurableStore<RocksBackend> {
    let folder = try VolumeFolder(at: options.path)
    let consensus = try RocksDatabase(
      at: options.path + "/consensus",
      .init(hasLog: true, cacheBytes: 1 << 20, writeBufferBytes: options.writeBufferBytes))
    let data = try RocksDatabase(
      at: options.path + "/data-1",
      .init(hasLog: false, cacheBytes: options.cacheBytes, writeBufferBytes: options.writeBufferBytes))
    try VolumeFolder.syncFolder(options.path)
    return DurableStore(
      consensus: RocksBackend(consensus, in: folder), data: RocksBackend(data, in: folder),
      isSynced: options.isSynced)
  }
}
