import RaftCore
import RaftServer
import RaftStore
import RaftTransport

/// A cluster in a simulated world: the shipped core, driver, applier, sessions, forwarding, codec and store run on
/// simulated time, connections and disks, and one seed decides everything that happens. What the nodes do is checked at
/// every step, and what the clients saw as they see it.
final class SimulatedWorld<Machine: StateMachine> where Machine.Answer: Equatable {
  let plan: SimulationPlan
  let options: ReplicaOptions
  let blank: Applier<Machine>
  let nextOperation: (Int, inout RandomSource) -> SimulatedOperation<Machine>

  // One thread uses a world, through this one reference. Checking at run time that nothing is changed while it is being
  // changed takes a tenth of the time, and is left out for what is used at every step.

  // Each concern draws from a source of its own, so that leaving out one thing changes the others as little as possible.
  var finaleRandom: RandomSource
  @exclusivity(unchecked) var networkRandom: RandomSource
  @exclusivity(unchecked) var diskRandom: RandomSource
  @exclusivity(unchecked) var clientRandom: RandomSource
  var nodeRandom: RandomSource

  @exclusivity(unchecked) var now: UInt64 = 0
  @exclusivity(unchecked) var wheel = EventWheel<SimulatedEvent>()
  @exclusivity(unchecked) var nodes: [SimulatedNode<Machine>] = []
  @exclusivity(unchecked) var network: SimulatedNetwork
  @exclusivity(unchecked) var clients: [SimulatedClient<Machine>] = []
  @exclusivity(unchecked) var operations: [RecordedOperation<Machine>] = []
  let schedule: [ScheduledFault]
  var nextFault = 0
  /// What is lain in wait for.
  @exclusivity(unchecked) var ambushes: [Ambush] = []
  /// How many times an ambush has parted the nodes: the last cut mends by itself.
  var cuts = 0
  /// Messages that were sent lately, in a ring, if somebody may lie in wait.
  @exclusivity(unchecked) var lately: [(frame: Frame, from: Int, to: Int)] = []
  var latelyNext = 0
  let keepsMessages: Bool
  /// Incarnations that are gone for good.
  var deadIncarnations: [NodeID] = []
  /// When the last one of them went.
  var lastReplacement: UInt64 = 0
  /// A host that is to leave when another one, which has joined for it, can vote.
  var replacement: (leaving: Int, coming: Int)?
  /// Changes of members that were begun, by node, life and ticket.
  var changeTickets: [(Int, UInt64, UInt64)] = []
  /// Whether the leader may be asked to answer under leases; their safety needs clocks that do not leap.
  let allowsLeases: Bool
  /// Hosts that the clients ask.
  var reachable: [Int] = []
  var isFinale = false
  /// Until when clients begin new operations at the end of the run.
  var servesUntil: UInt64 = 0

  @exclusivity(unchecked) var safety = SafetyChecker()
  @exclusivity(unchecked) var reference: ReferenceChecker<Machine>
  @exclusivity(unchecked) var coverage = Coverage()
  @exclusivity(unchecked) var hash = TraceHash()
  @exclusivity(unchecked) var recorder: Recorder
  var lastLife: UInt64 = 0
  var lastMessage: UInt64 = 0

  init(
    machine: Machine, plan: SimulationPlan,
    next: @escaping (Int, inout RandomSource) -> SimulatedOperation<Machine>,
    sessionless: (Int) -> Bool = { _ in false }, eventsKept: Int = 0
  ) {
    precondition((1...9).contains(plan.nodes), "a simulated cluster has 1 to 9 nodes")
    self.plan = plan
    nextOperation = next
    var random = RandomSource(seed: plan.seed)
    let faultSeed = random.next()
    finaleRandom = RandomSource(seed: random.next())
    networkRandom = RandomSource(seed: random.next())
    diskRandom = RandomSource(seed: random.next())
    clientRandom = RandomSource(seed: random.next())
    nodeRandom = RandomSource(seed: random.next())
    schedule = plan.schedule ?? plan.profile.schedule(ticks: plan.ticks, seed: faultSeed)
    allowsLeases = Bool.random(using: &random)
    options = Self.drawOptions(&random, electionTicks: plan.profile.electionTicks)
    blank = Applier(machine, options: options)
    reference = ReferenceChecker(blank)
    network = SimulatedNetwork(count: plan.nodes, profile: plan.profile)
    keepsMessages = plan.profile[.ambush] > 0
    recorder = Recorder(
      keeping: eventsKept, nodes: (1...plan.nodes).map { "10.0.0.\($0)" },
      clients: (0..<plan.clients).map { "client \($0 + 1)" })
    found()
    for client in 0..<plan.clients {
      clients.append(SimulatedClient(usesSession: !sessionless(client)))
      wheel.schedule(.client(client), at: UInt64(client) + 1)
    }
  }

  /// Small limits, so that what they limit happens often; each run has others.
  private static func drawOptions(
    _ random: inout RandomSource, electionTicks: ClosedRange<Int>?
  ) -> ReplicaOptions {
    var options = ReplicaOptions()
    options.retainedEntries = Int.random(in: 0...30, using: &random)
    options.logEntriesMax = Int.random(in: 20...200, using: &random)
    options.snapshotEntries = Int.random(in: 10...120, using: &random)
    options.sessionsMax = Int.random(in: 2...12, using: &random)
    options.sessionOutcomesMax = 4
    options.applyBytesMax = Bool.random(using: &random) ? 64 : 1 << 20
    options.raft.snapshotChunkBytes = Int.random(in: 40...400, using: &random)
    options.raft.snapshotRetryTicks = Int.random(in: 10...50, using: &random)
    options.raft.messageEntriesMax = Bool.random(using: &random) ? 2 : 64
    options.raft.inflightMessagesMax = Bool.random(using: &random) ? 2 : 64
    options.raft.writeOverdueTicks = Int.random(in: 60...300, using: &random)
    guard let electionTicks else { return options }
    options.raft.electionTimeoutTicksMin = Int.random(in: electionTicks, using: &random)
    options.raft.electionTimeoutTicksMax =
      options.raft.electionTimeoutTicksMin + Int.random(in: 2...12, using: &random)
    options.raft.heartbeatTicks = Int.random(
      in: 1...(options.raft.electionTimeoutTicksMin - 1) / 2, using: &random)
    return options
  }

  private func found() {
    let members = (1...plan.nodes).map {
      Member(id: NodeID(nodeRandom.next() | 1), address: "10.0.0.\($0):5000", store: .durable)
    }
    guard let configuration = try? Configuration(voters: members) else {
      preconditionFailure("drawn node ids differ")
    }
    // Hosts on which the state machine keeps its state, and others that start it from snapshots, understand each other.
    var stateRandom = RandomSource(seed: ~plan.seed)
    for member in members {
      let node = SimulatedNode<Machine>(
        id: member.id, address: member.address, configuration: configuration,
        keepsState: Bool.random(using: &stateRandom))
      node.tasksMax = Int.random(in: 1...3, using: &nodeRandom)
      node.offset = UInt64.random(in: 0...1000, using: &nodeRandom)
      node.rate =
        allowsLeases
        ? UInt64.random(in: 980...1020, using: &nodeRandom)
        : UInt64.random(in: 850...1150, using: &nodeRandom)
      do {
        try node.store.found(.founding(configuration))
      } catch {
        report("store", "an empty store cannot be founded: \(error)")
      }
      node.heardAt = Array(repeating: 0, count: plan.nodes)
      nodes.append(node)
    }
    reachable = Array(nodes.indices)
    for slot in nodes.indices { start(slot) }
    for from in nodes.indices {
      for to in nodes.indices where from != to { wheel.schedule(.dial(from: from, to: to), at: 1) }
    }
  }

  // MARK: - Time

  /// Whether a rule was broken: the run is over then.
  var isBroken: Bool { !safety.violations.isEmpty }

  /// Lives through one tick.
  func step() {
    now += 1
    strike()
    for event in wheel.advance() { take(event) }
    if now % 16 == 0 { operate() }
    if now % 64 == 0 {
      for node in nodes { node.process?.driver.withNode { $0.checkInvariants() } }
      inspectLeading()
    }
    for slot in nodes.indices where nodes[slot].isDirty { serve(slot) }
    if now % 2 == 0 { askDeposedLeaders() }
  }

  private func take(_ event: SimulatedEvent) {
    switch event {
    case .frame(_, _, let to, _, _, _), .late(_, _, let to, _): takeAwake(event, at: to)
    case .link(_, let slot, _, _, _), .disk(let slot, _), .wake(let slot, _): takeAwake(event, at: slot)
    case .dial(let from, let to): dial(from, to)
    case .flap(let from, let to, let left): flap(from, to, left: left)
    case .end(let slot, let life): if nodes[slot].life == life { crash(slot) }
    case .start(let slot): start(slot)
    case .client(let client): act(client)
    case .impatience(let client, let operation): repeatImpatiently(client, operation)
    case .mend(let cut): if cut == cuts { network.heal() }
    }
  }

  /// Brings an event to a process; to one that stands still, when it goes on.
  private func takeAwake(_ event: SimulatedEvent, at slot: Int) {
    let node = nodes[slot]
    guard node.pausedUntil <= now else { return node.held.append(event) }
    if !node.held.isEmpty {
      let held = node.held
      node.held = []
      for event in held { process(event) }
    }
    process(event)
  }

  private func process(_ event: SimulatedEvent) {
    switch event {
    case .frame(let frame, let from, let to, let number, let generation, let life):
      let isLost = nodes[to].life != life || network.links[network.place(from, to)].generation != generation
      guard !isLost, nodes[to].isRunning else { return recorder.note(now, from, .lost(message: number)) }
      deliver(frame, from: from, to: to, number: number)
    case .late(let frame, let from, let to, let number):
      // For another incarnation it is no message at all.
      guard nodes[to].isRunning, nodes[to].id == frame.header.target else { return }
      deliver(frame, from: from, to: to, number: number)
    case .link(let change, let slot, let peer, let trafficClass, let life):
      guard nodes[slot].life == life, nodes[slot].isRunning else { return }
      tellTime(slot)
      switch change {
      case .up: nodes[slot].process?.driver.linkUp(peer, trafficClass)
      case .down: nodes[slot].process?.driver.linkDown(peer, trafficClass)
      case .inboundDown: nodes[slot].process?.driver.inboundDown(peer, trafficClass)
      }
    case .disk(let slot, let life):
      if nodes[slot].life == life, nodes[slot].isRunning { tellTime(slot) }
    case .wake(let slot, let life):
      guard nodes[slot].life == life, nodes[slot].isRunning else { return }
      nodes[slot].wakeAt = .max
      tellTime(slot)
    default: break
    }
  }

  /// Tells a process the time, as comes before every input.
  func tellTime(_ slot: Int) {
    let node = nodes[slot]
    node.isDirty = true
    guard node.toldAt != now else { return }
    node.toldAt = now
    node.process?.driver.advance(to: node.moment(at: now))
  }

  // MARK: - A process

  /// Lets a process do what its inputs have made possible, and carries out its effects.
  func serve(_ slot: Int) {
    let node = nodes[slot]
    guard node.isRunning, node.pausedUntil <= now else { return }
    node.isDirty = false
    tellTime(slot)
    repeat {
      while node.process?.driver.flush() == true {}
      if let failure = node.process?.driver.failure {
        node.process?.driver.disown()
        return didFail(slot, failure)
      }
      noteTraces(slot)
      // Before the log may be compacted: what is committed has to be seen.
      inspect(slot)
    } while workDisk(slot)
    guard node.isRunning else { return }
    for outbox in node.process?.driver.effects.takeOutboxes() ?? [] {
      if outbox.writer.count > 0, let target = nodes.firstIndex(where: { $0.id == outbox.peer }) {
        send(outbox.writer.bytes, outbox.trafficClass, from: slot, to: target)
      }
    }
    if node.process?.driver.hasEnded == true {
      for completion in node.process?.driver.takeCompletions() ?? [] { finish(completion, at: slot) }
    }
    for event in node.process?.driver.effects.takeEvents() ?? [] { note(event, at: slot) }
    node.isDirty = false
    scheduleWake(slot)
  }

  private func scheduleWake(_ slot: Int) {
    let node = nodes[slot]
    guard let deadline = node.glance?.nextDeadline else { return }
    let tick = max(now + 1, node.now(at: deadline))
    guard tick < node.wakeAt else { return }
    node.wakeAt = tick
    wheel.schedule(.wake(slot, life: node.life), at: tick)
  }

  private func note(_ event: ReplicaEvent, at slot: Int) {
    switch event {
    case .violation, .unreadableEntry, .storeFailed: report("driver", "\(nodes[slot].address): \(event)")
    case .snapshotInstalled(let index):
      recorder.note(now, slot, .snapshot(text: "installed through \(index)"))
    case .roleChanged(let role, let term):
      recorder.note(now, slot, .role(name: role.rawValue, term: term.rawValue))
    default: break
    }
  }

  private func noteTraces(_ slot: Int) {
    for trace in nodes[slot].process?.driver.effects.takeTraces() ?? [] {
      if let point = CoveragePoint(trace) { coverage.count(point) }
      if case .appendRejected(_, let previous, _) = trace, let last = nodes[slot].glance?.lastEntry {
        coverage.count(
          previous.index > last.index
            ? .appendRejectedBehindTheLogsEnd : .appendRejectedOtherTerm)
      }
    }
  }

  private func inspect(_ slot: Int) {
    let node = nodes[slot]
    guard let now = node.process?.driver.glance() else { return }
    let before = node.glance
    node.glance = now
    node.term = now.term
    guard now != before else { return }
    if let before, now.commitIndex > before.commitIndex {
      recorder.note(self.now, slot, .committed(index: now.commitIndex.rawValue))
    }
    if now.isLeader, before?.isLeader != true || before?.term != now.term {
      node.leadsSince = self.now
      if !ambushes.isEmpty { waylay(.elected, of: slot, other: nil) }
    }
    if let before, now.appliedIndex > before.appliedIndex {
      recorder.note(self.now, slot, .applied(index: now.appliedIndex.rawValue))
    }
    let known = safety.committed.count
    node.process?.driver.withNode { safety.inspect($0, life: node.life) }
    if safety.committed.count > known { follow() }
    if now.configuration != node.configuration {
      note(now.configuration, after: node.configuration, at: slot, isLeader: now.isLeader)
      if now.configuration.isJoint, !ambushes.isEmpty { waylay(.joint, of: slot, other: nil) }
      node.configuration = now.configuration
      node.leadsSince = self.now
    }
    hash.add(self.now << 8 | UInt64(slot))
    hash.add(now.term.rawValue << 32 ^ now.commitIndex.rawValue)
    hash.add(now.lastEntry.index.rawValue)
  }

  /// The reference follows the committed log.
  private func follow() {
    var faults: [String] = []
    reference.follow(safety.committed) { faults.append($0) }
    for fault in faults { report("exactly once", fault) }
  }

  func report(_ checker: String, _ text: String) {
    safety.report(checker, text)
    recorder.note(now, 0, .violation(text: "\(checker): \(text)"))
  }
}
