import RaftCore
import Testing

@Suite("Leases of nodes whose options differ")
struct LeaseTimeoutTests {
  private func options(_ timeout: Int) -> RaftOptions {
    var options = RaftOptions()
    options.electionTimeoutTicksMin = timeout
    options.electionTimeoutTicksMax = 2 * timeout
    return options
  }

  private func isWithoutOne(_ message: Message) -> Bool {
    message.from != NodeID(1) && message.to != NodeID(1)
  }

  /// Three nodes that started with one timeout, leases on; then 2 and 3 are restarted one after the other with another.
  private func restarted(from first: Int, to second: Int) throws -> Network {
    var network = try Network(3, options: options(first))
    network.elect(0)
    try network.change([.useLeaseReads(true)], at: 0)
    network.run(ticks: 12)
    for position in [1, 2] {
      network.crash(position)
      let id = network.nodes[position].id
      network.nodes[position] = try RaftNode(
        id: id, recovered: network.disk(position), options: options(second), seed: 77 + id.rawValue,
        now: network.clocks[position])
      network.down.remove(position)
      network.run(ticks: 20)
    }
    return network
  }

  private func handOver(_ network: inout Network) {
    network.input(0) { node, outputs in try? node.transferLeadership(to: NodeID(2), into: &outputs) }
    network.run(ticks: 12)
  }

  private func answers(_ network: inout Network, _ position: Int, _ number: UInt64) -> [LogIndex?] {
    let before = network.reads[position].count
    network.input(position) { node, outputs in
      node.readIndex(ReadID(boot: 1, number: number), into: &outputs)
    }
    return network.reads[position].dropFirst(before).map(\.readIndex)
  }

  @Test(
    "a leader with a long timeout answers nothing old when followers with a short one have elected another")
  func shorter() throws {
    var network = try restarted(from: 100, to: 30)
    #expect(network.nodes[0].isLeader)
    #expect(network.nodes[1].configuration.leaseTimeoutTicks == 100)
    var ticks = 0
    while ticks < 1000, !network.nodes[1...].contains(where: \.isLeader) {
      network.run(ticks: 1, isWithoutOne)
      ticks += 1
    }
    #expect((90..<400).contains(ticks), "\(ticks)")
    let successor = try #require([1, 2].first { network.nodes[$0].isLeader })
    network.run(ticks: 1, isWithoutOne)
    try network.propose("new", at: successor)
    network.deliver(isWithoutOne)
    let committed = network.nodes[successor].commitIndex
    for index in answers(&network, 0, 1) { #expect(index.map { $0 >= committed } ?? true) }
  }

  @Test("a follower with a short timeout does not vote for itself while a longer lease may rest on it")
  func ownVote() throws {
    var network = try restarted(from: 100, to: 30)
    // Node 3 has heard nobody for long, and would vote for 2 at once.
    network.run(ticks: 85, only: [0, 1, 2]) { $0.from != NodeID(3) && $0.to != NodeID(3) }
    let term = network.nodes[0].term
    network.run(ticks: 85, isWithoutOne)
    #expect(network.nodes.allSatisfy { $0.term == term })
    #expect(network.nodes[0].role == .leader)
  }

  @Test("a leader with a timeout shorter than the recorded one has a lease by its own")
  func ownIsShorter() throws {
    var network = try restarted(from: 100, to: 30)
    handOver(&network)
    #expect(network.nodes[1].isLeader)
    // The newest heartbeat that was answered is at most five ticks old.
    #expect(answers(&network, 1, 1) == [network.nodes[1].commitIndex])
    network.clocks[1] = network.clocks[1] + 19
    #expect(answers(&network, 1, 2) == [network.nodes[1].commitIndex])
    network.clocks[1] = network.clocks[1] + 7
    #expect(answers(&network, 1, 3) == [], "25 ticks are over")
  }

  @Test("a leader with a timeout longer than the recorded one has a lease by the recorded one")
  func recordedIsShorter() throws {
    var network = try restarted(from: 30, to: 100)
    handOver(&network)
    #expect(network.nodes[1].isLeader)
    // The newest heartbeat that was answered is at most five ticks old.
    #expect(answers(&network, 1, 1) == [network.nodes[1].commitIndex])
    network.clocks[1] = network.clocks[1] + 19
    #expect(answers(&network, 1, 2) == [network.nodes[1].commitIndex])
    network.clocks[1] = network.clocks[1] + 7
    #expect(answers(&network, 1, 3) == [], "25 ticks are over")
  }

  @Test("leases that are switched off and on rest on the timeout of whoever leads then")
  func recordedAnew() throws {
    var network = try restarted(from: 30, to: 100)
    handOver(&network)
    try network.change([.useLeaseReads(false)], at: 1)
    network.run(ticks: 12)
    try network.change([.useLeaseReads(true)], at: 1)
    network.run(ticks: 12)
    #expect(network.nodes.map(\.configuration.leaseTimeoutTicks) == [100, 100, 100])
  }
}
