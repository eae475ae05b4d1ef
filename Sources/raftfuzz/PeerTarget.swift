import RaftCore
import RaftKV
import RaftServer
import RaftTransport

/// Both halves of a link between nodes, and what frames carry.
///
/// A frame with a wrong checksum goes no further, so half of the inputs are bodies, which get a frame that is right.
struct PeerTarget: FuzzTarget {
  private static let me = LocalIdentity(
    node: NodeID(1), boot: 5, cluster: ClusterID(9), address: "10.0.0.1:5000", founders: [], store: .memory)
  private static let other = LocalIdentity(
    node: NodeID(2), boot: 77, cluster: ClusterID(9), address: "10.0.0.2:5000", founders: [], store: .memory)
  private static let frameBytesMax = 1 << 20

  private var isWrapped = false

  init() {}

  mutating func take(_ pieces: [Bytes]) throws(FuzzFailure) {
    isWrapped.toggle()
    guard isWrapped else { return try feed(pieces, isEstablished: pieces.count % 2 == 0) }
    // Each of these bytes chooses a kind of frame.
    let body = Bytes(pieces.joined())
    let kinds: [UInt8] = [1, 2, 3, 4, 4, 4, 4, 16, 17, 18, 19, 20, 21, 22]
    let kind = kinds[Int(body.first ?? 0) % kinds.count]
    let frame = Self.frame(kind, Bytes(body.dropFirst()))
    try feed([frame], isEstablished: kind > 3)
    try feed([frame], isEstablished: false)
  }

  private static func frame(_ kind: UInt8, _ body: Bytes) -> Bytes {
    let header = FrameHeader(
      kind: FrameKind(rawValue: kind), trafficClass: .consensus, target: me.node, sender: other.node,
      boot: other.boot)
    var writer = ByteWriter()
    writer.writeFrame(header) { $0.writeRaw(body) }
    return writer.bytes
  }

  private func feed(_ pieces: [Bytes], isEstablished: Bool) throws(FuzzFailure) {
    var inbound = InboundLink(identity: Self.me, frameBytesMax: Self.frameBytesMax, deadline: 1_000)
    var effects: [InboundLink.Effect] = []
    if isEstablished {
      var hello = ByteWriter()
      Hello(identity: Self.other, trafficClass: .consensus).writeFrame(into: &hello)
      inbound.received(hello.bytes, into: &effects)
    }
    for piece in pieces { inbound.received(piece, into: &effects) }
    guard effects.count < stepsMax else { throw FuzzFailure(reason: "it has effects without end") }
    for case .frame(let frame) in effects {
      // That it cannot be read is what is expected.
      try? PeerFrames.read(frame)
      if frame.header.kind == .message, let message = try? MessageCodec.decode(frame) {
        for case .payload(let payload) in message.entries.map(\.content) {
          var reader = ByteReader(payload)
          _ = try? KeyValueCommand(from: &reader)
        }
      }
    }
    var outbound = OutboundLink(
      hello: Hello(identity: Self.me, trafficClass: .consensus),
      timing: LinkTiming(reconnectMin: 20, reconnectMax: 1_000, connectMax: 300, handshakeMax: 500), seed: 4,
      now: 0)
    var others: [OutboundLink.Effect] = []
    outbound.advance(to: 0, into: &others)
    outbound.connected(at: 0, into: &others)
    for piece in pieces { outbound.received(piece, at: 0, into: &others) }
  }
}

extension PeerTarget {
  /// One frame and one body of each message that nodes send.
  static var ownSeeds: [Bytes] {
    let entry = EntryID(term: Term(8), index: LogIndex(100))
    let bodies: [Message.Body] = [
      .requestVote(RequestVote(campaignTerm: Term(10), lastEntry: entry, isPreVote: true, isTransfer: false)),
      .requestVoteReply(RequestVoteReply(campaignTerm: Term(9), isPreVote: false, isGranted: true)),
      .appendEntriesReply(.accepted(match: LogIndex(5))),
      .appendEntriesReply(.rejected(previous: LogIndex(5), hint: entry)),
      .heartbeat(Heartbeat(commitIndex: LogIndex(7), heldByAll: LogIndex(6), round: 3)),
      .heartbeatReply(HeartbeatReply(round: 3)), .staleTerm, .timeoutNow,
      .readIndex(ReadID(boot: 0xFEED, number: 12)),
      .readIndexReply(ReadIndexReply(id: ReadID(boot: 1, number: 12), readIndex: LogIndex(7))),
      .commitNotice(LogIndex(7)), .installSnapshotReply(.wants(fingerprint: 5, offset: 993)),
      .installSnapshotReply(.covered(through: LogIndex(100))),
    ]
    var seeds = bodies.flatMap { body in
      both(4) { MessageCodec.encode(message(body), entries: [], into: &$0) }
    }
    seeds += both(4) { writer in
      let command = KeyValueCommand.put(namespace: [1], key: [2], value: [3]).encoded()
      let call = KeyValueCall(namespace: [1], arguments: [Bytes("SET".utf8), [2], [3]])
      let run = KeyValueCommand.run([call], watched: [WatchedKey(namespace: [1], key: [2], version: 3)])
        .encoded()
      let entries = [command, run].enumerated().map { offset, payload in
        Entry<Bytes>(
          id: EntryID(term: Term(4), index: LogIndex(UInt64(41 + offset))), content: .payload(payload),
          bytes: UInt32(payload.count))
      }
      let append = AppendEntries(
        previous: EntryID(term: Term(3), index: LogIndex(40)), entriesTerm: Term(4), count: 2,
        commitIndex: LogIndex(39))
      MessageCodec.encode(message(.appendEntries(append)), entries: entries[...], into: &writer)
    }
    let members = [1, 2, 3].map { Member(id: NodeID($0), address: "10.0.0.\($0):5000", store: .durable) }
    if let configuration = try? Configuration(
      members: members, voters: [NodeID(1), NodeID(2)], outgoingVoters: [NodeID(1)], learners: [NodeID(3)])
    {
      seeds += both(18) {
        $0.write(9 as UInt64)
        configuration.encode(into: &$0)
      }
      seeds += both(20) {
        $0.write(1 as UInt8)
        $0.write(9 as UInt64)
        configuration.encode(into: &$0)
      }
      seeds += both(4) { writer in
        let piece = InstallSnapshot(last: entry, bytes: 1000, fingerprint: 5, offset: 990, count: 3)
        MessageCodec.encode(
          message(.installSnapshot(piece)), entries: [],
          configuration: IndexedConfiguration(index: LogIndex(40), configuration: configuration),
          chunk: [1, 2, 3],
          into: &writer)
      }
    }
    seeds += both(19) { members[0].encode(into: &$0) }
    seeds += both(16) {
      $0.write(7 as UInt64)
      $0.write(4 as UInt64)
      $0.write(1 as UInt8)
      $0.writeRaw(Bytes(repeating: 1, count: 32))
    }
    seeds += handshakes
    return seeds
  }

  private static func message(_ body: Message.Body) -> Message {
    Message(from: other.node, to: me.node, term: Term(9), body: body)
  }

  /// A whole frame, and a body behind the byte that chooses its kind.
  private static func both(_ kind: UInt8, _ write: (inout ByteWriter) -> Void) -> [Bytes] {
    var writer = ByteWriter()
    write(&writer)
    return [frame(kind, writer.bytes), [kind == 4 ? 3 : kind &- 9] + writer.bytes]
  }

  private static var handshakes: [Bytes] {
    var (hello, welcome, refusal) = (ByteWriter(), ByteWriter(), ByteWriter())
    let greeting = Hello(identity: other, trafficClass: .consensus)
    greeting.writeFrame(into: &hello)
    Welcome(identity: other, chosenVersion: 1, chosenFeatures: 0).writeFrame(
      answering: greeting, into: &welcome)
    Refusal(.malformed, "no").writeFrame(from: other, to: me.node, trafficClass: .consensus, into: &refusal)
    let frames = [hello.bytes, welcome.bytes, refusal.bytes]
    return frames + frames.enumerated().map { [UInt8($0)] + $1.dropFirst(FrameHeader.byteCount) }
  }
}
