// Who takes part: joint consensus, and one-at-a-time changes as its special case (thesis §4.1, §4.2, §4.3).

extension Consensus {
  // MARK: - Changing

  /// Begins a change. It is in force as soon as it is appended, and a joint phase ends by itself.
  ///
  /// - Returns: Where the new configuration stands.
  mutating func changeConfiguration(
    _ changes: [ConfigurationChange], into outputs: inout Outputs
  ) throws(ConfigurationChangeError) -> EntryID {
    guard isLeader else { throw .notLeader(leader: leader) }
    guard transfer == nil, !isLeaving else { throw .transferring }
    guard hasCommittedInTerm else { throw .termNotOpen }
    guard !configuration.isJoint, configurations.current.index <= commitIndex else {
      throw .changeUnderWay(at: configurations.current.index)
    }
    let target = try configuration.applying(
      changes, leaseTimeoutTicks: UInt32(clamping: options.electionTimeoutTicksMin))
    guard target != configuration else { throw .changesNothing }
    for voter in target.voters where !configuration.voters.contains(voter) {
      guard isCaughtUp(voter) else { throw .notCaughtUp(voter) }
    }
    let next: Configuration
    do throws(ConfigurationError) {
      next = try configuration.step(towards: target)
    } catch {
      throw .invalid(error)
    }
    // What is asked for follows a joint phase by itself: it can be stopped no more once that has begun.
    for step in [next, target] where !canDecide(step) {
      throw .wouldLoseQuorum(silent: step.members.map(\.id).filter { step.isVoter($0) && !isHeard($0) })
    }
    let place = EntryID(term: hardState.term, index: log.lastIndex.next)
    appendConfiguration(next, into: &outputs)
    return place
  }

  /// Whether the voters heard from lately could go on under `next` without the others.
  ///
  /// Counter-example that this prevents: of 1, 2 and 3 the last is silent, and leader 1 is told to remove 2. The change is
  /// in force as it is appended: 1 and 3 have to agree now, and without 3 nothing is committed ever again, neither this
  /// change nor one that takes it back.
  private mutating func canDecide(_ next: Configuration) -> Bool {
    // Who decides as before is no worse off than before.
    guard next.voters != configuration.voters || next.isJoint else { return true }
    let heard = next.members.map(\.id).filter { isHeard($0) }
    return Quorum.agreed(next, scratch: &scratch) { heard.contains($0) ? 1 : 0 } == 1
  }

  /// Whether a member has answered this leader within the minimum election timeout; itself it always hears.
  private func isHeard(_ member: NodeID) -> Bool {
    guard member != id else { return true }
    guard let peer = progress[member], peer.hasAnswered else { return false }
    return peer.lastHeard + options.electionTimeoutTicksMin > now
  }

  private mutating func appendConfiguration(_ next: Configuration, into outputs: inout Outputs) {
    let behind = log.lastIndex.next
    appendOwn(bytes: UInt32(clamping: next.encoded().count))
    configurations.append(IndexedConfiguration(index: log.lastIndex, configuration: next))
    outputs.trace(.configurationChanged(at: log.lastIndex))
    progress.update(
      for: next, own: id, next: behind, now: now, departed: log.lastIndex,
      farewellDeadline: now + 4 * options.electionTimeoutTicksMax)
    if let handover = transfer, !next.voters.contains(handover.target) {
      endTransfer(handover, into: &outputs)
    }
    guard isLeader else { return }
    for position in progress.peers.indices {
      let isNew = progress.peers[position].next == behind && progress.peers[position].match == .zero
      sendAppends(to: position, evenIfEmpty: isNew, into: &outputs)
    }
    advanceCommitIndex(into: &outputs)
  }

  /// Whether this leader takes part no longer as a voter, once what is in its log is committed. It takes no proposals
  /// then: what it appended last could not be told from what was lost.
  @inline(__always)
  var isLeaving: Bool { isLeader && !configuration.voters.contains(id) }

  /// The commit index has risen: a committed joint configuration is left, and a leader that a committed one leaves out
  /// steps down.
  ///
  /// Every leader does this, not only the one that began the change: it may crash in between (scenario 54). Only what is
  /// committed *under both majorities* may be left (scenario 47): until then each half could still be on its own.
  mutating func configurationMayBeCommitted(into outputs: inout Outputs) {
    guard isLeader, configurations.current.index <= commitIndex else { return }
    if configuration.isJoint {
      // A joint configuration was built so that one without its outgoing half exists.
      guard let next = try? configuration.withoutOutgoing else { return }
      appendConfiguration(next, into: &outputs)
    } else if !configuration.voters.contains(id) {
      resign(because: .removed, into: &outputs)
    }
  }

  // MARK: - Catching up (thesis §4.2.1)

  /// Whether `learner` would not hold up commitment as a voter: its last round of catching up took less than a minimum
  /// election timeout, and neither the round under way nor its silence lasts longer.
  func isCaughtUp(_ learner: NodeID) -> Bool {
    guard let peer = progress[learner] else { return false }
    let limit = options.electionTimeoutTicksMin
    return peer.isCaughtUp(limit: limit, now: now) && peer.lastHeard + limit > now
  }

  // MARK: - Farewell

  /// A peer that was removed still gets the entry that removes it, and word that this is committed: it would otherwise
  /// campaign in vain for ever. It counts for nothing meanwhile.
  mutating func sayFarewell(to position: Int, into outputs: inout Outputs) {
    let peer = progress.peers[position]
    guard let removal = peer.removedAt else { return }
    let isOver = peer.farewellRound != 0 && peer.ackedRound >= peer.farewellRound
    if isOver || now >= peer.farewellDeadline {
      snapshotsUnderWay.removeAll { $0.peer == peer.id }
      progress.remove(position)
    } else if peer.match >= removal, commitIndex >= removal, peer.farewellRound == 0 {
      let next = heartbeatRound + 1
      progress.modify(position) { $0.farewellRound = next }
    }
  }
}
