/// What a leader knows of one peer's log, and how it sends to it.
struct Progress: Sendable {
  /// How entries are sent.
  enum State: Hashable, Sendable {
    /// The logs' agreement is not known: one message at a time, until one is accepted.
    case probe(isPaused: Bool)
    /// The logs agree: messages follow each other without waiting, within the limits.
    case pipeline
    /// The peer needs entries that are compacted away, and the driver has offered no snapshot yet: only heartbeats are
    /// sent.
    case needsSnapshot
    /// The peer receives a snapshot: besides its pieces only heartbeats are sent.
    case snapshot
  }

  let id: NodeID
  /// Highest index known to be durable on the peer, in the leader's log. Monotone within a term.
  var match: LogIndex
  /// Index of the next entry to send.
  var next: LogIndex
  var state = State.probe(isPaused: false)
  /// The highest commit index that a sent message has told.
  var toldCommit = LogIndex.zero
  /// When the peer was last heard from in this term.
  var lastHeard: Ticks
  /// When the last probe was sent: the next one waits a heartbeat for its answer.
  private(set) var lastProbe = Ticks.zero
  /// The highest heartbeat round that the peer has answered in this term.
  var ackedRound: UInt64 = 0
  /// When the latest heartbeat was sent that this peer has answered, knowing that leases are in use.
  var leaseStart = Ticks.zero
  /// The index of the configuration that leaves this peer out, while it is still to learn that.
  private(set) var removedAt: LogIndex?
  /// When a removed peer is forgotten, whether or not it has learned of its removal.
  private(set) var farewellDeadline = Ticks.zero
  /// The first heartbeat round that tells a removed peer that its removal is committed; 0 before that.
  var farewellRound: UInt64 = 0
  /// The round of catching up that is under way (thesis §4.2.1): where the log ended when it began, and when that was.
  private var round: (target: LogIndex, start: Ticks)
  /// How long the last complete round took, in ticks.
  private var lastRoundTicks: UInt64?
  /// Appends under way, oldest first.
  private var inflights = Inflights()

  init(id: NodeID, next: LogIndex, now: Ticks) {
    self.id = id
    match = .zero
    self.next = next
    lastHeard = now
    round = (next.previous, now)
  }

  /// Whether it waits for a snapshot or receives one.
  var isBehindSnapshot: Bool { state == .needsSnapshot || state == .snapshot }

  /// Whether the peer was really heard in this term: `lastHeard` begins with the leadership.
  var hasAnswered: Bool { match > .zero || ackedRound > 0 }

  /// How many appends are under way, and their payload bytes.
  var inflight: (messages: Int, bytes: Int) { (inflights.count, inflights.bytes) }

  /// Whether entries may be sent now.
  func canSend(_ options: RaftOptions) -> Bool {
    switch state {
    case .probe(let isPaused): !isPaused
    case .pipeline:
      inflights.count < options.inflightMessagesMax && inflights.bytes < options.inflightBytesMax
    case .needsSnapshot, .snapshot: false
    }
  }

  mutating func didSend(through last: LogIndex, bytes: Int, now: Ticks) {
    switch state {
    case .probe:
      state = .probe(isPaused: true)
      lastProbe = now
    case .pipeline:
      next = last.next
      inflights.add(last: last, bytes: bytes)
    case .needsSnapshot, .snapshot: break
    }
  }

  /// The peer holds everything through `index`. Returns whether that was news.
  mutating func didAccept(through index: LogIndex) -> Bool {
    let isNews = index > match
    match = max(match, index)
    next = max(next, index.next)
    inflights.free(through: index)
    if state != .pipeline, isNews || state == .probe(isPaused: true) {
      state = .pipeline
      next = match.next
    }
    return isNews
  }

  /// The peer does not hold the entry at `previous`; `agreement` is where the logs may agree.
  ///
  /// Returns whether the answer was acted upon. A late one is not: it must not rewind what is known since (scenario 4).
  mutating func didReject(previous: LogIndex, agreement: LogIndex) -> Bool {
    switch state {
    case .pipeline: guard previous > match else { return false }
    case .probe: guard previous == next.previous else { return false }
    // What it lacks is known, and is on its way.
    case .needsSnapshot, .snapshot: return false
    }
    next = max(match.next, min(previous, agreement.next))
    state = .probe(isPaused: false)
    inflights.removeAll()
    return true
  }

  /// The peer has answered a heartbeat. Returns whether it is time to ask again what it holds: not at every answer,
  /// because reads make rounds follow each other without pause, and a probe may carry a megabyte.
  mutating func resumeProbe(now: Ticks, interval: Int) -> Bool {
    guard now >= lastProbe + interval else { return false }
    lastProbe = now
    if case .probe = state { state = .probe(isPaused: false) }
    return true
  }

  mutating func needSnapshot() {
    state = .needsSnapshot
    inflights.removeAll()
  }

  mutating func receiveSnapshot() {
    state = .snapshot
    inflights.removeAll()
  }

  /// The peer takes part no longer, as of the configuration at `index`.
  mutating func depart(at index: LogIndex, until deadline: Ticks) {
    guard removedAt == nil else { return }
    removedAt = index
    farewellDeadline = deadline
  }

  mutating func stay() {
    removedAt = nil
    farewellRound = 0
  }

  /// Ends the round of catching up if the peer has come as far as the log reached at its beginning, and begins the next.
  mutating func noteRound(lastIndex: LogIndex, now: Ticks) {
    guard match >= round.target else { return }
    // With the whole log there, the next round is over as soon as it begins: in a cluster without proposals, a learner
    // that took long to get there would otherwise never be told from one that cannot keep up.
    lastRoundTicks = match >= lastIndex ? 0 : now.rawValue - round.start.rawValue
    round = (lastIndex, now)
  }

  /// Whether the last round, and the one under way, took less than `limit` ticks.
  func isCaughtUp(limit: Int, now: Ticks) -> Bool {
    guard let lastRoundTicks, lastRoundTicks < UInt64(limit) else { return false }
    return match >= round.target || now < round.start + limit
  }
}

/// The appends under way to one peer.
struct Inflights: Sendable {
  private var messages = Ring<(last: LogIndex, bytes: Int)>()
  private(set) var bytes = 0

  var count: Int { messages.count }

  mutating func add(last: LogIndex, bytes: Int) {
    messages.append((last, bytes))
    self.bytes += bytes
  }

  mutating func free(through index: LogIndex) {
    while let first = messages.first, first.last <= index {
      bytes -= first.bytes
      messages.popFirst()
    }
  }

  mutating func removeAll() {
    messages.removeAll()
    bytes = 0
  }
}

/// A leader's view of all other members, ordered by id.
struct ProgressTable: Sendable {
  private(set) var peers: [Progress] = []

  /// Makes the table agree with `configuration`, keeping what is known of those who stay. Who is left out by the entry at
  /// `departed` remains until it has learned that.
  mutating func update(
    for configuration: Configuration, own id: NodeID, next: LogIndex, now: Ticks, departed: LogIndex,
    farewellDeadline: Ticks
  ) {
    var updated: [Progress] = []
    for member in configuration.members where member.id != id {
      var peer = self[member.id] ?? Progress(id: member.id, next: next, now: now)
      peer.stay()
      // A lease rests on peers that hold the configuration in force, and that one is new.
      peer.leaseStart = .zero
      updated.append(peer)
    }
    for peer in peers where configuration.member(peer.id) == nil {
      var leaving = peer
      leaving.depart(at: departed, until: farewellDeadline)
      updated.append(leaving)
    }
    peers = updated.sorted { $0.id < $1.id }
  }

  mutating func remove(_ position: Int) { peers.remove(at: position) }

  mutating func removeAll() { peers.removeAll(keepingCapacity: true) }

  subscript(id: NodeID) -> Progress? { position(of: id).map { peers[$0] } }

  /// Where the peer stands in `peers`; nil if it is no member.
  func position(of id: NodeID) -> Int? { peers.firstIndex { $0.id == id } }

  mutating func modify<Result>(_ position: Int, _ change: (inout Progress) -> Result) -> Result {
    change(&peers[position])
  }
}
