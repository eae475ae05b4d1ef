import RaftCore
import Testing

@testable import RaftCore

@Suite("Thesis §3.5: log replication")
struct ReplicationTests {
  private func entry(_ term: UInt64, _ index: UInt64, _ payload: String) -> Entry<String> {
    Entry(id: EntryID(term: Term(term), index: LogIndex(index)), content: .payload(payload), bytes: 1)
  }

  private func append(
    after previous: (UInt64, UInt64), _ entries: [Entry<String>], commit: UInt64 = 1
  ) -> Message.Body {
    .appendEntries(
      AppendEntries(
        previous: EntryID(term: Term(previous.0), index: LogIndex(previous.1)),
        entriesTerm: entries.last?.id.term ?? Term(previous.0), count: UInt32(entries.count),
        commitIndex: LogIndex(commit)))
  }

  @Test("what a leader proposes is committed and applied everywhere, in order")
  func replicates() throws {
    var network = try Network(3)
    network.elect(1)
    for payload in ["a", "b", "c"] { try network.propose(payload, at: 1) }
    network.run(ticks: 10)
    for position in 0..<3 {
      #expect(network.log(position) == ["-", "a", "b", "c"])
      #expect(network.nodes[position].appliedIndex == LogIndex(5))
    }
  }

  @Test("a follower raises its commit index to what it was shown, not to the end of its log (scenario 5)")
  func commitStopsAtMatch() throws {
    var network = try Network(terms: [[], [], [2, 2, 2]], currentTerm: 3)
    network.say(append(after: (1, 1), [], commit: 4), from: 1, to: 3, term: 3)
    #expect(network.nodes[2].commitIndex == LogIndex(1))
  }

  @Test("an old, shorter append does not cut what a newer one has brought (scenario 6)")
  func oldAppendCutsNothing() throws {
    var network = try Network(3)
    let entries = (2...5).map { entry(2, $0, "e\($0)") }
    network.say(append(after: (1, 1), entries, commit: 5), from: 1, to: 3, term: 2, entries: entries)
    network.say(
      append(after: (1, 1), [entries[0]], commit: 1), from: 1, to: 3, term: 2, entries: [entries[0]])
    #expect(network.log(2) == ["e2", "e3", "e4", "e5"])
  }

  @Test("entries of a deposed leader are replaced where they differ, and only there")
  func conflictIsReplaced() throws {
    var network = try Network(terms: [[], [], [2, 2, 2]], currentTerm: 2)
    let entries = [entry(3, 3, "new")]
    network.say(append(after: (2, 2), entries), from: 1, to: 3, term: 3, entries: entries)
    #expect(network.log(2) == ["2@2", "new"])
  }

  @Test("a committed entry is never replaced, whatever a peer says")
  func committedStays() throws {
    var network = try Network(3)
    let entries = [entry(2, 2, "kept")]
    network.say(append(after: (1, 1), entries, commit: 2), from: 1, to: 3, term: 2, entries: entries)
    let lie = [entry(3, 2, "lie")]
    network.say(append(after: (1, 1), lie, commit: 2), from: 2, to: 3, term: 3, entries: lie)
    #expect(network.log(2) == ["kept"])
  }

  @Test("10,000 diverged entries over 100 terms are settled in at most terms + 2 round trips (scenario 16)")
  func fastBacktracking() throws {
    let common = [UInt64](repeating: 2, count: 10)
    let leader = common + (0..<10_000).map { 3 + UInt64($0 / 100) * 2 }
    let follower = common + (0..<10_000).map { 4 + UInt64($0 / 100) * 2 }
    var network = try Network(terms: [leader, leader, follower], currentTerm: 300)
    var rejections = 0
    while network.nodes[2].lastEntry != network.nodes[0].lastEntry || !network.nodes[0].isLeader {
      network.run(ticks: 1, only: [0]) { message in
        if case .appendEntriesReply(.rejected) = message.body { rejections += 1 }
        return true
      }
    }
    #expect(rejections <= 102, "\(rejections) round trips")
    #expect(network.log(2).count == 10_011)
  }

  @Test("what is under way to a peer stays within the limits by count and by bytes")
  func windowIsLimited() throws {
    var options = RaftOptions()
    options.inflightMessagesMax = 4
    options.inflightBytesMax = 100
    var network = try Network(3, options: options)
    network.elect(0)
    for number in 0..<40 { try network.propose("entry \(number)", at: 0) }
    let toSecond = network.packets.filter { $0.message.to == NodeID(2) && !$0.entries.isEmpty }
    #expect(toSecond.count == 4)
    network.deliver()
    #expect(network.log(1).count == 41)
    for number in 0..<10 { try network.propose(String(repeating: "x", count: 60) + "\(number)", at: 0) }
    #expect(network.packets.filter { $0.message.to == NodeID(2) && !$0.entries.isEmpty }.count == 2)
  }

  @Test("messages are packed without gaps, whatever the sizes (scenario 8)")
  func packingIsContiguous() throws {
    var options = RaftOptions()
    options.messageBytesMax = 50
    var network = try Network(2, options: options)
    network.elect(0)
    network.stalled = [1]
    for size in [40, 90, 5, 5, 60, 1] { try network.propose(String(repeating: "x", count: size), at: 0) }
    var next = network.packets.first?.entries.first?.id.index
    for packet in network.packets where !packet.entries.isEmpty {
      for entry in packet.entries {
        #expect(entry.id.index == next)
        next = next?.next
      }
    }
    network.stalled = []
    network.run(ticks: 20)
    #expect(network.log(1).count == 7)
  }

  @Test("messages that are lost are sent again")
  func lossIsRepaired() throws {
    var network = try Network(3)
    network.elect(0)
    for number in 0..<10 { try network.propose("\(number)", at: 0) }
    network.deliver { $0.to != NodeID(3) }
    network.run(ticks: 30)
    #expect(network.log(2).count == 11)
  }

  @Test("a late rejection does not rewind what is known since (scenario 4)")
  func lateRejection() throws {
    var network = try Network(3)
    network.elect(0)
    for number in 0..<9 { try network.propose("\(number)", at: 0) }
    network.deliver()
    let term = network.nodes[0].term.rawValue
    network.say(
      .appendEntriesReply(.rejected(previous: LogIndex(5), hint: EntryID(term: Term(1), index: LogIndex(1)))),
      from: 2, to: 1, term: term)
    let peer = try #require(network.nodes[0].status.peers.first { $0.id == NodeID(2) })
    #expect(peer.matchIndex == LogIndex(11))
    #expect(peer.nextIndex == LogIndex(12))
  }

  @Test("a peer that needs what is compacted away is never sent a made-up previous entry (scenario 9)")
  func compactedPrevious() throws {
    var network = try Network(3)
    network.elect(0)
    for number in 0..<20 { try network.propose("\(number)", at: 0) }
    network.deliver { $0.to != NodeID(3) && $0.from != NodeID(3) }
    network.nodes[0].compact(through: network.nodes[0].appliedIndex)
    network.run(ticks: 60)
    #expect(network.nodes[0].status.peers.contains { $0.id == NodeID(3) && $0.isLeftBehind })
    #expect(network.nodes[2].commitIndex <= LogIndex(2))
  }

  @Test("too many uncommitted bytes are refused, and the count returns to nothing (scenario 14)")
  func uncommittedBytes() throws {
    var options = RaftOptions()
    options.uncommittedBytesMax = 100
    var network = try Network(3, options: options)
    network.elect(0)
    try network.propose(String(repeating: "x", count: 60), at: 0)
    #expect(throws: ProposeError.busy) { try network.propose(String(repeating: "x", count: 60), at: 0) }
    network.deliver()
    try network.propose(String(repeating: "x", count: 60), at: 0)
  }
}

@Suite("Thesis §3.6.2: committing entries from previous terms")
struct CommitTests {
  @Test("an entry of an earlier term on a majority may still be overwritten (scenario 1, thesis fig. 3.7)")
  func figureEight() throws {
    // Entry 2 of term 2 is on nodes 1 to 3, and its leader has crashed. Node 5 holds an entry 2 of term 3, and wins.
    var network = try Network(terms: [[2], [2], [2], [], [3]], currentTerm: 3)
    network.elect(4)
    network.run(ticks: 20)
    for position in 0..<5 {
      #expect(network.log(position).first == "2@3")
      #expect(network.nodes[position].commitIndex == LogIndex(3))
    }
  }

  @Test("so a leader does not commit it by counting, but by committing an entry of its own term behind it")
  func waitsForOwnTerm() throws {
    var network = try Network(terms: [[2], [], []], currentTerm: 3)
    network.elect(0) { message in
      if case .appendEntries = message.body { false } else { true }
    }
    let term = network.nodes[0].term.rawValue
    for peer in [2, 3] as [UInt64] {
      network.say(.appendEntriesReply(.accepted(match: LogIndex(2))), from: peer, to: 1, term: term)
    }
    #expect(network.nodes[0].commitIndex == LogIndex(1))
    network.say(.appendEntriesReply(.accepted(match: LogIndex(3))), from: 2, to: 1, term: term)
    #expect(network.nodes[0].commitIndex == LogIndex(3))
  }

  @Test(
    "the quorum agrees with sorting, for any voters and both halves of a joint configuration (scenario 2)")
  func quorumOracle() throws {
    var random = RandomSource(seed: 3)
    var scratch: [UInt64] = []
    for _ in 0..<2_000 {
      let values = (0..<7).map { _ in UInt64.random(in: 0...9, using: &random) }
      let voters = (0..<Int.random(in: 1...7, using: &random)).map { NodeID(UInt64($0)) }
      let outgoing = (0..<Int.random(in: 0...7, using: &random)).map { NodeID(UInt64(6 - $0)) }
      func oracle(_ ids: [NodeID]) -> UInt64 {
        ids.map { values[Int($0.rawValue)] }.sorted(by: >)[ids.count / 2]
      }
      let value = { (id: NodeID) in values[Int(id.rawValue)] }
      #expect(Quorum.agreed(voters, scratch: &scratch, value: value) == oracle(voters))
      let ids = Array(Set(voters + outgoing)).filter { $0.rawValue > 0 }
      guard !outgoing.isEmpty, !voters.contains(NodeID(0)), !outgoing.contains(NodeID(0)) else { continue }
      let members = ids.map { Member(id: $0, address: "a", store: .memory) }
      let configuration = try Configuration(members: members, voters: voters, outgoingVoters: outgoing)
      #expect(
        Quorum.agreed(configuration, scratch: &scratch, value: value) == min(oracle(voters), oracle(outgoing))
      )
    }
  }
}

@Suite("Thesis §6.4: reads without log entries")
struct ReadTests {
  private func read(_ number: UInt64) -> ReadID { ReadID(boot: 7, number: number) }

  @Test("a read waits until the leader has committed in its own term (scenario 37)")
  func waitsForOwnTerm() throws {
    var network = try Network(3)
    network.elect(0) { message in
      if case .appendEntries = message.body { false } else { true }
    }
    network.input(0) { $0.readIndex(read(1), into: &$1) }
    network.deliver { message in if case .appendEntries = message.body { false } else { true } }
    #expect(network.reads[0].isEmpty)
    network.run(ticks: 20)
    #expect(network.reads[0] == [ReadOutcome(id: read(1), readIndex: LogIndex(2))])
  }

  @Test("a read needs a round that begins after it: answers to earlier rounds confirm nothing (scenario 38)")
  func oldRoundsConfirmNothing() throws {
    var network = try Network(3)
    network.elect(0)
    network.run(ticks: 20)
    network.packets = []
    network.input(0) { $0.readIndex(read(1), into: &$1) }
    let rounds = network.packets.compactMap { packet in
      if case .heartbeat(let heartbeat) = packet.message.body { heartbeat.round } else { nil }
    }
    let round = try #require(rounds.first)
    network.packets = []
    let term = network.nodes[0].term.rawValue
    for peer in [2, 3] as [UInt64] {
      network.say(.heartbeatReply(HeartbeatReply(round: round - 1)), from: peer, to: 1, term: term)
    }
    #expect(network.reads[0].isEmpty)
    network.say(.heartbeatReply(HeartbeatReply(round: round)), from: 3, to: 1, term: term)
    #expect(network.reads[0].map(\.id) == [read(1)])
  }

  @Test("a follower's read is confirmed by the leader, and many share rounds")
  func followersAsk() throws {
    var network = try Network(3)
    network.elect(0)
    try network.propose("a", at: 0)
    network.run(ticks: 3)
    for number in 1...50 as ClosedRange<UInt64> { network.input(1) { $0.readIndex(read(number), into: &$1) } }
    var heartbeats = 0
    network.deliver { message in
      if case .heartbeat = message.body { heartbeats += 1 }
      return true
    }
    #expect(network.reads[1].count == 50)
    #expect(network.reads[1].allSatisfy { $0.readIndex == LogIndex(3) })
    #expect(heartbeats <= 8)
  }

  @Test("a leader that lost its majority confirms no read, and refuses those that wait when it gives up")
  func noMajorityNoRead() throws {
    var network = try Network(3)
    network.elect(0)
    network.run(ticks: 20)
    network.input(0) { $0.readIndex(read(1), into: &$1) }
    network.run(ticks: 100) { $0.from != NodeID(1) && $0.to != NodeID(1) }
    #expect(network.reads[0] == [ReadOutcome(id: read(1), readIndex: nil)])
  }

  @Test("a leader that was stopped notices how late it is before it reads (scenario 40)")
  func stoppedLeader() throws {
    var network = try Network(3)
    network.elect(0)
    network.run(ticks: 20)
    network.clocks[0] = network.clocks[0] + 500
    network.input(0) { $0.readIndex(read(1), into: &$1) }
    #expect(!network.nodes[0].isLeader)
    #expect(network.reads[0] == [ReadOutcome(id: read(1), readIndex: nil)])
  }
}
