import RaftCore
import RaftTransport

/// What a ``Driver`` does that does not depend on the state machine: nearly everything. It is not generic, so that its code
/// is made once, and fast, whatever is replicated. The files `DriverCore+….swift` hold one concern each.
struct DriverCore: Sendable {
  /// How a request has ended that the state machine has not answered here.
  enum Ending: Sendable {
    case write(ticket: UInt64, Result<RemoteOutcome, ReplicaError>)
    case read(ticket: UInt64, ReplicaError)
  }

  /// What the leader has answered to a write.
  struct RemoteOutcome: Sendable {
    var kind: CommandEnvelope.Kind
    var bytes: Bytes
  }

  let id: NodeID
  let boot: UInt64
  let address: String
  let options: ReplicaOptions

  var node: RaftNode<Bytes>
  var outputs: Outputs
  var effects = DriverEffects()
  /// Requests that have ended, in order.
  var endings: [Ending] = []
  /// Whether the driver holds completions that the shell has not taken.
  var hasCompletions = false
  var now: Moment

  // The store.
  var disk: DiskWork
  /// How many of the pieces, and of the discarded snapshots, in ``outputs`` have been taken note of.
  var piecesSeen = 0
  var discardsSeen = 0

  // Writes.
  var requests = RequestTable()
  /// Writes that are not sent anywhere yet, by ticket.
  var waiting: [UInt64] = []
  var proposals = ProposalQueue()
  /// Whether something was appended that is not yet sent to the followers.
  var hasAppended = false
  /// Time for proposals.
  var clock: LogClock
  /// Time stamped into the last proposal.
  var lastLeaderTime: UInt64 = 0
  /// Time of the last command that was applied.
  var appliedTime: UInt64 = 0
  /// The last entry that was applied.
  var lastApplied: EntryID
  /// Where forwards go now; those to an earlier target end, or are given up, before the next target gets any.
  var forwardTarget: ForwardTarget?
  /// The leadership that has refused a forward: it is over, and gets no more.
  var refusedTarget: ForwardTarget?
  /// How many writes are forwarded and unanswered.
  var forwardedCount = 0
  /// When forwards to an earlier target are given up.
  var forwardsExpire: Ticks?
  /// Forwards that arrived while leadership was being handed over; if that fails, they are proposed in order.
  var heldForwards: [(from: NodeID, boot: UInt64, forward: Forward)] = []
  /// Bytes of their operations.
  var heldForwardBytes = 0
  /// Answers to forwards of peers to which there is no connection, and since when they wait.
  var heldReplies: [(to: NodeID, reply: ForwardReply, since: Ticks)] = []
  /// Bytes of their outcomes.
  var heldReplyBytes = 0

  // Reads.
  var reads: ReadBatches
  /// Tickets of reads that the shell is to answer.
  var answerable: [UInt64] = []

  /// Pieces of snapshots that are to go to peers.
  var pacing: SnapshotPacing

  // Peers and what was last reported of them.
  var links = LinkTable()
  var reportedRole = ReplicaRole.learner
  var reportedLeader: NodeID?
  var reportedTerm = Term.zero
  var nextDeadlineCheck = Ticks.zero
  /// Members that were reported as left behind.
  var leftBehind: [NodeID] = []
  /// Whether the store was reported to hang.
  var isStoreReported = false

  /// One leadership.
  struct ForwardTarget: Hashable, Sendable {
    var leader: NodeID
    var term: Term
  }

  init(
    id: NodeID, boot: UInt64, address: String, recovered: RecoveredState<Bytes>, applied: EntryID,
    keepsLogBehindSnapshot: Bool, options: ReplicaOptions, seed: UInt64, now: Moment, isTracing: Bool
  ) throws(RecoveryError) {
    self.id = id
    self.boot = boot
    self.address = address
    self.options = options
    self.now = now
    lastApplied = applied
    clock = LogClock(startingAt: now, tickMilliseconds: options.tickMilliseconds)
    outputs = Outputs(isTracing: isTracing)
    disk = DiskWork(newest: recovered.snapshot, keepsLogBehindSnapshot: keepsLogBehindSnapshot)
    reads = ReadBatches(boot: boot)
    pacing = SnapshotPacing(
      bytesPerSecond: options.snapshotBytesPerSecond, tickMilliseconds: options.tickMilliseconds)
    node = try RaftNode(id: id, recovered: recovered, options: options.raft, seed: seed, now: now.ticks)
    node.advance(to: now.ticks, into: &outputs)
  }

  // MARK: - Inputs

  /// Tells the time. Comes before every other input.
  mutating func advance(to moment: Moment) {
    now = moment
    clock.advance(to: moment)
    node.advance(to: moment.ticks, into: &outputs)
    if moment.ticks >= nextDeadlineCheck {
      nextDeadlineCheck = moment.ticks + Self.deadlineCheckTicks
      expireRequests()
      reportSilentMembers()
      reportLeftBehind()
      reportStore()
      sendHeldReplies()
    }
    expireStaleForwards()
    sendPacedPieces()
  }

  /// The instant that lies so far ahead; after the default time for a request if nil.
  func deadline(in milliseconds: UInt64?) -> Ticks {
    let limit = min(milliseconds ?? options.requestMilliseconds, 1 << 40)
    return now.ticks + max(1, Int(limit) / options.tickMilliseconds)
  }

  /// How often deadlines of requests are looked at, in ticks.
  static var deadlineCheckTicks: Int { 5 }

  /// Takes a frame from a peer. A malformed one is reported, and changes nothing.
  mutating func receive(_ frame: Frame, from peer: NodeID) {
    do {
      switch frame.header.kind {
      case .message:
        let received = try MessageCodec.decode(frame)
        guard received.message.to == id else { return }
        node.step(
          received.message, entries: received.entries[...], configuration: received.configuration,
          into: &outputs)
        collectPieces(received.chunk)
      case .forward:
        receive(try decode(Forward.self, from: frame), from: peer, boot: frame.header.boot)
      case .forwardReply:
        receive(try decode(ForwardReply.self, from: frame), from: peer)
      default:
        break
      }
    } catch {
      effects.report(.violation(from: name(of: peer), reason: error.description))
    }
  }

  private func decode<Value: ByteCodable>(_ type: Value.Type, from frame: Frame) throws(MalformedBytes)
    -> Value
  {
    var reader = frame.bodyReader()
    let value = try Value(from: &reader)
    try reader.expectEnd()
    return value
  }

  // MARK: - Turning inputs into effects

  /// Does everything that comes before committed entries are applied.
  mutating func flushRequests() {
    sendWaiting()
    askForReads()
    if hasAppended, !isGathering {
      hasAppended = false
      node.replicate(into: &outputs)
    }
    drainOutputs()
  }

  /// Whether new entries wait for others, to be sent together: as long as the store is at the write before theirs, for one
  /// tick at most, because that may hang.
  ///
  /// The leader answers nothing that it has not written itself, and begins their write, which gathers them as well, only
  /// then. Sent one by one as they come in, they would cost every follower a message, a write and an answer each.
  private var isGathering: Bool { disk.writingSince == now.ticks }

  /// The next committed entries to be applied.
  ///
  /// None while as much waits to be written to the state's device as is being written to it: it waits in memory.
  mutating func takeCommitted() -> (after: LogIndex, through: LogIndex)? {
    guard !disk.isFlushing || disk.recentBytes < 2 * options.stateBytes else {
      // That is no state machine that stands still: another node's disk is hardly faster. One that hangs shows in time.
      if now.ticks < disk.flushingSince + Self.slowFlushTicks { node.excuseApplier() }
      return nil
    }
    return node.takeCommitted(bytesMax: options.applyBytesMax)
  }

  /// How long a flush may take until the disk counts as one that hangs, in ticks.
  private static var slowFlushTicks: Int { 500 }

  /// Committed entries were applied, the last of them at `last`.
  mutating func didApply(through last: EntryID, time: UInt64) {
    lastApplied = last
    appliedTime = time
    node.didApply(through: last.index)
  }

  /// The reads that the state machine, as it is now, may answer. They are off the books with that.
  mutating func takeAnswerableReads() -> [UInt64] {
    let tickets = reads.takeAnswerable(at: node.appliedIndex)
    return tickets.isEmpty ? tickets : tickets.filter { requests.remove($0) != nil }
  }

  /// Whether requests are under way.
  var hasRequests: Bool { requests.count > 0 }

  /// When the shell must call ``advance(to:)`` at the latest.
  var nextDeadline: Ticks {
    var deadline = now.ticks + Int(clamping: node.ticksUntilNextDeadline)
    if requests.count > 0 || links.hasUnreportedSilence || !heldForwards.isEmpty {
      deadline = min(deadline, nextDeadlineCheck)
    }
    if !pacing.waiting.isEmpty || hasAppended { deadline = now.ticks + 1 }
    if let forwardsExpire { deadline = min(deadline, forwardsExpire) }
    if canAskForReads, let readDeadline = reads.nextDeadline { deadline = min(deadline, readDeadline) }
    return max(deadline, now.ticks + 1)
  }

  /// Encodes the core's messages for their peers, and takes its answers to reads.
  mutating func drainOutputs() {
    let boot = boot
    collectPieces()
    for message in outputs.messages {
      // The log may have changed since the message was made; it is then not worth sending, and a newer one follows.
      switch message.body {
      case .appendEntries:
        guard let entries = node.entries(for: message) else { continue }
        effects.write(to: message.to, .consensus) {
          MessageCodec.writeFrame(message, entries: entries, boot: boot, into: &$0)
        }
      case .installSnapshot: pacing.add(message)
      default:
        effects.write(to: message.to, .consensus) { MessageCodec.writeFrame(message, boot: boot, into: &$0) }
      }
    }
    sendPacedPieces()
    for outcome in outputs.reads { reads.settle(outcome, now: now.ticks) }
    effects.trace(outputs.events)
    outputs.removeAll()
    piecesSeen = 0
    discardsSeen = 0
  }

  /// Writes a frame of this layer to a peer.
  mutating func send<Body: ByteCodable>(_ body: Body, _ kind: FrameKind, to peer: NodeID) {
    let header = FrameHeader(kind: kind, trafficClass: .bulk, target: peer, sender: id, boot: boot)
    effects.write(to: peer, .bulk) { writer in
      writer.writeFrame(header) { body.encode(into: &$0) }
    }
  }

  /// A peer's address, if it is a member.
  func name(of peer: NodeID) -> String { node.configuration.member(peer)?.address ?? peer.description }
}
