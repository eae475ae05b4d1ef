import RaftCore

/// One link that this node dials: an ``OutboundLink`` with its connection and its timer.
///
/// `@unchecked Sendable`: confined to its loop, like ``StreamConnection``.
final class OutboundPeer: StreamHandler, @unchecked Sendable {
  let address: String
  let trafficClass: TrafficClass
  private let loop: EventLoop
  private let dialer: StreamDialer
  private let endpoint: Endpoint
  private weak var owner: DispatchTransport?
  private var link: OutboundLink
  private var connection: StreamConnection?
  private var timer: LoopTimer?
  private var attempt = 0
  private var isStopped = false
  private let queueBytesMax: Int

  init(
    endpoint: Endpoint, address: String, hello: Hello, owner: DispatchTransport, dialer: StreamDialer,
    seed: UInt64
  ) {
    self.endpoint = endpoint
    self.address = address
    self.owner = owner
    self.dialer = dialer
    loop = owner.loop
    trafficClass = hello.trafficClass
    queueBytesMax = owner.options.linkQueueBytesMax
    link = OutboundLink(
      hello: hello, timing: owner.options.linkTiming, seed: seed, now: owner.loop.milliseconds)
  }

  /// The node at the other end, while the link is established.
  var node: NodeID? { link.welcome?.identity.node }

  var pendingBytes: Int { connection?.pendingBytes ?? 0 }

  func start() { perform { $0.advance(to: $1, into: &$2) } }

  /// The node at this address has dialed this one.
  func heardFrom() { perform { link, now, _ in link.heardFrom(at: now) } }

  func send(_ frames: Bytes) -> Bool {
    guard link.isEstablished, let connection, connection.isOpen else { return false }
    guard connection.pendingBytes + frames.count <= queueBytesMax else { return false }
    connection.write(frames)
    return true
  }

  /// Ends the link without telling anybody. `isFlushing` sends what waits first.
  func stop(isFlushing: Bool) {
    isStopped = true
    timer?.cancel()
    let connection = connection
    detach()
    if isFlushing { connection?.closeAfterFlush() } else { connection?.close() }
  }

  private func detach() {
    connection?.handler = nil
    connection = nil
  }

  /// Feeds the link, does what it asks for, and sets the timer for what it waits for.
  private func perform(_ input: (inout OutboundLink, UInt64, inout [OutboundLink.Effect]) -> Void) {
    guard !isStopped else { return }
    let previous = node
    var effects: [OutboundLink.Effect] = []
    input(&link, loop.milliseconds, &effects)
    for effect in effects where !isStopped { perform(effect, previous: previous) }
    timer?.cancel()
    guard !isStopped, let deadline = link.nextDeadline else { return }
    timer = loop.schedule(at: deadline) { [weak self] in self?.start() }
  }

  private func perform(_ effect: OutboundLink.Effect, previous: NodeID?) {
    switch effect {
    case .connect: dial()
    case .send(let bytes): connection?.write(bytes)
    case .established(let welcome):
      let peer = RemotePeer(
        address: address, identity: welcome.identity, version: welcome.chosenVersion,
        features: welcome.chosenFeatures)
      owner?.delegate?.linkUp(peer, class: trafficClass)
    case .lost(let reason):
      owner?.delegate?.linkDown(address: address, node: previous, class: trafficClass, reason: reason)
    case .failed(let reason):
      owner?.delegate?.unreachable(address: address, class: trafficClass, reason: reason)
    case .refused(let refusal):
      owner?.delegate?.refused(byAddress: address, refusal)
    case .close:
      let connection = connection
      detach()
      connection?.close()
    }
  }

  private func dial() {
    attempt += 1
    let number = attempt
    dialer.dial(endpoint, attempt: number - 1) { [weak self] result in
      self?.dialed(result, attempt: number)
    }
  }

  private func dialed(_ result: Result<StreamConnection, TransportError>, attempt number: Int) {
    switch result {
    case .success(let connection):
      // The resolver may answer after the link has given up waiting for it.
      guard !isStopped, number == attempt, self.connection == nil, link.isConnecting else {
        return connection.close()
      }
      self.connection = connection
      owner?.track(connection)
      connection.handler = self
      connection.start()
    case .failure(let error):
      guard number == attempt, link.isConnecting else { return }
      // In a later turn, because the link may be in the middle of an effect.
      loop.async { [weak self] in self?.perform { $0.closed("\(error)", at: $1, into: &$2) } }
    }
  }

  // MARK: - StreamHandler

  func connected(_ connection: StreamConnection) {
    perform { $0.connected(at: $1, into: &$2) }
  }

  func received(_ bytes: Bytes, on connection: StreamConnection) {
    perform { $0.received(bytes, at: $1, into: &$2) }
  }

  func closed(_ connection: StreamConnection, reason: String) {
    guard connection === self.connection else { return }
    detach()
    perform { $0.closed(reason, at: $1, into: &$2) }
  }
}
