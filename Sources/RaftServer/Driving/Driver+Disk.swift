import RaftCore
import RaftTransport

// What the store is to do, in which order, and what follows from its results.

/// Everything a driver knows of its store's work.
struct DiskWork<Machine: StateMachine>: Sendable {
  /// What is to be done besides writes, in order.
  var waiting: [DiskTask<Machine>.Work] = []
  /// Whether a snapshot is being taken.
  var isSaving = false
  /// The newest snapshot that the store holds of this node's own.
  var newest: Snapshot?
  /// The applier before anything was applied to it, for a snapshot to be installed in.
  let blank: Applier<Machine>
  /// Whether the log may be forgotten only behind a saved snapshot.
  let keepsLogBehindSnapshot: Bool
}

extension Driver {
  /// The next task for the store; nil if there is none. The results come back through ``didComplete(_:)``.
  ///
  /// - Parameter isDetached: Whether the task will wait while the driver gets further inputs: the entries are then copied
  ///   out of the log, which would otherwise be copied as a whole.
  package mutating func takeDiskTask(isDetached: Bool) -> DiskTask<Machine>? {
    if let write = node.takeWrite() {
      let entries = node.entries(after: write.after, through: write.through) ?? []
      var install: DiskTask<Machine>.Installation?
      if write.installs != nil, let snapshot = node.installingSnapshot {
        install = .init(snapshot: snapshot, blank: disk.blank)
      }
      return .persist(write, entries: isDetached ? Array(entries)[...] : entries, install: install)
    }
    planSnapshot()
    planCompaction()
    guard !disk.waiting.isEmpty else { return nil }
    return .work(disk.waiting.removeFirst())
  }

  /// Takes the result of the oldest task that has none yet.
  package mutating func didComplete(_ result: consuming DiskResult<Machine>) {
    switch consume result {
    case .persisted(let proof, let installed):
      node.didPersist(proof, into: &outputs)
      if let installed { didInstall(installed) }
    case .saved(let snapshot):
      disk.isSaving = false
      // The log may have been replaced meanwhile by a snapshot that reaches further.
      guard node.term(at: snapshot.last.index) == snapshot.last.term else { break }
      offer(snapshot)
    case .received(let piece, let isSound):
      if isSound {
        node.didStoreChunk(fingerprint: piece.fingerprint, through: piece.end, into: &outputs)
      } else {
        node.didFailToStore(fingerprint: piece.fingerprint, into: &outputs)
      }
    case .read(let message, let bytes):
      send(message, with: bytes)
    case .done: break
    }
    drainOutputs()
  }

  private mutating func offer(_ snapshot: Snapshot) {
    disk.newest = snapshot
    node.didTakeSnapshot(snapshot, into: &outputs)
    disk.waiting.append(
      .retain(fingerprints: [snapshot.fingerprint] + node.snapshotsInUse.map(\.fingerprint)))
  }

  private mutating func didInstall(_ installed: DiskResult<Machine>.Installed) {
    applier = installed.applier
    // What became of the entries that it stands for was not learned here, one by one.
    for proposal in proposals.settle(by: installed.snapshot.last) { abandon(proposal) }
    offer(installed.snapshot)
    effects.report(.snapshotInstalled(at: installed.snapshot.last.index))
  }

  /// A piece of a snapshot for a peer, with its bytes.
  private mutating func send(_ message: Message, with bytes: Bytes?) {
    // The transfer may be over, and the snapshot gone.
    guard let bytes, let configuration = node.configuration(for: message) else { return }
    let boot = boot
    effects.write(to: message.to, .bulk) {
      MessageCodec.writeFrame(
        message, configuration: configuration, chunk: bytes, trafficClass: .bulk, boot: boot, into: &$0)
    }
  }

  /// Takes note of pieces of snapshots that came in, and of those that are not wanted any more. To be called after every
  /// input that can bring some: only then is it known which bytes belong to a piece.
  mutating func collectPieces(_ bytes: Bytes = []) {
    for snapshot in outputs.discardedSnapshots[discardsSeen...] {
      disk.waiting.append(.discard(fingerprint: snapshot.fingerprint))
    }
    for piece in outputs.chunks[piecesSeen...] { disk.waiting.append(.receive(piece, bytes)) }
    discardsSeen = outputs.discardedSnapshots.count
    piecesSeen = outputs.chunks.count
  }

  // MARK: - When

  /// Has a snapshot taken if the log behind the last one has grown enough, or a peer waits for one.
  private mutating func planSnapshot() {
    guard !disk.isSaving, isSnapshotDue, let configuration = node.configuration(at: applier.last.index) else {
      return
    }
    disk.isSaving = true
    disk.waiting.append(.save(applier, configuration))
  }

  private var isSnapshotDue: Bool {
    let last = disk.newest?.last.index ?? .zero
    guard node.appliedIndex > last, applier.last.index == node.appliedIndex else { return false }
    if node.wantsSnapshot { return true }
    guard disk.keepsLogBehindSnapshot else { return false }
    let entries = last.distance(to: node.appliedIndex)
    return entries >= options.snapshotEntries
      || node.appliedBytes >= UInt64(options.snapshotBytes)
        && entries > options.retainedEntries
  }

  /// Has the log forgotten as far as it is worth the while, and possible.
  ///
  /// Up to a limit of bytes everything is kept that some member still lacks: sending entries costs less than sending a
  /// snapshot. Beyond the limit a member that comes back gets the snapshot.
  private mutating func planCompaction() {
    let (base, applied) = (node.baseIndex, node.appliedIndex)
    let kept = UInt64(options.retainedEntries)
    let limit = node.compactableIndex.rawValue
    var target = LogIndex(limit > kept ? limit - kept : 0)
    var isWorthwhile = base.distance(to: target) >= max(options.retainedEntries, 1)
    // By bytes it is done in steps, too: of half, or of an eighth.
    if node.appliedBytes > options.retainedBytesMax {
      target = max(
        target,
        min(node.compactableIndex, node.compactionIndex(keepingAppliedBytes: options.retainedBytesMax / 2)))
      isWorthwhile = true
    }
    if node.appliedBytes > options.logBytesMax {
      target = max(
        target, node.compactionIndex(keepingAppliedBytes: options.logBytesMax - options.logBytesMax / 8))
      isWorthwhile = true
    }
    if base.distance(to: applied) > options.logEntriesMax {
      let left = UInt64(options.logEntriesMax - options.logEntriesMax / 8)
      target = max(target, LogIndex(applied.rawValue - min(applied.rawValue, left)))
      isWorthwhile = true
    }
    if disk.keepsLogBehindSnapshot { target = min(target, disk.newest?.last.index ?? .zero) }
    guard isWorthwhile, target > base else { return }
    let reached = node.compact(through: target)
    if reached > base { disk.waiting.append(.compact(through: reached)) }
  }
}
