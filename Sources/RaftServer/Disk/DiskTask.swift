import RaftCore
import RaftStore

/// What a store does besides writes and snapshots of the state machine.
package enum DiskWorkItem: Sendable {
  /// A snapshot is to be taken of the applier as it is by then.
  case save
  /// The state, as it is by then, is to be made durable.
  case flush
  /// Keeps a snapshot that is the files of the state.
  case keep(Snapshot, SnapshotFolder)
  /// Stores a piece of a snapshot.
  case receive(InstallSnapshot, Bytes)
  /// Throws away what was received of a snapshot.
  case discard(fingerprint: UInt64)
  /// Reads the bytes that a message to a peer names.
  case read(Message)
  /// Forgets the log through an index.
  case compact(through: LogIndex)
  /// Forgets all snapshots but these, and the node's own.
  case retain(fingerprints: [UInt64])
  /// Forgets a snapshot that nobody is to be sent any more.
  case withdraw(fingerprint: UInt64)
}

/// Something for the store to do. Tasks are carried out one after the other, in the order in which the driver gave them,
/// on any thread; each result goes back to the driver, in the same order.
package enum DiskTask<Machine: StateMachine>: ~Copyable, Sendable {
  /// A write of the core, with its entries and, if it installs a snapshot, what is needed for that.
  case persist(PendingWrite, entries: ArraySlice<Entry<Bytes>>, install: Installation?)
  /// Takes a snapshot of a copy of the applier, and saves it. If it reads from a view, that tells of failures.
  case save(Applier<Machine>, MachineStateView?, IndexedConfiguration)
  /// Copies the files of the state, to be a snapshot.
  case copy(MachineState)
  /// Writes what has changed of the state, which reflects everything through an index, and makes it durable.
  case flush(MachineState, MachineState.Sealed, through: LogIndex)
  /// Anything else.
  case work(DiskWorkItem)

  /// A snapshot that takes the place of the state machine.
  package struct Installation: Sendable {
    package let snapshot: Snapshot
    /// The applier as it was before anything was applied.
    let blank: Applier<Machine>
  }

  /// What the task is, for traces.
  package var name: String {
    switch self {
    case .persist(_, _, let install): install == nil ? "persist" : "install"
    case .save: "save"
    case .copy: "copy"
    case .flush: "flush"
    case .work(.keep): "keep"
    case .work(.withdraw): "withdraw"
    case .work(.flush): "flush"
    case .work(.save): "save"
    case .work(.receive): "receive"
    case .work(.discard): "discard"
    case .work(.read): "read"
    case .work(.compact): "compact"
    case .work(.retain): "retain"
    }
  }

  /// The entries that it writes.
  package var entries: ArraySlice<Entry<Bytes>> {
    switch self {
    case .persist(_, let entries, _): entries
    case .save: []
    case .copy: []
    case .flush: []
    case .work: []
    }
  }

  /// Whether it takes long, and may be done beside everything else.
  package var isBulk: Bool {
    switch self {
    case .save: true
    case .copy: true
    case .flush: true
    case .persist: false
    case .work: false
    }
  }

  /// Carries the task out.
  ///
  /// - Throws: `StoreError`. The node must stop then, and the store is not to be used any more.
  package consuming func perform(
    on store: inout some LogStore & SnapshotStore
  ) throws(StoreError) -> DiskResult<Machine> {
    switch consume self {
    case .persist(let write, let entries, let install):
      guard let install else { return .persisted(try store.persist(write, entries: entries), nil) }
      let applier: Applier<Machine>
      do {
        applier = try Self.load(install, from: &store)
      } catch {
        write.abandon()
        throw error
      }
      let proof = try store.persist(write, entries: entries, installing: install.snapshot)
      return .persisted(proof, .init(snapshot: install.snapshot, applier: applier))
    case .save(let applier, let view, let configuration):
      let draft = store.beginSnapshot()
      let snapshot = try applier.write(to: draft, configuration, reading: view)
      try store.save(snapshot, draft)
      return .saved(snapshot)
    case .copy(let state):
      let (files, last) = try Self.copy(state) { false }
      return .copied(files, last)
    case .flush(let state, let sealed, let index):
      try state.flush(sealed)
      return .flushed(state, through: index)
    case .work(let work):
      return try Self.perform(work, on: &store)
    }
  }

  /// Gives the task up, because the replica ends here.
  package consuming func abandon() {
    if case .persist(let write, _, _) = consume self { write.abandon() }
  }

  private static func perform(
    _ work: DiskWorkItem, on store: inout some LogStore & SnapshotStore
  ) throws(StoreError) -> DiskResult<Machine> {
    switch work {
    case .save, .flush: break
    case .keep(let snapshot, let files):
      try store.keep(snapshot, files)
      return .saved(snapshot)
    case .receive(let piece, let bytes):
      return .received(piece, isSound: try store.receive(piece, bytes: bytes))
    case .discard(let fingerprint): try store.discardReceived(fingerprint: fingerprint)
    case .read(let message):
      guard case .installSnapshot(let piece) = message.body else { return .done }
      let bytes = try store.read(
        fingerprint: piece.fingerprint, offset: piece.offset, count: Int(piece.count))
      return .read(message, bytes)
    case .compact(let index): try store.compact(through: index)
    case .retain(let fingerprints): try store.retain(fingerprints: fingerprints)
    case .withdraw(let fingerprint): try store.withdraw(fingerprint: fingerprint)
    }
    return .done
  }

  /// Copies the files of a state. How far it has come by then is read from the copy, never from the running applier, which
  /// goes on meanwhile.
  static func copy(
    _ state: MachineState, unless isBroken: () -> Bool
  ) throws(StoreError) -> (SnapshotFolder, EntryID) {
    guard let files = try state.copyFiles() else { throw .failed("the state has no files") }
    guard let last = try Applier<Machine>.progress(of: try files.state()) else {
      throw .corrupt("a copy of the state does not say how far it has come")
    }
    try files.takeFingerprint(unless: isBroken)
    return (files, last)
  }

  /// Reads the whole snapshot before it counts: one that this version cannot read must not take anything's place.
  private static func load(
    _ install: Installation, from store: inout some LogStore & SnapshotStore
  ) throws(StoreError) -> Applier<Machine> {
    var applier = install.blank
    if Machine.self is any StoredStateMachine.Type, let state = try store.receivedState(install.snapshot) {
      try applier.keep(in: state)
      guard applier.last == install.snapshot.last else {
        throw .corrupt(
          "the files of a snapshot that ends at entry \(install.snapshot.last) hold a state of \(applier.last)"
        )
      }
      return applier
    }
    if Machine.self is any StoredStateMachine.Type, let state = try store.newState() {
      try applier.keep(in: state)
    }
    try applier.restore(install.snapshot, from: store)
    applier.commit()
    if let failure = applier.failure { throw failure }
    try applier.state?.flush()
    return applier
  }
}

/// What came of a ``DiskTask``.
package enum DiskResult<Machine: StateMachine>: ~Copyable, Sendable {
  /// A write is durable.
  case persisted(DurableWrite, Installed?)
  /// A snapshot is saved.
  case saved(Snapshot)
  /// The files of the state are copied, as it was after an entry.
  case copied(SnapshotFolder, EntryID)
  /// The state is durable, as far as an index.
  case flushed(MachineState, through: LogIndex)
  /// A piece is stored; or, if it is not sound, what was received is thrown away.
  case received(InstallSnapshot, isSound: Bool)
  /// The bytes for a message; nil if there is no such snapshot any more.
  case read(Message, Bytes?)
  /// Nothing more is to be done.
  case done

  /// A snapshot that has taken the place of the state machine.
  package struct Installed: Sendable {
    let snapshot: Snapshot
    let applier: Applier<Machine>

    /// Whether the state machine keeps its state in the node.
    package var keepsState: Bool { applier.state != nil }
  }

  /// Gives the result up, because the replica ends here.
  package consuming func abandon() {
    if case .persisted(let proof, _) = consume self { proof.abandon() }
  }
}

extension Applier {
  /// The applier with which a replica starts: from its own state, if it keeps one; from the snapshot that is found in its
  /// store; or from the beginning.
  ///
  /// - Parameters:
  ///   - blank: An applier that nothing was applied to.
  ///   - recovered: What the store holds; it learns how far the state has come.
  ///   - store: Recovered.
  /// - Throws: `StoreError` if state or snapshot cannot be read, or do not fit the log.
  package static func starting(
    from blank: Applier, _ recovered: inout RecoveredState<Bytes>?,
    in store: inout some LogStore & SnapshotStore
  ) throws(StoreError) -> Applier {
    var applier = blank
    if Machine.self is any StoredStateMachine.Type, let state = try store.openState() {
      try applier.keep(in: state)
      try applier.checkFit(recovered)
      recovered?.appliedIndex = applier.last.index
      return applier
    }
    if let snapshot = recovered?.snapshot { try applier.restore(snapshot, from: store) }
    return applier
  }

  /// Checks that the log goes on where the state has come to. A log that ends before it has lost what was synced; one that
  /// begins behind it was compacted too far, or the state is not this log's.
  private func checkFit(_ recovered: RecoveredState<Bytes>?) throws(StoreError) {
    guard let recovered else {
      guard last == .zero else {
        throw .corrupt("there is a state, and the log to which it belongs is missing")
      }
      return
    }
    let end = recovered.entries.last?.id ?? recovered.base
    guard last.index >= recovered.base.index, last.index <= end.index else {
      throw .corrupt(
        "the state ends at entry \(last), and the log holds what is behind entry \(recovered.base), through \(end)"
      )
    }
    let offset = recovered.base.index.distance(to: last.index)
    let here = offset == 0 ? recovered.base : recovered.entries[offset - 1].id
    guard here == last else {
      throw .corrupt("the state ends at entry \(last), and the log holds entry \(here) there")
    }
  }

  /// Takes what a snapshot in a store holds; nothing was applied to this before.
  fileprivate mutating func restore(
    _ snapshot: Snapshot, from store: some SnapshotStore
  ) throws(StoreError) {
    let state = state
    let source = SnapshotSource(snapshot) { offset, count throws(StoreError) in
      // Nothing depends on the pieces before the record of how far the state has come, which is written last.
      state?.spill()
      return try store.read(fingerprint: snapshot.fingerprint, offset: offset, count: count)
    }
    var reader = SnapshotReader(source)
    do throws(MalformedBytes) {
      try restore(from: &reader, last: snapshot.last)
    } catch {
      throw source.failure
        ?? .corrupt("the snapshot that ends at entry \(snapshot.last) cannot be read: \(error)")
    }
  }

  /// Writes a snapshot of this, which is frozen.
  ///
  /// - Throws: `StoreError` if it cannot be written, or the state cannot be read.
  func write(
    to draft: SnapshotDraft, _ configuration: IndexedConfiguration, reading view: MachineStateView?
  ) throws(StoreError) -> Snapshot {
    let outlet = SnapshotOutlet(draft)
    var writer = SnapshotWriter(to: outlet)
    snapshot(into: &writer)
    writer.finish()
    if let failure = view?.failure ?? outlet.failure { throw failure }
    return Snapshot(
      last: last, configuration: configuration, bytes: draft.bytes, fingerprint: draft.fingerprint)
  }
}
