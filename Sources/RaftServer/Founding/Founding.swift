import RaftCore
import RaftTransport

/// How fresh nodes become a cluster: a value that is told whom the node meets, and says what to do.
///
/// A fresh node without peers founds a cluster of one. Otherwise *all* listed nodes must be present, fresh, and name the
/// same set; the one with the lowest address then founds the cluster with everybody in it and tells the others.
///
/// Counter-example to founding as soon as a majority is there: of four nodes, two pairs that cannot see each other, each
/// started later with one more address in common, could found two clusters under the same addresses.
struct Founding: Sendable {
  /// What is to be done.
  enum Decision: Hashable, Sendable {
    /// Wait for these addresses; if the list is empty, for the word of the founder at the lowest address.
    case wait(for: [String])
    /// Found the cluster of these members.
    case found([Member])
    /// These nodes are in a running cluster: ask one of them to be let in.
    case join([RemoteMember])
  }

  let own: Member
  /// All addresses that the node was started with, its own included; sorted, each once.
  let founders: [String]
  /// Whether the node has been in a cluster before: it never founds one then.
  let mustJoin: Bool
  private var peers: [Peer] = []

  private struct Peer: Sendable {
    let identity: LocalIdentity
    let address: String
  }

  /// A node of a running cluster.
  struct RemoteMember: Hashable, Sendable {
    let node: NodeID
    let address: String
  }

  init(own: Member, peers: [String], mustJoin: Bool = false) {
    self.own = own
    self.mustJoin = mustJoin
    var sorted: [String] = []
    for address in ([own.address] + peers).sorted() where address != sorted.last { sorted.append(address) }
    founders = sorted
  }

  /// What the node tells of ``founders``: nothing, if it founds no cluster.
  ///
  /// Counter-example to telling them all the same: A joined a cluster by way of D, which has left it since. A is killed, and
  /// started again by the same command; it looks for the other members, which its hint names. At that moment somebody starts a
  /// new, empty D with A as its only peer. Both name the same two addresses. If D took A for a fresh node, it would found a
  /// second cluster of the two, and A would take writes there that the first cluster never hears of.
  var announced: [String] { mustJoin ? [] : founders }

  /// Addresses of all others.
  var peerAddresses: [String] { founders.filter { $0 != own.address } }

  /// A peer was met. Returns the other set of addresses, if it was started with one.
  mutating func met(_ identity: LocalIdentity, at address: String) -> [String]? {
    peers.removeAll { $0.address == address }
    let place = peers.firstIndex { $0.address > address } ?? peers.count
    peers.insert(Peer(identity: identity, address: address), at: place)
    guard identity.cluster == nil, !identity.founders.isEmpty, !mustJoin else { return nil }
    return identity.founders != founders ? identity.founders : nil
  }

  /// The connection to a peer broke: it is no longer present.
  mutating func lost(_ address: String) { peers.removeAll { $0.address == address } }

  /// What is to be done.
  func decide() -> Decision {
    let members = peers.filter { $0.identity.cluster != nil }
    guard members.isEmpty, !mustJoin else {
      return .join(members.map { RemoteMember(node: $0.identity.node, address: $0.address) })
    }
    let missing = peerAddresses.filter { address in
      !peers.contains {
        $0.address == address && $0.identity.cluster == nil && $0.identity.founders == founders
      }
    }
    guard missing.isEmpty, own.address == founders.first else { return .wait(for: missing) }
    return .found(
      [own]
        + peers.filter { peerAddresses.contains($0.address) }.map {
          Member(id: $0.identity.node, address: $0.address, store: $0.identity.store)
        })
  }
}

/// What a founder tells the other founders.
struct Founded: ByteCodable, Hashable {
  var cluster: ClusterID
  /// The configuration that every founder's log begins with.
  var configuration: Configuration

  init(cluster: ClusterID, configuration: Configuration) {
    self.cluster = cluster
    self.configuration = configuration
  }

  func encode(into writer: inout ByteWriter) {
    writer.write(cluster.rawValue)
    configuration.encode(into: &writer)
  }

  init(from reader: inout ByteReader) throws(MalformedBytes) {
    cluster = ClusterID(try reader.readUInt64())
    configuration = try Configuration(from: &reader)
    guard cluster.rawValue != 0 else { throw MalformedBytes("cluster id 0 is reserved", offset: 0) }
  }
}
