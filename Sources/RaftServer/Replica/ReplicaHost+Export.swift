import RaftCore
import RaftStore
import RaftTransport

// Copies of the state for those who keep them elsewhere.

/// A copy of a node's state that it holds for a while, to be read piece by piece.
public struct HeldSnapshot: Hashable, Sendable {
  /// Names it: ``SnapshotFingerprint``.
  public let id: UInt64
  /// How many bytes it has.
  public let bytes: UInt64
  /// The last entry whose effect it holds.
  public let last: EntryID
  /// The cluster whose state it is.
  public let cluster: ClusterID
}

/// The copies that a node holds, and who waits for one.
struct HeldSnapshots {
  typealias TakenHandler = (Result<HeldSnapshot, ReplicaError>) -> Void
  typealias PieceHandler = (Result<Bytes?, ReplicaError>) -> Void

  /// The most that are held, or being taken, at a time: each may be as large as the data.
  static let countMax = 2
  /// How long one is held that nobody asks for.
  static let idleMilliseconds: UInt64 = 60_000
  /// The most bytes that are read at once.
  static let pieceBytesMax: UInt64 = 512 << 10

  var list: [(snapshot: HeldSnapshot, until: UInt64)] = []
  var takers: [UInt64: TakenHandler] = [:]
  var readers: [UInt64: PieceHandler] = [:]
  private var lastNumber: UInt64 = 0

  var isFull: Bool { list.count + takers.count >= Self.countMax }

  mutating func nextNumber() -> UInt64 {
    lastNumber += 1
    return lastNumber
  }

  /// Takes those off the list that nobody has asked for.
  mutating func takeIdle(at now: UInt64) -> [HeldSnapshot] {
    let idle = list.filter { $0.until <= now }.map(\.snapshot)
    list.removeAll { $0.until <= now }
    return idle
  }
}

extension Driver {
  /// The state as it is now, for another thread; nil while it is being replaced, or cannot be read.
  func copy() -> (Applier<Machine>, MachineStateView?, IndexedConfiguration)? {
    guard let configuration = core.node.configuration(at: applier.last.index),
      let (frozen, view) = applier.frozen()
    else { return nil }
    return (frozen, view, configuration)
  }
}

extension DiskQueue {
  /// Writes a copy of the state beside everything else, and has the store hold it; `then` is called on the loop.
  func hold(
    _ applier: Applier<Machine>, _ view: MachineStateView?, _ configuration: IndexedConfiguration,
    then handler: @escaping @Sendable (Result<Snapshot, StoreError>) -> Void
  ) {
    use { store in
      store.beginSnapshot()
    } then: { [self] draft in
      guard case .success(let draft) = draft else { return handler(.failure(.failed("the store is closed"))) }
      inBulk(draft) { draft throws(StoreError) in
        try applier.write(to: draft, configuration, reading: view)
      } then: { [self] written in
        use { store throws(StoreError) in
          let snapshot = try written.get()
          try store.hold(snapshot, draft)
          return snapshot
        } then: {
          handler($0)
        }
      }
    }
  }
}

extension ReplicaHost {
  /// Takes a copy of the state, and holds it.
  func holdSnapshot(then handler: @escaping HeldSnapshots.TakenHandler) {
    loop.preconditionOnLoop()
    guard !isDraining, let driver = running?.driver, let cluster = identity.cluster else {
      return handler(.failure(.notExecuted(isStopped || isDraining ? .stopping : .notReady)))
    }
    guard !held.isFull, let (applier, view, configuration) = driver.copy() else {
      return handler(.failure(.notExecuted(.busy)))
    }
    let number = held.nextNumber()
    held.takers[number] = handler
    disk.hold(applier, view, configuration) { [weak self] in self?.didHold($0, of: cluster, number) }
  }

  private func didHold(_ result: Result<Snapshot, StoreError>, of cluster: ClusterID, _ number: UInt64) {
    guard let handler = held.takers.removeValue(forKey: number) else { return }
    guard !isStopped else { return handler(.failure(.notExecuted(.stopping))) }
    switch result {
    case .failure(let error):
      handler(.failure(.notExecuted(.stopping)))
      fail(error)
    case .success(let snapshot):
      let copy = HeldSnapshot(
        id: snapshot.fingerprint, bytes: snapshot.bytes, last: snapshot.last, cluster: cluster)
      // Equal bytes are held once.
      if held.list.contains(where: { $0.snapshot.id == copy.id }) { release(copy) }
      held.list.removeAll { $0.snapshot.id == copy.id }
      held.list.append((copy, loop.milliseconds + HeldSnapshots.idleMilliseconds))
      releaseIdle()
      handler(.success(copy))
    }
  }

  /// Reads a piece of a copy that is held, the longest that is given at once; nil if there is no such copy.
  func readHeld(_ id: UInt64, from offset: UInt64, then handler: @escaping HeldSnapshots.PieceHandler) {
    loop.preconditionOnLoop()
    guard !isDraining else { return handler(.failure(.notExecuted(.stopping))) }
    guard let place = held.list.firstIndex(where: { $0.snapshot.id == id }) else {
      return handler(.success(nil))
    }
    held.list[place].until = loop.milliseconds + HeldSnapshots.idleMilliseconds
    let bytes = held.list[place].snapshot.bytes
    guard offset < bytes else { return handler(.success([])) }
    let count = Int(min(HeldSnapshots.pieceBytesMax, bytes - offset))
    let number = held.nextNumber()
    held.readers[number] = handler
    disk.use { store throws(StoreError) in
      try store.read(fingerprint: id, offset: offset, count: count)
    } then: { [weak self] in
      self?.didRead($0, number)
    }
  }

  private func didRead(_ result: Result<Bytes?, StoreError>, _ number: UInt64) {
    guard let handler = held.readers.removeValue(forKey: number) else { return }
    switch result {
    case .success(let piece): handler(.success(piece))
    case .failure(let error):
      handler(.failure(.notExecuted(.stopping)))
      if !isStopped { fail(error) }
    }
  }

  /// Lets go what nobody has asked for, and looks again when the next one may be due.
  private func releaseIdle() {
    guard !isStopped else { return }
    for copy in held.takeIdle(at: loop.milliseconds) { release(copy) }
    heldTimer?.cancel()
    heldTimer = held.list.map(\.until).min().map { next in
      loop.schedule(at: next) { [weak self] in self?.releaseIdle() }
    }
  }

  private func release(_ copy: HeldSnapshot) {
    let id = copy.id
    disk.use { store throws(StoreError) in
      try store.release(fingerprint: id)
      return true
    } then: { [weak self] result in
      guard let self, !isStopped, case .failure(let error) = result else { return }
      fail(error)
    }
  }
}

extension Replica {
  /// Takes a copy of the state as this replica has applied it, and holds it for ``readSnapshot(_:from:then:)``, until
  /// nobody has read from it for a minute. At most two are held at a time. To be called on ``loop``, which calls back.
  public func holdSnapshot(then handler: @escaping (Result<HeldSnapshot, ReplicaError>) -> Void) {
    host.holdSnapshot(then: handler)
  }

  /// Reads a piece of a copy that is held: at most 512 KiB, none behind its end; nil if there is no such copy. To be called
  /// on ``loop``, which calls back.
  public func readSnapshot(
    _ id: UInt64, from offset: UInt64, then handler: @escaping (Result<Bytes?, ReplicaError>) -> Void
  ) {
    host.readHeld(id, from: offset, then: handler)
  }
}
