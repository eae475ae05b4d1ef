import RaftCore
import RaftStore

/// What a ``KeyValueMachine`` keeps its data in: bytes by key, with value semantics.
public protocol OrderedBackend: Sendable {
  /// The value of `key`, or nil if there is none.
  func get(_ key: Bytes) -> Bytes?
  /// Sets the value of `key`.
  mutating func put(_ value: Bytes, for key: Bytes)
  /// Removes `key`, if it is there.
  mutating func delete(_ key: Bytes)
}

extension MemoryBackend: OrderedBackend {}
