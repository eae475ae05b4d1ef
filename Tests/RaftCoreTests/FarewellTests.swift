import RaftCore
import Testing

@Suite("Thesis §4.2.2: word of a removal that is lost on its way")
struct FarewellTests {
  private func cluster() throws -> Network {
    var network = try Network(3)
    network.elect(0)
    network.run(ticks: 12)
    return network
  }

  @Test("a removed node learns of it though the entry that says so was lost at first")
  func lostAppend() throws {
    var network = try cluster()
    try network.change([.remove(NodeID(3))], at: 0)
    network.deliver { message in
      if message.to == NodeID(3), case .appendEntries = message.body { return false }
      return true
    }
    #expect(network.nodes[2].configuration.member(NodeID(3)) != nil)
    // Others go on meanwhile: what follows the removal is none of its business.
    for number in 0..<20 {
      try network.propose("\(number)", at: 0)
      network.run(ticks: 1)
    }
    network.run(ticks: 20)
    let three = network.nodes[2]
    #expect(three.configuration.member(NodeID(3)) == nil)
    #expect(three.commitIndex >= LogIndex(3))
    #expect(network.log(2).filter { $0 != "-" } == [])
    #expect(network.nodes[0].status.peers.map(\.id) == [NodeID(2)])
  }

  @Test("half of the messages to it are lost, and it learns of its removal nevertheless")
  func lossyLink() throws {
    for seed in 1...5 as ClosedRange<UInt64> {
      var network = try cluster()
      var source = RandomSource(seed: seed)
      try network.change([.remove(NodeID(3))], at: 0)
      network.run(ticks: 200) { $0.to != NodeID(3) || source.next() % 2 == 0 }
      #expect(network.nodes[2].configuration.member(NodeID(3)) == nil)
    }
  }

  @Test("a removed node that needs a snapshot gets it though a piece of it was lost")
  func lostPiece() throws {
    var network = try cluster()
    try network.propose("a", at: 0)
    network.deliver { $0.to != NodeID(3) }
    try network.change([.remove(NodeID(3))], at: 0)
    network.deliver { $0.to != NodeID(3) }
    network.snapshot(0)
    var pieces = 0
    network.run(ticks: 200) { message in
      guard message.to == NodeID(3), case .installSnapshot = message.body else { return true }
      pieces += 1
      return pieces > 1
    }
    #expect(pieces > 1)
    #expect(network.nodes[2].configuration.member(NodeID(3)) == nil)
  }
}
