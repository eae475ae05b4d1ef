import RaftCore

/// Who a node is, as its peers are told at the handshake.
public struct LocalIdentity: Hashable, Sendable {
  /// The incarnation.
  public var node: NodeID
  /// A random number drawn when the process started.
  public var boot: UInt64
  /// The cluster it belongs to; nil for a fresh node.
  public var cluster: ClusterID?
  /// Where it can be dialed, `host:port`.
  public var address: String
  /// The addresses that a *fresh* node was started with, its own included: sorted, each once. Empty once it
  /// is in a cluster.
  public let founders: [String]
  /// Where it keeps its log.
  public var store: StoreKind

  /// Describes a node. The founders may come in any order.
  ///
  /// - Precondition: At most `Configuration.memberLimit` founders; id 0 is no node.
  public init(
    node: NodeID, boot: UInt64, cluster: ClusterID?, address: String, founders: [String], store: StoreKind
  ) {
    precondition(node.rawValue != 0, "node id 0 stands for no node")
    self.node = node
    self.boot = boot
    self.cluster = cluster
    self.address = address
    var sorted: [String] = []
    for founder in founders.sorted() where founder != sorted.last { sorted.append(founder) }
    precondition(
      sorted.count <= HandshakeLimits.foundersMax, "founders become members, of whom there is a limit")
    self.founders = sorted
    self.store = store
  }
}

/// How the acceptor judges a ``Hello``.
public enum HelloVerdict: Hashable, Sendable {
  /// The two may talk; this is what the dialer is answered.
  case welcome(Welcome)
  /// They may not.
  case refusal(Refusal)
}

extension LocalIdentity {
  /// Judges the hello of a dialer.
  ///
  /// A fresh node and a member of a cluster may talk to each other, and so may two fresh nodes: the layer
  /// above founds and joins clusters over such connections.
  public func judge(_ hello: Hello) -> HelloVerdict {
    let dialer = hello.identity
    if let refusal = stranger(dialer, target: hello.target, asked: self) { return .refusal(refusal) }
    let lowest = max(hello.versionLowest, WireVersion.lowest)
    let highest = min(hello.versionHighest, WireVersion.highest)
    guard lowest <= highest else {
      return .refusal(
        incompatible(dialer, versions: "\(hello.versionLowest) to \(hello.versionHighest)"))
    }
    return .welcome(
      Welcome(
        identity: self, chosenVersion: highest, chosenFeatures: hello.features & WireVersion.features))
  }

  /// Judges the answer to the hello in which this node asked for `target`.
  ///
  /// - Returns: Why the two do not talk to each other, or nil if they do.
  public func judge(_ welcome: Welcome, target: NodeID?) -> Refusal? {
    if let refusal = stranger(welcome.identity, target: target, asked: welcome.identity) {
      return refusal
    }
    guard (WireVersion.lowest...WireVersion.highest).contains(welcome.chosenVersion) else {
      return incompatible(welcome.identity, versions: "\(welcome.chosenVersion)")
    }
    guard welcome.chosenFeatures & ~WireVersion.features == 0 else {
      return Refusal(.malformed, "\(welcome.identity.address) chose features that were not offered")
    }
    return nil
  }

  /// Why this node and `other` must not talk, `target` being whom the dialer wanted and `asked` who was
  /// reached.
  private func stranger(_ other: LocalIdentity, target: NodeID?, asked: LocalIdentity) -> Refusal? {
    if let mine = cluster, let theirs = other.cluster, mine != theirs {
      return Refusal(
        .wrongCluster,
        "\(other.address) belongs to cluster \(theirs) and \(address) to cluster \(mine): they are kept apart"
      )
    }
    if other.node == node {
      return Refusal(
        .sameNode, "\(other.address) and \(address) are the same node \(node), or one is a copy of the other")
    }
    if let target, target != asked.node {
      return Refusal(
        .wrongNode, "node \(target) was asked for at \(asked.address), where node \(asked.node) is")
    }
    return nil
  }

  private func incompatible(_ other: LocalIdentity, versions: String) -> Refusal {
    Refusal(
      .incompatibleVersion,
      "\(other.address) speaks protocol versions \(versions) and \(address) speaks "
        + "\(WireVersion.lowest) to \(WireVersion.highest)")
  }
}

/// Who is at the other end of an established link.
public struct RemotePeer: Hashable, Sendable {
  /// Where it is: the address that was dialed, or for an accepted connection the one the dialer gave as its
  /// own.
  public var address: String
  /// What it said of itself.
  public var identity: LocalIdentity
  /// The protocol version agreed on.
  public var version: UInt8
  /// The features agreed on.
  public var features: UInt64

  /// Describes the other end of a link.
  public init(address: String, identity: LocalIdentity, version: UInt8, features: UInt64) {
    self.address = address
    self.identity = identity
    self.version = version
    self.features = features
  }

  /// Its incarnation.
  public var node: NodeID { identity.node }
  /// The cluster it belongs to; nil for a fresh node.
  public var cluster: ClusterID? { identity.cluster }
  /// The addresses a fresh node was started with; sorted.
  public var founders: [String] { identity.founders }
  /// The random number it drew when it started.
  public var boot: UInt64 { identity.boot }
  /// Where it keeps its log.
  public var store: StoreKind { identity.store }
}
