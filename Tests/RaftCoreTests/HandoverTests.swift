import RaftCore
import Testing

@Suite("Thesis §3.10: handing leadership over, and giving it up")
struct HandoverTests {
  private func hands(_ network: inout Network, to target: UInt64) -> TransferError? {
    var failure: TransferError?
    network.input(0) { node, outputs in
      do throws(TransferError) {
        try node.transferLeadership(to: NodeID(target), into: &outputs)
      } catch { failure = error }
    }
    return failure
  }

  @Test(
    "the target is brought up to date first, and elected in spite of stickiness, without a pre-vote (scenario 30)"
  )
  func transfer() throws {
    var network = try Network(3)
    network.elect(0)
    try network.propose("a", at: 0)
    network.deliver { $0.to != NodeID(2) }
    #expect(hands(&network, to: 2) == nil)
    #expect(throws: ProposeError.transferring) { try network.propose("b", at: 0) }
    network.run(ticks: 20)
    #expect(network.nodes[1].isLeader)
    #expect(network.log(1).contains("a"))
    #expect(!network.events[1].contains(.becamePreCandidate(term: Term(2))))
  }

  @Test("a handover that nobody takes up ends by its deadline, and proposals are taken again")
  func deadline() throws {
    var network = try Network(3)
    network.elect(0)
    #expect(hands(&network, to: 2) == nil)
    #expect(hands(&network, to: 3) == .alreadyTransferring)
    network.run(ticks: 31) { $0.from != NodeID(2) && $0.to != NodeID(2) }
    #expect(network.nodes[0].isLeader)
    try network.propose("a", at: 0)
    #expect(network.events[0].contains(.transferAborted(to: NodeID(2))))
    #expect(hands(&network, to: 1) == .notAVoter)
    #expect(hands(&network, to: 9) == .notAVoter)
  }

  @Test("a leader that is asked to step down hands over if it can, and gives up if it cannot")
  func stepDown() throws {
    for isAlone in [false, true] {
      var network = try Network(3)
      network.elect(0)
      if isAlone { network.run(ticks: 29) { _ in false } }
      network.input(0) { node, outputs in node.stepDown(into: &outputs) }
      if isAlone { #expect(!network.nodes[0].isLeader) }
      network.run(ticks: isAlone ? 100 : 10)
      #expect(!network.nodes[0].isLeader)
      #expect(network.nodes[1...].filter(\.isLeader).count == 1)
    }
  }

  @Test("a leader that is asked to step down, and finds nobody who takes over, gives up by the deadline")
  func stepDownDeadline() throws {
    var network = try Network(3)
    network.elect(0)
    network.input(0) { node, outputs in node.stepDown(into: &outputs) }
    network.run(ticks: 31) { $0.body != .timeoutNow }
    #expect(!network.nodes[0].isLeader)
    #expect(network.events[0].contains(.steppedDown(term: Term(2), reason: .asked)))
    network.run(ticks: 100)
    #expect(network.nodes.filter(\.isLeader).count == 1)
    network.input(1) { node, outputs in node.stepDown(into: &outputs) }
  }

  private func prioritised(_ priorities: [UInt8]) throws -> Network {
    var network = try Network(priorities.count)
    let members = priorities.enumerated().map { position, priority in
      Member(id: NodeID(UInt64(position) + 1), address: "n", store: .durable, priority: priority)
    }
    let state = RecoveredState<String>.founding(try Configuration(voters: members))
    for (position, member) in members.enumerated() {
      network.nodes[position] = try RaftNode(id: member.id, recovered: state, seed: member.id.rawValue)
    }
    return network
  }

  @Test("leadership goes to the voter of the highest priority that is there and has caught up")
  func priority() throws {
    var network = try prioritised([0, 5, 9])
    network.elect(0)
    network.run(ticks: 200)
    #expect(network.nodes[2].isLeader)
    network.run(ticks: 400)
    #expect(network.nodes[2].isLeader, "and stays there")
  }

  @Test("when the preferred voter is gone, others are elected as if there were no priority (scenario 36)")
  func priorityOfTheDead() throws {
    var network = try prioritised([0, 5, 9])
    network.elect(2)
    network.run(ticks: 90, only: [0, 1]) { $0.from != NodeID(3) && $0.to != NodeID(3) }
    #expect(network.nodes[...1].filter(\.isLeader).count == 1)
    network.run(ticks: 300, only: [0, 1]) { $0.from != NodeID(3) && $0.to != NodeID(3) }
    #expect(network.nodes[1].isLeader, "of those who are left the preferred one")
  }

  @Test("a preferred voter that never takes over is asked less and less often")
  func priorityThatFails() throws {
    var network = try prioritised([0, 5])
    network.elect(0)
    var attempts = 0
    network.run(ticks: 4000) { message in
      guard message.body == .timeoutNow else { return true }
      attempts += 1
      return false
    }
    #expect(network.nodes[0].isLeader)
    #expect((2...8).contains(attempts), "\(attempts)")
  }

  @Test("a leader whose own write is overdue resigns once a majority without it goes on")
  func overdueLeader() throws {
    var network = try Network(3)
    network.elect(0)
    network.stalled = [0]
    try network.propose("a", at: 0)
    network.run(ticks: 60)
    #expect(network.nodes[0].isLeader)
    // A tick is 10 milliseconds: somebody else leads within a second.
    network.run(ticks: 40)
    #expect(!network.nodes[0].isLeader)
    #expect(network.events[0].contains(.steppedDown(term: Term(2), reason: .writeOverdue)))
    #expect(network.nodes[1...].filter(\.isLeader).count == 1)
    #expect(network.nodes[1].appliedIndex >= LogIndex(3), "what the old leader could not answer is answered")
  }

  @Test("a leader resigns, too, when its store hangs in something else and takes no writes")
  func overdueBehindOtherWork() throws {
    var network = try Network(3)
    network.elect(0)
    network.busy = [0]
    try network.propose("a", at: 0)
    network.run(ticks: 60)
    #expect(network.nodes[0].isLeader)
    network.run(ticks: 40)
    #expect(network.events[0].contains(.steppedDown(term: Term(2), reason: .writeOverdue)))
    #expect(network.nodes[1...].filter(\.isLeader).count == 1)
    network.busy = []
    network.run(ticks: 100)
    #expect(!network.nodes[0].isLeader)
    #expect(network.log(0) == network.log(1))
  }

  @Test("a leader whose state machine stands still hands over to one whose does not, and no other takes over")
  func overdueApplying() throws {
    var network = try Network(3)
    network.elect(0)
    network.stuck = [0, 2]
    try network.propose("a", at: 0)
    network.run(ticks: 60)
    #expect(network.nodes[0].isLeader)
    #expect(network.nodes[0].commitIndex == network.nodes[0].lastEntry.index)
    // One election timeout may pass with the node that refuses.
    network.run(ticks: 70)
    #expect(network.nodes[1].isLeader)
    #expect(network.events[0].contains(.applyingOverdue(term: Term(2))))
    #expect(!network.nodes[2].isLeader)
    network.stuck = []
    network.run(ticks: 100)
    #expect(network.nodes.allSatisfy { $0.appliedIndex == network.nodes[1].commitIndex })
    #expect(network.nodes[1].isLeader)
  }

  @Test("when all state machines stand still, the leader offers leadership to each once, and leads on")
  func overdueApplyingEverywhere() throws {
    var network = try Network(3)
    network.elect(0)
    network.stuck = [0, 1, 2]
    try network.propose("a", at: 0)
    network.run(ticks: 1000)
    #expect(network.nodes[0].isLeader)
    #expect(network.nodes[0].term == Term(2))
    let offers = network.events[0].filter { if case .transferStarted = $0 { true } else { false } }
    #expect(offers == [.transferStarted(to: NodeID(3)), .transferStarted(to: NodeID(2))])
    try network.propose("b", at: 0)
    network.run(ticks: 10)
    #expect(network.nodes[0].commitIndex == network.nodes[0].lastEntry.index, "the log goes on")
  }

  @Test("when all disks hang, as a shared one does, nobody resigns")
  func overdueEverywhere() throws {
    var network = try Network(3)
    network.elect(0)
    network.stalled = [0, 1, 2]
    try network.propose("a", at: 0)
    network.run(ticks: 1000)
    #expect(network.nodes[0].isLeader)
    #expect(network.nodes[0].term == Term(2))
    network.stalled = []
    for position in 0..<3 { network.completeWrites(position) }
    network.run(ticks: 10)
    #expect(network.nodes[0].isLeader)
    #expect(network.nodes[0].commitIndex == network.nodes[0].lastEntry.index)
  }

  @Test("that others acknowledged before the write was overdue proves nothing about their disks now")
  func overdueAfterAcknowledgement() throws {
    var network = try Network(3)
    network.elect(0)
    network.stalled = [0]
    try network.propose("a", at: 0)
    network.deliver()
    network.stalled = [0, 1, 2]
    network.run(ticks: 1000)
    #expect(network.nodes[0].isLeader)
  }

  @Test("a node whose own write is overdue does not campaign, nor take leadership over")
  func overdueFollower() throws {
    var network = try Network(3)
    network.elect(0)
    network.stalled = [1]
    try network.propose("a", at: 0)
    network.run(ticks: 80)
    let term = network.nodes[1].term
    #expect(hands(&network, to: 2) == nil)
    network.run(ticks: 5)
    #expect(network.nodes[1].role == .follower(leader: NodeID(1)))
    network.run(ticks: 300, only: [1]) { $0.from != NodeID(1) }
    #expect(network.nodes[1].term == term)
    #expect(network.events[1].contains(.campaignHeldBack(term: term)))
    #expect(!network.events[1].contains(.becamePreCandidate(term: term)))
    network.stalled = []
    network.completeWrites(1)
    network.run(ticks: 100, only: [1]) { $0.from != NodeID(1) }
    #expect(network.events[1].contains(.becamePreCandidate(term: term)))
  }

  @Test(
    "what is committed but not applied is limited: beyond it proposals are refused, until the applier is there"
  )
  func unapplied() throws {
    let members = [Member(id: NodeID(1), address: "n1", store: .memory)]
    var options = RaftOptions()
    options.unappliedBytesMax = 10
    var node = try RaftNode<String>(
      id: NodeID(1), recovered: .founding(try Configuration(voters: members)), options: options, seed: 1)
    var outputs = Outputs()
    func persist() {
      while let write = node.takeWrite() { node.didPersist(write.assumeDurable(), into: &outputs) }
    }
    while !node.isLeader {
      node.tick(into: &outputs)
      persist()
    }
    while let range = node.takeCommitted(bytesMax: 100) { node.didApply(through: range.through) }
    for _ in 0..<3 {
      try node.propose("12345", bytes: 5, into: &outputs)
      persist()
    }
    #expect(throws: ProposeError.busy) { try node.propose("12345", bytes: 5, into: &outputs) }
    while let range = node.takeCommitted(bytesMax: 100) { node.didApply(through: range.through) }
    try node.propose("12345", bytes: 5, into: &outputs)
  }
}
