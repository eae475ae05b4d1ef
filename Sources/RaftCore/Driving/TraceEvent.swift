/// A decision of the core, for logs, traces and checkers.
public enum TraceEvent: Hashable, Sendable {
  /// The node follows `leader`, or waits for one, in `term`.
  case becameFollower(term: Term, leader: NodeID?)
  /// The node asks whether it would be elected in the term after `term`.
  case becamePreCandidate(term: Term)
  /// The node campaigns in `term`.
  case becameCandidate(term: Term)
  /// The node leads `term`.
  case becameLeader(term: Term)
  /// A leader gave up by itself.
  case steppedDown(term: Term, reason: StepDownReason)
  /// A vote, or a pre-vote, was given.
  case voteGranted(to: NodeID, term: Term, isPreVote: Bool)
  /// A vote, or a pre-vote, was refused.
  case voteRefused(to: NodeID, term: Term, isPreVote: Bool, reason: VoteRefusal)
  /// Entries from a leader agree with the log through `match`.
  case appendAccepted(from: NodeID, match: LogIndex)
  /// A leader's `previous` entry is not in the log.
  case appendRejected(from: NodeID, previous: EntryID, hint: EntryID)
  /// Entries behind `after` were replaced by those of a newer leader.
  case truncated(after: LogIndex)
  /// A configuration came into force: by being appended, by truncation of a later one, or with a snapshot.
  case configurationChanged(at: LogIndex)
  /// The commit index rose.
  case committed(through: LogIndex)
  /// A read was confirmed by a majority.
  case readConfirmed(id: ReadID, readIndex: LogIndex)
  /// A read was answered under a lease.
  case readLeased(id: ReadID, readIndex: LogIndex)
  /// A read was refused: this node does not lead, or too many reads wait.
  case readRefused(id: ReadID)
  /// A leader begins to send a snapshot to a peer that needs what is compacted away.
  case snapshotStarted(to: NodeID, last: EntryID)
  /// A peer that was sent a snapshot needs none any more.
  case snapshotFinished(to: NodeID, last: EntryID)
  /// A snapshot was not taken: the log reaches as far.
  case snapshotRefused(from: NodeID, last: EntryID)
  /// A snapshot takes the place of state machine and log.
  case snapshotInstalled(last: EntryID)
  /// A leader's own write is overdue. Whether others go on is found out by an empty entry.
  case writeOverdue(term: Term)
  /// A leader's state machine stands still. Leadership is offered to the other voters.
  case applyingOverdue(term: Term)
  /// A campaign was not begun, because this node's own write is overdue, or its state machine stands still.
  case campaignHeldBack(term: Term)
  /// The driver reported that the connection to the leader broke.
  case leaderLost(NodeID)
  /// The leader began to hand over to another voter.
  case transferStarted(to: NodeID)
  /// A handover was given up.
  case transferAborted(to: NodeID)
  /// A message was not acted upon.
  case ignored(from: NodeID, reason: IgnoreReason)

  /// Why a leader gave up.
  public enum StepDownReason: Hashable, Sendable {
    /// A majority of the voters was silent for a minimum election timeout (thesis §6.2).
    case quorumLost
    /// A message of a higher term arrived.
    case higherTerm
    /// The driver asked for it.
    case asked
    /// It is no voter, and that is committed (thesis §4.2.2).
    case removed
    /// Its own write is overdue, and a majority without it goes on.
    case writeOverdue
  }

  /// Why a vote was refused.
  public enum VoteRefusal: Hashable, Sendable {
    /// The campaign's term is over.
    case staleTerm
    /// A leader was heard from within the minimum election timeout (thesis §4.2.3).
    case leaderIsAlive
    /// This node's vote in that term belongs to somebody else.
    case alreadyVoted
    /// The candidate's log is behind this node's (thesis §3.6.1).
    case logBehind
  }

  /// Why a message was not acted upon.
  public enum IgnoreReason: Hashable, Sendable {
    /// It is of an earlier term, or answers something that is over.
    case stale
    /// It contradicts what a correct peer can say.
    case impossible
  }
}
