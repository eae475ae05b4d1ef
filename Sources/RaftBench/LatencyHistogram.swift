/// Counts latencies in buckets whose width grows with the latency: 128 buckets for each doubling, so that every percentile
/// is right to within one percent, whatever the range.
public struct LatencyHistogram: Sendable {
  private static let bitsPerDoubling = 7
  private var counts = [UInt64](repeating: 0, count: (64 - 6) << 7)
  /// How many latencies were counted.
  public private(set) var count: UInt64 = 0
  /// The longest one, in nanoseconds.
  public private(set) var longest: UInt64 = 0
  private var sum: UInt64 = 0

  /// An empty histogram.
  public init() {}

  /// Counts a latency in nanoseconds.
  public mutating func record(_ nanoseconds: UInt64) {
    counts[Self.bucket(of: nanoseconds)] += 1
    count += 1
    sum &+= nanoseconds
    longest = max(longest, nanoseconds)
  }

  /// Adds what another histogram has counted.
  public mutating func add(_ other: LatencyHistogram) {
    for position in counts.indices { counts[position] += other.counts[position] }
    count += other.count
    sum &+= other.sum
    longest = max(longest, other.longest)
  }

  /// The mean in nanoseconds; 0 if nothing was counted.
  public var mean: UInt64 { count == 0 ? 0 : sum / count }

  /// The latency, in nanoseconds, that `percent` of all do not exceed.
  public func percentile(_ percent: Double) -> UInt64 {
    guard count > 0 else { return 0 }
    let rank = max(1, UInt64((percent / 100 * Double(count)).rounded(.up)))
    var seen: UInt64 = 0
    for (position, number) in counts.enumerated() where number > 0 {
      seen += number
      if seen >= rank { return min(Self.upperBound(of: position), longest) }
    }
    return longest
  }

  private static func bucket(of value: UInt64) -> Int {
    guard value >= 1 << UInt64(bitsPerDoubling) else { return Int(value) }
    let exponent = 63 - value.leadingZeroBitCount - bitsPerDoubling
    return (exponent << bitsPerDoubling) + Int(value >> UInt64(exponent))
  }

  private static func upperBound(of bucket: Int) -> UInt64 {
    guard bucket >= 2 << bitsPerDoubling else { return UInt64(bucket) }
    let exponent = (bucket >> bitsPerDoubling) - 1
    let mantissa = UInt64(bucket - (exponent << bitsPerDoubling))
    // Of the last bucket this is one less than what no longer fits.
    return ((mantissa + 1) << UInt64(exponent)) &- 1
  }
}
