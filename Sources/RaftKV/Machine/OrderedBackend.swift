import RaftCore
import RaftStore

/// What a ``KeyValueMachine`` keeps its data in: bytes by key, with value semantics.
public protocol OrderedBackend: Sendable {
  /// The value of `key`, or nil if there is none.
  func get(_ key: Bytes) -> Bytes?
  /// Sets the value of `key`.
  mutating func put(_ value: Bytes, for key: Bytes)
  /// Sets the value of `key`, and returns the one before; nil if there was none. By default it is looked up twice.
  mutating func exchange(_ value: Bytes, for key: Bytes) -> Bytes?
  /// Removes `key`, if it is there.
  mutating func delete(_ key: Bytes)
  /// Visits the pairs with `lower <= key`, and `key < upper` unless that is nil, in ascending order, until `visit` returns
  /// false.
  func scan(from lower: Bytes, to upper: Bytes?, _ visit: (Bytes, Bytes) -> Bool)
}

extension OrderedBackend {
  /// Gets the former value, and puts the new one in its place.
  public mutating func exchange(_ value: Bytes, for key: Bytes) -> Bytes? {
    let former = get(key)
    put(value, for: key)
    return former
  }
}

extension MemoryBackend: OrderedBackend {}
