import RaftCore
import Testing

@Suite("Thesis §3.5, §10.2.1: windows, losses and what is compacted away")
struct WindowTests {
  private func peer(_ id: UInt64, of network: Network) throws -> PeerStatus {
    try #require(network.nodes[0].status.peers.first { $0.id == NodeID(id) })
  }

  private func appends(to id: UInt64, in network: Network) -> [Network.Packet] {
    network.packets.filter { packet in
      if case .appendEntries(let request) = packet.message.body {
        packet.message.to == NodeID(id) && request.count > 0
      } else {
        false
      }
    }
  }

  @Test("what is under way is counted down to nothing by the answers")
  func windowEmpties() throws {
    var network = try Network(3)
    network.elect(0)
    for number in 0..<30 { try network.propose("\(number)", at: 0) }
    #expect(try peer(2, of: network).inflightMessages == 30)
    #expect(try peer(2, of: network).inflightBytes == 50)
    network.deliver()
    #expect(try peer(2, of: network).inflightMessages == 0)
    #expect(try peer(2, of: network).inflightBytes == 0)
    #expect(try peer(2, of: network).matchIndex == network.nodes[0].lastEntry.index)
  }

  @Test("a full window whose messages are all lost opens again (scenario 13)")
  func fullWindowReopens() throws {
    var options = RaftOptions()
    options.inflightMessagesMax = 3
    var network = try Network(3, options: options)
    network.elect(0)
    for number in 0..<30 { try network.propose("\(number)", at: 0) }
    network.deliver { $0.to != NodeID(3) }
    #expect(try peer(3, of: network).inflightMessages == 3)
    network.run(ticks: 20)
    #expect(network.log(2) == network.log(0))
    #expect(try peer(3, of: network).inflightMessages == 0)
    #expect(try peer(3, of: network).inflightBytes == 0)
  }

  @Test("a full window whose answers are all lost opens again")
  func lostAnswers() throws {
    var options = RaftOptions()
    options.inflightMessagesMax = 3
    var network = try Network(3, options: options)
    network.elect(0)
    for number in 0..<30 { try network.propose("\(number)", at: 0) }
    network.deliver { $0.from != NodeID(3) }
    network.run(ticks: 20)
    #expect(network.log(2) == network.log(0))
  }

  @Test("a full window whose messages are lost, and then compacted away, is noticed (scenario 9)")
  func compactedBehindFullWindow() throws {
    var options = RaftOptions()
    options.inflightMessagesMax = 2
    var network = try Network(3, options: options)
    network.elect(0)
    for number in 0..<20 {
      try network.propose("\(number)", at: 0)
      network.deliver { $0.to != NodeID(3) }
    }
    #expect(try peer(3, of: network).inflightMessages == 2)
    network.nodes[0].compact(through: network.nodes[0].appliedIndex)
    network.run(ticks: 60)
    #expect(network.nodes[0].isLeader)
    #expect(try peer(3, of: network).isLeftBehind)
    #expect(try peer(3, of: network).inflightMessages == 0)
  }

  @Test("a peer that holds what was compacted meanwhile, though its answers were lost, is not left behind")
  func compactedButHeld() throws {
    var network = try Network(3)
    network.elect(0)
    for number in 0..<20 { try network.propose("\(number)", at: 0) }
    network.deliver { $0.from != NodeID(3) }
    network.nodes[0].compact(through: network.nodes[0].appliedIndex)
    network.run(ticks: 60)
    #expect(try !peer(3, of: network).isLeftBehind)
    #expect(try peer(3, of: network).matchIndex == network.nodes[0].lastEntry.index)
    #expect(network.nodes[2].appliedIndex == network.nodes[0].appliedIndex)
  }

  @Test("only one message is under way to a peer whose log is not known, and it is sent again when lost")
  func probing() throws {
    var network = try Network(3)
    network.elect(0) { message in
      if case .appendEntries = message.body { message.to != NodeID(3) } else { true }
    }
    for number in 0..<5 { try network.propose("\(number)", at: 0) }
    #expect(appends(to: 3, in: network).isEmpty)
    network.run(ticks: 10)
    #expect(network.log(2) == network.log(0))
  }

  @Test("a message holds at most so many entries, and entries of one term")
  func messagesAreLimited() throws {
    var options = RaftOptions()
    options.messageEntriesMax = 4
    var network = try Network(
      terms: [[2, 2, 2, 2, 2, 2, 3, 3, 5], [], []], currentTerm: 5, options: options)
    var sizes: [UInt32] = []
    network.elect(0) { message in
      if case .appendEntries(let request) = message.body, message.to == NodeID(3), request.count > 0 {
        sizes.append(request.count)
      }
      return true
    }
    network.run(ticks: 10)
    #expect(network.log(2) == network.log(0))
    // The empty entry of term 6 is sent first, and rejected.
    #expect(sizes == [1, 4, 2, 2, 1, 1], "\(sizes)")
  }

  @Test("losing, doubling and delaying messages changes nothing in the end", arguments: 1...8)
  func badNetwork(seed: UInt64) throws {
    var options = RaftOptions()
    options.inflightMessagesMax = 4
    options.messageEntriesMax = 3
    var random = RandomSource(seed: seed)
    var network = try Network(3, options: options)
    network.elect(0)
    var delayed: [Network.Packet] = []
    for number in 0..<400 {
      if let leader = network.nodes.firstIndex(where: \.isLeader) {
        try? network.propose("\(number)", at: leader)
      }
      delayed += network.packets
      network.packets = []
      for _ in 0..<delayed.count / 2 {
        let packet = delayed.remove(at: Int.random(in: 0..<delayed.count, using: &random))
        switch Int.random(in: 0..<10, using: &random) {
        case 0: break
        case 1:
          delayed.append(packet)
          network.deliver(packet)
        default: network.deliver(packet)
        }
      }
      if number.isMultiple(of: 4) {
        for position in 0..<3 {
          network.clocks[position] = network.clocks[position] + 1
          network.input(position) { _, _ in }
        }
      }
    }
    network.packets += delayed
    network.run(ticks: 300)
    let leader = try #require(network.nodes.firstIndex { $0.isLeader })
    #expect(network.nodes[leader].lastEntry.index > LogIndex(100))
    for position in 0..<3 {
      #expect(network.log(position) == network.log(leader))
      #expect(network.nodes[position].appliedIndex == network.nodes[leader].lastEntry.index)
    }
  }
}
