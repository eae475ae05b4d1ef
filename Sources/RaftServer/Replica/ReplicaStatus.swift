import RaftCore

/// What a replica knows of itself and of its cluster at one moment.
public struct ReplicaStatus: Hashable, Sendable {
  /// This incarnation of the node.
  public var id: NodeID
  /// Its cluster; nil while it waits to be founded.
  public var clusterID: ClusterID?
  /// Where peers and clients reach it, `host:port`.
  public var address: String
  /// The part it plays.
  public var role: ReplicaRole
  /// Its term; 0 while it waits to be founded.
  public var term: Term
  /// Address of the leader it knows of, itself included.
  public var leaderAddress: String?
  /// Highest index it knows to be committed.
  public var commitIndex: LogIndex
  /// Highest index its state machine reflects.
  public var appliedIndex: LogIndex
  /// Where it keeps its log.
  public var store: StoreKind
  /// All members, itself included, by id; while it waits to be founded, empty.
  public var members: [MemberStatus]

  /// One member of the cluster.
  public struct MemberStatus: Hashable, Sendable {
    /// The incarnation.
    public var id: NodeID
    /// `host:port`.
    public var address: String
    /// Whether it votes.
    public var isVoter: Bool
    /// Whether a connection to it stands; true for the node itself.
    public var isReachable: Bool
  }
}

/// The part that a replica plays, as a client or an operator sees it.
public enum ReplicaRole: String, Hashable, Sendable {
  /// Leads the cluster.
  case leader
  /// Votes and follows.
  case follower
  /// Campaigns, or asks whether it should.
  case candidate
  /// Follows without a vote; also a node that still waits for its cluster to be founded.
  case learner
}
