import RaftSimulation
import Testing

@Suite("Every state of a small cluster")
struct ExplorerTests {
  @Test("an election and a proposal among three, visited to the last state, break no rule")
  func exhausted() throws {
    var plan = ExplorationPlan()
    plan.timeouts = 1
    plan.proposals = 1
    let report = try Explorer(plan).run()
    #expect(report.violation == nil)
    #expect(report.isExhausted)
    #expect(report.states > 1_000)
    #expect(report.transitions > report.states)
    #expect(report.description.contains("every reachable state"))
  }

  @Test("a read is never older than what was committed before it, in any state of two leaderships")
  func reads() throws {
    let report = try Explorer(.staleRead).run()
    #expect(report.violation == nil)
    #expect(report.isExhausted)
  }

  @Test("disks that forget votes lead to two leaders in a term, and a shortest way there is told")
  func lostVotes() throws {
    var plan = ExplorationPlan.doubleVote
    plan.fault = .lostVotes
    let report = try Explorer(plan).run()
    let violation = try #require(report.violation)
    #expect(violation.rule.contains("election safety"))
    #expect(violation.steps.contains { $0.contains("crashes") })
    #expect(violation.steps.count == 7)
    #expect(violation.steps.last?.contains("leads term 2") == true)
    #expect(report.description.contains("broken after 7 steps"))
  }

  @Test("disks that forget entries lead to a leader that lacks what was committed")
  func lostEntries() throws {
    var plan = ExplorationPlan.earlyAcknowledgement
    plan.fault = .lostEntries
    let violation = try #require(try Explorer(plan).run().violation)
    #expect(violation.rule.contains("leader completeness"))
    #expect(violation.steps.contains { $0.contains("crashes") })
  }

  @Test("a search that has visited as many states as the plan allows says that it is not exhausted")
  func limit() throws {
    var plan = ExplorationPlan.quick
    plan.statesMax = 1_000
    let report = try Explorer(plan).run()
    #expect(!report.isExhausted)
    #expect(report.violation == nil)
    #expect(report.states < 5_000)
    #expect(report.description.contains("not exhausted"))
  }

  @Test("a cluster of no node, or of more than five, is refused")
  func sizes() {
    for nodes in [0, 6] {
      var plan = ExplorationPlan()
      plan.nodes = nodes
      #expect(throws: (any Error).self) { try Explorer(plan).run() }
    }
  }

  @Test("every name of a plan gives one", arguments: ExplorationPlan.names)
  func names(name: String) {
    #expect(ExplorationPlan(named: name) != nil)
    #expect(ExplorationPlan(named: name + "?") == nil)
  }
}
