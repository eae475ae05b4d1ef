// The leader's side of the log: appending, sending, counting (thesis §3.5, §3.6.2, §10.2.1).

extension Consensus {
  // MARK: - Appending its own entries

  /// Appends one entry of this term. It is sent by the next ``replicate(into:)``.
  mutating func appendOwn(bytes: UInt32) {
    log.append(term: hardState.term, bytes: bytes)
    writes.logGrew()
  }

  /// Checks whether a proposal of `bytes` bytes can be taken.
  mutating func admit(bytes: Int) throws(ProposeError) {
    guard isLeader else { throw .notLeader(leader: leader) }
    guard transfer == nil, !isLeaving else { throw .transferring }
    let unapplied = log.bytes(
      after: max(appliedIndex, log.base.index), through: max(commitIndex, log.base.index))
    guard unapplied <= UInt64(options.unappliedBytesMax) else { throw .busy }
    let uncommitted = log.bytes(after: max(commitIndex, log.base.index), through: log.lastIndex)
    // One proposal is always let in: a limit below its size would otherwise refuse it for ever.
    guard uncommitted == 0 || uncommitted + UInt64(bytes) <= UInt64(options.uncommittedBytesMax) else {
      throw .busy
    }
  }

  // MARK: - Sending

  /// Sends to every peer what it lacks, as far as its window allows. The leader's own write goes on in parallel
  /// (thesis §10.2.1): nothing of this waits for it.
  mutating func replicate(into outputs: inout Outputs) {
    for position in progress.peers.indices { sendAppends(to: position, evenIfEmpty: false, into: &outputs) }
  }

  /// Sends a peer what it lacks, and tells it the commit index: with the entries, or by itself.
  ///
  /// By itself only if no entry is under way. Otherwise the next commit is near, and tells of this one as well; whoever
  /// needs it earlier, for a read, is told then (``tellCommit(to:into:)``). Under load, when commits follow each other
  /// without pause, a follower is so spared half of the messages, each of which wakes it.
  private mutating func bringUpToDate(_ position: Int, into outputs: inout Outputs) {
    sendAppends(to: position, evenIfEmpty: false, into: &outputs)
    if log.lastIndex == commitIndex { tellCommit(to: position, into: &outputs) }
  }

  /// Tells a peer the commit index as far as it is known to hold the log; it learns of the rest when it has more.
  mutating func tellCommit(to position: Int, into outputs: inout Outputs) {
    let commit = min(progress.peers[position].match, commitIndex)
    guard progress.peers[position].toldCommit < commit else { return }
    progress.modify(position) { $0.toldCommit = commit }
    send(.commitNotice(commit), to: progress.peers[position].id, into: &outputs)
  }

  mutating func sendAppends(to position: Int, evenIfEmpty: Bool, into outputs: inout Outputs) {
    var mustSend = evenIfEmpty
    while progress.peers[position].canSend(options) {
      let next = progress.peers[position].next
      // Who was removed gets the entry that says so, and nothing behind it.
      let last = min(progress.peers[position].removedAt ?? log.lastIndex, log.lastIndex)
      guard next <= last || mustSend else { return }
      guard let previousTerm = log.term(at: next.previous) else {
        // The entry before `next` is compacted away. A message that claimed term 0 for it would match anything.
        return startSnapshot(to: position, into: &outputs)
      }
      let previous = EntryID(term: previousTerm, index: next.previous)
      let through = lastOfMessage(after: previous.index, notBeyond: last)
      let bytes = Int(log.bytes(after: previous.index, through: through))
      let request = AppendEntries(
        previous: previous, entriesTerm: log.term(at: through) ?? previousTerm,
        count: UInt32(previous.index.distance(to: through)), commitIndex: commitIndex)
      let (commit, now) = (commitIndex, now)
      let peer = progress.modify(position) { peer in
        // Through the end of this message, or as far as it reaches: the rest is told when more is sent, or acknowledged.
        peer.toldCommit = max(peer.toldCommit, min(commit, through))
        if through > previous.index || peer.state != .pipeline {
          peer.didSend(through: through, bytes: bytes, now: now)
        }
        return peer.id
      }
      send(.appendEntries(request), to: peer, into: &outputs)
      mustSend = false
    }
  }

  /// Where the next message after `index` ends: within one term, one limit of bytes and one of entries. Contiguous by
  /// construction: an entry is never skipped because a later one still fits (scenario 8).
  private func lastOfMessage(after index: LogIndex, notBeyond last: LogIndex) -> LogIndex {
    guard index < last else { return index }
    let endOfTerm = log.endOfRun(containing: index.next)
    let endOfCount = index.advanced(by: options.messageEntriesMax)
    return log.lastIndex(
      after: index, through: min(endOfTerm, endOfCount, last), bytesAtMost: options.messageBytesMax)
  }

  /// Opens a heartbeat round. Its answers confirm the reads that arrived before it.
  mutating func broadcastHeartbeat(into outputs: inout Outputs) {
    heartbeatRound += 1
    heartbeatDeadline = now + options.heartbeatTicks
    if configuration.usesLeaseReads { lease.roundSent(heartbeatRound, at: now) }
    if reads.wantsRound, hasCommittedInTerm { reads.open(round: heartbeatRound) }
    updateHeldByAll()
    for peer in progress.peers {
      let heartbeat = Heartbeat(
        commitIndex: min(peer.match, commitIndex), heldByAll: heldByAll, round: heartbeatRound)
      send(.heartbeat(heartbeat), to: peer.id, into: &outputs)
    }
    confirmReads(into: &outputs)
  }

  private mutating func updateHeldByAll() {
    let lowest = progress.peers.reduce(writes.durableIndex) { lowest, peer in
      peer.removedAt == nil ? min(lowest, peer.match) : lowest
    }
    heldByAll = max(heldByAll, min(lowest, commitIndex))
  }

  // MARK: - Counting

  mutating func handle(_ reply: AppendEntriesReply, from peer: NodeID, into outputs: inout Outputs) {
    guard isLeader, let position = progress.position(of: peer) else {
      return outputs.trace(.ignored(from: peer, reason: .stale))
    }
    let now = now
    progress.modify(position) { $0.lastHeard = now }
    switch reply {
    case .accepted(let match):
      guard match <= log.lastIndex else { return outputs.trace(.ignored(from: peer, reason: .impossible)) }
      let isNews = progress.modify(position) { $0.didAccept(through: match) }
      if isNews {
        let last = log.lastIndex
        progress.modify(position) { $0.noteRound(lastIndex: last, now: now) }
        if progress.peers[position].state == .pipeline, !snapshotsUnderWay.isEmpty {
          endSnapshot(to: peer, into: &outputs)
        }
        // What is committed already cannot make more committed.
        if match > commitIndex { advanceCommitIndex(into: &outputs) }
        orderTransferIfCaughtUp(into: &outputs)
      }
    case .rejected(let previous, let hint):
      guard hint.index < previous else { return outputs.trace(.ignored(from: peer, reason: .impossible)) }
      let agreement = log.highestEntry(at: hint.index, termAtMost: hint.term).index
      let isNews = progress.modify(position) { $0.didReject(previous: previous, agreement: agreement) }
      guard isNews else { return outputs.trace(.ignored(from: peer, reason: .stale)) }
      return sendAppends(to: position, evenIfEmpty: true, into: &outputs)
    }
    // What was committed may have ended this leadership, or changed who takes part.
    guard isLeader, let position = progress.position(of: peer) else { return }
    bringUpToDate(position, into: &outputs)
  }

  mutating func handle(_ reply: HeartbeatReply, from peer: NodeID, into outputs: inout Outputs) {
    guard isLeader, let position = progress.position(of: peer) else {
      return outputs.trace(.ignored(from: peer, reason: .stale))
    }
    guard reply.round <= heartbeatRound else {
      return outputs.trace(.ignored(from: peer, reason: .impossible))
    }
    let (now, interval) = (now, options.heartbeatTicks)
    let isProbeDue = progress.modify(position) { peer in
      peer.lastHeard = now
      peer.ackedRound = max(peer.ackedRound, reply.round)
      return peer.resumeProbe(now: now, interval: interval)
    }
    noteLease(of: position, round: reply.round)
    if progress.peers[position].removedAt != nil {
      sayFarewell(to: position, into: &outputs)
      guard progress.position(of: peer) == position else { return }
    }
    confirmReads(into: &outputs)
    guard isLeader else { return }
    if progress.peers[position].isBehindSnapshot {
      return resumeSnapshot(to: position, into: &outputs)
    }
    // A message that was lost leaves no trace by itself. An empty one behind it is rejected by a peer that lacks
    // something, and so starts a probe. Who was removed lacks nothing behind the entry that says so.
    let lags = progress.peers[position].match < progress.peers[position].removedAt ?? log.lastIndex
    if lags, isProbeDue { sendProbe(to: position, into: &outputs) }
  }

  /// Asks a lagging peer whether it holds what was sent, even if its window is full.
  private mutating func sendProbe(to position: Int, into outputs: inout Outputs) {
    let peer = progress.peers[position]
    guard peer.state == .pipeline else {
      return sendAppends(to: position, evenIfEmpty: true, into: &outputs)
    }
    guard let term = log.term(at: peer.next.previous) else {
      return startSnapshot(to: position, into: &outputs)
    }
    let previous = EntryID(term: term, index: peer.next.previous)
    let request = AppendEntries(
      previous: previous, entriesTerm: term, count: 0, commitIndex: commitIndex)
    send(.appendEntries(request), to: peer.id, into: &outputs)
    sendAppends(to: position, evenIfEmpty: false, into: &outputs)
  }

  /// Commits what a majority holds durably: only by counting an entry of this term, which takes all earlier ones with it.
  ///
  /// Counter-example that this prevents (thesis fig. 3.7): entry 2 of term 2 is on a majority, but its leader crashed. A
  /// leader of term 4 replicates it further, commits it by counting, and crashes; a node with an entry 2 of term 3 is
  /// elected and overwrites what was committed.
  mutating func advanceCommitIndex(into outputs: inout Outputs) {
    let (id, progress, durable) = (id, progress, writes.durableIndex)
    let agreed = Quorum.agreed(configuration, scratch: &scratch) { voter in
      voter == id ? durable.rawValue : progress[voter]?.match.rawValue ?? 0
    }
    let index = LogIndex(agreed)
    guard index > commitIndex, log.term(at: index) == hardState.term else { return }
    commitIndex = index
    outputs.trace(.committed(through: index))
    startWaitingReads(into: &outputs)
    for position in progress.peers.indices { bringUpToDate(position, into: &outputs) }
    configurationMayBeCommitted(into: &outputs)
  }
}

/// Why a proposal was not taken: it will never be in the log.
public enum ProposeError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Only the leader proposes.
  case notLeader(leader: NodeID?)
  /// Leadership is being handed over.
  case transferring
  /// Too many bytes are uncommitted, or committed and not applied yet: see ``RaftOptions/uncommittedBytesMax`` and
  /// ``RaftOptions/unappliedBytesMax``.
  case busy

  /// The value in words, as logs print it.
  public var description: String {
    switch self {
    case .notLeader(let leader): "not the leader" + (leader.map { "; \($0) is" } ?? "")
    case .transferring: "leadership is being handed over"
    case .busy: "too many bytes are waiting to be committed or applied"
    }
  }
}
