import RaftCore
import RaftTransport
import Testing

@Suite("Messages: every kind there and back")
struct MessageCodecTests {
  @Test("a message comes back as it was sent", arguments: messageSamples)
  func roundTrip(sample: MessageSample) throws {
    let frame = try #require(try onlyFrame(of: sample.frame()))
    #expect(frame.header.kind == .message)
    #expect(frame.header.boot == 77)
    #expect(try MessageCodec.decode(frame) == sample.received)
  }

  @Test("a message cut off anywhere is malformed", arguments: messageSamples)
  func truncation(sample: MessageSample) throws {
    let frame = try #require(try onlyFrame(of: sample.frame()))
    let body = frame.body
    for length in 0..<body.count {
      let cut = Frame(header: frame.header, buffer: Bytes(body[..<length]), bodyRange: 0..<length)
      #expect(throws: MalformedBytes.self) { try MessageCodec.decode(cut) }
    }
    let longer = Frame(header: frame.header, buffer: body + [0], bodyRange: 0..<(body.count + 1))
    #expect(throws: MalformedBytes.self) { try MessageCodec.decode(longer) }
  }

  @Test("random changes lead to an error or to another message, never to a trap", arguments: messageSamples)
  func mutations(sample: MessageSample) throws {
    let frame = try #require(try onlyFrame(of: sample.frame()))
    var random = TestRandom(seed: 5)
    var writer = ByteWriter()
    for _ in 0..<1_500 {
      var body = frame.body
      for _ in 0..<Int.random(in: 1...4, using: &random) where !body.isEmpty {
        let offset = Int.random(in: 0..<body.count, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: body[offset] = UInt8.random(in: 0...255, using: &random)
        case 1: body[offset] = 0xFF
        case 2: body.remove(at: offset)
        default: body.insert(UInt8.random(in: 0...255, using: &random), at: offset)
        }
      }
      let mutated = Frame(header: frame.header, buffer: body, bodyRange: 0..<body.count)
      guard let received = try? MessageCodec.decode(mutated) else { continue }
      // What can be read is a message like any other: it can be written again, and means the same.
      writer.bytes.removeAll(keepingCapacity: true)
      MessageCodec.encode(
        received.message, entries: received.entries[...], configuration: received.configuration,
        chunk: received.chunk, into: &writer)
      let again = Frame(header: frame.header, buffer: writer.bytes, bodyRange: 0..<writer.count)
      #expect(try MessageCodec.decode(again) == received)
    }
  }

  @Test("random bytes never trap")
  func randomBodies() throws {
    let header = FrameHeader(
      kind: .message, trafficClass: .consensus, target: NodeID(1), sender: NodeID(2), boot: 1)
    var random = TestRandom(seed: 6)
    for _ in 0..<5_000 {
      var body = random.bytes(Int.random(in: 0...200, using: &random))
      // A plausible term and a known tag, so that the fields behind them are reached.
      if body.count > 8 {
        body.replaceSubrange(0..<9, with: [1, 0, 0, 0, 0, 0, 0, 0, UInt8.random(in: 0...11, using: &random)])
      }
      _ = try? MessageCodec.decode(Frame(header: header, buffer: body, bodyRange: 0..<body.count))
    }
  }

  @Test("a term or an index that no cluster reaches is refused")
  func implausible() throws {
    let beyond: UInt64 = (1 << 62) + 1
    let entry = EntryID(term: Term(1), index: LogIndex(1))
    let bodies: [Message.Body] = [
      .requestVote(
        RequestVote(campaignTerm: Term(beyond), lastEntry: entry, isPreVote: false, isTransfer: false)),
      .requestVote(
        RequestVote(
          campaignTerm: Term(1), lastEntry: EntryID(term: Term(beyond), index: LogIndex(1)), isPreVote: false,
          isTransfer: false)),
      .appendEntriesReply(.accepted(match: LogIndex(beyond))),
      .appendEntriesReply(
        .rejected(previous: LogIndex(1), hint: EntryID(term: Term(1), index: LogIndex(beyond)))),
      .heartbeat(Heartbeat(commitIndex: LogIndex(.max), heldByAll: .zero, round: 1)),
      .heartbeat(Heartbeat(commitIndex: .zero, heldByAll: LogIndex(.max), round: 1)),
      .readIndexReply(ReadIndexReply(id: ReadID(boot: 1, number: 1), readIndex: LogIndex(.max))),
    ]
    for body in bodies {
      let sample = MessageSample(name: "", body: body)
      let frame = try #require(try onlyFrame(of: sample.frame()))
      #expect(throws: MalformedBytes.self) { try MessageCodec.decode(frame) }
    }
  }

  @Test("entries that would end beyond every index are refused")
  func entriesBeyondTheEnd() throws {
    let id = EntryID(term: Term(1), index: .highestPlausible)
    let append = AppendEntries(
      previous: id, entriesTerm: Term(1), count: 1, commitIndex: .zero)
    let entry = Entry<Bytes>(id: id, content: .empty, bytes: 0)
    let sample = MessageSample(name: "", body: .appendEntries(append), entries: [entry])
    let frame = try #require(try onlyFrame(of: sample.frame()))
    #expect(throws: MalformedBytes.self) { try MessageCodec.decode(frame) }
  }

  @Test("a count of entries that are not there is refused before anything is allocated")
  func announcedEntries() throws {
    let sample = try #require(messageSamples.first { $0.name == "AppendEntries with 0" })
    let frame = try #require(try onlyFrame(of: sample.frame()))
    var body = frame.body
    for offset in (body.count - 4)..<body.count { body[offset] = 0xFF }
    let lying = Frame(header: frame.header, buffer: body, bodyRange: 0..<body.count)
    #expect(throws: MalformedBytes.self) { try MessageCodec.decode(lying) }
  }

  @Test("a message for nobody is refused")
  func noTarget() throws {
    let frame = try #require(try onlyFrame(of: messageSamples[0].frame()))
    var header = frame.header
    header.target = nil
    let stray = Frame(header: header, buffer: frame.buffer, bodyRange: frame.bodyRange)
    #expect(throws: MalformedBytes.self) { try MessageCodec.decode(stray) }
  }
}
