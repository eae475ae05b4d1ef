import RaftCore
import RaftServer

/// What a run is made of. With the seed it decides everything.
public struct SimulationPlan: Hashable, Sendable {
  /// Decides all random choices.
  public var seed: UInt64
  /// What happens how often.
  public var profile: SimulationProfile
  /// How many hosts there are, 1 to 9. All of them are voters at the beginning.
  public var nodes: Int
  /// How long things happen, in ticks of 10 milliseconds.
  public var ticks: UInt64
  /// How many clients there are; each works on one operation after the other, at a node of its choice.
  public var clients = 6
  /// The longest time that a client thinks before its next operation, in ticks.
  public var thinkTicksMax: UInt64 = 40
  /// Within how many ticks the healed part of the cluster must have a leader, answer and agree.
  public var recoveryTicks: UInt64 = 3_000
  /// What happens instead of what the seed draws; set when a failing run is made smaller.
  public var schedule: [ScheduledFault]?

  /// Everything that happens in the run, as the seed draws it unless ``schedule`` says otherwise.
  public var faults: [ScheduledFault] {
    var random = RandomSource(seed: seed)
    return schedule ?? profile.schedule(ticks: ticks, seed: random.next())
  }

  /// A run of `ticks` ticks with `nodes` hosts.
  public init(seed: UInt64, profile: SimulationProfile = .hostile, nodes: Int = 5, ticks: UInt64 = 20_000) {
    self.seed = seed
    self.profile = profile
    self.nodes = nodes
    self.ticks = ticks
  }
}

/// What a run showed.
public struct SimulationReport: Hashable, Sendable {
  /// The seed that leads to the same run again.
  public var seed: UInt64
  /// Rules that were broken, in words, the first one first; empty if all is well.
  public var violations: [String] = []
  /// Which checker spoke first; empty if all is well.
  public var checker = ""
  /// Hash of everything that happened.
  public var traceHash: UInt64 = 0
  /// How many ticks were lived through.
  public var ticks: UInt64 = 0
  /// How many entries were committed.
  public var committed = 0
  /// How many client operations were acknowledged.
  public var acknowledged = 0
  /// How many client operations ended without the client learning what became of them.
  public var unknown = 0
  /// How many histories the checker of linearizability gave up on.
  public var undecided = 0
  /// How often everything happened.
  public var coverage = Coverage()
}

/// An operation of a simulated client.
public enum SimulatedOperation<Machine: StateMachine>: Sendable {
  /// A command.
  case write(Machine.Command)
  /// A linearizable query.
  case read(Machine.Query)
}

/// Puts a state machine, replicated by the shipped code, through a run of faults, and judges what its clients see.
///
/// The clients open sessions and repeat what ended as unknown, so that every command has to run exactly once. Every answer is
/// compared with what one machine answers that applies the committed commands alone, in their order; and no operation may
/// be answered from before another one that had been answered when it began.
///
///     let report = Simulation(of: Counter(), plan: SimulationPlan(seed: 7)) { client, random in
///       Bool.random(using: &random) ? .write(Add(amount: 1)) : .read(())
///     }.run()
///     #expect(report.violations == [])
public struct Simulation<Machine: StateMachine> where Machine.Answer: Equatable {
  private let machine: Machine
  private let plan: SimulationPlan
  private let next: (Int, inout RandomSource) -> SimulatedOperation<Machine>

  /// Describes a simulation.
  ///
  /// - Parameters:
  ///   - machine: The machine in its initial state.
  ///   - plan: The run.
  ///   - next: Draws the next operation of a client, of which the number is given. It must depend on nothing else than
  ///     its arguments.
  public init(
    of machine: Machine, plan: SimulationPlan,
    operations next: @escaping (_ client: Int, _ random: inout RandomSource) -> SimulatedOperation<Machine>
  ) {
    self.machine = machine
    self.plan = plan
    self.next = next
  }

  /// Lives through the run.
  public func run() -> SimulationReport { recorded(keeping: 0).report }

  /// Lives through the run, and keeps the last events of it for a trace or a drawing.
  ///
  /// - Parameter events: How many events are kept at most.
  public func recorded(keeping events: Int) -> (report: SimulationReport, recording: RunRecording) {
    let world = SimulatedWorld(machine: machine, plan: plan, next: next, eventsKept: events)
    let report = world.run()
    return (report, world.recorder.recording(of: plan, violations: report.violations))
  }
}
