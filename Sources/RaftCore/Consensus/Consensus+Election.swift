// Elections: timeouts, pre-vote, votes, becoming leader or follower (thesis §3.4, §3.6, §4.2.3, §9.6).

extension Consensus {
  // MARK: - Campaigning

  /// Begins a campaign: a pre-vote, unless this node alone decides.
  mutating func campaign(into outputs: inout Outputs) {
    guard !isWriteOverdue else {
      // As leader it could commit nothing that its disk takes part in.
      redrawElectionDeadline()
      return outputs.trace(.campaignHeldBack(term: hardState.term))
    }
    guard configuration.voters != [id] || configuration.isJoint else {
      return requestVotes(isTransfer: false, into: &outputs)
    }
    role = .preCandidate
    redrawElectionDeadline()
    outputs.trace(.becamePreCandidate(term: hardState.term))
    votes.removeAll()
    votes.record(id, isGranted: true)
    // Nothing is promised by a pre-vote, so nothing needs to be durable for it.
    let request = RequestVote(
      campaignTerm: hardState.term.next, lastEntry: log.last, isPreVote: true, isTransfer: false)
    forEachOtherVoter { peer, engine in engine.send(.requestVote(request), to: peer, into: &outputs) }
  }

  /// Campaigns for real, in the next term.
  mutating func requestVotes(isTransfer: Bool, into outputs: inout Outputs) {
    enter(hardState.term.next, votedFor: id)
    role = .candidate
    redrawElectionDeadline()
    outputs.trace(.becameCandidate(term: hardState.term))
    votes.removeAll()
    let ownVote = RequestVoteReply(campaignTerm: hardState.term, isPreVote: false, isGranted: true)
    sendOnceDurable(.requestVoteReply(ownVote), to: id, after: .everything, into: &outputs)
    let request = RequestVote(
      campaignTerm: hardState.term, lastEntry: log.last, isPreVote: false, isTransfer: isTransfer)
    forEachOtherVoter { peer, engine in
      engine.sendOnceDurable(.requestVote(request), to: peer, after: .everything, into: &outputs)
    }
  }

  /// Draws the next deadline: a whole timeout, or a short stagger while the leader is reported lost, so that a campaign
  /// that was split among followers in haste is repeated in haste.
  private mutating func redrawElectionDeadline() {
    electionTimeout = Int.random(
      in: options.electionTimeoutTicksMin...options.electionTimeoutTicksMax, using: &randomSource)
    electionDeadline = now + electionTimeout
    if hastyCampaignsLeft > 0 {
      hastyCampaignsLeft -= 1
      electionDeadline =
        now + options.heartbeatTicks
        + Int.random(in: 0...options.leaderLostStaggerTicks, using: &randomSource)
    }
  }

  private mutating func forEachOtherVoter(_ body: (NodeID, inout Consensus) -> Void) {
    let configuration = configuration
    for member in configuration.members where member.id != id && configuration.isVoter(member.id) {
      body(member.id, &self)
    }
  }

  // MARK: - Voting

  mutating func handle(
    _ request: RequestVote, from candidate: NodeID, term: Term, into outputs: inout Outputs
  ) {
    // A node that hears its leader neither votes nor takes over the candidate's term: a node that was removed, or cut
    // off for a while, could otherwise depose a leader that everybody else hears well (thesis §4.2.3, scenario 55).
    if isLeaderAlive(asFor: candidate), !request.isTransfer {
      outputs.trace(
        .voteRefused(
          to: candidate, term: request.campaignTerm, isPreVote: request.isPreVote, reason: .leaderIsAlive))
      return
    }
    if term > hardState.term {
      becomeFollower(in: term, leader: nil, because: .higherTerm, into: &outputs)
    }
    let refusal = refusal(of: request, from: candidate, term: term)
    if let refusal {
      outputs.trace(
        .voteRefused(to: candidate, term: request.campaignTerm, isPreVote: request.isPreVote, reason: refusal)
      )
    } else {
      outputs.trace(.voteGranted(to: candidate, term: request.campaignTerm, isPreVote: request.isPreVote))
      request.isPreVote ? yield(to: candidate, request, into: &outputs) : grant(to: candidate)
    }
    let reply = RequestVoteReply(
      campaignTerm: request.campaignTerm, isPreVote: request.isPreVote, isGranted: refusal == nil)
    // A refusal may rest on a vote that is still being written, and teaches the candidate a term that may be.
    sendOnceDurable(.requestVoteReply(reply), to: candidate, after: .hardState, into: &outputs)
  }

  /// Why a vote is refused; nil if it is granted (thesis §3.6.1).
  private func refusal(of request: RequestVote, from candidate: NodeID, term: Term) -> TraceEvent.VoteRefusal?
  {
    guard term == hardState.term else { return .staleTerm }
    if !request.isPreVote {
      guard !isLeader, hardState.votedFor == nil || hardState.votedFor == candidate else {
        return .alreadyVoted
      }
    }
    // Compared with the log as it is now, written or not: a longer log only makes a voter stricter.
    return request.lastEntry >= log.last ? nil : .logBehind
  }

  private mutating func grant(to candidate: NodeID) {
    if role == .preCandidate {
      // Otherwise a late pre-vote would start a campaign against the node that this one has just elected.
      role = .follower(leader: nil)
      votes.removeAll()
    }
    if hardState.votedFor == nil {
      hardState.votedFor = candidate
      writes.hardStateChanged()
    }
    electionDeadline = now + electionTimeout
  }

  /// Of two nodes that ask at the same moment, the one with the older log or the lower id lets the other go first:
  /// both would otherwise campaign, each with its own vote, and neither of two be elected.
  private mutating func yield(to candidate: NodeID, _ request: RequestVote, into outputs: inout Outputs) {
    guard role == .preCandidate, (request.lastEntry, candidate) > (log.last, id) else { return }
    role = .follower(leader: nil)
    votes.removeAll()
    outputs.trace(.becameFollower(term: hardState.term, leader: nil))
  }

  /// Whether a leader was heard within the minimum election timeout. A leader that campaigns itself has given up.
  private func isLeaderAlive(asFor candidate: NodeID) -> Bool {
    if isBoundByLease, leader != candidate { return true }
    return switch role {
    case .leader: true
    case .preCandidate, .candidate, .follower(leader: nil): false
    case .follower(let leader):
      leader != candidate && hastyCampaignsLeft == 0
        && now < lastLeaderContact + options.electionTimeoutTicksMin
    }
  }

  mutating func handle(_ reply: RequestVoteReply, from voter: NodeID, into outputs: inout Outputs) {
    let isExpected =
      switch role {
      case .preCandidate: reply.isPreVote && reply.campaignTerm == hardState.term.next
      case .candidate: !reply.isPreVote && reply.campaignTerm == hardState.term
      case .follower, .leader: false
      }
    guard isExpected else { return outputs.trace(.ignored(from: voter, reason: .stale)) }
    votes.record(voter, isGranted: reply.isGranted)
    switch (votes.outcome(in: configuration), role) {
    case (.won, .preCandidate): requestVotes(isTransfer: false, into: &outputs)
    case (.won, _): becomeLeader(into: &outputs)
    case (.lost, _):
      role = .follower(leader: nil)
      votes.removeAll()
      outputs.trace(.becameFollower(term: hardState.term, leader: nil))
    case (.open, _): break
    }
  }

  // MARK: - Changing role

  /// Follows in `term`, which is this node's term or a later one.
  mutating func becomeFollower(
    in term: Term, leader: NodeID?, because reason: TraceEvent.StepDownReason, into outputs: inout Outputs
  ) {
    if isLeader {
      outputs.trace(.steppedDown(term: hardState.term, reason: reason))
      refuseAllReads(into: &outputs)
      progress.removeAll()
      snapshotsUnderWay.removeAll()
      if let handover = transfer, handover.isByPriority {
        priority.tried(handover.target, now: now, options: options)
      }
      transfer = nil
      overdueProbe = nil
    }
    if term > hardState.term { enter(term, votedFor: nil) }
    role = .follower(leader: leader)
    priority.leaderChanged()
    votes.removeAll()
    redrawElectionDeadline()
    outputs.trace(.becameFollower(term: hardState.term, leader: leader))
  }

  private mutating func enter(_ term: Term, votedFor: NodeID?) {
    precondition(term > hardState.term, "terms only grow")
    hardState = HardState(term: term, votedFor: votedFor)
    writes.hardStateChanged()
    writes.dropHeld(before: term)
  }

  /// Notes a sign of life of this term's leader.
  ///
  /// - Returns: Whether the message is to be acted upon: in one term there is one leader.
  mutating func heardLeader(_ leader: NodeID, into outputs: inout Outputs) -> Bool {
    switch role {
    case .leader:
      outputs.trace(.ignored(from: leader, reason: .impossible))
      return false
    case .follower(let known?) where known != leader:
      outputs.trace(.ignored(from: leader, reason: .impossible))
      return false
    case .follower(leader: _?): break
    case .follower(leader: nil), .preCandidate, .candidate:
      hastyCampaignsLeft = 0
      becomeFollower(in: hardState.term, leader: leader, because: .higherTerm, into: &outputs)
    }
    hastyCampaignsLeft = 0
    lastLeaderContact = now
    priority.heard(leader, now: now, options: options)
    electionDeadline = now + electionTimeout
    return true
  }

  /// Leads: the logs of all others are probed, and an empty entry opens the term (thesis §3.6.2, §6.4).
  private mutating func becomeLeader(into outputs: inout Outputs) {
    role = .leader
    votes.removeAll()
    hastyCampaignsLeft = 0
    outputs.trace(.becameLeader(term: hardState.term))
    progress.removeAll()
    progress.update(
      for: configuration, own: id, next: log.lastIndex.next, now: now, departed: .zero, farewellDeadline: now)
    dropIncoming(into: &outputs)
    lease.restart()
    priority.restart(configuredAt: configurations.current.index, now: now, options: options)
    heartbeatRound = 0
    heartbeatDeadline = now + options.heartbeatTicks
    appendOwn(bytes: 0)
    termStartIndex = log.lastIndex
    replicate(into: &outputs)
    advanceCommitIndex(into: &outputs)
  }

  // MARK: - The lost connection

  /// The driver reports that the connection to `peer` broke. If that is the leader, followers need not wait for a whole
  /// timeout: they ask for pre-votes at once, a little staggered. Any contact from the leader cancels it, and a leader
  /// that a majority still hears keeps its place, because they refuse the pre-vote.
  mutating func connectionLost(to peer: NodeID, into outputs: inout Outputs) {
    guard case .follower(leader: peer) = role, hastyCampaignsLeft == 0 else { return }
    // Counter-example that this prevents: the connections of a healthy leader are reset by a router, its followers elect
    // another within 20 ms, and it goes on answering reads under its lease.
    guard !configuration.usesLeaseReads else { return }
    outputs.trace(.leaderLost(peer))
    hastyCampaignsLeft = Self.hastyCampaignLimit
    electionDeadline = now + 1 + Int.random(in: 0..<options.leaderLostStaggerTicks, using: &randomSource)
  }
}
