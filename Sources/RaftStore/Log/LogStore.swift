import RaftCore

/// Where a node keeps its log and hard state. It has one verb that writes, which consumes the core's token and returns
/// the proof: there is no other way to acknowledge anything.
public protocol LogStore: Sendable {
  /// Who the node is; nil if that was never said.
  ///
  /// - Throws: ``StoreError`` if what was said cannot be read.
  func identity() throws(StoreError) -> NodeIdentity?

  /// Remembers who the node is, as durably as a write.
  ///
  /// - Throws: ``StoreError``. The node must stop then.
  mutating func setIdentity(_ identity: NodeIdentity) throws(StoreError)

  /// What the store holds; nil if it was never founded. To be called once, before anything else.
  ///
  /// - Throws: ``StoreError`` if what it holds cannot be read or contradicts itself.
  mutating func recover() throws(StoreError) -> RecoveredState<Bytes>?

  /// Begins a log.
  ///
  /// - Throws: ``StoreError/notEmpty`` if there is one already.
  mutating func found(_ state: RecoveredState<Bytes>) throws(StoreError)

  /// Makes a write durable: lets a snapshot take the place of the whole log if one is installed, replaces the hard state,
  /// cuts the log after `write.after`, appends `entries`; all of it or nothing. On a store with stable storage it has
  /// returned from a sync before the proof is made.
  ///
  /// - Parameters:
  ///   - write: The core's write.
  ///   - entries: The entries `(write.after, write.through]`.
  ///   - snapshot: The snapshot that `write.installs` speaks of, received completely; nil if it speaks of none.
  /// - Returns: The proof.
  /// - Throws: ``StoreError``. The node must stop then: what is on the device is not known any more.
  mutating func persist(
    _ write: consuming PendingWrite, entries: ArraySlice<Entry<Bytes>>, installing snapshot: Snapshot?
  ) throws(StoreError) -> DurableWrite

  /// Forgets the log through `index`, which the state machine reflects. Need not be durable.
  mutating func compact(through index: LogIndex) throws(StoreError)

  /// The entries `(after, through]`; nil if some of them are not held.
  func entries(after: LogIndex, through: LogIndex) throws(StoreError) -> ArraySlice<Entry<Bytes>>?
}

extension LogStore {
  /// The same for a write that installs no snapshot.
  public mutating func persist(
    _ write: consuming PendingWrite, entries: ArraySlice<Entry<Bytes>>
  ) throws(StoreError) -> DurableWrite {
    try persist(write, entries: entries, installing: nil)
  }
}

/// Checks a write against the log that it is for; every store asks before it changes anything.
func checkFit(
  _ write: borrowing PendingWrite, _ entries: ArraySlice<Entry<Bytes>>, installing snapshot: Snapshot?,
  base: LogIndex, last: LogIndex
) throws(StoreError) {
  guard write.installs == snapshot?.last else {
    throw .failed("a write installs a snapshot exactly if one comes with it")
  }
  let base = snapshot?.last.index ?? base
  let last = snapshot?.last.index ?? last
  guard write.after >= base else { throw .compacted(base: base, after: write.after) }
  guard write.after <= last else { throw .gap(last: last, first: write.after.next) }
  let isComplete =
    entries.count == write.after.distance(to: write.through) && write.through >= write.after
    && (entries.first.map { $0.id.index == write.after.next } ?? true)
    && (entries.last.map { $0.id.index == write.through } ?? true)
  guard isComplete else {
    throw .incomplete(after: write.after, through: write.through, entries: entries.count)
  }
}
