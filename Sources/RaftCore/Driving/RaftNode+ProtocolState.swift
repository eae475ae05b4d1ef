// What tells two states of the protocol apart, for programs that visit every state of a small cluster.

extension RaftNode {
  /// Feeds everything that decides what the node can do next, except time and the randomness of its timeouts: whoever
  /// explores all interleavings lets timeouts fire when it pleases.
  package func addProtocolState(_ add: (UInt64) -> Void) { engine.addProtocolState(add) }
}

extension Consensus {
  func addProtocolState(_ add: (UInt64) -> Void) {
    add(hardState.term.rawValue)
    add(hardState.votedFor?.rawValue ?? 0)
    addLog(add)
    switch role {
    case .follower(let leader): add(1 &+ (leader?.rawValue ?? 0) &* 8)
    case .preCandidate: add(2)
    case .candidate: add(3)
    case .leader: add(4)
    }
    for index in [commitIndex, handedOutIndex, appliedIndex, heldByAll, termStartIndex] {
      add(index.rawValue)
    }
    // How long to wait for a campaign is a matter of time; whether to vote against a leader is not.
    if leader != nil { add(hastyCampaignsLeft > 0 ? 1 : 0) }
    votes.addState(add)
    for peer in progress.peers { peer.addState(add) }
    reads.addState(add)
    writes.addState(add)
    add(heartbeatRound)
    add(transfer.map { $0.target.rawValue &* 2 &+ ($0.isOrdered ? 1 : 0) } ?? 0)
  }

  private func addLog(_ add: (UInt64) -> Void) {
    add(log.base.index.rawValue)
    add(log.lastIndex.rawValue)
    var index = log.base.index
    while index < log.lastIndex {
      let end = log.endOfRun(containing: index.next)
      add(log.term(at: end)?.rawValue ?? 0)
      add(end.rawValue)
      index = end
    }
    add(configurations.current.index.rawValue)
  }
}

extension VoteTally {
  func addState(_ add: (UInt64) -> Void) {
    for voter in granted.sorted() { add(voter.rawValue) }
    add(.max)
    for voter in refused.sorted() { add(voter.rawValue) }
    add(.max)
  }
}

extension Progress {
  func addState(_ add: (UInt64) -> Void) {
    for index in [match, next, toldCommit, removedAt ?? .zero] { add(index.rawValue) }
    switch state {
    case .probe(let isPaused): add(isPaused ? 1 : 2)
    case .pipeline: add(3)
    case .needsSnapshot: add(4)
    case .snapshot: add(5)
    }
    add(UInt64(inflight.messages))
    add(ackedRound)
  }
}

extension ReadQueue {
  func addState(_ add: (UInt64) -> Void) {
    for read in confirming + waiting {
      add(read.id.number)
      add(read.readIndex.rawValue)
      add(read.asker?.rawValue ?? 0)
    }
    add(UInt64(confirming.count))
    add(round)
  }
}

extension WriteQueue {
  func addState(_ add: (UInt64) -> Void) {
    add(durableIndex.rawValue)
    add(isDirty ? 1 : 0)
    forEachHeld { message, isWaiting in
      add(isWaiting ? 1 : 0)
      message.addState(add)
    }
  }
}

extension Message {
  /// Feeds all fields.
  package func addState(_ add: (UInt64) -> Void) {
    add(from.rawValue)
    add(to.rawValue)
    add(term.rawValue)
    switch body {
    case .requestVote(let request):
      add(1 + (request.isPreVote ? 16 : 0) + (request.isTransfer ? 32 : 0))
      add(request.campaignTerm.rawValue)
      request.lastEntry.addState(add)
    case .requestVoteReply(let reply):
      add(2 + (reply.isPreVote ? 16 : 0) + (reply.isGranted ? 32 : 0))
      add(reply.campaignTerm.rawValue)
    case .appendEntries(let request):
      add(3)
      request.previous.addState(add)
      add(request.entriesTerm.rawValue)
      add(UInt64(request.count))
      add(request.commitIndex.rawValue)
    case .appendEntriesReply(.accepted(let match)):
      add(4)
      add(match.rawValue)
    case .appendEntriesReply(.rejected(let previous, let hint)):
      add(5)
      add(previous.rawValue)
      hint.addState(add)
    case .heartbeat(let heartbeat):
      add(6)
      add(heartbeat.commitIndex.rawValue)
      add(heartbeat.heldByAll.rawValue)
      add(heartbeat.round)
    case .heartbeatReply(let reply):
      add(7)
      add(reply.round)
    case .staleTerm: add(8)
    case .timeoutNow: add(9)
    case .readIndex(let read):
      add(10)
      add(read.number)
    case .readIndexReply(let reply):
      add(11)
      add(reply.id.number)
      add(reply.readIndex?.rawValue ?? .max)
    case .commitNotice(let index):
      add(12)
      add(index.rawValue)
    case .installSnapshot(let piece):
      add(13)
      piece.last.addState(add)
      add(piece.fingerprint)
      add(piece.offset)
    case .installSnapshotReply(.wants(let fingerprint, let offset)):
      add(14)
      add(fingerprint)
      add(offset)
    case .installSnapshotReply(.covered(let index)):
      add(15)
      add(index.rawValue)
    }
  }
}

extension EntryID {
  /// Feeds term and index.
  package func addState(_ add: (UInt64) -> Void) {
    add(term.rawValue)
    add(index.rawValue)
  }
}
