import RaftCore
import Testing

@testable import RaftServer

@Suite("Letting newcomers in")
struct AdmissionTests {
  private func member(_ id: UInt64, _ address: String, _ store: StoreKind = .memory) -> Member {
    Member(id: NodeID(id), address: address, store: store)
  }

  private func configuration(
    _ voters: [Member], learners: [Member] = [], outgoing: [NodeID] = []
  ) throws -> Configuration {
    try Configuration(
      members: voters + learners, voters: voters.map(\.id), outgoingVoters: outgoing,
      learners: learners.map(\.id))
  }

  @Test("somebody new becomes a learner, then a voter, and then nothing is left to do")
  func steps() throws {
    let new = member(4, "d:1")
    let three = [member(1, "a:1"), member(2, "b:1"), member(3, "c:1")]
    #expect(Admission(of: new, in: try configuration(three)) == .change([.addLearner(new)]))
    #expect(Admission(of: new, in: try configuration(three, learners: [new])) == .change([.promote(new.id)]))
    #expect(Admission(of: new, in: try configuration(three + [new])) == .votes)
  }

  @Test(
    "a new incarnation of a memory node takes the vote of the former one in the change in which it gets its own"
  )
  func replacement() throws {
    let old = member(2, "b:1")
    let new = member(5, "b:1")
    let three = [member(1, "a:1"), old, member(3, "c:1")]
    #expect(Admission(of: new, in: try configuration(three)) == .change([.addLearner(new)]))
    #expect(
      Admission(of: new, in: try configuration(three, learners: [new]))
        == .change([.promote(new.id), .remove(old.id)]))
  }

  @Test("learners that were at the address before it go when it comes")
  func staleLearners() throws {
    let stale = member(4, "d:1")
    let new = member(5, "d:1")
    let one = [member(1, "a:1")]
    #expect(
      Admission(of: new, in: try configuration(one, learners: [stale]))
        == .change([.remove(stale.id), .addLearner(new)]))
  }

  @Test(
    "nobody takes the place of a durable member by being at its address",
    arguments: [StoreKind.memory, .durable])
  func durableOwner(store: StoreKind) throws {
    let three = [member(1, "a:1"), member(2, "b:1", .durable), member(3, "c:1")]
    guard case .refused(let reason) = Admission(of: member(5, "b:1", store), in: try configuration(three))
    else {
      Issue.record("it is let in")
      return
    }
    #expect(reason.contains("b:1"))
    #expect(reason.contains("remove it first"))
  }

  @Test("whose place an operator has given away goes in the change in which the newcomer gets its vote")
  func replacedByOperator() throws {
    let lost = member(2, "b:1", .durable)
    let three = [member(1, "a:1", .durable), lost, member(3, "c:1", .durable)]
    for new in [member(5, "b:1", .durable), member(6, "d:1", .durable)] {
      let asLearner = Admission(of: new, in: try configuration(three), replacing: [lost.id])
      #expect(asLearner == .change([.addLearner(new)]))
      let asVoter = Admission(
        of: new, in: try configuration(three, learners: [new]), replacing: [lost.id, NodeID(77)])
      #expect(asVoter == .change([.promote(new.id), .remove(lost.id)]))
    }
  }

  @Test(
    "an operator's word counts for one address and for a while, and last words until the node is met again")
  func neighbourhood() {
    var around = Neighbourhood()
    around.replace(NodeID(2), at: "b:1", now: 0)
    let limit = Neighbourhood.replacementMilliseconds
    let replaced = [("b:1", 0), ("c:1", 0), ("b:1", limit)].map { around.replaced(at: $0, now: $1) }
    #expect(replaced == [[NodeID(2)], [], []])
    around.stops(NodeID(2), LastWords(isFailure: true, reason: "full"), now: 5)
    #expect(
      around.lastWords(of: NodeID(2), now: 9) == .init(isFailure: true, reason: "full", ageMilliseconds: 4))
    for node in UInt64(3)..<200 {
      around.stops(NodeID(node), LastWords(isFailure: false, reason: ""), now: 5)
    }
    #expect(
      around.lastWords(of: NodeID(2), now: 9) == nil, "strangers must not have a node remember without end")
  }

  @Test("last words are one short line, whatever arrives, and survive the wire")
  func lastWords() throws {
    let words = LastWords(isFailure: true, reason: "no\nspace\u{1B}[2J" + String(repeating: "é", count: 600))
    #expect(words.reason.hasPrefix("no space [2Jé"))
    #expect(words.reason.utf8.count <= LastWords.bytesMax)
    for words in [words, LastWords(isFailure: false, reason: "")] {
      let bytes = words.encoded()
      #expect(try LastWords(decoding: bytes) == words)
      for count in bytes.indices {
        #expect(throws: MalformedBytes.self) { try LastWords(decoding: Array(bytes[..<count])) }
      }
    }
    #expect(throws: MalformedBytes.self) { try LastWords(decoding: [3, 0, 0, 0, 0]) }
  }

  @Test("there is a limit of members")
  func limit() throws {
    let full = (1...Configuration.memberLimit).map { member(UInt64($0), "h\($0):1") }
    guard case .refused(let reason) = Admission(of: member(99, "x:1"), in: try configuration(full)) else {
      Issue.record("it is let in")
      return
    }
    #expect(reason.contains("64"))
  }

  @Test("who asks is answered once for each time, and forgotten after a while; there is a limit of them")
  func newcomers() {
    var newcomers = Newcomers()
    let new = member(4, "d:1")
    _ = newcomers.asked(new, now: 0)
    let answered = [false, true, true].map { isLinked in newcomers.takeAsking { _ in isLinked } }
    #expect(answered == [[], [new], []])
    let lifetime = Newcomers.lifetimeMilliseconds
    let dialed = [lifetime - 1, lifetime].map { newcomers.addresses(now: $0) }
    #expect(dialed == [["d:1"], []])
    for id in 0..<Newcomers.countMax {
      let isTaken = newcomers.asked(member(UInt64(id + 1), "x:1"), now: 0)
      #expect(isTaken)
    }
    let isTaken = newcomers.asked(member(1_000, "y:1"), now: 0)
    #expect(!isTaken)
  }

  @Test("what is asked and answered survives the wire, and no part of it does")
  func encoding() throws {
    let request = JoinRequest(member: member(4, "d:1", .durable))
    #expect(try JoinRequest(decoding: request.encoded()) == request)
    let replies: [JoinReply] = [
      .admitted(ClusterID(7), try configuration([member(1, "a:1")])), .ask(address: "a:1"),
      .wait(reason: "later"), .refused(reason: "never"),
    ]
    for reply in replies {
      let bytes = reply.encoded()
      #expect(try JoinReply(decoding: bytes) == reply)
      for count in bytes.indices {
        #expect(throws: MalformedBytes.self) { try JoinReply(decoding: Array(bytes[..<count])) }
      }
    }
  }
}
