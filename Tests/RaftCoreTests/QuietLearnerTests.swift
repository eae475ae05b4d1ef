import RaftCore
import Testing

@Suite("Learners in a quiet cluster")
struct QuietLearnerTests {
  @Test(
    "a learner that took long to get the log has caught up once it holds all of it, though nothing more is proposed"
  )
  func slowFirstRound() throws {
    var network = try Network(3)
    try network.addNewcomer(4)
    network.elect(0)
    try network.change([.addLearner(Member(id: NodeID(4), address: "n4", store: .durable))], at: 0)
    // Its first round of catching up lasts longer than a minimum election timeout, because nothing reaches it.
    network.run(ticks: 100) { $0.to != NodeID(4) && $0.from != NodeID(4) }
    network.run(ticks: 20)
    #expect(network.log(3) == network.log(0))
    #expect(network.nodes[0].status.peers.first { $0.id == NodeID(4) }?.isCaughtUp == true)
    try network.change([.promote(NodeID(4))], at: 0)
    network.deliver()
    #expect(network.nodes[3].configuration.voters.contains(NodeID(4)))
  }
}
