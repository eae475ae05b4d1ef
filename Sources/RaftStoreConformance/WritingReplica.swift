import RaftCore
import RaftStore

/// A replica with its store, driven as a driver would: the only way to come by a write is to have a core make it.
struct WritingReplica {
  /// What is done to it. Equal steps do equal things to every replica that holds the same.
  enum Step: Hashable {
    /// A leader of a term sends entries behind an index.
    case append(Int, after: LogIndex, term: Term, commit: LogIndex)
    /// A candidate asks for the vote, and gets it.
    case vote(Term, for: NodeID)
    /// A snapshot is saved that ends at an index.
    case save(LogIndex)
    /// The log is forgotten through an index.
    case compact(LogIndex)
    /// A leader sends a snapshot that ends beyond the log.
    case receive(EntryID)
  }

  private static let id = NodeID(1)
  private var node: RaftNode<Bytes>?
  private var store: (any LogStore & SnapshotStore)?
  private var outputs = Outputs()
  /// The newest snapshot, which a restart finds.
  private var snapshot: Snapshot?
  /// Term and vote as they were written, or found, last.
  private var hardState = HardState.initial

  init(_ store: any LogStore & SnapshotStore) throws {
    var store = store
    if let recovered = try store.recover() {
      node = try RaftNode(id: Self.id, recovered: recovered, seed: 1)
      snapshot = recovered.snapshot
      hardState = recovered.hardState
    }
    self.store = store
    apply()
  }

  var isEmpty: Bool { node == nil }

  mutating func close() { store = nil }

  /// The replica as it is after a restart on the same store.
  func restarted() throws -> WritingReplica {
    guard let store else { return self }
    return try WritingReplica(store)
  }

  mutating func found() throws {
    let members = (1...3).map { Member(id: NodeID($0), address: "127.0.0.1:\($0)", store: .durable) }
    let state = RecoveredState<Bytes>.founding(try Configuration(voters: members))
    try store?.found(state)
    node = try RaftNode(id: Self.id, recovered: state, seed: 1)
  }

  // MARK: - Steps

  func drawStep(_ random: inout RandomSource) -> Step {
    guard let node else { return .vote(Term(2), for: NodeID(2)) }
    let (base, last) = (node.baseIndex, node.lastEntry)
    let term = Term(node.term.rawValue + UInt64.random(in: 0...2, using: &random))
    switch Int.random(in: 0..<10, using: &random) {
    case 0: return .vote(node.term.next, for: NodeID(2))
    case 1 where node.appliedIndex > (snapshot?.last.index ?? .zero): return .save(node.appliedIndex)
    case 2 where (snapshot?.last.index ?? .zero) > base: return .compact(snapshot?.last.index ?? .zero)
    case 3 where Bool.random(using: &random):
      return .receive(
        EntryID(term: term, index: last.index.advanced(by: Int.random(in: 1...9, using: &random))))
    default:
      // Entries that are committed stay.
      let from = max(base, node.commitIndex)
      let after = from.advanced(by: Int.random(in: 0...from.distance(to: last.index), using: &random))
      let count = Int.random(in: 1...4, using: &random)
      let commit = after.advanced(by: Int.random(in: 0...count, using: &random))
      return .append(count, after: after, term: max(term, last.term), commit: max(commit, node.commitIndex))
    }
  }

  mutating func perform(_ step: Step) throws {
    switch step {
    case .append(let count, let index, let term, let commit):
      guard let previous = node?.term(at: index) else { return }
      let entries = (1...count).map { offset in
        Entry<Bytes>(
          id: EntryID(term: term, index: index.advanced(by: offset)),
          content: .payload([UInt8(truncatingIfNeeded: term.rawValue), UInt8(offset)]), bytes: 2)
      }
      let request = AppendEntries(
        previous: EntryID(term: previous, index: index), entriesTerm: term, count: UInt32(count),
        commitIndex: commit)
      try take(.appendEntries(request), term: term, entries: entries)
    case .vote(let term, let candidate):
      let request = RequestVote(
        campaignTerm: term, lastEntry: EntryID(term: term, index: LogIndex(1 << 40)), isPreVote: false,
        isTransfer: true)
      try take(.requestVote(request), from: candidate, term: term)
    case .save(let index):
      guard let content = content(at: index) else { return }
      try store?.save(content.0, bytes: content.1)
      node?.didTakeSnapshot(content.0, into: &outputs)
      snapshot = content.0
    case .compact(let index):
      guard let reached = node?.compact(through: index) else { return }
      try store?.compact(through: reached)
    case .receive(let last): try receive(last)
    }
    apply()
  }

  private mutating func apply() {
    while let range = node?.takeCommitted(bytesMax: 1 << 20) { node?.didApply(through: range.through) }
  }

  /// The bytes of the snapshot that ends at an entry, the same on every replica.
  private static func bytes(of last: EntryID) -> Bytes {
    (0..<300).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ Int(last.index.rawValue)) }
  }

  private func content(at index: LogIndex) -> (Snapshot, Bytes)? {
    guard let node, let term = node.term(at: index), let configuration = node.configuration(at: index)
    else { return nil }
    let last = EntryID(term: term, index: index)
    let bytes = Self.bytes(of: last)
    let snapshot = Snapshot(
      last: last, configuration: configuration, bytes: UInt64(bytes.count),
      fingerprint: SnapshotFingerprint(of: bytes).value)
    return (snapshot, bytes)
  }

  private mutating func receive(_ last: EntryID) throws {
    guard let configuration = node?.configuration(at: node?.baseIndex ?? .zero) else { return }
    let bytes = Self.bytes(of: last)
    let arriving = Snapshot(
      last: last, configuration: configuration, bytes: UInt64(bytes.count),
      fingerprint: SnapshotFingerprint(of: bytes).value)
    for start in stride(from: 0, to: bytes.count, by: 100) {
      let piece = InstallSnapshot(of: arriving, offset: UInt64(start), count: 100)
      try take(
        .installSnapshot(piece), term: last.term, configuration: configuration,
        bytes: Bytes(bytes[start..<(start + 100)]))
    }
  }

  // MARK: - Messages

  private mutating func take(
    _ body: Message.Body, from sender: NodeID? = nil, term: Term, entries: [Entry<Bytes>] = [],
    configuration: IndexedConfiguration? = nil, bytes: Bytes = []
  ) throws {
    outputs.removeAll()
    let leader = NodeID(term.rawValue % 2 == 0 ? 2 : 3)
    let message = Message(from: sender ?? leader, to: Self.id, term: term, body: body)
    node?.step(message, entries: entries[...], configuration: configuration, into: &outputs)
    for dropped in outputs.discardedSnapshots { try store?.discardReceived(fingerprint: dropped.fingerprint) }
    for piece in outputs.chunks {
      let isSound = try store?.receive(piece, bytes: bytes) ?? false
      outputs.removeAll()
      if isSound {
        node?.didStoreChunk(fingerprint: piece.fingerprint, through: piece.end, into: &outputs)
      } else {
        node?.didFailToStore(fingerprint: piece.fingerprint, into: &outputs)
      }
    }
    try persist()
  }

  private mutating func persist() throws {
    while let write = node?.takeWrite() {
      let entries = node?.entries(after: write.after, through: write.through) ?? []
      hardState = write.hardState
      let installed = write.installs == nil ? nil : node?.installingSnapshot
      guard let proof = try store?.persist(write, entries: entries, installing: installed) else { return }
      node?.didPersist(proof, into: &outputs)
      if let installed { snapshot = installed }
    }
  }

  // MARK: - What is there

  /// What a node that starts is given, in words that can be compared.
  func contents() throws -> String {
    guard let store, let node else { return "nothing" }
    let entries = try store.entries(after: node.baseIndex, through: node.lastEntry.index)
    let bytes = try snapshot.flatMap {
      try store.read(fingerprint: $0.fingerprint, offset: 0, count: Int($0.bytes))
    }
    let log = (entries ?? []).map { "\($0.id) \($0.content)" }.joined(separator: ", ")
    let vote = hardState.votedFor.map { "\($0)" } ?? "none"
    let newest = snapshot.map { "\($0.last)" } ?? "none"
    return
      "term \(hardState.term), vote \(vote), log [\(log)], snapshot \(newest) of \(bytes?.count ?? 0) bytes"
  }
}
