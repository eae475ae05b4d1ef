import RaftCore

/// Who waits for which entry of the log; in log order.
struct ProposalQueue: Sendable {
  /// Who asked for an entry.
  enum Origin: Hashable, Sendable {
    /// A request of this node, by ticket.
    case local(ticket: UInt64)
    /// A request that another node has forwarded.
    case remote(node: NodeID, boot: UInt64, number: UInt64)
  }

  /// Somebody who waits.
  struct Proposal: Sendable {
    var entry: EntryID
    var origin: Origin
  }

  private var proposals: [Proposal] = []
  private var head = 0

  /// How many wait.
  var count: Int { proposals.count - head }

  /// Notes who waits for an entry that was just appended. Returns those of an earlier leadership who wait for an entry
  /// at the same index or behind it: theirs were cut off, or the new one could not stand here, but a copy elsewhere may
  /// still be committed if this leadership fails.
  mutating func add(_ proposal: Proposal) -> [Proposal] {
    var overtaken: [Proposal] = []
    while proposals.count > head, let last = proposals.last, last.entry.index >= proposal.entry.index {
      overtaken.append(last)
      proposals.removeLast()
    }
    proposals.append(proposal)
    return overtaken
  }

  /// Takes out everybody whose fate the application of `entry` decides: those at or before its index. Whoever waits for
  /// exactly this entry gets its effect; the others' positions hold, or held, an entry of another term.
  ///
  /// - Returns: One of them; nil if nobody is left.
  mutating func settleNext(by entry: EntryID) -> Proposal? {
    guard head < proposals.count, proposals[head].entry.index <= entry.index else { return nil }
    let proposal = proposals[head]
    head += 1
    trim()
    return proposal
  }

  private mutating func trim() {
    if head == proposals.count {
      proposals.removeAll(keepingCapacity: true)
      head = 0
    } else if head > 1024, head > proposals.count / 2 {
      proposals.removeFirst(head)
      head = 0
    }
  }
}
