import RaftCore
import RaftStore

/// The storage of one simulated host, below the shipped store: two ordered stores that lose at a crash what was not
/// synced, that fail when they are told to, and whose records rot.
///
/// `@unchecked Sendable` because a simulation runs on one thread.
final class SimulatedDevice: @unchecked Sendable {
  /// One ordered store.
  final class Area {
    /// What the running process sees.
    fileprivate(set) var live = MemoryBackend()
    /// What a crash leaves at least.
    fileprivate var synced = MemoryBackend()
    /// Batches that are not synced yet, in order: a crash leaves some of the first.
    fileprivate var unsynced: [WriteBatch] = []
  }

  let consensus = Area()
  let data = Area()
  /// States of the state machine, by generation.
  fileprivate var states: [(generation: UInt64, area: Area)] = []
  /// Whether the host's state machine keeps its state on the device.
  let keepsState: Bool
  /// Whether there is no room for anything that grows.
  var isFull = false
  /// How many further operations succeed before the next one fails; nil for no end.
  var fuse: Int?
  /// Whether the next sync fails, having written an unknown part.
  var failsNextSync = false
  /// Whether the power is gone: nothing succeeds until ``crash(_:)``.
  private(set) var isDead = false
  /// Records in which a bit has flipped, as they are now.
  private var rotten: [(area: Area, key: Bytes, record: Bytes)] = []
  private(set) var syncs = 0

  init(keepsState: Bool) { self.keepsState = keepsState }

  fileprivate func begin(_ isGrowing: Bool) throws(StoreError) {
    if isDead { throw .failed("the device is gone") }
    if let left = fuse {
      guard left > 0 else {
        isDead = true
        throw .failed("the power failed")
      }
      fuse = left - 1
    }
    if isGrowing, isFull { throw .failed("no space left on device") }
  }

  fileprivate func apply(_ batch: WriteBatch, to area: Area) throws(StoreError) {
    try begin(batch.operations.contains { if case .put = $0 { true } else { false } })
    area.live.apply(batch)
    area.unsynced.append(batch)
  }

  fileprivate func sync(_ area: Area) throws(StoreError) {
    try begin(false)
    if failsNextSync {
      failsNextSync = false
      isDead = true
      throw .failed("the sync failed")
    }
    syncs += 1
    area.synced = area.live
    area.unsynced.removeAll(keepingCapacity: true)
  }

  /// The process ends: of what was not synced, in each area the first batches survive, as many as are drawn; the one
  /// behind them is torn, and so is not there.
  ///
  /// - Returns: How many batches were lost.
  func crash(_ random: inout RandomSource) -> Int {
    var lost = 0
    for area in [consensus, data] + states.map(\.area) where !area.unsynced.isEmpty {
      let survivors = Int.random(in: 0...area.unsynced.count, using: &random)
      for batch in area.unsynced[..<survivors] { area.synced.apply(batch) }
      lost += area.unsynced.count - survivors
      area.unsynced = []
      area.live = area.synced
    }
    isDead = false
    fuse = nil
    failsNextSync = false
    return lost
  }

  /// Flips a bit of a record that is durable.
  ///
  /// - Returns: Whether there was a record.
  func rot(_ random: inout RandomSource) -> Bool {
    let area = Bool.random(using: &random) && data.synced.count > 0 ? data : consensus
    guard area.synced.count > 0 else { return false }
    var left = Int.random(in: 0..<area.synced.count, using: &random)
    var chosen: (key: Bytes, record: Bytes)?
    area.synced.scan(from: [], to: nil) { key, record in
      chosen = (key, record)
      left -= 1
      return left >= 0
    }
    guard let (key, found) = chosen, !found.isEmpty else { return false }
    var record = found
    let bit = Int.random(in: 0..<(8 * record.count), using: &random)
    record[bit / 8] ^= 1 << UInt8(bit % 8)
    area.synced.put(record, for: key)
    // It may have been replaced already, which is not synced yet.
    if area.live.get(key) == found { area.live.put(record, for: key) }
    rotten.append((area, key, record))
    return true
  }

  /// Whether a record is there in which a bit has flipped.
  var hasRot: Bool { rottenKey != nil }

  /// The key of a record that is there and in which a bit has flipped.
  var rottenKey: Bytes? { rotten.first { $0.area.live.get($0.key) == $0.record }?.key }

  /// Removes everything, as if another disk had been put in.
  func erase() {
    for area in [consensus, data] {
      area.live = MemoryBackend()
      area.synced = MemoryBackend()
      area.unsynced = []
    }
    states = []
    rotten = []
    isFull = false
  }
}

/// One area of a device, as the shipped store sees it.
struct SimulatedStore: OrderedStore {
  private let device: SimulatedDevice
  private let area: SimulatedDevice.Area

  init(_ device: SimulatedDevice, _ area: SimulatedDevice.Area) {
    self.device = device
    self.area = area
  }

  func get(_ key: Bytes) -> Bytes? { area.live.get(key) }

  mutating func apply(_ batch: WriteBatch) throws(StoreError) { try device.apply(batch, to: area) }

  func scan(from lower: Bytes, to upper: Bytes?, _ visit: (Bytes, Bytes) -> Bool) {
    area.live.scan(from: lower, to: upper, visit)
  }

  mutating func sync() throws(StoreError) { try device.sync(area) }

  mutating func flush() throws(StoreError) { try device.sync(area) }

  mutating func checkpoint() -> MemoryBackend { area.live }
}

extension SimulatedDevice {
  /// The shipped store on this device.
  func store() -> DurableStore<SimulatedStore> {
    DurableStore(
      consensus: SimulatedStore(self, consensus), data: SimulatedStore(self, data),
      states: keepsState ? SimulatedStates(self) : nil)
  }
}

/// The area is shared by reference with the device, on one thread.
extension SimulatedDevice.Area: @unchecked Sendable {}

/// The states on a device, as the shipped store sees them. Making and removing one is durable at once.
///
/// `@unchecked Sendable` because a simulation runs on one thread.
private final class SimulatedStates: StateHome, @unchecked Sendable {
  private let device: SimulatedDevice

  init(_ device: SimulatedDevice) { self.device = device }

  func open(_ generation: UInt64) -> any StateDevice {
    if let known = device.states.first(where: { $0.generation == generation }) {
      return SimulatedState(device, known.area)
    }
    let area = SimulatedDevice.Area()
    device.states.append((generation, area))
    return SimulatedState(device, area)
  }

  func removeAll(but generation: UInt64) { device.states.removeAll { $0.generation != generation } }
}

/// `@unchecked Sendable` because a simulation runs on one thread.
private final class SimulatedState: StateDevice, @unchecked Sendable {
  private let device: SimulatedDevice
  private let area: SimulatedDevice.Area

  init(_ device: SimulatedDevice, _ area: SimulatedDevice.Area) {
    self.device = device
    self.area = area
  }

  func get(_ key: Bytes) -> Bytes? { area.live.get(key) }

  func apply(_ batch: WriteBatch) throws(StoreError) { try device.apply(batch, to: area) }

  func scan(from lower: Bytes, to upper: Bytes?, _ visit: (Bytes, Bytes) -> Bool) {
    area.live.scan(from: lower, to: upper, visit)
  }

  func flush() throws(StoreError) { try device.sync(area) }

  func view() -> any OrderedView { area.live }
}
