import RaftSimulation
import Testing

@Suite("Simulated clusters in rough weather")
struct SimulationTests {
  @Test("no seed breaks a promise with three nodes", arguments: 0..<6)
  func threeNodes(block: UInt64) {
    for seed in (block * 4)..<(block * 4 + 4) {
      let report = SimulatedCluster(seed: seed).run()
      #expect(report.violations == [], "seed \(seed)")
    }
  }

  @Test("no seed breaks a promise with five nodes", arguments: 0..<3)
  func fiveNodes(block: UInt64) {
    var options = SimulationOptions()
    options.nodes = 5
    for seed in (block * 4)..<(block * 4 + 4) {
      let report = SimulatedCluster(seed: seed, options: options).run()
      #expect(report.violations == [], "seed \(seed)")
    }
  }

  @Test("a run with the same seed is the same run")
  func sameSeedSameRun() {
    let first = SimulatedCluster(seed: 42).run()
    let second = SimulatedCluster(seed: 42).run()
    #expect(first == second)
    #expect(first.traceHash != SimulatedCluster(seed: 43).run().traceHash)
  }
}
