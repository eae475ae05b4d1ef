import RaftCore

/// The state of a state machine on a device: bytes by key, in order, and how far it has come.
///
/// Changes stay in memory, seen by every `get` and `scan`, until there are enough of them; then all of them are written to
/// the device at once, by another thread, and made durable there. A key that changes again and again so costs the device
/// one write for all of it. What stands on the device is always the state after some entry, together with the record of
/// which entry that is. The device has no write-ahead log, because there is one already: after a crash the state is an
/// earlier one, and the entries behind it are applied again.
///
/// Reading does not throw: a state machine could do nothing about it. The first failure is kept instead; whoever owns the
/// state looks at ``failure`` before anything that may rest on it leaves the node.
///
/// `@unchecked Sendable` because everything but ``flush(_:)`` and ``copyFiles()`` is used by one thread at a time.
public final class MachineState: @unchecked Sendable {
  /// Which of the node's states this is.
  public let generation: UInt64
  private let device: any StateDevice
  /// What has changed, and nobody writes to the device yet.
  private var recent = StateChanges()
  /// What is being written to the device; nil if nothing is.
  private var sealed: StateChanges?
  /// What was written to the device last, which holds the same: kept because keys that have changed lately are asked for
  /// again, and a look here costs a tenth of one there.
  private var written: StateChanges?
  /// Why the device cannot be relied on any more; nil if it can.
  public private(set) var failure: StoreError?
  /// The first failure to write what was sealed. Nothing is written on top of it, or the record of how far the state has come
  /// would speak of changes that are not there.
  private let flushFailure = FirstFailure()

  /// Changes that are to be written to the device.
  package struct Sealed: Sendable {
    fileprivate let changes: StateChanges
  }

  /// Looks at what a device holds.
  public init(_ device: any StateDevice, generation: UInt64) {
    self.device = device
    self.generation = generation
  }

  // MARK: - For the state machine

  /// The value of `key`; nil if there is none.
  public func get(_ key: Bytes) -> Bytes? { value(of: StateKey.machine(key)) }

  /// Sets the value of `key`.
  public func put(_ value: Bytes, for key: Bytes) { recent.set(value, for: StateKey.machine(key)) }

  /// Sets the value of `key`, and returns the one before; nil if there was none.
  public func exchange(_ value: Bytes, for key: Bytes) -> Bytes? {
    let stored = StateKey.machine(key)
    return recent.set(value, for: stored) ?? valueBelow(stored)
  }

  /// Removes `key`, if it is there.
  public func delete(_ key: Bytes) { recent.set(nil, for: StateKey.machine(key)) }

  /// Visits the pairs with `lower <= key < upper` in ascending order, until `visit` returns false.
  ///
  /// - Complexity: O(log n + pairs visited + changes in that range).
  public func scan(from lower: Bytes, to upper: Bytes?, _ visit: (Bytes, Bytes) -> Bool) {
    scanStored(from: StateKey.machine(lower), to: upper.map(StateKey.machine) ?? StateKey.machineEnd) {
      visit(StateKey.content(of: $0), $1)
    }
  }

  // MARK: - For its owner

  /// What the owner has put under `key`, which no key of the machine collides with.
  package func own(_ key: Bytes) -> Bytes? { value(of: StateKey.own(key)) }

  /// Sets what the owner has under `key`; nil for nothing.
  package func setOwn(_ value: Bytes?, for key: Bytes) { recent.set(value, for: StateKey.own(key)) }

  /// Visits what the owner has, with `lower <= key < upper`, in ascending order.
  package func scanOwn(from lower: Bytes, to upper: Bytes, _ visit: (Bytes, Bytes) -> Bool) {
    scanStored(from: StateKey.own(lower), to: StateKey.own(upper)) { visit(StateKey.content(of: $0), $1) }
  }

  /// About how many bytes of memory the changes take that nobody writes to the device yet.
  package var recentBytes: Int { recent.bytes }

  /// Takes all changes, to be written by ``flush(_:)``; ``didFlush()`` comes when that is done, and before the next time. To
  /// be called when the changes are those of whole entries, with the record of the last one.
  package func seal() -> Sealed {
    precondition(sealed == nil, "changes are written to the device one after the other")
    let changes = recent
    sealed = changes
    recent = StateChanges()
    return Sealed(changes: changes)
  }

  /// Makes sealed changes at once; returns when everything is on stable storage. On any thread.
  ///
  /// - Throws: ``StoreError``. The node must stop then.
  package func flush(_ sealed: Sealed) throws(StoreError) {
    if let failure = flushFailure.error { throw failure }
    do throws(StoreError) {
      if !sealed.changes.isEmpty { try device.apply(sealed.changes.batch) }
      try device.flush()
    } catch {
      flushFailure.note(error)
      throw error
    }
  }

  /// What nobody writes to the device yet, of a state that is used no longer; to be flushed behind what was sealed before.
  package func leftover() -> Sealed { Sealed(changes: recent) }

  /// The device has what was sealed.
  package func didFlush() {
    written = sealed
    sealed = nil
  }

  /// Writes the changes to the device, without making them durable. For states that are being built: what is on the device
  /// need not be the state after some entry.
  package func spill() {
    guard failure == nil, !recent.isEmpty else { return }
    let batch = recent.batch
    recent = StateChanges()
    written = nil
    attempt { device throws(StoreError) in try device.apply(batch) }
  }

  /// Returns once everything is on stable storage, for a state that nobody else uses.
  ///
  /// - Throws: ``StoreError``.
  package func flush() throws(StoreError) {
    spill()
    if let failure { throw failure }
    try device.flush()
  }

  /// The state as it is, which later changes do not touch; nil if the device has failed.
  package func view() -> MachineStateView? {
    attempt { device throws(StoreError) in try device.view() }
      .map { MachineStateView($0, below: layers()) }
  }

  /// Whether the files of the device can be a snapshot.
  package var hasFiles: Bool { (device as? RocksDatabase)?.copies != nil }

  /// Copies the files of the device, on any thread: what they hold is the state as of the last ``didFlush()`` or a later one.
  /// Nil if there are none.
  ///
  /// - Throws: ``StoreError``.
  package func copyFiles() throws(StoreError) -> SnapshotFolder? {
    guard let database = device as? RocksDatabase, let copies = database.copies else { return nil }
    return try copies.copy(database)
  }

  /// Whether there is nothing in it.
  package var isEmpty: Bool {
    var isEmpty = true
    scanStored(from: [], to: nil) { _, _ in
      isEmpty = false
      return false
    }
    return isEmpty
  }

  // MARK: - The device

  /// All changes, arranged, the newest ones first.
  private func layers() -> [StateChanges] {
    recent.arrange()
    sealed?.arrange()
    return sealed.map { [recent, $0] } ?? [recent]
  }

  private func value(of key: Bytes) -> Bytes? {
    recent[key] ?? valueBelow(key)
  }

  /// The value that a key had before what has changed lately.
  private func valueBelow(_ key: Bytes) -> Bytes? {
    if let change = sealed?[key] ?? written?[key] { return change }
    return attempt { device throws(StoreError) in try device.get(key) } ?? nil
  }

  private func scanStored(from lower: Bytes, to upper: Bytes?, _ visit: (Bytes, Bytes) -> Bool) {
    let layers = layers()
    attempt { device throws(StoreError) in
      try LayeredScan.run(layers, over: .device(device), from: lower, to: upper, visit)
    }
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
  /// What the device did not hold yet, the newest first.
  private let layers: [StateChanges]
  /// Why the device cannot be read; nil if it can.
  public private(set) var failure: StoreError?

  init(_ view: any OrderedView, below layers: [StateChanges]) {
    self.view = view
    self.layers = layers
  }

  /// The value of `key`; nil if there is none.
  public func get(_ key: Bytes) -> Bytes? {
    guard failure == nil else { return nil }
    let key = StateKey.machine(key)
    for layer in layers {
      if let change = layer[key] { return change }
    }
    do throws(StoreError) {
      return try view.get(key)
    } catch {
      failure = error
      return nil
    }
  }

  /// Visits the pairs with `lower <= key < upper` in ascending order, until `visit` returns false.
  public func scan(from lower: Bytes, to upper: Bytes?, _ visit: (Bytes, Bytes) -> Bool) {
    guard failure == nil else { return }
    let (lower, upper) = (StateKey.machine(lower), upper.map(StateKey.machine) ?? StateKey.machineEnd)
    do throws(StoreError) {
      try LayeredScan.run(layers, over: .view(view), from: lower, to: upper) {
        visit(StateKey.content(of: $0), $1)
      }
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
