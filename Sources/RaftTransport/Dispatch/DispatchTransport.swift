import Dispatch
import Glibc
import RaftCore

/// A transport over TCP, on one ``EventLoop``: it listens for peers and clients on one port, and dials the
/// peers.
///
/// Each pair of nodes has four connections: one for each direction and traffic class. Who dials sends; who
/// accepts only reads. A node that cannot be reached is dialed for ever, with back-off.
///
/// All methods are called on the loop. Call ``stop(then:)`` before letting go of it: connections hold
/// themselves.
///
/// `@unchecked Sendable`: confined to its loop, which every entry point checks.
public final class DispatchTransport: Transport, @unchecked Sendable {
  /// The loop it is confined to.
  public let loop: EventLoop
  /// Its limits and delays.
  public let options: TransportOptions
  /// Who is told what happens.
  public weak var delegate: (any TransportDelegate)?
  /// Who this node is; nil until ``setIdentity(_:)``. Peers that dial before are turned away and try again.
  public private(set) var identity: LocalIdentity?

  private let dialer: StreamDialer
  private var random: RandomSource
  private var listener: StreamListener?
  /// Sorted by address: whom is dialed first does not depend on anything else.
  private var addresses: [String] = []
  private var outbound: [OutboundPeer] = []
  private var accepted: [ObjectIdentifier: AcceptedConnection] = [:]
  private var connections: [ObjectIdentifier: StreamConnection] = [:]
  private var counts = (clients: 0, peers: 0)
  /// Accepted beyond the limit of clients and not known to be peers; the first has waited longest.
  private var reserve: [AcceptedConnection] = []
  private var clientConnectionsMax: Int
  private var isStopping = false
  private var stopped: (() -> Void)?

  /// Makes a transport that neither listens nor dials yet.
  ///
  /// - Parameters:
  ///   - loop: What it is confined to.
  ///   - options: Limits and delays.
  ///   - seed: For the jitter of delays between attempts to dial.
  /// - Precondition: The options are valid; ``TransportOptions/validated()`` says what is wrong with them.
  public init(loop: EventLoop, options: TransportOptions = TransportOptions(), seed: UInt64) {
    precondition((try? options.validated()) != nil, "the options of a transport are validated before")
    self.loop = loop
    self.options = options
    clientConnectionsMax = options.clientConnectionsMax
    random = RandomSource(seed: seed)
    dialer = StreamDialer(loop: loop, options: options)
  }

  /// How many clients are connected, including connections that have not sent anything.
  public var clientConnections: Int { counts.clients }
  /// How many connections of peers are accepted.
  public var peerConnections: Int { counts.peers }

  /// Starts to listen for peers and clients. Raises the process's limit of file descriptors as far as the
  /// system allows, and lowers the limit of clients to what fits.
  ///
  /// - Throws: ``TransportError`` if the endpoint cannot be used.
  /// - Precondition: It does not listen yet.
  public func listen(on endpoint: Endpoint) throws(TransportError) {
    loop.preconditionOnLoop()
    precondition(listener == nil && !isStopping, "a transport listens once")
    listener = try StreamListener(loop: loop, endpoint: endpoint) { [weak self] descriptor, remote in
      guard let self else {
        Glibc.close(descriptor)
        return
      }
      accept(descriptor, from: remote)
    }
    clientConnectionsMax = DescriptorLimit.clients(options)
  }

  /// Says who this node is. If that is news, every link is dropped, and dialed again under the new identity.
  public func setIdentity(_ identity: LocalIdentity) {
    loop.preconditionOnLoop()
    guard identity != self.identity, !isStopping else { return }
    self.identity = identity
    for link in outbound { link.stop(isFlushing: false) }
    outbound = []
    for link in accepted.values where link.share == .peers { link.drop() }
    dialMissing()
  }

  /// Keeps links of both classes to each of these addresses, and to no others. The own address is left out.
  public func setPeers(_ addresses: [String]) {
    loop.preconditionOnLoop()
    guard !isStopping else { return }
    var sorted: [String] = []
    for address in addresses.sorted() where address != sorted.last { sorted.append(address) }
    self.addresses = sorted
    for link in outbound where !isWanted(link.address) { link.stop(isFlushing: true) }
    outbound.removeAll { !isWanted($0.address) }
    dialMissing()
  }

  /// Sends whole frames to a node, over the established link of that class.
  ///
  /// - Returns: False if there is no such link, or ``TransportOptions/linkQueueBytesMax`` would be passed:
  ///   then the frames are dropped.
  public func send(_ frames: Bytes, to node: NodeID, class trafficClass: TrafficClass) -> Bool {
    loop.preconditionOnLoop()
    // A cluster has few links: a search is quicker than a hash, and needs no table to be kept right.
    for link in outbound where link.trafficClass == trafficClass && link.node == node {
      if link.send(frames) { return true }
    }
    return false
  }

  /// How many bytes wait to be sent to a node over the link of that class.
  public func pendingBytes(to node: NodeID, class trafficClass: TrafficClass) -> Int {
    loop.preconditionOnLoop()
    return outbound.first { $0.trafficClass == trafficClass && $0.node == node }?.pendingBytes ?? 0
  }

  /// Closes everything: the port at once, links and clients when what waits has been sent, or after
  /// ``TransportOptions/stopMillisecondsMax``. The delegate hears nothing more; the handlers of clients are
  /// told as always. `completion` runs on the loop when every connection is closed.
  public func stop(then completion: @escaping () -> Void) {
    loop.preconditionOnLoop()
    precondition(!isStopping, "a transport is stopped once")
    isStopping = true
    delegate = nil
    stopped = completion
    for link in outbound { link.stop(isFlushing: true) }
    outbound = []
    for link in accepted.values {
      if link.share == .peers { link.drop() } else { link.connection.closeAfterFlush() }
    }
    for connection in connections.values { connection.closeAfterFlush() }
    loop.schedule(after: options.stopMillisecondsMax) {
      for connection in self.connections.values { connection.close() }
    }
    guard let listener else { return loop.async { self.finishStopping() } }
    listener.close {
      self.listener = nil
      self.finishStopping()
    }
  }

  private func finishStopping() {
    guard isStopping, listener == nil, connections.isEmpty else { return }
    stopped?()
    stopped = nil
  }

  private func isWanted(_ address: String) -> Bool {
    addresses.contains(address) && address != identity?.address
  }

  private func dialMissing() {
    guard let identity else { return }
    for address in addresses where isWanted(address) && !outbound.contains(where: { $0.address == address }) {
      let endpoint: Endpoint
      do throws(EndpointError) {
        endpoint = try Endpoint(address)
      } catch {
        for trafficClass in TrafficClass.allCases {
          delegate?.unreachable(address: address, class: trafficClass, reason: "\(error)")
        }
        continue
      }
      let links = TrafficClass.allCases.map { trafficClass in
        OutboundPeer(
          endpoint: endpoint, address: address, hello: Hello(identity: identity, trafficClass: trafficClass),
          owner: self, dialer: dialer, seed: random.next())
      }
      outbound += links
      for link in links { link.start() }
    }
  }
}

// MARK: - Accepting

extension DispatchTransport {
  private func accept(_ descriptor: Int32, from remote: SocketAddress) {
    let share: AcceptedConnection.Share = counts.clients < clientConnectionsMax ? .clients : .reserve
    // Room is made by the one that has waited longest: a peer speaks as soon as it is connected, and must get
    // in however many silent clients arrive.
    if share == .reserve, reserve.count >= options.reserveConnectionsMax { reserve.removeFirst().evict() }
    Socket.prepare(descriptor, keepAliveSeconds: options.keepAliveSeconds)
    let connection = StreamConnection(
      descriptor: descriptor, remoteAddress: remote.description, loop: loop, isConnecting: false)
    let link = AcceptedConnection(connection, share: share, owner: self)
    count(link, as: share, by: 1)
    accepted[ObjectIdentifier(connection)] = link
    track(connection)
    link.start()
  }

  /// Keeps a connection alive and counted until it is closed.
  func track(_ connection: StreamConnection) {
    let key = ObjectIdentifier(connection)
    connections[key] = connection
    connection.onClosed = { [weak self] in
      guard let self else { return }
      connections[key] = nil
      if let link = accepted.removeValue(forKey: key) { count(link, as: link.share, by: -1) }
      if isStopping { loop.async { self.finishStopping() } }
    }
  }

  /// Counts an accepted connection as a client's, if there is room.
  func admitClient(_ link: AcceptedConnection) -> Bool {
    if link.share == .clients { return true }
    guard counts.clients < clientConnectionsMax, !isStopping else { return false }
    recount(link, as: .clients)
    return true
  }

  private func recount(_ link: AcceptedConnection, as share: AcceptedConnection.Share) {
    count(link, as: link.share, by: -1)
    link.count(as: share)
    count(link, as: share, by: 1)
  }

  private func count(_ link: AcceptedConnection, as share: AcceptedConnection.Share, by difference: Int) {
    switch share {
    case .clients: counts.clients += difference
    case .peers: counts.peers += difference
    case .reserve: if difference > 0 { reserve.append(link) } else { reserve.removeAll { $0 === link } }
    }
  }

  /// Counts an accepted connection as a peer's, if there is room.
  func admitPeer(_ link: AcceptedConnection) -> Bool {
    guard counts.peers < options.peerConnectionsMax, !isStopping else { return false }
    recount(link, as: .peers)
    return true
  }

  /// A node that comes back from a restart has lost its older connections, even if this end has not noticed
  /// yet. They are closed without being reported as lost: the node is there.
  ///
  /// Those of the same boot stay: a node that dials this one under two names would otherwise cut off one link
  /// by the other for ever.
  func supersede(_ newer: AcceptedConnection, peer: RemotePeer, class trafficClass: TrafficClass) {
    for link in accepted.values where link !== newer && link.trafficClass == trafficClass {
      if let older = link.peer, older.node == peer.node, older.boot != peer.boot { link.drop() }
    }
  }

  /// A node that says that it is at this address has dialed: links to it that are backing off try again soon.
  func heardFrom(_ address: String) {
    for link in outbound where link.address == address { link.heardFrom() }
  }

  /// Whether a node sends to this one over another connection of that class as well.
  func hasLink(from node: NodeID, class trafficClass: TrafficClass, besides lost: AcceptedConnection) -> Bool
  {
    accepted.values.contains { $0 !== lost && $0.trafficClass == trafficClass && $0.peer?.node == node }
  }
}

/// The limit of file descriptors that the system sets for this process.
private enum DescriptorLimit {
  /// Descriptors kept for everything but connections: databases, logs, the listener, the loop.
  private static let kept = 256

  /// Raises the limit as far as it goes, and says how many clients fit under it.
  static func clients(_ options: TransportOptions) -> Int {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
      return options.clientConnectionsMax
    }
    if limit.rlim_cur < limit.rlim_max {
      var raised = limit
      raised.rlim_cur = limit.rlim_max
      if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &raised) == 0 { limit = raised }
    }
    let others = kept + options.reserveConnectionsMax + options.peerConnectionsMax
    return min(options.clientConnectionsMax, max(16, Int(clamping: limit.rlim_cur) - others))
  }
}
