import Glibc

/// Draws the numbers of keys.
struct KeyPicker {
  /// Less than the factor by which ranks are scattered, which is a prime, so that no two ranks meet at one key.
  static let keysMax = 1_000_000_000
  private static let scatter: UInt64 = 2_654_435_761

  private let distribution: BenchPlan.Distribution
  private let keys: UInt64
  private var random: UInt64
  private var next: UInt64 = 0
  private let zipf: Zipf

  init(_ distribution: BenchPlan.Distribution, keys: Int, seed: UInt64) {
    self.distribution = distribution
    self.keys = UInt64(keys)
    // An odd factor keeps seeds that are close from giving sequences that are.
    random = (seed &* 0x9E37_79B9_7F4A_7C15) | 1
    zipf = Zipf(keys: distribution == .zipfian ? keys : 1)
  }

  /// The next key.
  mutating func key() -> UInt64 {
    switch distribution {
    case .sequential:
      let key = next
      next = key + 1 == keys ? 0 : key + 1
      return key
    case .uniform: return below(keys)
    // The frequent keys are not neighbours: ranks are scattered.
    case .zipfian: return zipf.rank(fraction()) &* Self.scatter % keys
    }
  }

  /// True in a share of all cases.
  mutating func chance(_ share: Double) -> Bool { fraction() < share }

  private mutating func fraction() -> Double { Double(draw() >> 11) * 0x1p-53 }

  private mutating func below(_ limit: UInt64) -> UInt64 { draw().multipliedFullWidth(by: limit).high }

  /// A xorshift generator: cheap, and the same for the same seed.
  private mutating func draw() -> UInt64 {
    random ^= random << 13
    random ^= random >> 7
    random ^= random << 17
    return random
  }
}

/// Ranks of which the r-th comes r^0.99 times less often than the first: inverts an approximation of the distribution's
/// sum (Gray et al., Quickly generating billion-record synthetic databases, 1994).
private struct Zipf {
  private static let exponent = 0.99
  private let keys: Double
  private let sum: Double
  private let scale: Double

  init(keys: Int) {
    self.keys = Double(keys)
    sum = Self.sum(keys)
    scale =
      keys < 3 ? 0 : (1 - pow(2 / self.keys, 1 - Self.exponent)) / (1 - Self.sum(2) / sum)
  }

  /// The rank, from 0, at a place between 0 and 1 of the distribution.
  func rank(_ place: Double) -> UInt64 {
    let reached = place * sum
    if reached < 1 || keys < 2 { return 0 }
    if reached < 1 + pow(0.5, Self.exponent) || keys < 3 { return 1 }
    let rank = keys * pow(scale * place - scale + 1, 1 / (1 - Self.exponent))
    return UInt64(min(max(rank, 0), keys - 1))
  }

  /// The sum of 1/r^0.99 for all ranks: term by term for the first ones, by the integral for the rest.
  private static func sum(_ keys: Int) -> Double {
    let exact = min(keys, 10_000)
    var sum = 0.0
    for rank in 1...exact { sum += 1 / pow(Double(rank), exponent) }
    guard keys > exact else { return sum }
    let power = 1 - exponent
    return sum + (pow(Double(keys) + 0.5, power) - pow(Double(exact) + 0.5, power)) / power
  }
}
