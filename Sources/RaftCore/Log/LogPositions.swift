/// The shape of the retained log: the term of every entry as run lengths, and its size. No payloads, no storage reads.
///
/// Covers `(base.index, lastIndex]`; `base` is the last entry that was compacted away, whose term is still known.
struct LogPositions: Sendable {
  /// The entry before the first retained one.
  private(set) var base: EntryID
  /// Index of the last entry; `base.index` if none is retained.
  private(set) var lastIndex: LogIndex
  /// Where each term begins; first index and term both ascend.
  private var runs: [Run] = []
  /// `totals[head + i]` is the size in bytes of all entries in `(origin, base.index + i]`.
  private var totals: [UInt64] = [0]
  private var head = 0

  private struct Run: Sendable {
    var first: LogIndex
    var term: Term
  }

  init(base: EntryID) {
    self.base = base
    lastIndex = base.index
  }

  /// The last entry, or `base` if none is retained.
  var last: EntryID { EntryID(term: runs.last?.term ?? base.term, index: lastIndex) }

  /// Term of the entry at `index`; nil if it is not retained (and not `base`).
  func term(at index: LogIndex) -> Term? {
    guard index >= base.index, index <= lastIndex else { return nil }
    guard index > base.index else { return base.term }
    return runs[runPosition(of: index)].term
  }

  /// Whether the log holds exactly this entry.
  func contains(_ entry: EntryID) -> Bool { term(at: entry.index) == entry.term }

  /// Index of the last entry of the run of equal terms that `index` lies in. `index` is retained.
  func endOfRun(containing index: LogIndex) -> LogIndex {
    let position = runPosition(of: index)
    return position + 1 < runs.count ? runs[position + 1].first.previous : lastIndex
  }

  /// The highest entry at or before `index` whose term is at most `term`: where two diverged logs may agree.
  ///
  /// Both sides of a rejected append use it, so that each round trip skips at least one whole term: the follower answers
  /// with its own such entry, and the leader looks up the same in its log.
  func highestEntry(at index: LogIndex, termAtMost term: Term) -> EntryID {
    var candidate = min(index, lastIndex)
    while candidate > base.index {
      let run = runs[runPosition(of: candidate)]
      if run.term <= term { return EntryID(term: run.term, index: candidate) }
      candidate = run.first.previous
    }
    return base
  }

  /// The first index in `(after, through]` whose entry is not of `term`, or that is beyond the log; nil if all agree.
  func firstDisagreement(after: LogIndex, through: LogIndex, term: Term) -> LogIndex? {
    var index = after.next
    while index <= through {
      guard index <= lastIndex, self.term(at: index) == term else { return index }
      index = endOfRun(containing: index).next
    }
    return nil
  }

  /// Size in bytes of the entries in `(after, through]`, which must be retained.
  func bytes(after: LogIndex, through: LogIndex) -> UInt64 {
    totals[slot(of: through)] - totals[slot(of: after)]
  }

  /// The last index such that `(after, index]` takes at most `limit` bytes, but at least one entry and at most `through`.
  func lastIndex(after: LogIndex, through: LogIndex, bytesAtMost limit: Int) -> LogIndex {
    let start = totals[slot(of: after)]
    guard totals[slot(of: through)] - start > UInt64(limit) else { return through }
    var low = after.next
    var high = through
    while low < high {
      let middle = LogIndex((low.rawValue + high.rawValue + 1) / 2)
      if totals[slot(of: middle)] - start <= UInt64(limit) { low = middle } else { high = middle.previous }
    }
    return low
  }

  /// The lowest index such that `(index, through]` takes at most `limit` bytes.
  func firstIndex(through: LogIndex, bytesAtMost limit: UInt64) -> LogIndex {
    let end = totals[slot(of: through)]
    var low = base.index
    var high = through
    while low < high {
      let middle = LogIndex((low.rawValue + high.rawValue) / 2)
      if end - totals[slot(of: middle)] <= limit { high = middle } else { low = middle.next }
    }
    return low
  }

  mutating func append(term: Term, bytes: UInt32) {
    assert(term >= last.term, "terms in a log only grow")
    lastIndex = lastIndex.next
    if runs.last?.term != term { runs.append(Run(first: lastIndex, term: term)) }
    totals.append(totals[totals.count - 1] + UInt64(bytes))
  }

  mutating func truncate(after index: LogIndex) {
    precondition(index >= base.index, "what has been compacted away cannot be cut off")
    guard index < lastIndex else { return }
    totals.removeLast(index.distance(to: lastIndex))
    lastIndex = index
    while let run = runs.last, run.first > index { runs.removeLast() }
  }

  mutating func compact(through index: LogIndex) {
    guard index > base.index, let term = term(at: index) else { return }
    head = slot(of: index)
    base = EntryID(term: term, index: index)
    if index == lastIndex {
      runs.removeAll(keepingCapacity: true)
    } else {
      let position = runPosition(of: index.next)
      runs.removeFirst(position)
      runs[0].first = max(runs[0].first, index.next)
    }
    // Moving the rest down costs as much as it frees, so it is done once for as many entries as are left.
    if head > 1024, head > totals.count / 2 {
      totals.removeFirst(head)
      head = 0
    }
  }

  private func slot(of index: LogIndex) -> Int { head + base.index.distance(to: index) }

  /// Position in `runs` of the run that holds `index`, which is retained. The last runs are asked for most.
  private func runPosition(of index: LogIndex) -> Int {
    if let last = runs.last, last.first <= index { return runs.count - 1 }
    var low = 0
    var high = runs.count - 1
    while low < high {
      let middle = (low + high + 1) / 2
      if runs[middle].first <= index { low = middle } else { high = middle - 1 }
    }
    return low
  }
}
