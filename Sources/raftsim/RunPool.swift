import RaftSimulation

/// What many seeds showed.
struct PoolResult {
  var failed: [SimulationReport] = []
  var coverage = Coverage()
  var seeds = 0
  var ticks: UInt64 = 0
  var acknowledged = 0
  var seconds = 0.0

  var rate: Int { seconds > 0 ? Int(Double(ticks) / 100 / seconds) : 0 }

  var summary: String {
    let verdict = failed.isEmpty ? "no rule was broken" : "\(failed.count) seeds broke a rule"
    return
      "\(seeds) seeds, \(verdict): \(ticks / 100) simulated seconds, \(acknowledged) operations acknowledged, \(rate) simulated seconds in a second"
  }

  mutating func add(_ report: SimulationReport) {
    seeds += 1
    ticks += report.ticks
    acknowledged += report.acknowledged
    coverage.add(report.coverage)
    if !report.violations.isEmpty { failed.append(report) }
  }
}

/// Lives through seeds, several at a time.
struct RunPool {
  let world: WorldOptions
  let jobs: Int
  /// After so many failing seeds there is no need for more.
  private static let failuresMax = 10

  func run(_ seeds: ClosedRange<UInt64>, isEndless: Bool) async -> PoolResult {
    var result = PoolResult()
    let clock = ContinuousClock()
    let start = clock.now
    let meter = Meter(label: "seeds")
    var next = seeds.lowerBound
    await withTaskGroup(of: SimulationReport.self) { group in
      func addTask() {
        guard isEndless || next <= seeds.upperBound else { return }
        let plan = world.plan(seed: next)
        next += 1
        group.addTask { RegisterSimulation(plan).run() }
      }
      for _ in 0..<jobs { addTask() }
      for await report in group {
        result.add(report)
        result.seconds = (clock.now - start) / .seconds(1)
        let total = isEndless ? "" : " of \(seeds.count)"
        meter.show(
          "\(result.seeds)\(total), \(result.failed.count) failed, \(result.rate) simulated seconds in a second"
        )
        if !report.violations.isEmpty {
          meter.end()
          print("seed \(report.seed), tick \(report.ticks): \(report.violations[0])")
        }
        let isEnough = result.failed.count >= (isEndless ? 1 : Self.failuresMax)
        if !isEnough { addTask() }
      }
    }
    meter.end()
    result.failed.sort { $0.seed < $1.seed }
    return result
  }
}
