import RaftCore
import Testing

@Suite("Thesis §3.3, §3.4: terms and timeouts")
struct TermTests {
  @Test("every campaign draws its own timeout, within the limits")
  func timeoutsAreRedrawn() throws {
    let options = RaftOptions()
    var network = try Network(3)
    var waits: [UInt64] = []
    for _ in 0..<40 {
      let wait = network.nodes[0].ticksUntilNextDeadline
      waits.append(wait)
      network.clocks[0] = network.clocks[0] + Int(wait)
      network.input(0) { _, _ in }
    }
    let limits = UInt64(options.electionTimeoutTicksMin)...UInt64(options.electionTimeoutTicksMax)
    #expect(waits.allSatisfy(limits.contains))
    #expect(Set(waits).count > 10, "\(waits)")
  }

  @Test("the seed decides every draw: the same one draws the same, others differ")
  func seedDecides() throws {
    let state = RecoveredState<String>.founding(try Network(3).nodes[0].configuration)
    func draws(_ seed: UInt64) throws -> [UInt64] {
      var node = try RaftNode(id: NodeID(1), recovered: state, seed: seed)
      var outputs = Outputs()
      var now = Ticks.zero
      return (0..<20).map { _ in
        let wait = node.ticksUntilNextDeadline
        now = now + Int(wait)
        node.advance(to: now, into: &outputs)
        return wait
      }
    }
    #expect(try draws(1) == draws(1))
    #expect(try draws(1) != draws(2))
  }

  static let repliesOfHigherTerm: [Message.Body] = [
    .staleTerm, .heartbeatReply(HeartbeatReply(round: 1)), .appendEntriesReply(.accepted(match: LogIndex(1))),
    .requestVoteReply(RequestVoteReply(campaignTerm: Term(9), isPreVote: false, isGranted: false)),
    .heartbeat(Heartbeat(commitIndex: .zero, heldByAll: .zero, round: 1)),
  ]

  @Test(
    "any message of a later term ends a leadership, and the term is adopted", arguments: repliesOfHigherTerm)
  func leaderAdoptsTerm(body: Message.Body) throws {
    var network = try Network(3)
    network.elect(0)
    network.say(body, from: 2, to: 1, term: 9)
    #expect(!network.nodes[0].isLeader)
    #expect(network.nodes[0].term == Term(9))
    #expect(network.nodes[0].status.peers.isEmpty)
  }

  @Test(
    "any message of a later term ends a campaign, and the term is adopted", arguments: repliesOfHigherTerm)
  func candidateAdoptsTerm(body: Message.Body) throws {
    var network = try Network(3)
    while network.nodes[0].role != .candidate {
      network.run(ticks: 1, only: [0]) { message in
        if case .requestVote(let request) = message.body { request.isPreVote } else { true }
      }
    }
    network.say(body, from: 2, to: 1, term: 9)
    guard case .follower = network.nodes[0].role else {
      Issue.record("it is a \(network.nodes[0].role)")
      return
    }
    #expect(network.nodes[0].term == Term(9))
  }

  @Test("a message of an earlier term changes nothing but that its leader is told")
  func earlierTerm() throws {
    var network = try Network(3)
    network.say(.staleTerm, from: 2, to: 3, term: 9)
    let wait = network.nodes[2].ticksUntilNextDeadline
    let heartbeat = Heartbeat(commitIndex: LogIndex(1), heldByAll: .zero, round: 1)
    network.say(.heartbeat(heartbeat), from: 1, to: 3, term: 8)
    network.say(.heartbeatReply(HeartbeatReply(round: 1)), from: 2, to: 3, term: 8)
    #expect(network.nodes[2].leader == nil)
    #expect(network.nodes[2].ticksUntilNextDeadline == wait)
    #expect(
      network.packets.map(\.message)
        == [Message(from: NodeID(3), to: NodeID(1), term: Term(9), body: .staleTerm)])
  }

  @Test("a candidate that finds the leader of its own term follows, and its vote stays given (scenario 20)")
  func voteStaysGiven() throws {
    var network = try Network(3)
    while network.nodes[0].role != .candidate {
      network.run(ticks: 1, only: [0]) { message in
        if case .requestVote(let request) = message.body { request.isPreVote } else { true }
      }
    }
    let term = network.nodes[0].term
    let heartbeat = Heartbeat(commitIndex: .zero, heldByAll: .zero, round: 1)
    network.say(.heartbeat(heartbeat), from: 2, to: 1, term: term.rawValue)
    #expect(network.nodes[0].role == .follower(leader: NodeID(2)))
    network.packets = []
    network.clocks[0] = network.clocks[0] + RaftOptions().electionTimeoutTicksMin
    network.say(
      .requestVote(
        RequestVote(
          campaignTerm: term, lastEntry: EntryID(term: term, index: LogIndex(9)), isPreVote: false,
          isTransfer: false)),
      from: 3, to: 1, term: term.rawValue)
    let replies = network.packets.compactMap { packet in
      if case .requestVoteReply(let reply) = packet.message.body { reply.isGranted } else { nil }
    }
    #expect(replies == [false])
  }

  @Test("the first election after a restart of all is in a term above that of any entry (scenario 25)")
  func termsOutliveRestarts() throws {
    var network = try Network(terms: [[7], [7], [7]], currentTerm: 7)
    network.elect(1)
    #expect(network.nodes[1].term == Term(8))
    #expect(network.nodes[1].lastEntry == EntryID(term: Term(8), index: LogIndex(3)))
  }

  @Test(
    "of two logs that end in the same term the shorter is behind, of two as long the one of the older term")
  func upToDate() throws {
    var network = try Network(terms: [[], [], [2, 2, 2]], currentTerm: 2)
    let lasts: [(term: UInt64, index: UInt64, isGranted: Bool)] = [
      (2, 3, false), (1, 4, false), (1, 99, false), (2, 4, true), (2, 5, true), (3, 1, true),
    ]
    for (offset, last) in lasts.enumerated() {
      let term = UInt64(3 + offset)
      network.say(
        .requestVote(
          RequestVote(
            campaignTerm: Term(term), lastEntry: EntryID(term: Term(last.term), index: LogIndex(last.index)),
            isPreVote: false, isTransfer: false)),
        from: 1, to: 3, term: term)
      let replies = network.packets.compactMap { packet in
        if case .requestVoteReply(let reply) = packet.message.body { reply.isGranted } else { nil }
      }
      #expect(replies == [last.isGranted], "a last entry \(last.index)@\(last.term)")
      network.packets = []
    }
  }
}
