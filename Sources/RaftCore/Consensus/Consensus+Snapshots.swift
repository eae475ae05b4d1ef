// Snapshots: what a peer gets that needs entries which are compacted away (thesis §5.1, §5.3).

extension Consensus {
  /// A snapshot on its way to a peer, a few pieces at a time.
  struct OutgoingSnapshot: Sendable {
    let peer: NodeID
    let snapshot: Snapshot
    /// How much the peer has stored.
    var acknowledged: UInt64 = 0
    /// Where the piece begins that goes next: those from ``acknowledged`` to here are under way.
    var next: UInt64 = 0
    /// When something was sent last, or acknowledged.
    var lastProgress: Ticks
    /// How often something was sent again since the last acknowledgement.
    var retries = 0
  }

  /// A snapshot that a leader sends to this node.
  struct IncomingSnapshot: Sendable {
    let snapshot: Snapshot
    let term: Term
    /// How far the pieces reach that the driver was given.
    var taken: UInt64 = 0
    /// How much of it the driver has stored; nil before the first piece is.
    var stored: UInt64?
    /// Whether the driver was given a piece; a snapshot of no bytes has one, too.
    var hasBegun = false
    var isComplete: Bool { stored == snapshot.bytes }
    var isStoring: Bool { stored ?? 0 < taken }

    /// Whether a piece is what comes next, and may wait for the disk. Pieces from a leader come in a window, which it
    /// chooses; its memory must not be this node's to fill, nor with pieces of no bytes.
    func takes(_ request: InstallSnapshot) -> Bool {
      guard request.offset == taken, request.count > 0 || (snapshot.bytes == 0 && !hasBegun) else {
        return false
      }
      return !isStoring || request.end - (stored ?? 0) <= Self.waitingBytesMax
    }

    private static let waitingBytesMax: UInt64 = 64 << 20
  }

  // MARK: - Sending

  /// The driver has a snapshot that can be sent.
  mutating func offer(_ snapshot: Snapshot, into outputs: inout Outputs) {
    if let known = self.snapshot, known.last.index > snapshot.last.index { return }
    self.snapshot = snapshot
    for position in progress.peers.indices where progress.peers[position].state == .needsSnapshot {
      startSnapshot(to: position, into: &outputs)
    }
  }

  /// The driver cannot send the snapshot any more that it has offered.
  mutating func withdrawSnapshot() {
    guard let withdrawn = snapshot else { return }
    snapshot = nil
    for sending in snapshotsUnderWay where sending.snapshot == withdrawn {
      if let position = progress.position(of: sending.peer) {
        progress.modify(position) { $0.needSnapshot() }
      }
    }
    snapshotsUnderWay.removeAll { $0.snapshot == withdrawn }
  }

  /// The peer needs what is compacted away: it gets the newest snapshot, as soon as there is one that the log continues.
  mutating func startSnapshot(to position: Int, into outputs: inout Outputs) {
    let peer = progress.peers[position].id
    snapshotsUnderWay.removeAll { $0.peer == peer }
    guard let snapshot, snapshot.last.index >= log.base.index else {
      return progress.modify(position) { $0.needSnapshot() }
    }
    progress.modify(position) { $0.receiveSnapshot() }
    snapshotsUnderWay.append(OutgoingSnapshot(peer: peer, snapshot: snapshot, lastProgress: now))
    outputs.trace(.snapshotStarted(to: peer, last: snapshot.last))
    sendPiece(snapshotsUnderWay.count - 1, into: &outputs)
    fillWindow(snapshotsUnderWay.count - 1, into: &outputs)
  }

  private mutating func sendPiece(_ position: Int, into outputs: inout Outputs) {
    let sending = snapshotsUnderWay[position]
    let left = sending.snapshot.bytes - sending.next
    let count = UInt32(min(left, UInt64(options.snapshotChunkBytes)))
    snapshotsUnderWay[position].lastProgress = now
    snapshotsUnderWay[position].next += UInt64(count)
    send(
      .installSnapshot(InstallSnapshot(of: sending.snapshot, offset: sending.next, count: count)),
      to: sending.peer, into: &outputs)
  }

  /// Sends as many pieces as may be under way: while the peer stores one, the next is read, and a third travels.
  private mutating func fillWindow(_ position: Int, into outputs: inout Outputs) {
    let window = UInt64(options.snapshotChunkBytes) * UInt64(options.snapshotInflightChunksMax)
    while snapshotsUnderWay[position].next < snapshotsUnderWay[position].snapshot.bytes,
      snapshotsUnderWay[position].next - snapshotsUnderWay[position].acknowledged < window
    {
      sendPiece(position, into: &outputs)
    }
  }

  /// The peer is alive: pieces whose answers do not come are sent again, or a snapshot begun if there is one now.
  mutating func resumeSnapshot(to position: Int, into outputs: inout Outputs) {
    let peer = progress.peers[position]
    guard let sending = snapshotsUnderWay.firstIndex(where: { $0.peer == peer.id }) else {
      if let snapshot, snapshot.last.index >= log.base.index { startSnapshot(to: position, into: &outputs) }
      return
    }
    // Ever more slowly, and one piece alone. Counter-example: the way is so slow that a window takes longer than a retry. If
    // all of it were sent again each time, copies would fill the way, and the snapshot would never arrive.
    let patience =
      options.snapshotRetryTicks << min(snapshotsUnderWay[sending].retries, Self.retryDoublingsMax)
    guard now >= snapshotsUnderWay[sending].lastProgress + patience else { return }
    // While the peer was away the log may have been compacted beyond what the snapshot holds.
    if snapshotsUnderWay[sending].snapshot.last.index < log.base.index {
      startSnapshot(to: position, into: &outputs)
    } else {
      snapshotsUnderWay[sending].retries += 1
      snapshotsUnderWay[sending].next = snapshotsUnderWay[sending].acknowledged
      // Even if there is nothing left: the peer may have all of it, and wait to be asked to install it.
      sendPiece(sending, into: &outputs)
    }
  }

  private static var retryDoublingsMax: Int { 4 }

  /// The peer needs no snapshot any more.
  mutating func endSnapshot(to peer: NodeID, into outputs: inout Outputs) {
    guard let position = snapshotsUnderWay.firstIndex(where: { $0.peer == peer }) else { return }
    outputs.trace(.snapshotFinished(to: peer, last: snapshotsUnderWay[position].snapshot.last))
    snapshotsUnderWay.remove(at: position)
  }

  mutating func handle(_ reply: InstallSnapshotReply, from peer: NodeID, into outputs: inout Outputs) {
    guard isLeader, let position = progress.position(of: peer) else {
      return outputs.trace(.ignored(from: peer, reason: .stale))
    }
    let now = now
    progress.modify(position) { $0.lastHeard = now }
    switch reply {
    case .wants(let fingerprint, let offset):
      guard let sending = snapshotsUnderWay.firstIndex(where: { $0.peer == peer }),
        snapshotsUnderWay[sending].snapshot.fingerprint == fingerprint
      else { return outputs.trace(.ignored(from: peer, reason: .stale)) }
      guard offset <= snapshotsUnderWay[sending].snapshot.bytes else {
        return outputs.trace(.ignored(from: peer, reason: .impossible))
      }
      // What is under way is sent again by time alone: its answers may be behind this one.
      guard offset != snapshotsUnderWay[sending].acknowledged else { return }
      // A peer that was restarted begins anew; one that another leader has sent a part of it goes on behind that.
      let isElsewhere =
        offset < snapshotsUnderWay[sending].acknowledged || offset > snapshotsUnderWay[sending].next
      snapshotsUnderWay[sending].acknowledged = offset
      snapshotsUnderWay[sending].lastProgress = now
      snapshotsUnderWay[sending].retries = 0
      if isElsewhere { snapshotsUnderWay[sending].next = offset }
      fillWindow(sending, into: &outputs)
    case .covered(let index):
      handle(.accepted(match: index), from: peer, into: &outputs)
    }
  }

  /// How far the log may be compacted without taking away what follows a snapshot on its way to a peer that is alive:
  /// that peer would need another snapshot as soon as it has this one, and never catch up.
  var compactionLimit: LogIndex {
    var limit = appliedIndex
    for sending in snapshotsUnderWay {
      guard let peer = progress[sending.peer], peer.lastHeard + options.electionTimeoutTicksMin > now else {
        continue
      }
      limit = min(limit, sending.snapshot.last.index)
    }
    return max(limit, log.base.index)
  }

  /// Whether a peer that is alive waits for a snapshot that the driver has not offered yet.
  var wantsSnapshot: Bool {
    progress.peers.contains { peer in
      peer.state == .needsSnapshot && peer.lastHeard + options.electionTimeoutTicksMin > now
    }
  }

  // MARK: - Receiving

  mutating func handle(
    _ request: InstallSnapshot, configuration: IndexedConfiguration?, from leader: NodeID,
    into outputs: inout Outputs
  ) {
    guard let configuration, configuration.index <= request.last.index else {
      return outputs.trace(.ignored(from: leader, reason: .impossible))
    }
    let snapshot = Snapshot(
      last: request.last, configuration: configuration, bytes: request.bytes, fingerprint: request.fingerprint
    )
    guard heardLeader(leader, into: &outputs), !isCovered(snapshot, from: leader, into: &outputs) else {
      return
    }
    if incoming?.snapshot != snapshot {
      // In one term a leader never goes back to an older snapshot: this one was delayed on its way.
      if let known = incoming, known.term == hardState.term, known.snapshot.last.index > snapshot.last.index {
        return outputs.trace(.ignored(from: leader, reason: .stale))
      }
      dropIncoming(into: &outputs)
      incoming = IncomingSnapshot(snapshot: snapshot, term: hardState.term)
    }
    guard var receiving = incoming else { return }
    if receiving.isComplete { return install(snapshot, for: leader, into: &outputs) }
    guard receiving.takes(request) else {
      // While something is being stored, the answer to that tells the leader how to go on.
      if receiving.isStoring { return }
      return sendOnceDurable(
        .installSnapshotReply(.wants(fingerprint: snapshot.fingerprint, offset: receiving.taken)),
        to: leader, after: .hardState, into: &outputs)
    }
    receiving.taken = request.end
    receiving.hasBegun = true
    incoming = receiving
    outputs.store(request)
  }

  /// Whether the log already reaches what a snapshot holds; the leader is then told so.
  private mutating func isCovered(
    _ snapshot: Snapshot, from leader: NodeID, into outputs: inout Outputs
  ) -> Bool {
    if snapshot.last.index <= commitIndex {
      if let term = log.term(at: snapshot.last.index), term != snapshot.last.term {
        // What is committed here is committed everywhere: this can be no snapshot of this cluster (scenario 71).
        outputs.trace(.ignored(from: leader, reason: .impossible))
        return true
      }
    } else {
      guard log.contains(snapshot.last) else { return false }
      // Nothing needs to be installed: what leads to the snapshot's state is in the log, and committed.
      commit(through: snapshot.last.index, into: &outputs)
    }
    if let known = incoming, known.snapshot.last.index <= commitIndex { dropIncoming(into: &outputs) }
    outputs.trace(.snapshotRefused(from: leader, last: snapshot.last))
    sendOnceDurable(
      .installSnapshotReply(.covered(through: commitIndex)), to: leader, after: .everything, into: &outputs)
    return true
  }

  mutating func dropIncoming(into outputs: inout Outputs) {
    guard let dropped = incoming else { return }
    incoming = nil
    outputs.discard(dropped.snapshot)
  }

  /// The driver has stored a piece, and has verified the whole if it was the last one.
  mutating func didStoreChunk(
    fingerprint: UInt64, through offset: UInt64, into outputs: inout Outputs
  ) {
    guard var receiving = incoming, receiving.snapshot.fingerprint == fingerprint,
      ((receiving.stored ?? 0)...receiving.taken).contains(offset)
    else { return }
    receiving.stored = offset
    incoming = receiving
    // A candidate asks for votes for the log that it has, and a leader's log only grows: they wait for the next leader.
    guard case .follower(let leader?) = role else { return }
    if receiving.isComplete { return install(receiving.snapshot, for: leader, into: &outputs) }
    sendOnceDurable(
      .installSnapshotReply(.wants(fingerprint: fingerprint, offset: offset)), to: leader, after: .hardState,
      into: &outputs)
  }

  /// The driver could not store a piece, or what it has received is not what was sent: from the beginning, then.
  mutating func didFailToStore(fingerprint: UInt64, into outputs: inout Outputs) {
    guard let receiving = incoming, receiving.snapshot.fingerprint == fingerprint else { return }
    dropIncoming(into: &outputs)
    guard case .follower(let leader?) = role else { return }
    sendOnceDurable(
      .installSnapshotReply(.wants(fingerprint: receiving.snapshot.fingerprint, offset: 0)), to: leader,
      after: .hardState, into: &outputs)
  }

  /// Lets the snapshot take the place of the whole log: what the log holds ends before it, or contradicts it. The next
  /// write tells the store so; until its proof is back, the old state stands, and nothing is handed to the applier.
  private mutating func install(_ snapshot: Snapshot, for leader: NodeID, into outputs: inout Outputs) {
    guard !isCovered(snapshot, from: leader, into: &outputs) else { return }
    incoming = nil
    log = LogPositions(base: snapshot.last)
    // Also a configuration that was only appended goes: it is not in what the snapshot holds (scenario 48).
    configurations = ConfigurationLog(base: snapshot.configuration)
    writes.logWasReplaced(by: snapshot)
    commit(through: snapshot.last.index, into: &outputs)
    outputs.trace(.snapshotInstalled(last: snapshot.last))
    outputs.trace(.configurationChanged(at: snapshot.configuration.index))
    sendOnceDurable(
      .installSnapshotReply(.covered(through: snapshot.last.index)), to: leader, after: .everything,
      into: &outputs)
  }
}
