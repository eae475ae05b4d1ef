import RaftCore
import Testing

@testable import RaftCore

@Suite("What went wrong once")
struct RegressionTests {
  @Test("a peer with a full window whose log is compacted away is left behind, and named (scenario 9)")
  func fullWindowCompactedAway() throws {
    var options = RaftOptions()
    options.inflightMessagesMax = 4
    var network = try Network(3, options: options)
    network.elect(0)
    network.run(ticks: 10)
    for number in 0..<30 {
      try network.propose("\(number)", at: 0)
      network.deliver { $0.to != NodeID(3) && $0.from != NodeID(3) }
    }
    network.nodes[0].compact(through: network.nodes[0].appliedIndex)
    network.run(ticks: 30)
    #expect(network.nodes[0].status.peers.contains { $0.id == NodeID(3) && $0.isLeftBehind })
  }

  @Test("reads that make rounds follow each other do not repeat a probe at every answer")
  func probesWait() throws {
    var network = try Network(3)
    network.elect(0)
    network.run(ticks: 10)
    // Node 3 takes heartbeats, but its disk does not finish, so that appends are not acknowledged.
    network.stalled = [2]
    let term = network.nodes[0].term.rawValue
    try network.propose("a", at: 0)
    network.say(
      .appendEntriesReply(.rejected(previous: LogIndex(2), hint: EntryID(term: Term(1), index: LogIndex(1)))),
      from: 3, to: 1, term: term)
    var appends = 0
    for number in 1...200 as ClosedRange<UInt64> {
      network.input(0) { $0.readIndex(ReadID(boot: 1, number: number), into: &$1) }
      network.deliver { message in
        if case .appendEntries = message.body, message.to == NodeID(3) { appends += 1 }
        return true
      }
    }
    #expect(network.reads[0].count == 200)
    #expect(appends <= 8, "\(appends) appends in one tick")
  }

  @Test("messages that wait for their writes do not pile up while writes overlap")
  func heldMessagesAreFreed() throws {
    var network = try Network(3)
    network.stalled = [2]
    let entries = (2...1_001).map { index in
      Entry(
        id: EntryID(term: Term(2), index: LogIndex(UInt64(index))), content: EntryContent.payload("x"),
        bytes: 1)
    }
    for entry in entries {
      let previous = EntryID(
        term: entry.id.index == LogIndex(2) ? Term(1) : Term(2), index: entry.id.index.previous)
      let request = AppendEntries(
        previous: previous, entriesTerm: Term(2), count: 1, commitIndex: LogIndex(1))
      network.say(.appendEntries(request), from: 1, to: 3, term: 2, entries: [entry])
      if network.writesInFlight(2) > 2 { network.completeWrites(2, count: 1) }
    }
    #expect((1..<200).contains(network.nodes[2].heldMessages))
  }

  @Test("a pre-candidate that votes for another gives its own pre-vote up (scenario 31)")
  func preCandidateThatVotes() throws {
    var network = try Network(3)
    while network.nodes[0].role != .preCandidate { network.run(ticks: 1, only: [0]) { _ in false } }
    let term = network.nodes[0].term
    let vote = RequestVote(
      campaignTerm: term, lastEntry: network.nodes[0].lastEntry, isPreVote: false, isTransfer: false)
    network.say(.requestVote(vote), from: 2, to: 1, term: term.rawValue)
    let late = RequestVoteReply(campaignTerm: term.next, isPreVote: true, isGranted: true)
    network.say(.requestVoteReply(late), from: 3, to: 1, term: term.rawValue)
    #expect(network.nodes[0].term == term)
    #expect(network.nodes[0].role == .follower(leader: nil))
  }

  @Test("a heartbeat answer to a round that was never begun confirms nothing")
  func roundFromTheFuture() throws {
    var network = try Network(3)
    network.elect(0)
    network.run(ticks: 10)
    let term = network.nodes[0].term.rawValue
    network.say(.heartbeatReply(HeartbeatReply(round: .max)), from: 2, to: 1, term: term)
    network.input(0) { $0.readIndex(ReadID(boot: 1, number: 1), into: &$1) }
    #expect(network.reads[0].isEmpty)
  }

  @Test(
    "a leader of two that leaves, and is cut off before the other knows, comes back to end it (§4.2.2, fig. 4.6)",
    arguments: [ConfigurationChange.remove(NodeID(1)), .demote(NodeID(1))])
  func leavingLeaderCutOff(_ change: ConfigurationChange) throws {
    var network = try Network(2)
    network.elect(0)
    network.run(ticks: 10)
    try network.change([change], at: 0)
    network.packets = []
    network.run(ticks: 100) { _ in false }
    #expect(!network.nodes.contains { $0.isLeader })
    network.run(ticks: 500)
    #expect(network.nodes[1].isLeader)
    #expect(network.nodes[1].configuration.voters == [NodeID(2)])
    #expect(network.nodes[1].commitIndex == network.nodes[1].lastEntry.index)
    network.run(ticks: 500)
    #expect(network.nodes[1].isLeader)
    let isMember = network.nodes[1].configuration.member(NodeID(1)) != nil
    let never = UInt64.max - network.clocks[0].rawValue
    #expect((network.nodes[0].ticksUntilNextDeadline == never) == !isMember)
  }

  @Test("an append that begins at an absurd index is ignored")
  func absurdIndex() throws {
    var network = try Network(3)
    let entry = Entry(
      id: EntryID(term: Term(2), index: LogIndex(5)), content: EntryContent.payload("x"), bytes: 1)
    let request = AppendEntries(
      previous: EntryID(term: Term(1), index: LogIndex(.max)), entriesTerm: Term(2), count: 1,
      commitIndex: LogIndex(1))
    network.say(.appendEntries(request), from: 1, to: 3, term: 2, entries: [entry])
    #expect(network.nodes[2].lastEntry.index == LogIndex(1))
  }
}

extension RaftNode {
  /// How many messages wait for writes, or their places do.
  var heldMessages: Int { Mirror(reflecting: self).descendant("engine", "writes", "held").map(countOf) ?? 0 }

  private func countOf(_ array: Any) -> Int { Mirror(reflecting: array).children.count }
}
