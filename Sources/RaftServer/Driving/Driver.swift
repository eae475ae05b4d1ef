import RaftCore
import RaftStore
import RaftTransport

/// The end of one request.
package enum Completion<Machine: StateMachine>: Sendable {
  case write(ticket: UInt64, Result<WriteResult<Machine.Outcome>, ReplicaError>)
  case read(ticket: UInt64, Result<Machine.Answer, ReplicaError>)
}

/// Everything between the sockets and the protocol of one replica, as a value: it takes frames, requests, results of the
/// store and time, and fills ``effects`` and completions. A simulator runs it unchanged.
///
/// The shell calls ``advance(to:)`` before any other input, any number of inputs, and then ``flush()``; after that it has
/// the store do what ``takeDiskTask(isDetached:)`` gives, and carries out the effects. Here is what touches the state
/// machine; the rest is in ``DriverCore``.
package struct Driver<Machine: StateMachine>: Sendable {
  var core: DriverCore
  package internal(set) var applier: Applier<Machine>
  /// The applier before anything was applied to it, for a snapshot to be installed in.
  private let blank: Applier<Machine>
  /// What the reads under way ask for, by ticket, ascending.
  private var queries = TicketTable<Machine.Query>()
  private var completions: [Completion<Machine>] = []

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
    self.blank = blank
    self.applier = applier ?? blank
    core = try DriverCore(
      id: id, boot: boot, address: address, recovered: recovered, applied: self.applier.last,
      keepsLogBehindSnapshot: keepsLogBehindSnapshot, options: options, seed: seed, now: now,
      isTracing: isTracing)
    core.appliedTime = self.applier.time
    if self.applier.state != nil { core.disk.flushed = self.applier.last.index }
  }

  // MARK: - What it is

  package var id: NodeID { core.id }
  package var boot: UInt64 { core.boot }
  /// The protocol's state.
  package var node: RaftNode<Bytes> { _read { yield core.node } }
  /// What the shell is to carry out.
  package var effects: DriverEffects {
    _read { yield core.effects }
    _modify { yield &core.effects }
  }
  /// Whether requests are under way.
  var hasRequests: Bool { core.hasRequests }
  var status: ReplicaStatus { core.status }

  // What the shell asks for at every turn is got by mutation, though nothing changes: Swift then looks at the driver where it
  // stands. Otherwise it would copy it first, with all its references.

  /// When the shell must call ``advance(to:)`` at the latest.
  package var nextDeadline: Ticks { mutating get { core.nextDeadline } }
  /// Who takes part.
  var configuration: Configuration { mutating get { core.node.configuration } }
  var isLeader: Bool { mutating get { core.node.isLeader } }
  /// Whether some node is known to lead.
  var hasLeader: Bool { mutating get { core.node.leader != nil } }
  /// The index of the last entry that was applied.
  var appliedIndex: LogIndex { mutating get { applier.last.index } }

  // MARK: - Inputs

  /// Tells the time. Comes before every other input.
  package mutating func advance(to moment: Moment) { core.advance(to: moment) }

  /// Runs an input on the value in place.
  mutating func run<Result>(_ input: (inout Self) -> Result) -> Result { input(&self) }

  /// The instant that lies so far ahead; after the default time for a request if nil.
  package func deadline(in milliseconds: UInt64?) -> Ticks { core.deadline(in: milliseconds) }

  /// Takes a frame from a peer. A malformed one is reported, and changes nothing.
  package mutating func receive(_ frame: Frame, from peer: NodeID) { core.receive(frame, from: peer) }

  /// A connection to a peer stands.
  package mutating func linkUp(_ peer: NodeID, _ trafficClass: TrafficClass) {
    core.linkUp(peer, trafficClass)
  }

  /// A connection to a peer broke. What was sent on it may or may not have arrived, so nothing is sent again.
  package mutating func linkDown(_ peer: NodeID, _ trafficClass: TrafficClass) {
    core.linkDown(peer, trafficClass)
  }

  /// A connection *from* a peer broke: answers may be lost, and it may be the first sign that the peer has crashed.
  package mutating func inboundDown(_ peer: NodeID, _ trafficClass: TrafficClass) {
    core.inboundDown(peer, trafficClass)
  }

  /// Takes a write in.
  ///
  /// - Returns: Its ticket, under which exactly one completion will follow.
  package mutating func submit(
    _ kind: CommandEnvelope.Kind, session: SessionStamp, operation: Bytes, deadline: Ticks
  ) -> UInt64 {
    core.submit(kind, session: session, operation: operation, deadline: deadline)
  }

  /// Takes a linearizable read in.
  ///
  /// - Returns: Its ticket, under which exactly one completion will follow.
  package mutating func submit(_ query: Machine.Query, deadline: Ticks) -> UInt64 {
    let (ticket, isTaken) = core.submitRead(deadline: deadline)
    if isTaken { queries.add(query, under: ticket) }
    return ticket
  }

  /// Takes a linearizable read in that the caller answers itself, by ``ask(_:)``, once ``takeAnswerable()`` gives its ticket;
  /// if it ends otherwise, a completion follows.
  ///
  /// The query, whose type depends on the state machine, needs not be kept and copied here then.
  mutating func submitRead(deadline: Ticks) -> UInt64 { core.submitRead(deadline: deadline).ticket }

  /// Gives away the tickets of reads that may be answered now, or at any later time.
  mutating func takeAnswerable() -> [UInt64] {
    guard !core.answerable.isEmpty else { return [] }
    defer { core.answerable = [] }
    return core.answerable
  }

  /// Begins to change who takes part, if this node leads.
  ///
  /// - Returns: Its ticket, under which exactly one completion will follow: ``WriteResult/configured`` once the change is
  ///   committed. A change of several voters is then sure to be carried out, and may still be in its joint phase.
  /// - Throws: `ConfigurationChangeError`; nothing has changed then.
  package mutating func changeConfiguration(
    _ changes: [ConfigurationChange], deadline: Ticks
  ) throws(ConfigurationChangeError) -> UInt64 {
    try core.changeConfiguration(changes, deadline: deadline)
  }

  /// Hands leadership to `target`.
  ///
  /// - Throws: `TransferError`; nothing has changed then.
  package mutating func transferLeadership(to target: NodeID) throws(TransferError) {
    try core.transferLeadership(to: target)
  }

  /// Gives leadership up, to whoever is best placed.
  package mutating func stepDown() { core.stepDown() }

  /// The node begins to hand leadership over, because it will stop.
  ///
  /// - Returns: Whether there is somebody to hand it to.
  package mutating func handOver() -> Bool { core.handOver() }

  /// Answers what only a member can finish, because this node is none any more.
  mutating func endAsNoMember() { core.endAsNoMember() }

  /// Answers everything, because the replica stops.
  package mutating func endAll() { core.endAll() }

  // MARK: - Turning inputs into effects

  /// Does everything that the inputs since the last call have made possible.
  ///
  /// - Returns: Whether there is more to do at once; the shell calls again after it has served others.
  package mutating func flush() -> Bool {
    core.flushRequests()
    // What is generic is entered only if there is something to do: in a module that does not know the machine's type, to
    // enter it costs more than to look.
    var hasMore = false
    if let range = core.takeCommitted() {
      applyCommitted(after: range.after, through: range.through)
      hasMore = true
    }
    if core.reads.hasConfirmed { answerReads() }
    core.reportChanges()
    return hasMore
  }

  /// Gives away the requests that have ended.
  package mutating func takeCompletions() -> [Completion<Machine>] {
    takeEndings()
    guard core.hasCompletions else { return [] }
    core.hasCompletions = false
    defer { completions.removeAll(keepingCapacity: true) }
    return completions
  }

  /// Applies committed entries.
  private mutating func applyCommitted(after: LogIndex, through: LogIndex) {
    guard let entries = core.node.entries(after: after, through: through) else {
      preconditionFailure("committed entries are held until they are applied")
    }
    takeEndings()
    for entry in entries {
      core.disk.bytesSinceSnapshot += Int(entry.bytes)
      let effect = applier.apply(entry)
      if case .unreadable(let reason) = effect {
        core.effects.report(.unreadableEntry(at: entry.id.index, reason: reason))
      }
      settleProposals(by: entry.id, effect)
    }
    applier.commit()
    core.disk.recentBytes = applier.state?.recentBytes ?? 0
    core.didApply(through: applier.last, time: applier.time)
  }

  /// Why the state machine's state cannot be relied on any more; nil if it can. The node must stop then. The shell looks
  /// after every ``flush()``, before it carries anything out: what was answered since may be wrong.
  package var failure: StoreError? { mutating get { applier.failure } }

  /// Takes back what was answered since the last time that answers were taken. To be called when there is a ``failure``.
  package mutating func disown() {
    core.effects.disown()
    takeEndings()
    completions = completions.map { completion in
      switch completion {
      case .write(let ticket, .success): .write(ticket: ticket, .failure(.unknown(.stopping)))
      case .read(let ticket, .success): .read(ticket: ticket, .failure(.notExecuted(.stopping)))
      default: completion
      }
    }
  }

  /// Asks the state machine as it is.
  mutating func ask(_ query: Machine.Query) -> Result<Machine.Answer, ReplicaError> {
    let answer = applier.read(query)
    return failure == nil ? .success(answer) : .failure(.notExecuted(.stopping))
  }

  /// Answers the reads that the state machine has caught up with.
  private mutating func answerReads() {
    let tickets = core.takeAnswerableReads()
    guard !queries.isEmpty else {
      core.answerable += tickets
      return
    }
    for ticket in tickets {
      guard let query = queries.remove(ticket) else {
        core.answerable.append(ticket)
        continue
      }
      completions.append(.read(ticket: ticket, .success(applier.read(query))))
      core.hasCompletions = true
    }
  }

  /// An entry was applied: whoever waits for it learns what it led to, and whoever waits for another entry at its index
  /// learns that theirs never will be applied.
  private mutating func settleProposals(by entry: EntryID, _ effect: Applier<Machine>.Effect) {
    while let proposal = core.proposals.settleNext(by: entry) {
      let isThis = proposal.entry == entry
      switch proposal.origin {
      case .local(let ticket):
        guard core.forget(ticket) else { continue }
        core.hasCompletions = true
        completions.append(
          .write(ticket: ticket, isThis ? effect.result : .failure(.notExecuted(.leadershipLost))))
      case .remote(let peer, let boot, let number):
        var reply = ForwardReply(number: number, boot: boot, result: .overwritten)
        if isThis { (reply.result, reply.outcome) = effect.encoded }
        core.answer(reply, to: peer)
      }
    }
  }

  /// Brings what has ended without the state machine into the order of completions.
  private mutating func takeEndings() {
    guard !core.endings.isEmpty else { return }
    core.hasCompletions = true
    for ending in core.endings {
      switch ending {
      case .read(let ticket, let error):
        _ = queries.remove(ticket)
        completions.append(.read(ticket: ticket, .failure(error)))
      case .write(let ticket, .failure(let error)):
        completions.append(.write(ticket: ticket, .failure(error)))
      case .write(let ticket, .success(let outcome)):
        completions.append(.write(ticket: ticket, Self.decode(outcome)))
      }
    }
    core.endings.removeAll(keepingCapacity: true)
  }

  private static func decode(
    _ outcome: DriverCore.RemoteOutcome
  ) -> Result<WriteResult<Machine.Outcome>, ReplicaError> {
    do {
      switch outcome.kind {
      case .command: return .success(.outcome(try Machine.Outcome(decoding: outcome.bytes)))
      case .openSession: return .success(.opened(try UInt64(decoding: outcome.bytes)))
      case .closeSession: return .success(.closed)
      }
    } catch {
      // It ran, but what it answered cannot be read.
      return .failure(.unknown(.leadershipLost))
    }
  }

  // MARK: - The store

  /// Whether ``takeCompletions()`` gives something.
  package var hasEnded: Bool { mutating get { core.hasCompletions || !core.endings.isEmpty } }

  /// Whether ``takeDiskTask(isDetached:)`` gives something.
  package mutating func hasDiskTask() -> Bool { core.hasDiskTask() }

  /// The next task for the store; nil if there is none. The results come back through ``didComplete(_:)``.
  ///
  /// - Parameter isDetached: Whether the task will wait while the driver gets further inputs: the entries are then copied
  ///   out of the log, which would otherwise be copied as a whole.
  package mutating func takeDiskTask(isDetached: Bool) -> DiskTask<Machine>? {
    guard core.hasDiskTask() else { return nil }
    if core.disk.isWorksTurn, let task = takeWork() { return task }
    return takeWrite(isDetached: isDetached) ?? takeWork()
  }

  private mutating func takeWrite(isDetached: Bool) -> DiskTask<Machine>? {
    guard let write = core.node.takeWrite() else { return nil }
    core.disk.isWorksTurn = true
    if isDetached { core.disk.writingSince = core.now.ticks }
    let entries = core.node.entries(after: write.after, through: write.through) ?? []
    var install: DiskTask<Machine>.Installation?
    if write.installs != nil, let snapshot = core.node.installingSnapshot {
      install = .init(snapshot: snapshot, blank: blank)
    }
    return .persist(write, entries: isDetached ? Array(entries)[...] : entries, install: install)
  }

  private mutating func takeWork() -> DiskTask<Machine>? {
    core.disk.isWorksTurn = false
    while let work = core.takeWork() {
      if case .flush = work, let state = applier.state {
        core.disk.recentBytes = 0
        return .flush(state, state.seal(), through: applier.last.index)
      }
      guard case .save = work else { return .work(work) }
      // Files are those of what is flushed.
      let hasFiles = core.sendsFiles && applier.state?.hasFiles == true
      core.disk.savingFrom = hasFiles ? core.disk.flushed : applier.last.index
      if hasFiles, let state = applier.state { return .copy(state) }
      // State and configuration are of the same instant, this one. While the log is being replaced by a snapshot there is
      // no such configuration.
      if let configuration = core.node.configuration(at: applier.last.index),
        let (frozen, view) = applier.frozen()
      {
        if core.disk.flushed == nil { core.disk.bytesSinceSnapshot = 0 }
        return .save(frozen, view, configuration)
      }
      core.didNotSave()
    }
    return nil
  }

  /// Takes the result of the oldest task that has none yet.
  package mutating func didComplete(_ result: consuming DiskResult<Machine>) {
    switch consume result {
    case .persisted(let proof, let installed):
      core.didPersist(proof)
      if let installed {
        applier = installed.applier
        core.didInstall(installed.snapshot, time: applier.time)
      }
    case .saved(let snapshot): core.didSave(snapshot)
    case .copied(let files, let last): core.didCopy(files, last)
    case .flushed(let state, let index):
      state.didFlush()
      core.didFlush(through: index)
    case .received(let piece, let isSound): core.didReceive(piece, isSound: isSound)
    case .read(let message, let bytes): core.send(message, with: bytes)
    case .done: break
    }
    core.drainOutputs()
  }
}

extension Applier.Effect {
  /// What the client learns who asked this node.
  var result: Result<WriteResult<Machine.Outcome>, ReplicaError> {
    switch self {
    case .outcome(let outcome): .success(.outcome(outcome))
    case .repeated(let bytes):
      (try? Machine.Outcome(decoding: bytes)).map { .success(.outcome($0)) }
        ?? .failure(.unknown(.leadershipLost))
    case .opened(let session): .success(.opened(session))
    case .closed: .success(.closed)
    case .configured: .success(.configured)
    case .sessionExpired: .failure(.unknown(.sessionExpired))
    case .none, .unreadable: .failure(.unknown(.leadershipLost))
    }
  }

  /// What the node learns that has forwarded the request.
  var encoded: (ForwardReply.Result, Bytes) {
    switch self {
    case .outcome(let outcome): (.outcome, outcome.encoded())
    case .repeated(let bytes): (.outcome, bytes)
    case .opened(let session): (.outcome, session.encoded())
    case .closed, .configured: (.outcome, [])
    case .sessionExpired: (.sessionExpired, [])
    case .none, .unreadable: (.unknown, [])
    }
  }
}
