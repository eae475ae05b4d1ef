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
  /// The version of the program, as ``ReplicaOptions/version`` has it.
  public var version = ""
  /// Index of the last entry in its log, durable or not.
  public var lastIndex = LogIndex.zero
  /// How long ago it heard from its leader, or as leader from a majority of the voters, in milliseconds; nil while it
  /// knows no leader.
  public var silenceMilliseconds: UInt64?
  /// For how long its oldest unfinished write has been under way, in milliseconds; nil if there is none.
  public var writeMilliseconds: UInt64?
  /// Index of a change of the members that is under way; nil if there is none.
  public var changeIndex: LogIndex?
  /// How much of a snapshot it has received, while it receives one.
  public var receivedSnapshotBytes: UInt64?
  /// The addresses that it waits for before its cluster can be founded.
  public var awaited: [String] = []
  /// Why a cluster has not let it in, or does not let it vote, when it last asked; nil if it does not ask.
  public var joinObstacle: String?

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
    /// Where it keeps its log.
    public var store = StoreKind.memory
    /// What the leader knows of it; nil on other nodes, and of the leader itself.
    public var progress: Progress?
    /// What it said when it stopped, if it has not been heard from since.
    public var lastWords: LastWords?
  }

  /// How far a member is, as the leader knows.
  public struct Progress: Hashable, Sendable {
    /// Highest index known durable on it.
    public var matchIndex: LogIndex
    /// Whether it would not hold anybody up as a voter.
    public var isCaughtUp: Bool
    /// How long ago it was heard from, in milliseconds.
    public var silenceMilliseconds: UInt64
    /// How entries are sent to it.
    public var replication: PeerStatus.Replication
  }

  /// Why a member has stopped.
  public struct LastWords: Hashable, Sendable {
    /// Whether its store failed; otherwise it was stopped in order.
    public var isFailure: Bool
    /// The words.
    public var reason: String
    /// How long ago they came, in milliseconds.
    public var ageMilliseconds: UInt64
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
