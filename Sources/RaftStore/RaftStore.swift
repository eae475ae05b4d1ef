import RaftCore
public struct StoreError: Error { }
public struct MemoryLogStore { public init() {}
 public mutating func found(_ r: RecoveredState<Bytes>) throws(StoreError) {}
 public mutating func persist(_ w: consuming PendingWrite, entries: ArraySlice<Entry<Bytes>>) throws(StoreError) -> DurableWrite { w.assumeDurable() }
 public mutating func compact(through: LogIndex) throws(StoreError) {} }
