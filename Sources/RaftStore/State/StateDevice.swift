import RaftCore

/// Where the state of a state machine lies: an ordered store without a write-ahead log. What it has applied is lost at a
/// crash, from some batch on, unless it was flushed. It finds out damage by itself, whenever it reads something.
public protocol StateDevice: AnyObject, Sendable {
  /// The value of `key`; nil if there is none.
  func get(_ key: Bytes) throws(StoreError) -> Bytes?

  /// Makes all changes of the batch at once; one thread at a time.
  func apply(_ batch: WriteBatch) throws(StoreError)

  /// Visits the pairs with `lower <= key < upper` in ascending order, until `visit` returns false.
  func scan(from lower: Bytes, to upper: Bytes?, _ visit: (Bytes, Bytes) -> Bool) throws(StoreError)

  /// Returns once everything that was applied before the call is on stable storage. On any thread.
  func flush() throws(StoreError)

  /// What is there now, readable on any thread, whatever is applied later.
  func view() throws(StoreError) -> any OrderedView
}

/// What an ordered store held at one instant.
public protocol OrderedView: Sendable {
  /// The value of `key`; nil if there is none.
  func get(_ key: Bytes) throws(StoreError) -> Bytes?

  /// Visits the pairs with `lower <= key < upper` in ascending order, until `visit` returns false.
  func scan(from lower: Bytes, to upper: Bytes?, _ visit: (Bytes, Bytes) -> Bool) throws(StoreError)
}

extension MemoryBackend: OrderedView {}

/// Where a node keeps the states that it has: the one that counts, and one that is being received.
public protocol StateHome: Sendable {
  /// Opens the state of a generation; an empty one if there is none.
  func open(_ generation: UInt64) throws(StoreError) -> any StateDevice

  /// Removes every other generation; those that are still used, when they are not any more.
  func removeAll(but generation: UInt64) throws(StoreError)
}

/// A home whose states are databases: their files are snapshots.
protocol FileStateHome: StateHome {
  /// Opens a generation that is not there yet, with the files of a snapshot.
  func open(_ generation: UInt64, sharing files: SnapshotFolder) throws(StoreError) -> any StateDevice

  /// Begins to receive the files of a snapshot, so many bytes with their list.
  func receive(bytes: UInt64) throws(StoreError) -> FolderReception
}
