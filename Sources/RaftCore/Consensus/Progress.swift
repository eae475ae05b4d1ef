/// What a leader knows of one peer's log, and how it sends to it.
struct Progress: Sendable {
  /// How entries are sent.
  enum State: Hashable, Sendable {
    /// The logs' agreement is not known: one message at a time, until one is accepted.
    case probe(isPaused: Bool)
    /// The logs agree: messages follow each other without waiting, within the limits.
    case pipeline
    /// The peer needs entries that are compacted away; only heartbeats are sent.
    case needsSnapshot
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
  /// Appends under way, oldest first.
  private var inflights = Inflights()

  init(id: NodeID, next: LogIndex, now: Ticks) {
    self.id = id
    match = .zero
    self.next = next
    lastHeard = now
  }

  /// How many appends are under way, and their payload bytes.
  var inflight: (messages: Int, bytes: Int) { (inflights.count, inflights.bytes) }

  /// Whether entries may be sent now.
  func canSend(_ options: RaftOptions) -> Bool {
    switch state {
    case .probe(let isPaused): !isPaused
    case .pipeline:
      inflights.count < options.inflightMessagesMax && inflights.bytes < options.inflightBytesMax
    case .needsSnapshot: false
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
    case .needsSnapshot: break
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
    case .probe, .needsSnapshot: guard previous == next.previous else { return false }
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
}

/// The appends under way to one peer, in a ring that stops allocating once it has grown to the window's size.
struct Inflights: Sendable {
  private var ring: [(last: LogIndex, bytes: Int)] = []
  private var start = 0
  private(set) var count = 0
  private(set) var bytes = 0

  mutating func add(last: LogIndex, bytes: Int) {
    if count == ring.count { grow() }
    ring[(start + count) & (ring.count - 1)] = (last, bytes)
    count += 1
    self.bytes += bytes
  }

  mutating func free(through index: LogIndex) {
    while count > 0, ring[start].last <= index {
      bytes -= ring[start].bytes
      start = (start + 1) & (ring.count - 1)
      count -= 1
    }
  }

  mutating func removeAll() {
    start = 0
    count = 0
    bytes = 0
  }

  private mutating func grow() {
    var larger = [(last: LogIndex, bytes: Int)](repeating: (.zero, 0), count: max(16, ring.count * 2))
    for offset in 0..<count { larger[offset] = ring[(start + offset) & (ring.count - 1)] }
    ring = larger
    start = 0
  }
}

/// A leader's view of all other members, ordered by id.
struct ProgressTable: Sendable {
  private(set) var peers: [Progress] = []

  /// Makes the table agree with `configuration`, keeping what is known of those who stay.
  mutating func update(for configuration: Configuration, own id: NodeID, next: LogIndex, now: Ticks) {
    peers = configuration.members.compactMap { member in
      member.id == id ? nil : self[member.id] ?? Progress(id: member.id, next: next, now: now)
    }
  }

  mutating func removeAll() { peers.removeAll(keepingCapacity: true) }

  subscript(id: NodeID) -> Progress? { position(of: id).map { peers[$0] } }

  /// Where the peer stands in `peers`; nil if it is no member.
  func position(of id: NodeID) -> Int? { peers.firstIndex { $0.id == id } }

  mutating func modify<Result>(_ position: Int, _ change: (inout Progress) -> Result) -> Result {
    change(&peers[position])
  }
}
