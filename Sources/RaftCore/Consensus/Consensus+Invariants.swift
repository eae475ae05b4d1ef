// What must hold at all times, and what may never happen from one moment to the next.

extension Consensus {
  /// Traps with the broken rule if the state contradicts itself.
  func checkInvariants() {
    precondition(log.last.term <= hardState.term, "no entry is of a later term than the node's")
    precondition(commitIndex <= log.lastIndex, "only entries in the log are committed")
    precondition(
      log.base.index <= appliedIndex || writes.isInstalling, "only applied entries are compacted")
    precondition(appliedIndex <= handedOutIndex, "only entries that were handed out are applied")
    precondition(handedOutIndex <= commitIndex, "only committed entries are handed out")
    // A snapshot may overtake entries that are still being applied.
    precondition(
      handedOutIndex <= max(writes.durableIndex, appliedIndex) || writes.isInstalling,
      "only durable entries are handed out")
    precondition(writes.durableIndex <= log.lastIndex, "only entries in the log are durable")
    precondition(heldByAll <= max(commitIndex, log.base.index), "only committed entries are held by all")
    precondition(configurations.current.index <= log.lastIndex, "the configuration in force is in the log")
    precondition(progress.peers.isEmpty || isLeader, "only a leader keeps progress")
    precondition(reads.count == 0 || isLeader, "only a leader keeps reads")
    precondition(transfer == nil || isLeader, "only a leader hands over")
    precondition(snapshotsUnderWay.isEmpty || isLeader, "only a leader sends snapshots")
    precondition(incoming == nil || !isLeader, "a leader receives no snapshot")
    if role == .candidate { precondition(hardState.votedFor == id, "a candidate votes for itself") }
    if isLeader {
      precondition(hardState.votedFor == id, "a leader has voted for itself")
      for peer in progress.peers {
        precondition(peer.match < peer.next, "what is matched is not sent again")
        precondition(
          peer.removedAt != nil || configuration.member(peer.id) != nil, "progress is kept of members")
        precondition(
          (peer.state == .snapshot) == snapshotsUnderWay.contains { $0.peer == peer.id },
          "a peer that receives a snapshot is sent one")
        precondition(peer.next <= log.lastIndex.next, "what does not exist is not sent")
      }
    }
  }

  /// Traps with the broken rule if no correct step leads from `before` to here.
  func checkTransition(from before: Landmarks) {
    precondition(hardState.term >= before.hardState.term, "the term only grows")
    if hardState.term == before.hardState.term {
      precondition(
        before.hardState.votedFor == nil || hardState.votedFor == before.hardState.votedFor,
        "within a term a vote is given once")
      precondition(
        !before.isLeader || !isLeader || log.lastIndex >= before.last.index,
        "a leader only appends to its log")
    }
    precondition(commitIndex >= before.commitIndex, "the commit index only grows")
    precondition(handedOutIndex >= before.handedOutIndex, "what was handed out stays handed out")
    precondition(log.base.index >= before.baseIndex, "compaction only goes forward")
    if before.commitIndex >= log.base.index, let term = before.commitTerm {
      precondition(log.term(at: before.commitIndex) == term, "a committed entry never changes")
    }
  }

  /// The few facts about a moment that later moments are judged by.
  struct Landmarks {
    let hardState: HardState
    let isLeader: Bool
    let last: EntryID
    let commitIndex: LogIndex
    let commitTerm: Term?
    let handedOutIndex: LogIndex
    let baseIndex: LogIndex
  }

  var landmarks: Landmarks {
    Landmarks(
      hardState: hardState, isLeader: isLeader, last: log.last, commitIndex: commitIndex,
      commitTerm: log.term(at: commitIndex), handedOutIndex: handedOutIndex, baseIndex: log.base.index)
  }
}
