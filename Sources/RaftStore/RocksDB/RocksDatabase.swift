import CRocksDB
import Glibc
import RaftCore
import Synchronization

/// One RocksDB database. The only file that knows RocksDB.
///
/// `@unchecked Sendable`: the library's handle may be used from all threads; the batch that is used again and again belongs
/// to whoever holds the lock.
package final class RocksDatabase: @unchecked Sendable {
  let path: String
  private let handle: OpaquePointer
  private let options: OpaquePointer
  private let writing: OpaquePointer
  private let writingSynced: OpaquePointer
  private let reading: OpaquePointer
  private let batch: OpaquePointer
  private let lock = Mutex(())
  private let folder: (any Sendable)?
  /// Where copies of its files go; nil if none are made.
  let copies: CopyFolders?
  /// Whether the folder goes when it is not used any more.
  private let isLeaving = Mutex(false)

  /// What differs from one database to the next.
  package struct Options {
    /// Whether there is a write-ahead log; without one, only a flush makes anything durable.
    var hasLog: Bool
    var cacheBytes: Int
    var writeBufferBytes: Int
    /// Whether nothing is to be changed: what only stands in the log is read into memory.
    var isReadOnly = false

    package init(hasLog: Bool, cacheBytes: Int, writeBufferBytes: Int) {
      self.hasLog = hasLog
      self.cacheBytes = cacheBytes
      self.writeBufferBytes = writeBufferBytes
    }
  }

  /// Opens a database, or makes one; `folder` stays locked as long as it is open.
  package convenience init(
    at path: String, _ settings: Options, holding folder: (any Sendable)? = nil
  ) throws(StoreError) {
    try self.init(at: path, settings, holding: folder, nil)
  }

  init(
    at path: String, _ settings: Options, holding folder: (any Sendable)?, _ copies: CopyFolders?
  ) throws(StoreError) {
    self.folder = folder
    self.copies = copies
    let (hasLog, cacheBytes, writeBufferBytes) = (
      settings.hasLog, settings.cacheBytes, settings.writeBufferBytes
    )
    self.path = path
    options = rocksdb_options_create()
    rocksdb_options_set_create_if_missing(options, 1)
    rocksdb_options_set_paranoid_checks(options, 1)
    rocksdb_options_set_write_buffer_size(options, writeBufferBytes)
    rocksdb_options_set_max_write_buffer_number(options, 3)
    rocksdb_options_set_level_compaction_dynamic_level_bytes(options, 1)
    rocksdb_options_set_wal_recovery_mode(options, Int32(rocksdb_tolerate_corrupted_tail_records_recovery))
    rocksdb_options_set_max_background_jobs(options, 2)
    rocksdb_options_set_keep_log_file_num(options, 4)
    // Only what is fatal goes into the library's own log: it lies on the same disk, and where the library is built with its
    // assertions, as Debian's is, a second message to a log that has met a full disk ends the process, before the node can
    // say why it stops.
    rocksdb_options_set_info_log_level(options, 4)
    rocksdb_options_set_max_total_wal_size(options, UInt64(4 * writeBufferBytes))
    let table = rocksdb_block_based_options_create()
    let cache = rocksdb_cache_create_lru(cacheBytes)
    rocksdb_block_based_options_set_block_cache(table, cache)
    rocksdb_block_based_options_set_filter_policy(table, rocksdb_filterpolicy_create_bloom_full(10))
    rocksdb_options_set_block_based_table_factory(options, table)
    rocksdb_cache_destroy(cache)
    rocksdb_block_based_options_destroy(table)
    writing = rocksdb_writeoptions_create()
    writingSynced = rocksdb_writeoptions_create()
    if hasLog {
      rocksdb_writeoptions_set_sync(writingSynced, 1)
    } else {
      rocksdb_writeoptions_disable_WAL(writing, 1)
      rocksdb_writeoptions_disable_WAL(writingSynced, 1)
    }
    reading = rocksdb_readoptions_create()
    batch = rocksdb_writebatch_create()
    handle = try settings.isReadOnly ? Self.openToRead(path, options) : Self.open(path, options)
  }

  private static func openToRead(
    _ path: String, _ options: OpaquePointer
  ) throws(StoreError) -> OpaquePointer {
    if let missing = try LogFiles(in: path).missing {
      throw .corrupt("the file \(missing) is missing: put it back, or replace this member")
    }
    var fault: UnsafeMutablePointer<CChar>?
    guard let handle = rocksdb_open_for_read_only(options, path, 0, &fault) else {
      throw error(fault, "opening", path)
    }
    return handle
  }

  private static func open(_ path: String, _ options: OpaquePointer) throws(StoreError) -> OpaquePointer {
    // Without it, a new database would be made over the one that is there.
    if let missing = (try? LogFiles(in: path))?.missing {
      throw .corrupt("the file \(missing) is missing: put it back, or replace this member")
    }
    var fault: UnsafeMutablePointer<CChar>?
    if let handle = rocksdb_open(options, path, &fault) { return handle }
    let error = error(fault, "opening", path)
    guard case .corrupt(let reason) = error else { throw error }
    guard let damage = try LogFiles(in: path).firstDamage() else { throw error }
    guard damage.isTorn else {
      throw .corrupt("\(damage.file) is damaged at byte \(damage.offset): \(reason)")
    }
    try LogFiles.cut(damage.file, at: damage.offset)
    fault = nil
    guard let handle = rocksdb_open(options, path, &fault) else { throw Self.error(fault, "opening", path) }
    return handle
  }

  deinit {
    rocksdb_writebatch_destroy(batch)
    rocksdb_readoptions_destroy(reading)
    rocksdb_writeoptions_destroy(writing)
    rocksdb_writeoptions_destroy(writingSynced)
    rocksdb_close(handle)
    rocksdb_options_destroy(options)
    // If it stays, the next start removes it.
    if isLeaving.withLock({ $0 }) { try? VolumeFolder.removeFolder(path) }
  }

  private static func error(_ fault: UnsafeMutablePointer<CChar>?, _ doing: String, _ path: String)
    -> StoreError
  {
    guard let fault else { return .failed("\(doing) \(path): the database gave no reason") }
    defer { free(fault) }
    let reason = String(cString: fault)
    return reason.hasPrefix("Corruption")
      ? .corrupt("\(path): \(reason)") : .failed("\(doing) \(path): \(reason)")
  }

  private func check(_ fault: UnsafeMutablePointer<CChar>?, _ doing: String) throws(StoreError) {
    if let fault { throw Self.error(fault, doing, path) }
  }

  package func get(_ key: Bytes) throws(StoreError) -> Bytes? { try get(key, reading) }

  private func get(_ key: Bytes, _ manner: OpaquePointer) throws(StoreError) -> Bytes? {
    var fault: UnsafeMutablePointer<CChar>?
    let slice = key.withUnsafeBytes {
      rocksdb_get_pinned(
        handle, manner, $0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count, &fault)
    }
    try check(fault, "reading")
    guard let slice else { return nil }
    defer { rocksdb_pinnableslice_destroy(slice) }
    var count = 0
    guard let start = rocksdb_pinnableslice_value(slice, &count) else { return nil }
    return Bytes(UnsafeRawBufferPointer(start: start, count: count))
  }

  /// Makes all changes of the batch.
  package func write(_ changes: WriteBatch, isSynced: Bool) throws(StoreError) {
    let fault = lock.withLock { _ in write(changes, isSynced ? writingSynced : writing) }
    try check(fault, "writing to")
  }

  private func write(_ changes: WriteBatch, _ manner: OpaquePointer) -> UnsafeMutablePointer<CChar>? {
    rocksdb_writebatch_clear(batch)
    for operation in changes.operations {
      switch operation {
      case .put(let key, let value):
        key.withUnsafeBytes { key in
          value.withUnsafeBytes { value in
            rocksdb_writebatch_put(
              batch, key.baseAddress?.assumingMemoryBound(to: CChar.self), key.count,
              value.baseAddress?.assumingMemoryBound(to: CChar.self), value.count)
          }
        }
      case .delete(let key):
        key.withUnsafeBytes {
          rocksdb_writebatch_delete(batch, $0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count)
        }
      case .deleteRange(let lower, let upper):
        lower.withUnsafeBytes { lower in
          upper.withUnsafeBytes { upper in
            rocksdb_writebatch_delete_range(
              batch, lower.baseAddress?.assumingMemoryBound(to: CChar.self), lower.count,
              upper.baseAddress?.assumingMemoryBound(to: CChar.self), upper.count)
          }
        }
      }
    }
    var fault: UnsafeMutablePointer<CChar>?
    rocksdb_write(handle, manner, batch, &fault)
    return fault
  }

  package func scan(
    from lower: Bytes, to upper: Bytes?, _ visit: (Bytes, Bytes) -> Bool
  ) throws(StoreError) {
    try scan(from: lower, to: upper, at: nil, visit)
  }

  /// Visits the pairs as they were at `instant`; as they are, if that is nil.
  private func scan(
    from lower: Bytes, to upper: Bytes?, at instant: OpaquePointer?, _ visit: (Bytes, Bytes) -> Bool
  ) throws(StoreError) {
    let options = rocksdb_readoptions_create()
    defer { rocksdb_readoptions_destroy(options) }
    if let instant { rocksdb_readoptions_set_snapshot(options, instant) }
    let fault: UnsafeMutablePointer<CChar>? = (upper ?? []).withUnsafeBytes { bound in
      // The bound's bytes have to live as long as the iterator.
      if upper != nil {
        rocksdb_readoptions_set_iterate_upper_bound(
          options, bound.baseAddress?.assumingMemoryBound(to: CChar.self), bound.count)
      }
      let iterator = rocksdb_create_iterator(handle, options)
      defer { rocksdb_iter_destroy(iterator) }
      lower.withUnsafeBytes {
        rocksdb_iter_seek(iterator, $0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count)
      }
      while rocksdb_iter_valid(iterator) != 0 {
        var (keyCount, valueCount) = (0, 0)
        let key = rocksdb_iter_key(iterator, &keyCount)
        let value = rocksdb_iter_value(iterator, &valueCount)
        guard
          visit(
            Bytes(UnsafeRawBufferPointer(start: key, count: keyCount)),
            Bytes(UnsafeRawBufferPointer(start: value, count: valueCount)))
        else { break }
        rocksdb_iter_next(iterator)
      }
      var fault: UnsafeMutablePointer<CChar>?
      rocksdb_iter_get_error(iterator, &fault)
      return fault
    }
    try check(fault, "scanning")
  }

  package func flush() throws(StoreError) {
    let options = rocksdb_flushoptions_create()
    defer { rocksdb_flushoptions_destroy(options) }
    rocksdb_flushoptions_set_wait(options, 1)
    var fault: UnsafeMutablePointer<CChar>?
    rocksdb_flush(handle, options, &fault)
    try check(fault, "flushing")
  }

  /// Makes a copy of everything applied so far, which later changes do not touch, in a folder that must not be there yet.
  func checkpoint(to folder: String) throws(StoreError) {
    var fault: UnsafeMutablePointer<CChar>?
    let checkpoint = rocksdb_checkpoint_object_create(handle, &fault)
    try check(fault, "copying")
    defer { rocksdb_checkpoint_object_destroy(checkpoint) }
    // A log size of 0: what is only in memory is written to files first, or it would not be in the copy.
    rocksdb_checkpoint_create(checkpoint, folder, 0, &fault)
    try check(fault, "copying")
  }

  func syncLog() throws(StoreError) {
    var fault: UnsafeMutablePointer<CChar>?
    rocksdb_flush_wal(handle, 1, &fault)
    try check(fault, "syncing")
  }
}

extension RocksDatabase: StateDevice {
  package func apply(_ batch: WriteBatch) throws(StoreError) { try write(batch, isSynced: false) }

  package func view() -> any OrderedView { View(self) }

  /// Has the folder removed when the database is not used any more.
  func leave() { isLeaving.withLock { $0 = true } }

  /// The database at one instant.
  ///
  /// `@unchecked Sendable` because the library's handles may be used from all threads.
  private final class View: OrderedView, @unchecked Sendable {
    private let database: RocksDatabase
    private let instant: OpaquePointer
    private let reading: OpaquePointer

    init(_ database: RocksDatabase) {
      self.database = database
      instant = rocksdb_create_snapshot(database.handle)
      reading = rocksdb_readoptions_create()
      rocksdb_readoptions_set_snapshot(reading, instant)
    }

    deinit {
      rocksdb_readoptions_destroy(reading)
      rocksdb_release_snapshot(database.handle, instant)
    }

    func get(_ key: Bytes) throws(StoreError) -> Bytes? { try database.get(key, reading) }

    func scan(
      from lower: Bytes, to upper: Bytes?, _ visit: (Bytes, Bytes) -> Bool
    ) throws(StoreError) {
      try database.scan(from: lower, to: upper, at: instant, visit)
    }
  }
}

/// A RocksDB database as an ordered store.
public struct RocksBackend: OrderedStore {
  let database: RocksDatabase
  /// Held as long as the database is open.
  private let folder: VolumeFolder
  private var copies = 0

  init(_ database: RocksDatabase, in folder: VolumeFolder) {
    self.database = database
    self.folder = folder
  }

  /// The value of `key`; nil if there is none.
  public func get(_ key: Bytes) throws(StoreError) -> Bytes? { try database.get(key) }

  /// Makes all changes of the batch.
  public mutating func apply(_ batch: WriteBatch) throws(StoreError) {
    try database.write(batch, isSynced: false)
  }

  /// Visits the pairs with `lower <= key < upper` in ascending order.
  public func scan(from lower: Bytes, to upper: Bytes?, _ visit: (Bytes, Bytes) -> Bool) throws(StoreError) {
    try database.scan(from: lower, to: upper, visit)
  }

  /// Makes all changes of the batch, and returns once they are on the device: one write to the log, and one sync.
  public mutating func commit(_ batch: WriteBatch) throws(StoreError) {
    try database.write(batch, isSynced: true)
  }

  /// Returns once the write-ahead log is on the device.
  public mutating func sync() throws(StoreError) { try database.syncLog() }

  /// Returns once everything is in files of its own.
  public mutating func flush() throws(StoreError) { try database.flush() }

  /// A folder beside the database with everything applied so far.
  public mutating func checkpoint() throws(StoreError) -> String {
    copies += 1
    let folder = "\(database.path)-copy-\(copies)"
    try database.checkpoint(to: folder)
    return folder
  }
}
