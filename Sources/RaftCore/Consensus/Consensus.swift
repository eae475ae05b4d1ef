/// The Raft protocol engine: a value that knows positions in the log, never payloads. It has no clock, does no I/O and
/// stores no closure; everything observable follows from the initial state, the seed and the calls.
///
/// ``RaftNode`` pairs it with payloads and is what a driver uses. The files `Consensus+….swift` hold one concern each;
/// this one holds the state, and the way in.
struct Consensus: Sendable {
  let id: NodeID
  let options: RaftOptions
  let token: ReplicaToken
  var randomSource: RandomSource

  // Durable state, thesis fig. 3.1 ("persistent state on all servers").
  /// Term and vote as of now; ahead of what is durable while a write is in flight.
  var hardState: HardState
  /// The log's shape; its end is ahead of what is durable while a write is in flight.
  var log: LogPositions
  /// The configurations in the log; the last is in force from the moment it is appended (thesis §4.1).
  var configurations: ConfigurationLog
  /// The newest snapshot that the driver can send.
  var snapshot: Snapshot?
  /// What a leader sends to this node, as far as it has come.
  var incoming: IncomingSnapshot?

  // Volatile state on all nodes.
  var role = Role.follower(leader: nil)
  /// Highest index known committed. Monotone.
  var commitIndex: LogIndex
  /// Highest index handed to the applier. Monotone, at most min(commit index, own durable index).
  var handedOutIndex: LogIndex
  /// Highest index that the applier has reported. Monotone.
  var appliedIndex: LogIndex
  /// Highest index that every member is known to hold durably, as far as this node has learned. Monotone.
  var heldByAll: LogIndex
  /// Writes under way, and what waits for them.
  var writes: WriteQueue

  // Time.
  var now: Ticks
  /// When a node that is not leader campaigns.
  var electionDeadline: Ticks
  /// Drawn anew at each campaign and whenever a leader is lost (thesis §3.4).
  var electionTimeout: Int
  /// When a leader was last heard; the start, until one was.
  var lastLeaderContact: Ticks
  /// How many more campaigns start after a short stagger instead of a whole timeout, because the connection to the
  /// leader was reported broken. Any contact from a leader sets it to 0.
  var hastyCampaignsLeft = 0

  // Volatile state of candidates and leaders.
  var votes = VoteTally()
  /// Empty unless this node leads.
  var progress = ProgressTable()
  var reads = ReadQueue()
  var transfer: Transfer?
  var lease = Lease()
  var priority = PriorityWatch()
  var snapshotsUnderWay: [OutgoingSnapshot] = []
  /// The entry whose acknowledgement by all others proves that only this leader's disk hangs.
  var overdueProbe: LogIndex?
  /// Whether the state machine moves on.
  var applying = ApplyWatch()
  var heartbeatDeadline = Ticks.zero
  /// Counts the heartbeat rounds of this leadership.
  var heartbeatRound: UInt64 = 0
  /// Index of the empty entry that opened this leadership.
  var termStartIndex = LogIndex.zero
  var scratch: [UInt64] = []

  /// What a campaign that follows a lost connection may repeat in haste, before whole timeouts apply again.
  static let hastyCampaignLimit = 5

  /// Starts from validated state.
  init(
    id: NodeID, hardState: HardState, log: LogPositions, configurations: ConfigurationLog,
    commitIndex: LogIndex, appliedIndex: LogIndex, snapshot: Snapshot?, options: RaftOptions, seed: UInt64,
    now: Ticks
  ) {
    self.id = id
    self.options = options
    self.hardState = hardState
    self.log = log
    self.configurations = configurations
    self.commitIndex = commitIndex
    self.appliedIndex = appliedIndex
    self.snapshot = snapshot
    self.now = now
    lastLeaderContact = now
    handedOutIndex = appliedIndex
    heldByAll = log.base.index
    randomSource = RandomSource(seed: seed)
    token = ReplicaToken(id: id, life: randomSource.next())
    writes = WriteQueue(durable: log.lastIndex)
    electionTimeout = Int.random(
      in: options.electionTimeoutTicksMin...options.electionTimeoutTicksMax, using: &randomSource)
    // Nobody else can lead a cluster of one: it waits for nobody.
    let current = configurations.current.configuration
    electionDeadline = current.voters == [id] && !current.isJoint ? now : now + electionTimeout
  }

  /// The configuration in force.
  var configuration: Configuration { configurations.current.configuration }

  var isLeader: Bool { role == .leader }

  /// The leader that this node knows of; itself while it leads.
  var leader: NodeID? {
    switch role {
    case .follower(let leader): leader
    case .leader: id
    case .preCandidate, .candidate: nil
    }
  }

  // MARK: - The way in

  /// Advances the clock. To be called before every other input with the time of that input.
  ///
  /// Counter-example that this prevents: a leader is stopped for 5 seconds and continued. If it answered a read first
  /// and noticed the time afterwards, the answer could be older than what its successor has acknowledged (scenario 40).
  mutating func advance(to instant: Ticks, into outputs: inout Outputs) {
    guard instant > now else { return }
    now = instant
    writes.notice(now)
    applying.notice(appliedIndex, isBehind: appliedIndex < min(commitIndex, writes.durableIndex), now)
    fireTimers(into: &outputs)
  }

  /// Acts on one message; anything that a peer can send is either handled or ignored and traced.
  ///
  /// - Parameters:
  ///   - entryBytes: Sizes of the entries that an AppendEntries names, by position.
  ///   - configurations: Those among these entries, in order, or the one of an InstallSnapshot.
  /// - Returns: For an AppendEntries that changed the log, the index of the first entry that was taken from it.
  mutating func step(
    _ message: Message, entryBytes: (Int) -> UInt32, configurations: [IndexedConfiguration],
    into outputs: inout Outputs
  ) -> LogIndex? {
    precondition(
      message.to == id, "a message for \(message.to) was stepped into \(id): the driver drops misrouted ones")
    guard Self.isPlausible(message, to: id) else {
      outputs.trace(.ignored(from: message.from, reason: .impossible))
      return nil
    }
    if case .requestVote(let request) = message.body {
      handle(request, from: message.from, term: message.term, into: &outputs)
      return nil
    }
    guard message.term >= hardState.term else {
      refuseStale(message, into: &outputs)
      return nil
    }
    if message.term > hardState.term {
      becomeFollower(in: message.term, leader: nil, because: .higherTerm, into: &outputs)
    }
    return dispatch(message, entryBytes: entryBytes, configurations: configurations, into: &outputs)
  }

  /// Acts on a message of the current term.
  private mutating func dispatch(
    _ message: Message, entryBytes: (Int) -> UInt32, configurations: [IndexedConfiguration],
    into outputs: inout Outputs
  ) -> LogIndex? {
    switch message.body {
    case .requestVote, .staleTerm:
      break
    case .requestVoteReply(let reply):
      handle(reply, from: message.from, into: &outputs)
    case .appendEntries(let request):
      return handle(
        request, from: message.from, entryBytes: entryBytes, configurations: configurations, into: &outputs)
    case .appendEntriesReply(let reply):
      handle(reply, from: message.from, into: &outputs)
    case .heartbeat(let heartbeat):
      handle(heartbeat, from: message.from, into: &outputs)
    case .commitNotice(let index):
      // The leader tells no more than what this node has acknowledged: it is in the log, durably.
      if heardLeader(message.from, into: &outputs) {
        commit(through: min(index, writes.durableIndex), into: &outputs)
      }
    case .heartbeatReply(let reply):
      handle(reply, from: message.from, into: &outputs)
    case .timeoutNow:
      handleTimeoutNow(from: message.from, into: &outputs)
    case .readIndex(let read):
      addRead(read, asker: message.from, into: &outputs)
    case .readIndexReply(let reply):
      outputs.answer(ReadOutcome(id: reply.id, readIndex: reply.readIndex))
    case .installSnapshot(let request):
      handle(request, configuration: configurations.first, from: message.from, into: &outputs)
    case .installSnapshotReply(let reply):
      handle(reply, from: message.from, into: &outputs)
    }
    return nil
  }

  /// Whether numbers are small enough to count on from, and no node speaks to itself or as nobody.
  private static func isPlausible(_ message: Message, to id: NodeID) -> Bool {
    guard message.term < .highestPlausible, message.from != id, message.from.rawValue != 0 else {
      return false
    }
    switch message.body {
    case .requestVote(let request):
      return request.campaignTerm == (request.isPreVote ? message.term.next : message.term)
        && request.lastEntry.term <= message.term && request.lastEntry.index <= .highestPlausible
    case .appendEntries(let request):
      return request.previous.index <= .highestPlausible && request.previous.term <= message.term
        && (request.count == 0 || request.entriesTerm >= request.previous.term)
        && request.entriesTerm <= message.term
    case .requestVoteReply(let reply):
      return reply.campaignTerm <= .highestPlausible
    case .installSnapshot(let request):
      return request.last.term <= message.term && request.last.index <= .highestPlausible
        && request.bytes <= Snapshot.bytesMax && request.offset <= request.bytes
        && request.end <= request.bytes
    case .appendEntriesReply, .heartbeat, .heartbeatReply, .commitNotice, .staleTerm, .timeoutNow, .readIndex,
      .readIndexReply, .installSnapshotReply:
      return true
    }
  }

  /// Tells a leader of an earlier term that its term is over, so that it steps down instead of being ignored for ever
  /// by a node that cannot win an election itself (scenarios 26 and 27). Late answers are only dropped.
  private mutating func refuseStale(_ message: Message, into outputs: inout Outputs) {
    outputs.trace(.ignored(from: message.from, reason: .stale))
    switch message.body {
    case .appendEntries, .heartbeat, .commitNotice, .timeoutNow, .installSnapshot:
      sendOnceDurable(.staleTerm, to: message.from, after: .hardState, into: &outputs)
    case .readIndex(let read):
      sendOnceDurable(
        .readIndexReply(ReadIndexReply(id: read, readIndex: nil)), to: message.from, after: .hardState,
        into: &outputs)
    case .requestVote, .requestVoteReply, .appendEntriesReply, .heartbeatReply, .staleTerm, .readIndexReply,
      .installSnapshotReply:
      break
    }
  }

  // MARK: - Time

  private mutating func fireTimers(into outputs: inout Outputs) {
    guard isLeader else {
      if let deadline = campaignDeadline, now >= deadline { campaign(into: &outputs) }
      return
    }
    guard hasActiveQuorum() else {
      becomeFollower(in: hardState.term, leader: nil, because: .quorumLost, into: &outputs)
      return
    }
    expireTransfer(into: &outputs)
    if isLeader { watchOwnWrites(into: &outputs) }
    guard isLeader else { return }
    watchApplying(into: &outputs)
    // Not with the heartbeat: each round for reads puts that off, and under steady reads it is never due.
    preferHigherPriority(into: &outputs)
    for position in progress.peers.indices.reversed() { sayFarewell(to: position, into: &outputs) }
    if now >= heartbeatDeadline { broadcastHeartbeat(into: &outputs) }
  }

  /// When this node campaigns unless it hears a leader; nil if it never does. Its own vote only counts if it is a voter
  /// (thesis §4.2.2); to be elected it need not be one.
  ///
  /// That holds for who votes, or did before a configuration that is not known to be committed. Counter-example that
  /// this prevents: leader A of A and B replaces both by C. The joint phase is committed; B gets the entry that ends it,
  /// C does not; A is deposed. A and B take themselves for removed, and C, whose log ends before theirs, still needs a
  /// vote of theirs, which they refuse. Only A or B can be elected, by C alone.
  ///
  /// It also holds for learners, but they let the voters go first. Counter-example that this prevents: leader 1 of 1, 2
  /// and 3 promotes learner 4, and is cut off before anybody has the entry. 2 is elected by 3; its first entry reaches 4
  /// alone; 2 dies. Now 1 needs three votes of four, and 4, whose log is newer, refuses; 3 needs two of three, and both
  /// have newer logs. Only 4 can be elected, by 1 and 3, who are a majority of the voters that it knows.
  ///
  /// That is safe, because all that makes elections safe lies with those who vote: each votes once in a term, for no log
  /// older than its own, and it takes a majority of the candidate's configuration. Whoever leads without being a voter
  /// counts for nothing in commitment, takes no proposals, and resigns as soon as its configuration is committed. Nor
  /// does a learner that is merely cut off disturb: voters that hear their leader ignore its pre-votes.
  private var campaignDeadline: Ticks? {
    let deadline = electionDeadline + leaseDelay
    if configurations.isVoter(id, since: commitIndex) { return deadline }
    return configuration.member(id).map { _ in deadline + options.electionTimeoutTicksMax }
  }

  /// When time alone will next make this node act; never, for a node that takes no part.
  var nextDeadline: Ticks {
    guard isLeader else { return campaignDeadline ?? Ticks(.max) }
    return transfer.map { min($0.deadline, heartbeatDeadline) } ?? heartbeatDeadline
  }

  /// Whether a majority was heard from within the minimum election timeout (check-quorum, thesis §6.2).
  private mutating func hasActiveQuorum() -> Bool {
    let (now, id, progress) = (now, id, progress)
    let heard = Quorum.agreed(configuration, scratch: &scratch) { voter in
      voter == id ? now.rawValue : progress[voter]?.lastHeard.rawValue ?? 0
    }
    return Ticks(heard) + options.electionTimeoutTicksMin > now
  }
}
