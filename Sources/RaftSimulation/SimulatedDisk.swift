import RaftCore

/// The disk of one node: writes complete in order after a while, and a crash loses those that were not synced.
final class SimulatedDisk {
  /// A write on its way; the token is here so that it can be redeemed, or given up, exactly once.
  private final class Pending {
    var token: PendingWrite?
    let hardState: HardState
    let after: LogIndex
    let entries: [Entry<Bytes>]
    let doneAt: UInt64

    init(_ token: consuming PendingWrite, entries: [Entry<Bytes>], doneAt: UInt64) {
      hardState = token.hardState
      after = token.after
      self.token = consume token
      self.entries = entries
      self.doneAt = doneAt
    }
  }

  private var pending: [Pending] = []
  private(set) var hardState: HardState
  private(set) var entries: [Entry<Bytes>]

  init(_ state: RecoveredState<Bytes>) {
    hardState = state.hardState
    entries = state.entries
  }

  /// When the next write completes.
  var nextCompletion: UInt64? { pending.first?.doneAt }

  func write(_ token: consuming PendingWrite, entries: [Entry<Bytes>], doneAt: UInt64) {
    let earliest = pending.last?.doneAt ?? 0
    pending.append(Pending(token, entries: entries, doneAt: max(doneAt, earliest)))
  }

  /// Completes the oldest write.
  func complete() -> DurableWrite? {
    let write = pending.removeFirst()
    store(write)
    return write.token.take()?.assumeDurable()
  }

  /// The node dies: of the writes on their way, the first `survivors` had reached the disk.
  func crash(survivors: Int) {
    for (position, write) in pending.enumerated() {
      if position < survivors { store(write) }
      write.token.take()?.abandon()
    }
    pending = []
  }

  var pendingCount: Int { pending.count }

  /// What a restart finds.
  func recovered() -> RecoveredState<Bytes> {
    RecoveredState(
      hardState: hardState, base: .zero, baseConfiguration: nil, entries: entries, commitIndex: LogIndex(1),
      appliedIndex: .zero)
  }

  private func store(_ write: Pending) {
    hardState = write.hardState
    let kept = min(entries.count, Int(write.after.rawValue))
    entries.removeLast(entries.count - kept)
    entries += write.entries
  }
}
