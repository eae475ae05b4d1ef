import RaftCore
import RaftTransport

/// What a host knows of the nodes around it.
struct Neighbourhood: Sendable {
  /// Nodes to which a connection stands that this node has dialed, by address.
  private(set) var linked: [RemotePeer] = []
  /// Nodes that have dialed this one, and are still connected.
  private(set) var callers: [RemotePeer] = []
  /// Newcomers that have asked this node.
  var newcomers = Newcomers()
  /// Where the leader was said to be, while this node is in no cluster.
  var leaderAddress: String?
  /// Where else members may be: written down before the last stop.
  var remembered: [String] = []
  /// Addresses of former members, which are told that they were removed, and until when, in milliseconds.
  var leaving: [(address: String, until: UInt64)] = []
  /// Members that were heard from at another address than the configuration says, and until when that is believed, in
  /// milliseconds.
  private(set) var moved: [(node: NodeID, address: String, until: UInt64)] = []
  /// The peers that the node was started with.
  var given: [String] = []
  /// Whether the configuration has another address for this node.
  var isMoving = false
  /// Whether no leader was known when that was last looked at.
  var isLost = true
  /// Whether this node asks until it votes.
  var isJoining = false
  /// How often it has asked.
  var attempts = 0
  /// The configuration that was acted upon last.
  var seen: Configuration?
  /// Whether the node was a member by ``seen``.
  var wasMember = false
  /// What the node was last told when it asked to be let in.
  var joinObstacle: String?
  /// Members whose place an operator has given to whoever is at an address, and until when, in milliseconds.
  private var replacements: [(member: NodeID, address: String, until: UInt64)] = []
  /// What nodes said that have stopped, and when, in milliseconds.
  private var words: [(node: NodeID, words: LastWords, at: UInt64)] = []
  /// Whether the node was a member, and is none any more.
  var isGone = false

  /// How often a newcomer asks, in milliseconds.
  static let askMilliseconds: UInt64 = 200
  /// How long former members are still dialed, in milliseconds.
  static let farewellMilliseconds: UInt64 = 5_000

  /// How long an address is tried that a member was heard from, in milliseconds.
  static let movedMilliseconds: UInt64 = 10_000
  /// How many former members and other addresses are tried at a time: strangers must not make a node dial without end.
  static let triedMax = 64

  /// How long an operator's word counts that a member is to be replaced, in milliseconds: the command repeats it until
  /// that is done, so that nothing is left behind of one that was given up.
  static let replacementMilliseconds: UInt64 = 10_000

  /// A store was found that belongs to a member: whether it still is one has to show.
  mutating func resumed() { wasMember = true }

  /// A node has dialed this one.
  mutating func called(_ peer: RemotePeer) {
    callers.removeAll { $0.node == peer.node }
    if callers.count < Self.triedMax { callers.append(peer) }
  }

  /// A node that has dialed this one is not connected any more.
  mutating func hungUp(_ node: NodeID) { callers.removeAll { $0.node == node } }

  /// All connections of nodes that have dialed this one are given up.
  mutating func forgetCallers() { callers = [] }

  /// A member is, or was, at this address.
  mutating func heard(_ node: NodeID, at address: String, now: UInt64) {
    moved.removeAll { $0.node == node || $0.until <= now }
    guard moved.count < Self.triedMax else { return }
    moved.append((node, address, now + Self.movedMilliseconds))
  }

  /// It cannot be where it says.
  mutating func forgetMove(of node: NodeID) { moved.removeAll { $0.node == node } }

  /// Where members may be besides the addresses of the configuration.
  mutating func movedAddresses(now: UInt64) -> [String] {
    moved.removeAll { $0.until <= now }
    return moved.map(\.address)
  }

  /// Takes note of a node that is no member any more, and is to be told.
  mutating func dismiss(_ address: String, now: UInt64) {
    leaving.removeAll { $0.address == address || $0.until <= now }
    guard leaving.count < Self.triedMax else { return }
    leaving.append((address, now + Self.farewellMilliseconds))
  }

  /// An operator gives the place of a member to whoever is at an address.
  mutating func replace(_ member: NodeID, at address: String, now: UInt64) {
    replacements.removeAll { $0.member == member || $0.until <= now }
    guard replacements.count < Self.triedMax else { return }
    replacements.append((member, address, now + Self.replacementMilliseconds))
  }

  /// The members whose place was given to whoever is at `address`.
  mutating func replaced(at address: String, now: UInt64) -> [NodeID] {
    replacements.removeAll { $0.until <= now }
    return replacements.filter { $0.address == address }.map(\.member)
  }

  /// A member stops, and says why.
  mutating func stops(_ node: NodeID, _ lastWords: LastWords, now: UInt64) {
    words.removeAll { $0.node == node }
    if words.count >= Self.triedMax { words.removeFirst() }
    words.append((node, lastWords, now))
  }

  /// What a node said when it stopped, if it was not met again since then.
  func lastWords(of node: NodeID, now: UInt64) -> ReplicaStatus.LastWords? {
    words.first { $0.node == node }.map {
      .init(
        isFailure: $0.words.isFailure, reason: $0.words.reason, ageMilliseconds: now - min(now, $0.at))
    }
  }

  mutating func up(_ peer: RemotePeer) {
    down(peer.address)
    words.removeAll { $0.node == peer.node }
    let place = linked.firstIndex { $0.address > peer.address } ?? linked.count
    linked.insert(peer, at: place)
  }

  mutating func down(_ address: String) { linked.removeAll { $0.address == address } }

  /// Whether the node that answers at the member's address is the member.
  func isProven(_ member: Member) -> Bool {
    linked.contains { $0.address == member.address && $0.node == member.id }
  }
}
