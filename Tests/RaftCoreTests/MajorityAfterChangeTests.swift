import RaftCore
import Testing

@Suite("Changes that too few living voters would decide")
struct MajorityAfterChangeTests {
  private func member(_ id: UInt64) -> Member {
    Member(id: NodeID(id), address: "n\(id)", store: .durable)
  }

  /// Voters with leader 1, of which the last has been silent for a while.
  private func cluster(_ count: Int, newcomers: Int = 0) throws -> Network {
    var network = try Network(count)
    for offset in 0..<newcomers { try network.addNewcomer(UInt64(count + offset + 1)) }
    network.elect(0)
    network.run(ticks: 12)
    let silent = NodeID(UInt64(count))
    network.crash(count - 1)
    let alive = network.nodes.indices.filter { $0 != count - 1 }
    network.run(ticks: 50, only: alive) { $0.from != silent && $0.to != silent }
    return network
  }

  private func isWithoutThree(_ message: Message) -> Bool {
    message.from != NodeID(3) && message.to != NodeID(3)
  }

  @Test("a living voter is not removed or demoted while the rest would need a silent one")
  func oneStep() throws {
    for change in [ConfigurationChange.remove(NodeID(2)), .demote(NodeID(2)), .remove(NodeID(1))] {
      var network = try cluster(3)
      #expect(throws: ConfigurationChangeError.wouldLoseQuorum(silent: [NodeID(3)])) {
        try network.change([change], at: 0)
      }
      try network.propose("a", at: 0)
      network.run(ticks: 200, only: [0, 1], isWithoutThree)
      #expect(network.nodes[0].isLeader)
      #expect(network.nodes[0].commitIndex == network.nodes[0].lastEntry.index)
    }
  }

  @Test("the silent voter itself is removed, and the living one after it")
  func theDead() throws {
    var network = try cluster(3)
    try network.change([.remove(NodeID(3))], at: 0)
    network.run(ticks: 12, only: [0, 1], isWithoutThree)
    try network.change([.remove(NodeID(2))], at: 0)
    network.run(ticks: 12, only: [0, 1], isWithoutThree)
    #expect(network.nodes[0].configuration.voters == [NodeID(1)])
    #expect(network.nodes[0].commitIndex == network.nodes[0].lastEntry.index)
  }

  @Test("what follows a joint phase has to have a living majority too")
  func afterTheJointPhase() throws {
    var network = try cluster(5)
    #expect(throws: ConfigurationChangeError.wouldLoseQuorum(silent: [NodeID(5)])) {
      try network.change([.remove(NodeID(1)), .remove(NodeID(2)), .remove(NodeID(3))], at: 0)
    }
    try network.change([.remove(NodeID(5)), .remove(NodeID(4))], at: 0)
    network.run(ticks: 12, only: [0, 1, 2, 3]) { $0.from != NodeID(5) && $0.to != NodeID(5) }
    #expect(network.nodes[0].configuration.voters == [NodeID(1), NodeID(2), NodeID(3)])
  }

  @Test("changes that leave the voters as they are do not depend on who is heard")
  func sameVoters() throws {
    var network = try cluster(3)
    try network.change([.addLearner(member(4)), .useLeaseReads(true)], at: 0)
    network.run(ticks: 12, only: [0, 1], isWithoutThree)
    #expect(network.nodes[0].configuration.learners == [NodeID(4)])
    #expect(network.nodes[0].commitIndex == network.nodes[0].lastEntry.index)
  }

  @Test("a voter that was never heard in this term is silent, however young the leadership is")
  func youngLeadership() throws {
    var network = try Network(3)
    network.crash(2)
    network.elect(0, isWithoutThree)
    #expect(throws: ConfigurationChangeError.wouldLoseQuorum(silent: [NodeID(3)])) {
      try network.change([.remove(NodeID(2))], at: 0)
    }
  }

  @Test("alone, a node can do everything that leaves a voter")
  func alone() throws {
    var network = try Network(1)
    try network.addNewcomer(2)
    network.elect(0)
    try network.change([.addLearner(member(2))], at: 0)
    network.run(ticks: 12)
    try network.change([.promote(NodeID(2))], at: 0)
    network.run(ticks: 12)
    try network.change([.remove(NodeID(1))], at: 0)
    network.run(ticks: 100)
    #expect(network.nodes[1].isLeader)
    try network.change([.useLeaseReads(true)], at: 1)
    #expect(network.nodes[1].commitIndex == network.nodes[1].lastEntry.index)
  }

  @Test("the refusal names who is missed")
  func words() {
    let error = ConfigurationChangeError.wouldLoseQuorum(silent: [NodeID(3), NodeID(5)])
    #expect(
      "\(error)"
        == "the voters after the change would have no majority without \(NodeID(3)), \(NodeID(5)), not heard from lately"
    )
  }
}
