import RaftCore

/// A count of distinct elements in a fixed amount of memory: how long a run of zeros the hashes of elements have, the
/// longest one for each of many parts of them.
///
/// It is a string that clients may read and set: `HYLL`, the form (0), three zeros, eight bytes that could hold the
/// last result (the highest bit says that they do not), and 6 bits for each register, the first in the lowest bits.
package struct HyperLogLog: Hashable, Sendable {
  private(set) var bytes: Bytes

  private static let indexBits: UInt64 = 14
  private static let registerCount = 1 << 14
  private static let headerLength = 16
  private static let length = headerLength + registerCount * 6 / 8
  /// The bits of a hash beside those that choose the register: the longest run.
  private static let longestRun = 64 - Int(indexBits)

  /// A count of nothing.
  package init() {
    bytes = Bytes("HYLL".utf8) + Bytes(repeating: 0, count: Self.length - 4)
    bytes[Self.headerLength - 1] = 0x80
  }

  /// A count in its bytes; nil if they are something else.
  init?(_ bytes: Bytes) {
    guard bytes.count == Self.length, bytes.starts(with: "HYLL".utf8), bytes[4] == 0 else { return nil }
    self.bytes = bytes
  }

  /// Counts an element.
  ///
  /// - Returns: Whether that changed anything.
  package mutating func insert(_ element: Bytes) -> Bool {
    let hash = MurmurHash.hash(element, seed: 0xADC8_3B19)
    let index = Int(hash & UInt64(Self.registerCount - 1))
    let rest = hash >> Self.indexBits | 1 << UInt64(Self.longestRun)
    return raise(index, to: UInt8(rest.trailingZeroBitCount + 1))
  }

  /// Counts what another one has counted.
  mutating func merge(_ other: HyperLogLog) {
    for index in 0..<Self.registerCount { _ = raise(index, to: other.register(index)) }
  }

  private func register(_ index: Int) -> UInt8 {
    let (byte, shift) = Self.place(of: index)
    let high = byte + 1 < bytes.count ? UInt16(bytes[byte + 1]) << 8 : 0
    return UInt8(truncatingIfNeeded: (UInt16(bytes[byte]) | high) >> shift) & 0x3F
  }

  private mutating func raise(_ index: Int, to value: UInt8) -> Bool {
    guard value > register(index) else { return false }
    let (byte, shift) = Self.place(of: index)
    let (mask, bits) = (UInt16(0x3F) << shift, UInt16(value) << shift)
    bytes[byte] = bytes[byte] & ~UInt8(truncatingIfNeeded: mask) | UInt8(truncatingIfNeeded: bits)
    if mask > 0xFF { bytes[byte + 1] = bytes[byte + 1] & ~UInt8(mask >> 8) | UInt8(bits >> 8) }
    bytes[Self.headerLength - 1] |= 0x80
    return true
  }

  private static func place(of index: Int) -> (byte: Int, shift: UInt16) {
    (headerLength + index * 6 / 8, UInt16(index * 6 % 8))
  }
}

// MARK: - Estimating

extension HyperLogLog {
  /// About how many distinct elements were counted: the estimator of Otmar Ertl ("New cardinality estimation algorithms
  /// for HyperLogLog sketches", algorithm 6), which needs no correction for few or many.
  package var estimate: Int64 {
    var histogram = [Int](repeating: 0, count: 64)
    for index in 0..<Self.registerCount { histogram[Int(register(index))] += 1 }
    let count = Double(Self.registerCount)
    var sum = count * Self.tau((count - Double(histogram[Self.longestRun + 1])) / count)
    for run in stride(from: Self.longestRun, through: 1, by: -1) {
      sum = (sum + Double(histogram[run])) * 0.5
    }
    sum += count * Self.sigma(Double(histogram[0]) / count)
    // 1 / (2 ln 2).
    let estimate = 0.721347520444481703680 * count * count / sum
    return Int64(estimate.rounded(.toNearestOrAwayFromZero))
  }

  private static func sigma(_ start: Double) -> Double {
    guard start < 1 else { return .infinity }
    var (power, weight, sum, last) = (start, 1.0, start, Double.nan)
    while sum != last {
      power *= power
      last = sum
      sum += power * weight
      weight += weight
    }
    return sum
  }

  private static func tau(_ start: Double) -> Double {
    guard start > 0, start < 1 else { return 0 }
    var (root, weight, sum, last) = (start, 1.0, 1 - start, Double.nan)
    while sum != last {
      root = root.squareRoot()
      last = sum
      weight *= 0.5
      sum -= (1 - root) * (1 - root) * weight
    }
    return sum / 3
  }
}

/// The 64-bit variant of MurmurHash2, which others use for such counts, so that one can be carried over.
enum MurmurHash {
  static func hash(_ bytes: Bytes, seed: UInt64) -> UInt64 {
    var state = seed ^ UInt64(bytes.count) &* factor
    var index = 0
    while index + 8 <= bytes.count {
      var word = bytes.littleEndian(at: index) &* factor
      word ^= word >> 47
      state = (state ^ word &* factor) &* factor
      index += 8
    }
    if index < bytes.count {
      for offset in index..<bytes.count { state ^= UInt64(bytes[offset]) << UInt64(8 * (offset - index)) }
      state = state &* factor
    }
    state = (state ^ state >> 47) &* factor
    return state ^ state >> 47
  }

  private static let factor: UInt64 = 0xC6A4_A793_5BD1_E995
}
