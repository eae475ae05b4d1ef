import RaftCore
import RaftStore
import Testing

@testable import struct RaftStore.DurableStore

/// Two ordered stores on one device that loses at a crash what was not synced, and whose n-th operation fails.
///
/// `@unchecked Sendable` because a test uses one device on one thread.
final class FaultyDevice: @unchecked Sendable {
  /// What goes wrong.
  enum Fault: String, CaseIterable, Sendable, CustomTestStringConvertible {
    /// The power fails: nothing succeeds any more.
    case crash
    /// One operation fails, and later ones succeed. What a failed sync was to make durable never will be.
    case error
    /// From now on there is no room for anything that grows.
    case full

    var testDescription: String { rawValue }
  }

  /// One ordered store.
  struct Volume {
    /// What the running process sees.
    var live = MemoryBackend()
    /// What a crash leaves at least.
    var durable = MemoryBackend()
    /// Batches that are not durable yet, in order.
    var pending: [WriteBatch] = []
    /// How many of the first of them a failed sync has given up.
    var givenUp = 0
  }

  private(set) var volumes = [Volume(), Volume()]
  /// How many operations that change something were begun.
  private(set) var operations = 0
  /// How many pairs were visited in scans.
  fileprivate(set) var visits = 0
  /// Which operation meets the fault.
  var plan: (operation: Int, fault: Fault)?
  private var isDead = false
  private var isFull = false

  init() {}

  /// A device on which everything stands that these volumes show.
  init(_ consensus: MemoryBackend, _ data: MemoryBackend) {
    volumes = [Volume(live: consensus, durable: consensus), Volume(live: data, durable: data)]
  }

  var consensus: MemoryBackend { volumes[0].live }
  var data: MemoryBackend { volumes[1].live }

  /// The store on this device, not recovered yet.
  func store(pieceBytesMax: Int = 1 << 20) -> DurableStore<FaultyBackend> {
    var store = DurableStore(
      consensus: FaultyBackend(device: self, volume: 0), data: FaultyBackend(device: self, volume: 1))
    store.pieceBytesMax = pieceBytesMax
    return store
  }

  /// The device after the process was stopped in good order.
  func restarted() -> FaultyDevice { FaultyDevice(consensus, data) }

  /// Every device that a crash can leave: of what was not synced, in each volume some of the first batches.
  func crashes() -> [FaultyDevice] {
    let survivors = volumes.map { volume in
      (0...volume.pending.count).map { count in
        var durable = volume.durable
        for batch in volume.pending[..<count] { durable.apply(batch) }
        return durable
      }
    }
    return survivors[0].flatMap { consensus in survivors[1].map { FaultyDevice(consensus, $0) } }
  }

  /// Changes what stands on the device behind the back of whoever uses it.
  func replace(_ consensus: MemoryBackend, _ data: MemoryBackend) {
    volumes = [Volume(live: consensus, durable: consensus), Volume(live: data, durable: data)]
  }

  private enum Verdict {
    case succeeds
    case fails(StoreError)
  }

  private func begin(isGrowing: Bool) -> Verdict {
    let fault = plan?.operation == operations ? plan?.fault : nil
    operations += 1
    isDead = isDead || fault == .crash
    isFull = isFull || fault == .full
    if isDead { return .fails(.failed("the power is gone")) }
    if isFull, isGrowing { return .fails(.failed("no space left on device")) }
    return fault == .error ? .fails(.failed("input/output error")) : .succeeds
  }

  fileprivate func apply(_ batch: WriteBatch, to volume: Int) throws(StoreError) {
    let isGrowing = batch.operations.contains { if case .put = $0 { true } else { false } }
    if case .fails(let error) = begin(isGrowing: isGrowing) {
      // Whether a batch whose writing was interrupted survives is not known: it may.
      volumes[volume].pending.append(batch)
      throw error
    }
    volumes[volume].live.apply(batch)
    volumes[volume].pending.append(batch)
  }

  fileprivate func sync(_ volume: Int) throws(StoreError) {
    if case .fails(let error) = begin(isGrowing: false) {
      volumes[volume].givenUp = volumes[volume].pending.count
      throw error
    }
    for batch in volumes[volume].pending.dropFirst(volumes[volume].givenUp) {
      volumes[volume].durable.apply(batch)
    }
    volumes[volume].pending = []
    volumes[volume].givenUp = 0
  }
}

/// An ordered store on a ``FaultyDevice``.
struct FaultyBackend: OrderedStore {
  let device: FaultyDevice
  let volume: Int

  func get(_ key: Bytes) -> Bytes? { device.volumes[volume].live.get(key) }

  func apply(_ batch: WriteBatch) throws(StoreError) { try device.apply(batch, to: volume) }

  func scan(from lower: Bytes, to upper: Bytes?, _ visit: (Bytes, Bytes) -> Bool) {
    device.volumes[volume].live.scan(from: lower, to: upper) { key, value in
      device.visits += 1
      return visit(key, value)
    }
  }

  func sync() throws(StoreError) { try device.sync(volume) }

  func flush() throws(StoreError) { try device.sync(volume) }

  func checkpoint() -> MemoryBackend { device.volumes[volume].live }
}

extension MemoryBackend {
  /// All pairs, in order.
  var pairs: [(key: Bytes, value: Bytes)] {
    var pairs: [(key: Bytes, value: Bytes)] = []
    scan(from: [], to: nil) { key, value in
      pairs.append((key, value))
      return true
    }
    return pairs
  }
}
