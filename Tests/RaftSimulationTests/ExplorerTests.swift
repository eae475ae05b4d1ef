import RaftSimulation
import Testing

@Suite("Every state of a small cluster")
struct ExplorerTests {
  @Test("an election and a proposal among three, visited to the last state, break no rule")
  func exhausted() throws {
    var plan = ExplorationPlan()
    plan.timeouts = 1
    plan.proposals = 1
    plan.crashes = 0
    let report = try Explorer(plan).run()
    #expect(report.violation == nil)
    #expect(report.isExhausted)
    #expect(report.states > 1_000)
    #expect(report.transitions > report.states)
  }

  @Test("a read is never older than what was committed before it, in any state of two nodes that can crash")
  func reads() throws {
    var plan = ExplorationPlan()
    plan.nodes = 2
    plan.timeouts = 1
    plan.proposals = 1
    plan.reads = 1
    plan.losses = 1
    let report = try Explorer(plan).run()
    #expect(report.violation == nil)
    #expect(report.isExhausted)
  }

  @Test("disks that forget votes lead to two leaders in a term, and the way there is told")
  func lostVotes() throws {
    var plan = ExplorationPlan()
    plan.proposals = 0
    plan.fault = .lostVotes
    let report = try Explorer(plan).run()
    let violation = try #require(report.violation)
    #expect(violation.rule.contains("election safety"))
    #expect(violation.steps.contains { $0.contains("crashes") })
    #expect(violation.steps.count <= 10)
  }
}
