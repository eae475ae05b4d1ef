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
  public enum KeyChoice: String, Sendable, CaseIterable {
    /// Each as often as any other.
    case uniform
    /// One after the other.
    case sequential
    /// A few of them most of the time: of every two requests one goes to a hundredth of the keys.
    case skewed
  }

  /// The nodes, `host` being a numeric IPv4 address; clients are spread over them evenly.
  public var nodes: [(host: String, port: UInt16)] = []
  /// What is spoken with them.
  public var wireProtocol = WireProtocol.json
  /// How many connections there are.
  public var clients = 64
  /// How many requests each connection has under way.
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
  public var keyChoice = KeyChoice.uniform
  /// How many of a hundred requests are reads.
  public var readPercent = 0
  /// Ends after so many requests instead, if it is not nil; each key is then written once, in order, with
  /// ``KeyChoice/sequential``.
  public var requests: Int?
  /// Decides which keys are drawn.
  public var seed: UInt64 = 1

  /// The defaults.
  public init() {}
}

/// What came of it.
public struct BenchReport: Sendable {
  /// Requests answered while it was measured.
  public var answered: UInt64 = 0
  /// Those of them that were answered with an error.
  public var refused: UInt64 = 0
  /// One of the errors.
  public var example: String?
  /// How long it was measured, in seconds.
  public var seconds = 0.0
  /// Latencies of all requests.
  public var latencies = LatencyHistogram()
  /// The longest time without an answer that was no error, in nanoseconds.
  public var longestGap: UInt64 = 0

  /// Requests answered in a second.
  public var throughput: Double { Double(answered) / max(seconds, 1e-9) }
}
