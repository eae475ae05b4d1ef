import RaftCore

/// The state of a state machine on a device: bytes by key, in order, and how far it has come.
///
/// Changes are gathered, and seen by every later `get` and `scan`; ``commit()`` makes all of them at once. So what stands
/// on the device is always the state after some entry, together with the record of which entry that is. The device has
/// no write-ahead log, because there is one already: after a crash the state is an earlier one, and the entries behind it
/// are applied again.
///
/// Reading does not throw: a state machine could do nothing about it. The first failure is kept instead; whoever owns the
/// state looks at ``failure`` before anything that may rest on it leaves the node.
///
/// `@unchecked Sendable` because everything but ``flush()`` is used by one thread at a time.
public final class MachineState: @unchecked Sendable {
  /// Which of the node's states this is.
  public let generation: UInt64
  private let device: any StateDevice
  /// What has changed since the last commit; nil stands for a key that was removed.
  private var recent = OrderedTree<Bytes?>()
  /// Why the device cannot be relied on any more; nil if it can.
  public private(set) var failure: StoreError?

  /// Looks at what a device holds.
  public init(_ device: any StateDevice, generation: UInt64) {
    self.device = device
    self.generation = generation
  }

  // MARK: - For the state machine

  /// The value of `key`; nil if there is none.
  public func get(_ key: Bytes) -> Bytes? { value(of: StateKey.machine(key)) }

  /// Sets the value of `key`.
  public func put(_ value: Bytes, for key: Bytes) { recent.insert(value, for: StateKey.machine(key)) }

  /// Removes `key`, if it is there.
  public func delete(_ key: Bytes) { recent.insert(nil, for: StateKey.machine(key)) }

  /// Visits the pairs with `lower <= key < upper` in ascending order, until `visit` returns false.
  ///
  /// - Complexity: O(log n + pairs visited + changes since the last commit in that range).
  public func scan(from lower: Bytes, to upper: Bytes?, _ visit: (Bytes, Bytes) -> Bool) {
    scanStored(from: StateKey.machine(lower), to: upper.map(StateKey.machine) ?? StateKey.machineEnd) {
      visit(StateKey.content(of: $0), $1)
    }
  }

  // MARK: - For its owner

  /// What the owner has put under `key`, which no key of the machine collides with.
  package func own(_ key: Bytes) -> Bytes? { value(of: StateKey.own(key)) }

  /// Sets what the owner has under `key`; nil for nothing.
  package func setOwn(_ value: Bytes?, for key: Bytes) { recent.insert(value, for: StateKey.own(key)) }

  /// Visits what the owner has, with `lower <= key < upper`, in ascending order.
  package func scanOwn(from lower: Bytes, to upper: Bytes, _ visit: (Bytes, Bytes) -> Bool) {
    scanStored(from: StateKey.own(lower), to: StateKey.own(upper)) { visit(StateKey.content(of: $0), $1) }
  }

  /// Makes all changes since the last commit, at once. They are not durable before a ``flush()``.
  package func commit() {
    guard failure == nil, recent.count > 0 else { return }
    var batch = WriteBatch()
    recent.scan(from: [], to: nil) { key, value in
      if let value {
        batch.put(value, for: key)
      } else {
        batch.delete(key)
      }
      return true
    }
    recent = OrderedTree()
    attempt { device throws(StoreError) in try device.apply(batch) }
  }

  /// Returns once everything that was committed before the call is on stable storage.
  package func flush() throws(StoreError) { try device.flush() }

  /// What was committed, and later changes do not touch; nil if the device has failed.
  package func view() -> MachineStateView? {
    attempt { device throws(StoreError) in try device.view() }.map(MachineStateView.init)
  }

  /// Whether the files of the device can be a snapshot.
  package var hasFiles: Bool { (device as? RocksDatabase)?.copies != nil }

  /// Copies the files of the device, on any thread: what they hold is the state after some commit, not before the last one
  /// that was made before the call. Nil if there are none.
  ///
  /// - Throws: ``StoreError``.
  package func copyFiles() throws(StoreError) -> SnapshotFolder? {
    guard let database = device as? RocksDatabase, let copies = database.copies else { return nil }
    return try copies.copy(database)
  }

  /// Whether nothing was ever committed.
  package var isEmpty: Bool {
    var isEmpty = true
    scanStored(from: [], to: nil) { _, _ in
      isEmpty = false
      return false
    }
    return isEmpty
  }

  // MARK: - The device

  private func value(of key: Bytes) -> Bytes? {
    if recent.count > 0, let change = recent[key] { return change }
    return attempt { device throws(StoreError) in try device.get(key) } ?? nil
  }

  private func scanStored(from lower: Bytes, to upper: Bytes?, _ visit: (Bytes, Bytes) -> Bool) {
    var changes: [(key: Bytes, value: Bytes?)] = []
    if recent.count > 0 {
      recent.scan(from: lower, to: upper) { key, value in
        changes.append((key, value))
        return true
      }
    }
    var next = 0
    var isGoingOn = true
    // What has changed before `key`, and lets the scan end early.
    func visitChanges(before key: Bytes?) {
      while isGoingOn, next < changes.count,
        key.map({ changes[next].key.lexicographicallyPrecedes($0) }) ?? true
      {
        if let value = changes[next].value { isGoingOn = visit(changes[next].key, value) }
        next += 1
      }
    }
    attempt { device throws(StoreError) in
      try device.scan(from: lower, to: upper) { key, value in
        visitChanges(before: key)
        guard isGoingOn else { return false }
        if next < changes.count, changes[next].key == key { return true }
        isGoingOn = visit(key, value)
        return isGoingOn
      }
    }
    if failure == nil { visitChanges(before: nil) }
  }

  /// Does something with the device, unless that has failed before.
  @discardableResult
  private func attempt<Result>(
    _ body: (any StateDevice) throws(StoreError) -> Result
  ) -> Result? {
    guard failure == nil else { return nil }
    do throws(StoreError) {
      return try body(device)
    } catch {
      failure = error
      return nil
    }
  }
}

/// A state as it was at one instant. One thread reads it.
public final class MachineStateView: @unchecked Sendable {
  private let view: any OrderedView
  /// Why the device cannot be read; nil if it can.
  public private(set) var failure: StoreError?

  init(_ view: any OrderedView) { self.view = view }

  /// The value of `key`; nil if there is none.
  public func get(_ key: Bytes) -> Bytes? {
    guard failure == nil else { return nil }
    do throws(StoreError) {
      return try view.get(StateKey.machine(key))
    } catch {
      failure = error
      return nil
    }
  }

  /// Visits the pairs with `lower <= key < upper` in ascending order, until `visit` returns false.
  public func scan(from lower: Bytes, to upper: Bytes?, _ visit: (Bytes, Bytes) -> Bool) {
    guard failure == nil else { return }
    do throws(StoreError) {
      try view.scan(
        from: StateKey.machine(lower), to: upper.map(StateKey.machine) ?? StateKey.machineEnd
      ) { key, value in visit(StateKey.content(of: key), value) }
    } catch {
      failure = error
    }
  }
}

/// Keys of a state on its device: a byte that tells whose it is, and the key as its owner names it.
enum StateKey {
  private static let ownMark: UInt8 = 0
  private static let machineMark: UInt8 = 1

  static func own(_ key: Bytes) -> Bytes { marked(key, ownMark) }

  static func machine(_ key: Bytes) -> Bytes { marked(key, machineMark) }

  /// Behind all keys of the machine.
  static let machineEnd: Bytes = [machineMark + 1]

  /// The key as its owner names it.
  static func content(of stored: Bytes) -> Bytes { Bytes(stored.dropFirst()) }

  private static func marked(_ key: Bytes, _ mark: UInt8) -> Bytes {
    var stored: Bytes = []
    stored.reserveCapacity(key.count + 1)
    stored.append(mark)
    stored += key
    return stored
  }
}
