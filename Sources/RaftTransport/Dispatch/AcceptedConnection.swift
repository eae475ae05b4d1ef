import RaftCore

/// A connection that somebody opened to this node: unknown at first, then a peer's link or a client's.
///
/// `@unchecked Sendable`: confined to its loop, like ``StreamConnection``.
final class AcceptedConnection: StreamHandler, @unchecked Sendable {
  /// Against which limit a connection counts.
  enum Share {
    case clients
    case reserve
    case peers
  }

  let connection: StreamConnection
  private(set) var share: Share
  private weak var owner: DispatchTransport?
  private let loop: EventLoop
  private let sniffer = ConnectionSniffer()
  private var link: InboundLink?
  private var timer: LoopTimer?
  private var isOver = false

  init(_ connection: StreamConnection, share: Share, owner: DispatchTransport) {
    self.connection = connection
    self.share = share
    self.owner = owner
    loop = owner.loop
  }

  /// Who is at the other end, if it is a peer that has shaken hands.
  var peer: RemotePeer? { isOver ? nil : link?.peer }
  var trafficClass: TrafficClass? { link?.trafficClass }

  func start() {
    connection.handler = self
    if share == .reserve, let owner {
      timer = loop.schedule(after: owner.options.reserveMilliseconds) { [weak self] in
        guard let self, !owner.admitClient(self) else { return }
        turnAway()
      }
    }
    connection.start()
  }

  /// Gives up its place in the reserve at once.
  func evict() {
    turnAway()
    connection.close()
  }

  /// Closes the connection without telling anybody.
  func drop() {
    isOver = true
    timer?.cancel()
    connection.close()
  }

  // MARK: - StreamHandler

  func received(_ bytes: Bytes, on connection: StreamConnection) {
    guard !isOver else { return }
    if link != nil {
      perform { $0.received(bytes, into: &$1) }
    } else {
      classify(bytes)
    }
  }

  func inputEnded(on connection: StreamConnection) {
    connection.close("closed by the other side")
  }

  func closed(_ connection: StreamConnection, reason: String) {
    timer?.cancel()
    let lost = peer
    isOver = true
    reportLost(lost, reason: reason)
  }

  // MARK: - The first byte

  private func classify(_ bytes: Bytes) {
    switch sniffer.judge(bytes) {
    case .undecided: break
    case .peer(let bytes): becomePeer(bytes)
    case .client(let bytes): becomeClient(bytes)
    case .tls:
      isOver = true
      connection.write(Self.tlsLine)
      connection.closeAfterFlush()
    case .unknown(let byte):
      isOver = true
      owner?.delegate?.violation(
        from: connection.remoteAddress,
        reason: "no protocol begins with the byte 0x\(String(byte, radix: 16)); closed")
      connection.close()
    }
  }

  private func becomeClient(_ bytes: Bytes) {
    guard owner?.admitClient(self) == true else { return turnAway() }
    timer?.cancel()
    guard let handler = owner?.delegate?.acceptedClient(connection, firstBytes: bytes) else {
      return connection.close()
    }
    connection.handler = handler
    handler.received(bytes, on: connection)
  }

  private func becomePeer(_ bytes: Bytes) {
    timer?.cancel()
    guard let owner, let identity = owner.identity else { return drop() }
    guard owner.admitPeer(self) else {
      owner.delegate?.violation(
        from: connection.remoteAddress, reason: "too many connections of peers; closed")
      return drop()
    }
    link = InboundLink(
      identity: identity, frameBytesMax: owner.options.frameBytesMax,
      deadline: loop.milliseconds + owner.options.handshakeMillisecondsMax)
    perform { $0.received(bytes, into: &$1) }
  }

  func count(as share: Share) { self.share = share }

  /// Says politely that there is no room.
  private func turnAway() {
    guard !isOver else { return }
    isOver = true
    timer?.cancel()
    connection.write(Self.tooManyLine)
    connection.closeAfterFlush()
  }

  static let tooManyLine = Bytes(
    (#"{"type":"error","data":false,"error":{"code":"too_many_connections","#
      + #""message":"this node has as many clients as it can serve; try another one, or try again later","#
      + #""outcome":"not_executed"}}"# + "\n").utf8)

  static let tlsLine = Bytes("raftnode: this port does not speak TLS; connect without it\n".utf8)

  // MARK: - The link

  private func perform(_ input: (inout InboundLink, inout [InboundLink.Effect]) -> Void) {
    guard !isOver, var current = link else { return }
    // Taken out while it works, so that its buffer is not copied.
    link = nil
    var effects: [InboundLink.Effect] = []
    input(&current, &effects)
    link = current
    for effect in effects where !isOver { perform(effect) }
    timer?.cancel()
    guard !isOver, let deadline = link?.nextDeadline else { return }
    timer = loop.schedule(at: deadline) { [weak self] in
      guard let self else { return }
      perform { $0.advance(to: self.loop.milliseconds, into: &$1) }
    }
  }

  private func perform(_ effect: InboundLink.Effect) {
    let delegate = owner?.delegate
    switch effect {
    case .send(let bytes):
      connection.write(bytes)
    case .established(let peer, let trafficClass):
      owner?.supersede(self, peer: peer, class: trafficClass)
      owner?.heardFrom(peer.address)
      delegate?.inboundUp(peer, class: trafficClass)
    case .frame(let frame):
      delegate?.received(frame, from: frame.header.sender)
    case .misdirected(let target):
      let meant = target.map { "node \($0)" } ?? "nobody"
      delegate?.violation(from: remote, reason: "a frame for \(meant) was dropped")
    case .refused(let address, let refusal):
      delegate?.refusedInbound(address: address, refusal)
    case .violation(let reason):
      delegate?.violation(from: remote, reason: "\(reason); closed")
    case .closeAfterFlush:
      finish { $0.closeAfterFlush() }
    case .close:
      finish { $0.close() }
    }
  }

  private var remote: String { link?.peer?.address ?? connection.remoteAddress }

  /// Ends the link from this side; an established one is reported as lost.
  private func finish(_ close: (StreamConnection) -> Void) {
    let lost = peer
    isOver = true
    timer?.cancel()
    close(connection)
    reportLost(lost, reason: "the protocol was broken")
  }

  private func reportLost(_ lost: RemotePeer?, reason: String) {
    guard let lost, let trafficClass, let owner else { return }
    guard !owner.hasLink(from: lost.node, class: trafficClass, besides: self) else { return }
    owner.delegate?.inboundDown(node: lost.node, class: trafficClass, reason: reason)
  }
}
