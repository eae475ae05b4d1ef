import RaftCore
import RaftTransport
import Testing

/// A generator for test inputs: the same seed gives the same test.
struct TestRandom: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  mutating func bytes(_ count: Int) -> Bytes {
    (0..<count).map { _ in UInt8.random(in: 0...255, using: &self) }
  }
}

func identity(
  node: UInt64, cluster: UInt64? = nil, address: String = "10.0.0.1:5000", founders: [String] = [],
  boot: UInt64 = 77
) -> LocalIdentity {
  LocalIdentity(
    node: NodeID(node), boot: boot, cluster: cluster.map { ClusterID($0) }, address: address,
    founders: founders,
    store: .memory)
}

func member(_ id: UInt64) -> Member {
  Member(id: NodeID(id), address: "10.0.0.\(id):5000", store: id % 2 == 0 ? .durable : .memory)
}

let configuration: Configuration? = try? Configuration(
  members: [member(1), member(2), member(3), member(4)], voters: [NodeID(1), NodeID(2)],
  outgoingVoters: [NodeID(1), NodeID(3)], learners: [NodeID(4)])

/// A message with the entries that travel with it.
struct MessageSample: CustomTestStringConvertible, Sendable {
  let name: String
  let body: Message.Body
  var entries: [Entry<Bytes>] = []
  var configuration: IndexedConfiguration?
  var chunk: Bytes = []

  var testDescription: String { name }

  var message: Message { Message(from: NodeID(2), to: NodeID(1), term: Term(9), body: body) }

  var received: ReceivedMessage {
    ReceivedMessage(message: message, entries: entries, configuration: configuration, chunk: chunk)
  }

  func frame(boot: UInt64 = 77) -> Bytes {
    var writer = ByteWriter()
    MessageCodec.writeFrame(
      message, entries: entries[...], configuration: configuration, chunk: chunk, boot: boot,
      into: &writer)
    return writer.bytes
  }
}

private func append(_ contents: [EntryContent<Bytes>]) -> MessageSample {
  let previous = EntryID(term: Term(3), index: LogIndex(40))
  let entries = contents.enumerated().map { offset, content -> Entry<Bytes> in
    let id = EntryID(term: Term(4), index: previous.index.advanced(by: offset + 1))
    switch content {
    case .empty:
      return Entry(id: id, content: content, bytes: 0)
    case .configuration(let configuration):
      return Entry(id: id, content: content, bytes: UInt32(configuration.encoded().count))
    case .payload(let payload):
      return Entry(id: id, content: content, bytes: UInt32(payload.count))
    }
  }
  let body = AppendEntries(
    previous: previous, entriesTerm: Term(4), count: UInt32(entries.count), commitIndex: LogIndex(39))
  return MessageSample(
    name: "AppendEntries with \(entries.count)", body: .appendEntries(body), entries: entries)
}

/// One of each message of the protocol, and of each shape it can take.
let messageSamples: [MessageSample] = {
  let entry = EntryID(term: Term(8), index: LogIndex(100))
  let read = ReadID(boot: 0xFEED, number: 12)
  let configurations = configuration.map { [EntryContent<Bytes>.configuration($0)] } ?? []
  return [
    MessageSample(
      name: "pre-vote",
      body: .requestVote(
        RequestVote(campaignTerm: Term(10), lastEntry: entry, isPreVote: true, isTransfer: false))),
    MessageSample(
      name: "vote after a transfer",
      body: .requestVote(
        RequestVote(campaignTerm: Term(9), lastEntry: entry, isPreVote: false, isTransfer: true))),
    MessageSample(
      name: "vote reply",
      body: .requestVoteReply(RequestVoteReply(campaignTerm: Term(9), isPreVote: false, isGranted: true))),
    append([]),
    append([.empty]),
    append([.payload([1, 2, 3]), .payload([]), .payload(Bytes(repeating: 7, count: 300))]),
    append(configurations + [.empty, .payload([9])] + configurations),
    MessageSample(name: "accepted", body: .appendEntriesReply(.accepted(match: LogIndex(5)))),
    MessageSample(name: "rejected", body: .appendEntriesReply(.rejected(previous: LogIndex(5), hint: entry))),
    MessageSample(
      name: "heartbeat",
      body: .heartbeat(Heartbeat(commitIndex: LogIndex(7), heldByAll: LogIndex(6), round: 3))),
    MessageSample(name: "heartbeat reply", body: .heartbeatReply(HeartbeatReply(round: 3))),
    MessageSample(name: "stale term", body: .staleTerm),
    MessageSample(name: "timeout now", body: .timeoutNow),
    MessageSample(name: "read index", body: .readIndex(read)),
    MessageSample(
      name: "read index reply", body: .readIndexReply(ReadIndexReply(id: read, readIndex: LogIndex(7)))),
    MessageSample(name: "no read index", body: .readIndexReply(ReadIndexReply(id: read, readIndex: nil))),
    MessageSample(name: "commit notice", body: .commitNotice(LogIndex(7))),
    MessageSample(
      name: "piece of a snapshot",
      body: .installSnapshot(
        InstallSnapshot(last: entry, bytes: 1000, fingerprint: 5, offset: 990, count: 3)),
      configuration: configuration.map { IndexedConfiguration(index: LogIndex(40), configuration: $0) },
      chunk: [1, 2, 3]),
    MessageSample(name: "wants more", body: .installSnapshotReply(.wants(fingerprint: 5, offset: 993))),
    MessageSample(name: "covered", body: .installSnapshotReply(.covered(through: LogIndex(100)))),
  ]
}()

/// Takes the only frame out of `bytes`.
func onlyFrame(of bytes: Bytes, frameBytesMax: Int = 1 << 20) throws -> Frame? {
  var decoder = FrameDecoder(frameBytesMax: frameBytesMax)
  decoder.append(bytes)
  return try decoder.next()
}
