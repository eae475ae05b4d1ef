import ArgumentParser
import RaftCore
import RaftKV

/// Measures how far counts of distinct elements and Bloom filters are off, and whether that is within what they promise.
@main
struct BenchSketches: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench-sketches",
    abstract:
      "How far PFCOUNT and Bloom filters are off. Ends with status 1 if that is more than they promise.")

  /// The standard error of a count with 16,384 registers.
  private static let standardError = 0.0081

  @Option(help: "The most elements that are counted.")
  var elements = 10_000_000

  func validate() throws {
    guard elements >= 10 else { throw ValidationError("--elements is at least 10") }
  }

  func run() throws {
    let isGood = [counts(), filters()]
    guard isGood == [true, true] else { throw ExitCode(1) }
  }

  /// An element that no other seed and number give.
  private static func element(_ number: Int, _ seed: Int, into bytes: inout Bytes) {
    var value = UInt64(number) << 16 | UInt64(seed)
    for index in 0..<8 {
      bytes[index] = UInt8(truncatingIfNeeded: value)
      value >>= 8
    }
  }

  private func counts() -> Bool {
    print(
      "| distinct elements | seeds | root mean square error | largest error | allowed |\n|---|---|---|---|---|"
    )
    var isGood = true
    var size = 10
    while size <= elements {
      let seeds = size >= 10_000_000 ? 20 : 100
      var (sum, largest) = (0.0, 0.0)
      for seed in 0..<seeds {
        var count = HyperLogLog()
        var element = Bytes(repeating: 0, count: 8)
        for number in 0..<size {
          Self.element(number, seed, into: &element)
          _ = count.insert(element)
        }
        let error = (Double(count.estimate) - Double(size)) / Double(size)
        sum += error * error
        largest = max(largest, abs(error))
      }
      let error = (sum / Double(seeds)).squareRoot()
      // What is measured of so few seeds is itself off, by one part in the root of twice their number.
      let allowed = Self.standardError * (1 + 2.5 / Double(2 * seeds).squareRoot())
      print("| \(size) | \(seeds) | \(percent(error)) | \(percent(largest)) | \(percent(allowed)) |")
      isGood = isGood && error <= allowed
      size *= 10
    }
    return isGood
  }

  private func filters() -> Bool {
    print("\n| capacity | growing from | error rate | measured, full | bytes |\n|---|---|---|---|---|")
    var isGood = true
    for (capacity, start, rate) in [
      (1_000, 1_000, 0.1), (1_000, 1_000, 0.01), (100_000, 100_000, 0.1), (100_000, 100_000, 0.01),
      (100_000, 100_000, 0.001), (1_000_000, 1_000_000, 0.01), (1_000_000, 1_000_000, 0.001),
      (100_000, 100, 0.01),
      (1_000_000, 1_000, 0.01), (100_000, 100, 0.001),
    ] {
      guard
        var filter = BloomFilter(
          errorRate: rate, capacity: UInt64(start), expansion: start == capacity ? nil : 2)
      else { return false }
      var element = Bytes(repeating: 0, count: 8)
      var number = 0
      while filter.count < capacity, number < 2 * capacity {
        Self.element(number, 1, into: &element)
        _ = filter.insert(element)
        number += 1
      }
      var missing = 0
      for known in 0..<number {
        Self.element(known, 1, into: &element)
        missing += filter.contains(element) ? 0 : 1
      }
      let tries = 1_000_000
      var wrong = 0
      for other in 0..<tries {
        Self.element(other, 2, into: &element)
        wrong += filter.contains(element) ? 1 : 0
      }
      let measured = Double(wrong) / Double(tries)
      // Four standard deviations of what chance does with so many tries, and of how full the filter happens to be.
      let allowed =
        rate * 1.02 + 4 * (rate / Double(tries)).squareRoot() + 4 * rate / Double(start).squareRoot()
      print(
        "| \(capacity) | \(start == capacity ? "-" : "\(start)") | \(percent(rate)) | \(percent(measured)) | \(filter.length) |"
      )
      isGood = isGood && measured <= allowed && missing == 0
    }
    return isGood
  }

  private func percent(_ share: Double) -> String {
    let thousandths = Int((share * 100_000).rounded())
    let fraction = String(thousandths % 1_000)
    return "\(thousandths / 1_000)." + String(repeating: "0", count: 3 - fraction.count) + fraction + " %"
  }
}
