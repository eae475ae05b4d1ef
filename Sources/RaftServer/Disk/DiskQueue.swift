import Dispatch
import RaftCore
import RaftStore
import RaftTransport
import Synchronization

/// A replica's store, and where it is used: on a queue of its own if it waits for a device, so that the loop never does;
/// otherwise on the loop itself.
///
/// `@unchecked Sendable` because the store is used on that queue alone, or on the loop alone.
final class DiskQueue<Machine: StateMachine>: @unchecked Sendable {
  typealias Store = any LogStore & SnapshotStore

  /// Whether the store has a queue of its own.
  let isDetached: Bool
  private let loop: EventLoop
  /// Nil once it is closed.
  private var store: Store?
  private let queue: DispatchQueue
  /// For what takes long.
  private let bulkQueue = DispatchQueue(label: "raftnode.bulk", qos: .utility)
  /// For writing what has changed of the state: nothing that takes longer shall hold that up, because it is in memory
  /// until then.
  private let stateQueue = DispatchQueue(label: "raftnode.state", qos: .utility)
  /// Whether what takes long is to be broken off.
  private let isClosing = Atomic(false)

  /// Takes over a store.
  init(_ store: Store, isDetached: Bool, loop: EventLoop) {
    self.store = store
    self.isDetached = isDetached
    self.loop = loop
    // A queue that others share would let a sync wait for whatever blocks there.
    queue = DispatchQueue(label: "raftnode.disk", qos: .userInteractive)
  }

  /// Carries a task out, on the loop.
  ///
  /// - Throws: `StoreError`. The node must stop then.
  func perform(_ task: consuming DiskTask<Machine>) throws(StoreError) -> DiskResult<Machine> {
    loop.preconditionOnLoop()
    precondition(!isDetached, "a store that waits for a device is used on its own queue")
    return try carryOut(task)
  }

  /// Carries a task out behind all that were begun before; `then` is called on the loop.
  func begin(
    _ task: consuming DiskTask<Machine>,
    then handler: @escaping @Sendable (consuming Result<DiskResult<Machine>, StoreError>) -> Void
  ) {
    let task = Parcel(task)
    queue.async { [self] in
      guard let task = task.open() else { return }
      let result: Parcel<Result<DiskResult<Machine>, StoreError>>
      do throws(StoreError) {
        result = Parcel(.success(try carryOut(task)))
      } catch {
        result = Parcel(.failure(error))
      }
      loop.async {
        guard let result = result.open() else { return }
        handler(result)
      }
    }
  }

  private func carryOut(_ task: consuming DiskTask<Machine>) throws(StoreError) -> DiskResult<Machine> {
    guard var open = store else {
      task.abandon()
      throw .failed("the store is closed")
    }
    // One reference, so that nothing is copied when it changes.
    store = nil
    defer { store = open }
    return try task.perform(on: &open)
  }

  /// Carries out a task that takes long, beside those that were begun otherwise; `then` is called on the loop.
  func beginBulk(
    _ task: consuming DiskTask<Machine>,
    then handler: @escaping @Sendable (consuming Result<DiskResult<Machine>, StoreError>) -> Void
  ) {
    switch consume task {
    case .flush(let state, let sealed, let index):
      stateQueue.async { [loop] in
        let result = Result { () throws(StoreError) in try state.flush(sealed) }
        loop.async { handler(result.map { .flushed(state, through: index) }) }
      }
    case .copy(let state):
      bulkQueue.async { [self] in
        let result = Result { () throws(StoreError) in
          try DiskTask<Machine>.copy(state) { isClosing.load(ordering: .relaxed) }
        }
        loop.async { handler(result.map { .copied($0.0, $0.1) }) }
      }
    case .save(let applier, let view, let configuration):
      use { store in
        store.beginSnapshot()
      } then: { [self] draft in
        guard case .success(let draft) = draft else { return }
        inBulk(draft) { draft throws(StoreError) in
          try applier.write(to: draft, configuration, reading: view)
        } then: { [self] written in
          use { store throws(StoreError) in
            let snapshot = try written.get()
            try store.save(snapshot, draft)
            return snapshot
          } then: { saved in
            handler(saved.map { .saved($0) })
          }
        }
      }
    case .persist(let write, _, _):
      write.abandon()
      preconditionFailure("a write is not done beside everything else")
    case .work: preconditionFailure("work that takes no time is not done beside everything else")
    }
  }

  /// Uses the store otherwise; `then` is called on the loop, at once if the store has no queue of its own.
  func use<Value: Sendable>(
    _ body: @escaping @Sendable (inout Store) throws(StoreError) -> Value,
    then handler: @escaping @Sendable (Result<Value, StoreError>) -> Void
  ) {
    if !isDetached { return handler(result(of: body)) }
    queue.async { [self] in
      let result = result(of: body)
      loop.async { handler(result) }
    }
  }

  /// Writes a draft beside everything else; `then` is called on the loop.
  func inBulk<Value: Sendable>(
    _ draft: SnapshotDraft, _ body: @escaping @Sendable (SnapshotDraft) throws(StoreError) -> Value,
    then handler: @escaping @Sendable (Result<Value, StoreError>) -> Void
  ) {
    draft.isBroken = { [self] in isClosing.load(ordering: .relaxed) }
    bulkQueue.async { [loop] in
      let written = Result { () throws(StoreError) in try body(draft) }
      loop.async { handler(written) }
    }
  }

  private func result<Value>(of body: (inout Store) throws(StoreError) -> Value) -> Result<Value, StoreError>
  {
    guard var open = store else { return .failure(.failed("the store is closed")) }
    // One reference, so that nothing is copied when it changes.
    store = nil
    defer { store = open }
    do throws(StoreError) {
      return .success(try body(&open))
    } catch {
      return .failure(error)
    }
  }

  /// Closes the store behind everything that was begun; `then` is called on the loop. What has changed of `state` is written
  /// first, so that the next start has less to apply again; it does not depend on that.
  func close(writing state: MachineState?, then handler: @escaping @Sendable () -> Void) {
    isClosing.store(true, ordering: .relaxed)
    let rest = state?.leftover()
    let parcel = Parcel(state)
    stateQueue.async { [self] in
      // Let go of before the store is closed: whoever is told of that may open the folder again.
      do {
        let state = parcel.open() ?? nil
        if let state, let rest { try? state.flush(rest) }
      }
      closeStore(then: handler)
    }
  }

  private func closeStore(then handler: @escaping @Sendable () -> Void) {
    bulkQueue.async { [self] in
      guard isDetached else {
        return loop.async { [self] in
          store = nil
          handler()
        }
      }
      queue.async { [self] in
        store = nil
        loop.async(handler)
      }
    }
  }
}

/// Carries something that cannot be copied into a closure that is called once.
///
/// `@unchecked Sendable` because it is handed on from one thread to the next, and never shared.
private final class Parcel<Content: ~Copyable>: @unchecked Sendable {
  private var content: Content?

  init(_ content: consuming Content) { self.content = consume content }

  /// What is in it; nil if it was opened before.
  func open() -> Content? { content.take() }
}
