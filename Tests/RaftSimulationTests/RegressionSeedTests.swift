import RaftSimulation
import Testing

/// Runs that have broken a rule once. What each of them showed has a test of its own as well: when the simulator itself
/// changes, a seed leads to another run.
@Suite("Seeds that found something")
struct RegressionSeedTests {
  struct Seed: CustomTestStringConvertible, Sendable {
    let seed: UInt64
    var profile = SimulationProfile.hostile
    let nodes: Int
    let ticks: UInt64
    let found: String
    var testDescription: String { "\(seed): \(found)" }
  }

  static let seeds = [
    Seed(
      seed: 8, nodes: 5, ticks: 5_000,
      found: "in a quiet cluster, a learner that took long to catch up was never taken for one that has"),
    Seed(
      seed: 1_795_432_387_237, nodes: 3, ticks: 10_000,
      found: "a snapshot held the configuration of an earlier instant than its state"),
  ]

  @Test("nothing is broken any more", arguments: seeds)
  func isMended(_ seed: Seed) {
    let plan = SimulationPlan(seed: seed.seed, profile: seed.profile, nodes: seed.nodes, ticks: seed.ticks)
    #expect(RegisterSimulation(plan).run().violations == [])
  }
}
