import RaftCore

/// One core with what the trace has shown of it, and what its disk holds.
struct TracedNode {
  /// A message on its way, with what travels along.
  struct Packet {
    var message: Message
    var entries: [Entry<UInt32>] = []
    var configuration: IndexedConfiguration?
    /// How the trace shows it; nil for what it does not show.
    var line: SpecificationMessage?
  }

  /// What a restart finds: always the state of some `Ready`.
  private struct Disk {
    var state: RecoveredState<UInt32>
    var shown: SpecificationState
  }

  var core: RaftNode<UInt32>
  /// What the trace has shown so far. It runs behind the core within one input, and is equal to it afterwards.
  var shown: SpecificationState
  /// What the trace has shown this leader to know of others: the highest index that each has acknowledged.
  var matches: [NodeID: LogIndex] = [:]
  var clock = Ticks.zero
  /// Sent, but held back until the next `Ready`.
  var outbox: [Packet] = []
  /// The ends of the log that this leader is to acknowledge to itself at the next `Ready`.
  var ownAcknowledgements: [LogIndex] = []
  /// Whether this candidate's vote for itself waits for the next `Ready`.
  var hasOwnVote = false
  var isDown = false
  /// Which configuration the node knew before it had a log.
  private let firstConfiguration: IndexedConfiguration?
  private var disk: Disk
  private var starts: UInt64 = 1

  var id: NodeID { core.id }

  init(id: NodeID, state: RecoveredState<UInt32>, options: RaftOptions) throws {
    core = try RaftNode(id: id, recovered: state, options: options, seed: id.rawValue)
    firstConfiguration = state.baseConfiguration
    shown = SpecificationState(
      term: state.hardState.term, vote: state.hardState.votedFor, commit: state.commitIndex,
      log: core.lastEntry.index)
    disk = Disk(state: state, shown: shown)
  }

  /// Whether something waits to be made durable, or to be let go once it is.
  var needsReady: Bool {
    core.hasUnsavedChanges || !outbox.isEmpty || hasOwnVote || !ownAcknowledgements.isEmpty
  }

  /// The configuration that is applied: the last one that is known to be committed.
  var appliedConfiguration: IndexedConfiguration? { core.configuration(at: shown.commit) }

  mutating func showApplied(_ applied: IndexedConfiguration) {
    shown.voters = applied.configuration.voters
    shown.learners = applied.configuration.learners
    shown.configurationIndex = applied.index
  }

  /// Whether the trace shows `peer` as taking part.
  func knows(_ peer: NodeID) -> Bool { shown.voters.contains(peer) || shown.learners.contains(peer) }

  /// Makes everything durable, as shown; what waited for it appears in `outputs`.
  mutating func persist(into outputs: inout Outputs) {
    while let write = core.takeWrite() {
      precondition(
        write.hardState == HardState(term: shown.term, votedFor: shown.vote),
        "the trace shows the term and vote that are written")
      core.didPersist(write.assumeDurable(), into: &outputs)
    }
    let base = core.baseIndex
    disk.shown = shown
    disk.state = RecoveredState(
      hardState: HardState(term: shown.term, votedFor: shown.vote),
      base: EntryID(term: core.term(at: base) ?? .zero, index: base),
      baseConfiguration: base == .zero ? firstConfiguration : core.configuration(at: base),
      entries: core.entries(after: base, through: core.lastEntry.index).map(Array.init) ?? [],
      commitIndex: shown.commit, appliedIndex: base)
  }

  mutating func applyCommitted() {
    while let range = core.takeCommitted(bytesMax: .max) { core.didApply(through: range.through) }
  }

  /// Loses everything since the last `Ready`, and starts again.
  mutating func restart(options: RaftOptions) throws {
    starts += 1
    core = try RaftNode(
      id: id, recovered: disk.state, options: options, seed: id.rawValue + 1_000 * starts, now: clock)
    shown = disk.shown
    shown.role = .follower
    matches = [:]
    outbox = []
    ownAcknowledgements = []
    hasOwnVote = false
    isDown = false
  }
}
