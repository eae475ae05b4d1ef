import RaftCore
import Testing

@testable import RaftCore

@Suite("The byte encoding")
struct EncodingTests {
  @Test("the checksum is CRC-32C")
  func checksum() {
    #expect(Checksum.crc32c(Array("123456789".utf8)) == 0xE306_9283)
    let bytes = (0..<1_000).map { UInt8(truncatingIfNeeded: $0 * 7) }
    let whole = Checksum.crc32c(bytes)
    for split in [0, 1, 7, 8, 500, 999, 1_000] {
      let first = Checksum.crc32c(bytes, in: 0..<split)
      #expect(Checksum.crc32c(bytes, in: split..<1_000, seed: first) == whole)
    }
  }

  @Test("a configuration survives the way there and back, and every truncation is noticed")
  func configuration() throws {
    let members = (1...5).map { Member(id: NodeID(UInt64($0)), address: "host-\($0):5000", store: .durable) }
    let configuration = try Configuration(
      members: members, voters: [NodeID(3), NodeID(1)], outgoingVoters: [NodeID(1), NodeID(2)],
      learners: [NodeID(5), NodeID(4)], leaseTimeoutTicks: 0x0102_0304)
    let bytes = configuration.encoded()
    #expect(configuration.leaseTimeoutTicks == 0x0102_0304)
    #expect(try Configuration(decoding: bytes) == configuration)
    for count in 0..<bytes.count {
      #expect(throws: MalformedBytes.self) { try Configuration(decoding: Array(bytes.prefix(count))) }
    }
    #expect(throws: MalformedBytes.self) { try Configuration(decoding: bytes + [0]) }
  }

  @Test("random bytes never trap the reader", arguments: 1...5)
  func randomBytes(seed: UInt64) {
    var random = RandomSource(seed: seed)
    for _ in 0..<2_000 {
      let bytes = (0..<Int.random(in: 0...60, using: &random)).map { _ in
        UInt8.random(in: 0...255, using: &random)
      }
      _ = try? Configuration(decoding: bytes)
      _ = try? Member(decoding: bytes)
      _ = try? String(decoding: bytes)
      _ = try? Bytes?(decoding: bytes)
    }
  }

  @Test("configurations that break a rule are refused by name")
  func badConfigurations() {
    let member = Member(id: NodeID(1), address: "a", store: .memory)
    let other = Member(id: NodeID(2), address: "b", store: .memory)
    #expect(throws: ConfigurationError.noVoters) { try Configuration(voters: []) }
    #expect(throws: ConfigurationError.duplicate(NodeID(1))) { try Configuration(voters: [member, member]) }
    #expect(throws: ConfigurationError.idleMember(NodeID(2))) {
      try Configuration(members: [member, other], voters: [NodeID(1)])
    }
    #expect(throws: ConfigurationError.learnerVotes(NodeID(1))) {
      try Configuration(members: [member], voters: [NodeID(1)], learners: [NodeID(1)])
    }
    #expect(throws: ConfigurationError.unknownMember(NodeID(3))) {
      try Configuration(members: [member], voters: [NodeID(1), NodeID(3)])
    }
  }

  @Test("options that cannot work are refused with every fault")
  func options() throws {
    var options = RaftOptions()
    options.heartbeatTicks = 0
    options.electionTimeoutTicksMax = 10
    options.messageBytesMax = 0
    do throws(RaftOptionsError) {
      _ = try options.validated()
      Issue.record("they were accepted")
    } catch {
      #expect(error.faults.count == 3, "\(error)")
    }
  }

  @Test("a message is small: it is copied often")
  func messageSize() {
    #expect(MemoryLayout<Message>.size <= 80)
  }
}

@Suite("The shape of the log")
struct LogPositionsTests {
  @Test("it agrees with a plain list of terms and sizes over random changes", arguments: 1...4)
  func agreesWithModel(seed: UInt64) {
    var random = RandomSource(seed: seed)
    var log = LogPositions(base: .zero)
    var model: [(term: UInt64, bytes: UInt32)] = []
    var base = 0
    var term: UInt64 = 1
    for _ in 0..<4_000 {
      switch Int.random(in: 0..<20, using: &random) {
      case 0 where model.count > base:
        let count = Int.random(in: base...model.count, using: &random)
        model.removeLast(model.count - count)
        log.truncate(after: LogIndex(UInt64(count)))
      case 1 where model.count > base + 50:
        base = Int.random(in: base...(model.count - 40), using: &random)
        log.compact(through: LogIndex(UInt64(base)))
      default:
        term += UInt64.random(in: 0...9, using: &random) / 9
        let bytes = UInt32.random(in: 0...50, using: &random)
        model.append((term, bytes))
        log.append(term: Term(term), bytes: bytes)
      }
      #expect(log.lastIndex.rawValue == UInt64(model.count))
      let index = Int.random(in: base...(model.count + 1), using: &random)
      let expected = index == 0 ? 0 : index <= model.count ? model[index - 1].term : nil
      #expect(log.term(at: LogIndex(UInt64(index)))?.rawValue == expected)
      let low = Int.random(in: base...model.count, using: &random)
      let high = Int.random(in: low...model.count, using: &random)
      let sum = model[low..<high].reduce(0) { $0 + UInt64($1.bytes) }
      #expect(log.bytes(after: LogIndex(UInt64(low)), through: LogIndex(UInt64(high))) == sum)
      if high > low {
        let last = Int(
          log.lastIndex(after: LogIndex(UInt64(low)), through: LogIndex(UInt64(high)), bytesAtMost: 70)
            .rawValue)
        let taken = model[low..<last].reduce(0) { $0 + Int($1.bytes) }
        #expect(last > low && last <= high && (taken <= 70 || last == low + 1))
        #expect(last == high || taken + Int(model[last].bytes) > 70 || last == low + 1)
      }
    }
  }
}

@Suite("Messages and entries as bytes")
struct MessageCodingTests {
  private let entry = EntryID(term: Term(3), index: LogIndex(7))

  private var bodies: [Message.Body] {
    [
      .requestVote(RequestVote(campaignTerm: Term(4), lastEntry: entry, isPreVote: true, isTransfer: false)),
      .requestVoteReply(RequestVoteReply(campaignTerm: Term(4), isPreVote: false, isGranted: true)),
      .appendEntries(
        AppendEntries(previous: entry, entriesTerm: Term(4), count: 9, commitIndex: LogIndex(5))),
      .appendEntriesReply(.accepted(match: LogIndex(9))),
      .appendEntriesReply(.rejected(previous: LogIndex(9), hint: entry)),
      .heartbeat(Heartbeat(commitIndex: LogIndex(5), heldByAll: LogIndex(4), round: 77)),
      .heartbeatReply(HeartbeatReply(round: 77)), .commitNotice(LogIndex(5)), .staleTerm, .timeoutNow,
      .readIndex(ReadID(boot: 1, number: 2)),
      .readIndexReply(ReadIndexReply(id: ReadID(boot: 1, number: 2), readIndex: LogIndex(5))),
      .readIndexReply(ReadIndexReply(id: ReadID(boot: 1, number: 2), readIndex: nil)),
      .installSnapshot(InstallSnapshot(last: entry, bytes: 100, fingerprint: 5, offset: 90, count: 10)),
      .installSnapshotReply(.wants(fingerprint: 5, offset: 90)),
      .installSnapshotReply(.covered(through: LogIndex(7))),
    ]
  }

  @Test("every message comes back as it was, and no part of one is taken for a whole")
  func messages() throws {
    for body in bodies {
      let message = Message(from: NodeID(1), to: NodeID(2), term: Term(4), body: body)
      let bytes = message.encoded()
      #expect(try Message(decoding: bytes) == message)
      for length in 0..<bytes.count {
        #expect(throws: MalformedBytes.self) { try Message(decoding: Array(bytes.prefix(length))) }
      }
    }
  }

  @Test("damaged messages are refused, or are messages like any other; none traps")
  func damage() {
    var random = RandomSource(seed: 8)
    for body in bodies {
      let bytes = Message(from: NodeID(1), to: NodeID(2), term: Term(4), body: body).encoded()
      for _ in 0..<500 {
        var damaged = bytes
        damaged[Int.random(in: damaged.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
        guard let message = try? Message(decoding: damaged) else { continue }
        #expect(message.term <= .highestPlausible)
      }
    }
  }

  @Test("entries come back as they were, whatever they carry")
  func entries() throws {
    let member = Member(id: NodeID(1), address: "a", store: .memory, priority: 3)
    let contents: [EntryContent<String>] = [
      .empty, .payload("x"), .configuration(try Configuration(voters: [member])),
    ]
    for content in contents {
      let entry = Entry(id: self.entry, content: content, bytes: 12)
      #expect(try Entry<String>(decoding: entry.encoded()) == entry)
    }
  }
}
