// Giving leadership away: on request, by priority, on removal, and when the own disk fails to keep up (thesis §3.10).

extension Consensus {
  /// A leadership transfer under way (thesis §3.10).
  struct Transfer: Hashable, Sendable {
    let target: NodeID
    let deadline: Ticks
    /// Whether the target was told to campaign.
    var isOrdered = false
    /// Whether the leader gives up even if the target does not take over.
    var endsLeadership = false
    /// Whether it was begun for the sake of priority.
    var isByPriority = false
  }

  // MARK: - On request

  mutating func handleTimeoutNow(from leader: NodeID, into outputs: inout Outputs) {
    guard case .follower(leader: leader) = role, configuration.isVoter(id) else {
      return outputs.trace(.ignored(from: leader, reason: .stale))
    }
    guard !isWriteOverdue, !isApplyingOverdue else {
      return outputs.trace(.campaignHeldBack(term: hardState.term))
    }
    requestVotes(isTransfer: true, into: &outputs)
  }

  mutating func transferLeadership(to target: NodeID, into outputs: inout Outputs) throws(TransferError) {
    guard isLeader else { throw .notLeader }
    guard target != id, configuration.voters.contains(target) else { throw .notAVoter }
    guard transfer == nil else { throw .alreadyTransferring }
    beginTransfer(
      Transfer(target: target, deadline: now + options.electionTimeoutTicksMin), into: &outputs)
  }

  mutating func beginTransfer(_ handover: Transfer, into outputs: inout Outputs) {
    transfer = handover
    outputs.trace(.transferStarted(to: handover.target))
    orderTransferIfCaughtUp(into: &outputs)
    if let position = progress.position(of: handover.target) {
      sendAppends(to: position, evenIfEmpty: true, into: &outputs)
    }
  }

  /// The voter that is best placed to take over: of those that answer, the one that holds most of the log.
  var bestTransferTarget: NodeID? {
    progress.peers.filter { peer in
      configuration.voters.contains(peer.id) && peer.lastHeard + 3 * options.heartbeatTicks > now
    }.max { ($0.match, $0.id) < ($1.match, $1.id) }?.id
  }

  mutating func orderTransferIfCaughtUp(into outputs: inout Outputs) {
    guard var handover = transfer, !handover.isOrdered, progress[handover.target]?.match == log.lastIndex
    else { return }
    handover.isOrdered = true
    transfer = handover
    order(handover.target, into: &outputs)
  }

  /// Tells a voter to campaign at once. From then on nothing is answered under a lease in this term: the order may take
  /// effect at any later time, and the votes that it brings do not wait for the lease to end (scenario 39).
  private mutating func order(_ target: NodeID, into outputs: inout Outputs) {
    lease.isVoid = true
    send(.timeoutNow, to: target, into: &outputs)
  }

  mutating func expireTransfer(into outputs: inout Outputs) {
    guard let handover = transfer, now >= handover.deadline else { return }
    endTransfer(handover, into: &outputs)
  }

  /// Gives a handover up.
  mutating func endTransfer(_ handover: Transfer, into outputs: inout Outputs) {
    transfer = nil
    outputs.trace(.transferAborted(to: handover.target))
    if handover.isByPriority { priority.tried(handover.target, now: now, options: options) }
    if handover.endsLeadership { giveUp(because: .asked, into: &outputs) }
  }

  // MARK: - Stepping down

  /// The driver wants this node not to lead: leadership is handed over if somebody can take it, and given up otherwise.
  mutating func stepDown(into outputs: inout Outputs) {
    guard isLeader else { return }
    if transfer != nil {
      transfer?.endsLeadership = true
    } else if let target = bestTransferTarget {
      var handover = Transfer(target: target, deadline: now + options.electionTimeoutTicksMin)
      handover.endsLeadership = true
      beginTransfer(handover, into: &outputs)
    } else {
      giveUp(because: .asked, into: &outputs)
    }
  }

  /// Ends leadership and orders the best placed voter to campaign, so that nobody waits for a timeout.
  mutating func resign(because reason: TraceEvent.StepDownReason, into outputs: inout Outputs) {
    if let target = bestTransferTarget { order(target, into: &outputs) }
    giveUp(because: reason, into: &outputs)
  }

  /// Follows nobody, and lets all others campaign first.
  private mutating func giveUp(because reason: TraceEvent.StepDownReason, into outputs: inout Outputs) {
    becomeFollower(in: hardState.term, leader: nil, because: reason, into: &outputs)
    electionDeadline = now + options.electionTimeoutTicksMax + electionTimeout
  }

  // MARK: - Priority

  /// When to look for a voter that is preferred as leader.
  ///
  /// What it knows outlasts a leadership. Counter-example that this prevents: the preferred voter is connected to leader 1
  /// alone. It is handed to, deposes 1 with the only vote that it gets, and somebody else is elected, who hands back to
  /// 1, as the next in preference. If 1 began anew, the cluster would be without a leader for a quarter of the time.
  struct PriorityWatch: Hashable, Sendable {
    private(set) var nextCheck = Ticks.zero
    /// Doubled by each attempt that is not known to have succeeded.
    private var patience = 1
    /// Who was handed to last, and since when that node has been heard leading.
    private var target: NodeID?
    private var leadsSince: Ticks?
    /// Where the configuration stands for which all of this holds.
    private var configuredAt = LogIndex.zero

    mutating func restart(configuredAt index: LogIndex, now: Ticks, options: RaftOptions) {
      adapt(to: index, now: now, options: options)
      nextCheck = now + max(2, patience) * options.electionTimeoutTicksMax
    }

    /// Another configuration may have other priorities, or have mended what stood in the way.
    mutating func adapt(to index: LogIndex, now: Ticks, options: RaftOptions) {
      guard index != configuredAt else { return }
      configuredAt = index
      patience = 1
      nextCheck = min(nextCheck, now + 2 * options.electionTimeoutTicksMax)
    }

    mutating func checked(now: Ticks, options: RaftOptions) {
      nextCheck = now + options.electionTimeoutTicksMin
    }

    /// Somebody was handed to, and whether that leads to a leader that stays is to be seen. Until then the next attempt
    /// comes less and less often: each stops proposals for up to an election timeout.
    mutating func tried(_ node: NodeID, now: Ticks, options: RaftOptions) {
      target = node
      leadsSince = nil
      patience = min(patience * 2, 1024)
      nextCheck = now + patience * options.electionTimeoutTicksMax
    }

    /// Whoever was handed to last has succeeded once it has led for a while.
    mutating func heard(_ leader: NodeID, now: Ticks, options: RaftOptions) {
      guard patience > 1, leader == target else { return }
      guard let since = leadsSince else {
        leadsSince = now
        return
      }
      if now >= since + 4 * options.electionTimeoutTicksMax { patience = 1 }
    }

    mutating func leaderChanged() { leadsSince = nil }
  }

  /// Hands over to a voter of higher priority that holds what is committed. Nothing waits for such a voter: priority
  /// has no part in elections, so that a preferred node that is gone holds nobody up (scenario 36).
  mutating func preferHigherPriority(into outputs: inout Outputs) {
    priority.adapt(to: configurations.current.index, now: now, options: options)
    guard now >= priority.nextCheck, transfer == nil, !isLeaving else { return }
    priority.checked(now: now, options: options)
    let own = configuration.member(id)?.priority ?? 0
    var best: (priority: UInt8, match: LogIndex, id: NodeID)?
    for peer in progress.peers where configuration.voters.contains(peer.id) {
      let preference = configuration.member(peer.id)?.priority ?? 0
      guard preference > own, peer.match >= commitIndex,
        peer.lastHeard + options.electionTimeoutTicksMin > now
      else { continue }
      let candidate = (preference, peer.match, peer.id)
      if let known = best, candidate <= known { continue }
      best = candidate
    }
    guard let best else { return }
    var handover = Transfer(target: best.id, deadline: now + options.electionTimeoutTicksMin)
    handover.isByPriority = true
    beginTransfer(handover, into: &outputs)
  }

  // MARK: - Overdue writes

  /// Whether something has been waiting to become durable for longer than ``RaftOptions/writeOverdueTicks``.
  var isWriteOverdue: Bool {
    writes.oldestWaiting.map { now >= $0 + options.writeOverdueTicks } ?? false
  }

  /// A leader whose own disk hangs applies nothing, and so answers nothing. It resigns, but only once a majority without
  /// it has proven that *its* disks work, by acknowledging an entry appended after the write was found overdue.
  ///
  /// Counter-example that this prevents: all nodes write to one shared storage, which hangs. A leader that resigned for
  /// its own write alone would be followed by one whose write of its vote hangs: no leader at all, where waiting would
  /// have done.
  mutating func watchOwnWrites(into outputs: inout Outputs) {
    guard isWriteOverdue else {
      overdueProbe = nil
      return
    }
    guard let probe = overdueProbe else {
      appendOwn(bytes: 0)
      overdueProbe = log.lastIndex
      outputs.trace(.writeOverdue(term: hardState.term))
      return replicate(into: &outputs)
    }
    let (id, progress) = (id, progress)
    let others = Quorum.agreed(configuration, scratch: &scratch) { voter in
      voter == id ? 0 : progress[voter]?.match.rawValue ?? 0
    }
    if LogIndex(others) >= probe { resign(because: .writeOverdue, into: &outputs) }
  }
}

// MARK: - A state machine that stands still

extension Consensus {
  /// Since when there has been something to apply, and nothing was applied.
  struct ApplyWatch: Hashable, Sendable {
    private(set) var since: Ticks?
    private var index = LogIndex.zero
    /// Who was offered leadership since then.
    var offered: [NodeID] = []

    /// Time has passed.
    mutating func notice(_ applied: LogIndex, isBehind: Bool, _ now: Ticks) {
      if isBehind, applied == index, since != nil { return }
      since = isBehind ? now : nil
      index = applied
      if !offered.isEmpty { offered = [] }
    }

    mutating func offer(to node: NodeID) { offered.append(node) }

    mutating func excuse(_ now: Ticks) { if since != nil { since = now } }
  }

  /// Whether the applier has stood still for longer than ``RaftOptions/writeOverdueTicks``, though there was something to
  /// apply.
  var isApplyingOverdue: Bool {
    applying.since.map { now >= $0 + options.writeOverdueTicks } ?? false
  }

  /// A leader whose state machine stands still answers nothing, whatever it commits. It hands over to the best placed voter,
  /// which refuses if the same has happened to it: then the next one is asked, and each of them once.
  ///
  /// It leads on until one has taken over. Counter-example to resigning: a command takes a second on every node. A leader
  /// that gave up first would leave the cluster without any, and the log without new entries, for nothing.
  mutating func watchApplying(into outputs: inout Outputs) {
    guard isApplyingOverdue, transfer == nil, !isLeaving else { return }
    let candidates = progress.peers.filter { peer in
      configuration.voters.contains(peer.id) && !applying.offered.contains(peer.id)
        && peer.lastHeard + 3 * options.heartbeatTicks > now
    }
    guard let target = candidates.max(by: { ($0.match, $0.id) < ($1.match, $1.id) })?.id else { return }
    if applying.offered.isEmpty { outputs.trace(.applyingOverdue(term: hardState.term)) }
    applying.offer(to: target)
    beginTransfer(
      Transfer(target: target, deadline: now + options.electionTimeoutTicksMin), into: &outputs)
  }
}

/// Why leadership cannot be handed over.
public enum TransferError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Only a leader has something to hand over.
  case notLeader
  /// The target is this node, or does not vote.
  case notAVoter
  /// Another handover is under way.
  case alreadyTransferring

  /// The value in words, as logs print it.
  public var description: String {
    switch self {
    case .notLeader: "this node is not the leader"
    case .notAVoter: "leadership can only be handed to another voter"
    case .alreadyTransferring: "leadership is already being handed over"
    }
  }
}
