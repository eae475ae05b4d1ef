import AllocationCounter
import Foundation

/// What one round has cost, in total.
struct Cost {
  var nanoseconds: Double
  var allocations: UInt64
  var messages: Int
  /// How many units were worked off: entries, elections or reads.
  var units: Int

  static func += (total: inout Cost, one: Cost) {
    total.nanoseconds += one.nanoseconds
    total.allocations += one.allocations
    total.messages += one.messages
    total.units += one.units
  }
}

/// One line of the table.
struct Row {
  enum Unit: String {
    case entry
    case election
    case read
    case change
  }

  let name: String
  let unit: Unit
  /// The rounds after the warm-up.
  let rounds: [Cost]

  var nanosecondsPerUnit: Double { median { $0.nanoseconds / Double($0.units) } }
  var unitsPerSecond: Double { 1e9 / nanosecondsPerUnit }
  var allocationsPerUnit: Double { median { Double($0.allocations) / Double($0.units) } }
  var messagesPerUnit: Double { median { Double($0.messages) / Double($0.units) } }

  /// From the fastest round to the slowest, as a part of the median.
  var spread: Double {
    let times = rounds.map { $0.nanoseconds / Double($0.units) }.sorted()
    guard let fastest = times.first, let slowest = times.last else { return 0 }
    return (slowest - fastest) / nanosecondsPerUnit
  }

  private func median(_ value: (Cost) -> Double) -> Double { rounds.map(value).sorted()[rounds.count / 2] }
}

/// How often a workload runs: rounds to get warm, and rounds that count.
struct Repetition {
  var warmUp = 2
  var rounds = 7

  func row(_ name: String, _ unit: Row.Unit, _ round: () throws -> Cost) rethrows -> Row {
    for _ in 0..<warmUp { _ = try round() }
    var costs: [Cost] = []
    costs.reserveCapacity(rounds)
    for _ in 0..<rounds { costs.append(try round()) }
    return Row(name: name, unit: unit, rounds: costs)
  }
}

/// Nanoseconds that the calling thread has run. Not the time on the wall: one thread does all the work and waits for
/// nothing, so whatever else the machine does meanwhile would only be noise.
private func processorTime() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
  return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
}

/// Takes the time, the allocations and the messages of `body`.
func cost(of units: Int, in cluster: inout Cluster, _ body: (inout Cluster) throws -> Void) rethrows -> Cost {
  let delivered = cluster.delivered
  let allocations = allocation_counter_read()
  let start = processorTime()
  try body(&cluster)
  let time = processorTime() - start
  return Cost(
    nanoseconds: time, allocations: allocation_counter_read() - allocations,
    messages: cluster.delivered - delivered,
    units: units)
}
