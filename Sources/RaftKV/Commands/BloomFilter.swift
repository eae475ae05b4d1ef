import RaftCore

/// A set that may claim to hold an element that it does not, but never denies one that it does. It is a chain of parts:
/// when one is full, a larger one follows, which errs less often, so that the sum of errors stays below what was asked
/// for.
///
/// Its bytes are: the format (1), flags (bit 0: it does not grow), two zeros, how much larger each part is (4
/// bytes) and how many parts there are (8 bytes). Then follow the parts: how many elements fit, how many there are,
/// the number of bits and that of bits for each element, the error rate as the bits of a floating-point number (8
/// bytes each), and the bits, filled up to whole bytes. Sizes are worked out once and kept. All numbers are
/// little-endian.
package struct BloomFilter: Hashable, Sendable {
  /// How a filter is made that nobody has asked for in advance.
  static let defaultCapacity: UInt64 = 100
  static let defaultErrorRate = 0.01
  static let defaultExpansion: UInt64 = 2

  /// The most bytes that a filter may have, which all its commands read and write as a whole.
  static let longest = 32 << 20

  /// The bytes of the filter, from ``start`` on.
  private(set) var bytes: Bytes
  private let start: Int
  private var parts: [Part]

  private struct Part: Hashable {
    var capacity: UInt64
    var count: UInt64
    var bitCount: UInt64
    var hashCount: UInt64
    var errorRate: Double
    /// Where it begins.
    var offset: Int

    static let headerLength = 40

    var bits: Int { offset + Part.headerLength }
    /// Where the next part begins.
    var end: Int { bits + Int((bitCount + 7) / 8) }
  }

  private static let headerLength = 16

  /// An empty filter for `capacity` elements; nil if it would be too large.
  ///
  /// - Parameter expansion: How much larger each part is than the one before; nil if there is but one.
  package init?(errorRate: Double, capacity: UInt64, expansion: UInt64?) {
    start = 0
    parts = []
    bytes = [1, expansion == nil ? 1 : 0, 0, 0]
    bytes += (0..<4).map { UInt8(truncatingIfNeeded: (expansion ?? 0) >> (8 * $0)) }
    bytes.append(littleEndian: 0)
    // The rates of parts that halve from one to the next add up to twice the first.
    guard addPart(errorRate: expansion == nil ? errorRate : errorRate * 0.5, capacity: capacity) else {
      return nil
    }
  }

  /// Reads the filter in the bytes from `start` on, without copying them; nil if there is something else.
  init?(_ bytes: Bytes, from start: Int = 0) {
    guard bytes.count >= start + Self.headerLength, bytes[start] == 1 else { return nil }
    self.bytes = bytes
    self.start = start
    parts = []
    var offset = start + Self.headerLength
    for _ in 0..<bytes.littleEndian(at: start + 8) {
      guard bytes.count - offset >= Part.headerLength else { return nil }
      let part = Part(
        capacity: bytes.littleEndian(at: offset), count: bytes.littleEndian(at: offset + 8),
        bitCount: bytes.littleEndian(at: offset + 16), hashCount: bytes.littleEndian(at: offset + 24),
        errorRate: Double(bitPattern: bytes.littleEndian(at: offset + 32)), offset: offset)
      guard part.bitCount > 0, part.bitCount <= UInt64(Self.longest) * 8, part.end <= bytes.count else {
        return nil
      }
      parts.append(part)
      offset = part.end
    }
    guard !parts.isEmpty, offset == bytes.count else { return nil }
  }

  /// How much larger each part is than the one before; nil if the filter does not grow.
  var expansion: UInt64? { bytes[start + 1] & 1 == 1 ? nil : bytes.littleEndian(at: start) >> 32 }
  /// How many elements fit into the parts there are.
  var capacity: UInt64 { parts.reduce(0) { $0 &+ $1.capacity } }
  /// How many elements there are.
  package var count: UInt64 { parts.reduce(0) { $0 &+ $1.count } }
  /// How many parts there are.
  var partCount: Int { parts.count }
  /// How many bytes it takes.
  package var length: Int { bytes.count - start }

  /// What came of an attempt to add an element.
  package enum Insertion: Hashable {
    case inserted
    /// It was there, or seems to have been.
    case present
    /// The filter is full, and does not grow.
    case full
    /// The filter would have to become larger than one may be.
    case tooLarge
  }

  /// Whether an element is there, or seems to be.
  package func contains(_ element: Bytes) -> Bool {
    let hashes = Self.hashes(of: element)
    return parts.reversed().contains { part in
      (0..<part.hashCount).allSatisfy { bit($0, of: hashes, in: part).isSet }
    }
  }

  /// Adds an element.
  package mutating func insert(_ element: Bytes) -> Insertion {
    guard !contains(element) else { return .present }
    guard let last = parts.last else { return .full }
    if last.count >= last.capacity {
      guard let expansion else { return .full }
      let (capacity, overflow) = last.capacity.multipliedReportingOverflow(by: expansion)
      guard !overflow, addPart(errorRate: last.errorRate * 0.5, capacity: capacity) else { return .tooLarge }
    }
    let hashes = Self.hashes(of: element)
    let index = parts.count - 1
    for number in 0..<parts[index].hashCount {
      let (offset, mask, _) = bit(number, of: hashes, in: parts[index])
      bytes[offset] |= mask
    }
    parts[index].count += 1
    write(parts[index].count, at: parts[index].offset + 8)
    return .inserted
  }

  private static func hashes(of element: Bytes) -> (first: UInt64, step: UInt64) {
    let first = ByteHash.hash(element, seed: 1)
    return (first, ByteHash.hash(element, seed: first) | 1)
  }

  private func bit(
    _ number: UInt64, of hashes: (first: UInt64, step: UInt64), in part: Part
  ) -> (offset: Int, mask: UInt8, isSet: Bool) {
    // Mixed once more. Counter-example to taking the sums as they are: in a part of 1,600 bits there are few different
    // steps, so elements share whole rows of bits more often than an error rate of 0.05 % allows.
    let index = RandomSource.mix(hashes.first &+ number &* hashes.step) % part.bitCount
    let (offset, mask) = (part.bits + Int(index / 8), UInt8(1) << UInt8(index % 8))
    return (offset, mask, bytes[offset] & mask != 0)
  }

  private mutating func addPart(errorRate: Double, capacity: UInt64) -> Bool {
    let hashCount = BloomFilterSize.hashCount(errorRate: errorRate)
    guard let bitCount = BloomFilterSize.bitCount(errorRate: errorRate, capacity: capacity),
      bitCount / 8 <= UInt64(Self.longest - length - Part.headerLength)
    else { return false }
    let part = Part(
      capacity: capacity, count: 0, bitCount: bitCount, hashCount: hashCount, errorRate: errorRate,
      offset: bytes.count)
    for number in [capacity, 0, bitCount, hashCount, errorRate.bitPattern] {
      bytes.append(littleEndian: number)
    }
    bytes += repeatElement(0, count: part.end - part.bits)
    parts.append(part)
    write(UInt64(parts.count), at: start + 8)
    return true
  }

  private mutating func write(_ number: UInt64, at offset: Int) {
    for index in 0..<8 { bytes[offset + index] = UInt8(truncatingIfNeeded: number >> UInt64(8 * index)) }
  }
}

/// How large a part of a filter must be. Logarithms are worked out by the four operations alone, which every processor
/// rounds in the same way.
enum BloomFilterSize {
  private static let logarithmOfTwo = 0.693147180559945309417

  /// How many bits each element sets: as many as it takes that a half of each leads to the error rate.
  static func hashCount(errorRate: Double) -> UInt64 {
    max(UInt64((-logarithm(errorRate) / logarithmOfTwo).rounded(.up)), 1)
  }

  /// How many bits there must be that the error rate is reached when the part is full; nil if that is beyond all bounds.
  ///
  /// With k hashes it is reached when a share F of the bits is set with F^k the rate. An element that seems to be there is not
  /// added, so each one that is sets at least one bit: of m bits, k (1 - f) / (1 - f^k) on average when a share f is set
  /// already. So n elements, as f goes from 0 to F, make n / m = (F + F^2 / 2 + ... + F^k / k) / k. The usual formula
  /// leaves that out, and what it says for a rate of 10 % comes to 11 %.
  static func bitCount(errorRate: Double, capacity: UInt64) -> UInt64? {
    let hashes = hashCount(errorRate: errorRate)
    let share = root(hashes, of: errorRate)
    var (power, sum) = (1.0, 0.0)
    for number in 1...hashes {
      power *= share
      sum += power / Double(number)
    }
    let bits = Double(capacity) * Double(hashes) / sum
    return bits < 0x1p60 ? max(UInt64(bits.rounded(.up)), 1) : nil
  }

  /// The number between 0 and 1 whose power is `number`.
  private static func root(_ exponent: UInt64, of number: Double) -> Double {
    var (low, high) = (0.0, 1.0)
    for _ in 0..<60 {
      let middle = (low + high) / 2
      if (0..<exponent).reduce(1.0, { power, _ in power * middle }) > number {
        high = middle
      } else {
        low = middle
      }
    }
    return low
  }

  /// The natural logarithm of a positive number.
  static func logarithm(_ number: Double) -> Double {
    // With x = (m - 1) / (m + 1), that of m is 2 (x + x^3 / 3 + x^5 / 5 + ...); as m is less than 2, x is less than
    // 1/3, and 20 terms are as exact as the number can be.
    let ratio = (number.significand - 1) / (number.significand + 1)
    var sum = 0.0
    for term in stride(from: 39, through: 1, by: -2) { sum = sum * ratio * ratio + 1 / Double(term) }
    return Double(number.exponent) * logarithmOfTwo + 2 * ratio * sum
  }
}
