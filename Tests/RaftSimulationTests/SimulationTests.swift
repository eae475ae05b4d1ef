import RaftSimulation
import Testing

@Suite("Simulated clusters")
struct SimulationTests {
  @Test("no seed breaks a promise", arguments: SimulationProfile.all.map(\.name))
  func profiles(name: String) throws {
    let profile = try #require(SimulationProfile.all.first { $0.name == name })
    for seed in 1...2 as ClosedRange<UInt64> {
      for nodes in [3, 5] {
        let plan = SimulationPlan(seed: seed, profile: profile, nodes: nodes, ticks: 1_500)
        #expect(RegisterSimulation(plan).run().violations == [], "seed \(seed), \(nodes) nodes")
      }
    }
  }

  @Test("a run with the same seed is the same run, and another seed another one")
  func sameSeedSameRun() {
    let first = RegisterSimulation(SimulationPlan(seed: 42, nodes: 3, ticks: 1_000)).run()
    let second = RegisterSimulation(SimulationPlan(seed: 42, nodes: 3, ticks: 1_000)).run()
    #expect(first == second)
    #expect(
      first.traceHash != RegisterSimulation(SimulationPlan(seed: 43, nodes: 3, ticks: 1_000)).run().traceHash)
  }

  @Test("clusters of one to nine nodes live through everything", arguments: [1, 2, 4, 7, 9])
  func sizes(nodes: Int) {
    let report = RegisterSimulation(SimulationPlan(seed: 7, nodes: nodes, ticks: 1_000)).run()
    #expect(report.violations == [])
    #expect(report.acknowledged > 0)
  }
}
