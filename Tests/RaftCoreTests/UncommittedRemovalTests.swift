import RaftCore
import Testing

@Suite("Thesis §4.2.2: who is left out by an entry that is not committed")
struct UncommittedRemovalTests {
  /// Nodes 1 and 2 of three are replaced by node 3 alone. The joint phase is committed, and the entry that ends it, 4, is
  /// on nodes 1 and 2; then leader 1 is cut off.
  private func replaced() throws -> Network {
    var network = try Network(3)
    network.elect(0)
    network.run(ticks: 10)
    try network.change([.remove(NodeID(1)), .remove(NodeID(2))], at: 0)
    network.deliver { message in
      guard case .appendEntries(let request) = message.body, message.to == NodeID(3) else { return true }
      return request.lastIndex < LogIndex(4)
    }
    #expect(network.nodes.map(\.lastEntry.index) == [LogIndex(4), LogIndex(4), LogIndex(3)])
    #expect(network.nodes[0].commitIndex == LogIndex(3))
    #expect(network.nodes[2].configuration.isJoint)
    network.run(ticks: 200) { _ in false }
    #expect(!network.nodes[0].isLeader)
    return network
  }

  @Test(
    "a node that only an uncommitted entry leaves out is elected if it is needed, and brings the change to its end"
  )
  func isElected() throws {
    var network = try replaced()
    network.run(ticks: 200)
    #expect(network.nodes[2].isLeader)
    #expect(network.nodes[2].configuration.members.map(\.id) == [NodeID(3)])
    #expect(network.nodes[2].configuration(at: network.nodes[2].commitIndex)?.index == LogIndex(4))
    try network.propose("a", at: 2)
    #expect(network.log(2).last == "a")
    #expect(network.nodes[2].commitIndex == network.nodes[2].lastEntry.index)
  }

  @Test("it does not count its own vote")
  func ownVote() throws {
    var network = try replaced()
    network.run(ticks: 200) { $0.from != NodeID(3) && $0.to != NodeID(3) }
    #expect(network.nodes.allSatisfy { !$0.isLeader })
    #expect(network.nodes[0].role == .preCandidate || network.nodes[1].role == .preCandidate)
    #expect(network.nodes.map(\.term) == [Term(2), Term(2), Term(2)])
  }

  @Test("a node that knows that its removal is committed does not campaign, and never wakes by itself")
  func committedRemoval() throws {
    var network = try Network(3)
    network.elect(0)
    network.run(ticks: 10)
    try network.change([.remove(NodeID(3))], at: 0)
    network.run(ticks: 40)
    #expect(network.nodes[2].commitIndex >= LogIndex(3))
    network.run(ticks: 500) { $0.to != NodeID(3) && $0.from != NodeID(3) }
    #expect(network.nodes[2].role != .preCandidate)
    #expect(network.nodes[2].ticksUntilNextDeadline > 1 << 60)
  }
}
