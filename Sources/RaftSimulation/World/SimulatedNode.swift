import RaftCore
import RaftServer
import RaftStore

/// A host of the simulated world: its disk, its clocks, and the process that runs on it, if one does.
final class SimulatedNode<Machine: StateMachine> {
  /// A task on its way to the disk; it is here so that it can be carried out, or given up, exactly once.
  final class PendingTask {
    var task: DiskTask<Machine>?
    let doneAt: UInt64

    init(_ task: consuming DiskTask<Machine>, doneAt: UInt64) {
      self.task = consume task
      self.doneAt = doneAt
    }
  }

  /// A running process. It is an object, so that looking at it copies nothing.
  final class Process {
    var driver: Driver<Machine>

    init(_ driver: Driver<Machine>) { self.driver = driver }
  }

  let address: String
  let device: SimulatedDevice
  var store: DurableStore<SimulatedStore>
  /// The incarnation that lives here. Another disk is another incarnation.
  var id: NodeID
  /// The process that runs here; nil while there is none.
  var process: Process?
  /// Unique in the simulation; a restart is another life.
  var life: UInt64 = 0
  /// What the disk is to do, in order.
  var tasks: [PendingTask] = []
  /// How many tasks the driver may have given out at once.
  var tasksMax = 1

  // What goes wrong here.
  var pausedUntil: UInt64 = 0
  var slowUntil: UInt64 = 0
  var stalledUntil: UInt64 = 0
  var fullUntil: UInt64 = 0
  /// What arrived while the process stood still.
  var held: [SimulatedEvent] = []
  /// Whether what is stored may be damaged, so that this incarnation is not to be counted on.
  var isSuspect = false

  // Clocks.
  /// Ticks of its monotonic clock in a thousand true ticks.
  var rate: UInt64 = 1000
  var offset: UInt64 = 0
  /// Error of its wall clock, in milliseconds.
  var wallError: Int64 = 0

  // For the world's book-keeping.
  var isDirty = false
  /// When its process was last told the time.
  var toldAt = UInt64.max
  var wakeAt = UInt64.max
  /// Whether the operator wants it to take part, and to vote.
  var isWanted = true
  var isDemoted = false
  var priority: UInt8 = 0
  /// When it was last seen to become the leader, or to take another configuration.
  var leadsSince: UInt64 = 0
  /// When this process last got a message of each host.
  @exclusivity(unchecked) var heardAt: [UInt64] = []
  /// The term that it was last seen in.
  var term = Term.zero
  /// The configuration that it was last seen with.
  var configuration: Configuration

  init(id: NodeID, address: String, configuration: Configuration, keepsState: Bool) {
    device = SimulatedDevice(keepsState: keepsState && Machine.self is any StoredStateMachine.Type)
    self.id = id
    self.address = address
    self.configuration = configuration
    store = device.store()
  }

  /// What its process looked like when it was last served; nil while there is none.
  var glance: DriverGlance?

  var isRunning: Bool { process != nil }
  var isStopped: Bool { process == nil }

  /// Its monotonic clock at a true tick.
  func ticks(at now: UInt64) -> Ticks { Ticks(offset + now * rate / 1000) }

  /// The first true tick at which its clock shows `ticks`.
  func now(at ticks: Ticks) -> UInt64 {
    guard ticks.rawValue > offset else { return 0 }
    return (min(ticks.rawValue - offset, 1 << 40) * 1000 + rate - 1) / rate
  }

  func moment(at now: UInt64) -> Moment {
    let wall = Int64(100_000_000 + now * 10) + wallError
    return Moment(ticks: ticks(at: now), wallMilliseconds: UInt64(max(0, wall)))
  }

  /// The member that it is, or would be.
  var member: Member { Member(id: id, address: address, store: .durable, priority: priority) }
}
