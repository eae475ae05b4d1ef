import RaftCore
import Testing

@Suite("A leader that answers reads all the time")
struct TimersUnderReadsTests {
  @Test("it hands over to a preferred voter all the same")
  func underReads() throws {
    var network = try Network(3)
    network.elect(0)
    network.run(ticks: 12)
    try network.change([.update(Member(id: NodeID(2), address: "n2", store: .durable, priority: 9))], at: 0)
    for number in 0..<300 as Range<UInt64> {
      read(number, &network)
      network.run(ticks: 1)
    }
    #expect(network.nodes[1].isLeader)
  }

  @Test("it forgets a removed peer that is silent by its deadline")
  func farewellUnderReads() throws {
    var network = try Network(3)
    network.elect(0)
    network.run(ticks: 12)
    try network.change([.remove(NodeID(3))], at: 0)
    for number in 0..<300 as Range<UInt64> {
      read(number, &network)
      network.run(ticks: 1, only: [0, 1]) { $0.from != NodeID(3) && $0.to != NodeID(3) }
    }
    network.run(ticks: 20, only: [0, 1]) { message in
      #expect(message.to != NodeID(3))
      return true
    }
  }

  private func read(_ number: UInt64, _ network: inout Network) {
    guard network.nodes[0].isLeader else { return }
    network.input(0) { node, outputs in
      node.readIndex(ReadID(boot: 1, number: number), into: &outputs)
    }
  }
}
