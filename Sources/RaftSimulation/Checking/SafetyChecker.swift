import RaftCore

/// Watches all nodes of a simulation from outside, and notes what a Raft cluster must never do (thesis fig. 3.2).
struct SafetyChecker {
  /// Rules that were broken, with the name of the rule's checker.
  private(set) var violations: [(checker: String, text: String)] = []
  /// Who was seen leading each term.
  private var leaders: [UInt64: NodeID] = [:]
  /// The first entry seen committed at each index.
  private(set) var committed: [Entry<Bytes>] = []
  /// Of each entry that any node has written: what came before it, and what is in it (log matching).
  private var written: [EntryID: (before: Term, content: UInt32)] = [:]
  /// The last configuration in the log of each node, by the entry that holds it.
  private var seen: [UInt64: Seen] = [:]
  /// Fingerprints of the snapshots that were taken, by index.
  private var snapshots: [UInt64: UInt64] = [:]

  /// What a life of a node looked like at the last look.
  private struct Seen: Equatable {
    var term = Term.zero
    var commit = LogIndex.zero
    var isLeader = false
    var last = EntryID.zero
    var applied = LogIndex.zero
  }

  mutating func report(_ checker: String, _ text: String) {
    if violations.count < 20 { violations.append((checker, text)) }
  }

  /// Looks at one node.
  mutating func inspect(_ node: borrowing RaftNode<Bytes>, life: UInt64) {
    let now = Seen(
      term: node.term, commit: node.commitIndex, isLeader: node.isLeader, last: node.lastEntry,
      applied: node.appliedIndex)
    let before = seen[life] ?? Seen()
    guard now != before else { return }
    seen[life] = now
    if now.isLeader { inspectLeader(node, before: before) }
    if now.term < before.term { report("monotony", "the term of \(node.id) went back") }
    if now.commit < before.commit { report("monotony", "the commit index of \(node.id) went back") }
    if now.applied < before.applied { report("monotony", "the applied index of \(node.id) went back") }
    if now.commit > before.commit { compareCommitted(node, after: before.commit) }
  }

  private mutating func inspectLeader(_ node: borrowing RaftNode<Bytes>, before: Seen) {
    let term = node.term.rawValue
    if let known = leaders[term] {
      if known != node.id { report("election safety", "\(known) and \(node.id) lead term \(node.term)") }
    } else {
      leaders[term] = node.id
      checkCompleteness(of: node)
    }
    if before.isLeader, before.term == node.term {
      let isKept =
        node.lastEntry.index >= before.last.index
        && (before.last.index < node.baseIndex || node.term(at: before.last.index) == before.last.term)
      if !isKept { report("leader append-only", "leader \(node.id) has removed \(before.last) from its log") }
    }
  }

  /// State-machine safety: at each index every node commits the same entry.
  private mutating func compareCommitted(_ node: borrowing RaftNode<Bytes>, after: LogIndex) {
    let after = max(after, node.baseIndex)
    guard node.commitIndex > after, let entries = node.entries(after: after, through: node.commitIndex) else {
      return
    }
    for entry in entries {
      let position = Int(entry.id.index.rawValue) - 1
      if position < committed.count {
        if committed[position] != entry {
          report(
            "state-machine safety",
            "\(node.id) commits \(entry.id), another committed \(committed[position].id) there")
        }
      } else if position == committed.count {
        committed.append(entry)
      } else {
        report(
          "state-machine safety", "\(node.id) commits \(entry.id) before anybody committed the one before")
      }
    }
  }

  /// Leader completeness: a leader holds everything that was committed in earlier terms.
  private mutating func checkCompleteness(of leader: borrowing RaftNode<Bytes>) {
    guard let last = committed.last(where: { $0.id.term < leader.term }) else { return }
    guard last.id.index > leader.baseIndex else { return }
    if leader.term(at: last.id.index) != last.id.term {
      report(
        "leader completeness",
        "\(leader.id) leads term \(leader.term) without the committed entry \(last.id)")
    }
  }

  // MARK: - What is written

  /// Log matching: entries with the same index and term are the same, and so are those before them (thesis §3.5).
  mutating func inspectWrite(_ entries: ArraySlice<Entry<Bytes>>, of node: borrowing RaftNode<Bytes>) {
    guard let first = entries.first else { return }
    var before = node.term(at: first.id.index.previous) ?? .zero
    for entry in entries {
      let content = Checksum.crc32c(Self.content(of: entry))
      if let known = written[entry.id] {
        if known.before != before || known.content != content {
          report("log matching", "\(node.id) writes another entry \(entry.id) than is known")
        }
      } else {
        written[entry.id] = (before, content)
        if case .configuration(let configuration) = entry.content {
          checkOverlap(configuration, at: entry.id.index, of: node)
        }
      }
      before = entry.id.term
    }
  }

  private static func content(of entry: Entry<Bytes>) -> Bytes {
    switch entry.content {
    case .empty: [0]
    case .payload(let bytes): bytes
    case .configuration(let configuration): configuration.encoded()
    }
  }

  /// Every majority of a configuration meets every majority of the one before it (thesis §4.1, §4.3).
  private mutating func checkOverlap(
    _ configuration: Configuration, at index: LogIndex, of node: borrowing RaftNode<Bytes>
  ) {
    guard index.rawValue > 1, let former = node.configuration(at: index.previous)?.configuration else {
      return
    }
    let isSafe: Bool
    switch (former.isJoint, configuration.isJoint) {
    case (false, false):
      let differing =
        former.voters.count { !configuration.voters.contains($0) }
        + configuration.voters.count { !former.voters.contains($0) }
      isSafe = differing <= 1
    case (false, true): isSafe = configuration.outgoingVoters == former.voters
    case (true, false): isSafe = configuration.voters == former.voters
    case (true, true):
      isSafe = configuration.voters == former.voters && configuration.outgoingVoters == former.outgoingVoters
    }
    if !isSafe {
      report(
        "configuration overlap", "the configuration at \(index) has a majority apart from the one before")
    }
  }

  // MARK: - Snapshots

  /// Equal entries lead to equal states, and those to equal snapshots.
  mutating func inspectSnapshot(at index: LogIndex, fingerprint: UInt64, by node: NodeID) {
    if let known = snapshots[index.rawValue], known != fingerprint {
      report("equal states", "\(node) has another state at entry \(index) than another node had there")
    }
    snapshots[index.rawValue] = fingerprint
  }
}
