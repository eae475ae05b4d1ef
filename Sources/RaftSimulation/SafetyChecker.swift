import RaftCore

/// Watches all nodes of a simulation from outside, and notes what a Raft cluster must never do (thesis fig. 3.2).
struct SafetyChecker {
  private(set) var violations: [String] = []
  /// Who was seen leading each term.
  private var leaders: [UInt64: NodeID] = [:]
  /// The first entry seen committed at each index.
  private var committed: [Entry<Bytes>] = []
  /// Of each life of a node, term and commit index at the last look.
  private var seen: [UInt64: (term: Term, commit: LogIndex)] = [:]

  var committedCount: Int { committed.count }

  mutating func report(_ violation: String) { if violations.count < 20 { violations.append(violation) } }

  /// Looks at one node.
  mutating func inspect(_ node: RaftNode<Bytes>, life: UInt64) {
    node.checkInvariants()
    if node.isLeader {
      let known = leaders[node.term.rawValue]
      if let known, known != node.id {
        report("election safety: \(known) and \(node.id) lead term \(node.term)")
      }
      if known == nil { checkCompleteness(of: node) }
      leaders[node.term.rawValue] = node.id
    }
    let before = seen[life] ?? (.zero, .zero)
    if node.term < before.term { report("the term of \(node.id) went back") }
    if node.commitIndex < before.commit { report("the commit index of \(node.id) went back") }
    seen[life] = (node.term, node.commitIndex)
    compareCommitted(node, after: before.commit)
  }

  /// State-machine safety: at each index every node commits the same entry.
  private mutating func compareCommitted(_ node: RaftNode<Bytes>, after: LogIndex) {
    guard node.commitIndex > after, let entries = node.entries(after: after, through: node.commitIndex) else {
      return
    }
    for entry in entries {
      let position = Int(entry.id.index.rawValue) - 1
      if position < committed.count {
        if committed[position] != entry {
          report(
            "state-machine safety: \(node.id) commits \(entry.id), another committed \(committed[position].id)"
          )
        }
      } else if position == committed.count {
        committed.append(entry)
      } else {
        report("\(node.id) commits \(entry.id) before anybody committed the entry before it")
      }
    }
  }

  /// Leader completeness: a leader holds everything that was committed in earlier terms.
  private mutating func checkCompleteness(of leader: RaftNode<Bytes>) {
    guard let last = committed.last(where: { $0.id.term < leader.term }) else { return }
    let held = leader.entries(after: last.id.index.previous, through: last.id.index)?.first
    if held?.id != last.id {
      report(
        "leader completeness: \(leader.id) leads term \(leader.term) without the committed entry \(last.id)")
    }
  }
}
