import RaftSimulation

let a = CommandLine.arguments
let from = UInt64(a[1])!, count = UInt64(a[2])!, nodes = Int(a[3])!, ticks = UInt64(a[4])!
let profile = SimulationProfile.all.first { $0.name == a[5] }!
var total = Coverage()
let clock = ContinuousClock()
let start = clock.now
var acked = 0
var bad = 0
for seed in from..<(from + count) {
  let report = RegisterSimulation(SimulationPlan(seed: seed, profile: profile, nodes: nodes, ticks: ticks))
    .run()
  total.add(report.coverage)
  acked += report.acknowledged
  if !report.violations.isEmpty {
    bad += 1
    print("seed \(seed) at tick \(report.ticks): \(report.violations.prefix(2))")
    if bad >= 8 { break }
  }
  if count == 1 {
    print(
      "hash \(report.traceHash) acked \(report.acknowledged) committed \(report.committed) unknown \(report.unknown)"
    )
  }
}
let seconds = (clock.now - start) / .seconds(1)
print("bad \(bad); acked \(acked); \(seconds) s; simulated s per s: \(Double(count * ticks) / 100 / seconds)")
for point in total.all { print(point.count, point.name) }
