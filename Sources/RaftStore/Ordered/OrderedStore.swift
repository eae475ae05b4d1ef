import RaftCore

/// The small protocol on which all storage rests: bytes by key, in the order of the keys' bytes, changed by batches.
///
/// A batch is atomic: after a crash all of it is there, or nothing. Batches become durable in the order in which they
/// were applied, at the latest when ``sync()`` or ``flush()`` returns.
public protocol OrderedStore: Sendable {
  /// What a checkpoint is: for a store in memory a value, for one on disk a folder.
  associatedtype Checkpoint: Sendable

  /// The value of `key`; nil if there is none.
  func get(_ key: Bytes) throws(StoreError) -> Bytes?

  /// Makes all changes of the batch at once.
  mutating func apply(_ batch: WriteBatch) throws(StoreError)

  /// Visits the pairs with `lower <= key < upper` in ascending order, until `visit` returns false.
  ///
  /// - Parameters:
  ///   - lower: The first key that counts.
  ///   - upper: The first key that no longer counts; nil for no end.
  ///   - visit: Gets key and value; returns whether to go on.
  func scan(from lower: Bytes, to upper: Bytes?, _ visit: (Bytes, Bytes) -> Bool) throws(StoreError)

  /// Returns once everything applied so far is on stable storage through the write-ahead log, if there is one.
  mutating func sync() throws(StoreError)

  /// Returns once everything applied so far is on stable storage without need of a write-ahead log.
  mutating func flush() throws(StoreError)

  /// Makes all changes of the batch at once, and returns once they are on stable storage, with everything before them.
  mutating func commit(_ batch: WriteBatch) throws(StoreError)

  /// The state as of now, which later changes do not touch.
  mutating func checkpoint() throws(StoreError) -> Checkpoint
}

extension OrderedStore {
  /// Applies the batch, and syncs.
  public mutating func commit(_ batch: WriteBatch) throws(StoreError) {
    try apply(batch)
    try sync()
  }
}

/// Changes that are made together, in order.
public struct WriteBatch: Hashable, Sendable {
  /// One change.
  public enum Operation: Hashable, Sendable {
    /// Sets the value of a key.
    case put(key: Bytes, value: Bytes)
    /// Removes a key, if it is there.
    case delete(key: Bytes)
    /// Removes all keys with `lower <= key < upper`.
    case deleteRange(lower: Bytes, upper: Bytes)
  }

  /// The changes, in the order in which they are made.
  public private(set) var operations: [Operation] = []

  /// A batch without changes.
  public init() {}

  /// Sets the value of `key`.
  public mutating func put(_ value: Bytes, for key: Bytes) { operations.append(.put(key: key, value: value)) }

  /// Removes `key`, if it is there.
  public mutating func delete(_ key: Bytes) { operations.append(.delete(key: key)) }

  /// Removes all keys with `lower <= key < upper`.
  public mutating func deleteRange(from lower: Bytes, to upper: Bytes) {
    operations.append(.deleteRange(lower: lower, upper: upper))
  }

  /// Forgets the changes, keeping the storage.
  public mutating func removeAll() { operations.removeAll(keepingCapacity: true) }
}
