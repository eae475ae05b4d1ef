import RaftCore
import Testing

@Suite("Thesis §6.4.1: reads under a lease")
struct LeaseTests {
  /// Three nodes with leader 1, leases switched on and held.
  private func cluster(_ count: Int = 3) throws -> Network {
    var network = try Network(count)
    network.elect(0)
    try network.change([.useLeaseReads(true)], at: 0)
    network.run(ticks: 12)
    return network
  }

  /// Asks for a read and returns the answers that are there without any message.
  private func read(_ network: inout Network, _ position: Int = 0, number: UInt64 = 1) -> [LogIndex?] {
    let before = network.reads[position].count
    network.input(position) { node, outputs in
      node.readIndex(ReadID(boot: 1, number: number), into: &outputs)
    }
    return network.reads[position].dropFirst(before).map(\.readIndex)
  }

  @Test("a leader that a majority has heard lately answers at once, without a round")
  func answersAtOnce() throws {
    var network = try cluster()
    network.packets = []
    #expect(read(&network) == [network.nodes[0].commitIndex])
    #expect(network.packets.isEmpty)
  }

  @Test("without the option every read has its round")
  func offByDefault() throws {
    var network = try Network(3)
    network.elect(0)
    network.run(ticks: 12)
    #expect(read(&network) == [])
    network.deliver()
    #expect(network.reads[0].map(\.readIndex) == [network.nodes[0].commitIndex])
  }

  @Test("a lease counts from when the heartbeat was sent, and ends before the minimum election timeout")
  func leaseEnds() throws {
    var network = try cluster()
    // The answers to one round come eight ticks late, and those to later rounds never.
    var sent = network.clocks[0]
    while network.packets.isEmpty {
      network.clocks[0] = network.clocks[0] + 1
      network.input(0) { _, _ in }
      sent = network.clocks[0]
    }
    let questions = network.packets
    network.packets = []
    for question in questions { network.deliver(question) }
    let answers = network.packets
    network.packets = []
    network.clocks[0] = network.clocks[0] + 8
    for answer in answers { network.deliver(answer) }
    network.packets = []
    var lasted = 0
    for tick in 1...40 as ClosedRange<UInt64> {
      network.clocks[0] = network.clocks[0] + 1
      if read(&network, number: tick) == [network.nodes[0].commitIndex] {
        lasted = Int(network.clocks[0].rawValue - sent.rawValue)
      }
      network.packets = []
    }
    #expect(lasted > 0)
    #expect(lasted < 27, "30 ticks, less 10 percent")
  }

  @Test("a leader that was stopped notices the time before it answers (scenario 40)")
  func stoppedLeader() throws {
    var network = try cluster()
    network.clocks[0] = network.clocks[0] + 500
    #expect(read(&network).compactMap { $0 } == [])
  }

  @Test("a broken connection is no reason to campaign while a lease may run")
  func hintIsIgnored() throws {
    var network = try cluster()
    for position in 1...2 {
      network.input(position) { node, outputs in node.connectionLost(to: NodeID(1), into: &outputs) }
    }
    network.run(ticks: 10, only: [1, 2]) { $0.from != NodeID(1) && $0.to != NodeID(1) }
    #expect(network.nodes[1...].allSatisfy { $0.leader == NodeID(1) })
    // Nobody is elected before the lease is over, whoever asks, and by whatever means it came to ask.
    let term = network.nodes[1].term
    let last = network.nodes[0].lastEntry
    let request = RequestVote(campaignTerm: term.next, lastEntry: last, isPreVote: false, isTransfer: false)
    network.packets = []
    network.say(.requestVote(request), from: 2, to: 3, term: term.next.rawValue)
    #expect(network.packets.isEmpty)
    #expect(network.nodes[2].term == term)
  }

  @Test("a lease that was ever trusted to somebody who hands over is void for the term (scenario 39)")
  func transferVoidsLease() throws {
    var network = try cluster()
    var failure: TransferError?
    network.input(0) { node, outputs in
      do throws(TransferError) {
        try node.transferLeadership(to: NodeID(2), into: &outputs)
      } catch { failure = error }
    }
    #expect(failure == nil)
    #expect(read(&network) == [], "the order to campaign is on its way")
    // The order is delayed; the transfer is given up; the order may still arrive at any time.
    let order = network.packets.filter { $0.message.body == .timeoutNow }
    #expect(order.count == 1)
    network.packets.removeAll { $0.message.body == .timeoutNow }
    network.run(ticks: 60)
    #expect(network.nodes[0].isLeader)
    #expect(!network.nodes[0].isTransferring)
    #expect(read(&network, number: 2) == [])
    network.deliver()
    #expect(network.reads[0].last?.readIndex == network.nodes[0].commitIndex, "by a round it is answered")
  }

  @Test("only peers that hold the entry which switches leases on count for one")
  func unknowingPeers() throws {
    var network = try Network(3)
    network.elect(0)
    network.run(ticks: 12)
    try network.change([.useLeaseReads(true)], at: 0)
    // The entry reaches nobody; heartbeats are answered.
    network.run(ticks: 12) { message in
      if case .appendEntries = message.body { false } else { true }
    }
    #expect(read(&network) == [])
    network.run(ticks: 30)
    #expect(read(&network, number: 2) == [network.nodes[0].commitIndex])
    try network.change([.useLeaseReads(false)], at: 0)
    #expect(read(&network, number: 3) == [], "switched off when appended")
  }

  @Test("a node that was restarted does not remember whom it heard, and votes for nobody for as long")
  func restartedFollower() throws {
    var network = try cluster()
    let entries = try #require(
      network.nodes[2].entries(after: .zero, through: network.nodes[2].lastEntry.index))
    let state = RecoveredState<String>(
      hardState: HardState(term: network.nodes[2].term, votedFor: nil), base: .zero, baseConfiguration: nil,
      entries: Array(entries), commitIndex: LogIndex(1), appliedIndex: .zero)
    network.clocks[2] = Ticks(10_000)
    network.nodes[2] = try RaftNode(id: NodeID(3), recovered: state, seed: 3, now: network.clocks[2])
    let term = network.nodes[2].term
    let request = RequestVote(
      campaignTerm: term.next, lastEntry: network.nodes[0].lastEntry, isPreVote: false, isTransfer: false)
    for (tick, answers) in [(0, 0), (29, 0), (30, 1)] {
      network.clocks[2] = Ticks(10_000) + tick
      network.packets = []
      network.say(.requestVote(request), from: 2, to: 3, term: term.next.rawValue)
      #expect(network.packets.count == answers, "after \(tick) ticks")
    }
  }

  @Test("a lease needs a majority of the voters; learners do not count (scenario 41)")
  func learnersDoNotCount() throws {
    var network = try Network(2)
    for id in 3...5 as ClosedRange<UInt64> { try network.addNewcomer(id) }
    network.elect(0)
    let learners = (3...5).map { Member(id: NodeID($0), address: "n", store: .durable) }
    try network.change([.useLeaseReads(true)] + learners.map { .addLearner($0) }, at: 0)
    network.run(ticks: 12)
    #expect(read(&network) == [network.nodes[0].commitIndex])
    // A lease ends sooner than the silence of a majority is noticed.
    network.run(ticks: 27) { $0.from != NodeID(2) }
    #expect(network.nodes[0].isLeader)
    #expect(read(&network, number: 2) == [])
  }

  @Test("no read is answered before the leader has committed in its own term (scenario 37)")
  func firstCommit() throws {
    var network = try cluster()
    network.run(ticks: 40, only: [1, 2]) { $0.from != NodeID(1) && $0.to != NodeID(1) && $0.term == Term(2) }
    // A new leader whose own entry nobody acknowledges has heartbeats answered all the same.
    network.run(ticks: 60, only: [1, 2]) { message in
      if case .appendEntriesReply = message.body { return false }
      return message.from != NodeID(1) && message.to != NodeID(1)
    }
    let position = try #require(network.nodes.lastIndex { $0.isLeader && $0.id != NodeID(1) })
    #expect(read(&network, position) == [])
  }

  @Test("a follower asks the lease holder, and gets the answer in one round trip")
  func followerAsks() throws {
    var network = try cluster()
    network.packets = []
    #expect(read(&network, 1) == [])
    #expect(network.packets.count == 1)
    network.deliver(network.packets.removeFirst())
    #expect(network.packets.count == 1)
    network.deliver()
    #expect(network.reads[1].map(\.readIndex) == [network.nodes[0].commitIndex])
  }
}
