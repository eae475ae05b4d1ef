import RaftCore

/// Something that happens to a simulated cluster: a misfortune, or an operator's command.
public enum FaultKind: String, CaseIterable, Hashable, Sendable {
  // Processes.
  /// A process dies at an instant, and is started again after a while.
  case crash
  /// All processes die at the same instant.
  case crashAll
  /// A process dies in the middle of what it does with its disk: between two operations of a write, or of a sync.
  case crashInWrite
  /// A process is asked to stop, hands leadership over, ends, and is started again.
  case stop
  /// A process stands still for a while, and learns of it only afterwards.
  case pause
  /// A process is slow for a while: everything reaches it late.
  case slow
  /// A monotonic clock leaps ahead.
  case clockJump
  /// A wall clock leaps, ahead or back.
  case wallJump

  // The network.
  /// A connection breaks, with everything on its way in it.
  case breakLink
  /// A connection breaks again and again.
  case flap
  /// The nodes are parted in two.
  case cut
  /// Some nodes are not heard by the others, and hear them.
  case cutOneWay
  /// The nodes are parted in two, and one of them reaches both sides.
  case bridge
  /// A node is alone.
  case isolate
  /// For a while many messages are lost.
  case lossBurst
  /// A byte of the next piece of a snapshot is another one when it arrives, under the eyes of the frame's checksum.
  case garble
  /// The network is whole again.
  case heal

  // Disks.
  /// A disk takes very long for a while.
  case diskStall
  /// A disk is full for a while.
  case diskFull
  /// The next sync fails.
  case syncFailure
  /// An operation of a disk fails.
  case writeFailure
  /// A bit of what is stored flips, and the process dies soon.
  case rot
  /// A whole disk is lost, and replaced by an empty one.
  case diskLoss

  // An operator.
  /// A host takes part no longer.
  case removeMember
  /// A host that takes no part is added: a learner first.
  case addMember
  /// Two hosts change places in one joint change: one goes, another comes.
  case replaceMember
  /// A voter becomes a learner for a while.
  case demote
  /// Leadership is handed to another.
  case transfer
  /// The leader is asked to give up.
  case stepDown
  /// Reads under a lease are switched on or off.
  case leases
  /// A member is preferred as leader, or not any more.
  case priority
  /// Several voters and learners change places in one joint change.
  case exchange

  // At the worst moment.
  /// Something is lain in wait for, such as a vote that is sent: then a process dies, a connection is cut, or the message
  /// arrives long after.
  case ambush
}

/// One thing that happens in a run, at its tick. What it happens to is drawn by `choice` from what is there by then.
public struct ScheduledFault: Hashable, Sendable {
  /// When.
  public var tick: UInt64
  /// What.
  public var kind: FaultKind
  /// Decides everything else about it.
  public var choice: UInt64

  /// Describes something that happens.
  public init(tick: UInt64, kind: FaultKind, choice: UInt64) {
    self.tick = tick
    self.kind = kind
    self.choice = choice
  }
}

/// How often each kind of thing happens: so many times in 10,000 ticks, on the average.
public struct SimulationProfile: Hashable, Sendable {
  /// Its name on the command line.
  public var name: String
  /// Rates in the order of ``FaultKind/allCases``.
  private var rates: [Int]
  /// Chance that a protocol message is lost, in thousandths.
  public var lossPerMille = 0
  /// Chance that a protocol message arrives twice, in thousandths.
  public var duplicatePerMille = 0
  /// The longest time a frame travels, in ticks.
  public var delayTicksMax = 2
  /// The longest time that a task of a disk takes, in ticks.
  public var diskTicksMax = 2
  /// From what the shortest election timeout of a run is drawn, in ticks; nil for the default of the core. Close to the time
  /// that messages and disks take, it makes candidates compete.
  var electionTicks: ClosedRange<Int>?

  /// A profile in which nothing happens.
  public init(name: String) {
    self.name = name
    rates = Array(repeating: 0, count: FaultKind.allCases.count)
  }

  /// How often a kind happens in 10,000 ticks.
  public subscript(kind: FaultKind) -> Int {
    get { rates[Self.position(of: kind)] }
    set { rates[Self.position(of: kind)] = newValue }
  }

  private static func position(of kind: FaultKind) -> Int {
    guard let position = FaultKind.allCases.firstIndex(of: kind) else { return 0 }
    return position
  }

  private func with(_ kinds: [(FaultKind, Int)]) -> SimulationProfile {
    var profile = self
    for (kind, rate) in kinds { profile[kind] = rate }
    return profile
  }

  private static let processFaults: [(FaultKind, Int)] = [
    (.crash, 30), (.crashAll, 3), (.crashInWrite, 15), (.stop, 6), (.pause, 25), (.slow, 10), (.clockJump, 6),
    (.wallJump, 6),
  ]
  private static let networkFaults: [(FaultKind, Int)] = [
    (.breakLink, 60), (.flap, 6), (.cut, 15), (.cutOneWay, 12), (.bridge, 8), (.isolate, 15), (.lossBurst, 8),
    (.garble, 12),
    (.heal, 45),
  ]
  private static let diskFaults: [(FaultKind, Int)] = [
    (.diskStall, 10), (.diskFull, 5), (.syncFailure, 6), (.writeFailure, 6), (.rot, 4), (.diskLoss, 4),
  ]
  private static let operations: [(FaultKind, Int)] = [
    (.removeMember, 12), (.addMember, 25), (.replaceMember, 8), (.demote, 10), (.transfer, 25),
    (.stepDown, 10),
    (.leases, 6), (.priority, 10), (.exchange, 4),
  ]

  /// Nothing but delays.
  public static let calm = SimulationProfile(name: "calm")

  /// Losses, crashes and cuts; the disks keep what was synced.
  public static let rough: SimulationProfile = {
    var profile = SimulationProfile(name: "rough").with(networkFaults).with([
      (.crash, 20), (.pause, 15), (.transfer, 10),
    ])
    (profile.lossPerMille, profile.duplicatePerMille) = (10, 10)
    profile.delayTicksMax = 4
    return profile
  }()

  /// Everything at once.
  public static let hostile: SimulationProfile = {
    var profile = SimulationProfile(name: "hostile")
      .with(processFaults).with(networkFaults).with(diskFaults).with(operations).with([(.ambush, 10)])
    (profile.lossPerMille, profile.duplicatePerMille) = (20, 20)
    (profile.delayTicksMax, profile.diskTicksMax) = (4, 3)
    return profile
  }()

  /// Disks that stall, fill up, fail, rot and vanish.
  public static let disk: SimulationProfile = {
    var profile = SimulationProfile(name: "disk").with(diskFaults.map { ($0.0, 3 * $0.1) }).with([
      (.crash, 20), (.crashAll, 8), (.crashInWrite, 60), (.stop, 6), (.addMember, 10),
    ])
    profile.diskTicksMax = 6
    return profile
  }()

  /// Members that come, go, are replaced and change roles all the time.
  public static let membership: SimulationProfile = {
    var profile = SimulationProfile(name: "membership").with(operations.map { ($0.0, 4 * $0.1) }).with([
      (.crash, 20), (.crashInWrite, 5), (.isolate, 15), (.cut, 10), (.heal, 40), (.pause, 15), (.diskLoss, 4),
    ])
    (profile.lossPerMille, profile.duplicatePerMille) = (10, 10)
    return profile
  }()

  /// Crashes, cuts and delays at the worst moment, among candidates that compete.
  public static let ambush: SimulationProfile = {
    var profile = SimulationProfile(name: "ambush").with(operations).with([
      (.ambush, 300), (.exchange, 40), (.leases, 30), (.crash, 10), (.isolate, 15), (.cut, 15), (.heal, 60),
      (.pause, 15),
      (.breakLink, 20), (.crashInWrite, 10),
    ])
    (profile.lossPerMille, profile.duplicatePerMille) = (30, 30)
    (profile.delayTicksMax, profile.diskTicksMax) = (4, 4)
    profile.electionTicks = 8...24
    return profile
  }()

  /// All that have a name.
  public static let all: [SimulationProfile] = [calm, rough, hostile, disk, membership, ambush]

  /// Draws everything that happens in a run of `ticks` ticks.
  func schedule(ticks: UInt64, seed: UInt64) -> [ScheduledFault] {
    var random = RandomSource(seed: seed)
    var schedule: [ScheduledFault] = []
    for kind in FaultKind.allCases where self[kind] > 0 {
      let gap = max(1, 20_000 / UInt64(self[kind]))
      var tick = UInt64.random(in: 1...gap, using: &random)
      while tick < ticks {
        schedule.append(ScheduledFault(tick: tick, kind: kind, choice: random.next()))
        tick += UInt64.random(in: 1...gap, using: &random)
      }
    }
    return schedule.sorted { ($0.tick, $0.choice) < ($1.tick, $1.choice) }
  }
}
