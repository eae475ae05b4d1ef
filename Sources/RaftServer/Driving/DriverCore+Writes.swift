import RaftCore
import RaftTransport

// Writes: proposed here, forwarded to the leader, or waiting for one (DESIGN: "one port", promises 1 and 3).

extension DriverCore {
  /// Takes a write in.
  ///
  /// - Returns: Its ticket, under which exactly one completion will follow.
  mutating func submit(
    _ kind: CommandEnvelope.Kind, session: SessionStamp, operation: Bytes, deadline: Ticks
  ) -> UInt64 {
    let refusal = refusal(ofBytes: operation.count)
    let ticket = requests.add(
      .init(
        body: .write(kind: kind, session: session, operation: operation), deadline: deadline, stage: .waiting)
    )
    if let refusal {
      finish(ticket, .failure(.notExecuted(refusal)))
    } else if !waiting.isEmpty || !send(ticket) {
      waiting.append(ticket)
    }
    return ticket
  }

  private func refusal(ofBytes bytes: Int) -> ReplicaError.Reason? {
    if bytes > options.commandBytesMax { return .tooLarge }
    guard requests.count < options.requestsMax, requests.bytes + bytes <= options.requestBytesMax else {
      return .busy
    }
    return nil
  }

  /// Sends the writes that wait, in the order in which they arrived, as far as there is somewhere to send them.
  mutating func sendWaiting() {
    proposeHeldForwards()
    guard !waiting.isEmpty else { return }
    var sent = 0
    for ticket in waiting {
      guard requests[ticket] == nil || send(ticket) else { break }
      sent += 1
    }
    waiting.removeFirst(sent)
  }

  /// Proposes or forwards one write.
  ///
  /// - Returns: Whether it is off the waiting list.
  private mutating func send(_ ticket: UInt64) -> Bool {
    guard let request = requests[ticket], case .write(let kind, let session, let operation) = request.body
    else {
      return true
    }
    guard let leader = node.leader else { return false }
    let target = ForwardTarget(leader: leader, term: node.term)
    guard target != refusedTarget else { return false }
    // A write that an earlier leader may still refuse, and that would then be sent again, must not be overtaken.
    guard forwardedCount == 0 || forwardTarget == target else {
      if forwardsExpire == nil { forwardsExpire = now.ticks + staleForwardTicks }
      return false
    }
    // A deadline that is left over is that of forwards which have all ended.
    if forwardedCount == 0 { forwardsExpire = nil }
    forwardTarget = target
    if leader == id {
      return propose(kind, session, operation, for: .local(ticket: ticket)) { [ticket] driver, reason in
        driver.finish(ticket, .failure(.notExecuted(reason)))
      }
    }
    guard links.isUp(leader, .bulk) else { return false }
    let forward = Forward(
      number: ticket, term: target.term, kind: kind, session: session, operation: operation)
    send(forward, .forward, to: leader)
    requests.setStage(.forwarded(leader: leader, term: target.term), of: ticket)
    forwardedCount += 1
    return true
  }

  /// How long forwards to a leader that is deposed may still be answered, in ticks, before they are given up as unknown.
  /// That is a few times as long as a message is on its way where an election timeout makes sense; all writes wait for it,
  /// after every silent death of a leader.
  var staleForwardTicks: Int { max(2, options.raft.electionTimeoutTicksMin / 6) }

  /// What would be stamped into a proposal now, in milliseconds since 1970.
  var proposalTime: UInt64 { max(lastLeaderTime, appliedTime, clock.time(at: now)) }

  /// Appends a command to the log of this leader.
  ///
  /// - Returns: Whether it was taken or refused for good; false if it may be taken later.
  private mutating func propose(
    _ kind: CommandEnvelope.Kind, _ session: SessionStamp, _ operation: Bytes,
    for origin: ProposalQueue.Origin,
    orRefuse refuse: (inout Self, ReplicaError.Reason) -> Void
  ) -> Bool {
    let time = proposalTime
    let envelope = CommandEnvelope(kind: kind, leaderTime: time, session: session, operation: operation)
      .encoded()
    do {
      let entry = try node.append(envelope, bytes: UInt32(envelope.count))
      lastLeaderTime = time
      hasAppended = true
      if case .local(let ticket) = origin { requests.setStage(.proposed, of: ticket) }
      for overtaken in proposals.add(.init(entry: entry, origin: origin)) { abandon(overtaken) }
      return true
    } catch {
      switch error {
      case .notLeader, .transferring: return false
      case .busy:
        refuse(&self, .busy)
        return true
      }
    }
  }

  // MARK: - On the leader

  /// A follower hands over a client's write.
  mutating func receive(_ forward: Forward, from peer: NodeID, boot: UInt64) {
    guard node.isLeader, forward.term == node.term else {
      return answer(ForwardReply(number: forward.number, boot: boot, result: .refused), to: peer)
    }
    let bytes = forward.operation.count
    guard heldForwards.count < options.requestsMax, bytes <= options.commandBytesMax,
      heldForwardBytes + bytes <= options.requestBytesMax
    else {
      return answer(ForwardReply(number: forward.number, boot: boot, result: .busy), to: peer)
    }
    guard heldForwards.isEmpty, !node.isTransferring else {
      heldForwards.append((peer, boot, forward))
      heldForwardBytes += bytes
      return
    }
    propose(forward, from: peer, boot: boot)
  }

  /// Proposes forwards in the order of their arrival. While leadership is being handed over they stay; if it is lost
  /// they are refused: nothing was proposed, so they may be sent elsewhere.
  private mutating func proposeHeldForwards() {
    guard !heldForwards.isEmpty, !(node.isLeader && node.isTransferring) else { return }
    let held = heldForwards
    heldForwards = []
    heldForwardBytes = 0
    for (peer, boot, forward) in held { propose(forward, from: peer, boot: boot) }
  }

  private mutating func propose(_ forward: Forward, from peer: NodeID, boot: UInt64) {
    let isTaken =
      forward.term == node.term
      && propose(
        forward.kind, forward.session, forward.operation,
        for: .remote(node: peer, boot: boot, number: forward.number)
      ) { driver, _ in
        driver.answer(ForwardReply(number: forward.number, boot: boot, result: .busy), to: peer)
      }
    if !isTaken { answer(ForwardReply(number: forward.number, boot: boot, result: .refused), to: peer) }
  }

  /// Answers a forward; once there is a connection, if there is none.
  ///
  /// Counter-example to sending it at once: a follower is started again, connects to the leader and forwards a write. The
  /// leader, whose own connections to the follower broke when that ended, has not dialed it again yet. The answer is lost,
  /// and the client waits for it until its deadline.
  mutating func answer(_ reply: ForwardReply, to peer: NodeID) {
    if links.isUp(peer, .bulk) { return send(reply, .forwardReply, to: peer) }
    guard heldReplies.count < options.requestsMax,
      heldReplyBytes + reply.outcome.count <= options.requestBytesMax
    else { return }
    heldReplies.append((peer, reply, now.ticks))
    heldReplyBytes += reply.outcome.count
  }

  /// Sends the answers for which there is a connection now, and forgets those for which nobody waits any more.
  mutating func sendHeldReplies() {
    guard !heldReplies.isEmpty else { return }
    let held = heldReplies
    heldReplies = []
    heldReplyBytes = 0
    for (peer, reply, since) in held {
      if links.isUp(peer, .bulk) {
        send(reply, .forwardReply, to: peer)
      } else if now.ticks < since + Self.heldReplyTicks {
        heldReplies.append((peer, reply, since))
        heldReplyBytes += reply.outcome.count
      }
    }
  }

  /// How long an answer is held, in ticks, at most: until then a peer that is there has been dialed again.
  static var heldReplyTicks: Int { 500 }

  mutating func abandon(_ proposal: ProposalQueue.Proposal) {
    switch proposal.origin {
    case .local(let ticket): finish(ticket, .failure(.unknown(.leadershipLost)))
    case .remote(let peer, let boot, let number):
      answer(ForwardReply(number: number, boot: boot, result: .unknown), to: peer)
    }
  }

  // MARK: - On the node that was asked

  /// The leader's answer to a forwarded write.
  mutating func receive(_ reply: ForwardReply, from peer: NodeID) {
    guard reply.boot == boot, let request = requests[reply.number],
      case .forwarded(let leader, let term) = request.stage, leader == peer,
      case .write(let kind, _, _) = request.body
    else { return }
    switch reply.result {
    case .outcome:
      finish(reply.number, .success(RemoteOutcome(kind: kind, bytes: reply.outcome)))
    case .busy: finish(reply.number, .failure(.notExecuted(.busy)))
    case .overwritten: finish(reply.number, .failure(.notExecuted(.leadershipLost)))
    case .sessionExpired: finish(reply.number, .failure(.unknown(.sessionExpired)))
    case .unknown: finish(reply.number, .failure(.unknown(.leadershipLost)))
    case .refused:
      refusedTarget = ForwardTarget(leader: leader, term: term)
      forwardedCount -= 1
      requests.setStage(.waiting, of: reply.number)
      waiting.insert(reply.number, at: waiting.firstIndex { $0 > reply.number } ?? waiting.count)
    }
  }

  /// Ends a write.
  mutating func finish(_ ticket: UInt64, _ result: Result<RemoteOutcome, ReplicaError>) {
    if forget(ticket) { endings.append(.write(ticket: ticket, result)) }
  }

  /// Takes a write off the books. Returns whether it was on them.
  mutating func forget(_ ticket: UInt64) -> Bool {
    guard let request = requests.remove(ticket) else { return false }
    if case .forwarded = request.stage { forwardedCount -= 1 }
    return true
  }

  /// Ends every forward for which `isOver` holds: it was sent, and its answer will not come.
  mutating func giveUpForwards(_ reason: ReplicaError.Reason, where isOver: (NodeID, Term) -> Bool) {
    guard forwardedCount > 0 else { return }
    for ticket in requests.tickets {
      if case .forwarded(let leader, let term)? = requests[ticket]?.stage, isOver(leader, term) {
        finish(ticket, .failure(.unknown(reason)))
      }
    }
  }

  /// Gives up what an earlier leader has not answered in time, once there is another one: a leader that was deposed because
  /// it hangs keeps its connections, and never answers.
  mutating func expireStaleForwards() {
    if forwardedCount > 0, forwardsExpire == nil, let leader = node.leader,
      forwardTarget != ForwardTarget(leader: leader, term: node.term)
    {
      forwardsExpire = now.ticks + staleForwardTicks
    }
    guard let expiry = forwardsExpire else { return }
    if forwardedCount == 0 {
      forwardsExpire = nil
    } else if now.ticks >= expiry {
      forwardsExpire = nil
      let target = forwardTarget
      giveUpForwards(.leadershipLost) { leader, term in
        ForwardTarget(leader: leader, term: term) == target
      }
    }
  }

  // MARK: - Deadlines and the end

  /// Answers what has waited too long.
  mutating func expireRequests() {
    let before = requests.count
    guard before > 0 else { return }
    for ticket in requests.tickets {
      guard let request = requests[ticket], request.deadline <= now.ticks else { continue }
      end(ticket, request, with: node.leader == nil ? .noLeader : .deadline)
    }
    if requests.count < before { forgetEnded() }
  }

  /// Takes requests that have ended off the lists.
  private mutating func forgetEnded() {
    let live = requests
    waiting.removeAll { live[$0] == nil }
    reads.removeAll { live[$0] == nil }
  }

  /// Answers what only a member can finish, because this node is none any more: nobody tells it of new entries, so that a
  /// read would wait for them for ever, and nobody leads it. What was handed to the leader is still answered.
  mutating func endAsNoMember() {
    for ticket in requests.tickets {
      guard let request = requests[ticket] else { continue }
      if case .forwarded = request.stage { continue }
      end(ticket, request, with: .stopping)
    }
    forgetEnded()
  }

  /// Answers everything, because the replica stops.
  mutating func endAll() {
    for ticket in requests.tickets {
      if let request = requests[ticket] { end(ticket, request, with: .stopping) }
    }
  }

  private mutating func end(
    _ ticket: UInt64, _ request: RequestTable.Request, with reason: ReplicaError.Reason
  ) {
    switch request.stage {
    case .waiting: finish(ticket, .failure(.notExecuted(reason)))
    case .proposed, .forwarded: finish(ticket, .failure(.unknown(reason)))
    case .reading:
      _ = requests.remove(ticket)
      endings.append(.read(ticket: ticket, .notExecuted(reason)))
    }
  }
}
