import RaftCore

/// A store in memory for log and snapshots. What is in it is as durable as the process: a node that uses it is a new
/// incarnation at every start, so nothing that it ever acknowledged is expected of its successor.
public struct MemoryLogStore: LogStore, SnapshotStore, Sendable {
  private var known: NodeIdentity?
  private var isFounded = false
  private var hardState = HardState.initial
  private var base = EntryID.zero
  private var baseConfiguration: IndexedConfiguration?
  private var commitIndex = LogIndex.zero
  private var log: [Entry<Bytes>] = []
  /// How many entries in front of `log` are compacted away already.
  private var head = 0
  /// The newest one last.
  private var snapshots: [(snapshot: Snapshot, bytes: Bytes)] = []
  /// Held to be read, for those who ask for a copy.
  private var held: [(snapshot: Snapshot, bytes: Bytes)] = []
  private var reception: (progress: SnapshotReception, bytes: Bytes)?

  /// An empty store.
  public init() {}

  private var lastIndex: LogIndex { base.index.advanced(by: log.count - head) }

  /// Who the node is; nil if that was never said.
  public func identity() -> NodeIdentity? { known }

  /// Remembers who the node is.
  public mutating func setIdentity(_ identity: NodeIdentity) { known = identity }

  /// What the store holds; nil if it was never founded.
  public func recover() -> RecoveredState<Bytes>? {
    guard isFounded else { return nil }
    let snapshot = snapshots.last { $0.snapshot.last.index >= base.index }?.snapshot
    let applied = max(base.index, snapshot?.last.index ?? .zero)
    return RecoveredState(
      hardState: hardState, base: base, baseConfiguration: baseConfiguration, entries: Array(log[head...]),
      commitIndex: max(commitIndex, applied), appliedIndex: applied, snapshot: snapshot)
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
    _ write: consuming PendingWrite, entries: ArraySlice<Entry<Bytes>>, installing snapshot: Snapshot?
  ) throws(StoreError) -> DurableWrite {
    do {
      try checkFit(write, entries, installing: snapshot, base: base.index, last: lastIndex)
      if let snapshot { try install(snapshot) }
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

  private mutating func install(_ snapshot: Snapshot) throws(StoreError) {
    guard let received = reception, received.progress.fingerprint == snapshot.fingerprint,
      received.progress.isComplete
    else { throw .failed("the snapshot to be installed was not received completely") }
    reception = nil
    snapshots.append((snapshot, received.bytes))
    log = []
    head = 0
    base = snapshot.last
    baseConfiguration = snapshot.configuration
    commitIndex = max(commitIndex, snapshot.last.index)
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

// MARK: - Snapshots

extension MemoryLogStore {
  /// False: a node in memory is never restarted from its store.
  public var keepsLogBehindSnapshot: Bool { false }

  /// Begins a snapshot.
  public func beginSnapshot() -> SnapshotDraft {
    let content = DraftContent()
    return SnapshotDraft(generation: 0, content: content) { _, bytes in content.bytes += bytes }
  }

  /// Keeps a snapshot.
  public mutating func save(_ snapshot: Snapshot, _ draft: SnapshotDraft) {
    let bytes = draft.content?.bytes ?? []
    // One that was installed while it was being taken reaches further, and stays the node's own.
    guard snapshot.last.index > snapshots.last?.snapshot.last.index ?? .zero else { return }
    snapshots.append((snapshot, bytes))
  }

  /// Holds a snapshot until it is released.
  public mutating func hold(_ snapshot: Snapshot, _ draft: SnapshotDraft) {
    held.append((snapshot, draft.content?.bytes ?? []))
  }

  /// Forgets one held snapshot of this fingerprint.
  public mutating func release(fingerprint: UInt64) {
    if let place = held.firstIndex(where: { $0.snapshot.fingerprint == fingerprint }) {
      held.remove(at: place)
    }
  }

  /// Keeps a piece of a snapshot.
  public mutating func receive(_ piece: InstallSnapshot, bytes: Bytes) -> Bool {
    if piece.offset == 0 {
      // Files of a database are nothing that this store could give a state machine; the leader finds that out, too.
      reception = FolderReception.isMeant(by: bytes) ? nil : (SnapshotReception(piece), [])
    }
    guard reception?.progress.continues(with: piece, bytes) == true else {
      reception = nil
      return false
    }
    reception?.progress.add(bytes)
    reception?.bytes += bytes
    guard let progress = reception?.progress, progress.isComplete, !progress.isSound else { return true }
    reception = nil
    return false
  }

  /// Throws away what was received of a snapshot.
  public mutating func discardReceived(fingerprint: UInt64) {
    if reception?.progress.fingerprint == fingerprint { reception = nil }
  }

  /// The bytes `[offset, offset + count)` of a snapshot; nil if there is no such snapshot, or it is shorter.
  public func read(fingerprint: UInt64, offset: UInt64, count: Int) -> Bytes? {
    let saved = (snapshots + held).last { $0.snapshot.fingerprint == fingerprint }?.bytes
    guard let bytes = saved ?? (reception?.progress.fingerprint == fingerprint ? reception?.bytes : nil),
      offset <= UInt64(bytes.count), count <= bytes.count - Int(offset)
    else { return nil }
    return Bytes(bytes[Int(offset)..<(Int(offset) + count)])
  }

  /// Forgets a snapshot that nobody is to be sent any more.
  public mutating func withdraw(fingerprint: UInt64) {
    snapshots.removeAll { $0.snapshot.fingerprint == fingerprint }
  }

  /// Forgets every snapshot but the newest one and those with one of these fingerprints.
  public mutating func retain(fingerprints: [UInt64]) {
    guard let newest = snapshots.last?.snapshot.fingerprint else { return }
    snapshots.removeAll {
      $0.snapshot.fingerprint != newest && !fingerprints.contains($0.snapshot.fingerprint)
    }
  }
}
