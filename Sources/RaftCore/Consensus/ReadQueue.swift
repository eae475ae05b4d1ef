/// Reads that a leader has still to confirm (thesis §6.4). Each belongs to a heartbeat round begun after it arrived;
/// at most one round is under way for reads, and whatever arrives meanwhile shares the next.
struct ReadQueue: Sendable {
  /// One read.
  struct Pending: Sendable {
    var id: ReadID
    /// The follower that asked; nil if this node's driver did.
    var asker: NodeID?
    var readIndex: LogIndex
  }

  /// Reads that the round under way confirms.
  private(set) var confirming: [Pending] = []
  /// Reads that wait for the next round.
  private(set) var waiting: [Pending] = []
  /// The round under way; 0 if none is.
  private(set) var round: UInt64 = 0

  var count: Int { confirming.count + waiting.count }

  mutating func add(_ read: Pending) { waiting.append(read) }

  /// Whether a round should be opened now.
  var wantsRound: Bool { round == 0 && !waiting.isEmpty }

  mutating func open(round: UInt64) {
    swap(&confirming, &waiting)
    self.round = round
  }

  /// Closes the round under way if `confirmed` reaches it; `confirming` is then to be answered and cleared.
  mutating func close(confirmed: UInt64) -> Bool {
    guard round != 0, confirmed >= round else { return false }
    round = 0
    return true
  }

  mutating func clearConfirmed() { confirming.removeAll(keepingCapacity: true) }

  /// Reads that arrived before the leader had committed in its own term take the commit index of that moment.
  mutating func raise(to index: LogIndex) {
    for position in waiting.indices { waiting[position].readIndex = max(waiting[position].readIndex, index) }
  }

  mutating func removeAll() {
    confirming.removeAll(keepingCapacity: true)
    waiting.removeAll(keepingCapacity: true)
    round = 0
  }
}
