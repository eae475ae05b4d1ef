import RaftCore
import RaftTransport
import Testing

@Suite("Peers over real sockets", .timeLimit(.minutes(5)))
struct PeerLinkTests {
  @Test("two nodes exchange frames of both classes, small and large, in order")
  func exchange() async throws {
    let (a, b) = (try TestNode(1), try TestNode(2))
    a.connect(to: b)
    b.connect(to: a)
    await a.waitForLinks(to: b)
    await b.waitForLinks(to: a)
    let large = Bytes(repeating: 5, count: 3 << 20)
    for trafficClass in TrafficClass.allCases {
      for number in 0..<20 as Range<UInt8> { #expect(a.send([number], to: b, class: trafficClass)) }
      #expect(a.send(large, to: b, class: trafficClass))
      #expect(b.send(large, to: a, class: trafficClass))
    }
    await b.wait(for: .received(large, from: a.me.node), times: 2)
    await a.wait(for: .received(large, from: b.me.node), times: 2)
    let small = b.loop.run { b.events }.compactMap { event -> UInt8? in
      if case .received(let body, _) = event, body.count == 1 { body[0] } else { nil }
    }
    #expect(small.count == 40)
    await a.stop()
    await b.stop()
  }

  @Test("a node that is dialed before it listens is reached once it does")
  func lateListener() async throws {
    let endpoint = try Ports.free()
    let a = try TestNode(1)
    a.loop.run { a.transport.setPeers([endpoint.description]) }
    let b = try TestNode(2, endpoint: endpoint)
    await a.waitForLinks(to: b)
    await a.stop()
    await b.stop()
  }

  @Test("the end of a node is noticed by who sent to it and by who heard from it; its successor is dialed")
  func reconnect() async throws {
    let (a, b) = (try TestNode(1), try TestNode(2))
    a.connect(to: b)
    b.connect(to: a)
    await a.waitForLinks(to: b)
    await b.waitForLinks(to: a)
    await b.stop()
    for trafficClass in TrafficClass.allCases {
      await a.wait(for: .linkDown(b.me.node, trafficClass, address: b.address))
      await a.wait(for: .inboundDown(b.me.node, trafficClass))
    }
    #expect(!a.send([1], to: b))
    let successor = try TestNode(3, endpoint: b.endpoint)
    await a.waitForLinks(to: successor)
    #expect(a.send([2], to: successor))
    await successor.wait(for: .received([2], from: a.me.node))
    await a.stop()
    await successor.stop()
  }

  @Test("a new identity drops the links, and peers are told it")
  func newIdentity() async throws {
    let (a, b) = (try TestNode(1), try TestNode(2))
    a.connect(to: b)
    b.connect(to: a)
    await a.waitForLinks(to: b)
    await b.waitForLinks(to: a)
    var founded = a.me
    founded.cluster = ClusterID(9)
    a.loop.run { [founded] in a.transport.setIdentity(founded) }
    await a.waitForLinks(to: b, times: 2)
    await b.waitForLinks(to: a, times: 2)
    #expect(a.send([1], to: b))
    await b.wait(for: .received([1], from: a.me.node))
    await a.stop()
    await b.stop()
  }

  @Test("a peer that is no longer wanted is let go")
  func peersChange() async throws {
    let (a, b, c) = (try TestNode(1), try TestNode(2), try TestNode(3))
    a.connect(to: b, c)
    await a.waitForLinks(to: b)
    await a.waitForLinks(to: c)
    a.connect(to: c)
    await b.wait(for: .inboundDown(a.me.node, .consensus))
    #expect(!a.send([1], to: b))
    #expect(a.send([1], to: c))
    await c.wait(for: .received([1], from: a.me.node))
    for node in [a, b, c] { await node.stop() }
  }

  @Test("members of different clusters refuse each other, and both are told")
  func otherCluster() async throws {
    let (a, b) = (try TestNode(1, cluster: 5), try TestNode(2, cluster: 6))
    a.connect(to: b)
    await a.wait(for: .refused(.wrongCluster, by: b.address))
    await b.wait(for: .refusedInbound(.wrongCluster, address: a.address))
    #expect(!a.send([1], to: b))
    await a.stop()
    await b.stop()
  }

  @Test("a node that dials itself under another name notices it")
  func dialsItself() async throws {
    let a = try TestNode(1)
    let alias = "localhost:\(a.endpoint.port)"
    a.loop.run { a.transport.setPeers([a.address, alias]) }
    await a.wait(for: .refused(.sameNode, by: alias))
    #expect(a.loop.run { a.events }.allSatisfy { $0 != .refused(.sameNode, by: a.address) })
    await a.stop()
  }

  @Test("a frame for another node id is dropped, and the link stays")
  func misdirected() async throws {
    let (a, b) = (try TestNode(1), try TestNode(2))
    a.connect(to: b)
    await a.waitForLinks(to: b)
    a.send([1], to: b, as: 99)
    a.send([2], to: b)
    await b.wait(for: .received([2], from: a.me.node))
    let events = b.loop.run { b.events }
    #expect(events.contains(.violation("a frame for node n2r was dropped")))
    #expect(!events.contains(.received([1], from: a.me.node)))
    await a.stop()
    await b.stop()
  }

  @Test("a peer that sends nonsense is cut off, and no other peer notices")
  func nonsense() async throws {
    let (a, b) = (try TestNode(1), try TestNode(2))
    a.connect(to: b)
    await a.waitForLinks(to: b)
    let answer = try await onThread {
      let stranger = try RawClient(b.endpoint)
      try stranger.send([0xF2] + Bytes("nonsense".utf8))
      return try stranger.receiveAll()
    }
    let frame = try #require(try onlyFrame(of: answer))
    #expect(try Refusal(frame).code == .malformed)
    await b.wait(for: .violation("the bytes are no raftnode frame; closed"))
    #expect(a.send([1], to: b))
    await b.wait(for: .received([1], from: a.me.node))
    await a.stop()
    await b.stop()
  }

  @Test("a peer that begins and never completes its hello is cut off at the deadline")
  func halfHello() async throws {
    var options = TransportOptions()
    options.handshakeMillisecondsMax = 50
    let b = try TestNode(2, options: options)
    let answer = try await onThread {
      let stranger = try RawClient(b.endpoint)
      try stranger.send([0xF2])
      return try stranger.receiveAll()
    }
    #expect(answer.isEmpty)
    await b.wait(for: .violation("no complete hello before the deadline; closed"))
    await b.stop()
  }

  @Test("what waits for a peer that does not read is bounded; more is dropped")
  func boundedQueue() async throws {
    var options = TransportOptions()
    options.frameBytesMax = 1 << 20
    options.linkQueueBytesMax = 1 << 20
    let deaf = try Ports.free()
    let a = try TestNode(1, options: options)
    let listener = try RawListener(deaf)
    a.loop.run { a.transport.setPeers([deaf.description]) }
    let peers = try await onThread { try [listener.shakeHands(as: 2), listener.shakeHands(as: 2)] }
    for trafficClass in TrafficClass.allCases {
      await a.wait(for: .linkUp(NodeID(2), trafficClass, address: deaf.description))
    }
    let piece = Bytes(repeating: 0, count: 200_000)
    let sent = a.loop.run {
      var sent = 0
      while sent < 10_000, a.transport.send(piece, to: NodeID(2), class: .bulk) { sent += 1 }
      #expect(a.transport.pendingBytes(to: NodeID(2), class: .bulk) <= 1 << 20)
      return sent
    }
    #expect(sent < 10_000)
    // The other class has a connection of its own, and is not held up.
    #expect(a.loop.run { a.transport.send([1], to: NodeID(2), class: .consensus) })
    await a.stop()
    withExtendedLifetime(peers) {}
  }

  private func dial(_ node: TestNode, boot: UInt64) async throws -> RawClient {
    var writer = ByteWriter()
    Hello(identity: identity(node: 1, boot: boot), trafficClass: .consensus).writeFrame(into: &writer)
    let hello = writer.bytes
    return try await onThread {
      let peer = try RawClient(node.endpoint)
      try peer.send(hello)
      _ = try peer.receive()
      return peer
    }
  }

  @Test("a restarted node replaces its older connection, which is not reported as lost")
  func superseded() async throws {
    let b = try TestNode(2)
    let older = try await dial(b, boot: 1)
    await b.wait(for: .inboundUp(NodeID(1), .consensus))
    let newer = try await dial(b, boot: 2)
    let rest = try await onThread { try older.receiveAll() }
    #expect(rest.isEmpty)
    await b.wait(for: .inboundUp(NodeID(1), .consensus), times: 2)
    #expect(!b.loop.run { b.events }.contains(.inboundDown(NodeID(1), .consensus)))
    newer.endOutput()
    await b.wait(for: .inboundDown(NodeID(1), .consensus))
    await b.stop()
  }

  @Test("a node that dials under two names keeps both links, and is lost with the second")
  func twoNames() async throws {
    let (a, b) = (try TestNode(1), try TestNode(2))
    let alias = "localhost:\(b.endpoint.port)"
    a.loop.run { a.transport.setPeers([b.address, alias]) }
    await a.waitForLinks(to: b)
    await a.wait(for: .linkUp(b.me.node, .consensus, address: alias))
    a.connect(to: b)
    a.send([1], to: b)
    await b.wait(for: .received([1], from: a.me.node))
    #expect(!b.loop.run { b.events }.contains(.inboundDown(a.me.node, .consensus)))
    await a.stop()
    await b.wait(for: .inboundDown(a.me.node, .consensus))
    await b.stop()
  }

  @Test("an address that is no endpoint is reported as unreachable, and the others are dialed")
  func badAddress() async throws {
    let (a, b) = (try TestNode(1), try TestNode(2))
    a.loop.run { a.transport.setPeers(["no port", b.address]) }
    await a.waitForLinks(to: b)
    await a.stop()
    await b.stop()
  }
}
