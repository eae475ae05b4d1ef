/// What a load generator does.
public struct BenchPlan: Sendable {
  /// What is spoken.
  public enum WireProtocol: String, Sendable, CaseIterable {
    /// One JSON object in a line.
    case json
    /// The protocol of Redis, version 2.
    case resp
  }

  /// Which keys are asked for.
  public enum Distribution: String, Sendable, CaseIterable {
    /// Each as often as any other.
    case uniform
    /// Few of them most of the time: the key of rank r about 1/r as often as the first, as in YCSB.
    case zipfian
    /// One after the other.
    case sequential
  }

  /// The nodes; clients are spread over them evenly, and go on to the next one if they lose theirs.
  public var nodes: [(host: String, port: UInt16)] = []
  /// What is spoken with them.
  public var wireProtocol = WireProtocol.json
  /// How many connections there are.
  public var clients = 64
  /// How many requests each connection sends at once. The next ones follow when all of these are answered.
  public var pipeline = 1
  /// How many requests a second all of them send; nil for as many as are answered. At a fixed rate a latency counts from
  /// when the request was due, not from when it could be sent: a server that pauses does not hide the requests that it
  /// has kept from being sent.
  public var rate: Double?
  /// How long it is measured, in seconds.
  public var seconds = 10.0
  /// How long it runs before that, in seconds.
  public var warmUpSeconds = 1.0
  /// Bytes of a value.
  public var valueBytes = 100
  /// How many different keys there are.
  public var keys = 100_000
  /// Which keys are asked for.
  public var distribution = Distribution.uniform
  /// Which share of the requests are reads, 0 to 1.
  public var readShare = 0.0
  /// Ends after so many requests instead, if it is not nil; each key is then written once, in order, with
  /// ``Distribution/sequential``.
  public var requests: Int?
  /// How long a client waits for an answer before it counts the request as failed and goes on to the next node, in seconds.
  public var patienceSeconds = 10.0
  /// Decides which keys are drawn.
  public var seed: UInt64 = 1

  /// The defaults.
  public init() {}

  /// What is wrong with the plan: what was given and what is allowed; nil if nothing is.
  public var fault: String? {
    if nodes.isEmpty { return "no node is named" }
    if !(1...50_000).contains(clients) { return "\(clients) clients; allowed are 1 to 50000" }
    if !(1...10_000).contains(pipeline) {
      return "a pipeline of \(pipeline) requests; allowed are 1 to 10000"
    }
    if !(0...16_777_216).contains(valueBytes) {
      return "values of \(valueBytes) bytes; allowed are 0 to 16777216"
    }
    if !(1...KeyPicker.keysMax).contains(keys) {
      return "\(keys) keys; allowed are 1 to \(KeyPicker.keysMax)"
    }
    if !(0...1).contains(readShare) { return "a share of reads of \(readShare); allowed is 0 to 1" }
    if !(0...86_400).contains(seconds) || seconds == 0 {
      return "a duration of \(seconds) seconds; allowed is more than 0, up to 86400"
    }
    if !(0...86_400).contains(warmUpSeconds) {
      return "a warm-up of \(warmUpSeconds) seconds; allowed are 0 to 86400"
    }
    if !(0.01...3_600).contains(patienceSeconds) {
      return "a patience of \(patienceSeconds) seconds; allowed are 0.01 to 3600"
    }
    if let rate, !(0.1...10_000_000).contains(rate) {
      return "a rate of \(rate) requests a second; allowed are 0.1 to 10000000"
    }
    if let requests, requests < 1 { return "\(requests) requests; it must be 1 at least" }
    return nil
  }
}

/// Why the load could not be generated.
public struct BenchError: Error, Sendable, CustomStringConvertible {
  /// The reason in words.
  public let description: String

  init(_ description: String) { self.description = description }
}
