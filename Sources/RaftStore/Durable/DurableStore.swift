import RaftCore
import Synchronization

/// Log, hard state and snapshots of one replica on stable storage, in two ordered stores.
///
/// *Consensus* holds what the protocol promises; every write to it is one batch and one sync. *Data* holds snapshots of the
/// state machine, in pieces, each snapshot under a generation of its own. They are two, because a copy of the data is
/// given to other nodes, and this node's vote and log must never be in it. A state machine that keeps its state in the node
/// (``MachineState``) has stores of its own for that, and starts from there; snapshots are then only for others.
///
/// What makes a generation count is the base record in the consensus store, which names it together with the beginning of
/// the log behind it. It is written, in one batch with everything else that changes, after the generation's pieces are
/// on stable storage. So a crash at any instant leaves the old snapshot with the old log, or the new one with the new.
public struct DurableStore<Backend: OrderedStore>: LogStore {
  var consensus: Backend
  var data: Backend
  /// What the base record says.
  var base = BaseRecord(base: .zero, baseConfiguration: nil, generation: 0, snapshot: nil, state: 0)
  var isFounded = false
  var lastIndex = LogIndex.zero
  var commitIndex = LogIndex.zero
  /// The configurations in the log, ascending: to forget a part of it, only its last entry needs to be read again.
  var configurations: [IndexedConfiguration] = []
  var batch = WriteBatch()
  /// Whether a store could not be changed; nothing is changed any more then.
  let failure = FirstFailure()

  // Snapshots besides the one that the base record names.
  /// Former snapshots that are kept because they are being sent.
  var kept: [(generation: UInt64, snapshot: Snapshot)] = []
  /// Snapshots that are held to be read, for those who ask for a copy.
  var held: [(generation: UInt64, snapshot: Snapshot)] = []
  /// Snapshots that are the files of a state.
  var folders: [(folder: SnapshotFolder, snapshot: Snapshot)] = []
  var reception: Reception?
  var lastGeneration: UInt64 = 0
  /// Where states of the state machine lie; nil if it starts from snapshots.
  let states: (any StateHome)?
  /// Where it is noted how many writes were synced; nil if nowhere.
  let synced: SyncedCount?
  /// How many writes of term, vote and entries there have been.
  var writes: UInt64 = 0
  /// The newest generation of a state.
  var lastState: UInt64 = 0
  /// The most bytes in one stored piece: reading a range begins at most so far before it.
  var pieceBytesMax = 1 << 20

  /// Term and vote as they were written last.
  var hardState = HardState.initial
  /// Whether entries are synced before they are proved to be durable. Terms, votes and snapshots are in any case: a node that
  /// forgot a vote could elect a second leader, which is worse than a write that is lost.
  let isSynced: Bool

  /// Opens the stores; ``recover()`` comes next.
  ///
  /// - Parameters:
  ///   - consensus: For what the protocol promises.
  ///   - data: For snapshots.
  ///   - states: Where states of the state machine lie; nil if it is to start from snapshots.
  ///   - isSynced: Whether entries are synced before they are proved to be durable; false is for data that may be thrown
  ///     away.
  public init(
    consensus: Backend, data: Backend, states: (any StateHome)? = nil, isSynced: Bool = true
  ) {
    self.init(consensus: consensus, data: data, states: states, isSynced: isSynced, synced: nil)
  }

  init(
    consensus: Backend, data: Backend, states: (any StateHome)?, isSynced: Bool, synced: SyncedCount?
  ) {
    self.synced = synced
    self.consensus = consensus
    self.data = data
    self.states = states
    self.isSynced = isSynced
  }

  /// Begins a log.
  ///
  /// - Throws: ``StoreError/notEmpty`` if there is one already.
  public mutating func found(_ state: RecoveredState<Bytes>) throws(StoreError) {
    guard !isFounded else { throw .notEmpty }
    base = BaseRecord(
      base: state.base, baseConfiguration: state.baseConfiguration, generation: 0, snapshot: nil,
      state: lastState)
    lastIndex = state.base.index.advanced(by: state.entries.count)
    commitIndex = state.commitIndex
    putBase()
    putState(state.hardState)
    for entry in state.entries { put(entry) }
    try commitBatch()
    isFounded = true
  }

  /// Makes a write durable with one batch and one sync.
  ///
  /// - Throws: ``StoreError``.
  public mutating func persist(
    _ write: consuming PendingWrite, entries: ArraySlice<Entry<Bytes>>, installing snapshot: Snapshot?
  ) throws(StoreError) -> DurableWrite {
    do {
      try checkFit(write, entries, installing: snapshot, base: base.base.index, last: lastIndex)
      if let snapshot { try install(snapshot) }
      if write.after < lastIndex {
        batch.deleteRange(from: StoredKey.entry(write.after.next), to: StoredKey.entriesEnd)
        configurations.removeAll { $0.index > write.after }
      }
      lastIndex = write.through
      commitIndex = max(commitIndex, min(write.commitIndex, write.through))
      putState(write.hardState)
      for entry in entries { put(entry) }
      let isEssential = isSynced || write.hardState != hardState || snapshot != nil
      hardState = write.hardState
      try commitBatch(isEssential: isEssential)
      if isEssential { synced?.note(writes) }
      if snapshot != nil { try states?.removeAll(but: base.state) }
    } catch {
      write.abandon()
      throw error
    }
    return write.assumeDurable()
  }

  /// Forgets the log through `index`. It needs no sync: batches become durable in order, and a log that comes back longer
  /// after a crash does no harm.
  ///
  /// - Throws: ``StoreError`` if the log does not reach so far, or the state machine could not be built anew.
  public mutating func compact(through index: LogIndex) throws(StoreError) {
    guard index > base.base.index else { return }
    guard index <= lastIndex else { throw .gap(last: lastIndex, first: index) }
    // How far a state is flushed is its owner's to know.
    guard states != nil || index <= base.snapshot?.last.index ?? .zero else {
      throw .failed("the log can be compacted as far as a saved snapshot reaches, and not to \(index)")
    }
    guard let last = try readEntries(from: index, to: index.next).first else {
      throw .corrupt("entry \(index) is missing in the log")
    }
    base.baseConfiguration = configurations.last { $0.index <= index } ?? base.baseConfiguration
    configurations.removeAll { $0.index <= index }
    base.base = last.id
    batch.deleteRange(from: StoredKey.entry(.zero), to: StoredKey.entry(index.next))
    putBase()
    try change { stores throws(StoreError) in try stores.consensus.apply(stores.batch) }
    batch.removeAll()
  }

  /// The entries `(after, through]`; nil if some of them are not held.
  ///
  /// - Throws: ``StoreError`` if one of them is damaged.
  public func entries(after: LogIndex, through: LogIndex) throws(StoreError) -> ArraySlice<Entry<Bytes>>? {
    guard after >= base.base.index, through <= lastIndex, after <= through else { return nil }
    let entries = try readEntries(from: after.next, to: through.next)
    return entries.count == after.distance(to: through) ? entries[...] : nil
  }

  // MARK: - Records

  mutating func putState(_ hardState: HardState) {
    writes += 1
    let record = StateRecord(
      hardState: hardState, lastIndex: lastIndex, commitIndex: commitIndex, writes: writes)
    batch.put(StoredRecord.write(StoredKey.state) { record.encode(into: &$0) }, for: StoredKey.state)
  }

  mutating func putBase() {
    let record = base
    batch.put(StoredRecord.write(StoredKey.base) { record.encode(into: &$0) }, for: StoredKey.base)
  }

  /// Remembers an entry of the log if it holds a configuration.
  mutating func note(_ entry: Entry<Bytes>) {
    guard case .configuration(let configuration) = entry.content else { return }
    configurations.append(IndexedConfiguration(index: entry.id.index, configuration: configuration))
  }

  /// What an entry takes besides its payload, at most.
  private static var entryBytes: Int { 32 }

  mutating func put(_ entry: Entry<Bytes>) {
    note(entry)
    let key = StoredKey.entry(entry.id.index)
    let capacity = Self.entryBytes + Int(entry.bytes)
    batch.put(StoredRecord.write(key, capacity: capacity) { entry.encode(into: &$0) }, for: key)
  }

  /// Applies what was gathered, and syncs it, if it is essential.
  mutating func commitBatch(isEssential: Bool = true) throws(StoreError) {
    try change { stores throws(StoreError) in
      if isEssential {
        try stores.consensus.commit(stores.batch)
      } else {
        try stores.consensus.apply(stores.batch)
      }
      stores.batch.removeAll()
    }
  }

  /// Changes one of the stores, unless a change has failed before: a sync that succeeds after one that failed says
  /// nothing about what that one was to make durable (scenario 59).
  mutating func change(_ make: (inout Self) throws(StoreError) -> Void) throws(StoreError) {
    try expectNoFailure()
    do throws(StoreError) {
      try make(&self)
    } catch {
      failure.note(error)
      throw error
    }
  }

  func expectNoFailure() throws(StoreError) {
    if let failure = failure.error { throw failure }
  }
}

/// The first failure of a store, noted by whoever meets it: the store itself, or a snapshot that is written to it elsewhere.
final class FirstFailure: Sendable {
  private let first = Mutex<StoreError?>(nil)

  var error: StoreError? { first.withLock { $0 } }

  func note(_ error: StoreError) {
    first.withLock { first in
      if first == nil { first = error }
    }
  }
}

/// What stands under ``StoredKey/state``.
struct StateRecord: ByteCodable {
  var hardState: HardState
  /// Index of the last entry, by which a missing end of the log is noticed.
  var lastIndex: LogIndex
  /// Known committed at the time.
  var commitIndex: LogIndex
  /// How many times the record has been written.
  var writes: UInt64

  init(hardState: HardState, lastIndex: LogIndex, commitIndex: LogIndex, writes: UInt64) {
    self.writes = writes
    self.hardState = hardState
    self.lastIndex = lastIndex
    self.commitIndex = commitIndex
  }

  func encode(into writer: inout ByteWriter) {
    writer.write(hardState.term.rawValue)
    (hardState.votedFor?.rawValue).encode(into: &writer)
    writer.write(lastIndex.rawValue)
    writer.write(commitIndex.rawValue)
    writer.write(writes)
  }

  init(from reader: inout ByteReader) throws(MalformedBytes) {
    let term = Term(try reader.readUInt64())
    let vote = try UInt64?(from: &reader)
    hardState = HardState(term: term, votedFor: vote.map { NodeID($0) })
    lastIndex = LogIndex(try reader.readUInt64())
    commitIndex = LogIndex(try reader.readUInt64())
    writes = try reader.readUInt64()
  }
}

/// What stands under ``StoredKey/base``.
struct BaseRecord: ByteCodable {
  /// The entry before the first one retained.
  var base: EntryID
  /// The configuration in force there; nil while the log is whole.
  var baseConfiguration: IndexedConfiguration?
  /// Where in the data store the snapshot is.
  var generation: UInt64
  /// The snapshot from which the state machine starts; nil if it starts empty.
  var snapshot: Snapshot?
  /// Which state the state machine starts from; 0 if it starts from snapshots.
  var state: UInt64

  init(
    base: EntryID, baseConfiguration: IndexedConfiguration?, generation: UInt64, snapshot: Snapshot?,
    state: UInt64
  ) {
    self.base = base
    self.baseConfiguration = baseConfiguration
    self.generation = generation
    self.snapshot = snapshot
    self.state = state
  }

  func encode(into writer: inout ByteWriter) {
    base.encode(into: &writer)
    baseConfiguration.encode(into: &writer)
    writer.write(generation)
    snapshot.encode(into: &writer)
    writer.write(state)
  }

  init(from reader: inout ByteReader) throws(MalformedBytes) {
    base = try EntryID(from: &reader)
    baseConfiguration = try IndexedConfiguration?(from: &reader)
    generation = try reader.readUInt64()
    snapshot = try Snapshot?(from: &reader)
    state = try reader.readUInt64()
  }
}
