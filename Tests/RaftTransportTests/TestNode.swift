import Foundation
import RaftCore
import RaftTransport
import Testing

/// What a transport told its delegate.
enum NodeEvent: Equatable {
  case linkUp(NodeID, TrafficClass, address: String)
  case linkDown(NodeID?, TrafficClass, address: String)
  case inboundUp(NodeID, TrafficClass)
  case inboundDown(NodeID, TrafficClass)
  case received(Bytes, from: NodeID)
  case refused(Refusal.Code, by: String)
  case refusedInbound(Refusal.Code, address: String)
  case violation(String)
}

/// A transport that listens on 127.0.0.1 and writes down what it is told, for tests to wait for.
///
/// `@unchecked Sendable`: everything is touched on the loop only.
final class TestNode: TransportDelegate, @unchecked Sendable {
  let loop = EventLoop(label: "test")
  let transport: DispatchTransport
  let endpoint: Endpoint
  let me: LocalIdentity
  private(set) var events: [NodeEvent] = []
  private var waiters: [(isMet: ([NodeEvent]) -> Bool, resume: CheckedContinuation<Void, Never>)] = []
  var serve: (StreamConnection) -> (any StreamHandler)? = { _ in EchoHandler() }

  init(
    _ number: UInt64, cluster: UInt64? = nil, endpoint: Endpoint? = nil, boot: UInt64 = 77,
    options: TransportOptions = TransportOptions()
  ) throws {
    let endpoint = try endpoint ?? Ports.free()
    self.endpoint = endpoint
    me = identity(node: number, cluster: cluster, address: endpoint.description, boot: boot)
    transport = DispatchTransport(loop: loop, options: options, seed: number)
    try loop.run {
      transport.delegate = self
      transport.setIdentity(me)
      try transport.listen(on: endpoint)
    }
  }

  var address: String { endpoint.description }

  func connect(to others: TestNode...) {
    loop.run { transport.setPeers(others.map(\.address)) }
  }

  /// Sends one frame of a kind of the layers above.
  @discardableResult
  func send(
    _ body: Bytes, to other: TestNode, as target: UInt64? = nil, class trafficClass: TrafficClass = .consensus
  )
    -> Bool
  {
    var writer = ByteWriter()
    let header = FrameHeader(
      kind: FrameKind(rawValue: 40), trafficClass: trafficClass,
      target: target.map { NodeID($0) } ?? other.me.node,
      sender: me.node, boot: me.boot)
    writer.writeFrame(header) { $0.writeRaw(body) }
    return loop.run { transport.send(writer.bytes, to: other.me.node, class: trafficClass) }
  }

  /// Waits until the events satisfy `isMet`.
  func wait(until isMet: @escaping @Sendable ([NodeEvent]) -> Bool) async {
    await withCheckedContinuation { continuation in
      loop.async {
        if isMet(self.events) { return continuation.resume() }
        self.waiters.append((isMet, continuation))
      }
    }
  }

  func wait(for event: NodeEvent, times: Int = 1) async {
    await wait { events in events.filter { $0 == event }.count >= times }
  }

  func waitForLinks(to other: TestNode, times: Int = 1) async {
    for trafficClass in TrafficClass.allCases {
      await wait(for: .linkUp(other.me.node, trafficClass, address: other.address), times: times)
    }
  }

  /// Waits until no client is connected.
  func waitUntilNoClients() async {
    await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
      loop.async { self.poll(continuation) }
    }
  }

  private func poll(_ continuation: CheckedContinuation<Void, Never>) {
    guard transport.clientConnections > 0 else { return continuation.resume() }
    loop.schedule(after: 2) { self.poll(continuation) }
  }

  func stop() async {
    await withCheckedContinuation { continuation in
      loop.async { self.transport.stop { continuation.resume() } }
    }
  }

  private func note(_ event: NodeEvent) {
    loop.preconditionOnLoop()
    events.append(event)
    for waiter in waiters where waiter.isMet(events) { waiter.resume.resume() }
    waiters.removeAll { $0.isMet(events) }
  }

  func linkUp(_ peer: RemotePeer, class trafficClass: TrafficClass) {
    note(.linkUp(peer.node, trafficClass, address: peer.address))
  }

  func linkDown(address: String, node: NodeID?, class trafficClass: TrafficClass, reason: String) {
    note(.linkDown(node, trafficClass, address: address))
  }

  func inboundUp(_ peer: RemotePeer, class trafficClass: TrafficClass) {
    note(.inboundUp(peer.node, trafficClass))
  }

  func inboundDown(node: NodeID, class trafficClass: TrafficClass, reason: String) {
    note(.inboundDown(node, trafficClass))
  }

  func received(_ frame: Frame, from node: NodeID) { note(.received(frame.body, from: node)) }

  func refused(byAddress address: String, _ refusal: Refusal) { note(.refused(refusal.code, by: address)) }

  func refusedInbound(address: String, _ refusal: Refusal) {
    note(.refusedInbound(refusal.code, address: address))
  }

  func violation(from remote: String, reason: String) { note(.violation(reason)) }

  func acceptedClient(_ connection: StreamConnection, firstBytes: Bytes) -> (any StreamHandler)? {
    serve(connection)
  }
}

/// Answers every piece with itself; goes on sending after the client has ended its side, then closes.
final class EchoHandler: StreamHandler {
  func received(_ bytes: Bytes, on connection: StreamConnection) { connection.write(bytes) }
  func inputEnded(on connection: StreamConnection) { connection.closeAfterFlush() }
  func closed(_ connection: StreamConnection, reason: String) {}
}

/// Answers the first piece with fixed bytes, and closes.
final class AnswerHandler: StreamHandler {
  private let answer: Bytes
  init(_ answer: Bytes) { self.answer = answer }
  func received(_ bytes: Bytes, on connection: StreamConnection) {
    connection.write(answer)
    connection.closeAfterFlush()
  }
  func closed(_ connection: StreamConnection, reason: String) {}
}
