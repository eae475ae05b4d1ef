import RaftCore

/// A cluster to which everything happens at random, and which an oracle watches. A seed decides all of it.
struct RandomRun {
  let seed: UInt64
  private var random: RandomSource
  private(set) var network: Network
  private(set) var oracle: RunOracle
  /// Messages under way.
  private var air: [Network.Packet] = []
  private var numbers: UInt64 = 0
  private var steps = 0
  /// Nodes that are not heard, and that do not hear.
  private var mute: [Bool]
  private var deaf: [Bool]
  /// In percent, and how many of the oldest messages compete to be delivered next.
  private let loss: Int
  private let doubling: Int
  private let disorder: Int
  /// Whether all clocks run alike, as leases demand; nodes are then only late in looking at theirs.
  private let isEven: Bool
  private var everyone: [Member] = []

  static var options: RaftOptions {
    var options = RaftOptions()
    options.heartbeatTicks = 2
    options.electionTimeoutTicksMin = 6
    options.electionTimeoutTicksMax = 11
    options.leaderLostStaggerTicks = 2
    options.messageBytesMax = 20
    options.messageEntriesMax = 3
    options.inflightMessagesMax = 4
    options.inflightBytesMax = 64
    options.snapshotChunkBytes = 40
    options.snapshotRetryTicks = 6
    options.writeOverdueTicks = 20
    return options
  }

  init(seed: UInt64) throws {
    self.seed = seed
    random = RandomSource(seed: seed)
    let count = Int.random(in: 3...7, using: &random)
    network = try Network(count, options: Self.options)
    oracle = RunOracle(nodes: count)
    mute = Array(repeating: false, count: count)
    deaf = mute
    loss = [0, 3, 15][Int.random(in: 0...2, using: &random)]
    doubling = [0, 3, 15][Int.random(in: 0...2, using: &random)]
    disorder = [1, 4, 1_000][Int.random(in: 0...2, using: &random)]
    isEven = seed % 3 == 0
    everyone = network.nodes[0].configuration.members
    network.elect(anyone())
    for position in network.nodes.indices { settle(position) }
  }

  private mutating func pick(_ range: ClosedRange<Int>) -> Int { .random(in: range, using: &random) }

  private mutating func isLucky(_ percent: Int) -> Bool { pick(0...99) < percent }

  private mutating func anyone() -> Int { pick(0...(network.nodes.count - 1)) }

  private var leaders: [Int] { network.nodes.indices.filter { isUp($0) && network.nodes[$0].isLeader } }

  private func isUp(_ position: Int) -> Bool { !network.down.contains(position) }

  /// What is wrong, in words that lead back to it.
  var problem: String? {
    oracle.problems.first.map { "seed \(seed), step \(steps), \(network.nodes.count) nodes: \($0)" }
  }

  // MARK: - Steps

  mutating func run(steps count: Int) throws {
    for _ in 0..<count where oracle.problems.isEmpty {
      steps += 1
      passTime()
      if isLucky(40) { try act() }
      for _ in 0..<(pick(0...2) + air.count / 4) { deliverOne() }
    }
    oracle.expectMatchingLogs(network)
  }

  private mutating func input(
    _ position: Int, _ body: (inout RaftNode<String>, inout Outputs) -> Void = { _, _ in }
  ) {
    guard isUp(position) else { return }
    network.input(position, body)
    settle(position)
  }

  /// Lets the oracle look at a node after something has happened to it, and takes what it sends.
  private mutating func settle(_ position: Int) {
    oracle.observe(position, of: network)
    network.events[position].removeAll()
    network.reads[position].removeAll()
    air += network.packets
    network.packets.removeAll()
    if air.count > 150 { air.removeFirst(air.count - 150) }
  }

  private mutating func passTime() {
    let jump = isLucky(2) ? pick(5...25) : 1
    if isEven {
      guard isLucky(50) else { return }
      for position in network.clocks.indices { network.clocks[position] = network.clocks[position] + jump }
      for _ in 0..<pick(1...3) { input(anyone()) }
    } else {
      for _ in 0..<pick(1...3) {
        let position = anyone()
        network.clocks[position] = network.clocks[position] + jump
        input(position)
      }
    }
  }

  private mutating func deliverOne() {
    guard !air.isEmpty else { return }
    let place = pick(0...min(disorder, air.count) - 1)
    let packet = isLucky(doubling) ? air[place] : air.remove(at: place)
    guard !isLucky(loss) else { return }
    guard let to = network.nodes.firstIndex(where: { $0.id == packet.message.to }),
      let from = network.nodes.firstIndex(where: { $0.id == packet.message.from }), isUp(to), !deaf[to],
      !mute[from]
    else { return }
    network.deliver(packet)
    settle(to)
  }

  // MARK: - What happens

  private mutating func act() throws {
    let position = anyone()
    switch pick(0...59) {
    case 0...19: propose()
    case 20...29: read(at: position)
    case 30...33: stallOrGoOn(position)
    case 34, 35: handOver()
    case 36, 37: loseConnections()
    case 38: mute[position] = true
    case 39: deaf[position] = true
    case 40, 41: isolateLeader()
    case 42...44: calmDown()
    case 45: try crashOrRestart(position)
    case 46: for down in network.nodes.indices where !isUp(down) { try crashOrRestart(down) }
    case 47, 48: takeSnapshot(position, compacting: isLucky(80))
    case 49...57: changeMembers()
    default: if isEven { change([.useLeaseReads(isLucky(80))]) }
    }
  }

  private mutating func calmDown() {
    mute = mute.map { _ in false }
    deaf = mute
    for position in network.nodes.indices where network.stalled.contains(position) { goOn(position) }
  }

  private mutating func isolateLeader() {
    guard let leader = leaders.randomElement(using: &random) else { return }
    mute[leader] = true
    if isLucky(70) { deaf[leader] = true }
  }

  private mutating func loseConnections() {
    for position in network.nodes.indices where isLucky(70) {
      guard let leader = network.nodes[position].leader else { continue }
      input(position) { node, outputs in node.connectionLost(to: leader, into: &outputs) }
    }
  }

  private mutating func propose() {
    guard let leader = leaders.randomElement(using: &random) else { return }
    for _ in 0..<pick(1...3) {
      numbers += 1
      let payload = "p\(numbers)"
      var entry: EntryID?
      let bytes = UInt32(pick(0...15))
      network.input(leader) { node, outputs in
        entry = try? node.propose(payload, bytes: bytes, into: &outputs)
      }
      if let entry { oracle.didPropose(payload, as: entry) }
      settle(leader)
    }
  }

  private mutating func read(at position: Int) {
    guard isUp(position) else { return }
    numbers += 1
    let read = ReadID(boot: 1, number: numbers)
    oracle.willRead(read)
    input(position) { node, outputs in node.readIndex(read, into: &outputs) }
  }

  private mutating func stallOrGoOn(_ position: Int) {
    guard isUp(position) else { return }
    if !network.stalled.contains(position) {
      network.stalled.insert(position)
    } else if isLucky(50) {
      network.completeWrites(position, count: 1)
      settle(position)
    } else {
      goOn(position)
    }
  }

  private mutating func goOn(_ position: Int) {
    network.stalled.remove(position)
    network.completeWrites(position)
    settle(position)
  }

  private mutating func handOver() {
    guard let leader = leaders.randomElement(using: &random) else { return }
    let target = network.nodes[anyone()].id
    let isGivingUp = isLucky(25)
    input(leader) { node, outputs in
      if isGivingUp {
        node.stepDown(into: &outputs)
      } else {
        try? node.transferLeadership(to: target, into: &outputs)
      }
    }
  }

  private mutating func crashOrRestart(_ position: Int) throws {
    if isUp(position) {
      network.crash(position)
    } else {
      oracle.didRestart(position)
      try network.restart(position)
      settle(position)
    }
  }

  private mutating func takeSnapshot(_ position: Int, compacting: Bool) {
    guard isUp(position) else { return }
    network.snapshot(position, bytes: UInt64(pick(0...120)), compacting: compacting)
    settle(position)
  }

  private mutating func changeMembers() {
    guard let leader = leaders.randomElement(using: &random) else { return }
    let configuration = network.nodes[leader].configuration
    var changes: [ConfigurationChange] = []
    for _ in 0..<pick(1...3) {
      let member = everyone[pick(0...(everyone.count - 1))]
      if configuration.voters.contains(member.id) {
        changes.append(isLucky(50) ? .demote(member.id) : .remove(member.id))
      } else if configuration.learners.contains(member.id) {
        changes.append(isLucky(80) ? .promote(member.id) : .remove(member.id))
      } else {
        changes.append(.addLearner(member))
      }
    }
    change(changes)
  }

  /// Many changes do not fit what is there, and are refused.
  private mutating func change(_ changes: [ConfigurationChange]) {
    guard let leader = leaders.randomElement(using: &random) else { return }
    input(leader) { node, outputs in _ = try? node.changeConfiguration(changes, into: &outputs) }
  }

  // MARK: - In the end

  /// Everything works again. Returns whether a leader commits something new, everywhere, before `ticks` are over.
  mutating func heal(ticks: Int) throws -> Bool {
    calmDown()
    let latest = network.clocks.max() ?? .zero
    for position in network.nodes.indices {
      network.clocks[position] = latest
      if !isUp(position) { try crashOrRestart(position) }
    }
    var target: EntryID?
    for _ in 0..<ticks where oracle.problems.isEmpty {
      for position in network.nodes.indices {
        network.clocks[position] = network.clocks[position] + 1
        input(position)
        if network.nodes[position].wantsSnapshot { takeSnapshot(position, compacting: false) }
      }
      let underWay = air
      air = []
      for packet in underWay {
        network.deliver(packet)
        if let to = network.nodes.firstIndex(where: { $0.id == packet.message.to }) { settle(to) }
      }
      guard let leader = leaders.first(where: { !network.nodes[$0].isTransferring }) else { continue }
      // What a leader appended that was deposed at once may be lost.
      if let target, network.nodes[leader].term(at: target.index) == target.term {
        let voters = network.nodes.filter { network.nodes[leader].configuration.voters.contains($0.id) }
        if voters.allSatisfy({ $0.appliedIndex >= target.index }) { return true }
      } else {
        let before = network.nodes[leader].lastEntry
        propose()
        let after = network.nodes[leader].lastEntry
        target = after == before ? nil : after
      }
    }
    return false
  }
}
