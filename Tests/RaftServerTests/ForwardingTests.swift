import RaftCore
import RaftStore
import RaftTransport
import Testing

@testable import RaftServer

/// Drivers without sockets: frames wait until they are delivered by hand.
struct DriverNetwork {
  var drivers: [Driver<Register>] = []
  var now: UInt64 = 0
  var frames: [(from: Int, to: Int, frame: Frame)] = []
  var stores: [MemoryLogStore] = []
  var completions: [[Completion<Register>]] = []
  var events: [[ReplicaEvent]] = []

  init(_ count: Int, options: ReplicaOptions = ReplicaOptions()) throws {
    let members = (1...count).map {
      Member(id: NodeID(UInt64($0)), address: "127.0.0.1:\($0)", store: .memory)
    }
    let state = RecoveredState<Bytes>.founding(try Configuration(voters: members))
    for (position, member) in members.enumerated() {
      drivers.append(
        try Driver(
          id: member.id, boot: UInt64(100 + position), address: member.address,
          blank: Applier(Register(), options: options), recovered: state, options: options,
          seed: UInt64(position + 1), now: moment))
      stores.append(MemoryLogStore())
      try stores[position].found(state)
      completions.append([])
      events.append([])
    }
    for from in drivers.indices {
      for to in drivers.indices where to != from {
        for trafficClass in TrafficClass.allCases { drivers[from].linkUp(drivers[to].id, trafficClass) }
      }
    }
  }

  var moment: Moment { Moment(ticks: Ticks(now), wallMilliseconds: now * 10) }

  /// Lets one driver act, its writes being durable at once.
  mutating func serve(_ position: Int) throws {
    drivers[position].advance(to: moment)
    while drivers[position].flush() {}
    while let task = drivers[position].takeDiskTask(isDetached: false) {
      drivers[position].didComplete(try task.perform(on: &stores[position]))
      while drivers[position].flush() {}
    }
    for outbox in drivers[position].effects.takeOutboxes() {
      guard let to = drivers.firstIndex(where: { $0.id == outbox.peer }) else { continue }
      var decoder = FrameDecoder(frameBytesMax: 1 << 24)
      decoder.append(outbox.writer.bytes)
      while let frame = try decoder.next() { frames.append((position, to, frame)) }
    }
    completions[position] += drivers[position].takeCompletions()
    events[position] += drivers[position].effects.takeEvents()
  }

  /// Delivers the frames that `take` chooses, until there are none; others stay where they are.
  mutating func deliver(_ take: (Int, Int, Frame) -> Bool = { _, _, _ in true }) throws {
    for position in drivers.indices { try serve(position) }
    while let next = frames.firstIndex(where: { take($0.from, $0.to, $0.frame) }) {
      let (from, to, frame) = frames.remove(at: next)
      drivers[to].advance(to: moment)
      drivers[to].receive(frame, from: drivers[from].id)
      try serve(to)
    }
  }

  /// Lets time pass until there is a leader that all follow.
  mutating func elect() throws -> Int {
    while true {
      now += 1
      try deliver()
      if let leader = drivers.firstIndex(where: { $0.node.isLeader }),
        drivers.allSatisfy({ $0.node.leader == drivers[leader].id })
      {
        return leader
      }
    }
  }

  mutating func add(_ amount: Int, at position: Int) -> UInt64 {
    drivers[position].advance(to: moment)
    return drivers[position].submit(
      .command, session: .none, operation: Register.Add(amount).encoded(), deadline: Ticks(now + 1_000))
  }

  /// How the write with this ticket ended, in words; nil if it has not.
  func ending(_ ticket: UInt64, at position: Int) -> String? {
    for case .write(ticket, let result) in completions[position] {
      switch result {
      case .success(.outcome(let value)): return "\(value)"
      case .success: return "session"
      case .failure(let error): return "\(error)"
      }
    }
    return nil
  }
}

@Suite("Forwarding writes to the leader")
struct ForwardingTests {
  @Test("the deadline of forwards to a former leader, which have all ended, ends none to the next one")
  func deadlineOfFormerForwards() throws {
    var network = try DriverNetwork(3)
    let leader = try network.elect()
    let follower = (leader + 1) % 3
    // What is left when the last of them has ended in this turn of the loop, before the time is told again.
    network.drivers[follower].core.forwardsExpire = network.moment.ticks + 2
    let ticket = network.drivers[follower].submit(
      .command, session: .none, operation: Register.Add(5).encoded(), deadline: Ticks(network.now + 1_000))
    network.now += 3
    network.drivers[follower].advance(to: network.moment)
    try network.serve(follower)
    #expect(network.ending(ticket, at: follower) == nil)
    try network.deliver()
    #expect(network.ending(ticket, at: follower) == "5")
  }

  @Test("a write through a follower runs once and is answered there")
  func forwards() throws {
    var network = try DriverNetwork(3)
    let leader = try network.elect()
    let follower = (leader + 1) % 3
    let ticket = network.add(5, at: follower)
    try network.deliver()
    #expect(network.ending(ticket, at: follower) == "5")
    #expect(network.drivers[leader].applier.machine.value == 5)
  }

  @Test("a forward that names another term is refused before it is proposed")
  func otherTerm() throws {
    var network = try DriverNetwork(3)
    let leader = try network.elect()
    let follower = (leader + 1) % 3
    let last = network.drivers[leader].node.lastEntry
    let forward = Forward(
      number: 77, term: network.drivers[leader].node.term.next, kind: .command, session: .none,
      operation: Register.Add(5).encoded())
    network.drivers[leader].core.receive(forward, from: network.drivers[follower].id, boot: 100)
    try network.serve(leader)
    #expect(network.drivers[leader].node.lastEntry == last)
    let reply = try #require(network.frames.last { $0.frame.header.kind == .forwardReply })
    #expect(try ForwardReply(decoding: reply.frame.body).result == .refused)
  }

  @Test("a forward whose connection breaks is unknown, and is not sent again")
  func brokenConnection() throws {
    var network = try DriverNetwork(3)
    let leader = try network.elect()
    let follower = (leader + 1) % 3
    let ticket = network.add(5, at: follower)
    try network.deliver { _, _, frame in frame.header.kind != .forward }
    let leaderID = network.drivers[leader].id
    network.drivers[follower].linkDown(leaderID, .bulk)
    network.drivers[follower].linkUp(leaderID, .bulk)
    try network.deliver { _, _, frame in frame.header.kind != .forward }
    #expect(network.ending(ticket, at: follower)?.hasPrefix("outcome unknown") == true)
    #expect(network.frames.filter { $0.frame.header.kind == .forward }.count == 1)
  }

  @Test("the answer to a forward waits for the leader's own connection to whoever has asked")
  func answerWithoutConnection() throws {
    var network = try DriverNetwork(3)
    let leader = try network.elect()
    let follower = (leader + 1) % 3
    let followerID = network.drivers[follower].id
    // The follower is back, and has dialed; the leader has not dialed it yet.
    network.drivers[leader].linkDown(followerID, .bulk)
    let ticket = network.add(5, at: follower)
    try network.deliver()
    #expect(network.drivers[leader].applier.machine.value == 5)
    #expect(network.ending(ticket, at: follower) == nil)
    network.now += 60
    try network.deliver()
    network.drivers[leader].advance(to: network.moment)
    network.drivers[leader].linkUp(followerID, .bulk)
    try network.deliver()
    #expect(network.ending(ticket, at: follower) == "5")
  }

  @Test("a forward to a leader that hangs is unknown soon after another leads, though its connection stands")
  func hangingLeader() throws {
    var network = try DriverNetwork(3)
    let leader = try network.elect()
    let others = network.drivers.indices.filter { $0 != leader }
    let ticket = network.add(5, at: others[0])
    try network.deliver { _, _, frame in frame.header.kind == .forward }
    func run(ticks: Int) throws {
      for _ in 0..<ticks {
        network.now += 1
        network.frames.removeAll { $0.from == leader || $0.to == leader }
        try network.deliver { from, to, _ in from != leader && to != leader }
      }
    }
    while !others.contains(where: { network.drivers[$0].node.isLeader }) {
      #expect(network.ending(ticket, at: others[0]) == nil)
      try run(ticks: 1)
    }
    try run(ticks: 30)
    #expect(network.ending(ticket, at: others[0])?.hasPrefix("outcome unknown") == true)
  }

  @Test(
    "a node that is no member any more gives reads up at once, and waits for what the leader has of its writes"
  )
  func noMember() throws {
    var network = try DriverNetwork(3)
    let leader = try network.elect()
    let follower = (leader + 1) % 3
    let write = network.add(5, at: follower)
    let read = network.drivers[follower].submit((), deadline: Ticks(network.now + 1_000))
    try network.deliver { from, to, _ in from == follower && to == leader }
    network.drivers[follower].endAsNoMember()
    try network.serve(follower)
    let ended = network.completions[follower].compactMap { completion in
      if case .read(read, .failure(let error)) = completion { "\(error)" } else { nil }
    }
    #expect(ended.count == 1 && ended[0].hasPrefix("not executed"), "\(ended)")
    #expect(network.ending(write, at: follower) == nil)
    try network.deliver()
    #expect(network.ending(write, at: follower) == "5")
    #expect(!network.drivers[follower].hasRequests)
  }

  @Test("an answer meant for an earlier boot of the asking node is not taken for a new request's")
  func otherBoot() throws {
    var network = try DriverNetwork(3)
    let leader = try network.elect()
    let follower = (leader + 1) % 3
    let ticket = network.add(5, at: follower)
    try network.deliver { _, _, frame in frame.header.kind != .forward }
    let stray = ForwardReply(number: ticket, boot: 1, result: .outcome, outcome: 42.encoded())
    network.drivers[follower].core.receive(stray, from: network.drivers[leader].id)
    try network.serve(follower)
    #expect(network.ending(ticket, at: follower) == nil)
  }

  @Test("refused writes go to the next leader in the order in which they came")
  func orderIsKept() throws {
    var network = try DriverNetwork(3)
    let leader = try network.elect()
    let follower = (leader + 1) % 3
    let tickets = (1...5).map { network.add($0, at: follower) }
    // The forwards wait while leadership moves on, so that the old leader refuses every one of them.
    try network.deliver { _, _, frame in frame.header.kind != .forward }
    let hasTarget = network.drivers[leader].handOver()
    #expect(hasTarget)
    try network.deliver { _, _, frame in frame.header.kind != .forward }
    let next = try #require(
      network.drivers.indices.first { $0 != leader && network.drivers[$0].node.isLeader })
    #expect(next != leader)
    let late = network.add(6, at: follower)
    try network.deliver()
    #expect(tickets.map { network.ending($0, at: follower) } == ["1", "3", "6", "10", "15"])
    #expect(network.ending(late, at: follower) == "21")
  }

  @Test("a write overwritten by another leader is said not to have run, only when that is certain")
  func overwritten() throws {
    var network = try DriverNetwork(3)
    let leader = try network.elect()
    let others = network.drivers.indices.filter { $0 != leader }
    let ticket = network.add(5, at: leader)
    try network.serve(leader)
    network.frames.removeAll()
    // The others elect a leader of their own; the old one hears nothing of it.
    while !others.contains(where: { network.drivers[$0].node.isLeader }) {
      network.now += 1
      try network.deliver { from, to, _ in from != leader && to != leader }
      network.frames.removeAll()
    }
    #expect(network.ending(ticket, at: leader) == nil)
    for _ in 0..<200 {
      network.now += 1
      try network.deliver()
    }
    #expect(network.ending(ticket, at: leader)?.hasPrefix("not executed") == true)
    #expect(network.drivers.allSatisfy { $0.applier.machine.value == 0 })
  }
}

@Suite("Compacting the log")
struct CompactionTests {
  @Test(
    "what a member lacks is kept, up to a limit of bytes; beyond it the member is caught up by a snapshot")
  func keepsWhatMembersLack() throws {
    var options = ReplicaOptions()
    options.retainedEntries = 4
    options.logBytesMax = 2_000
    var network = try DriverNetwork(3, options: options)
    let leader = try network.elect()
    let absent = (leader + 1) % 3
    func write(_ count: Int) throws {
      for _ in 0..<count {
        _ = network.add(1, at: leader)
        try network.deliver { from, to, _ in from != absent && to != absent }
        network.frames.removeAll()
        network.now += 1
      }
    }
    try write(20)
    #expect(network.drivers[leader].node.baseIndex == .zero)
    try write(200)
    #expect(network.drivers[leader].node.baseIndex > LogIndex(100))
    #expect(network.drivers[leader].node.isLeader)
    for _ in 0..<200 {
      network.now += 1
      try network.deliver()
    }
    let hasInstalled = network.events[absent].contains { event in
      if case .snapshotInstalled = event { true } else { false }
    }
    #expect(hasInstalled)
    #expect(network.drivers[absent].applier.machine.value == 220)
  }
}
