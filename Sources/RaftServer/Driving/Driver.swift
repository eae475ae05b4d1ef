import RaftCore
import RaftTransport

/// A moment, on both clocks that a replica needs.
package struct Moment: Hashable, Sendable {
  /// Monotonic, counting suspension: by it timers run.
  package var ticks: Ticks
  /// Milliseconds since 1970: stamped into proposals, and never compared with another node's.
  package var wallMilliseconds: UInt64

  package init(ticks: Ticks, wallMilliseconds: UInt64) {
    self.ticks = ticks
    self.wallMilliseconds = wallMilliseconds
  }
}

/// Everything between the sockets and the protocol of one replica, as a value: it takes frames, requests, proofs of
/// durability and time, and fills ``effects``. A simulator runs it unchanged.
///
/// The shell calls ``advance(to:)`` before any other input, any number of inputs, and then once ``flush()``; after that it
/// persists what ``takeWrite()`` gives, and carries out the effects. The files `Driver+….swift` hold one concern each.
package struct Driver<Machine: StateMachine>: Sendable {
  package let id: NodeID
  package let boot: UInt64
  let address: String
  let options: ReplicaOptions

  package internal(set) var node: RaftNode<Bytes>
  package internal(set) var applier: Applier<Machine>
  var outputs: Outputs
  package var effects = DriverEffects<Machine>()
  var now: Moment

  // The store.
  var disk: DiskWork<Machine>
  /// How many of the pieces, and of the discarded snapshots, in ``outputs`` have been taken note of.
  var piecesSeen = 0
  var discardsSeen = 0

  // Writes.
  var requests = RequestTable<Machine.Query>()
  /// Writes that are not sent anywhere yet, by ticket.
  var waiting: [UInt64] = []
  var proposals = ProposalQueue()
  /// Whether something was appended that is not yet sent to the followers.
  var hasAppended = false
  /// Time stamped into the last proposal.
  var lastLeaderTime: UInt64 = 0
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

  // Reads.
  var reads: ReadBatches

  // Peers and what was last reported of them.
  var links = LinkTable()
  var reportedRole = ReplicaRole.learner
  var reportedLeader: NodeID?
  var reportedTerm = Term.zero
  var nextDeadlineCheck = Ticks.zero
  /// Members that were reported as left behind.
  var leftBehind: [NodeID] = []

  /// One leadership.
  struct ForwardTarget: Hashable, Sendable {
    var leader: NodeID
    var term: Term
  }

  /// Starts a replica from what its store holds.
  ///
  /// - Parameters:
  ///   - id: This incarnation of the node.
  ///   - boot: A random number of this process.
  ///   - address: Where peers reach it.
  ///   - blank: An applier that nothing was applied to.
  ///   - applier: The applier as of `recovered.appliedIndex`; nil if that is `blank`.
  ///   - recovered: What the store holds.
  ///   - keepsLogBehindSnapshot: What the store says of itself.
  ///   - options: Validated.
  ///   - seed: Decides all random choices.
  ///   - now: The time of the start.
  ///   - isTracing: Whether the core's decisions are wanted among the effects.
  /// - Throws: ``RecoveryError`` if what the store holds contradicts itself.
  package init(
    id: NodeID, boot: UInt64, address: String, blank: Applier<Machine>, applier: Applier<Machine>? = nil,
    recovered: RecoveredState<Bytes>, keepsLogBehindSnapshot: Bool = false, options: ReplicaOptions,
    seed: UInt64, now: Moment, isTracing: Bool = false
  ) throws(RecoveryError) {
    self.id = id
    self.boot = boot
    self.address = address
    self.options = options
    self.now = now
    self.applier = applier ?? blank
    outputs = Outputs(isTracing: isTracing)
    disk = DiskWork(
      newest: recovered.snapshot, blank: blank, keepsLogBehindSnapshot: keepsLogBehindSnapshot)
    reads = ReadBatches(boot: boot)
    node = try RaftNode(id: id, recovered: recovered, options: options.raft, seed: seed, now: now.ticks)
    node.advance(to: now.ticks, into: &outputs)
  }

  // MARK: - Inputs

  /// Tells the time. Comes before every other input.
  package mutating func advance(to moment: Moment) {
    now = moment
    node.advance(to: moment.ticks, into: &outputs)
    if moment.ticks >= nextDeadlineCheck {
      nextDeadlineCheck = moment.ticks + Self.deadlineCheckTicks
      expireRequests()
      reportSilentMembers()
      reportLeftBehind()
    }
    expireStaleForwards()
  }

  /// Runs an input on the value in place.
  mutating func run<Result>(_ input: (inout Self) -> Result) -> Result { input(&self) }

  /// The instant that lies so far ahead; after the default time for a request if nil.
  package func deadline(in milliseconds: UInt64?) -> Ticks {
    let limit = min(milliseconds ?? options.requestMilliseconds, 1 << 40)
    return now.ticks + max(1, Int(limit) / options.tickMilliseconds)
  }

  /// How often deadlines of requests are looked at, in ticks.
  static var deadlineCheckTicks: Int { 5 }

  /// Takes a frame from a peer. A malformed one is reported, and changes nothing.
  package mutating func receive(_ frame: Frame, from peer: NodeID) {
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

  /// Does everything that the inputs since the last call have made possible.
  ///
  /// - Returns: Whether there is more to do at once; the shell calls again after it has served others.
  package mutating func flush() -> Bool {
    sendWaiting()
    askForReads()
    if hasAppended {
      hasAppended = false
      node.replicate(into: &outputs)
    }
    drainOutputs()
    let hasMore = applyCommitted()
    answerReads()
    reportChanges()
    return hasMore
  }

  /// Whether requests are under way.
  var hasRequests: Bool { requests.count > 0 }

  /// When the shell must call ``advance(to:)`` at the latest.
  package var nextDeadline: Ticks {
    var deadline = now.ticks + Int(clamping: node.ticksUntilNextDeadline)
    if requests.count > 0 || links.hasUnreportedSilence || !heldForwards.isEmpty {
      deadline = min(deadline, nextDeadlineCheck)
    }
    if let forwardsExpire { deadline = min(deadline, forwardsExpire) }
    if let readDeadline = reads.nextDeadline { deadline = min(deadline, readDeadline) }
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
      case .installSnapshot: disk.waiting.append(.read(message))
      default:
        effects.write(to: message.to, .consensus) { MessageCodec.writeFrame(message, boot: boot, into: &$0) }
      }
    }
    for outcome in outputs.reads { reads.settle(outcome, now: now.ticks) }
    effects.trace(outputs.events)
    outputs.removeAll()
    piecesSeen = 0
    discardsSeen = 0
  }

  /// Applies what is committed, up to a limit.
  private mutating func applyCommitted() -> Bool {
    guard let range = node.takeCommitted(bytesMax: options.applyBytesMax) else { return false }
    guard let entries = node.entries(after: range.after, through: range.through) else {
      preconditionFailure("committed entries are held until they are applied")
    }
    for entry in entries {
      let effect = applier.apply(entry)
      if case .unreadable(let reason) = effect {
        effects.report(.unreadableEntry(at: entry.id.index, reason: reason))
      }
      settleProposals(by: entry.id, effect)
    }
    node.didApply(through: range.through)
    return true
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
