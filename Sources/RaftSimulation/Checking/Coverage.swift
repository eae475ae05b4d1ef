import RaftCore

/// How often everything happened that a simulation is there to make happen.
public struct Coverage: Hashable, Sendable {
  /// One thing that is counted.
  public struct Count: Hashable, Sendable {
    /// What happened: "fault: crash", "message: heartbeat"…
    public var name: String
    /// How often.
    public var count: Int
  }

  private var faults = Array(repeating: 0, count: FaultKind.allCases.count)
  private var messages = Array(repeating: 0, count: messageNames.count)
  private var points = Array(repeating: 0, count: CoveragePoint.allCases.count)

  /// Nothing happened yet.
  public init() {}

  /// Everything, in groups; also what never happened.
  public var all: [Count] {
    zip(FaultKind.allCases, faults).map { Count(name: "fault: \(words("\($0)"))", count: $1) }
      + zip(Self.messageNames, messages).map { Count(name: "message: \($0)", count: $1) }
      + zip(CoveragePoint.allCases, points).map { Count(name: words("\($0)"), count: $1) }
  }

  /// What never happened.
  public var missing: [String] { all.filter { $0.count == 0 }.map(\.name) }

  mutating func count(_ kind: FaultKind) {
    if let position = FaultKind.allCases.firstIndex(of: kind) { faults[position] += 1 }
  }

  /// Counts a message by the tag of its encoding.
  mutating func count(messageTag tag: UInt8) {
    if tag >= 1, tag <= Self.messageNames.count { messages[Int(tag) - 1] += 1 }
  }

  mutating func count(_ point: CoveragePoint) { points[point.rawValue] += 1 }

  /// Adds what happened in another run.
  public mutating func add(_ other: Coverage) {
    for position in faults.indices { faults[position] += other.faults[position] }
    for position in messages.indices { messages[position] += other.messages[position] }
    for position in points.indices { points[position] += other.points[position] }
  }

  /// In the order of their tags.
  static let messageNames = [
    "request vote", "request vote reply", "append entries", "append entries reply", "heartbeat",
    "heartbeat reply", "stale term", "timeout now", "read index", "read index reply", "install snapshot",
    "install snapshot reply", "commit notice",
  ]

  /// A name in camel case as words.
  private func words(_ name: String) -> String {
    var words = ""
    for character in name {
      if character.isUppercase { words += " " }
      words += character.lowercased()
    }
    return words
  }
}

/// What is counted besides faults and messages.
enum CoveragePoint: Int, CaseIterable {
  // Roles.
  case roleFollower, rolePreCandidate, roleCandidate, roleLeader
  case stepDownQuorumLost, stepDownHigherTerm, stepDownAsked, stepDownRemoved, stepDownWriteOverdue
  case voteGranted, voteRefusedStaleTerm, voteRefusedLeaderIsAlive, voteRefusedAlreadyVoted
  case voteRefusedLogBehind
  case preVoteGranted, preVoteRefusedStaleTerm, preVoteRefusedLeaderIsAlive, preVoteRefusedLogBehind
  case leaderLost, campaignHeldBack, writeOverdue, transferStarted, transferAborted
  // Appends.
  case appendAccepted, appendOfOlderTerm, appendBeforeTheLogsBeginning, appendRejectedBehindTheLogsEnd
  case appendRejectedOtherTerm, appendTruncated, appendRepeated, appendRejectionAtLeader, messageIgnoredStale
  // Reads.
  case readConfirmed, readLeased, readRefused
  // Membership.
  case memberLearnerAdded, memberPromoted, memberDemoted, memberRemoved, memberUpdated,
    memberLeaderRemovedItself
  case membershipJointBegun, membershipJointEnded, membershipLeasesOn, membershipLeasesOff
  case membershipChangeOverwritten, changeRefusedTermNotOpen, changeRefusedUnderWay, changeRefusedNotCaughtUp
  // Snapshots.
  case snapshotTaken, snapshotStarted, snapshotFinished, snapshotRefused, snapshotInstalled, snapshotDiscarded
  case snapshotPieceStored, snapshotPieceRefused, logCompacted, stateFlushed, stateReplaced
  // Starts.
  case startFromLog, startFromSnapshot, startFromState, startAsNewIncarnation, startRefusedDamage
  case unsyncedWritesLost, processStoppedByItsDisk, processStoppedByFullDisk
  // Clients.
  case clientWriteAnswered, clientReadAnswered, clientWriteForwarded, clientSessionOpened,
    clientSessionExpired
  case clientRetryAnsweredFromTheTable, clientNotExecuted, clientUnknown, clientReadFailed

  init?(_ event: TraceEvent) {
    switch event {
    case .becameFollower: self = .roleFollower
    case .becamePreCandidate: self = .rolePreCandidate
    case .becameCandidate: self = .roleCandidate
    case .becameLeader: self = .roleLeader
    case .steppedDown(_, let reason): self.init(reason)
    case .voteGranted(_, _, let isPreVote): self = isPreVote ? .preVoteGranted : .voteGranted
    case .voteRefused(_, _, let isPreVote, let reason): self.init(reason, isPreVote: isPreVote)
    case .appendAccepted: self = .appendAccepted
    case .truncated: self = .appendTruncated
    case .readConfirmed: self = .readConfirmed
    case .readLeased: self = .readLeased
    case .readRefused: self = .readRefused
    case .snapshotStarted: self = .snapshotStarted
    case .snapshotFinished: self = .snapshotFinished
    case .snapshotRefused: self = .snapshotRefused
    case .snapshotInstalled: self = .snapshotInstalled
    case .writeOverdue: self = .writeOverdue
    case .campaignHeldBack: self = .campaignHeldBack
    case .leaderLost: self = .leaderLost
    case .transferStarted: self = .transferStarted
    case .transferAborted: self = .transferAborted
    case .ignored(_, .stale): self = .messageIgnoredStale
    case .appendRejected, .configurationChanged, .committed, .applyingOverdue, .ignored: return nil
    }
  }

  private init(_ reason: TraceEvent.StepDownReason) {
    switch reason {
    case .quorumLost: self = .stepDownQuorumLost
    case .higherTerm: self = .stepDownHigherTerm
    case .asked: self = .stepDownAsked
    case .removed: self = .stepDownRemoved
    case .writeOverdue: self = .stepDownWriteOverdue
    }
  }

  private init?(_ reason: TraceEvent.VoteRefusal, isPreVote: Bool) {
    switch reason {
    case .staleTerm: self = isPreVote ? .preVoteRefusedStaleTerm : .voteRefusedStaleTerm
    case .leaderIsAlive: self = isPreVote ? .preVoteRefusedLeaderIsAlive : .voteRefusedLeaderIsAlive
    case .alreadyVoted:
      if isPreVote { return nil }
      self = .voteRefusedAlreadyVoted
    case .logBehind: self = isPreVote ? .preVoteRefusedLogBehind : .voteRefusedLogBehind
    }
  }
}
