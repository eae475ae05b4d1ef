import RaftCore
import RaftStore
import RaftTransport

// What the store is to do, in which order, and what follows from its results.

/// Everything a driver knows of its store's work.
struct DiskWork: Sendable {
  /// What is to be done besides writes, in order.
  var waiting: [DiskWorkItem] = []
  /// Payload bytes that were applied since the last snapshot of this process.
  var bytesSinceSnapshot = 0
  /// Whether the store is at a piece of a snapshot that is received.
  var isReceiving = false
  /// Whether what comes of that does not matter any more.
  var isReceptionOver = false
  /// Whether a snapshot is being taken.
  var isSaving = false
  /// How far the state had come when that was begun, at least: the log behind it is what follows the snapshot.
  var savingFrom: LogIndex?
  /// Names the last snapshot that was taken as the files of a database.
  var lastOfFiles: UInt64?
  /// Whether the state is being made durable.
  var isFlushing = false
  /// When that began.
  var flushingSince = Ticks.zero
  /// When the write began that the store is at; nil if it is at none.
  var writingSince: Ticks?
  /// Whether other work comes before the next write: they take turns.
  var isWorksTurn = false
  /// About how much memory changes of the state take that nobody writes to its device yet.
  var recentBytes = 0
  /// How far the state is durable; nil if the node keeps none, and starts from snapshots.
  var flushed: LogIndex?
  /// The newest snapshot that the store holds of this node's own.
  var newest: Snapshot?
  /// What the last plans were made of.
  var plannedIn: DiskSituation?
  /// Whether the log may be forgotten only behind a saved snapshot.
  let keepsLogBehindSnapshot: Bool
}

/// On what it depends whether a snapshot is due, and how far the log can be forgotten.
struct DiskSituation: Hashable, Sendable {
  var base: LogIndex
  var applied: LogIndex
  var held: LogIndex
  var snapshot: LogIndex
  var flushed: LogIndex?
}

extension DriverCore {
  /// Whether there is anything for the store to do.
  ///
  /// All of it is planned, whatever there is to be written. Counter-example: clients come back faster than a sync takes, so
  /// there is always something to write. If that came first, the state would never be flushed, and the log never cut.
  mutating func hasDiskTask() -> Bool {
    if disk.newest != nil { planWithdrawal() }
    let situation = DiskSituation(
      base: node.baseIndex, applied: lastApplied.index, held: node.compactableIndex,
      snapshot: disk.newest?.last.index ?? .zero,
      flushed: disk.flushed)
    if situation != disk.plannedIn || node.wantsSnapshot {
      disk.plannedIn = situation
      planSnapshot()
      planFlush()
      planCompaction()
    }
    return node.hasUnsavedChanges || !disk.waiting.isEmpty
  }

  /// The next work for the store besides writes; nil if there is none.
  mutating func takeWork() -> DiskWorkItem? {
    guard !disk.waiting.isEmpty else { return nil }
    let work = disk.waiting.removeFirst()
    if case .receive = work { disk.isReceiving = true }
    return work
  }

  /// Whether everybody who may need a snapshot can do something with the files of a database.
  var sendsFiles: Bool { node.configuration.members.allSatisfy { $0.store == .durable } }

  /// The files of the state are copied, as it was after the entry `last`.
  mutating func didCopy(_ files: SnapshotFolder, _ last: EntryID) {
    // While it was made, the log may have been replaced by a snapshot that reaches further.
    guard node.term(at: last.index) == last.term, let configuration = node.configuration(at: last.index)
    else { return didNotSave() }
    disk.lastOfFiles = files.fingerprint
    disk.waiting.append(
      .keep(
        Snapshot(
          last: last, configuration: configuration, bytes: files.bytes, fingerprint: files.fingerprint),
        files))
  }

  /// A snapshot could not be taken now.
  mutating func didNotSave() {
    disk.isSaving = false
    disk.savingFrom = nil
  }

  mutating func didSave(_ snapshot: Snapshot) {
    didNotSave()
    // The log may have been replaced meanwhile by a snapshot that reaches further.
    if node.term(at: snapshot.last.index) == snapshot.last.term { offer(snapshot) }
  }

  /// The state is durable, as far as `index`.
  mutating func didFlush(through index: LogIndex) {
    disk.isFlushing = false
    disk.flushed = max(disk.flushed ?? .zero, index)
  }

  mutating func didReceive(_ piece: InstallSnapshot, isSound: Bool) {
    disk.isReceiving = false
    let isOver = disk.isReceptionOver
    disk.isReceptionOver = false
    if isOver { return }
    if isSound {
      node.didStoreChunk(fingerprint: piece.fingerprint, through: piece.end, into: &outputs)
    } else {
      node.didFailToStore(fingerprint: piece.fingerprint, into: &outputs)
    }
  }

  mutating func didPersist(_ proof: consuming DurableWrite) {
    disk.writingSince = nil
    node.didPersist(proof, into: &outputs)
  }

  private mutating func offer(_ snapshot: Snapshot) {
    disk.newest = snapshot
    node.didTakeSnapshot(snapshot, into: &outputs)
    disk.waiting.append(
      .retain(fingerprints: [snapshot.fingerprint] + node.snapshotsInUse.map(\.fingerprint)))
  }

  /// A snapshot has taken the place of the state machine.
  mutating func didInstall(_ snapshot: Snapshot, time: UInt64) {
    lastApplied = snapshot.last
    appliedTime = time
    if disk.flushed != nil { disk.flushed = snapshot.last.index }
    // What became of the entries that it stands for was not learned here, one by one.
    while let proposal = proposals.settleNext(by: snapshot.last) { abandon(proposal) }
    offer(snapshot)
    effects.report(.snapshotInstalled(at: snapshot.last.index))
  }

  /// Has those pieces read that may go to their peers now.
  mutating func sendPacedPieces() {
    while let piece = pacing.next(at: now.ticks) { disk.waiting.append(.read(piece)) }
  }

  /// A piece of a snapshot for a peer, with its bytes.
  mutating func send(_ message: Message, with bytes: Bytes?) {
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
    for snapshot in outputs.discardedSnapshots[discardsSeen...] { discard(snapshot) }
    for piece in outputs.chunks[piecesSeen...] { disk.waiting.append(.receive(piece, bytes)) }
    discardsSeen = outputs.discardedSnapshots.count
    piecesSeen = outputs.chunks.count
  }

  /// Pieces that wait are not stored any more, and what comes of the one that is being stored counts for nothing: the same
  /// snapshot may be begun anew before that is known.
  private mutating func discard(_ snapshot: Snapshot) {
    disk.waiting.removeAll { work in
      if case .receive(let piece, _) = work { piece.fingerprint == snapshot.fingerprint } else { false }
    }
    if disk.isReceiving { disk.isReceptionOver = true }
    disk.waiting.append(.discard(fingerprint: snapshot.fingerprint))
  }

  // MARK: - When

  /// Forgets the newest snapshot when it is of no use any more: it takes room, and the node does not start from it.
  private mutating func planWithdrawal() {
    guard let newest = disk.newest, disk.flushed != nil || !disk.keepsLogBehindSnapshot else { return }
    let isUnfit =
      newest.last.index < node.baseIndex || (newest.fingerprint == disk.lastOfFiles && !sendsFiles)
    let isWanted = node.wantsSnapshot || node.snapshotsInUse.contains(newest)
    guard isUnfit || !isWanted else { return }
    node.withdrawSnapshot()
    disk.newest = nil
    disk.waiting.append(.withdraw(fingerprint: newest.fingerprint))
  }

  /// Has a snapshot taken if the log behind the last one has grown enough, or a peer waits for one.
  private mutating func planSnapshot() {
    guard !disk.isSaving, isSnapshotDue else { return }
    // Files are those of what is flushed: nothing is gained by those that somebody has got already.
    if let flushed = disk.flushed, sendsFiles, flushed <= disk.newest?.last.index ?? .zero {
      return beginFlush()
    }
    disk.isSaving = true
    disk.waiting.append(.save)
  }

  private var isSnapshotDue: Bool {
    let last = disk.newest?.last.index ?? .zero
    guard node.appliedIndex > last, lastApplied.index == node.appliedIndex else { return false }
    if node.wantsSnapshot { return true }
    guard disk.keepsLogBehindSnapshot, disk.flushed == nil else { return false }
    return last.distance(to: node.appliedIndex) >= options.snapshotEntries
      || disk.bytesSinceSnapshot >= options.snapshotBytes
  }

  /// Has the state made durable when the log behind what is durable of it has grown enough, so much of which is applied again
  /// after a crash; or when what has changed takes as much memory as it may.
  private mutating func planFlush() {
    guard let flushed = disk.flushed,
      flushed.distance(to: lastApplied.index) >= options.snapshotEntries
        || disk.bytesSinceSnapshot >= options.snapshotBytes || disk.recentBytes >= options.stateBytes
        || isFlushOverdue(since: flushed)
    else { return }
    beginFlush()
  }

  /// Whether the last flush is so long ago that a start would take long for no good reason: until there is one, the log is
  /// not cut, and all of it is read.
  private func isFlushOverdue(since flushed: LogIndex) -> Bool {
    flushed.distance(to: lastApplied.index) >= max(options.retainedEntries, 1)
      && now.ticks >= disk.flushingSince + Self.flushMilliseconds / options.tickMilliseconds
  }

  private static var flushMilliseconds: Int { 10_000 }

  private mutating func beginFlush() {
    guard let flushed = disk.flushed, !disk.isFlushing, lastApplied.index > flushed else { return }
    disk.isFlushing = true
    disk.flushingSince = now.ticks
    disk.bytesSinceSnapshot = 0
    disk.waiting.append(.flush)
  }

  /// How much of the log is forgotten in one step, at most; of bytes it may be one entry more.
  private static var compactedEntriesMax: Int { 16_384 }
  private static var compactedBytesMax: UInt64 { 16 << 20 }

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
    // What follows a snapshot that is being taken: it could be sent to nobody without.
    if let from = disk.savingFrom, node.appliedBytes <= options.logBytesMax { target = min(target, from) }
    if let flushed = disk.flushed {
      target = min(target, flushed)
    } else if disk.keepsLogBehindSnapshot {
      target = min(target, disk.newest?.last.index ?? .zero)
    }
    guard isWorthwhile, target > base else { return }
    // In steps, because nothing is written meanwhile. Counter-example: a member that was away for hours is removed, and every
    // node forgets a million entries at once, and acknowledges nothing until that is done.
    target = min(
      target, base.advanced(by: Self.compactedEntriesMax),
      node.compactionIndex(
        keepingAppliedBytes: node.appliedBytes - min(node.appliedBytes, Self.compactedBytesMax)))
    guard target > base else { return }
    let reached = node.compact(through: target)
    if reached > base { disk.waiting.append(.compact(through: reached)) }
  }
}
