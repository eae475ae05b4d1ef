import RaftCore

// What has changed in a core, in the order in which the specification takes its steps.

extension SpecificationWorld {
  /// Writes down what the core has become since the trace last showed it.
  mutating func show(_ position: Int, _ events: [TraceEvent]) {
    showRole(position)
    for case .voteGranted(let candidate, _, isPreVote: false) in events {
      nodes[position].shown.vote = candidate
    }
    showLog(position)
    showCommit(position)
    showConfiguration(position)
  }

  private mutating func showRole(_ position: Int) {
    let core = nodes[position].core
    let role = SpecificationRole(core.role)
    if core.term > nodes[position].shown.term {
      nodes[position].shown.term = core.term
      nodes[position].ownAcknowledgements = []
      nodes[position].shown.role = role == .follower ? .follower : .candidate
      nodes[position].shown.vote = role == .follower ? nil : core.id
      nodes[position].hasOwnVote = role != .follower
      write(role == .follower ? "BecomeFollower" : "BecomeCandidate", position)
    }
    guard role != nodes[position].shown.role else { return }
    nodes[position].shown.role = role
    nodes[position].matches = [:]
    nodes[position].hasOwnVote = false
    nodes[position].ownAcknowledgements = []
    write(role == .leader ? "BecomeLeader" : "BecomeFollower", position)
  }

  /// A leader acknowledges each entry to itself.
  private mutating func showLog(_ position: Int) {
    let core = nodes[position].core
    guard nodes[position].shown.role == .leader else {
      nodes[position].shown.log = core.lastEntry.index
      return
    }
    for entry in core.entries(after: nodes[position].shown.log, through: core.lastEntry.index) ?? [] {
      nodes[position].shown.log = entry.id.index
      if case .configuration = entry.content, let change {
        write("ChangeConf", position, .change(node: change.node, action: change.action))
      } else {
        write("Replicate", position)
      }
      var line = ownMessage(position, .appendReply)
      line.previous.index = entry.id.index
      write("SendAppendEntriesResponse", position, .message(line))
      nodes[position].ownAcknowledgements.append(entry.id.index)
    }
  }

  private mutating func showCommit(_ position: Int) {
    guard nodes[position].core.commitIndex > nodes[position].shown.commit else { return }
    nodes[position].shown.commit = nodes[position].core.commitIndex
    if nodes[position].shown.role == .leader { write("Commit", position) }
  }

  private mutating func showConfiguration(_ position: Int) {
    guard let applied = nodes[position].appliedConfiguration,
      applied.index > nodes[position].shown.configurationIndex
    else { return }
    write("ApplyConfChange", position, .applied(applied.configuration.voters))
    nodes[position].showApplied(applied)
  }
}

extension TracedNode {
  /// Whether the specification lets the node say this now. What it does not counts as never sent, which a network may
  /// always bring about.
  func maySend(_ line: SpecificationMessage) -> Bool {
    switch line.kind {
    case .append: knows(line.to) && line.previous.index >= matches[line.to] ?? .zero
    case .heartbeat: knows(line.to) && line.commit == min(shown.commit, matches[line.to] ?? .zero)
    case .snapshot, .vote: knows(line.to)
    case .appendReply, .heartbeatReply, .voteReply: true
    }
  }

  /// Whether the specification does with this message what the core does. Entries that begin before the commit index it
  /// answers with the commit index alone, and takes none of them.
  func mayReceive(_ message: Message) -> Bool {
    guard message.term >= core.term else { return true }
    switch message.body {
    case .appendEntries(let request):
      return request.previous.index >= core.commitIndex || request.lastIndex == core.commitIndex
    case .installSnapshot(let piece):
      return core.commitIndex == .zero || piece.last.index <= core.commitIndex
    default: return true
    }
  }
}

extension SpecificationMessage {
  /// How the specification sees a message; nil if it knows none such.
  init?(_ message: Message) {
    self.init(kind: .append, term: message.term, from: message.from, to: message.to)
    switch message.body {
    case .requestVote(let request):
      kind = .vote
      previous = request.lastEntry
    case .requestVoteReply(let reply):
      kind = .voteReply
      isRejected = !reply.isGranted
    case .appendEntries(let request):
      entries = UInt64(request.count)
      previous = request.previous
      // The same to the follower, which never commits beyond the message's end.
      commit = min(request.commitIndex, request.lastIndex)
    case .appendEntriesReply(.accepted(let match)):
      kind = .appendReply
      previous.index = match
    case .appendEntriesReply(.rejected(let index, let last)):
      kind = .appendReply
      isRejected = true
      previous = EntryID(term: last.term, index: index)
      hint = last.index
    case .heartbeat(let heartbeat):
      kind = .heartbeat
      commit = heartbeat.commitIndex
    case .commitNotice(let index):
      // A heartbeat whose answer is lost.
      kind = .heartbeat
      commit = index
    case .heartbeatReply:
      kind = .heartbeatReply
    case .staleTerm:
      kind = .appendReply
      isRejected = true
    case .installSnapshot(let piece):
      kind = .snapshot
      entries = piece.last.index.rawValue
    case .installSnapshotReply(.covered(let index)):
      kind = .appendReply
      previous.index = index
    case .installSnapshotReply(.wants), .timeoutNow, .readIndex, .readIndexReply:
      return nil
    }
  }
}

extension Message.Body {
  /// Whether the core says it only once what it asserts is durable.
  var waitsForDisk: Bool {
    switch self {
    case .appendEntries, .heartbeat, .commitNotice, .installSnapshot, .timeoutNow, .readIndex: false
    case .requestVote(let request): !request.isPreVote
    case .requestVoteReply, .appendEntriesReply, .heartbeatReply, .staleTerm, .readIndexReply,
      .installSnapshotReply:
      true
    }
  }
}
