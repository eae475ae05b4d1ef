/// What is not yet durable, and the messages that must wait until it is.
///
/// The core never asks whether a write is done: it numbers writes as they are taken, and everything that a write
/// justifies waits in here under its number until the proof comes back. Writes complete in the order they were taken.
struct WriteQueue: Sendable {
  /// What a message asserts, and so which write it waits for.
  enum Basis {
    /// The term and vote alone.
    case hardState
    /// Term, vote and log.
    case everything
  }

  private struct Inflight: Sendable {
    /// How far this write makes the log durable; lowered when the log is truncated meanwhile.
    var through: LogIndex
    let waitingSince: Ticks
    /// What the snapshot reaches that this write puts in the place of state and log.
    let installs: LogIndex?
  }

  private struct Held: Sendable {
    var awaiting: UInt64
    var message: Message
  }

  /// Highest index known durable here, in the log as it is now.
  private(set) var durableIndex: LogIndex
  /// Whether something has changed since the last write was taken.
  private(set) var isDirty = false
  /// Since when something has been waiting for the next write to be taken, as far as that was noticed.
  private var dirtySince: Ticks?
  private var taken: UInt64 = 0
  private var completed: UInt64 = 0
  /// Number of the write that makes the present hard state durable.
  private var hardStateSequence: UInt64 = 0
  /// The log before and at this index is in writes already taken; what follows is for the next one.
  private var writtenIndex: LogIndex
  private var inflight = Ring<Inflight>()
  /// The snapshot that the next write puts in the place of state and log, or that the last such write has put there.
  private(set) var installing: Snapshot?
  private var mustInstall = false
  private var held = Ring<Held>()

  init(durable: LogIndex) {
    durableIndex = durable
    writtenIndex = durable
  }

  /// Whether every change so far is durable.
  var isIdle: Bool { !isDirty && completed == taken }

  mutating func hardStateChanged() {
    isDirty = true
    hardStateSequence = taken + 1
  }

  mutating func logGrew() { isDirty = true }

  /// Since when the oldest change has been waiting that is not durable: since its write was taken, or since it should have
  /// been.
  ///
  /// Counter-example to counting from when writes are taken: a store does one thing after the other, and hangs in forgetting
  /// a part of the log. No write is taken any more, so none is overdue, and a leader leads on that can commit nothing.
  var oldestWaiting: Ticks? { inflight.first?.waitingSince ?? dirtySince }

  /// Time has passed.
  mutating func notice(_ now: Ticks) {
    if isDirty, dirtySince == nil { dirtySince = now }
  }

  /// Whether a snapshot is on its way to the disk.
  var isInstalling: Bool { mustInstall || (0..<inflight.count).contains { inflight[$0].installs != nil } }

  /// A snapshot takes the place of the whole log. What is under way proves nothing about what follows the snapshot.
  mutating func logWasReplaced(by snapshot: Snapshot) {
    isDirty = true
    installing = snapshot
    mustInstall = true
    writtenIndex = snapshot.last.index
    durableIndex = .zero
    for position in 0..<inflight.count { inflight[position].through = .zero }
  }

  /// The log was cut after `index`. Writes in flight that reach further prove only what is left of theirs.
  ///
  /// Counter-example that this prevents: entry 7 of term 2 is being written; a leader of term 3 replaces it; the proof
  /// of the first write arrives. Were it taken at its word, entry 7 of term 3 would be acknowledged without being on
  /// any disk (scenario 11).
  mutating func logWasCut(after index: LogIndex) {
    isDirty = true
    writtenIndex = min(writtenIndex, index)
    durableIndex = min(durableIndex, index)
    for position in 0..<inflight.count { inflight[position].through = min(inflight[position].through, index) }
  }

  /// Takes the next write: its number, where the part of the log that it covers begins, and what it installs first.
  mutating func take(
    lastIndex: LogIndex, now: Ticks
  ) -> (sequence: UInt64, after: LogIndex, snapshot: Snapshot?)? {
    guard isDirty else { return nil }
    isDirty = false
    taken += 1
    let snapshot = mustInstall ? installing : nil
    mustInstall = false
    inflight.append(
      Inflight(through: lastIndex, waitingSince: dirtySince ?? now, installs: snapshot?.last.index))
    dirtySince = nil
    let after = writtenIndex
    writtenIndex = lastIndex
    return (taken, after, snapshot)
  }

  /// Notes that write `sequence` is durable.
  ///
  /// - Returns: Where the snapshot ends that it has installed, if it has.
  mutating func complete(_ sequence: UInt64) -> LogIndex? {
    guard sequence == completed + 1, let write = inflight.popFirst() else {
      preconditionFailure("writes are completed in the order in which they were taken")
    }
    completed = sequence
    durableIndex = max(durableIndex, write.through)
    return write.installs
  }

  /// The number of the write that a message must wait for; nil if it may leave at once.
  func awaited(_ basis: Basis) -> UInt64? {
    let sequence: UInt64
    switch basis {
    case .hardState: sequence = hardStateSequence
    case .everything: sequence = isDirty ? taken + 1 : taken
    }
    return sequence > completed ? sequence : nil
  }

  /// Visits what is held, in order, and whether it has still to wait.
  func forEachHeld(_ body: (Message, Bool) -> Void) {
    for position in 0..<held.count { body(held[position].message, held[position].awaiting > completed) }
  }

  /// The most messages that are held; beyond it they are dropped, which is always safe. An election or a window of
  /// appends needs far fewer.
  static let heldMax = 4096

  /// Holds a message, in the place of an earlier one that says no more and waits for the same write: a disk may hang for
  /// hours, while its node is asked the same with every heartbeat.
  mutating func hold(_ message: Message, until sequence: UInt64) {
    for position in (0..<held.count).reversed()
    where held[position].awaiting == sequence && held[position].message.to == message.to {
      guard let body = message.body.merged(with: held[position].message.body) else { continue }
      held[position].message.body = body
      return
    }
    guard held.count < Self.heldMax else { return }
    held.append(Held(awaiting: sequence, message: message))
  }

  /// The next held message that may leave now. One that waits only for the hard state may stand behind one that waits for
  /// a later write.
  mutating func release() -> Message? {
    guard let first = held.first else { return nil }
    if first.awaiting <= completed { return held.popFirst()?.message }
    guard let position = (1..<held.count).first(where: { held[$0].awaiting <= completed }) else { return nil }
    return held.remove(at: position).message
  }

  /// Forgets what was said in terms before `term`: nobody may rely on it any more, and losing a message is always safe.
  mutating func dropHeld(before term: Term) { held.removeAll { $0.message.term < term } }
}

extension Message.Body {
  /// What one message can say for both this answer and an earlier one, in the same term and to the same node; nil if
  /// each says something of its own.
  fileprivate func merged(with earlier: Self) -> Self? {
    switch (self, earlier) {
    case (.appendEntriesReply(.accepted(let match)), .appendEntriesReply(.accepted(let other))):
      .appendEntriesReply(.accepted(match: max(match, other)))
    case (.heartbeatReply(let reply), .heartbeatReply(let other)):
      .heartbeatReply(HeartbeatReply(round: max(reply.round, other.round)))
    case (.requestVoteReply(let reply), .requestVoteReply(let other)) where reply.isPreVote == other.isPreVote:
      self
    case (.appendEntriesReply(.rejected), .appendEntriesReply(.rejected)), (.staleTerm, .staleTerm),
      (.installSnapshotReply, .installSnapshotReply):
      self
    default: nil
    }
  }
}

extension Consensus {
  /// Sends a message that asserts something only stable storage can back: held until it does (thesis §3.8).
  ///
  /// RequestVote is among them: it announces a term, a vote for oneself and a last entry. If it left early, a crash
  /// could lose all three, and the node campaign again in the *same* term with a shorter log, collecting votes that
  /// were given to the longer one (scenario 18).
  mutating func sendOnceDurable(
    _ body: Message.Body, to peer: NodeID, after basis: WriteQueue.Basis, into outputs: inout Outputs
  ) {
    let message = Message(from: id, to: peer, term: hardState.term, body: body)
    if let sequence = writes.awaited(basis) {
      writes.hold(message, until: sequence)
    } else {
      deliver(message, into: &outputs)
    }
  }

  mutating func send(_ body: Message.Body, to peer: NodeID, into outputs: inout Outputs) {
    outputs.send(Message(from: id, to: peer, term: hardState.term, body: body))
  }

  /// Redeems the proof of a write: releases what waited for it and counts the leader's own entries.
  mutating func didPersist(_ durable: consuming DurableWrite, into outputs: inout Outputs) {
    if let installed = writes.complete(durable.redeem(for: token)) {
      // The state machine is what the snapshot says from now on.
      handedOutIndex = max(handedOutIndex, installed)
      appliedIndex = max(appliedIndex, installed)
    }
    while let message = writes.release() { deliver(message, into: &outputs) }
    if isLeader, writes.durableIndex > commitIndex { advanceCommitIndex(into: &outputs) }
  }

  /// A node's vote for itself goes the way of every other message, and is counted when it is durable.
  private mutating func deliver(_ message: Message, into outputs: inout Outputs) {
    guard message.to == id else { return outputs.send(message) }
    if message.term == hardState.term, case .requestVoteReply(let reply) = message.body {
      handle(reply, from: id, into: &outputs)
    }
  }

  mutating func takeWrite() -> PendingWrite? {
    guard let (sequence, after, snapshot) = writes.take(lastIndex: log.lastIndex, now: now) else {
      return nil
    }
    return PendingWrite(
      hardState: hardState, commitIndex: commitIndex, installs: snapshot?.last, after: after,
      through: log.lastIndex,
      replica: token, sequence: sequence)
  }

  /// The range that the applier may take: never beyond what is durable *here*.
  ///
  /// Counter-example that this prevents: a leader commits through two followers while its own write is in flight. Had
  /// its applier flushed the entry, a crash would leave the state machine ahead of the log.
  mutating func takeCommitted(bytesMax: Int) -> (after: LogIndex, through: LogIndex)? {
    let limit = min(commitIndex, writes.durableIndex)
    // While a snapshot is on its way to the disk nothing counts as durable: what follows it cannot be applied yet.
    guard limit > handedOutIndex else { return nil }
    let after = handedOutIndex
    handedOutIndex = log.lastIndex(after: after, through: limit, bytesAtMost: bytesMax)
    return (after, handedOutIndex)
  }
}
