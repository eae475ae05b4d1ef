import RaftCore

/// An ordered store in memory, as a value: a copy costs nothing, and is a checkpoint.
public struct MemoryBackend: OrderedStore {
  private var tree = OrderedTree<Bytes>()

  /// An empty store.
  public init() {}

  /// How many pairs it holds.
  public var count: Int { tree.count }

  /// The value of `key`; nil if there is none.
  ///
  /// - Complexity: O(log n).
  public func get(_ key: Bytes) -> Bytes? { tree[key] }

  /// Sets the value of `key`.
  ///
  /// - Complexity: O(log n).
  public mutating func put(_ value: Bytes, for key: Bytes) { tree.insert(value, for: key) }

  /// Sets the value of `key`, and returns the one before; nil if there was none.
  ///
  /// - Complexity: O(log n).
  public mutating func exchange(_ value: Bytes, for key: Bytes) -> Bytes? { tree.insert(value, for: key) }

  /// Removes `key`, if it is there.
  ///
  /// - Complexity: O(log n).
  public mutating func delete(_ key: Bytes) { tree.remove(key) }

  /// Makes all changes of the batch.
  public mutating func apply(_ batch: WriteBatch) {
    for operation in batch.operations {
      switch operation {
      case .put(let key, let value): tree.insert(value, for: key)
      case .delete(let key): tree.remove(key)
      case .deleteRange(let lower, let upper):
        var keys: [Bytes] = []
        tree.scan(from: lower, to: upper) { key, _ in
          keys.append(key)
          return true
        }
        for key in keys { tree.remove(key) }
      }
    }
  }

  /// Visits the pairs with `lower <= key < upper` in ascending order, until `visit` returns false.
  ///
  /// - Complexity: O(log n + pairs visited).
  public func scan(from lower: Bytes, to upper: Bytes?, _ visit: (Bytes, Bytes) -> Bool) {
    tree.scan(from: lower, to: upper, visit)
  }

  /// Does nothing: memory has nothing more stable behind it.
  public mutating func sync() {}

  /// Does nothing: memory has nothing more stable behind it.
  public mutating func flush() {}

  /// A copy, which later changes do not touch.
  ///
  /// - Complexity: O(1); the parts that are changed later are copied then, a path at a time.
  public mutating func checkpoint() -> MemoryBackend { self }
}
