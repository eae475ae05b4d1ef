import RaftCore

/// How scripts write down what happens. Spelled out case by case, so that no renaming in the core changes a script.
enum ScriptWords {
  static func line(_ message: Message) -> String {
    let ends = "\(message.from.rawValue)->\(message.to.rawValue) t\(message.term)"
    let details = details(message.body)
    return "\(ends) \(kind(message.body))" + (details.isEmpty ? "" : " \(details)")
  }

  /// Every name that ``kind(_:)`` gives.
  static let kinds = [
    "vote", "prevote", "vote-reply", "prevote-reply", "append", "append-reply", "append-reject", "heartbeat",
    "heartbeat-reply", "commit", "stale-term", "timeout-now", "read", "read-reply", "snapshot",
    "snapshot-reply",
  ]

  static func kind(_ body: Message.Body) -> String {
    switch body {
    case .requestVote(let request): request.isPreVote ? "prevote" : "vote"
    case .requestVoteReply(let reply): reply.isPreVote ? "prevote-reply" : "vote-reply"
    case .appendEntries: "append"
    case .appendEntriesReply(.accepted): "append-reply"
    case .appendEntriesReply(.rejected): "append-reject"
    case .heartbeat: "heartbeat"
    case .heartbeatReply: "heartbeat-reply"
    case .commitNotice: "commit"
    case .staleTerm: "stale-term"
    case .timeoutNow: "timeout-now"
    case .readIndex: "read"
    case .readIndexReply: "read-reply"
    case .installSnapshot: "snapshot"
    case .installSnapshotReply: "snapshot-reply"
    }
  }

  private static func details(_ body: Message.Body) -> String {
    switch body {
    case .requestVote(let request):
      "for=\(request.campaignTerm) last=\(entry(request.lastEntry))" + (request.isTransfer ? " transfer" : "")
    case .requestVoteReply(let reply): "for=\(reply.campaignTerm) \(reply.isGranted ? "yes" : "no")"
    case .appendEntries(let request):
      "after=\(entry(request.previous)) n=\(request.count)"
        + (request.count > 0 ? "@\(request.entriesTerm)" : "")
        + " commit=\(request.commitIndex)"
    case .appendEntriesReply(.accepted(let match)): "match=\(match)"
    case .appendEntriesReply(.rejected(let previous, let hint)): "after=\(previous) hint=\(entry(hint))"
    case .heartbeat(let heartbeat):
      "round=\(heartbeat.round) commit=\(heartbeat.commitIndex) held=\(heartbeat.heldByAll)"
    case .heartbeatReply(let reply): "round=\(reply.round)"
    case .commitNotice(let index): "through=\(index)"
    case .staleTerm, .timeoutNow: ""
    case .readIndex(let read): name(read)
    case .readIndexReply(let reply): name(reply.id) + (reply.readIndex.map { " at=\($0)" } ?? " refused")
    case .installSnapshot(let piece):
      "last=\(entry(piece.last)) id=\(piece.fingerprint) bytes=\(piece.offset)..\(piece.end)/\(piece.bytes)"
    case .installSnapshotReply(.wants(let fingerprint, let offset)): "id=\(fingerprint) wants=\(offset)"
    case .installSnapshotReply(.covered(let index)): "covered=\(index)"
    }
  }

  /// What node `node` did.
  static func line(_ event: TraceEvent, of node: UInt64) -> String { "  \(node) \(deed(event))" }

  private static func deed(_ event: TraceEvent) -> String {
    switch event {
    case .becameFollower(let term, let leader?): "follows \(leader.rawValue) in term \(term)"
    case .becameFollower(let term, nil): "follows nobody in term \(term)"
    case .becamePreCandidate(let term): "is pre-candidate in term \(term)"
    case .becameCandidate(let term): "is candidate in term \(term)"
    case .becameLeader(let term): "leads term \(term)"
    case .steppedDown(let term, let reason): "gives up term \(term): \(words(reason))"
    case .voteGranted(let candidate, let term, let isPreVote):
      "\(isPreVote ? "would vote" : "votes") for \(candidate.rawValue) in term \(term)"
    case .voteRefused(let candidate, let term, let isPreVote, let reason):
      "\(isPreVote ? "would not vote" : "does not vote") for \(candidate.rawValue) in term \(term): "
        + words(reason)
    case .appendAccepted(let leader, let match): "agrees with \(leader.rawValue) through \(match)"
    case .appendRejected(_, let previous, let hint): "lacks \(entry(previous)), may agree at \(entry(hint))"
    case .truncated(let after): "cuts its log after \(after)"
    case .configurationChanged(let index): "uses the configuration at \(index)"
    case .committed(let index): "commits through \(index)"
    case .readConfirmed(let read, let index): "confirms \(name(read)) at \(index)"
    case .readLeased(let read, let index): "reads \(name(read)) under its lease at \(index)"
    case .readRefused(let read): "cannot confirm \(name(read))"
    case .snapshotStarted(let peer, let last): "sends \(peer.rawValue) its snapshot at \(entry(last))"
    case .snapshotFinished(let peer, _): "sends \(peer.rawValue) no more of its snapshot"
    case .snapshotRefused(_, let last): "needs no snapshot at \(entry(last))"
    case .snapshotInstalled(let last): "starts anew from the snapshot at \(entry(last))"
    case .writeOverdue(let term): "finds its own write overdue in term \(term)"
    case .applyingOverdue(let term): "finds that it applies nothing in term \(term)"
    case .campaignHeldBack(let term):
      "does not campaign after term \(term): its own write is overdue, or it applies nothing"
    case .leaderLost(let leader): "lost the connection to its leader \(leader.rawValue)"
    case .transferStarted(let target): "hands over to \(target.rawValue)"
    case .transferAborted(let target): "no longer hands over to \(target.rawValue)"
    case .ignored(let sender, let reason): "ignores \(sender.rawValue): \(words(reason))"
    }
  }

  private static func words(_ reason: TraceEvent.StepDownReason) -> String {
    switch reason {
    case .quorumLost: "quorum lost"
    case .higherTerm: "higher term"
    case .asked: "asked"
    case .removed: "removed"
    case .writeOverdue: "own write overdue"
    }
  }

  private static func words(_ reason: TraceEvent.VoteRefusal) -> String {
    switch reason {
    case .staleTerm: "stale term"
    case .leaderIsAlive: "its leader is alive"
    case .alreadyVoted: "already voted"
    case .logBehind: "log behind"
    }
  }

  private static func words(_ reason: TraceEvent.IgnoreReason) -> String {
    switch reason {
    case .stale: "stale"
    case .impossible: "impossible"
    }
  }

  static func words(_ error: ProposeError) -> String {
    switch error {
    case .notLeader: "not leader"
    case .transferring: "transferring"
    case .busy: "busy"
    }
  }

  static func words(_ error: TransferError) -> String {
    switch error {
    case .notLeader: "not leader"
    case .notAVoter: "not a voter"
    case .alreadyTransferring: "already transferring"
    }
  }

  static func words(_ error: ConfigurationChangeError) -> String {
    switch error {
    case .notLeader: "not leader"
    case .transferring: "transferring"
    case .termNotOpen: "nothing of its term is committed"
    case .changeUnderWay(let index): "the change at \(index) is under way"
    case .notCaughtUp(let id): "\(id.rawValue) has not caught up"
    case .alreadyMember(let id): "\(id.rawValue) is a member"
    case .notAMember(let id): "\(id.rawValue) is no member"
    case .notALearner(let id): "\(id.rawValue) is no learner"
    case .notAVoter(let id): "\(id.rawValue) is no voter"
    case .wouldLoseQuorum: "it would lose the majority"
    case .changesNothing: "nothing would change"
    case .invalid: "that is no configuration"
    }
  }

  static func words(_ role: Role) -> String {
    switch role {
    case .follower: "follower"
    case .preCandidate: "pre-candidate"
    case .candidate: "candidate"
    case .leader: "leader"
    }
  }

  static func entry(_ id: EntryID) -> String { "\(id.index)@\(id.term)" }

  static func payload(_ entry: Entry<String>) -> String {
    switch entry.content {
    case .empty: "-"
    case .configuration(let configuration): "<\(words(configuration))>"
    case .payload(let payload): payload
    }
  }

  /// `1,2,4 before 1,2,3 learners 3 leases`: voters, those of the old half of a joint configuration, and the rest.
  static func words(_ configuration: Configuration) -> String {
    func list(_ ids: [NodeID]) -> String { ids.map { "\($0.rawValue)" }.joined(separator: ",") }
    return list(configuration.voters)
      + (configuration.isJoint ? " before \(list(configuration.outgoingVoters))" : "")
      + (configuration.learners.isEmpty ? "" : " learners \(list(configuration.learners))")
      + (configuration.usesLeaseReads ? " leases" : "")
  }

  /// Scripts number reads through; the boot number only tells the lives of a node apart.
  static func name(_ read: ReadID) -> String { "r\(read.number)" }
}
