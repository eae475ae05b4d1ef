import RaftCore
import Testing

@Suite("Learners without whom nobody can be elected, and learners that are cut off")
struct LearnerElectionTests {
  private func member(_ id: UInt64) -> Member {
    Member(id: NodeID(id), address: "n\(id)", store: .durable)
  }

  /// Voters 1 to 3, of which 1 leads, and learner 4.
  private func withLearner() throws -> Network {
    var network = try Network(3)
    try network.addNewcomer(4)
    network.elect(0)
    try network.change([.addLearner(member(4))], at: 0)
    network.run(ticks: 12)
    return network
  }

  private func isWithout(_ id: UInt64, _ message: Message) -> Bool {
    message.from != NodeID(id) && message.to != NodeID(id)
  }

  @Test(
    "a learner that alone has the newest entries is elected, and hands over to a voter",
    arguments: [false, true])
  func newestLog(_ isJoint: Bool) throws {
    var network = try withLearner()
    // The promotion is on leader 1 alone.
    try network.change(
      isJoint ? [.promote(NodeID(4)), .remove(NodeID(3))] : [.promote(NodeID(4))], at: 0)
    network.packets = []
    // Node 2 is elected by 3. Its entries reach the learner alone, and it dies.
    let reachesLearner = { (message: Message) -> Bool in
      guard message.from != NodeID(1), message.to != NodeID(1) else { return false }
      if case .appendEntries = message.body { return message.to == NodeID(4) }
      return true
    }
    network.replaceLeader(0, by: 1, reachesLearner)
    network.run(ticks: 6, only: [1], reachesLearner)
    network.crash(1)
    network.packets = []
    #expect(network.nodes[1].isLeader)
    #expect(network.nodes[3].lastEntry > network.nodes[0].lastEntry)
    #expect(network.nodes[0].lastEntry > network.nodes[2].lastEntry)
    // A majority of the three voters is alive.
    network.run(ticks: 1000, only: [0, 2, 3]) { isWithout(2, $0) }
    let leader = try #require([0, 2].first { network.nodes[$0].isLeader })
    #expect(!network.nodes[3].isLeader)
    try network.propose("a", at: leader)
    network.run(ticks: 10, only: [0, 2, 3]) { isWithout(2, $0) }
    for position in [0, 2, 3] { #expect(network.log(position).last == "a") }
    #expect(network.nodes[leader].configuration.voters == [NodeID(1), NodeID(2), NodeID(3)])
  }

  @Test("a learner that is merely cut off asks in vain, and changes no term", arguments: [false, true])
  func cutOff(_ isDeaf: Bool) throws {
    var network = try withLearner()
    let term = network.nodes[0].term
    // Once it hears nothing and is heard, once nothing gets through in either direction.
    network.run(ticks: 1000) { message in
      message.to != NodeID(4) && (isDeaf || message.from != NodeID(4))
    }
    #expect(network.events[3].contains(.becamePreCandidate(term: term)))
    #expect(network.nodes.allSatisfy { $0.term == term })
    #expect(network.nodes[0].isLeader)
    try network.propose("a", at: 0)
    network.run(ticks: 20)
    #expect(network.nodes[0].isLeader)
    #expect(network.log(3).last == "a")
    #expect(network.nodes.allSatisfy { $0.term == term })
  }

  @Test("while voters can elect one of their own no learner asks for votes")
  func votersFirst() throws {
    for seed in 1...10 as ClosedRange<Int> {
      var network = try withLearner()
      network.run(ticks: seed)
      network.run(ticks: 100, only: [1, 2, 3]) { isWithout(1, $0) }
      #expect([1, 2].contains { network.nodes[$0].isLeader })
      #expect(!network.events[3].contains(.becamePreCandidate(term: Term(2))))
    }
  }

  @Test("a learner counts no vote of its own, nor those of other learners")
  func countsVotersOnly() throws {
    var network = try withLearner()
    try network.addNewcomer(5)
    try network.change([.addLearner(member(5))], at: 0)
    network.run(ticks: 12)
    let term = network.nodes[0].term
    for position in [0, 1] { network.crash(position) }
    network.run(ticks: 2000, only: [2, 3, 4]) { isWithout(1, $0) && isWithout(2, $0) }
    #expect(network.nodes[2...].allSatisfy { !$0.isLeader && $0.term == term })
    #expect(network.events[3].contains(.becamePreCandidate(term: term)))
  }

  @Test("who is no member never campaigns")
  func newcomer() throws {
    var network = try Network(3)
    try network.addNewcomer(4)
    network.elect(0)
    network.run(ticks: 1000) { isWithout(1, $0) }
    #expect(network.nodes[3].role == .follower(leader: nil))
    #expect(network.nodes[3].ticksUntilNextDeadline > 1 << 60)
  }
}
