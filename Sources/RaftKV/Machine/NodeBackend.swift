import RaftCore
import RaftStore

/// Where a node keeps the data: in memory, until it is told to keep them in its store.
public struct NodeBackend: OrderedBackend {
  private var memory = MemoryBackend()
  private var state: MachineState?
  private var view: MachineStateView?

  /// Empty, in memory.
  public init() {}

  /// In the store of a node, with what is there.
  init(in state: MachineState) { self.state = state }

  /// As they were at one instant; nothing is to be changed.
  init(_ view: MachineStateView) { self.view = view }

  /// The value of `key`, or nil if there is none.
  public func get(_ key: Bytes) -> Bytes? {
    if let state { return state.get(key) }
    if let view { return view.get(key) }
    return memory.get(key)
  }

  /// Sets the value of `key`.
  public mutating func put(_ value: Bytes, for key: Bytes) {
    if let state { state.put(value, for: key) } else { memory.put(value, for: key) }
  }

  /// Sets the value of `key`, and returns the one before; nil if there was none.
  public mutating func exchange(_ value: Bytes, for key: Bytes) -> Bytes? {
    if let state { return state.exchange(value, for: key) }
    return memory.exchange(value, for: key)
  }

  /// Removes `key`, if it is there.
  public mutating func delete(_ key: Bytes) {
    if let state { state.delete(key) } else { memory.delete(key) }
  }

  /// Visits the pairs with `lower <= key < upper` in ascending order, until `visit` returns false.
  public func scan(from lower: Bytes, to upper: Bytes?, _ visit: (Bytes, Bytes) -> Bool) {
    if let state { return state.scan(from: lower, to: upper, visit) }
    if let view { return view.scan(from: lower, to: upper, visit) }
    memory.scan(from: lower, to: upper, visit)
  }
}
