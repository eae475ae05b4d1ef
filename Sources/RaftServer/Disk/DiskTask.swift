import RaftCore
import RaftStore

/// What a store does besides writes and snapshots of the state machine.
package enum DiskWorkItem: Sendable {
  /// A snapshot is to be taken of the applier as it is by then.
  case save
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
}

/// Something for the store to do. Tasks are carried out one after the other, in the order in which the driver gave them,
/// on any thread; each result goes back to the driver, in the same order.
package enum DiskTask<Machine: StateMachine>: ~Copyable, Sendable {
  /// A write of the core, with its entries and, if it installs a snapshot, what is needed for that.
  case persist(PendingWrite, entries: ArraySlice<Entry<Bytes>>, install: Installation?)
  /// Takes a snapshot of a copy of the applier, and saves it.
  case save(Applier<Machine>, IndexedConfiguration)
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
    case .work: []
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
        applier = try Self.load(install, from: store)
      } catch {
        write.abandon()
        throw error
      }
      let proof = try store.persist(write, entries: entries, installing: install.snapshot)
      return .persisted(proof, .init(snapshot: install.snapshot, applier: applier))
    case .save(let applier, let configuration):
      let bytes = applier.snapshot()
      let snapshot = Snapshot(
        last: applier.last, configuration: configuration, bytes: UInt64(bytes.count),
        fingerprint: SnapshotFingerprint(of: bytes).value)
      try store.save(snapshot, bytes: bytes)
      return .saved(snapshot)
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
    case .save: break
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
    }
    return .done
  }

  /// Reads the whole snapshot before it counts: one that this version cannot read must not take anything's place.
  private static func load(
    _ install: Installation, from store: some SnapshotStore
  ) throws(StoreError) -> Applier<Machine> {
    let snapshot = install.snapshot
    let bytes = try store.read(
      fingerprint: snapshot.fingerprint, offset: 0, count: Int(clamping: snapshot.bytes))
    guard let bytes else { throw .failed("the snapshot to be installed is not there") }
    return try Applier.restored(install.blank, from: bytes, last: snapshot.last)
  }
}

/// What came of a ``DiskTask``.
package enum DiskResult<Machine: StateMachine>: ~Copyable, Sendable {
  /// A write is durable.
  case persisted(DurableWrite, Installed?)
  /// A snapshot is saved.
  case saved(Snapshot)
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
  }

  /// Gives the result up, because the replica ends here.
  package consuming func abandon() {
    if case .persisted(let proof, _) = consume self { proof.abandon() }
  }
}

extension Applier {
  /// The applier with which a replica starts that finds `snapshot` in its store; `blank` if it finds none.
  ///
  /// - Throws: `StoreError` if the snapshot cannot be read.
  package static func starting(
    from blank: Applier, snapshot: Snapshot?, in store: some SnapshotStore
  ) throws(StoreError) -> Applier {
    guard let snapshot else { return blank }
    let bytes = try store.read(
      fingerprint: snapshot.fingerprint, offset: 0, count: Int(clamping: snapshot.bytes))
    guard let bytes else { throw .corrupt("the snapshot that ends at entry \(snapshot.last) is not there") }
    return try restored(blank, from: bytes, last: snapshot.last)
  }

  fileprivate static func restored(
    _ blank: Applier, from bytes: Bytes, last: EntryID
  ) throws(StoreError) -> Applier {
    do throws(MalformedBytes) {
      return try blank.restored(from: bytes, last: last)
    } catch {
      throw .corrupt("the snapshot that ends at entry \(last) cannot be read: \(error)")
    }
  }
}
