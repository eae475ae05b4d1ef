// Linearizable reads without log entries: ReadIndex (thesis §6.4).

extension Consensus {
  /// Whether an entry of this leadership is committed. Before that the commit index may be behind what the predecessor
  /// has acknowledged, and no read may be answered (scenario 37).
  var hasCommittedInTerm: Bool { isLeader && commitIndex >= termStartIndex }

  /// The driver asks for a read index.
  mutating func readIndex(_ read: ReadID, into outputs: inout Outputs) {
    switch role {
    case .leader: addRead(read, asker: nil, into: &outputs)
    case .follower(let leader?): send(.readIndex(read), to: leader, into: &outputs)
    case .follower(leader: nil), .preCandidate, .candidate:
      outputs.answer(ReadOutcome(id: read, readIndex: nil))
    }
  }

  /// Queues a read on the leader; opens a round for it unless one is under way.
  mutating func addRead(_ read: ReadID, asker: NodeID?, into outputs: inout Outputs) {
    guard isLeader, reads.count < options.pendingReadsMax else {
      outputs.trace(.readRefused(id: read))
      return answer(ReadQueue.Pending(id: read, asker: asker, readIndex: .zero), with: nil, into: &outputs)
    }
    if holdsLease() {
      outputs.trace(.readLeased(id: read, readIndex: commitIndex))
      return answer(
        ReadQueue.Pending(id: read, asker: asker, readIndex: .zero), with: commitIndex, into: &outputs)
    }
    reads.add(ReadQueue.Pending(id: read, asker: asker, readIndex: commitIndex))
    if reads.wantsRound, hasCommittedInTerm { broadcastHeartbeat(into: &outputs) }
  }

  /// The leader has committed in its term: reads that waited for that get a round.
  mutating func startWaitingReads(into outputs: inout Outputs) {
    guard hasCommittedInTerm, reads.wantsRound else { return }
    reads.raise(to: termStartIndex)
    broadcastHeartbeat(into: &outputs)
  }

  /// Answers the reads whose round a majority of the *voters* has answered (scenario 41). The round belongs to this
  /// leadership and began after the read arrived, so answers to earlier rounds confirm nothing (scenario 38).
  mutating func confirmReads(into outputs: inout Outputs) {
    guard reads.round != 0 else { return }
    let (id, progress, round) = (id, progress, heartbeatRound)
    let confirmed = Quorum.agreed(configuration, scratch: &scratch) { voter in
      voter == id ? round : progress[voter]?.ackedRound ?? 0
    }
    guard reads.close(confirmed: confirmed) else { return }
    for read in reads.confirming {
      outputs.trace(.readConfirmed(id: read.id, readIndex: read.readIndex))
      answer(read, with: read.readIndex, into: &outputs)
    }
    reads.clearConfirmed()
    if reads.wantsRound { broadcastHeartbeat(into: &outputs) }
  }

  /// Leadership is lost: whoever waits is told, and asks the next leader.
  mutating func refuseAllReads(into outputs: inout Outputs) {
    for read in reads.confirming + reads.waiting { answer(read, with: nil, into: &outputs) }
    reads.removeAll()
  }

  private mutating func answer(_ read: ReadQueue.Pending, with index: LogIndex?, into outputs: inout Outputs)
  {
    if let asker = read.asker {
      // It waits until it has applied as much, and may not know yet that it is committed.
      if index != nil, let position = progress.position(of: asker) {
        tellCommit(to: position, into: &outputs)
      }
      send(.readIndexReply(ReadIndexReply(id: read.id, readIndex: index)), to: asker, into: &outputs)
    } else {
      outputs.answer(ReadOutcome(id: read.id, readIndex: index))
    }
  }
}
