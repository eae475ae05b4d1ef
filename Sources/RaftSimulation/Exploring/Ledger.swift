import RaftCore

/// What may still happen, and the facts about the past that later states are judged by.
struct Ledger: Hashable {
  /// What may still happen how often.
  struct Budget: Hashable {
    var timeouts: Int
    var proposals: Int
    var crashes: Int
    var doubles: Int
    var delays: Int
    var reads: Int
    var changes: Int

    init(_ plan: ExplorationPlan) {
      timeouts = plan.timeouts
      proposals = plan.proposals
      crashes = plan.crashes
      doubles = plan.doubles
      delays = plan.delays
      reads = plan.reads
      changes = plan.changes.count
    }
  }

  /// Who was seen leading a term.
  struct Leadership: Hashable {
    var term: Term
    var node: NodeID
  }

  /// An entry that was seen committed.
  struct Commitment: Hashable {
    var entry: EntryMark
    /// The term of the node that was the first to say so: the entry was committed in it, or before.
    var term: Term
  }

  /// A read that was asked for, with how much was committed then.
  struct Read: Hashable {
    var number: UInt64
    var committed: Int
  }

  var budget: Budget
  /// Who was seen leading each term; by term.
  private(set) var leaders: [Leadership] = []
  /// The first entry seen committed at each index.
  private(set) var committed: [Commitment] = []
  /// Reads that are not answered.
  private var reads: [Read] = []
  /// The rule that was broken.
  var violation: String?

  init(_ plan: ExplorationPlan) { budget = Budget(plan) }

  /// Pays for a step; false if that is not possible any more.
  mutating func spend(_ kind: SiteTable.Kind, number: UInt8) -> Bool {
    switch kind {
    case .deliver, .lose, .sync: return true
    case .double: return Self.take(&budget.doubles)
    case .delay: return Self.take(&budget.delays)
    case .crash: return Self.take(&budget.crashes)
    case .timeOut: return Self.take(&budget.timeouts)
    case .propose: return Self.take(&budget.proposals)
    case .read:
      reads.append(Read(number: UInt64(number), committed: committed.count))
      return budget.reads == Int(number) && Self.take(&budget.reads)
    case .change: return budget.changes == Int(number) && Self.take(&budget.changes)
    }
  }

  private static func take(_ count: inout Int) -> Bool {
    count -= 1
    return count >= 0
  }

  /// No read is older than what was committed when it was asked for (thesis §6.4).
  mutating func judge(_ outcome: ReadOutcome) {
    guard let position = reads.firstIndex(where: { $0.number == outcome.id.number }) else { return }
    let read = reads.remove(at: position)
    if let index = outcome.readIndex, index.rawValue < read.committed {
      violation = "stale read: it is answered as of \(index), after \(read.committed) had been committed"
    }
  }

  /// Election safety, leader completeness, state-machine safety (thesis fig. 3.2).
  mutating func observe(_ face: SiteTable.Face) {
    if face.leads { observeLeader(face) }
    for (place, mark) in face.log.prefix(face.committed).enumerated() {
      if place == committed.count {
        committed.append(Commitment(entry: mark, term: face.term))
      } else if committed[place].entry != mark {
        let known = committed[place].entry.id
        violation = "state-machine safety: \(face.id) commits \(mark.id), and \(known) was committed there"
      }
    }
  }

  private mutating func observeLeader(_ face: SiteTable.Face) {
    let own = Leadership(term: face.term, node: face.id)
    if let known = leaders.first(where: { $0.term == face.term }) {
      if known != own {
        violation = "election safety: \(known.node) and \(face.id) lead term \(face.term)"
      }
    } else {
      leaders.insert(own, at: leaders.firstIndex { $0.term > face.term } ?? leaders.count)
    }
    for (place, known) in committed.enumerated() where known.term < face.term {
      if place >= face.log.count || face.log[place] != known.entry {
        violation = "leader completeness: \(face.id) leads term \(face.term) without \(known.entry.id)"
      }
    }
  }
}
