import RaftCore

/// What carries frames between nodes. The layer above decides everything; a transport only keeps
/// connections up.
public protocol Transport: AnyObject {
  /// Says who this node is. Links made under another identity are dropped and made anew.
  func setIdentity(_ identity: LocalIdentity)

  /// Keeps links of both classes to each of these addresses, and to no others.
  func setPeers(_ addresses: [String])

  /// Sends whole frames to a node.
  ///
  /// - Returns: False if there is no established link to it, or too much waits there: then the frames are
  ///   dropped. True promises nothing but that they have been queued.
  func send(_ frames: Bytes, to node: NodeID, class trafficClass: TrafficClass) -> Bool
}

/// Who is told what happens on a transport. Everything is called on its loop.
public protocol TransportDelegate: AnyObject {
  /// A link that this node dialed is established: frames can be sent. `peer.address` is the address that
  /// was dialed.
  func linkUp(_ peer: RemotePeer, class trafficClass: TrafficClass)
  /// An established link that this node had dialed is lost. It will be dialed again.
  func linkDown(address: String, node: NodeID?, class trafficClass: TrafficClass, reason: String)
  /// An attempt to dial failed before the link was established. It will be tried again. The default does
  /// nothing.
  func unreachable(address: String, class trafficClass: TrafficClass, reason: String)
  /// A node has dialed this one and shaken hands. The default does nothing.
  func inboundUp(_ peer: RemotePeer, class trafficClass: TrafficClass)
  /// The link over which a node sends to this one is lost: often the first sign that the node has crashed.
  func inboundDown(node: NodeID, class trafficClass: TrafficClass, reason: String)
  /// A frame has arrived for this node, from the node that shook hands on its connection.
  func received(_ frame: Frame, from node: NodeID)
  /// The node at `address` does not talk to this one, or must not be talked to. Told at every attempt.
  func refused(byAddress address: String, _ refusal: Refusal)
  /// This node refused the one at `address`.
  func refusedInbound(address: String, _ refusal: Refusal)
  /// Somebody at `remote` sent something that no node sends, or a frame for another node id. `reason` says
  /// whether the frame was dropped or the connection closed.
  func violation(from remote: String, reason: String)
  /// A client has sent its first bytes.
  ///
  /// - Parameters:
  ///   - connection: The client's connection.
  ///   - firstBytes: What it sent, without white space before it. They tell which protocol it speaks, and
  ///     are given to the returned handler with ``StreamHandler/received(_:on:)`` right after.
  /// - Returns: Who serves the client; nil to close the connection.
  func acceptedClient(_ connection: StreamConnection, firstBytes: Bytes) -> (any StreamHandler)?
}

extension TransportDelegate {
  /// Does nothing.
  public func unreachable(address: String, class trafficClass: TrafficClass, reason: String) {}
  /// Does nothing.
  public func inboundUp(_ peer: RemotePeer, class trafficClass: TrafficClass) {}
}
