/// What one node's core says to another's. Positions only, without a pointer in it: the entries that an
/// ``AppendEntries`` names, and the bytes and configuration of an ``InstallSnapshot``, are attached by the driver when it
/// encodes the message.
public struct Message: Hashable, BitwiseCopyable, Sendable {
  /// Who says it.
  public var from: NodeID
  /// For whom it is.
  public var to: NodeID
  /// The sender's term when it was said.
  public var term: Term
  /// What is said.
  public var body: Body

  /// Puts a body into its envelope.
  public init(from: NodeID, to: NodeID, term: Term, body: Body) {
    self.from = from
    self.to = to
    self.term = term
    self.body = body
  }

  /// One case for each message of the protocol.
  public enum Body: Hashable, BitwiseCopyable, Sendable {
    /// A candidate asks for a vote or, before a campaign, whether it would get one.
    case requestVote(RequestVote)
    /// The answer to a ``RequestVote``.
    case requestVoteReply(RequestVoteReply)
    /// A leader replicates entries, or tells the commit index.
    case appendEntries(AppendEntries)
    /// The answer to an ``AppendEntries``.
    case appendEntriesReply(AppendEntriesReply)
    /// A leader says that it is there, and opens a round that confirms reads.
    case heartbeat(Heartbeat)
    /// The answer to a ``Heartbeat``.
    case heartbeatReply(HeartbeatReply)
    /// A leader tells the commit index, to a peer that holds everything up to it; there is no answer. It spares a follower
    /// the wait for the next entry or heartbeat.
    case commitNotice(LogIndex)
    /// "Your term is over": said to a leader of an older term, so that it steps down (scenario 27).
    case staleTerm
    /// A leader hands over: campaign now, without a pre-vote (thesis §3.10).
    case timeoutNow
    /// A follower asks the leader for a read index (thesis §6.4).
    case readIndex(ReadID)
    /// The leader's answer to ``readIndex(_:)``.
    case readIndexReply(ReadIndexReply)
    /// A leader sends a piece of a snapshot.
    case installSnapshot(InstallSnapshot)
    /// The answer to an ``InstallSnapshot``.
    case installSnapshotReply(InstallSnapshotReply)
  }
}

/// A request for a vote (thesis §3.4, §9.6).
public struct RequestVote: Hashable, BitwiseCopyable, Sendable {
  /// The term of the campaign: the envelope's term, or one above it for a pre-vote.
  public var campaignTerm: Term
  /// The candidate's last entry, by which voters judge whether its log is up to date (thesis §3.6.1).
  public var lastEntry: EntryID
  /// Whether this only asks if a vote *would* be granted; nothing is promised by either side (thesis §9.6).
  public var isPreVote: Bool
  /// Whether the leader itself asked for the campaign, so that stickiness does not stand in its way (thesis §3.10).
  public var isTransfer: Bool

  /// Describes a campaign.
  public init(campaignTerm: Term, lastEntry: EntryID, isPreVote: Bool, isTransfer: Bool) {
    self.campaignTerm = campaignTerm
    self.lastEntry = lastEntry
    self.isPreVote = isPreVote
    self.isTransfer = isTransfer
  }
}

/// The answer to a ``RequestVote``. It repeats the campaign's term and kind, so that a late answer to one campaign is
/// never counted in another.
public struct RequestVoteReply: Hashable, BitwiseCopyable, Sendable {
  /// The campaign that is answered.
  public var campaignTerm: Term
  /// Whether a pre-vote is answered.
  public var isPreVote: Bool
  /// Whether the vote is given.
  public var isGranted: Bool

  /// Describes an answer.
  public init(campaignTerm: Term, isPreVote: Bool, isGranted: Bool) {
    self.campaignTerm = campaignTerm
    self.isPreVote = isPreVote
    self.isGranted = isGranted
  }
}

/// Entries `(previous.index, last]`, all of one term (thesis §3.5).
///
/// A message never spans two terms, so that positions need no list: a follower that lags behind over several terms
/// gets one message for each, and they are pipelined.
public struct AppendEntries: Hashable, BitwiseCopyable, Sendable {
  /// The entry right before the first one named here.
  public var previous: EntryID
  /// The term in which all named entries were created; without meaning if there are none.
  public var entriesTerm: Term
  /// How many entries are named; 0 if the message only tells the commit index.
  public var count: UInt32
  /// The leader's commit index.
  public var commitIndex: LogIndex

  /// Names a range of entries.
  public init(previous: EntryID, entriesTerm: Term, count: UInt32, commitIndex: LogIndex) {
    self.previous = previous
    self.entriesTerm = entriesTerm
    self.count = count
    self.commitIndex = commitIndex
  }

  /// Index of the last named entry; that of `previous` if there are none.
  public var lastIndex: LogIndex { previous.index.advanced(by: Int(count)) }
}

/// A configuration and the index of the entry that carries it.
public struct IndexedConfiguration: Hashable, Sendable {
  /// Where in the log it stands.
  public var index: LogIndex
  /// What it says.
  public var configuration: Configuration

  /// Pairs a configuration with its place.
  public init(index: LogIndex, configuration: Configuration) {
    self.index = index
    self.configuration = configuration
  }
}

/// The answer to an ``AppendEntries``.
public enum AppendEntriesReply: Hashable, BitwiseCopyable, Sendable {
  /// The follower's log agrees with the leader's through `match`, durably.
  case accepted(match: LogIndex)
  /// The entry `previous` of the request is not in the follower's log. `hint` is the follower's last entry that
  /// could agree: the highest at or before `previous` whose term is not above its term.
  case rejected(previous: LogIndex, hint: EntryID)
}

/// A leader's sign of life.
public struct Heartbeat: Hashable, BitwiseCopyable, Sendable {
  /// min(match index of the follower, commit index of the leader): never more than the follower is known to hold.
  public var commitIndex: LogIndex
  /// Highest committed index that every member holds durably: up to here a log may be compacted without anybody
  /// needing a snapshot.
  public var heldByAll: LogIndex
  /// Counts the leader's heartbeat rounds in its term; a read is confirmed by answers to a round begun after it.
  public var round: UInt64

  /// Describes a heartbeat.
  public init(commitIndex: LogIndex, heldByAll: LogIndex, round: UInt64) {
    self.commitIndex = commitIndex
    self.heldByAll = heldByAll
    self.round = round
  }
}

/// The answer to a ``Heartbeat``.
public struct HeartbeatReply: Hashable, BitwiseCopyable, Sendable {
  /// The round that is answered.
  public var round: UInt64

  /// Answers `round`.
  public init(round: UInt64) { self.round = round }
}

/// The leader's answer to a follower that asked for a read index.
public struct ReadIndexReply: Hashable, BitwiseCopyable, Sendable {
  /// The read that is answered.
  public var id: ReadID
  /// The state as of this index, or later, answers the read; nil if the asked node cannot confirm it.
  public var readIndex: LogIndex?

  /// Answers `id`.
  public init(id: ReadID, readIndex: LogIndex?) {
    self.id = id
    self.readIndex = readIndex
  }
}
