/// One Raft node, as a value: the protocol engine together with the payloads of its retained log.
///
/// It does no I/O and has no clock. A driver feeds it and carries out what comes back:
/// 1. Before every input, ``advance(to:into:)`` with the time of that input.
/// 2. Inputs: ``step(_:entries:configuration:into:)`` for messages; ``propose(_:bytes:into:)``, or
///    ``append(_:bytes:)`` for many and then ``replicate(into:)``; ``readIndex(_:into:)``,
///    ``changeConfiguration(_:into:)``, ``transferLeadership(to:into:)``, ``stepDown(into:)``,
///    ``connectionLost(to:into:)``. Messages and answers appear in `outputs`, and may be sent at once.
/// 3. For each of ``Outputs/chunks``: store it, with the bytes that came with the message, and report with
///    ``didStoreChunk(fingerprint:through:into:)`` or ``didFailToStore(fingerprint:into:)``.
/// 4. Then, while ``takeWrite()`` gives a write: hand it, with ``entries(after:through:)``, to the log store, and bring
///    the proof back with ``didPersist(_:into:)``. Several writes may be in flight; they complete in order.
/// 5. Then, while ``takeCommitted(bytesMax:)`` gives a range: apply it, and report with ``didApply(through:)``.
/// 6. From time to time, and when ``wantsSnapshot`` says so: take a snapshot, report it with
///    ``didTakeSnapshot(_:into:)``, and then ``compact(through:)``.
///
/// What it starts from is durable before the first input: no write contains that.
///
/// "Persist before you answer" needs no care: what depends on a write stays inside until its proof is back.
public struct RaftNode<Payload: Sendable>: Sendable {
  private(set) var engine: Consensus
  private var tail: LogTail<Payload>

  /// Starts a node.
  ///
  /// - Parameters:
  ///   - id: This incarnation of the node. It need not be in the configuration (yet).
  ///   - state: What it starts from.
  ///   - options: Not checked here: that is for ``RaftOptions/validated()``. With what it refuses, a node may trap, here or
  ///     later, never elect a leader, never send an entry, or answer reads under a lease that has run out. The defaults
  ///     are sound.
  ///   - seed: Decides all its random choices. Nodes of one cluster need different seeds.
  ///   - now: The time of the start, on the clock that ``advance(to:into:)`` will tell.
  /// - Throws: ``RecoveryError`` listing everything in `state` that contradicts itself.
  @specialized(where Payload == Bytes)
  public init(
    id: NodeID, recovered state: RecoveredState<Payload>, options: RaftOptions = RaftOptions(), seed: UInt64,
    now: Ticks = .zero
  ) throws(RecoveryError) {
    let faults = state.faults()
    guard faults.isEmpty, let configurations = state.configurationLog() else {
      throw RecoveryError(faults: faults)
    }
    var log = LogPositions(base: state.base)
    tail = LogTail(base: state.base.index)
    for entry in state.entries {
      log.append(term: entry.id.term, bytes: entry.bytes)
      tail.append(entry)
    }
    engine = Consensus(
      id: id, hardState: state.hardState, log: log, configurations: configurations,
      commitIndex: state.committedIndex, appliedIndex: state.appliedIndex, snapshot: state.snapshot,
      options: options, seed: seed, now: now)
  }

  // MARK: - What it is

  /// This incarnation of the node.
  public var id: NodeID { engine.id }
  /// The part that it plays.
  public var role: Role { engine.role }
  /// Whether it leads.
  public var isLeader: Bool { engine.isLeader }
  /// The leader that it knows of; itself if it leads.
  public var leader: NodeID? { engine.leader }
  /// Whether it leads and hands leadership over: proposals are refused until that has succeeded or is given up.
  public var isTransferring: Bool { engine.transfer != nil }
  /// The voter that is best placed to take over: the one heard from lately that holds most of the log; nil if this node
  /// does not lead, or no other voter is heard.
  public var bestTransferTarget: NodeID? { engine.bestTransferTarget }
  /// Its term.
  public var term: Term { engine.hardState.term }
  /// Highest index that it knows to be committed. Monotone.
  public var commitIndex: LogIndex { engine.commitIndex }
  /// Highest index that its state machine has been reported to reflect. Monotone.
  public var appliedIndex: LogIndex { engine.appliedIndex }
  /// Its last entry, durable or not.
  public var lastEntry: EntryID { engine.log.last }
  /// Index of the entry before the first one retained.
  public var baseIndex: LogIndex { engine.log.base.index }
  /// The configuration in force: the last one in the log, committed or not.
  public var configuration: Configuration { engine.configuration }
  /// Everything an operator may want to know.
  public var status: RaftStatus { engine.status }
  /// Through here every member is known to hold the log durably, and this node has applied it: it may be compacted
  /// without anybody missing it.
  public var compactableIndex: LogIndex { min(engine.heldByAll, engine.appliedIndex) }
  /// Bytes of the applied entries that are retained.
  public var appliedBytes: UInt64 {
    engine.log.bytes(after: engine.log.base.index, through: engine.appliedIndex)
  }
  /// The lowest index through which the log may be compacted so that its applied part takes at most `bytes` bytes.
  @specialized(where Payload == Bytes)
  public func compactionIndex(keepingAppliedBytes bytes: UInt64) -> LogIndex {
    engine.log.firstIndex(through: engine.appliedIndex, bytesAtMost: bytes)
  }
  /// Ticks until time alone makes this node act; a driver may sleep as long.
  public var ticksUntilNextDeadline: UInt64 {
    let deadline = engine.nextDeadline
    return deadline > engine.now ? deadline.rawValue - engine.now.rawValue : 0
  }

  /// Whether something has been waiting to become durable for longer than ``RaftOptions/writeOverdueTicks``.
  public var isWriteOverdue: Bool { engine.isWriteOverdue }

  /// The driver holds the applier back for a reason of its own, and says so again and again: what is not applied meanwhile does
  /// not count as a state machine that stands still.
  public mutating func excuseApplier() { engine.applying.excuse(engine.now) }

  /// Whether something has changed that ``takeWrite()`` would give.
  public var hasUnsavedChanges: Bool { engine.writes.isDirty }

  // MARK: - Inputs

  /// Advances the clock by one tick.
  public mutating func tick(into outputs: inout Outputs) { advance(to: engine.now + 1, into: &outputs) }

  /// Advances the clock to `instant`, which must include time spent suspended; an earlier instant changes nothing.
  /// To be called before every other input: a process that was stopped must learn how late it is before it acts.
  @specialized(where Payload == Bytes)
  public mutating func advance(to instant: Ticks, into outputs: inout Outputs) {
    guarded { engine in engine.advance(to: instant, into: &outputs) }
  }

  /// Acts on a message from another node. Anything a peer can send is handled, or ignored and traced.
  ///
  /// - Parameters:
  ///   - message: A message for this node; one for another node traps, because it is the driver that drops those.
  ///   - entries: The entries that an ``AppendEntries`` names; a message whose entries do not fit it is ignored.
  ///   - configuration: That of the snapshot of which an ``InstallSnapshot`` is a piece.
  ///   - outputs: Where effects go.
  @specialized(where Payload == Bytes)
  public mutating func step(
    _ message: Message, entries: ArraySlice<Entry<Payload>> = [], configuration: IndexedConfiguration? = nil,
    into outputs: inout Outputs
  ) {
    var configurations: [IndexedConfiguration] = []
    if let configuration { configurations.append(configuration) }
    if case .appendEntries(let request) = message.body,
      !Self.fit(entries, request, configurations: &configurations)
    {
      return outputs.trace(.ignored(from: message.from, reason: .impossible))
    }
    let start = entries.startIndex
    guarded { engine in
      engine.step(
        message, entryBytes: { entries[start + $0].bytes }, configurations: configurations, into: &outputs)
    } reconcile: { first, tail in
      guard let first, case .appendEntries(let request) = message.body else { return }
      tail.truncate(after: first.previous)
      tail.append(contentsOf: entries[(start + request.previous.index.distance(to: first) - 1)...])
    }
  }

  /// The same with the entries in an array.
  @specialized(where Payload == Bytes)
  public mutating func step(_ message: Message, entries: [Entry<Payload>], into outputs: inout Outputs) {
    step(message, entries: entries[...], into: &outputs)
  }

  /// Appends a proposal to the log, if this node leads.
  ///
  /// - Parameters:
  ///   - payload: What to replicate.
  ///   - bytes: Its size, for limits.
  ///   - outputs: Where effects go.
  /// - Returns: Where it stands. It is committed once ``takeCommitted(bytesMax:)`` gives *this* entry; if another term
  ///   is committed at its index, it never will be.
  /// - Throws: ``ProposeError``; the proposal is then nowhere.
  @specialized(where Payload == Bytes)
  @discardableResult
  public mutating func propose(
    _ payload: Payload, bytes: UInt32, into outputs: inout Outputs
  ) throws(ProposeError) -> EntryID {
    let entry = try append(payload, bytes: bytes)
    replicate(into: &outputs)
    return entry
  }

  /// Appends a proposal without sending it yet: for a driver that gathers many before one ``replicate(into:)``.
  ///
  /// - Throws: ``ProposeError``; the proposal is then nowhere.
  @specialized(where Payload == Bytes)
  public mutating func append(_ payload: Payload, bytes: UInt32) throws(ProposeError) -> EntryID {
    try engine.admit(bytes: Int(bytes))
    guarded { engine in
      engine.appendOwn(bytes: bytes)
    } reconcile: { [id = EntryID(term: engine.hardState.term, index: engine.log.lastIndex.next)] _, tail in
      tail.append(Entry(id: id, content: .payload(payload), bytes: bytes))
    }
    return engine.log.last
  }

  /// Sends what was appended; without effect unless this node leads.
  @specialized(where Payload == Bytes)
  public mutating func replicate(into outputs: inout Outputs) {
    guarded { engine in engine.replicate(into: &outputs) }
  }

  /// Asks for an index as of which a read is linearizable (thesis §6.4). The answer comes in ``Outputs/reads``, at once
  /// or later; a follower asks its leader over the network, so that its answer can be lost: ask again, under a new id.
  @specialized(where Payload == Bytes)
  public mutating func readIndex(_ read: ReadID, into outputs: inout Outputs) {
    guarded { engine in engine.readIndex(read, into: &outputs) }
  }

  /// Reports that the connection to `peer` broke. If it is the leader, its followers need not wait for a timeout.
  @specialized(where Payload == Bytes)
  public mutating func connectionLost(to peer: NodeID, into outputs: inout Outputs) {
    guarded { engine in engine.connectionLost(to: peer, into: &outputs) }
  }

  /// Hands leadership to `target`, as soon as it holds the whole log; given up after a minimum election timeout. No
  /// proposals are taken meanwhile (thesis §3.10).
  ///
  /// - Throws: ``TransferError``; nothing has changed then.
  @specialized(where Payload == Bytes)
  public mutating func transferLeadership(to target: NodeID, into outputs: inout Outputs)
    throws(TransferError)
  {
    try engine.transferLeadership(to: target, into: &outputs)
  }

  /// Gives leadership up: it is handed to the best placed voter, or just ended if none is heard from or the handover
  /// fails. Without effect unless this node leads.
  @specialized(where Payload == Bytes)
  public mutating func stepDown(into outputs: inout Outputs) {
    guarded { engine in engine.stepDown(into: &outputs) }
  }

  /// Begins to change who takes part. All of `changes` take effect together: in one step if at most one voter comes or
  /// goes, otherwise through a joint phase, which ends by itself (thesis §4.3). The new configuration is in force at once;
  /// the change is over when ``RaftStatus/configuration`` is not joint and its entry is committed.
  ///
  /// - Returns: Where the configuration entry stands, which is settled like a proposal: if another term is committed at
  ///   its index, the change has not been made, and the new leader has to be asked again. Once it is committed, the
  ///   change is sure to be carried out, even if a joint phase is still to be ended.
  /// - Throws: ``ConfigurationChangeError``; nothing has changed then.
  @specialized(where Payload == Bytes)
  @discardableResult
  public mutating func changeConfiguration(
    _ changes: [ConfigurationChange], into outputs: inout Outputs
  ) throws(ConfigurationChangeError) -> EntryID {
    let before = landmarks
    let entry = try engine.changeConfiguration(changes, into: &outputs)
    completeTail()
    check(since: before)
    return entry
  }

  // MARK: - Snapshots

  /// Whether a peer that is alive waits for a snapshot, and none is there that the log continues: the driver should take
  /// one, and report it with ``didTakeSnapshot(_:into:)``.
  public var wantsSnapshot: Bool { engine.wantsSnapshot }

  /// The snapshots that are being sent; the driver keeps their bytes. Besides them only the newest one is needed.
  public var snapshotsInUse: [Snapshot] { engine.snapshotsUnderWay.map(\.snapshot) }

  /// The snapshot that a ``PendingWrite`` with ``PendingWrite/installs`` speaks of; nil before the first one.
  public var installingSnapshot: Snapshot? { engine.writes.installing }

  /// The term of the entry at `index`, or of the log's beginning; nil if `index` is before it or beyond the log.
  public func term(at index: LogIndex) -> Term? { engine.log.term(at: index) }

  /// The configuration in force at `index` and where it stands, as a snapshot that ends there records it; nil if `index`
  /// is compacted away or beyond the log.
  public func configuration(at index: LogIndex) -> IndexedConfiguration? {
    guard index >= baseIndex, index <= lastEntry.index else { return nil }
    return engine.configurations.inForce(at: index)
  }

  /// The snapshot that was reported last is not there any more. Whoever receives it begins again, with the next one; whether
  /// somebody does, ``snapshotsInUse`` tells.
  public mutating func withdrawSnapshot() { engine.withdrawSnapshot() }

  /// The driver has a snapshot that can be sent to peers, now and until it reports a newer one.
  ///
  /// One that is older than the newest known, or whose end the log has been compacted or replaced beyond, may be reported
  /// as well; it is sent to nobody.
  ///
  /// - Precondition: It ends at or before the applied index, and if the log still knows the entry there
  ///   (``term(at:)``), at that very entry.
  @specialized(where Payload == Bytes)
  public mutating func didTakeSnapshot(_ snapshot: Snapshot, into outputs: inout Outputs) {
    precondition(
      snapshot.last.index <= engine.appliedIndex,
      "a snapshot holds applied entries only, because it is never undone")
    precondition(
      engine.log.term(at: snapshot.last.index).map { $0 == snapshot.last.term } ?? true,
      "a snapshot ends at an entry of this log")
    guarded { engine in engine.offer(snapshot, into: &outputs) }
  }

  /// The driver has stored a piece that ``Outputs/chunks`` named, up to `offset`; if it was the last one, the driver has
  /// also verified the whole. The next piece is asked for, or the next write installs the snapshot.
  ///
  /// Pieces are stored, and reported, in their order. Of a snapshot in ``Outputs/discardedSnapshots`` nothing more is
  /// reported. Storing need not be durable: after a crash the transfer begins again.
  @specialized(where Payload == Bytes)
  public mutating func didStoreChunk(fingerprint: UInt64, through offset: UInt64, into outputs: inout Outputs)
  {
    guarded { engine in engine.didStoreChunk(fingerprint: fingerprint, through: offset, into: &outputs) }
  }

  /// The driver could not store a piece, or what it received is not what was sent. The transfer begins again.
  @specialized(where Payload == Bytes)
  public mutating func didFailToStore(fingerprint: UInt64, into outputs: inout Outputs) {
    guarded { engine in engine.didFailToStore(fingerprint: fingerprint, into: &outputs) }
  }

  // MARK: - Disk

  /// The next write, covering everything since the last one; nil if nothing has changed.
  @specialized(where Payload == Bytes)
  public mutating func takeWrite() -> PendingWrite? { engine.takeWrite() }

  /// The entries `(after, through]` with their payloads; nil if some of them are no longer, or not yet, in the log.
  ///
  /// - Complexity: O(1). Use the slice before the next input: kept longer, it makes the log be copied.
  @specialized(where Payload == Bytes)
  public func entries(after: LogIndex, through: LogIndex) -> ArraySlice<Entry<Payload>>? {
    tail.slice(after: after, through: through)
  }

  /// The entries that a message names; nil if it is no AppendEntries, or the log has changed since it was made: it is
  /// then not worth sending.
  @specialized(where Payload == Bytes)
  public func entries(for message: Message) -> ArraySlice<Entry<Payload>>? {
    guard case .appendEntries(let request) = message.body,
      request.count == 0 || engine.log.term(at: request.lastIndex) == request.entriesTerm
    else { return nil }
    return tail.slice(after: request.previous.index, through: request.lastIndex)
  }

  /// The configuration that travels with a piece of a snapshot; nil if the message is none, or its transfer is over.
  public func configuration(for message: Message) -> IndexedConfiguration? {
    guard case .installSnapshot(let piece) = message.body else { return nil }
    return engine.snapshotsUnderWay.first { $0.snapshot.fingerprint == piece.fingerprint }?.snapshot
      .configuration
  }

  /// Redeems the proof that a write is durable, and releases what waited for it.
  ///
  /// - Precondition: Proofs are redeemed in the order in which the writes were taken, in the node they came from.
  @specialized(where Payload == Bytes)
  public mutating func didPersist(_ durable: consuming DurableWrite, into outputs: inout Outputs) {
    let before = landmarks
    engine.didPersist(durable, into: &outputs)
    completeTail()
    check(since: before)
  }

  // MARK: - Applying

  /// The next range of committed entries, at most `bytesMax` bytes but at least one entry; nil if there is none. Each
  /// is given once. Never beyond what is durable on this node.
  @specialized(where Payload == Bytes)
  public mutating func takeCommitted(bytesMax: Int) -> (after: LogIndex, through: LogIndex)? {
    engine.takeCommitted(bytesMax: bytesMax)
  }

  /// Reports that the state machine reflects everything through `index`.
  ///
  /// - Precondition: The entries were given by ``takeCommitted(bytesMax:)``.
  @specialized(where Payload == Bytes)
  public mutating func didApply(through index: LogIndex) {
    precondition(index <= engine.handedOutIndex, "only entries that takeCommitted has given can be applied")
    engine.appliedIndex = max(engine.appliedIndex, index)
  }

  /// Forgets the log through `index`, or as far as what is left still continues every snapshot that is being sent to a
  /// peer which is alive.
  ///
  /// A peer that needs what is forgotten gets a snapshot; within ``compactableIndex`` there is no such peer.
  ///
  /// - Precondition: `index` is at most the applied index.
  /// - Returns: Through where the log is compacted now.
  @specialized(where Payload == Bytes)
  @discardableResult
  public mutating func compact(through index: LogIndex) -> LogIndex {
    precondition(index <= engine.appliedIndex, "only applied entries can be compacted")
    let target = min(index, engine.compactionLimit)
    engine.log.compact(through: target)
    engine.configurations.compact(through: target)
    tail.trim(through: target)
    return engine.log.base.index
  }

  // MARK: - Invariants

  /// Traps with the broken rule if the state contradicts itself. Runs after every input in debug builds.
  @specialized(where Payload == Bytes)
  public func checkInvariants() {
    engine.checkInvariants()
    precondition(tail.lastIndex == engine.log.lastIndex, "every entry in the log has its payload")
    precondition(tail.base == engine.log.base.index, "payloads are kept exactly as long as positions")
  }

  /// Traps with the broken rule if no correct step leads from `earlier` to this state of the same node.
  public func checkTransition(from earlier: RaftNode) {
    engine.checkTransition(from: earlier.engine.landmarks)
  }

  /// Whether these are the entries that a message names; collects the configurations among them.
  private static func fit(
    _ entries: ArraySlice<Entry<Payload>>, _ request: AppendEntries,
    configurations: inout [IndexedConfiguration]
  ) -> Bool {
    guard entries.count == Int(request.count), request.previous.index <= .highestPlausible else {
      return false
    }
    var index = request.previous.index
    for position in entries.indices {
      index = index.next
      guard entries[position].id == EntryID(term: request.entriesTerm, index: index) else { return false }
      if case .configuration(let configuration) = entries[position].content {
        configurations.append(IndexedConfiguration(index: index, configuration: configuration))
      }
    }
    return true
  }

  /// Runs one input, brings the payloads in line with the log, and checks the result in debug builds.
  @discardableResult
  private mutating func guarded<Result>(
    _ input: (inout Consensus) -> Result, reconcile: (Result, inout LogTail<Payload>) -> Void = { _, _ in }
  ) -> Result {
    let before = landmarks
    let result = input(&engine)
    reconcile(result, &tail)
    completeTail()
    check(since: before)
    return result
  }

  /// Adds the entries that the engine has appended by itself, which have no payload: those that open a term, and
  /// configurations. A log that a snapshot has replaced begins anew.
  private mutating func completeTail() {
    if tail.base < engine.log.base.index { tail = LogTail(base: engine.log.base.index) }
    while tail.lastIndex < engine.log.lastIndex {
      let index = tail.lastIndex.next
      guard let term = engine.log.term(at: index) else { return }
      let bytes = UInt32(engine.log.bytes(after: index.previous, through: index))
      let content = engine.configurations.configuration(at: index).map(EntryContent<Payload>.configuration)
      tail.append(Entry(id: EntryID(term: term, index: index), content: content ?? .empty, bytes: bytes))
    }
  }

  private var landmarks: Consensus.Landmarks? {
    #if DEBUG
      engine.landmarks
    #else
      nil
    #endif
  }

  private func check(since before: Consensus.Landmarks?) {
    guard let before else { return }
    checkInvariants()
    engine.checkTransition(from: before)
  }
}
