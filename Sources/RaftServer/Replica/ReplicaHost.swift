import Dispatch
import Glibc
import RaftCore
import RaftStore
import RaftTransport

/// A driver at a place of its own, where it is used in place. Counter-example: of an optional driver, Swift makes a copy to
/// look at a part of it, with a reference counted up and down for each of its parts; for every request.
final class Running<Machine: StateMachine> {
  var driver: Driver<Machine>

  init(_ driver: Driver<Machine>) { self.driver = driver }
}

/// Who waits for the end of a write.
///
/// An object, so that those who wait stand in a table whose type does not depend on the state machine. Counter-example: of a
/// table of closures that take a machine's outcome, every look asks the runtime for the table's type, its entries', and how
/// they are copied, six times for each request.
final class WriteWaiter<Machine: StateMachine> {
  let handler: ReplicaHost<Machine>.WriteHandler

  init(_ handler: @escaping ReplicaHost<Machine>.WriteHandler) { self.handler = handler }
}

/// The thin shell around one ``Driver``: sockets, the clock, the store, and the callers who wait. It decides nothing.
///
/// `@unchecked Sendable` because everything in it is used on its event loop alone; every way in checks that.
final class ReplicaHost<Machine: StateMachine>: @unchecked Sendable {
  typealias WriteHandler = (Result<WriteResult<Machine.Outcome>, ReplicaError>) -> Void
  typealias ReadHandler = (Result<Machine.Answer, ReplicaError>) -> Void

  let loop: EventLoop
  let options: ReplicaOptions
  let address: String
  let transport: DispatchTransport
  let report: @Sendable (ReplicaEvent) -> Void
  /// An applier that nothing was applied to.
  let blank: Applier<Machine>
  /// The applier with which the node begins; nil once there is a driver.
  var first: Applier<Machine>?
  var identity: LocalIdentity
  let disk: DiskQueue<Machine>
  /// How many tasks the store is at, or has before it.
  var tasksUnderWay = 0
  /// Where the members are written down; nil if nowhere.
  let hint: MemberHint?
  /// The nodes around this one.
  var around = Neighbourhood()
  var joinTimer: LoopTimer?
  /// The log that is applied again after a restart; nil once that is done.
  var replay: Replay?
  var random: RandomSource
  private var accept: ((StreamConnection, Bytes) -> any StreamHandler)?

  // A node is founding, then running, then stopped.
  var founding: Founding?
  /// Whether its founding is being made durable.
  var isFounding = false
  var running: Running<Machine>?
  var founded: Founded?
  private(set) var isStopped = false
  /// Whether it is stopping: what is under way is finished, and nothing new is taken.
  private(set) var isDraining = false
  /// Who waits for this node to have left its cluster.
  var departure: Departure?
  var absenceTimer: LoopTimer?
  /// Copies of the state for those who asked.
  var held = HeldSnapshots()
  var heldTimer: LoopTimer?

  /// Called when the state machine has changed; see ReplicaHost+Freshness.swift.
  var whenApplied: (() -> Void)?
  var noticedIndex = LogIndex.zero

  /// Who waits for the end of a write: a ``WriteWaiter``, by ticket.
  private var writers = TicketTable<AnyObject>()
  /// What is to be done when a read can be answered, or has failed.
  private var readers = TicketTable<(ReplicaError?) -> Void>()
  private var isFlushScheduled = false
  /// Fires at `timerDeadline`; left alone while nothing is due earlier, because making one costs more than a flush.
  private var timer: LoopTimer?
  private var timerDeadline = UInt64.max
  /// Who was waited for when that was reported last.
  var lastWaiting: [String]?

  init(
    opened: OpenedStore<Machine>, blank: Applier<Machine>, address: String, peers: [String],
    hint: MemberHint?,
    options: ReplicaOptions, random: RandomSource, loop: EventLoop,
    report: @escaping @Sendable (ReplicaEvent) -> Void
  ) {
    self.loop = loop
    self.options = options
    self.address = address
    self.report = report
    self.random = random
    self.blank = blank
    first = opened.applier
    disk = DiskQueue(opened.store, isDetached: opened.kind == .durable, loop: loop)
    let node = opened.identity.node
    let remembered = opened.recovered == nil ? hint?.members ?? [] : []
    var founders: [String] = []
    if opened.recovered == nil {
      let founding = Founding(
        own: Member(id: node, address: address, store: opened.kind), peers: peers,
        mustJoin: !remembered.isEmpty)
      self.founding = founding
      founders = founding.announced
    }
    identity = LocalIdentity(
      node: node, boot: self.random.next(),
      cluster: opened.recovered.flatMap { _ in opened.identity.cluster },
      address: address, founders: founders, store: opened.kind)
    transport = DispatchTransport(loop: loop, options: options.transport, seed: self.random.next())
    self.hint = hint
    around.remembered = remembered
    around.given = peers.filter { $0 != address }
    around.isJoining = opened.recovered != nil && opened.identity.isJoining
  }

  /// Opens the port and begins to look for the peers.
  func start(
    on endpoint: Endpoint, accept: ((StreamConnection, Bytes) -> any StreamHandler)?
  ) throws(TransportError) {
    loop.preconditionOnLoop()
    self.accept = accept
    transport.delegate = self
    transport.setIdentity(identity)
    try transport.listen(on: endpoint)
    refreshPeers()
    proceedWithFounding()
    watchForAbsence()
  }

  // MARK: - Requests

  func write(
    _ kind: CommandEnvelope.Kind, session: SessionStamp, operation: Bytes, within milliseconds: UInt64?,
    then handler: @escaping WriteHandler
  ) {
    loop.preconditionOnLoop()
    if let refusal { return handler(.failure(.notExecuted(refusal))) }
    guard let running else { return handler(.failure(.notExecuted(reasonNotRunning))) }
    beginInput(running)
    let ticket = running.driver.submit(
      kind, session: session, operation: operation, deadline: running.driver.deadline(in: milliseconds))
    writers.add(WriteWaiter<Machine>(handler), under: ticket)
  }

  /// Calls back when a change of the members has ended.
  func whenEnded(_ ticket: UInt64, then handler: @escaping (Result<Void, ReplicaError>) -> Void) {
    writers.add(WriteWaiter<Machine> { handler($0.map { _ in }) }, under: ticket)
  }

  func read(_ query: Machine.Query, within milliseconds: UInt64?, then handler: @escaping ReadHandler) {
    loop.preconditionOnLoop()
    if let refusal { return handler(.failure(.notExecuted(refusal))) }
    guard let running else { return handler(.failure(.notExecuted(reasonNotRunning))) }
    beginInput(running)
    let ticket = running.driver.submitRead(deadline: running.driver.deadline(in: milliseconds))
    readers.add(
      { error in handler(error.map { .failure($0) } ?? running.driver.ask(query)) }, under: ticket)
  }

  /// Reads what this node has applied, however old that is.
  func readStale(_ query: Machine.Query) -> Result<Machine.Answer, ReplicaError> {
    loop.preconditionOnLoop()
    // While the log is applied again the state is older than what the node has shown before.
    guard let running, replay == nil else { return .failure(.notExecuted(reasonNotRunning)) }
    return running.driver.ask(query)
  }

  /// Why no request is taken now. One that joins could answer a read only once it has caught up, however long that takes,
  /// while everybody else answers at once.
  private var refusal: ReplicaError.Reason? {
    if isDraining { return .stopping }
    return around.isJoining ? .notReady : nil
  }

  private var reasonNotRunning: ReplicaError.Reason { isStopped || isDraining ? .stopping : .notReady }

  var status: ReplicaStatus {
    loop.preconditionOnLoop()
    var status =
      running?.driver.status
      ?? ReplicaStatus(
        id: identity.node, clusterID: nil, address: address, role: .learner, term: .zero, leaderAddress: nil,
        commitIndex: .zero, appliedIndex: .zero, store: identity.store, members: [])
    status.clusterID = running == nil ? nil : identity.cluster
    status.store = identity.store
    status.version = options.version
    if case .wait(let awaited)? = founding?.decide() { status.awaited = awaited }
    if running == nil || around.isJoining { status.joinObstacle = around.joinObstacle }
    for position in status.members.indices {
      status.members[position].lastWords = around.lastWords(
        of: status.members[position].id, now: loop.milliseconds)
    }
    return status
  }

  // MARK: - The loop

  var moment: Moment {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Moment(
      ticks: Ticks(loop.milliseconds / UInt64(options.tickMilliseconds)),
      wallMilliseconds: UInt64(max(time.tv_sec, 0)) * 1000 + UInt64(time.tv_nsec) / 1_000_000)
  }

  /// Runs one input of the driver: the time first, then the input; a flush follows once the loop's other events that
  /// are already there have had their turn, so that they share one batch.
  func withDriver<Result>(_ input: (inout Driver<Machine>) -> Result) -> Result? {
    guard let running else { return nil }
    running.driver.advance(to: moment)
    scheduleFlush()
    return running.driver.run(input)
  }

  /// Comes before a request. One that shares its turn of the loop with others shares the time with them.
  private func beginInput(_ running: Running<Machine>) {
    guard !isFlushScheduled else { return }
    running.driver.advance(to: moment)
    scheduleFlush()
  }

  func scheduleFlush() {
    guard !isFlushScheduled else { return }
    isFlushScheduled = true
    loop.async { [weak self] in
      guard let self else { return }
      isFlushScheduled = false
      flush()
    }
  }

  func flush() {
    guard let running else { return }
    running.driver.advance(to: moment)
    guard var hasMore = flushDriver() else { return }
    // Appends leave before the leader's own write, and so in parallel with it.
    sendAll()
    if disk.isDetached {
      beginDiskTask()
    } else {
      do {
        while try performDiskTask() {
          guard let hasYetMore = flushDriver() else { return }
          hasMore = hasYetMore || hasMore
          sendAll()
        }
      } catch {
        return fail(error)
      }
    }
    if hasMore { scheduleFlush() }
    schedule(at: running.driver.nextDeadline)
    noticeConfiguration()
    reportReplay()
    for event in running.driver.effects.takeEvents() { report(event) }
    for ticket in running.driver.takeAnswerable() { readers.remove(ticket)?(nil) }
    for completion in running.driver.takeCompletions() { finish(completion) }
    noticeApplied()
  }

  /// Has the driver do what is to be done. Returns whether there is more; nil if the replica had to stop, because the state
  /// of the machine cannot be relied on: nothing that may rest on it leaves the node.
  private func flushDriver() -> Bool? {
    guard let running else { return nil }
    let hasMore = running.driver.flush()
    guard let failure = running.driver.failure else { return hasMore }
    running.driver.disown()
    fail(failure)
    return nil
  }

  func sendAll() {
    guard let outboxes = running?.driver.effects.takeOutboxes() else { return }
    for position in outboxes.indices where outboxes[position].writer.count > 0 {
      // A frame that cannot be sent is lost, as on any network: Raft repeats, and forwards have deadlines.
      _ = transport.send(
        outboxes[position].writer.bytes, to: outboxes[position].peer, class: outboxes[position].trafficClass)
    }
    running?.driver.effects.reuse(consume outboxes)
  }

  private func finish(_ completion: Completion<Machine>) {
    switch completion {
    case .write(let ticket, let result):
      guard let waiter = writers.remove(ticket) else { return }
      unsafeDowncast(waiter, to: WriteWaiter<Machine>.self).handler(result)
    case .read(let ticket, .failure(let error)): readers.remove(ticket)?(error)
    case .read(_, .success): preconditionFailure("reads are answered here, and not by the driver")
    }
  }

  private func schedule(at deadline: Ticks) {
    let instant = deadline.rawValue.multipliedReportingOverflow(by: UInt64(options.tickMilliseconds))
    guard !instant.overflow, instant.partialValue < timerDeadline else { return }
    wake(at: instant.partialValue)
  }

  private func wake(at instant: UInt64) {
    timer?.cancel()
    timerDeadline = instant
    timer = loop.schedule(at: instant) { [weak self] in
      guard let self else { return }
      timerDeadline = .max
      if running == nil { proceedWithFounding() } else { flush() }
    }
  }

  func fail(_ error: StoreError) {
    report(.storeFailed(reason: "\(error)"))
    guard !isStopped else { return }
    sayLastWords(LastWords(isFailure: true, reason: "\(error)"))
    stop(isFailing: true) {}
  }

  // MARK: - Stopping

  /// Takes no more requests, hands leadership over if this node leads, waits a while for what is under way, and closes.
  func stopGracefully(then done: @escaping @Sendable () -> Void) {
    loop.preconditionOnLoop()
    guard !isDraining, !isStopped else { return done() }
    isDraining = true
    _ = withDriver { $0.handOver() }
    if around.isGone { _ = withDriver { $0.endAsNoMember() } }
    drain(until: loop.milliseconds + options.handoverMilliseconds, then: done)
  }

  private func drain(until deadline: UInt64, then done: @escaping @Sendable () -> Void) {
    flush()
    guard let driver = running?.driver, driver.node.isTransferring || driver.hasRequests,
      loop.milliseconds < deadline
    else {
      if !isStopped { sayLastWords(LastWords(isFailure: false, reason: "it was told to")) }
      return stop(then: done)
    }
    timer?.cancel()
    timerDeadline = 0
    timer = loop.schedule(after: UInt64(options.tickMilliseconds)) { [weak self] in
      self?.drain(until: deadline, then: done)
    }
  }

  private func stop(isFailing: Bool = false, then done: @escaping @Sendable () -> Void) {
    guard !isStopped else { return done() }
    isStopped = true
    timer?.cancel()
    joinTimer?.cancel()
    absenceTimer?.cancel()
    heldTimer?.cancel()
    departure?.timer?.cancel()
    running?.driver.endAll()
    sendAll()
    let completions = running?.driver.takeCompletions() ?? []
    // Nothing of a state that failed, or lies on a disk that did, is worth keeping: the log has it.
    let state = isFailing ? nil : running?.driver.applier.state
    running = nil
    first = nil
    founding = nil
    for completion in completions { finish(completion) }
    // Reads that could have been answered, had the state been sound.
    for reader in readers.removeAll() { reader(.notExecuted(.stopping)) }
    // The store is closed before anybody hears that the node has stopped, and may open it again.
    transport.stop { [report, disk] in
      disk.close(writing: state) {
        report(.stopped)
        done()
      }
    }
  }
}

// MARK: - What the sockets report

extension ReplicaHost: TransportDelegate {
  func inboundUp(_ peer: RemotePeer, class trafficClass: TrafficClass) {
    guard trafficClass == .consensus else { return }
    around.called(peer)
    noticeCaller(peer)
  }

  func linkUp(_ peer: RemotePeer, class trafficClass: TrafficClass) {
    if trafficClass == .consensus { around.up(peer) }
    if founding != nil {
      guard trafficClass == .consensus else { return }
      if let others = founding?.met(peer.identity, at: peer.address), joinTimer == nil {
        report(.foundersDiffer(address: peer.address, theirs: others, own: identity.founders))
      }
      return proceedWithFounding()
    }
    if trafficClass == .consensus { tellFounded(peer) }
    _ = withDriver { $0.linkUp(peer.node, trafficClass) }
    answerNewcomers()
    if trafficClass == .consensus { meet(peer) }
  }

  func linkDown(address: String, node: NodeID?, class trafficClass: TrafficClass, reason: String) {
    if trafficClass == .consensus { around.down(address) }
    if founding != nil, trafficClass == .consensus {
      founding?.lost(address)
      return proceedWithFounding()
    }
    if let node { _ = withDriver { $0.linkDown(node, trafficClass) } }
  }

  func inboundDown(node: NodeID, class trafficClass: TrafficClass, reason: String) {
    if trafficClass == .consensus { around.hungUp(node) }
    _ = withDriver { $0.inboundDown(node, trafficClass) }
  }

  func received(_ frame: Frame, from peer: NodeID) {
    switch frame.header.kind {
    case .founded: return receiveFounded(frame)
    case .join: return receiveJoin(frame)
    case .joinReply: return receiveJoinReply(frame)
    case .leave: return receiveLeave(frame)
    case .removed: return receiveRemoved(frame)
    case .lastWords: return receiveLastWords(frame)
    default: break
    }
    _ = withDriver { $0.receive(frame, from: peer) }
  }

  func refused(byAddress address: String, _ refusal: Refusal) {
    report(.refused(address: address, reason: refusal.message))
  }

  func refusedInbound(address: String, _ refusal: Refusal) {
    report(.refused(address: address, reason: refusal.message))
  }

  func violation(from address: String, reason: String) {
    report(.violation(from: address, reason: reason))
  }

  func acceptedClient(_ connection: StreamConnection, firstBytes: Bytes) -> (any StreamHandler)? {
    accept?(connection, firstBytes)
  }
}
