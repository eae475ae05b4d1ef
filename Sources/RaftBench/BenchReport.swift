/// What came of a load.
public struct BenchReport: Sendable {
  /// What has gone wrong in the same way.
  public struct Failure: Sendable {
    /// How the node calls it: the first word of an error in Redis's protocol, `code` in JSON. `connection_lost` and
    /// `timeout` are the load generator's own.
    public var code: String
    /// How many requests ended so.
    public var count: UInt64
    /// The first of the errors.
    public var example: String
  }

  /// Latencies of reads that succeeded, in nanoseconds.
  public internal(set) var reads = LatencyHistogram()
  /// Latencies of writes that succeeded, in nanoseconds.
  public internal(set) var writes = LatencyHistogram()
  /// What has failed, the most frequent first.
  public internal(set) var failures: [Failure] = []
  /// How long it was measured, in seconds.
  public internal(set) var seconds = 0.0
  /// The longest time without a success, in nanoseconds.
  public internal(set) var longestGap: UInt64 = 0
  /// How often a client had to connect anew, warm-up included.
  public internal(set) var reconnections = 0
  /// Processor time of the load generator itself while it measured, in seconds.
  public internal(set) var generatorSeconds = 0.0

  /// Requests that succeeded.
  public var succeeded: UInt64 { reads.count + writes.count }
  /// Requests that were answered with an error, or not at all.
  public var failed: UInt64 { failures.reduce(0) { $0 + $1.count } }
  /// Requests that succeeded in a second.
  public var throughput: Double { Double(succeeded) / max(seconds, 1e-9) }
  /// Latencies of all requests that succeeded, in nanoseconds.
  public var latencies: LatencyHistogram {
    var all = reads
    all.add(writes)
    return all
  }

  mutating func fail(_ code: String, _ example: @autoclosure () -> String, count: UInt64 = 1) {
    if let position = failures.firstIndex(where: { $0.code == code }) {
      failures[position].count += count
    } else if failures.count < 100 {
      failures.append(Failure(code: code, count: count, example: example()))
    }
  }

  mutating func sortFailures() { failures.sort { ($0.count, $1.code) > ($1.count, $0.code) } }
}

extension BenchReport {
  private static let percentiles: [(name: String, percent: Double)] = [
    ("p50", 50), ("p90", 90), ("p99", 99), ("p99.9", 99.9), ("max", 100),
  ]

  /// The report as lines for people.
  public var text: String {
    var lines = [
      "throughput   \(Int(throughput.rounded())) requests/s: \(succeeded) in \(Self.decimal(seconds, 2)) s",
      "",
      row("latency, ms", Self.percentiles.map(\.name) + ["mean", "count"]),
    ]
    if reads.count > 0 { lines.append(row("reads", columns(reads))) }
    if writes.count > 0 { lines.append(row("writes", columns(writes))) }
    if reads.count > 0, writes.count > 0 { lines.append(row("all", columns(latencies))) }
    lines += [
      "",
      "longest time without a success: \(Self.milliseconds(longestGap)) ms",
      "processor time of the generator: \(Self.decimal(generatorSeconds, 2)) s, "
        + "\(Self.decimal(100 * generatorSeconds / max(seconds, 1e-9), 0)) % of one core",
    ]
    if reconnections > 0 { lines.append("connections that had to be made anew: \(reconnections)") }
    lines += failures.map { "failed: \($0.count) with \($0.code): \($0.example)" }
    return lines.joined(separator: "\n")
  }

  private func columns(_ latencies: LatencyHistogram) -> [String] {
    Self.percentiles.map { Self.milliseconds(latencies.percentile($0.percent)) }
      + [Self.milliseconds(latencies.mean), "\(latencies.count)"]
  }

  private func row(_ name: String, _ cells: [String]) -> String {
    Self.padded(name, 12, isLeft: true) + cells.map { Self.padded($0, 11, isLeft: false) }.joined()
  }

  private static func padded(_ text: String, _ width: Int, isLeft: Bool) -> String {
    let blanks = String(repeating: " ", count: max(0, width - text.count))
    return isLeft ? text + blanks : blanks + text
  }

  private static func milliseconds(_ nanoseconds: UInt64) -> String { decimal(Double(nanoseconds) / 1e6, 3) }

  /// A number that is not negative, with so many digits behind the point.
  static func decimal(_ number: Double, _ digits: Int) -> String {
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let scaled = (number * scale).rounded()
    guard scaled < 1e18 else { return "\(number)" }
    let whole = UInt64(max(0, scaled))
    guard digits > 0 else { return "\(whole)" }
    let text = "\(whole)"
    let padded = String(repeating: "0", count: max(0, digits + 1 - text.count)) + text
    return padded.dropLast(digits) + "." + padded.suffix(digits)
  }
}

extension BenchReport {
  /// The report, and the plan that it came of, as one JSON object. Latencies are in microseconds.
  public func json(of plan: BenchPlan) -> String {
    let codes = failures.map { "\(Self.quoted($0.code)):\($0.count)" }.joined(separator: ",")
    let examples = failures.map { "\(Self.quoted($0.code)):\(Self.quoted($0.example))" }.joined(
      separator: ",")
    let nodes = plan.nodes.map { Self.quoted("\($0.host):\($0.port)") }.joined(separator: ",")
    let fields = [
      "\"nodes\":[\(nodes)]", "\"protocol\":\"\(plan.wireProtocol)\"", "\"clients\":\(plan.clients)",
      "\"pipeline\":\(plan.pipeline)", "\"value_bytes\":\(plan.valueBytes)", "\"keys\":\(plan.keys)",
      "\"distribution\":\"\(plan.distribution)\"", "\"read_share\":\(plan.readShare)",
      "\"rate\":\(plan.rate.map { "\($0)" } ?? "null")", "\"seconds\":\(Self.decimal(seconds, 6))",
      "\"succeeded\":\(succeeded)", "\"failed\":\(failed)", "\"throughput\":\(Self.decimal(throughput, 1))",
      "\"latency_us\":\(Self.json(latencies))", "\"reads_us\":\(Self.json(reads))",
      "\"writes_us\":\(Self.json(writes))", "\"errors\":{\(codes)}", "\"error_examples\":{\(examples)}",
      "\"longest_gap_ms\":\(Self.milliseconds(longestGap))", "\"reconnections\":\(reconnections)",
      "\"generator_cpu_seconds\":\(Self.decimal(generatorSeconds, 3))",
    ]
    return "{\(fields.joined(separator: ","))}"
  }

  private static func json(_ latencies: LatencyHistogram) -> String {
    let parts = percentiles.map {
      "\"\($0.name)\":\(decimal(Double(latencies.percentile($0.percent)) / 1e3, 1))"
    }
    return
      "{\(parts.joined(separator: ",")),\"mean\":\(decimal(Double(latencies.mean) / 1e3, 1)),\"count\":\(latencies.count)}"
  }

  private static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": quoted += "\\\(scalar)"
      case _ where scalar.value < 32: quoted += " "
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }
}
