import RaftCore
import Testing

@Suite("Thesis §3.5: what a follower makes of an append")
struct AppendTests {
  private func entries(_ term: UInt64, _ indexes: ClosedRange<UInt64>) -> [Entry<String>] {
    indexes.map { index in
      Entry(
        id: EntryID(term: Term(term), index: LogIndex(index)), content: .payload("\(index)@\(term)"), bytes: 4
      )
    }
  }

  /// An append of `entries` in the name of node 1, in their term.
  private func append(
    _ entries: [Entry<String>], after previous: (UInt64, UInt64), commit: UInt64, to network: inout Network,
    count: UInt32? = nil
  ) {
    let term = entries.last?.id.term ?? Term(previous.0)
    let request = AppendEntries(
      previous: EntryID(term: Term(previous.0), index: LogIndex(previous.1)), entriesTerm: term,
      count: count ?? UInt32(entries.count), commitIndex: LogIndex(commit))
    network.packets = []
    network.say(.appendEntries(request), from: 1, to: 3, term: term.rawValue, entries: entries)
  }

  private func replies(_ network: Network) -> [AppendEntriesReply] {
    network.packets.compactMap { packet in
      if case .appendEntriesReply(let reply) = packet.message.body { reply } else { nil }
    }
  }

  @Test(
    "the commit index becomes the lower of the leader's and the last entry shown (scenario 5)",
    arguments: [(3, 3), (99, 4), (1, 1)] as [(UInt64, UInt64)])
  func commitIsTheLower(told: UInt64, expected: UInt64) throws {
    var network = try Network(3)
    append(entries(2, 2...4), after: (1, 1), commit: told, to: &network)
    #expect(network.nodes[2].commitIndex == LogIndex(expected))
    #expect(network.nodes[2].appliedIndex == LogIndex(expected))
  }

  @Test("an append that was delivered twice is answered twice, and changes the log once")
  func doubled() throws {
    var network = try Network(3)
    for _ in 0..<2 {
      append(entries(2, 2...4), after: (1, 1), commit: 2, to: &network)
      #expect(replies(network) == [.accepted(match: LogIndex(4))])
    }
    #expect(network.log(2) == ["2@2", "3@2", "4@2"])
  }

  @Test("an append behind the end of the log is refused with the last entry that may agree")
  func gap() throws {
    var network = try Network(3)
    append(entries(2, 2...4), after: (1, 1), commit: 1, to: &network)
    append(entries(2, 8...9), after: (2, 7), commit: 9, to: &network)
    let last = EntryID(term: Term(2), index: LogIndex(4))
    #expect(replies(network) == [.rejected(previous: LogIndex(7), hint: last)])
    #expect(network.nodes[2].commitIndex == LogIndex(1))
  }

  @Test("the hint of a refusal skips whole terms that the leader cannot have")
  func hintSkipsTerms() throws {
    var network = try Network(terms: [[], [], [2, 2, 4, 4, 4, 6, 6]], currentTerm: 6)
    append(entries(7, 9...9), after: (5, 8), commit: 1, to: &network)
    let hint = EntryID(term: Term(4), index: LogIndex(6))
    #expect(replies(network) == [.rejected(previous: LogIndex(8), hint: hint)])
  }

  @Test("entries that are compacted away here agree with every leader's log, and what follows them is taken")
  func previousIsCompacted() throws {
    var network = try Network(3)
    append(entries(2, 2...6), after: (1, 1), commit: 6, to: &network)
    network.nodes[2].compact(through: LogIndex(5))
    append(entries(2, 3...4), after: (2, 2), commit: 6, to: &network)
    #expect(replies(network) == [.accepted(match: LogIndex(4))])
    append(entries(2, 3...8), after: (2, 2), commit: 6, to: &network)
    #expect(replies(network) == [.accepted(match: LogIndex(8))])
    #expect(network.nodes[2].baseIndex == LogIndex(5))
    let kept = network.nodes[2].entries(after: LogIndex(5), through: LogIndex(8)).map(Array.init)
    #expect(kept == entries(2, 6...8))
  }

  @Test("a message whose entries do not fit what it says is ignored")
  func misfits() throws {
    var network = try Network(3)
    let good = entries(2, 2...4)
    append(good, after: (1, 1), commit: 4, to: &network, count: 2)
    append(good, after: (1, 1), commit: 4, to: &network, count: 4)
    append(entries(2, 3...4), after: (1, 1), commit: 4, to: &network)
    append([good[0], good[2], good[1]], after: (1, 1), commit: 4, to: &network)
    append(entries(1, 2...2) + entries(2, 3...3), after: (1, 1), commit: 4, to: &network)
    #expect(network.nodes[2].lastEntry.index == LogIndex(1))
    #expect(network.nodes[2].commitIndex == LogIndex(1))
    #expect(replies(network).isEmpty)
  }

  @Test(
    "a configuration is in force as soon as it is appended, and no longer once it is replaced (thesis §4.1)")
  func configurationFollowsLog() throws {
    var network = try Network(terms: [[], [], [2]], currentTerm: 2)
    let founding = network.nodes[2].configuration
    let smaller = try Configuration(voters: Array(founding.members.prefix(2)))
    var configured = entries(2, 3...4)
    configured[0].content = .configuration(smaller)
    append(
      configured, after: (2, 2), commit: 1, to: &network)
    #expect(network.nodes[2].configuration == smaller)
    append(entries(3, 3...3), after: (2, 2), commit: 1, to: &network)
    #expect(network.nodes[2].configuration == founding)
  }

  @Test("a leader ignores an answer for entries that it does not have, and one that points forward")
  func impossibleAnswers() throws {
    var network = try Network(3)
    network.elect(0)
    let term = network.nodes[0].term.rawValue
    let before = network.nodes[0].status
    for reply: AppendEntriesReply in [
      .accepted(match: LogIndex(99)), .accepted(match: LogIndex(.max)),
      .rejected(previous: LogIndex(3), hint: EntryID(term: Term(1), index: LogIndex(3))),
      .rejected(previous: .zero, hint: .zero),
    ] {
      network.say(.appendEntriesReply(reply), from: 2, to: 1, term: term)
    }
    #expect(network.nodes[0].status == before)
  }

  @Test("there is one leader in a term: what another claims in it is ignored")
  func secondLeader() throws {
    var network = try Network(3)
    append(entries(2, 2...2), after: (1, 1), commit: 1, to: &network)
    let request = AppendEntries(
      previous: EntryID(term: Term(1), index: LogIndex(1)), entriesTerm: Term(2), count: 0,
      commitIndex: LogIndex(1))
    network.packets = []
    network.say(.appendEntries(request), from: 2, to: 3, term: 2)
    #expect(network.packets.isEmpty)
    #expect(network.nodes[2].leader == NodeID(1))
  }
}
