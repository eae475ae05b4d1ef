import RaftCore
import Testing

@Suite("Thesis §3.4, §3.6: elections")
struct ElectionTests {
  private func vote(_ term: UInt64, last: (UInt64, UInt64), isPreVote: Bool = false) -> Message.Body {
    .requestVote(
      RequestVote(
        campaignTerm: Term(term), lastEntry: EntryID(term: Term(last.0), index: LogIndex(last.1)),
        isPreVote: isPreVote, isTransfer: false))
  }

  private func grants(_ network: Network) -> [NodeID] {
    network.packets.compactMap { packet in
      if case .requestVoteReply(let reply) = packet.message.body, reply.isGranted {
        packet.message.to
      } else {
        nil
      }
    }
  }

  @Test("a majority elects one leader, and all others follow it")
  func electsOneLeader() throws {
    var network = try Network(5)
    network.run(ticks: 300)
    let leaders = network.nodes.filter(\.isLeader)
    #expect(leaders.count == 1)
    #expect(network.nodes.allSatisfy { $0.leader == leaders.first?.id })
  }

  @Test("a node alone leads without asking anybody, and without waiting for anybody")
  func aloneLeads() throws {
    var network = try Network(1)
    network.run(ticks: 2)
    #expect(network.nodes[0].isLeader)
    #expect(network.nodes[0].commitIndex == LogIndex(2))
  }

  @Test("a vote is given once in a term, again only to the same candidate")
  func oneVotePerTerm() throws {
    var network = try Network(3)
    network.say(vote(5, last: (1, 1)), from: 1, to: 3, term: 5)
    #expect(grants(network) == [NodeID(1)])
    network.packets = []
    network.say(vote(5, last: (9, 9)), from: 2, to: 3, term: 5)
    #expect(grants(network) == [])
    network.say(vote(5, last: (1, 1)), from: 1, to: 3, term: 5)
    #expect(grants(network) == [NodeID(1)])
  }

  @Test("a candidate whose log is behind gets no vote (scenario 24)")
  func staleLogIsRefused() throws {
    var network = try Network(terms: [[1, 1], [1, 1, 2], [1]], currentTerm: 2)
    for (candidate, last) in [(1, (1, 3)), (3, (1, 2))] as [(UInt64, (UInt64, UInt64))] {
      network.say(vote(3 + candidate, last: last), from: candidate, to: 2, term: 3 + candidate)
    }
    #expect(grants(network) == [])
    network.say(vote(9, last: (2, 4)), from: 1, to: 2, term: 9)
    #expect(grants(network) == [NodeID(1)])
  }

  @Test("a vote is not given twice in a term across a restart")
  func voteSurvivesRestart() throws {
    var state = RecoveredState<String>.founding(try Network(3).nodes[0].configuration)
    state.hardState = HardState(term: Term(5), votedFor: NodeID(1))
    var node = try RaftNode(id: NodeID(3), recovered: state, seed: 1)
    var outputs = Outputs()
    node.step(
      Message(from: NodeID(2), to: NodeID(3), term: Term(5), body: vote(5, last: (1, 1))), into: &outputs)
    let replies = outputs.messages.compactMap { message in
      if case .requestVoteReply(let reply) = message.body { reply.isGranted } else { nil }
    }
    #expect(replies == [false])
  }

  @Test("doubled and late answers, and those of strangers, elect nobody (scenarios 21, 22)")
  func answersThatDoNotCount() throws {
    var network = try Network(5)
    while network.nodes[0].role != .preCandidate { network.run(ticks: 1, only: [0]) { _ in false } }
    let term = network.nodes[0].term
    func answer(_ from: UInt64, isPreVote: Bool, campaign: Term) {
      network.say(
        .requestVoteReply(RequestVoteReply(campaignTerm: campaign, isPreVote: isPreVote, isGranted: true)),
        from: from, to: 1, term: term.rawValue)
    }
    for _ in 0..<3 { answer(2, isPreVote: true, campaign: term.next) }
    answer(77, isPreVote: true, campaign: term.next)
    answer(3, isPreVote: false, campaign: term.next)
    answer(3, isPreVote: true, campaign: term)
    #expect(network.nodes[0].role == .preCandidate)
    answer(3, isPreVote: true, campaign: term.next)
    #expect(network.nodes[0].role == .candidate)
    answer(4, isPreVote: true, campaign: term.next)
    answer(5, isPreVote: true, campaign: term.next)
    #expect(network.nodes[0].role == .candidate)
  }

  @Test("a node that hears its leader neither votes nor takes over a term (scenario 55)")
  func stickiness() throws {
    var network = try Network(3)
    network.elect(0)
    network.run(ticks: 3)
    let term = network.nodes[1].term
    network.say(vote(term.rawValue + 5, last: (99, 99)), from: 3, to: 2, term: term.rawValue + 5)
    network.say(
      vote(term.rawValue + 6, last: (99, 99), isPreVote: true), from: 3, to: 2, term: term.rawValue + 5)
    #expect(network.nodes[1].term == term)
    #expect(grants(network) == [])
  }

  @Test("a node that is cut off for long does not depose the leader when it comes back (thesis §9.6)")
  func cutOffNodeComesBack() throws {
    var network = try Network(3)
    network.elect(0)
    network.run(ticks: 500) { $0.from != NodeID(3) && $0.to != NodeID(3) }
    let term = network.nodes[0].term
    network.run(ticks: 200)
    #expect(network.nodes[0].isLeader)
    #expect(network.nodes.allSatisfy { $0.term == term && $0.leader == NodeID(1) })
  }

  @Test("a node that sends but hears nothing does not raise terms (scenario 34)")
  func deafNode() throws {
    var network = try Network(3)
    network.elect(0)
    let term = network.nodes[0].term
    network.run(ticks: 1_000) { $0.to != NodeID(3) }
    #expect(network.nodes[0].isLeader)
    #expect(network.nodes.allSatisfy { $0.term == term })
  }

  @Test("a leader that a majority no longer hears gives up (thesis §6.2)")
  func checkQuorum() throws {
    var network = try Network(3)
    network.elect(0)
    network.run(ticks: 100) { $0.from != NodeID(1) && $0.to != NodeID(1) }
    #expect(!network.nodes[0].isLeader)
    #expect(network.nodes[1].isLeader || network.nodes[2].isLeader)
  }

  @Test("a leader of an old term is taught that it is over by a node that cannot win (scenario 27)")
  func oldLeaderIsTaught() throws {
    var network = try Network(3)
    network.elect(0)
    let term = network.nodes[0].term.rawValue
    // Node 3 has seen a higher term, and has a shorter log.
    network.say(.staleTerm, from: 2, to: 3, term: term + 3)
    network.run(ticks: 400)
    #expect(network.nodes.count(where: \.isLeader) == 1)
    #expect(network.nodes.allSatisfy { $0.term >= Term(term + 3) })
  }

  @Test(
    "full omission: a mesh of three and two nodes that each hear one of them keep one leader (scenario 32)")
  func fullOmission() throws {
    var network = try Network(5)
    let links: Set<[UInt64]> = [[1, 2], [2, 3], [1, 3], [2, 4], [3, 5]]
    func passes(_ message: Message) -> Bool {
      links.contains([message.from.rawValue, message.to.rawValue].sorted())
    }
    network.run(ticks: 2_000, passes)
    let leader = try #require(network.nodes.firstIndex { $0.isLeader })
    let term = network.nodes[leader].term
    network.run(ticks: 2_000, passes)
    #expect(network.nodes[leader].isLeader)
    #expect(network.nodes[leader].term == term)
  }

  @Test("absurd numbers from a peer are ignored, not counted on")
  func absurdNumbers() throws {
    var network = try Network(3)
    for term in [UInt64.max, UInt64(1 << 62) + 1] as [UInt64] {
      network.say(.staleTerm, from: 1, to: 3, term: term)
      network.say(vote(term, last: (1, 1)), from: 1, to: 3, term: term)
    }
    #expect(network.nodes[2].term == Term(1))
  }
}

@Suite("The lost connection: a crashed leader is replaced at once")
struct LostConnectionTests {
  @Test("when the leader's connections break, another is elected within a few ticks")
  func leaderLost() throws {
    var network = try Network(3)
    network.elect(0)
    network.run(ticks: 3)
    for position in [1, 2] { network.input(position) { $0.connectionLost(to: NodeID(1), into: &$1) } }
    network.run(ticks: 15, only: [1, 2]) { $0.from != NodeID(1) && $0.to != NodeID(1) }
    #expect(network.nodes[1].isLeader || network.nodes[2].isLeader)
  }

  @Test("a leader that the others still hear keeps its place")
  func leaderStays() throws {
    var network = try Network(3)
    network.elect(0)
    network.run(ticks: 3)
    network.input(1) { $0.connectionLost(to: NodeID(1), into: &$1) }
    network.run(ticks: 200)
    #expect(network.nodes[0].isLeader)
  }

  @Test("any contact from the leader cancels the report")
  func contactCancels() throws {
    var network = try Network(3)
    network.elect(0)
    for position in [1, 2] { network.input(position) { $0.connectionLost(to: NodeID(1), into: &$1) } }
    network.say(
      .heartbeat(Heartbeat(commitIndex: .zero, heldByAll: .zero, round: 99)), from: 1, to: 2,
      term: network.nodes[0].term.rawValue)
    network.say(
      .heartbeat(Heartbeat(commitIndex: .zero, heldByAll: .zero, round: 99)), from: 1, to: 3,
      term: network.nodes[0].term.rawValue)
    network.packets = []
    network.run(ticks: 10, only: [1, 2])
    #expect(network.nodes[0].isLeader)
    #expect(network.nodes[1].leader == NodeID(1))
  }
}
