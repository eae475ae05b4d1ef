import RaftCore
import RaftTransport
import Testing

private let timing = LinkTiming(reconnectMin: 20, reconnectMax: 1_000, connectMax: 300, handshakeMax: 500)

private func bytes(_ write: (inout ByteWriter) -> Void) -> Bytes {
  var writer = ByteWriter()
  write(&writer)
  return writer.bytes
}

@Suite("Back-off: how long to wait")
struct BackoffTests {
  @Test("delays double up to the limit, each between half of it and all of it, and start again")
  func delays() {
    var backoff = Backoff(millisecondsMin: 20, millisecondsMax: 1_000, seed: 1)
    for _ in 0..<2 {
      for ceiling in [20, 40, 80, 160, 320, 640, 1_000, 1_000, 1_000] as [UInt64] {
        #expect((ceiling / 2...ceiling).contains(backoff.next()))
      }
      backoff.reset()
    }
    #expect((500...1_000).contains(backoff.nextLongest()))
  }

  @Test("one seed gives one sequence, another seed another")
  func seeds() {
    func sequence(_ seed: UInt64) -> [UInt64] {
      var backoff = Backoff(millisecondsMin: 20, millisecondsMax: 1_000, seed: seed)
      return (0..<20).map { _ in backoff.next() }
    }
    #expect(sequence(7) == sequence(7))
    #expect(sequence(7) != sequence(8))
  }
}

@Suite("Outbound links: the dialing half")
struct OutboundLinkTests {
  private let me = identity(node: 1, cluster: 5, address: "10.0.0.1:5000")
  private let other = identity(node: 2, cluster: 5, address: "10.0.0.2:5000")
  private var link: OutboundLink
  private var effects: [OutboundLink.Effect] = []

  init() {
    link = OutboundLink(
      hello: Hello(identity: me, trafficClass: .consensus), timing: timing, seed: 4, now: 1_000)
  }

  private mutating func take() -> [OutboundLink.Effect] {
    defer { effects = [] }
    return effects
  }

  private func welcome(from identity: LocalIdentity) -> Bytes {
    bytes {
      Welcome(identity: identity, chosenVersion: 1, chosenFeatures: 0)
        .writeFrame(answering: link.hello, into: &$0)
    }
  }

  private mutating func connect(at now: UInt64) {
    link.advance(to: now, into: &effects)
    #expect(take() == [.connect])
    link.connected(at: now, into: &effects)
    #expect(take() == [.send(bytes { link.hello.writeFrame(into: &$0) })])
  }

  private mutating func establish(at now: UInt64) {
    connect(at: now)
    link.received(welcome(from: other), at: now, into: &effects)
    #expect(take() == [.established(Welcome(identity: other, chosenVersion: 1, chosenFeatures: 0))])
    #expect(link.isEstablished)
    #expect(link.nextDeadline == nil)
  }

  @Test("it dials at once, says hello, and is established by the welcome")
  mutating func establishes() {
    #expect(link.nextDeadline == 1_000)
    establish(at: 1_000)
  }

  @Test("the welcome may come in pieces")
  mutating func welcomeInPieces() {
    connect(at: 1_000)
    for byte in welcome(from: other) {
      #expect(!link.isEstablished)
      link.received([byte], at: 1_001, into: &effects)
    }
    #expect(link.isEstablished)
  }

  @Test("a failed attempt is repeated, later each time")
  mutating func backsOff() {
    var now: UInt64 = 1_000
    for ceiling in [20, 40, 80, 160, 320, 640, 1_000, 1_000] as [UInt64] {
      link.advance(to: now, into: &effects)
      #expect(take() == [.connect])
      link.closed("refused", at: now, into: &effects)
      #expect(take() == [.failed(reason: "refused")])
      let next = link.nextDeadline ?? 0
      #expect((now + ceiling / 2...now + ceiling).contains(next))
      link.advance(to: next - 1, into: &effects)
      #expect(take() == [])
      now = next
    }
  }

  @Test("a connection that does not come about is given up at its deadline")
  mutating func connectDeadline() {
    link.advance(to: 1_000, into: &effects)
    _ = take()
    #expect(link.nextDeadline == 1_300)
    link.advance(to: 1_300, into: &effects)
    #expect(take() == [.failed(reason: "no connection within 300 ms"), .close])
    link.closed("late news", at: 1_301, into: &effects)
    #expect(take() == [])
  }

  @Test("a handshake without an answer is given up at its deadline")
  mutating func handshakeDeadline() {
    connect(at: 1_000)
    #expect(link.nextDeadline == 1_500)
    link.advance(to: 1_500, into: &effects)
    #expect(take() == [.failed(reason: "no answer to the handshake within 500 ms"), .close])
  }

  @Test("a link that lived is dialed again soon; one that broke at once goes on backing off")
  mutating func lost() {
    establish(at: 1_000)
    link.closed("reset", at: 5_000, into: &effects)
    #expect(take() == [.lost(reason: "reset")])
    #expect(!link.isEstablished)
    #expect((5_010...5_020).contains(link.nextDeadline ?? 0))
    establish(at: 5_020)
    link.closed("reset", at: 5_021, into: &effects)
    #expect(take() == [.lost(reason: "reset")])
    #expect((5_041...5_061).contains(link.nextDeadline ?? 0))
  }

  @Test(
    "a link that backs off for long dials soon when the other side has called, and then backs off further")
  mutating func called() {
    var now: UInt64 = 1_000
    var waits: [UInt64] = []
    for attempt in 0..<12 {
      link.advance(to: now, into: &effects)
      #expect(take() == [.connect])
      link.closed("refused", at: now, into: &effects)
      effects = []
      if attempt == 10 { link.heardFrom(at: now) }
      let next = link.nextDeadline ?? now
      waits.append(next - now)
      now = next
    }
    #expect(waits[9] >= 500)
    #expect(waits[10] == 20)
    #expect(waits[11] >= 500)
    // A link that is being made, or stands, is left alone.
    link.advance(to: now, into: &effects)
    let deadline = link.nextDeadline
    link.heardFrom(at: now)
    #expect(link.nextDeadline == deadline)
  }

  @Test("a refusal is reported, and the next attempt waits for long")
  mutating func refused() {
    connect(at: 1_000)
    let refusal = Refusal(.wrongCluster, "go away")
    let answer = bytes { refusal.writeFrame(from: other, to: me.node, trafficClass: .consensus, into: &$0) }
    link.received(answer, at: 1_000, into: &effects)
    #expect(take() == [.refused(refusal), .close])
    #expect((1_500...2_000).contains(link.nextDeadline ?? 0))
  }

  @Test("a welcome from another cluster is refused by the dialer")
  mutating func judgesTheWelcome() {
    connect(at: 1_000)
    link.received(welcome(from: identity(node: 2, cluster: 6)), at: 1_000, into: &effects)
    guard case .refused(let refusal) = effects.first else { return #expect(Bool(false), "not refused") }
    #expect(refusal.code == .wrongCluster)
    #expect(effects.last == .close)
    #expect(!link.isEstablished)
  }

  @Test("an answer that cannot be read, and anything after the welcome, ends the link")
  mutating func violations() {
    connect(at: 1_000)
    link.received(Bytes("HTTP/1.1 400".utf8), at: 1_000, into: &effects)
    guard effects.count == 2, case .failed = effects[0] else { return #expect(Bool(false), "\(effects)") }
    #expect(take().last == .close)

    connect(at: link.nextDeadline ?? 0)
    link.received(welcome(from: other) + welcome(from: other), at: 3_000, into: &effects)
    guard effects.count == 3, case .lost = effects[1] else { return #expect(Bool(false), "\(effects)") }
    #expect(effects[2] == .close)
  }
}

@Suite("Inbound links: the accepting half")
struct InboundLinkTests {
  private let me = identity(node: 1, cluster: 5, address: "10.0.0.1:5000")
  private let other = identity(node: 2, cluster: 5, address: "10.0.0.2:5000")
  private var link: InboundLink
  private var effects: [InboundLink.Effect] = []

  init() { link = InboundLink(identity: me, frameBytesMax: 1 << 20, deadline: 2_000) }

  private mutating func take() -> [InboundLink.Effect] {
    defer { effects = [] }
    return effects
  }

  private func hello(_ identity: LocalIdentity) -> Bytes {
    bytes { Hello(identity: identity, trafficClass: .consensus).writeFrame(into: &$0) }
  }

  private mutating func establish() {
    link.received(hello(other), into: &effects)
    let peer = RemotePeer(address: other.address, identity: other, version: 1, features: 0)
    guard effects.count == 2, case .send = effects[0] else { return #expect(Bool(false), "\(effects)") }
    #expect(take()[1] == .established(peer, .consensus))
    #expect(link.nextDeadline == nil)
  }

  private func message(to target: UInt64 = 1, from sender: UInt64 = 2, boot: UInt64 = 77) -> Bytes {
    let message = Message(from: NodeID(sender), to: NodeID(target), term: Term(1), body: .timeoutNow)
    return bytes { MessageCodec.writeFrame(message, boot: boot, into: &$0) }
  }

  /// Whether the link answered with `code`, reported a violation or a refusal, and closed.
  private func isRefused(_ code: Refusal.Code) -> Bool {
    guard effects.count == 3, case .send(let answer) = effects[0], effects[2] == .closeAfterFlush else {
      return false
    }
    guard let frame = try? onlyFrame(of: answer) else { return false }
    return (try? Refusal(frame))?.code == code
  }

  @Test("a hello is answered with a welcome, and frames are yielded from then on")
  mutating func establishes() throws {
    establish()
    link.received(message() + message(), into: &effects)
    #expect(effects.count == 2)
    for effect in take() {
      guard case .frame(let frame) = effect else { return #expect(Bool(false), "\(effect)") }
      #expect(try MessageCodec.decode(frame).message.body == .timeoutNow)
    }
  }

  @Test("hello and frames may come in one piece, or byte by byte")
  mutating func pieces() {
    for byte in hello(other) + message() { link.received([byte], into: &effects) }
    #expect(effects.count == 3)
    link = InboundLink(identity: me, frameBytesMax: 1 << 20, deadline: 2_000)
    effects = []
    link.received(hello(other) + message(), into: &effects)
    #expect(effects.count == 3)
  }

  @Test("a frame for another node is dropped and reported, and the link goes on")
  mutating func misdirected() {
    establish()
    link.received(message(to: 9) + message(), into: &effects)
    #expect(effects.first == .misdirected(target: NodeID(9)))
    guard effects.count == 2, case .frame = effects[1] else { return #expect(Bool(false), "\(effects)") }
  }

  @Test("a stranger's hello is refused with its reason, and the connection closed")
  mutating func refused() {
    for (stranger, code) in [
      (identity(node: 2, cluster: 6), Refusal.Code.wrongCluster), (identity(node: 1, cluster: 5), .sameNode),
    ] {
      link = InboundLink(identity: me, frameBytesMax: 1 << 20, deadline: 2_000)
      effects = []
      link.received(hello(stranger) + message(), into: &effects)
      #expect(isRefused(code))
    }
  }

  @Test("a stopping node refuses every hello")
  mutating func stopping() {
    link = InboundLink(identity: me, frameBytesMax: 1 << 20, deadline: 2_000, isStopping: true)
    link.received(hello(other), into: &effects)
    #expect(isRefused(.stopping))
  }

  @Test("a hello in another frame version is answered, in version 1, with what is spoken here")
  mutating func otherVersion() {
    var newer = hello(other)
    newer[4] = 2
    link.received(newer, into: &effects)
    #expect(isRefused(.incompatibleVersion))
  }

  @Test("something else than a hello, or nothing complete until the deadline, ends the link")
  mutating func noHello() {
    link.received(message(), into: &effects)
    #expect(isRefused(.malformed))

    link = InboundLink(identity: me, frameBytesMax: 1 << 20, deadline: 2_000)
    effects = []
    link.received(Bytes(hello(other).dropLast()), into: &effects)
    link.advance(to: 1_999, into: &effects)
    #expect(take() == [])
    link.advance(to: 2_000, into: &effects)
    #expect(take() == [.violation("no complete hello before the deadline"), .closeAfterFlush])
    link.received(message(), into: &effects)
    #expect(take() == [])
  }

  @Test("a hello larger than any hello is refused by its header")
  mutating func largeHello() {
    let header = FrameHeader(kind: .hello, trafficClass: .bulk, target: nil, sender: NodeID(2), boot: 1)
    let large = bytes { $0.writeFrame(header) { $0.writeRaw(Bytes(repeating: 0, count: 100_000)) } }
    link.received(Bytes(large[..<48]), into: &effects)
    #expect(isRefused(.malformed))
  }

  @Test("another sender, boot number or class than shaken hands with, and a second hello, end the link")
  mutating func violations() {
    let bulk = FrameHeader(
      kind: .message, trafficClass: .bulk, target: me.node, sender: other.node, boot: 77)
    let wrong = [
      message(from: 3), message(boot: 78), hello(other), bytes { $0.writeFrame(bulk) { _ in } },
      Bytes("nonsense".utf8),
    ]
    for frame in wrong {
      link = InboundLink(identity: me, frameBytesMax: 1 << 20, deadline: 2_000)
      effects = []
      establish()
      link.received(frame + message(), into: &effects)
      guard effects.count == 2, case .violation = effects[0] else {
        return #expect(Bool(false), "\(effects)")
      }
      #expect(take()[1] == .closeAfterFlush)
    }
  }

  @Test("random bytes, and random changes to a good stream, never trap")
  mutating func fuzz() {
    var random = TestRandom(seed: 21)
    let good = hello(other) + message() + messageSamples[6].frame() + message(to: 9)
    for _ in 0..<3_000 {
      link = InboundLink(identity: me, frameBytesMax: 1 << 16, deadline: 2_000)
      effects = []
      var stream = good
      for _ in 0..<Int.random(in: 0...3, using: &random) {
        stream[Int.random(in: 0..<stream.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      var offset = 0
      while offset < stream.count {
        let end = min(stream.count, offset + Int.random(in: 1...200, using: &random))
        link.received(Bytes(stream[offset..<end]), into: &effects)
        offset = end
      }
    }
  }
}

@Suite("The first byte: peers and clients on one port")
struct ConnectionSnifferTests {
  @Test("peers, clients, TLS and strangers are told apart, after any white space")
  func verdicts() {
    let sniffer = ConnectionSniffer()
    #expect(sniffer.judge([]) == .undecided)
    #expect(sniffer.judge(Bytes(" \t\r\n".utf8)) == .undecided)
    #expect(sniffer.judge(Bytes(" \n{\"type\"".utf8)) == .client(Bytes("{\"type\"".utf8)))
    for first in Bytes("{[\"-0*pP".utf8) { #expect(sniffer.judge([first]) == .client([first])) }
    #expect(sniffer.judge(FrameHeader.magic) == .peer(FrameHeader.magic))
    #expect(sniffer.judge([0x16, 0x03]) == .tls)
    #expect(sniffer.judge([0x80]) == .unknown(0x80))
    #expect(sniffer.judge([0xFF, 0x41]) == .unknown(0xFF))
  }
}
