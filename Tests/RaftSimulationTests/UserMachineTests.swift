import RaftCore
import RaftServer
import RaftSimulation
import Testing

/// A counter that can be made wrong in one way.
struct Tally: StateMachine {
  enum Mistake: Sendable {
    case none
    /// The snapshot leaves out how often something was added.
    case forgetfulSnapshot
    /// What is added depends on which object applies it.
    case notDeterministic
  }

  struct Add: ByteCodable {
    var amount: UInt64
    init(_ amount: UInt64) { self.amount = amount }
    func encode(into writer: inout ByteWriter) { writer.write(amount) }
    init(from reader: inout ByteReader) throws(MalformedBytes) { amount = try reader.readUInt64() }
  }

  let mistake: Mistake
  private var sum: UInt64 = 0
  private var additions: UInt64 = 0
  /// Every copy that was restored from a snapshot has another one: an accident of its own history.
  private var accident: UInt64 = 0

  init(_ mistake: Mistake = .none) { self.mistake = mistake }

  mutating func apply(_ command: Add, at context: ApplyContext) -> UInt64 {
    additions += 1
    sum += command.amount + (mistake == .notDeterministic ? accident : 0)
    return sum
  }

  func read(_ query: Void) -> [UInt64] { [sum, additions] }

  func snapshot(into writer: inout SnapshotWriter) {
    writer.write(sum)
    if mistake != .forgetfulSnapshot { writer.write(additions) }
  }

  mutating func restore(from reader: inout SnapshotReader) throws(MalformedBytes) {
    sum = try reader.read()
    if mistake != .forgetfulSnapshot { additions = try reader.read() }
    accident += 1
  }
}

@Suite("A user's state machine in a simulation")
struct UserMachineTests {
  private func run(_ machine: Tally, _ plan: SimulationPlan) -> SimulationReport {
    Simulation(of: machine, plan: plan) { client, random in
      Bool.random(using: &random) ? .write(Tally.Add(UInt64(client) + 1)) : .read(())
    }.run()
  }

  /// The first plan that fails, of a few.
  private func failure(of machine: Tally) -> (SimulationPlan, SimulationReport)? {
    for seed in 1...20 as ClosedRange<UInt64> {
      let plan = SimulationPlan(seed: seed, profile: .rough, nodes: 3, ticks: 2_000)
      let report = run(machine, plan)
      if !report.violations.isEmpty { return (plan, report) }
    }
    return nil
  }

  @Test("a machine that keeps the rules is not complained of")
  func soundMachine() {
    for seed in 1...3 as ClosedRange<UInt64> {
      let report = run(Tally(), SimulationPlan(seed: seed, nodes: 3, ticks: 1_000))
      #expect(report.violations == [])
      #expect(report.acknowledged > 0)
    }
  }

  @Test("a machine whose snapshot leaves something out is found out")
  func forgetfulSnapshot() {
    #expect(failure(of: Tally(.forgetfulSnapshot)) != nil)
  }

  @Test("a machine that is not deterministic is found out")
  func notDeterministic() {
    #expect(failure(of: Tally(.notDeterministic)) != nil)
  }

  @Test("a failing run is made smaller, and its plan survives being written and read")
  func shrinking() throws {
    let machine = Tally(.notDeterministic)
    let (plan, report) = try #require(failure(of: machine))
    var shrinker = Shrinker(plan, report, runsMax: 40) { run(machine, $0) }
    let result = shrinker.shrink()
    #expect(result.runs <= 40)
    #expect(result.report.checker == report.checker)
    #expect(result.plan.faults.count < plan.faults.count)
    let read = try PlanText.read("# a comment\n\n" + PlanText.write(result.plan))
    #expect(read == result.plan)
    #expect(run(machine, read) == result.report)
  }

  @Test(
    "a plan that cannot be read is refused with its line",
    arguments: [
      ("seed 1\nnodes 10", 2), ("seed", 1), ("nodes 3\n\nprofile wild", 3), ("fault 5 crash", 1),
      ("fault 5 meteor 1", 1), ("colour 3", 1), ("ticks -4", 1),
    ])
  func badPlans(text: String, line: Int) throws {
    let fault = #expect(throws: PlanText.Fault.self) { try PlanText.read(text) }
    #expect(fault?.line == line)
  }

  @Test("a recording of a run ends as the run ends, and is the same each time")
  func recording() {
    let plan = SimulationPlan(seed: 3, nodes: 3, ticks: 400)
    let (report, recording) = RegisterSimulation(plan).recorded(keeping: 200)
    #expect(report == RegisterSimulation(plan).run())
    #expect(recording.events.count == 200)
    #expect(recording.eventsDropped > 0)
    #expect(zip(recording.events, recording.events.dropFirst()).allSatisfy { $0.tick <= $1.tick })
    #expect(
      RunTrace.text(of: recording)
        == RunTrace.text(of: RegisterSimulation(plan).recorded(keeping: 200).recording))
  }
}
