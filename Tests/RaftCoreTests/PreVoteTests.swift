import RaftCore
import Testing

@Suite("Thesis §9.6, §4.2.3: pre-vote and stickiness")
struct PreVoteTests {
  private func preVote(in term: UInt64, last: (UInt64, UInt64)) -> Message.Body {
    .requestVote(
      RequestVote(
        campaignTerm: Term(term + 1), lastEntry: EntryID(term: Term(last.0), index: LogIndex(last.1)),
        isPreVote: true, isTransfer: false))
  }

  private func reply(_ packet: Network.Packet) -> RequestVoteReply? {
    if case .requestVoteReply(let reply) = packet.message.body { reply } else { nil }
  }

  private func granted(campaign term: Term, isPreVote: Bool) -> Message.Body {
    .requestVoteReply(RequestVoteReply(campaignTerm: term, isPreVote: isPreVote, isGranted: true))
  }

  @Test("asking raises no term, however often it is in vain, and writes nothing")
  func askingIsFree() throws {
    var network = try Network(3)
    network.stalled = [0]
    network.run(ticks: 1_000, only: [0]) { _ in false }
    #expect(network.nodes[0].role == .preCandidate)
    #expect(network.nodes[0].term == Term(1))
    #expect(network.writesInFlight(0) == 0)
  }

  @Test("a pre-vote that is given promises nothing: no write, no later deadline, and the vote is still free")
  func grantingIsFree() throws {
    var network = try Network(3)
    network.clocks[2] = Ticks(20)
    network.stalled = [2]
    network.input(2) { _, _ in }
    let wait = network.nodes[2].ticksUntilNextDeadline
    for candidate in [1, 2] as [UInt64] {
      network.say(preVote(in: 1, last: (1, 1)), from: candidate, to: 3, term: 1)
    }
    #expect(network.packets.compactMap(reply).map(\.isGranted) == [true, true])
    #expect(network.nodes[2].ticksUntilNextDeadline == wait)
    #expect(network.writesInFlight(2) == 0)
  }

  @Test("a longer log in a lower term is elected beside a shorter one in a higher term (scenario 26)")
  func longLogInLowTerm() throws {
    var network = try Network(terms: [[2, 2], [2, 2], []], currentTerm: 2)
    network.say(.staleTerm, from: 2, to: 3, term: 9)
    network.run(ticks: 600) { $0.from != NodeID(2) && $0.to != NodeID(2) }
    #expect(network.nodes[0].isLeader)
    #expect(network.nodes[0].term > Term(9))
  }

  @Test("the refusal of a pre-vote teaches the term, so that asking again can succeed (scenario 27)")
  func refusalTeachesTerm() throws {
    var network = try Network(3)
    network.say(.staleTerm, from: 2, to: 3, term: 9)
    network.say(preVote(in: 1, last: (1, 9)), from: 1, to: 3, term: 1)
    #expect(network.packets.compactMap(reply).map(\.isGranted) == [false])
    network.deliver()
    #expect(network.nodes[0].term == Term(9))
  }

  @Test("a leader that has given up and asks again no longer points others to itself (scenario 28)")
  func formerLeaderForgetsItself() throws {
    var network = try Network(3)
    network.elect(0)
    while network.nodes[0].role != .preCandidate { network.run(ticks: 1, only: [0]) { _ in false } }
    #expect(network.nodes[0].leader == nil)
  }

  @Test("a leader that asks is no longer alive for those who follow it, but for everybody else (scenario 29)")
  func ownLeaderAsks() throws {
    var network = try Network(3)
    network.elect(0)
    network.run(ticks: 3)
    network.packets = []
    let (term, last) = (network.nodes[0].term.rawValue, network.nodes[0].lastEntry)
    let body = preVote(in: term, last: (last.term.rawValue, last.index.rawValue))
    network.say(body, from: 3, to: 2, term: term)
    #expect(network.packets.isEmpty)
    network.say(body, from: 1, to: 2, term: term)
    #expect(network.packets.compactMap(reply).map(\.isGranted) == [true])
  }

  @Test("stickiness ends one minimum election timeout after the leader was last heard")
  func stickinessEnds() throws {
    var network = try Network(3)
    network.elect(0)
    network.packets = []
    let (term, last) = (network.nodes[0].term.rawValue, network.nodes[0].lastEntry)
    let body = preVote(in: term, last: (last.term.rawValue, last.index.rawValue))
    let heard = network.clocks[1]
    network.clocks[1] = heard + (RaftOptions().electionTimeoutTicksMin - 1)
    network.say(body, from: 3, to: 2, term: term)
    #expect(network.packets.isEmpty)
    network.clocks[1] = heard + RaftOptions().electionTimeoutTicksMin
    network.say(body, from: 3, to: 2, term: term)
    #expect(network.packets.compactMap(reply).contains { $0.isGranted })
  }

  @Test(
    "pre-votes that come late start no further campaign, neither of a candidate nor of a leader (scenario 31)"
  )
  func latePreVotes() throws {
    var network = try Network(5)
    while network.nodes[0].role != .preCandidate { network.run(ticks: 1, only: [0]) { _ in false } }
    let before = network.nodes[0].term.rawValue
    let term = Term(before + 1)
    for voter in [2, 3] as [UInt64] {
      network.say(granted(campaign: term, isPreVote: true), from: voter, to: 1, term: before)
    }
    #expect(network.nodes[0].role == .candidate)
    for voter in [4, 5] as [UInt64] {
      network.say(granted(campaign: term, isPreVote: true), from: voter, to: 1, term: term.rawValue)
      network.say(granted(campaign: term.next, isPreVote: true), from: voter, to: 1, term: term.rawValue)
    }
    #expect(network.nodes[0].role == .candidate)
    for voter in [2, 3] as [UInt64] {
      network.say(granted(campaign: term, isPreVote: false), from: voter, to: 1, term: term.rawValue)
    }
    #expect(network.nodes[0].isLeader)
    for voter in [4, 5] as [UInt64] {
      network.say(granted(campaign: term.next, isPreVote: true), from: voter, to: 1, term: term.rawValue)
    }
    #expect(network.nodes[0].isLeader)
    #expect(network.nodes[0].term == term)
  }

  @Test("of two nodes that ask at the same moment, one is elected at once", arguments: [2, 3])
  func simultaneous(count: Int) throws {
    var network = try Network(count)
    for position in [0, 1] {
      network.clocks[position] = Ticks(100)
      network.input(position) { _, _ in }
      #expect(network.nodes[position].role == .preCandidate)
    }
    network.deliver()
    #expect(network.nodes.count(where: \.isLeader) == 1)
    #expect(network.nodes.allSatisfy { $0.term == Term(2) })
  }

  @Test(
    "a leader without a majority does not keep the majority from electing, though one of it hears it (scenario 33)"
  )
  func bridge() throws {
    var network = try Network(5)
    network.elect(3)
    let links: Set<[UInt64]> = [[1, 2], [1, 3], [2, 3], [3, 4]]
    network.run(ticks: 600) { links.contains([$0.from.rawValue, $0.to.rawValue].sorted()) }
    let leaders = network.nodes.indices.filter { network.nodes[$0].isLeader }
    #expect(leaders.count == 1)
    #expect(leaders.allSatisfy { $0 < 3 })
  }

  @Test("a follower that lags, but is in constant contact, never asks (scenario 35)")
  func laggingFollower() throws {
    var network = try Network(3)
    let request = AppendEntries(
      previous: EntryID(term: Term(2), index: LogIndex(90)), entriesTerm: Term(2), count: 0,
      commitIndex: LogIndex(1))
    for _ in 0..<40 {
      network.say(.appendEntries(request), from: 1, to: 3, term: 2)
      network.packets = []
      network.run(ticks: 20, only: [2]) { _ in false }
    }
    #expect(network.nodes[2].role == .follower(leader: NodeID(1)))
    #expect(network.nodes[2].term == Term(2))
  }
}
