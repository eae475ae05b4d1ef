import RaftCore
import Testing

@Suite("Thesis §4: membership")
struct MembershipTests {
  private func member(_ id: UInt64) -> Member {
    Member(id: NodeID(id), address: "n\(id)", store: .durable)
  }

  /// Three voters with leader 1, and `newcomers` nodes that belong to nobody.
  private func cluster(_ voters: Int = 3, newcomers: Int = 0) throws -> Network {
    var network = try Network(voters)
    for offset in 0..<newcomers { try network.addNewcomer(UInt64(voters + offset + 1)) }
    network.elect(0)
    return network
  }

  private func voters(_ network: Network, _ position: Int) -> [UInt64] {
    network.nodes[position].configuration.voters.map(\.rawValue)
  }

  @Test("a newcomer learns the log without being counted, and is promoted once it has caught up (§4.2.1)")
  func learnerIsPromoted() throws {
    var network = try cluster(newcomers: 1)
    try network.propose("a", at: 0)
    network.deliver()
    try network.change([.addLearner(member(4))], at: 0)
    #expect(throws: ConfigurationChangeError.changeUnderWay(at: LogIndex(4))) {
      try network.change([.promote(NodeID(4))], at: 0)
    }
    #expect(network.nodes[0].configuration.learners == [NodeID(4)], "in force when appended")
    network.deliver()
    #expect(network.log(3) == network.log(0))
    #expect(network.nodes[3].configuration.learners == [NodeID(4)])
    network.run(ticks: 12)
    try network.change([.promote(NodeID(4))], at: 0)
    network.deliver()
    #expect(voters(network, 3) == [1, 2, 3, 4])
    #expect(network.nodes[0].commitIndex == network.nodes[0].lastEntry.index)
  }

  @Test("a learner that lags or is silent is not promoted, and neither is a stranger (§4.2.1)")
  func lateLearner() throws {
    var network = try cluster(newcomers: 1)
    #expect(throws: ConfigurationChangeError.notALearner(NodeID(4))) {
      try network.change([.promote(NodeID(4))], at: 0)
    }
    try network.change([.addLearner(member(4))], at: 0)
    network.deliver { $0.to != NodeID(4) }
    #expect(throws: ConfigurationChangeError.notCaughtUp(NodeID(4))) {
      try network.change([.promote(NodeID(4))], at: 0)
    }
    network.run(ticks: 10)
    network.deliver()
    #expect(network.nodes[0].status.peers.last?.isCaughtUp == true)
    // Silent for a minimum election timeout.
    network.run(ticks: 31) { $0.from != NodeID(4) }
    #expect(throws: ConfigurationChangeError.notCaughtUp(NodeID(4))) {
      try network.change([.promote(NodeID(4))], at: 0)
    }
  }

  @Test("a change says where it stands, and is settled like a proposal: by the term that is committed there")
  func placeOfAChange() throws {
    var network = try cluster(newcomers: 1)
    for isAlone in [false, true] {
      var entry: EntryID?
      network.input(0) { node, outputs in
        let change = isAlone ? ConfigurationChange.remove(NodeID(4)) : .addLearner(member(4))
        entry = try? node.changeConfiguration([change], into: &outputs)
      }
      let place = try #require(entry)
      #expect(network.nodes[0].configuration(at: place.index)?.index == place.index)
      if isAlone {
        network.replaceLeader(0, by: 1)
        network.run(ticks: 10)
        #expect(network.nodes[0].term(at: place.index) == network.nodes[1].term)
        #expect(network.nodes[0].configuration.learners == [NodeID(4)], "as if it had not been asked for")
      } else {
        network.run(ticks: 10)
        #expect(network.nodes[0].commitIndex == place.index)
        #expect(network.nodes[0].term(at: place.index) == place.term)
      }
    }
  }

  @Test("learners count neither for commitment, nor for elections, nor for reads (scenario 41)")
  func learnersDoNotCount() throws {
    var network = try cluster(2, newcomers: 3)
    try network.change([3, 4, 5].map { .addLearner(member($0)) }, at: 0)
    network.run(ticks: 10)
    let committed = network.nodes[0].commitIndex
    try network.propose("x", at: 0)
    network.deliver { $0.from != NodeID(2) && $0.to != NodeID(2) }
    #expect(network.nodes[0].commitIndex == committed)
    network.input(0) { node, outputs in node.readIndex(ReadID(boot: 1, number: 1), into: &outputs) }
    network.deliver { $0.from != NodeID(2) && $0.to != NodeID(2) }
    #expect(network.reads[0].isEmpty)
    network.run(ticks: 200, only: [0, 2, 3, 4]) { $0.from != NodeID(2) && $0.to != NodeID(2) }
    #expect(!network.nodes.contains { $0.isLeader })
    #expect(Set(network.nodes.map(\.term)) == [Term(2)], "learners ask, but do not count each other")
  }

  @Test("several voters are exchanged through one joint phase, which ends by itself (§4.3)")
  func jointChange() throws {
    var network = try cluster(newcomers: 2)
    try network.change([.addLearner(member(4)), .addLearner(member(5))], at: 0)
    network.run(ticks: 12)
    try network.change(
      [.promote(NodeID(4)), .promote(NodeID(5)), .remove(NodeID(2)), .demote(NodeID(3))], at: 0)
    let joint = network.nodes[0].configuration
    #expect(joint.isJoint)
    #expect(joint.outgoingVoters == [NodeID(1), NodeID(2), NodeID(3)])
    #expect(joint.learners == [NodeID(3)], "it votes until the joint phase ends")
    network.deliver()
    for position in [0, 2, 3, 4] {
      let configuration = network.nodes[position].configuration
      #expect(!configuration.isJoint)
      #expect(configuration.voters == [NodeID(1), NodeID(4), NodeID(5)])
      #expect(configuration.learners == [NodeID(3)])
    }
    #expect(network.nodes[0].commitIndex == network.nodes[0].lastEntry.index)
  }

  @Test("in the joint phase nothing is committed, and nobody elected, without a majority of each half (§4.3)")
  func bothMajorities() throws {
    var network = try cluster(newcomers: 2)
    try network.change([.addLearner(member(4)), .addLearner(member(5))], at: 0)
    network.run(ticks: 12)
    try network.change(
      [.promote(NodeID(4)), .promote(NodeID(5)), .remove(NodeID(2)), .remove(NodeID(3))], at: 0)
    // The new half is {1, 4, 5}, the old one {1, 2, 3}. Everybody has the joint configuration, nobody's answers arrive.
    network.deliver { $0.from == NodeID(1) }
    let before = network.nodes[0].commitIndex
    // The new half alone.
    network.run(ticks: 20, only: [0]) {
      ![2, 3].contains($0.from.rawValue) && ![2, 3].contains($0.to.rawValue)
    }
    #expect(network.nodes[0].commitIndex == before)
    #expect(network.nodes[0].configuration.isJoint, "what is not committed is not left (scenario 47)")
    // The new half without the leader elects nobody, though it is a majority of itself.
    network.run(ticks: 300, only: [3, 4]) {
      [4, 5].contains($0.from.rawValue) && [4, 5].contains($0.to.rawValue)
    }
    #expect(!network.nodes[3...].contains { $0.isLeader })
    network.run(ticks: 300)
    #expect(network.nodes.filter(\.isLeader).count == 1)
    let leader = try #require(network.nodes.first { $0.isLeader })
    #expect(leader.configuration.voters == [NodeID(1), NodeID(4), NodeID(5)])
    #expect(!leader.configuration.isJoint)
  }

  @Test(
    "that an earlier entry is committed does not end a joint phase: its own entry has to be (scenario 47)")
  func commitBeforeJointEntry() throws {
    var network = try cluster(newcomers: 2)
    try network.change([.addLearner(member(4)), .addLearner(member(5))], at: 0)
    network.run(ticks: 12)
    try network.propose("x", at: 0)
    let before = network.nodes[0].lastEntry.index
    try network.change([.promote(NodeID(4)), .promote(NodeID(5)), .remove(NodeID(3))], at: 0)
    network.packets = []
    for peer in 2...5 as ClosedRange<UInt64> {
      network.say(
        .appendEntriesReply(.accepted(match: before)), from: peer, to: 1, term: network.nodes[0].term.rawValue
      )
    }
    #expect(network.nodes[0].commitIndex == before)
    #expect(network.nodes[0].configuration.isJoint)
    #expect(network.nodes[0].lastEntry.index == before.next)
  }

  @Test("a leader that inherits a joint phase ends it, whoever began it (scenarios 54, 56)")
  func inheritedJointPhase() throws {
    var network = try cluster(newcomers: 2)
    try network.change([.addLearner(member(4)), .addLearner(member(5))], at: 0)
    network.run(ticks: 12)
    try network.change(
      [.promote(NodeID(4)), .promote(NodeID(5)), .remove(NodeID(3)), .remove(NodeID(2))], at: 0)
    // All have the joint entry; the leader dies before it hears of that.
    network.deliver { $0.from == NodeID(1) }
    network.run(ticks: 300, only: [1, 2, 3, 4]) { $0.from != NodeID(1) && $0.to != NodeID(1) }
    let leader = try #require(network.nodes[1...].first { $0.isLeader })
    #expect(!leader.configuration.isJoint)
    #expect(leader.configuration.voters == [NodeID(1), NodeID(4), NodeID(5)])
  }

  @Test(
    "a removed leader steps down once its removal is committed, and the others have a leader at once (§4.2.2)"
  )
  func removedLeader() throws {
    var network = try cluster()
    try network.change([.remove(NodeID(1))], at: 0)
    #expect(network.nodes[0].isLeader, "it manages a cluster that it is not part of, until that is committed")
    #expect(throws: ProposeError.transferring) { try network.propose("late", at: 0) }
    network.deliver()
    #expect(!network.nodes[0].isLeader)
    #expect(network.events[0].contains(.steppedDown(term: Term(2), reason: .removed)))
    #expect(network.nodes[1...].filter(\.isLeader).count == 1)
    network.run(ticks: 300)
    #expect(network.nodes[0].term <= network.nodes[1].term)
    #expect(!network.nodes[0].isLeader)
  }

  @Test("a leader of two that removes itself leaves the other one leading (scenario 53)")
  func removedLeaderOfTwo() throws {
    for loses in [false, true] {
      var network = try cluster(2)
      try network.change([.remove(NodeID(1))], at: 0)
      // Once with the word that the removal is committed, and once without it.
      network.deliver { message in
        if loses, message.from == NodeID(1), case .appendEntries(let request) = message.body {
          return request.count > 0
        }
        return !loses || message.body != .timeoutNow
      }
      network.run(ticks: 100)
      #expect(network.nodes[1].isLeader)
      #expect(!network.nodes[0].isLeader)
      #expect(network.nodes[1].configuration.voters == [NodeID(2)])
    }
  }

  @Test("a removed follower learns of its removal, and is then forgotten")
  func removedFollowerIsTold() throws {
    var network = try cluster()
    try network.change([.remove(NodeID(3))], at: 0)
    network.run(ticks: 15)
    #expect(network.nodes[2].configuration.member(NodeID(3)) == nil)
    #expect(network.nodes[2].commitIndex >= LogIndex(3))
    let sent = network.packets.count
    #expect(sent == 0)
    network.run(ticks: 20, only: [0]) { message in
      #expect(message.to != NodeID(3), "nothing is sent to it any more")
      return true
    }
    #expect(network.nodes[0].status.peers.map(\.id) == [NodeID(2)])
  }

  @Test("a removed node that was away when it happened disturbs nobody (§4.2.3, scenario 55)")
  func removedNodeDoesNotDisturb() throws {
    var network = try cluster()
    try network.change([.remove(NodeID(3))], at: 0)
    network.deliver { $0.to != NodeID(3) }
    network.run(ticks: 400) { $0.to != NodeID(3) || $0.from != NodeID(1) }
    let term = network.nodes[0].term
    #expect(network.nodes[0].isLeader)
    #expect(network.nodes[2].configuration.isVoter(NodeID(3)), "it does not know")
    // It campaigns all the time, also with a higher term and the mark of a real campaign.
    for attempt in 1...5 as ClosedRange<UInt64> {
      let request = RequestVote(
        campaignTerm: Term(term.rawValue + attempt), lastEntry: EntryID(term: term, index: LogIndex(99)),
        isPreVote: false, isTransfer: false)
      for to in [1, 2] as [UInt64] {
        network.say(.requestVote(request), from: 3, to: to, term: term.rawValue + attempt)
      }
      network.run(ticks: 3)
    }
    #expect(network.nodes[0].isLeader)
    #expect(network.nodes[0].term == term)
  }

  @Test("changes one at a time need a committed entry of the leader's term first (scenario 45)")
  func termMustBeOpen() throws {
    var network = try cluster(4)
    let outcomes = { (network: inout Network, changes: [ConfigurationChange]) -> ConfigurationChangeError? in
      do {
        try network.change(changes, at: 1)
        return nil
      } catch { return error as? ConfigurationChangeError }
    }
    network.run(ticks: 10)
    // Node 2 is elected, but none of its appends is answered yet.
    network.replaceLeader(0, by: 1) { message in
      if case .appendEntriesReply = message.body { false } else { true }
    }
    #expect(outcomes(&network, [.addLearner(member(5))]) == .termNotOpen)
    #expect(outcomes(&network, [.remove(NodeID(3))]) == .termNotOpen)
    #expect(outcomes(&network, [.demote(NodeID(4))]) == .termNotOpen)
    network.run(ticks: 20, only: [1, 2, 3])
    #expect(outcomes(&network, [.remove(NodeID(3))]) == nil)
  }

  @Test(
    "of two leaders, each of which changes the configuration, only one can commit anything (scenario 45)",
    arguments: [0, 1, 2])
  func twoLeadersTwoChanges(_ variant: Int) throws {
    // Leader 1 begins a change that nobody else gets; leader 2 begins another one and commits it; 1 returns.
    let first: [ConfigurationChange] = variant == 1 ? [.remove(NodeID(4))] : [.addLearner(member(5))]
    let second: [ConfigurationChange] = variant == 0 ? [.addLearner(member(6))] : [.remove(NodeID(3))]
    var network = try cluster(4, newcomers: 2)
    try network.change(first, at: 0)
    network.packets = []
    network.replaceLeader(0, by: 1)
    network.run(ticks: 6, only: [1, 2, 3]) { $0.from != NodeID(1) && $0.to != NodeID(1) }
    try network.change(second, at: 1)
    network.deliver { $0.from != NodeID(1) && $0.to != NodeID(1) }
    let committed = network.nodes[1].commitIndex
    let entries = try #require(network.nodes[1].entries(after: LogIndex(1), through: committed)).map(\.id)
    // Whoever leads from now on holds what was committed.
    network.run(ticks: 300) { $0.from != NodeID(2) && $0.to != NodeID(2) }
    network.run(ticks: 300)
    let leader = try #require(network.nodes.first { $0.isLeader })
    let kept = try #require(leader.entries(after: LogIndex(1), through: committed)).map(\.id)
    #expect(kept == entries)
  }

  @Test("a change that is truncated brings the configuration before it back (§4.1, scenario 50)")
  func truncatedChange() throws {
    var network = try cluster(newcomers: 1)
    try network.change([.addLearner(member(4))], at: 0)
    #expect(network.nodes[0].configuration.learners == [NodeID(4)])
    network.packets = []
    network.replaceLeader(0, by: 1)
    network.run(ticks: 20)
    #expect(network.nodes[0].configuration.learners == [])
    #expect(network.nodes[0].configuration == network.nodes[1].configuration)
  }

  @Test("a truncated change brings the one before it back even if that was compacted away (scenario 50)")
  func truncatedBehindCompaction() throws {
    var network = try cluster(newcomers: 1)
    try network.change([.addLearner(member(4))], at: 0)
    network.run(ticks: 10)
    for position in 0..<3 { network.snapshot(position) }
    #expect(network.nodes[0].baseIndex == LogIndex(3))
    try network.change([.remove(NodeID(4))], at: 0)
    network.packets = []
    network.replaceLeader(0, by: 1)
    network.run(ticks: 20)
    #expect(network.nodes[0].configuration.learners == [NodeID(4)])
  }

  @Test("who was promoted without knowing it votes nevertheless (scenario 52)")
  func unknowingVoter() throws {
    var network = try cluster(1, newcomers: 1)
    try network.change([.addLearner(member(2))], at: 0)
    network.run(ticks: 12)
    try network.change([.promote(NodeID(2))], at: 0)
    network.packets = []
    #expect(network.nodes[1].configuration.learners == [NodeID(2)], "it does not know")
    #expect(network.nodes[0].commitIndex < network.nodes[0].lastEntry.index, "two voters need both")
    // The leader restarts: with the promotion in its log it needs the other's vote.
    var state = RecoveredState<String>.founding(try Configuration(voters: [member(1)]))
    let entries = try #require(
      network.nodes[0].entries(after: LogIndex(1), through: network.nodes[0].lastEntry.index))
    state.entries += entries
    state.hardState = HardState(term: network.nodes[0].term, votedFor: NodeID(1))
    network.nodes[0] = try RaftNode(id: NodeID(1), recovered: state, seed: 9, now: network.clocks[0])
    network.run(ticks: 200)
    #expect(network.nodes[0].isLeader)
    #expect(voters(network, 1) == [1, 2])
  }

  @Test("a restart inside the joint phase still needs both majorities (scenario 49)")
  func restartInJointPhase() throws {
    let members = (1...5).map { member($0) }
    let joint = try Configuration(
      members: members, voters: [NodeID(1), NodeID(4), NodeID(5)],
      outgoingVoters: [NodeID(1), NodeID(2), NodeID(3)])
    var network = try Network(5)
    for position in network.nodes.indices {
      let state = RecoveredState<String>.founding(joint)
      network.nodes[position] = try RaftNode(
        id: NodeID(UInt64(position) + 1), recovered: state, seed: UInt64(position))
    }
    network.run(ticks: 200) { ![2, 3].contains($0.from.rawValue) && ![2, 3].contains($0.to.rawValue) }
    #expect(!network.nodes.contains { $0.isLeader }, "one half alone elects nobody")
    network.run(ticks: 200)
    #expect(network.nodes.filter(\.isLeader).count == 1)
    #expect(network.nodes.first { $0.isLeader }?.configuration.isJoint == false)
  }

  @Test(
    "leadership is handed to no learner, and a handover to a voter that is demoted is given up (scenario 57)")
  func transferAndMembership() throws {
    var network = try cluster(newcomers: 1)
    try network.change([.addLearner(member(4))], at: 0)
    network.run(ticks: 10)
    #expect(throws: TransferError.notAVoter) {
      try network.nodes[0].transferLeadership(to: NodeID(4), into: &network.outputs)
    }
    try network.change([.promote(NodeID(4))], at: 0)
    network.run(ticks: 5)
    var failure: TransferError?
    network.input(0) { node, outputs in
      do throws(TransferError) {
        try node.transferLeadership(to: NodeID(4), into: &outputs)
      } catch { failure = error }
    }
    #expect(failure == nil)
    network.deliver()
    #expect(network.nodes[3].isLeader)
  }

  @Test("what cannot be a change is refused with its reason")
  func refusals() throws {
    var network = try cluster()
    let cases: [([ConfigurationChange], ConfigurationChangeError)] = [
      ([.addLearner(member(2))], .alreadyMember(NodeID(2))),
      ([.promote(NodeID(2))], .notALearner(NodeID(2))),
      ([.demote(NodeID(9))], .notAVoter(NodeID(9))),
      ([.remove(NodeID(9))], .notAMember(NodeID(9))),
      ([.update(member(9))], .notAMember(NodeID(9))),
      ([.update(member(2))], .changesNothing),
      ([.useLeaseReads(false)], .changesNothing),
      ([.remove(NodeID(1)), .remove(NodeID(2)), .remove(NodeID(3))], .invalid(.noVoters)),
      ([.addLearner(member(0))], .invalid(.reservedID)),
    ]
    for (changes, expected) in cases {
      #expect(throws: expected) { try network.change(changes, at: 0) }
    }
    #expect(throws: ConfigurationChangeError.notLeader(leader: NodeID(1))) {
      try network.change([.remove(NodeID(3))], at: 1)
    }
    #expect(network.nodes[0].lastEntry.index == LogIndex(2), "nothing was appended")
  }
}
