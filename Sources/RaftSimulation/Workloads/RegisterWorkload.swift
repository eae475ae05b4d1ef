import RaftCore
import RaftServer

/// The simulation that this project is tested with: clients write values that never repeat to a few registers, compare and
/// set them, add to counters, and read.
public struct RegisterSimulation {
  private let plan: SimulationPlan

  /// Describes a simulation.
  public init(_ plan: SimulationPlan) { self.plan = plan }

  /// Lives through the run.
  public func run() -> SimulationReport { recorded(keeping: 0).report }

  /// Lives through the run, and keeps the last events of it for a trace or a drawing.
  ///
  /// - Parameter events: How many events are kept at most.
  public func recorded(keeping events: Int) -> (report: SimulationReport, recording: RunRecording) {
    // In this module the world is compiled for this machine; for the machines of others it is generic, and slower.
    let world = SimulatedWorld<RegisterBank>(
      machine: RegisterBank(), plan: plan, next: Self.next, sessionless: { $0 % 3 == 2 }, eventsKept: events)
    var report = world.run()
    if report.violations.isEmpty { Self.judge(world.operations, into: &report) }
    return (report, world.recorder.recording(of: plan, violations: report.violations))
  }

  /// A second opinion on the history, which knows nothing of logs; and the only one on clients without a session.
  private static func judge(
    _ operations: [RecordedOperation<RegisterBank>], into report: inout SimulationReport
  ) {
    switch explain(operations) {
    case .linearizable: break
    case .undecided: report.undecided += 1
    case .violation(let explanation):
      report.checker = "linearizability"
      report.violations.append("linearizability: \(explanation)")
    }
  }

  /// Draws an operation. There are few registers, so that clients get into each other's way.
  static func next(_ client: Int, _ random: inout RandomSource) -> SimulatedOperation<RegisterBank> {
    let key = UInt8.random(in: 0..<4, using: &random)
    let value = random.next() >> 1 | 1
    switch Int.random(in: 0..<10, using: &random) {
    case 0..<4: return .read(RegisterBank.Query(key: key))
    case 4..<7: return .write(.write(key: key, value: value))
    case 7: return .write(.compareAndSet(key: key, expected: 0, value: value))
    default: return .write(.add(key: key + 8, amount: UInt64(client) + 1))
    }
  }
}
