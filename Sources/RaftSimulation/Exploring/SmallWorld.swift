import RaftCore

/// A cluster of a few bare cores, as one value: copying it is how an ``Explorer`` goes more than one way.
///
/// There is no clock in it: timeouts fire when a step says so. A node's writes are made durable by a step of their own,
/// so that a crash can come before it; what was not made durable is then lost.
struct SmallWorld {
  /// A message on its way, with the entries that it names.
  struct Packet {
    var message: Message
    var entries: [Entry<UInt8>]
  }

  /// What can happen next.
  enum Step: Hashable {
    case deliver(Int)
    case lose(Int)
    case double(Int)
    case timeOut(Int)
    case sync(Int)
    case crash(Int)
    case propose(Int)
    case read(Int)
    case change(Int)
  }

  /// What a restart finds.
  struct Disk {
    var hardState: HardState
    var entries: [Entry<UInt8>]
  }

  /// What may still happen how often.
  struct Budget: Hashable {
    var timeouts: Int
    var proposals: Int
    var crashes: Int
    var losses: Int
    var doubles: Int
    var reads: Int
    var changes: Int
  }

  private(set) var nodes: [RaftNode<UInt8>] = []
  private(set) var packets: [Packet] = []
  private(set) var budget: Budget
  private var disks: [Disk] = []
  private var outputs = Outputs()
  private var clock = Ticks.zero
  private let plan: ExplorationPlan

  // What an observer remembers: facts about the past that later states are judged by.
  /// Who was seen leading each term.
  private var leaders: [(term: Term, node: NodeID)] = []
  /// The first entry seen committed at each index.
  private(set) var committed: [Entry<UInt8>] = []
  /// Reads that were asked for, with what was committed then.
  private var reads: [(id: ReadID, committed: LogIndex)] = []
  /// Rules that were broken.
  private(set) var violation: String?

  init(_ plan: ExplorationPlan) throws {
    self.plan = plan
    budget = plan.budget
    let state = RecoveredState<UInt8>.founding(try plan.configuration())
    for id in 1...UInt64(plan.nodes) {
      nodes.append(try RaftNode(id: NodeID(id), recovered: state, options: plan.options, seed: id))
      disks.append(Disk(hardState: state.hardState, entries: state.entries))
    }
  }

  // MARK: - What can happen

  /// Everything that can happen now.
  var steps: [Step] {
    var steps: [Step] = []
    for position in packets.indices where !isRepeated(position) {
      steps.append(.deliver(position))
      if budget.losses > 0 { steps.append(.lose(position)) }
      if budget.doubles > 0 { steps.append(.double(position)) }
    }
    for position in nodes.indices {
      if budget.crashes > 0, nodes[position].hasUnsavedChanges { steps.append(.sync(position)) }
      if budget.crashes > 0 { steps.append(.crash(position)) }
      let isLeader = nodes[position].isLeader
      if isLeader {
        if budget.proposals > 0 { steps.append(.propose(position)) }
        if budget.changes > 0 { steps.append(.change(position)) }
        if budget.reads > 0 { steps.append(.read(position)) }
      } else if budget.timeouts > 0, nodes[position].configuration.isVoter(nodes[position].id) {
        steps.append(.timeOut(position))
      }
    }
    return steps
  }

  /// Of equal packets one is enough to choose from.
  private func isRepeated(_ position: Int) -> Bool {
    packets[..<position].contains { $0.message == packets[position].message }
  }

  mutating func take(_ step: Step) {
    perform(step)
    // Without a crash to come, a write that is late is no other than messages that are.
    guard budget.crashes == 0 else { return }
    for position in nodes.indices where nodes[position].hasUnsavedChanges { sync(position) }
  }

  private mutating func perform(_ step: Step) {
    switch step {
    case .deliver(let position): deliver(packets.remove(at: position))
    case .lose(let position):
      budget.losses -= 1
      packets.remove(at: position)
    case .double(let position):
      budget.doubles -= 1
      deliver(packets[position])
    case .timeOut(let position):
      budget.timeouts -= 1
      timeOut(position)
    case .sync(let position): sync(position)
    case .crash(let position):
      budget.crashes -= 1
      crash(position)
    case .propose(let position):
      budget.proposals -= 1
      let payload = UInt8(budget.proposals)
      input(position) { node, outputs in _ = try? node.propose(payload, bytes: 1, into: &outputs) }
    case .read(let position):
      budget.reads -= 1
      let read = ReadID(boot: 1, number: UInt64(budget.reads) + 1)
      reads.append((read, LogIndex(UInt64(committed.count))))
      input(position) { node, outputs in node.readIndex(read, into: &outputs) }
    case .change(let position):
      budget.changes -= 1
      let change = plan.changes[budget.changes % plan.changes.count]
      input(position) { node, outputs in _ = try? node.changeConfiguration([change], into: &outputs) }
    }
  }

  private mutating func deliver(_ packet: Packet) {
    guard let position = nodes.firstIndex(where: { $0.id == packet.message.to }) else { return }
    input(position) { node, outputs in node.step(packet.message, entries: packet.entries, into: &outputs) }
  }

  /// Lets a node campaign: its followers have lost their connections to the leader, and its own time is up.
  private mutating func timeOut(_ position: Int) {
    for other in nodes.indices {
      guard let leader = nodes[other].leader, leader != nodes[other].id else { continue }
      input(other) { node, outputs in node.connectionLost(to: leader, into: &outputs) }
    }
    clock = clock + Int(clamping: nodes[position].ticksUntilNextDeadline)
    let now = clock
    input(position) { node, outputs in node.advance(to: now, into: &outputs) }
    // Nothing is promised by a pre-vote, so it matters only whether the campaign that follows begins.
    while let asked = packets.firstIndex(where: { $0.message.isAboutPreVote }) {
      deliver(packets.remove(at: asked))
    }
  }

  private mutating func sync(_ position: Int) {
    guard let write = nodes[position].takeWrite() else { return }
    let entries = nodes[position].entries(after: write.after, through: write.through) ?? []
    if plan.fault != .lostVotes { disks[position].hardState = write.hardState }
    disks[position].hardState.term = write.hardState.term
    if plan.fault != .lostEntries {
      disks[position].entries.removeLast(
        disks[position].entries.count - min(disks[position].entries.count, Int(write.after.rawValue)))
      disks[position].entries += entries
    }
    input(position, write.assumeDurable())
  }

  private mutating func crash(_ position: Int) {
    let disk = disks[position]
    let state = RecoveredState<UInt8>(
      hardState: disk.hardState, base: .zero, baseConfiguration: nil, entries: disk.entries,
      commitIndex: LogIndex(1), appliedIndex: .zero)
    let id = nodes[position].id
    do {
      nodes[position] = try RaftNode(
        id: id, recovered: state, options: plan.options, seed: id.rawValue, now: clock)
    } catch {
      violation = "\(id) cannot start again: \(error)"
    }
  }

  // MARK: - Effects

  private mutating func input(_ position: Int, _ body: (inout RaftNode<UInt8>, inout Outputs) -> Void) {
    body(&nodes[position], &outputs)
    collect(position)
  }

  private mutating func input(_ position: Int, _ proof: consuming DurableWrite) {
    nodes[position].didPersist(proof, into: &outputs)
    collect(position)
  }

  private mutating func collect(_ position: Int) {
    for message in outputs.messages {
      packets.append(
        Packet(message: message, entries: nodes[position].entries(for: message).map(Array.init) ?? []))
    }
    for outcome in outputs.reads { judge(outcome) }
    outputs.removeAll()
    while let range = nodes[position].takeCommitted(bytesMax: 1 << 20) {
      nodes[position].didApply(through: range.through)
    }
    observe(nodes[position])
  }

  private mutating func judge(_ outcome: ReadOutcome) {
    guard let index = outcome.readIndex, let read = reads.first(where: { $0.id == outcome.id }) else {
      return
    }
    if index < read.committed {
      violation = "stale read: it was answered as of \(index), after \(read.committed) had been committed"
    }
  }

  /// Election safety, leader completeness, state-machine safety (thesis fig. 3.2).
  private mutating func observe(_ node: RaftNode<UInt8>) {
    if node.isLeader {
      if let known = leaders.first(where: { $0.term == node.term }) {
        if known.node != node.id {
          violation = "election safety: \(known.node) and \(node.id) lead term \(node.term)"
        }
      } else {
        leaders.append((node.term, node.id))
        for entry in committed where entry.id.term < node.term {
          let held = node.entries(after: entry.id.index.previous, through: entry.id.index)?.first
          if held?.id != entry.id {
            violation = "leader completeness: \(node.id) leads term \(node.term) without \(entry.id)"
          }
        }
      }
    }
    for entry in node.entries(after: .zero, through: node.commitIndex) ?? [] {
      let place = Int(entry.id.index.rawValue) - 1
      if place == committed.count {
        committed.append(entry)
      } else if place < committed.count, committed[place] != entry {
        violation = "state-machine safety: \(node.id) commits \(entry.id), another \(committed[place].id)"
      }
    }
  }

  // MARK: - Telling states apart

  /// A hash over everything that decides what can happen next, and how it is judged.
  var fingerprint: UInt64 {
    var hash = StateHash()
    for node in nodes { node.addProtocolState { hash.add($0) } }
    for disk in disks {
      hash.add(disk.hardState.term.rawValue)
      hash.add(disk.hardState.votedFor?.rawValue ?? 0)
      for entry in disk.entries { Self.add(entry, to: &hash) }
      hash.add(.max)
    }
    // Packets have no order.
    var sum: UInt64 = 0
    for packet in packets {
      var own = StateHash()
      packet.message.addState { own.add($0) }
      for entry in packet.entries { Self.add(entry, to: &own) }
      sum &+= own.value
    }
    hash.add(sum)
    for entry in committed { Self.add(entry, to: &hash) }
    for leader in leaders {
      hash.add(leader.term.rawValue)
      hash.add(leader.node.rawValue)
    }
    for read in reads { hash.add(read.committed.rawValue) }
    for count in [
      budget.timeouts, budget.proposals, budget.crashes, budget.losses, budget.doubles, budget.reads,
      budget.changes,
    ] { hash.add(UInt64(count)) }
    return hash.value
  }

  private static func add(_ entry: Entry<UInt8>, to hash: inout StateHash) {
    hash.add(entry.id.term.rawValue)
    switch entry.content {
    case .empty: hash.add(1)
    case .configuration(let configuration):
      hash.add(2)
      for voter in configuration.voters { hash.add(voter.rawValue) }
    case .payload(let payload): hash.add(3 + UInt64(payload))
    }
  }
}

/// A quick 64-bit hash, the same in every process.
struct StateHash {
  private(set) var value: UInt64 = 0x9E37_79B9_7F4A_7C15

  mutating func add(_ number: UInt64) {
    value = (value ^ number) &* 0xBF58_476D_1CE4_E5B9
    value ^= value >> 29
    value = value &* 0x94D0_49BB_1331_11EB
    value ^= value >> 32
  }
}
