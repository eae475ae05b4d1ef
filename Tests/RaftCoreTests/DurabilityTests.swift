import Foundation
import RaftCore
import Testing

@Suite("Thesis §3.8: nothing is said before it is durable")
struct DurabilityTests {
  private let vote = Message.Body.requestVote(
    RequestVote(
      campaignTerm: Term(5), lastEntry: EntryID(term: Term(1), index: LogIndex(1)), isPreVote: false,
      isTransfer: false))

  @Test("a vote waits for its write, and so does a refusal that rests on it (scenario 17)")
  func voteWaits() throws {
    var network = try Network(3)
    network.stalled = [2]
    network.say(vote, from: 1, to: 3, term: 5)
    network.say(vote, from: 2, to: 3, term: 5)
    #expect(network.packets.isEmpty)
    network.completeWrites(2)
    #expect(network.packets.map(\.message.to) == [NodeID(1), NodeID(2)])
    // With nothing outstanding a refusal leaves at once.
    network.packets = []
    network.say(vote, from: 2, to: 3, term: 5)
    #expect(network.packets.count == 1)
  }

  @Test("a vote in a term that is known already is written all the same (scenario 17)")
  func voteInKnownTerm() throws {
    var network = try Network(3)
    network.say(.staleTerm, from: 2, to: 3, term: 5)
    #expect(network.nodes[2].term == Term(5))
    network.stalled = [2]
    network.say(vote, from: 1, to: 3, term: 5)
    #expect(network.packets.isEmpty)
    #expect(network.writesInFlight(2) == 1)
    network.completeWrites(2)
    #expect(network.packets.map(\.message.to) == [NodeID(1)])
  }

  @Test("a request for votes waits for the candidate's own vote (scenario 18)")
  func requestVoteWaits() throws {
    var network = try Network(3)
    network.stalled = [0]
    while network.nodes[0].role != .candidate { network.run(ticks: 1, only: [0]) }
    let early = network.packets.contains { packet in
      if case .requestVote(let request) = packet.message.body { !request.isPreVote } else { false }
    }
    #expect(!early)
    network.completeWrites(0)
    #expect(network.packets.count == 2)
  }

  @Test(
    "an acknowledgement waits for the write; the leader's appends do not wait for its own (thesis §10.2.1)")
  func acknowledgementWaits() throws {
    var network = try Network(3)
    network.elect(0)
    network.stalled = [0, 1, 2]
    try network.propose("a", at: 0)
    #expect(network.packets.count == 2)
    network.deliver()
    #expect(network.packets.isEmpty)
    #expect(network.nodes[0].commitIndex == LogIndex(2))
    network.completeWrites(1)
    network.deliver()
    #expect(
      network.nodes[0].commitIndex == LogIndex(2), "its own write is not durable yet, and node 3's neither")
    network.completeWrites(2)
    network.deliver()
    #expect(network.nodes[0].commitIndex == LogIndex(3))
    #expect(network.nodes[0].appliedIndex == LogIndex(2), "what is not durable here is not applied here")
    network.completeWrites(0)
    network.input(0) { _, _ in }
    #expect(network.nodes[0].appliedIndex == LogIndex(3))
  }

  @Test(
    "the proof of entries that were replaced meanwhile proves nothing about their successors (scenario 11)")
  func replacedEntries() throws {
    var network = try Network(3)
    func append(_ term: UInt64, from: UInt64) {
      let entry = Entry(
        id: EntryID(term: Term(term), index: LogIndex(2)), content: EntryContent.payload("t\(term)"), bytes: 2
      )
      let request = AppendEntries(
        previous: EntryID(term: Term(1), index: LogIndex(1)), entriesTerm: Term(term), count: 1,
        commitIndex: LogIndex(1))
      network.say(.appendEntries(request), from: from, to: 3, term: term, entries: [entry])
    }
    network.stalled = [2]
    append(2, from: 1)
    append(3, from: 2)
    #expect(network.writesInFlight(2) == 2)
    network.completeWrites(2, count: 1)
    #expect(network.packets.isEmpty)
    #expect(network.nodes[2].status.durableIndex == LogIndex(1))
    network.completeWrites(2)
    #expect(network.packets.map(\.message.to) == [NodeID(2)])
    #expect(network.nodes[2].status.durableIndex == LogIndex(2))
  }

  @Test("state that contradicts itself is refused with everything that is wrong with it")
  func recoveryIsValidated() throws {
    var state = RecoveredState<String>.founding(try Network(3).nodes[0].configuration)
    let entry = Entry(
      id: EntryID(term: Term(9), index: LogIndex(5)), content: EntryContent.payload("x"), bytes: 1)
    state.entries.append(entry)
    state.commitIndex = LogIndex(40)
    state.appliedIndex = LogIndex(50)
    do throws(RecoveryError) {
      _ = try RaftNode(id: NodeID(1), recovered: state, seed: 1)
      Issue.record("it was accepted")
    } catch {
      #expect(error.faults.count >= 3, "\(error)")
    }
  }
}

@Suite("Misuse traps with a sentence")
struct MisuseTests {
  private static func node() throws -> RaftNode<String> {
    let member = Member(id: NodeID(1), address: "a", store: .memory)
    var options = RaftOptions()
    // A write that is overdue would keep it from campaigning again.
    options.writeOverdueTicks = 1_000
    return try RaftNode(
      id: NodeID(1), recovered: .founding(try Configuration(voters: [member])), options: options, seed: 1)
  }

  private static func leader() throws -> (RaftNode<String>, Outputs) {
    var node = try node()
    var outputs = Outputs()
    for _ in 0..<100 { node.tick(into: &outputs) }
    return (node, outputs)
  }

  private func expectTrap(_ result: ExitTest.Result?, _ sentence: String) {
    let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(text.contains(sentence), "\(text)")
  }

  @Test("dropping a write traps")
  func droppedWrite() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var (node, _) = try MisuseTests.leader()
      _ = node.takeWrite()
    }
    expectTrap(result, "was dropped before it was redeemed")
  }

  @Test("completing writes out of order traps")
  func outOfOrder() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var (node, outputs) = try MisuseTests.leader()
      let first = node.takeWrite()
      for _ in 0..<100 { node.tick(into: &outputs) }
      if let second = node.takeWrite() { node.didPersist(second.assumeDurable(), into: &outputs) }
      first?.abandon()
    }
    expectTrap(result, "completed in the order in which they were taken")
  }

  @Test("redeeming another replica's proof traps")
  func foreignProof() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var (node, outputs) = try MisuseTests.leader()
      let member = Member(id: NodeID(2), address: "a", store: .memory)
      var other = try RaftNode<String>(
        id: NodeID(2), recovered: .founding(try Configuration(voters: [member])), seed: 1)
      for _ in 0..<100 { other.tick(into: &outputs) }
      if let write = other.takeWrite() { node.didPersist(write.assumeDurable(), into: &outputs) }
    }
    expectTrap(result, "redeemed in the replica that the write came from")
  }

  @Test("stepping a message for another node traps")
  func misrouted() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var (node, outputs) = try MisuseTests.leader()
      node.step(Message(from: NodeID(2), to: NodeID(3), term: Term(1), body: .staleTerm), into: &outputs)
    }
    expectTrap(result, "the driver drops misrouted ones")
  }

  @Test("compacting what is not applied traps")
  func compactedTooFar() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var (node, _) = try MisuseTests.leader()
      node.compact(through: LogIndex(1))
    }
    expectTrap(result, "only applied entries can be compacted")
  }

  @Test("offering a snapshot of what is not applied traps")
  func snapshotTooFar() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var (node, outputs) = try MisuseTests.leader()
      let configuration = IndexedConfiguration(index: LogIndex(1), configuration: node.configuration)
      node.didTakeSnapshot(
        Snapshot(
          last: EntryID(term: Term(1), index: LogIndex(1)), configuration: configuration, bytes: 1,
          fingerprint: 1), into: &outputs)
    }
    expectTrap(result, "a snapshot holds applied entries only")
  }

  @Test("applying what is not committed traps")
  func notCommitted() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var (node, _) = try MisuseTests.leader()
      node.didApply(through: LogIndex(9))
    }
    expectTrap(result, "only entries that takeCommitted has given can be applied")
  }
}
