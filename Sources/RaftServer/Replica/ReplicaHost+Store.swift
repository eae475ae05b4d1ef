import RaftCore
import RaftStore
import RaftTransport

// What the store does for a replica, and what it is found to hold at a restart.

/// A store, and everything that was found in it.
struct OpenedStore<Machine: StateMachine>: Sendable {
  let store: any LogStore & SnapshotStore
  let kind: StoreKind
  /// Who the node is, from now on.
  let identity: NodeIdentity
  /// What the node starts from; nil if it is in no cluster yet.
  let recovered: RecoveredState<Bytes>?
  /// The applier as of `recovered.appliedIndex`.
  let applier: Applier<Machine>
  let keepsLogBehindSnapshot: Bool

  /// Reads everything that a store holds. A node that is told for the first time who it is remembers that at once.
  ///
  /// - Throws: `StoreError` if something cannot be read, or contradicts itself, or belongs to another node.
  init(
    _ store: consuming any LogStore & SnapshotStore, _ kind: StoreKind, blank: Applier<Machine>,
    address: String, newNode: NodeID
  ) throws(StoreError) {
    var store = store
    self.kind = kind
    var recovered = try store.recover()
    if let known = try store.identity() {
      if recovered != nil {
        guard known.cluster != nil else {
          throw .corrupt("there is a log, and no cluster to which it belongs")
        }
      }
      // A founder that did not hear of its cluster before it stopped is a member all the same.
      identity = NodeIdentity(
        node: known.node, cluster: known.cluster, address: address, isJoining: known.isJoining)
    } else {
      guard recovered == nil else {
        throw .corrupt("there is a log, and the record of whose it is is missing")
      }
      identity = NodeIdentity(node: newNode, cluster: nil, address: address)
      try store.setIdentity(identity)
    }
    applier = try Self.applier(from: blank, &recovered, in: &store)
    self.recovered = recovered
    keepsLogBehindSnapshot = store.keepsLogBehindSnapshot
    self.store = store
  }

  private static func applier(
    from blank: Applier<Machine>, _ recovered: inout RecoveredState<Bytes>?,
    in store: inout some LogStore & SnapshotStore
  ) throws(StoreError) -> Applier<Machine> {
    try Applier.starting(from: blank, &recovered, in: &store)
  }
}

/// Applying again what the log holds beyond the state that was found.
struct Replay {
  /// The last entry that was known to be committed.
  let through: LogIndex
  /// How many entries that is.
  let entries: Int
  /// In milliseconds.
  let beganAt: UInt64
  var reportedAt: UInt64
}

extension ReplicaHost {
  /// Carries on where the node has stopped, if it has been a member of a cluster.
  func resume(_ opened: OpenedStore<Machine>, since start: UInt64) {
    loop.preconditionOnLoop()
    guard let recovered = opened.recovered, let cluster = opened.identity.cluster else { return }
    do {
      running = Running(
        try Driver(
          id: identity.node, boot: identity.boot, address: address, blank: blank, applier: opened.applier,
          recovered: recovered, keepsLogBehindSnapshot: opened.keepsLogBehindSnapshot, options: options,
          seed: random.next(), now: moment))
    } catch {
      return fail(.corrupt("\(error)"))
    }
    // Founders that have not heard of it can be told only by those who still hold the entry that all logs begin with.
    if let first = recovered.entries.first, first.id.index == LogIndex(1),
      case .configuration(let configuration) = first.content
    {
      founded = Founded(cluster: cluster, configuration: configuration)
    }
    first = nil
    let applied = opened.applier.last.index
    let through = max(recovered.commitIndex, applied)
    replay = Replay(
      through: through, entries: applied.distance(to: through), beganAt: start, reportedAt: loop.milliseconds)
    let members = running?.driver.node.configuration.members.map(\.address) ?? []
    report(.resumed(cluster: cluster, members: members, applied: applied, through: through))
    around.resumed()
    noticeConfiguration()
    if around.isJoining { askToJoin() }
    scheduleFlush()
  }

  /// Says how far it is, once in a second, and when it is done.
  func reportReplay() {
    guard let replay, let applied = running?.driver.appliedIndex else { return }
    let now = loop.milliseconds
    if applied >= replay.through {
      report(.recovered(entries: replay.entries, milliseconds: now - replay.beganAt))
      self.replay = nil
    } else if now >= replay.reportedAt + 1_000 {
      report(.replaying(applied: applied, through: replay.through))
      self.replay?.reportedAt = now
    }
  }

  // MARK: - Tasks

  /// Carries out the next task on the loop. Returns whether there was one.
  func performDiskTask() throws(StoreError) -> Bool {
    guard let task = running?.driver.takeDiskTask(isDetached: false) else { return false }
    guard !task.isBulk else {
      beginBulk(task)
      return true
    }
    let result = try disk.perform(task)
    running?.driver.didComplete(result)
    return true
  }

  /// Gives the store its next task, if it has none: whatever arrives while it syncs shares the next sync.
  func beginDiskTask() {
    while tasksUnderWay == 0, beginNextTask() {}
  }

  private func beginNextTask() -> Bool {
    guard let task = running?.driver.takeDiskTask(isDetached: true) else { return false }
    guard !task.isBulk else {
      beginBulk(task)
      return true
    }
    tasksUnderWay += 1
    disk.begin(task) { [weak self] result in
      guard let self else { return Self.abandon(result) }
      tasksUnderWay -= 1
      didPerform(result)
    }
    return true
  }

  /// Begins what takes long, beside everything else.
  private func beginBulk(_ task: consuming DiskTask<Machine>) {
    disk.beginBulk(task) { [weak self] result in
      guard let self else { return Self.abandon(result) }
      didPerform(result)
    }
  }

  private func didPerform(_ result: consuming Result<DiskResult<Machine>, StoreError>) {
    guard running != nil else { return Self.abandon(result) }
    running?.driver.advance(to: moment)
    switch consume result {
    case .success(let result): running?.driver.didComplete(result)
    case .failure(let error): return fail(error)
    }
    flush()
  }

  private static func abandon(_ result: consuming Result<DiskResult<Machine>, StoreError>) {
    if case .success(let result) = consume result { result.abandon() }
  }
}
