import RaftCore
import RaftServer
import RaftTransport

/// A cluster in a simulated world: the shipped driver, core and codec run on simulated time, connections and disks, and
/// one seed decides everything that happens. What the nodes do is checked at every step, and what the clients saw at
/// the end.
public final class SimulatedCluster {
  /// What a run showed.
  public struct Report: Hashable, Sendable {
    /// The seed that leads to the same run again.
    public var seed: UInt64
    /// Rules that were broken, in words; empty if all is well.
    public var violations: [String] = []
    /// Hash of everything that happened.
    public var traceHash: UInt64 = 0
    /// How many entries were committed.
    public var committed = 0
    /// How many client operations were acknowledged.
    public var acknowledged = 0
    /// How often a node became leader.
    public var elections = 0
    /// How often a node crashed.
    public var crashes = 0
  }

  struct Node {
    let id: NodeID
    let address: String
    var disk: SimulatedDisk
    var driver: Driver<AppendLog>?
    /// Unique in the simulation; a restart is another life.
    var life: UInt64 = 0
    var restartAt: UInt64?
    var pausedUntil: UInt64 = 0
    /// Error of its wall clock, in milliseconds.
    var clockError: UInt64 = 0
    var wasLeader = false
  }

  struct Client {
    var operation: (index: Int, node: Int, life: UInt64, ticket: UInt64, isRead: Bool)?
    var idleUntil: UInt64 = 0
  }

  let seed: UInt64
  let options: SimulationOptions
  var random: RandomSource
  var now: UInt64 = 0
  var nodes: [Node] = []
  var clients: [Client] = []
  var network = SimulatedNetwork()
  var links: [SimulatedNetwork.Link] = []
  var history = History()
  var checker = SafetyChecker()
  var hash = TraceHash()
  var report: Report
  private var lastNumber: UInt64 = 0
  private var lastLife: UInt64 = 0

  /// Founds a cluster in the world that belongs to `seed`.
  public init(seed: UInt64, options: SimulationOptions = SimulationOptions()) {
    precondition((1...9).contains(options.nodes), "a simulated cluster has 1 to 9 nodes")
    self.seed = seed
    self.options = options
    random = RandomSource(seed: seed)
    report = Report(seed: seed)
    var members: [Member] = []
    for position in 0..<options.nodes {
      members.append(
        Member(id: NodeID(random.next() | 1), address: "10.0.0.\(position + 1):5000", store: .durable))
    }
    guard let configuration = try? Configuration(voters: members) else {
      preconditionFailure("drawn node ids differ")
    }
    let state = RecoveredState<Bytes>.founding(configuration)
    nodes = members.map { Node(id: $0.id, address: $0.address, disk: SimulatedDisk(state)) }
    links = Array(repeating: .init(), count: options.nodes * options.nodes)
    clients = Array(repeating: Client(), count: options.clients)
    for position in nodes.indices { boot(position) }
  }

  /// Runs the hostile phase, then heals everything and demands progress.
  public func run() -> Report {
    while now < options.hostileTicks, checker.violations.isEmpty {
      strike()
      step()
    }
    heal()
    let deadline = now + options.recoveryTicks
    while now < deadline, checker.violations.isEmpty { step() }
    conclude()
    return report
  }

  // MARK: - Time

  /// Lives through one tick.
  private func step() {
    now += 1
    reconnect()
    while let time = network.nextTime, time <= now, let delivery = network.pop() { deliver(delivery) }
    for position in nodes.indices {
      if let time = nodes[position].restartAt, time <= now { boot(position) }
      completeWrites(position)
      serve(position)
    }
    for client in clients.indices { ask(client) }
    for position in nodes.indices { serve(position) }
  }

  /// The time as a node sees it.
  private func moment(_ node: Node) -> Moment {
    Moment(ticks: Ticks(now), wallMilliseconds: 1_000_000 + now * 10 + node.clockError)
  }

  /// Tells a node the time.
  private func tellTime(_ position: Int) {
    let moment = moment(nodes[position])
    nodes[position].driver?.advance(to: moment)
  }

  private func boot(_ position: Int) {
    lastLife += 1
    nodes[position].life = lastLife
    nodes[position].restartAt = nil
    nodes[position].clockError = UInt64.random(in: 0...10_000, using: &random)
    let node = nodes[position]
    do {
      nodes[position].driver = try Driver(
        id: node.id, boot: random.next(), address: node.address, machine: AppendLog(),
        recovered: node.disk.recovered(), options: driverOptions, seed: random.next(), now: moment(node))
    } catch {
      checker.report("\(node.id) cannot start from its own disk: \(error)")
    }
  }

  private var driverOptions: ReplicaOptions {
    var options = ReplicaOptions()
    options.retainedEntries = 1 << 40
    return options
  }

  /// Whether the node can act now.
  func isAwake(_ position: Int) -> Bool {
    nodes[position].driver != nil && nodes[position].pausedUntil <= now
  }

  /// Lets one node do what its inputs have made possible, and carries out its effects.
  private func serve(_ position: Int) {
    guard isAwake(position) else { return }
    tellTime(position)
    while nodes[position].driver?.flush() == true {}
    while let write = nodes[position].driver?.takeWrite() {
      let entries = nodes[position].driver?.node.entries(after: write.after, through: write.through) ?? []
      let time = now + UInt64.random(in: 0...UInt64(options.diskTicksMax), using: &random)
      nodes[position].disk.write(write, entries: Array(entries), doneAt: time)
    }
    completeWrites(position)
    for outbox in nodes[position].driver?.effects.takeOutboxes() ?? [] {
      if let target = nodes.firstIndex(where: { $0.id == outbox.peer }) {
        send(outbox.writer.bytes, from: position, to: target)
      }
    }
    for completion in nodes[position].driver?.effects.takeCompletions() ?? [] {
      finish(completion, at: position)
    }
    for event in nodes[position].driver?.effects.takeEvents() ?? [] {
      switch event {
      case .violation, .unreadableEntry: checker.report("\(nodes[position].id): \(event)")
      default: break
      }
    }
    inspect(position)
  }

  private func inspect(_ position: Int) {
    guard let node = nodes[position].driver?.node else { return }
    checker.inspect(node, life: nodes[position].life)
    if node.isLeader, !nodes[position].wasLeader { report.elections += 1 }
    nodes[position].wasLeader = node.isLeader
    for number in [now, node.term.rawValue, node.commitIndex.rawValue, node.lastEntry.index.rawValue] {
      hash.add(number)
    }
  }

  private func completeWrites(_ position: Int) {
    guard isAwake(position) else { return }
    while let time = nodes[position].disk.nextCompletion, time <= now {
      guard let proof = nodes[position].disk.complete() else { return }
      if nodes[position].driver == nil { proof.abandon() } else { nodes[position].driver?.didPersist(proof) }
    }
  }

  // MARK: - Frames

  private func send(_ bytes: Bytes, from: Int, to: Int) {
    var decoder = FrameDecoder(frameBytesMax: 64 << 20)
    decoder.append(bytes)
    let link = from * nodes.count + to
    do {
      while let frame = try decoder.next() {
        guard links[link].isUp, !network.blocked.contains(link) else { continue }
        let whole = Bytes(
          frame.buffer[(frame.bodyRange.lowerBound - FrameHeader.byteCount)..<frame.bodyRange.upperBound])
        send(frame: whole, isOrdered: frame.header.kind != .message, from: from, to: to)
      }
    } catch {
      checker.report("\(nodes[from].id) sent a frame that cannot be read: \(error)")
    }
  }

  private func send(frame: Bytes, isOrdered: Bool, from: Int, to: Int) {
    let link = from * nodes.count + to
    var time = now + 1 + UInt64.random(in: 0...UInt64(options.delayTicksMax), using: &random)
    if isOrdered {
      time = max(time, links[link].lastArrival)
      links[link].lastArrival = time
      return network.schedule(at: time, from: from, to: to, life: nodes[to].life, .frame(frame))
    }
    if now < options.hostileTicks {
      if happens(options.lossPerMille) { return }
      if happens(options.duplicatePerMille) {
        let late = now + UInt64.random(in: 0...40, using: &random)
        network.schedule(at: late, from: from, to: to, life: nodes[to].life, .frame(frame))
      }
    }
    network.schedule(at: time, from: from, to: to, life: nodes[to].life, .frame(frame))
  }

  private func deliver(_ delivery: SimulatedNetwork.Delivery) {
    let position = delivery.to
    guard nodes[position].life == delivery.life, nodes[position].driver != nil else { return }
    guard isAwake(position) else {
      return network.postpone(delivery, to: nodes[position].pausedUntil)
    }
    tellTime(position)
    let peer = nodes[delivery.from].id
    hash.add(now << 16 | UInt64(delivery.from) << 8 | UInt64(position))
    switch delivery.event {
    case .frame(let bytes):
      hash.add(bytes)
      var decoder = FrameDecoder(frameBytesMax: 64 << 20)
      decoder.append(bytes)
      if let frame = try? decoder.next() { nodes[position].driver?.receive(frame, from: peer) }
    case .linkUp(let trafficClass): nodes[position].driver?.linkUp(peer, trafficClass)
    case .linkDown(let trafficClass): nodes[position].driver?.linkDown(peer, trafficClass)
    case .inboundDown(let trafficClass): nodes[position].driver?.inboundDown(peer, trafficClass)
    }
  }

  /// Dials again where a connection is down and the other side can be reached.
  private func reconnect() {
    for from in nodes.indices where nodes[from].driver != nil {
      for to in nodes.indices where to != from && nodes[to].driver != nil {
        let link = from * nodes.count + to
        guard !links[link].isUp, !network.blocked.contains(link),
          !network.blocked.contains(to * nodes.count + from),
          happens(200)
        else { continue }
        links[link].isUp = true
        for trafficClass in TrafficClass.allCases {
          network.schedule(at: now + 1, from: to, to: from, life: nodes[from].life, .linkUp(trafficClass))
        }
      }
    }
  }

  /// Breaks the connection from one node to another, with everything on its way in it.
  func breakLink(from: Int, to: Int) {
    let link = from * nodes.count + to
    guard links[link].isUp else { return }
    links[link].isUp = false
    network.drop(from: from, to: to)
    let delay = UInt64.random(in: 0...3, using: &random)
    for trafficClass in TrafficClass.allCases {
      network.schedule(at: now + delay, from: to, to: from, life: nodes[from].life, .linkDown(trafficClass))
      network.schedule(at: now + delay, from: from, to: to, life: nodes[to].life, .inboundDown(trafficClass))
    }
  }

  func happens(_ perMille: Int) -> Bool { Int.random(in: 0..<1000, using: &random) < perMille }

  // MARK: - Clients

  private func ask(_ client: Int) {
    guard clients[client].operation == nil, clients[client].idleUntil <= now else { return }
    let position = Int.random(in: nodes.indices, using: &random)
    guard isAwake(position), var driver = nodes[position].driver else { return }
    nodes[position].driver = nil
    driver.advance(to: moment(nodes[position]))
    let deadline = Ticks(now + UInt64.random(in: 20...300, using: &random))
    let isRead = happens(400)
    let index: Int
    let ticket: UInt64
    if isRead {
      index = history.begin(.read, at: now)
      ticket = driver.submit((), deadline: deadline)
    } else {
      lastNumber += 1
      index = history.begin(.append(lastNumber), at: now)
      ticket = driver.submit(
        .command, session: .none, operation: AppendLog.Append(lastNumber).encoded(), deadline: deadline)
    }
    nodes[position].driver = driver
    clients[client].operation = (index, position, nodes[position].life, ticket, isRead)
  }

  private func finish(_ completion: Completion<AppendLog>, at position: Int) {
    let life = nodes[position].life
    let (ticket, ending): (UInt64, History.Operation.Ending) =
      switch completion {
      case .read(let ticket, .success(let length)): (ticket, .acknowledged(length))
      case .write(let ticket, .success(.outcome(let length))): (ticket, .acknowledged(length))
      case .write(let ticket, .failure(.unknown)): (ticket, .unknown)
      case .read(let ticket, .failure), .write(let ticket, .failure): (ticket, .notExecuted)
      case .write(let ticket, .success): (ticket, .unknown)
      }
    guard
      let client = clients.firstIndex(where: { client in
        client.operation.map { $0.node == position && $0.life == life && $0.ticket == ticket } ?? false
      }), let operation = clients[client].operation
    else { return checker.report("a request was answered twice, or one that nobody made") }
    history.end(operation.index, ending, at: now)
    clients[client].operation = nil
    clients[client].idleUntil = now + UInt64.random(in: 0...10, using: &random)
  }

  /// The clients of a node that died get no answer.
  func abandonClients(of position: Int) {
    for client in clients.indices {
      guard let operation = clients[client].operation, operation.node == position else { continue }
      history.end(operation.index, operation.isRead ? .notExecuted : .unknown, at: now)
      clients[client].operation = nil
    }
  }

  // MARK: - The end

  /// Judges what the clients saw, and whether the healed cluster recovered.
  private func conclude() {
    for client in clients.indices {
      if let operation = clients[client].operation { abandonClients(of: operation.node) }
    }
    let lists = nodes.map { $0.driver?.applier.machine.numbers ?? [] }
    let longest = lists.max { $0.count < $1.count } ?? []
    for (node, list) in zip(nodes, lists) {
      if list != Array(longest.prefix(list.count)) { checker.report("\(node.id) holds another list") }
      if longest.count > list.count + 200 {
        checker.report("\(node.id) did not catch up after the network was healed")
      }
      if node.driver?.applier.machine.didTimeGoBack == true {
        checker.report("\(node.id) saw time in the log go back")
      }
    }
    if !nodes.contains(where: { $0.driver?.node.isLeader == true }) {
      checker.report("no leader \(options.recoveryTicks) ticks after the network was healed")
    }
    for violation in history.violations(finalList: longest) { checker.report(violation) }
    let lateAnswers = history.operations.contains { operation in
      guard case .acknowledged = operation.ending else { return false }
      return operation.start + options.recoveryTicks / 2 > now
    }
    if !lateAnswers { checker.report("no answers although the network was healed") }
    report.violations = checker.violations
    report.traceHash = hash.value
    report.committed = checker.committedCount
    report.acknowledged = history.acknowledged
    for position in nodes.indices { nodes[position].disk.crash(survivors: 0) }
  }
}
