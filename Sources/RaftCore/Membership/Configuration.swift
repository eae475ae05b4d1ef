/// Where a member keeps its log.
public enum StoreKind: UInt8, Hashable, Sendable {
  /// In memory: every start is a new incarnation.
  case memory = 1
  /// On stable storage: a restart brings the same incarnation back.
  case durable = 2
}

/// What the cluster knows of one of its nodes.
public struct Member: Hashable, Sendable {
  /// The incarnation.
  public var id: NodeID
  /// `host:port`, where peers and clients connect. The core only carries it.
  public var address: String
  /// Where the member keeps its log.
  public var store: StoreKind
  /// How much the member is preferred as leader; the higher, the more. It never delays an election: whoever is elected
  /// hands over to a voter of higher priority, as soon as that one holds the whole log.
  public var priority: UInt8

  /// Describes a member.
  public init(id: NodeID, address: String, store: StoreKind, priority: UInt8 = 0) {
    self.id = id
    self.address = address
    self.store = store
    self.priority = priority
  }
}

/// Who takes part in the cluster: voters, learners and, between the two halves of a joint change, the outgoing
/// voters (thesis §4.2.1, §4.3).
///
/// All lists are sorted by id: the order of iteration is observable, and must not depend on anything else.
public struct Configuration: Hashable, Sendable {
  /// One reference, so that a configuration is copied at the cost of one count: it is looked at for every entry.
  private let parts: Parts

  /// Everyone who is voter, outgoing voter or learner; sorted by id, each once.
  public var members: [Member] { parts.members }
  /// Who votes and is counted for commitment; sorted.
  public var voters: [NodeID] { parts.voters }
  /// The old voters while a joint change is under way, whose majority is needed as well; empty otherwise. Sorted.
  public var outgoingVoters: [NodeID] { parts.outgoingVoters }
  /// Who receives the log without being counted; sorted; none of them is in `voters`. One of `outgoingVoters` may be
  /// among them: it still votes, and will not when the joint change is over.
  public var learners: [NodeID] { parts.learners }
  /// Whether the leader may answer reads under a lease. Replicated, because it binds everybody: while it is on, nobody
  /// votes within a minimum election timeout of hearing the leader, whatever else is reported (thesis §6.4.1).
  public var usesLeaseReads: Bool { parts.leaseTimeoutTicks != 0 }
  /// The minimum election timeout that leases rest on, in ticks: that of the leader that switched them on; nil while they
  /// are off. Replicated, because options are each node's own: no lease lasts longer, and nobody is silent for less.
  public var leaseTimeoutTicks: UInt32? { usesLeaseReads ? parts.leaseTimeoutTicks : nil }

  /// Makes a configuration out of its parts, in any order.
  ///
  /// - Parameters:
  ///   - members: Who takes part; each id once.
  ///   - voters: Ids of members that vote.
  ///   - outgoingVoters: The old voters of a joint configuration.
  ///   - learners: Ids of members that only receive.
  ///   - leaseTimeoutTicks: The minimum election timeout that leases rest on, in ticks; nil or 0 if the leader may not
  ///     answer reads under a lease.
  /// - Throws: ``ConfigurationError`` naming the first rule that is broken.
  public init(
    members: [Member], voters: [NodeID], outgoingVoters: [NodeID] = [], learners: [NodeID] = [],
    leaseTimeoutTicks: UInt32? = nil
  ) throws(ConfigurationError) {
    parts = Parts(
      members: members.sorted { $0.id < $1.id }, voters: voters.sorted(),
      outgoingVoters: outgoingVoters.sorted(), learners: learners.sorted(),
      leaseTimeoutTicks: leaseTimeoutTicks ?? 0)
    try validate()
  }

  /// A configuration in which every one of `voters` votes.
  ///
  /// - Throws: ``ConfigurationError`` if the list is empty, too long, or names an id twice.
  public init(voters: [Member]) throws(ConfigurationError) {
    try self.init(members: voters, voters: voters.map(\.id))
  }

  /// Whether a joint change is under way.
  public var isJoint: Bool { !outgoingVoters.isEmpty }

  /// Whether `id` is counted in elections and for commitment.
  public func isVoter(_ id: NodeID) -> Bool {
    voters.contains(id) || outgoingVoters.contains(id)
  }

  /// The entry of `id`, if it takes part.
  public func member(_ id: NodeID) -> Member? { members.first { $0.id == id } }

  /// Whether both say the same.
  public static func == (left: Self, right: Self) -> Bool {
    left.parts === right.parts
      || left.members == right.members && left.voters == right.voters
        && left.outgoingVoters == right.outgoingVoters && left.learners == right.learners
        && left.leaseTimeoutTicks == right.leaseTimeoutTicks
  }

  /// Feeds everything that is compared.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(members)
    hasher.combine(voters)
    hasher.combine(outgoingVoters)
    hasher.combine(learners)
    hasher.combine(leaseTimeoutTicks)
  }

  private final class Parts: Sendable {
    let members: [Member]
    let voters: [NodeID]
    let outgoingVoters: [NodeID]
    let learners: [NodeID]
    /// 0 while leases are off.
    let leaseTimeoutTicks: UInt32

    init(
      members: [Member], voters: [NodeID], outgoingVoters: [NodeID], learners: [NodeID],
      leaseTimeoutTicks: UInt32
    ) {
      self.members = members
      self.voters = voters
      self.outgoingVoters = outgoingVoters
      self.learners = learners
      self.leaseTimeoutTicks = leaseTimeoutTicks
    }
  }

  /// The most members a configuration may have.
  public static let memberLimit = 64

  private func validate() throws(ConfigurationError) {
    guard !voters.isEmpty else { throw .noVoters }
    guard members.count <= Self.memberLimit else { throw .tooManyMembers(members.count) }
    for (first, second) in zip(members, members.dropFirst()) where first.id == second.id {
      throw .duplicate(first.id)
    }
    for list in [voters, outgoingVoters, learners] {
      for (first, second) in zip(list, list.dropFirst()) where first == second { throw .duplicate(first) }
      for id in list where member(id) == nil { throw .unknownMember(id) }
    }
    for member in members where member.id.rawValue == 0 { throw .reservedID }
    for learner in learners where voters.contains(learner) { throw .learnerVotes(learner) }
    for member in members where !isVoter(member.id) && !learners.contains(member.id) {
      throw .idleMember(member.id)
    }
  }
}

/// Why a configuration is refused.
public enum ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Nobody could ever be elected.
  case noVoters
  /// More than ``Configuration/memberLimit`` members.
  case tooManyMembers(Int)
  /// An id stands twice in one list.
  case duplicate(NodeID)
  /// A list names an id that has no member entry.
  case unknownMember(NodeID)
  /// Id 0 stands for "no node".
  case reservedID
  /// A learner is among the voters.
  case learnerVotes(NodeID)
  /// A member is neither voter nor learner.
  case idleMember(NodeID)

  /// The value in words, as logs print it.
  public var description: String {
    switch self {
    case .noVoters: "a configuration needs at least one voter"
    case .tooManyMembers(let count):
      "a configuration has at most \(Configuration.memberLimit) members, not \(count)"
    case .duplicate(let id): "\(id) stands twice in the configuration"
    case .unknownMember(let id): "\(id) has a role in the configuration but no member entry"
    case .reservedID: "node id 0 is reserved"
    case .learnerVotes(let id): "\(id) cannot be learner and voter at once"
    case .idleMember(let id): "\(id) is a member without being voter or learner"
    }
  }
}
