import RaftCore
import Testing

@Suite("Answers that wait for a disk")
struct HeldMessagesTests {
  @Test("a follower whose disk hangs does not gather answers for ever")
  func hangingDisk() throws {
    var network = try Network(3)
    network.elect(0)
    network.run(ticks: 12)
    network.stalled = [1]
    try network.propose("a", at: 0)
    network.run(ticks: 10_000)
    #expect(network.nodes[0].isLeader)
    network.stalled = []
    network.completeWrites(1)
    let answers = network.packets.filter { $0.message.from == NodeID(2) }
    #expect((1...3).contains(answers.count), "\(answers.count)")
    network.run(ticks: 10)
    #expect(network.nodes[1].commitIndex == network.nodes[0].lastEntry.index)
  }

  @Test(
    "of answers that wait for one write the one that reaches furthest is given, in whatever order they came")
  func furthest() throws {
    var network = try Network(3)
    network.elect(0)
    network.run(ticks: 12)
    network.stalled = [1]
    try network.propose("a", at: 0)
    let packets = network.packets.filter { $0.message.to == NodeID(2) }
    network.deliver()
    let last = network.nodes[0].lastEntry.index
    // An empty append from before comes late.
    network.say(
      .appendEntries(
        AppendEntries(
          previous: EntryID(term: Term(2), index: LogIndex(2)), entriesTerm: Term(2), count: 0,
          commitIndex: LogIndex(2))),
      from: 1, to: 2, term: 2)
    for packet in packets { network.deliver(packet) }
    network.packets = []
    network.completeWrites(1)
    let matches = network.packets.compactMap { packet -> LogIndex? in
      guard case .appendEntriesReply(.accepted(let match)) = packet.message.body else { return nil }
      return match
    }
    #expect(matches.contains(last))
    #expect(matches.count <= 2)
  }

  @Test("what cannot be put in the place of an earlier answer is limited in number")
  func limit() throws {
    var network = try Network(3)
    network.elect(0)
    network.run(ticks: 12)
    network.stalled = [1]
    // Its new term is not durable, and an old follower asks it for reads, each of which is refused by itself.
    network.say(.timeoutNow, from: 1, to: 2, term: 2)
    #expect(network.nodes[1].term == Term(3))
    for number in 0..<10_000 as Range<UInt64> {
      network.say(.readIndex(ReadID(boot: 1, number: number)), from: 3, to: 2, term: 2)
    }
    network.packets = []
    network.completeWrites(1)
    #expect((1...5000).contains(network.packets.count), "\(network.packets.count)")
    network.stalled = []
    network.run(ticks: 10)
    #expect(network.nodes[1].isLeader, "its own vote and its requests are not among what is lost")
  }
}
