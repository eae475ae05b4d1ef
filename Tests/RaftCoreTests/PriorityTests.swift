import RaftCore
import Testing

@Suite("Preferred leaders that cannot lead")
struct PriorityTests {
  private func member(_ id: UInt64, priority: UInt8 = 0) -> Member {
    Member(id: NodeID(id), address: "n\(id)", store: .durable, priority: priority)
  }

  /// Node 2 is connected to 1 alone; all other links work.
  private func isConnected(_ message: Message) -> Bool {
    let ends = [message.from.rawValue, message.to.rawValue]
    return !ends.contains(2) || ends.contains(1)
  }

  /// Five voters; 2 is preferred most of all, then 1, which leads.
  private func preferring() throws -> Network {
    var network = try Network(5)
    network.elect(0)
    network.run(ticks: 12)
    try network.change([.update(member(2, priority: 9)), .update(member(1, priority: 5))], at: 0)
    network.deliver()
    return network
  }

  @Test("a preferred voter that only the leader hears is tried less and less often, whoever led in between")
  func unconnected() throws {
    var network = try preferring()
    let term = network.nodes[0].term
    var ticksWithoutLeader = 0
    for _ in 0..<10_000 {
      network.run(ticks: 1, isConnected)
      if !network.nodes.contains(where: { $0.isLeader && !$0.isTransferring }) { ticksWithoutLeader += 1 }
    }
    let terms = (network.nodes.map(\.term).max() ?? term).rawValue - term.rawValue
    #expect((1...30).contains(terms), "\(terms)")
    #expect(ticksWithoutLeader < 1000, "\(ticksWithoutLeader)")
  }

  @Test(
    "a change of the configuration, such as another priority, counts at once in spite of earlier failures")
  func afterChange() throws {
    var network = try preferring()
    network.run(ticks: 10_000, isConnected)
    for _ in 0..<200 where !network.nodes[0].isLeader { network.run(ticks: 1, isConnected) }
    try network.change([.update(member(3, priority: 8)), .update(member(2))], at: 0)
    network.run(ticks: 200, isConnected)
    #expect(network.nodes[2].isLeader)
  }

  @Test("a preferred voter that has led for a while is handed to without delay when it is back")
  func afterSuccess() throws {
    var network = try preferring()
    network.run(ticks: 3000, isConnected)
    // Its links are mended. Sooner or later it is asked again, and leads.
    for _ in 0..<20_000 where !network.nodes[1].isLeader { network.run(ticks: 1) }
    network.run(ticks: 300)
    #expect(network.nodes[1].isLeader)
    network.crash(1)
    let others = [0, 2, 3, 4]
    for _ in 0..<500 where !network.nodes[0].isLeader {
      network.run(ticks: 1, only: others) { $0.from != NodeID(2) && $0.to != NodeID(2) }
    }
    #expect(network.nodes[0].isLeader)
    try network.restart(1)
    network.run(ticks: 200)
    #expect(network.nodes[1].isLeader)
  }
}
