// The follower's side of the log (thesis §3.5).

extension Consensus {
  /// Compares a leader's entries with the log, takes what is new, and answers.
  ///
  /// - Returns: The index of the first entry taken; nil if all were known, or refused.
  mutating func handle(
    _ request: AppendEntries, from leader: NodeID, entryBytes: (Int) -> UInt32,
    configurations: [IndexedConfiguration], into outputs: inout Outputs
  ) -> LogIndex? {
    guard heardLeader(leader, into: &outputs) else { return nil }
    var previous = request.previous
    if previous.index < log.base.index {
      // What is compacted away was committed, so it agrees with every leader's log.
      guard request.lastIndex >= log.base.index else {
        reply(.accepted(match: request.lastIndex), to: leader, into: &outputs)
        return nil
      }
      previous = log.base
    }
    guard log.contains(previous) else {
      reject(request, from: leader, into: &outputs)
      return nil
    }
    let disagreement = log.firstDisagreement(
      after: previous.index, through: request.lastIndex, term: request.entriesTerm)
    if let first = disagreement {
      guard first > commitIndex, request.entriesTerm >= log.term(at: first.previous) ?? .zero else {
        outputs.trace(.ignored(from: leader, reason: .impossible))
        return nil
      }
      take(request, from: first, entryBytes: entryBytes, into: &outputs)
      for entry in configurations where entry.index >= first {
        self.configurations.append(entry)
        outputs.trace(.configurationChanged(at: entry.index))
      }
    }
    outputs.trace(.appendAccepted(from: leader, match: request.lastIndex))
    // Not the end of the log: entries behind the request's last may be those of a deposed leader (scenario 5).
    commit(through: min(request.commitIndex, request.lastIndex), into: &outputs)
    reply(.accepted(match: request.lastIndex), to: leader, into: &outputs)
    return disagreement
  }

  /// Cuts the log only where it truly disagrees: an old, shorter request that comes late must not remove what a newer
  /// one has brought (scenario 6).
  private mutating func take(
    _ request: AppendEntries, from first: LogIndex, entryBytes: (Int) -> UInt32, into outputs: inout Outputs
  ) {
    if first <= log.lastIndex {
      log.truncate(after: first.previous)
      writes.logWasCut(after: first.previous)
      outputs.trace(.truncated(after: first.previous))
      if configurations.truncate(after: first.previous) {
        outputs.trace(.configurationChanged(at: configurations.current.index))
      }
    }
    let offset = request.previous.index.distance(to: first) - 1
    for position in offset..<Int(request.count) {
      log.append(term: request.entriesTerm, bytes: entryBytes(position))
    }
    writes.logGrew()
  }

  private mutating func reject(_ request: AppendEntries, from leader: NodeID, into outputs: inout Outputs) {
    let before = min(request.previous.index.previous, log.lastIndex)
    let hint = log.highestEntry(at: before, termAtMost: request.previous.term)
    outputs.trace(.appendRejected(from: leader, previous: request.previous, hint: hint))
    reply(.rejected(previous: request.previous.index, hint: hint), to: leader, into: &outputs)
  }

  /// An acceptance asserts what only stable storage can back; a rejection leaves with the same care, because the log
  /// that it describes may still be on its way there.
  private mutating func reply(_ reply: AppendEntriesReply, to leader: NodeID, into outputs: inout Outputs) {
    sendOnceDurable(.appendEntriesReply(reply), to: leader, after: .everything, into: &outputs)
  }

  mutating func handle(_ heartbeat: Heartbeat, from leader: NodeID, into outputs: inout Outputs) {
    guard heardLeader(leader, into: &outputs) else { return }
    // The leader tells no more than what it knows this node to hold. A log that is shorter nevertheless has lost
    // acknowledged entries; nothing is made of it here, and the leader finds out by its next append.
    commit(through: min(heartbeat.commitIndex, log.lastIndex), into: &outputs)
    heldByAll = max(heldByAll, min(heartbeat.heldByAll, commitIndex))
    sendOnceDurable(
      .heartbeatReply(HeartbeatReply(round: heartbeat.round)), to: leader, after: .hardState, into: &outputs)
  }

  mutating func commit(through index: LogIndex, into outputs: inout Outputs) {
    guard index > commitIndex else { return }
    commitIndex = index
    outputs.trace(.committed(through: index))
  }
}
