import RaftCore

/// A log store in memory. What is in it is as durable as the process: a node that uses it is a new incarnation at every
/// start, so nothing that it ever acknowledged is expected of its successor.
public struct MemoryLogStore: LogStore, Sendable {
  private var isFounded = false
  private var hardState = HardState.initial
  private var base = EntryID.zero
  private var baseConfiguration: IndexedConfiguration?
  private var commitIndex = LogIndex.zero
  private var log: [Entry<Bytes>] = []
  /// How many entries in front of `log` are compacted away already.
  private var head = 0

  /// An empty store.
  public init() {}

  private var lastIndex: LogIndex { base.index.advanced(by: log.count - head) }

  /// What the store holds; nil if it was never founded. The state machine is to be replayed from the log's beginning.
  public func recover() -> RecoveredState<Bytes>? {
    guard isFounded else { return nil }
    return RecoveredState(
      hardState: hardState, base: base, baseConfiguration: baseConfiguration, entries: Array(log[head...]),
      commitIndex: max(commitIndex, base.index), appliedIndex: base.index)
  }

  /// Begins a log.
  ///
  /// - Throws: ``StoreError/notEmpty`` if there is one already.
  public mutating func found(_ state: RecoveredState<Bytes>) throws(StoreError) {
    guard !isFounded else { throw .notEmpty }
    isFounded = true
    hardState = state.hardState
    base = state.base
    baseConfiguration = state.baseConfiguration
    commitIndex = state.commitIndex
    log = state.entries
  }

  /// Takes a write and proves it at once.
  ///
  /// - Throws: ``StoreError`` if the write does not fit the log.
  public mutating func persist(
    _ write: consuming PendingWrite, entries: ArraySlice<Entry<Bytes>>
  ) throws(StoreError) -> DurableWrite {
    do {
      try checkFit(write, entries, base: base.index, last: lastIndex)
    } catch {
      write.abandon()
      throw error
    }
    hardState = write.hardState
    commitIndex = max(commitIndex, min(write.commitIndex, write.through))
    log.removeLast(write.after.distance(to: lastIndex))
    log += entries
    return write.assumeDurable()
  }

  /// Forgets the log through `index`.
  ///
  /// - Throws: ``StoreError/gap(last:first:)`` if the log does not reach so far.
  public mutating func compact(through index: LogIndex) throws(StoreError) {
    guard index > base.index else { return }
    guard index <= lastIndex else { throw .gap(last: lastIndex, first: index) }
    let count = base.index.distance(to: index)
    for entry in log[head..<(head + count)] {
      guard case .configuration(let configuration) = entry.content else { continue }
      baseConfiguration = IndexedConfiguration(index: entry.id.index, configuration: configuration)
    }
    base = log[head + count - 1].id
    // The payloads go at once; their empty places go when there are many.
    for position in head..<(head + count) { log[position].content = .empty }
    head += count
    if head > 1024, head > log.count / 2 {
      log.removeFirst(head)
      head = 0
    }
  }

  /// The entries `(after, through]`; nil if some of them are not held.
  public func entries(after: LogIndex, through: LogIndex) -> ArraySlice<Entry<Bytes>>? {
    guard after >= base.index, through <= lastIndex, after <= through else { return nil }
    let start = head + base.index.distance(to: after)
    return log[start..<(start + after.distance(to: through))]
  }
}
