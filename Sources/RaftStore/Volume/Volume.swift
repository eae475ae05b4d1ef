import Glibc

/// Where a durable node keeps everything, and how.
public struct VolumeOptions: Hashable, Sendable {
  /// The directory, for one node alone; made if it is missing.
  public var path: String

  /// The defaults for a directory.
  public init(path: String) { self.path = path }
}

/// A directory in which a node keeps everything.
public enum Volume {
  /// Opens the databases of a node.
  ///
  /// - Throws: ``StoreError``.
  public static func open(_ options: VolumeOptions) throws(StoreError) -> DurableStore<RocksBackend> {
    mkdir(options.path, 0o700)
    let consensus = try RocksDatabase(
      at: options.path + "/consensus", hasLog: true, cacheBytes: 1 << 20, writeBufferBytes: 16 << 20)
    let data = try RocksDatabase(
      at: options.path + "/data-1", hasLog: false, cacheBytes: 32 << 20, writeBufferBytes: 16 << 20)
    return DurableStore(consensus: RocksBackend(consensus), data: RocksBackend(data))
  }
}
