import RaftCore
import RaftStore

func entryID(_ term: UInt64, _ index: UInt64) -> EntryID {
  EntryID(term: Term(term), index: LogIndex(index))
}

/// The bytes of a snapshot, with what is known of it.
struct SnapshotContent: Sendable {
  let snapshot: Snapshot
  let bytes: Bytes

  /// A snapshot whose bytes differ from those of every snapshot that ends elsewhere.
  init(last: EntryID, configuration: IndexedConfiguration, count: Int) {
    bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8 &+ Int(last.index.rawValue)) }
    snapshot = Snapshot(
      last: last, configuration: configuration, bytes: UInt64(count),
      fingerprint: SnapshotFingerprint(of: bytes).value)
  }

  /// What a leader sends of it.
  func piece(_ range: Range<Int>) -> InstallSnapshot {
    InstallSnapshot(of: snapshot, offset: UInt64(range.lowerBound), count: UInt32(range.count))
  }
}

/// What a replica and its driver do to their store. Steps with equal descriptions do equal things to every store.
enum Step: Sendable {
  /// A cluster of three is founded.
  case found
  /// A leader's entries arrive: payloads behind `after`.
  case append(Int, after: EntryID, term: UInt64, commit: UInt64 = 1)
  /// A leader's entry arrives: a configuration behind `after`.
  case configure(after: EntryID, term: UInt64)
  /// A candidate's request arrives, and gets the vote.
  case vote(term: UInt64, for: UInt64)
  /// A snapshot of the state machine is saved.
  case save(last: EntryID, count: Int)
  /// The log is forgotten through an index.
  case compact(through: UInt64)
  /// A leader's snapshot arrives in pieces of these sizes, and is installed if that is all of it. Its bytes turn out not
  /// to be what was announced unless `isSound`.
  case receive(last: EntryID, count: Int, pieces: [Int], term: UInt64, isSound: Bool = true)
  /// Snapshots are forgotten that end elsewhere, but the node's own.
  case retain([EntryID])

  /// Whether what the step did is durable when it has returned.
  var isPromise: Bool {
    switch self {
    case .found, .append, .configure, .vote, .save: true
    case .receive(_, let count, let pieces, _, let isSound): isSound && pieces.reduce(0, +) == count
    case .compact, .retain: false
    }
  }
}

/// A replica with its store, driven as a driver would.
struct WritingNode {
  private static let id = NodeID(1)
  static let configuration = configuration(usesLeaseReads: false)
  /// Another one, to be told from the first.
  static let laterConfiguration = configuration(usesLeaseReads: true)

  private static func configuration(usesLeaseReads: Bool) -> Configuration {
    let members = (1...3).map { Member(id: NodeID($0), address: "127.0.0.1:\($0)", store: .durable) }
    do {
      return try Configuration(
        members: members, voters: members.map(\.id), leaseTimeoutTicks: usesLeaseReads ? 30 : nil)
    } catch {
      preconditionFailure("three members with three names are a configuration: \(error)")
    }
  }

  private(set) var node: RaftNode<Bytes>?
  var store: any LogStore & SnapshotStore
  /// What is done to a write's entries before the store gets them.
  var alterEntries: (ArraySlice<Entry<Bytes>>) -> ArraySlice<Entry<Bytes>> = { $0 }
  /// What is done to the snapshot that a write installs before the store gets it.
  var alterSnapshot: (Snapshot?) -> Snapshot? = { $0 }
  private var outputs = Outputs()

  /// A replica that starts with what its store holds.
  init(_ store: any LogStore & SnapshotStore) throws {
    self.store = store
    guard let recovered = try self.store.recover() else { return }
    node = try RaftNode(id: Self.id, recovered: recovered, seed: 1)
  }

  mutating func perform(_ steps: Step...) throws { for step in steps { try perform(step) } }

  mutating func perform(_ step: Step) throws {
    switch step {
    case .found:
      let state = RecoveredState<Bytes>.founding(Self.configuration)
      try store.found(state)
      node = try RaftNode(id: Self.id, recovered: state, seed: 1)
    case .append(let count, let previous, let term, let commit):
      try append(
        (1...count).map { .payload([UInt8(term), UInt8($0), 0xAB]) }, after: previous, term: term,
        commit: commit)
    case .configure(let previous, let term):
      try append([.configuration(Self.laterConfiguration)], after: previous, term: term, commit: 1)
    case .vote(let term, let candidate):
      let request = RequestVote(
        campaignTerm: Term(term), lastEntry: entryID(term - 1, 1000), isPreVote: false, isTransfer: true)
      take(.requestVote(request), from: candidate, term: term)
      try persist()
    case .save(let last, let count):
      let content = content(last, count)
      try store.save(content.snapshot, bytes: content.bytes)
    case .compact(let index): try store.compact(through: LogIndex(index))
    case .receive(let last, let count, let pieces, let term, let isSound):
      try receive(content(last, count), pieces, term: term, isSound: isSound)
    case .retain(let lasts):
      try store.retain(fingerprints: lasts.map { content($0, Self.snapshotBytes).snapshot.fingerprint })
    }
  }

  /// How many bytes a snapshot has that may be retained.
  static let snapshotBytes = 10

  /// The snapshot that ends at an entry, as every node takes it.
  func content(_ last: EntryID, _ count: Int = snapshotBytes) -> SnapshotContent {
    let founding = IndexedConfiguration(index: LogIndex(1), configuration: Self.configuration)
    return SnapshotContent(
      last: last, configuration: node?.configuration(at: last.index) ?? founding, count: count)
  }

  // MARK: - Messages

  private mutating func take(
    _ body: Message.Body, from sender: UInt64, term: UInt64, entries: [Entry<Bytes>] = [],
    configuration: IndexedConfiguration? = nil
  ) {
    outputs.removeAll()
    let message = Message(from: NodeID(sender), to: Self.id, term: Term(term), body: body)
    node?.step(message, entries: entries[...], configuration: configuration, into: &outputs)
  }

  private static func leader(of term: UInt64) -> UInt64 { term % 2 == 0 ? 2 : 3 }

  private mutating func append(
    _ contents: [EntryContent<Bytes>], after previous: EntryID, term: UInt64, commit: UInt64
  ) throws {
    let entries = contents.enumerated().map { offset, content in
      Entry(
        id: EntryID(term: Term(term), index: previous.index.advanced(by: offset + 1)), content: content,
        bytes: 3)
    }
    let request = AppendEntries(
      previous: previous, entriesTerm: Term(term), count: UInt32(entries.count), commitIndex: LogIndex(commit)
    )
    take(.appendEntries(request), from: Self.leader(of: term), term: term, entries: entries)
    try persist()
  }

  private mutating func receive(
    _ content: SnapshotContent, _ pieces: [Int], term: UInt64, isSound: Bool
  ) throws {
    var offset = 0
    for count in pieces {
      take(
        .installSnapshot(content.piece(offset..<(offset + count))), from: Self.leader(of: term), term: term,
        configuration: content.snapshot.configuration)
      var bytes = Bytes(content.bytes[offset..<(offset + count)])
      offset += count
      if !isSound, offset == content.bytes.count { bytes[0] ^= 1 }
      try store(bytes)
      try persist()
    }
  }

  /// Does with pieces of snapshots what the node asks for.
  private mutating func store(_ bytes: Bytes) throws {
    for dropped in outputs.discardedSnapshots {
      try store.discardReceived(fingerprint: dropped.fingerprint)
    }
    for piece in outputs.chunks {
      let isSound = try store.receive(piece, bytes: bytes)
      outputs.removeAll()
      if isSound {
        node?.didStoreChunk(fingerprint: piece.fingerprint, through: piece.end, into: &outputs)
      } else {
        node?.didFailToStore(fingerprint: piece.fingerprint, into: &outputs)
      }
    }
  }

  private mutating func persist() throws {
    while let write = node?.takeWrite() {
      let entries = alterEntries(node?.entries(after: write.after, through: write.through) ?? [])
      let snapshot = alterSnapshot(write.installs == nil ? nil : node?.installingSnapshot)
      let proof = try store.persist(write, entries: entries, installing: snapshot)
      guard node != nil else { return proof.abandon() }
      node?.didPersist(proof, into: &outputs)
    }
  }
}

/// Everything that a store gives to a node that starts.
struct StoredState: Equatable, CustomStringConvertible {
  var hardState: HardState
  var base: EntryID
  var baseConfiguration: IndexedConfiguration?
  var entries: [Entry<Bytes>]
  var commitIndex: LogIndex
  var appliedIndex: LogIndex
  var snapshot: Snapshot?
  var bytes: Bytes?

  /// What a store that was just opened holds; nil if it was never founded.
  init?(_ store: inout any LogStore & SnapshotStore) throws {
    guard let recovered = try store.recover() else { return nil }
    try self.init(recovered, in: store)
  }

  init(_ recovered: RecoveredState<Bytes>, in store: any LogStore & SnapshotStore) throws {
    hardState = recovered.hardState
    base = recovered.base
    baseConfiguration = recovered.baseConfiguration
    entries = recovered.entries
    commitIndex = recovered.commitIndex
    appliedIndex = recovered.appliedIndex
    snapshot = recovered.snapshot
    bytes = try snapshot.flatMap { snapshot in
      try store.read(fingerprint: snapshot.fingerprint, offset: 0, count: Int(snapshot.bytes))
    }
  }

  var description: String {
    "\(hardState) base \(base) entries \(entries.map(\.id)) commit \(commitIndex) applied \(appliedIndex) "
      + "snapshot \(snapshot.map { "\($0.last)" } ?? "none") of \(bytes?.count ?? 0) bytes"
  }
}
