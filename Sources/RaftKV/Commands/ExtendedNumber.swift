import RaftCore

/// A binary floating-point number with 64 bits of precision, as some processors have it and others do not: its
/// arithmetic is done with whole numbers here, so that it is the same on all.
///
/// Numbers near 0 have no limit of size, as they are written with 17 digits after the point. Large ones become infinite
/// where they do in the 80-bit format.
struct ExtendedNumber: Hashable, Sendable {
  private var isNegative = false
  /// Its highest bit is set, unless the number is 0.
  private var significand: UInt64 = 0
  /// The number is the significand times two to the power of this.
  private var exponent = 0
  private(set) var isInfinite = false

  private init() {}

  static let zero = ExtendedNumber()

  private static let largestExponent = 16383 - 63

  /// A number of any precision, rounded to the nearest one that there is, or the even one of two.
  ///
  /// - Parameter isInexact: Whether the exact number is greater by less than the lowest bit.
  private init(isNegative: Bool, _ magnitude: Magnitude, exponent: Int, isInexact: Bool) {
    self.isNegative = isNegative
    guard !magnitude.isZero else { return }
    let (bits, shift) = magnitude.highest
    significand = bits << UInt64(bits.leadingZeroBitCount)
    self.exponent = exponent + shift - bits.leadingZeroBitCount
    if shift > 0, magnitude.bit(shift - 1),
      isInexact || bits & 1 == 1 || magnitude.hasBits(below: shift - 1)
    {
      roundUp()
    }
    if self.exponent > Self.largestExponent { isInfinite = true }
  }

  private mutating func roundUp() {
    if significand == .max {
      significand = 1 << 63
      exponent += 1
    } else {
      significand += 1
    }
  }

  static func + (left: ExtendedNumber, right: ExtendedNumber) -> ExtendedNumber {
    if left.isInfinite { return left }
    if right.isInfinite { return right }
    if left.significand == 0 { return right }
    if right.significand == 0 { return left }
    let (high, low) = left.exponent >= right.exponent ? (left, right) : (right, left)
    // Bits that far below the lowest one only tell that the sum is not exact.
    let distance = min(high.exponent - low.exponent, 130)
    var sum = Magnitude(high.significand)
    sum.shiftLeft(distance)
    var addend = Magnitude(low.significand)
    let exponent = high.exponent - distance
    if high.exponent - low.exponent > distance { addend = Magnitude(1) }
    if high.isNegative == low.isNegative {
      sum.add(addend)
      return ExtendedNumber(isNegative: high.isNegative, sum, exponent: exponent, isInexact: false)
    }
    if sum < addend {
      addend.subtract(sum)
      return ExtendedNumber(isNegative: low.isNegative, addend, exponent: exponent, isInexact: false)
    }
    sum.subtract(addend)
    // A difference of equal numbers is a positive zero.
    return ExtendedNumber(
      isNegative: high.isNegative && !sum.isZero, sum, exponent: exponent, isInexact: false)
  }
}

// MARK: - Writing

extension ExtendedNumber {
  /// The number with at most 17 digits after the point, and none that could be left out; not for an infinite one.
  var text: String {
    var digits: String
    if exponent >= 0 {
      var whole = Magnitude(significand)
      whole.shiftLeft(exponent)
      digits = whole.decimal
    } else {
      digits = fractionText
    }
    return isNegative && digits != "0" ? "-" + digits : digits
  }

  private var fractionText: String {
    let digitsAfterPoint = 17
    let scale: UInt128 = 100_000_000_000_000_000
    // 64 bits and 57 bits: it fits.
    let scaled = UInt128(significand) * scale
    let shift = -exponent
    var rounded = shift < 128 ? scaled >> UInt128(shift) : 0
    if shift <= 128 {
      let rest = shift < 128 ? scaled & ((1 << UInt128(shift)) - 1) : scaled
      let half = UInt128(1) << UInt128(shift - 1)
      if rest > half || (rest == half && rounded & 1 == 1) { rounded += 1 }
    }
    let fraction = String(rounded % scale)
    var padded = String(repeating: "0", count: digitsAfterPoint - fraction.count) + fraction
    while padded.hasSuffix("0") { padded.removeLast() }
    let whole = String(rounded / scale)
    return padded.isEmpty ? whole : whole + "." + padded
  }
}

// MARK: - Reading

extension ExtendedNumber {
  /// The number that `text` is, in decimal or, after `0x`, hexadecimal digits, with a point and an exponent, or
  /// infinite in words; nil if it is none, or too large.
  init?(_ text: Bytes) {
    guard !text.isEmpty, text.count < 5120 else { return nil }
    var rest = text[...]
    let isNegative = rest.first == 0x2D
    if isNegative || rest.first == 0x2B { rest.removeFirst() }
    let word = String(decoding: rest, as: UTF8.self).lowercased()
    if word == "inf" || word == "infinity" {
      self.isNegative = isNegative
      isInfinite = true
      return
    }
    let isHexadecimal = word.hasPrefix("0x")
    if isHexadecimal { rest.removeFirst(2) }
    guard let parts = Parts(rest, isHexadecimal: isHexadecimal) else { return nil }
    self = isHexadecimal ? parts.binary(isNegative) : parts.decimal(isNegative)
    guard !isInfinite, significand != 0 || parts.digits.isZero else { return nil }
  }

  /// A text taken apart: digits without their point, and the exponent that this leaves.
  private struct Parts {
    var digits = Magnitude()
    var exponent = 0

    init?(_ text: ArraySlice<UInt8>, isHexadecimal: Bool) {
      let base: UInt32 = isHexadecimal ? 16 : 10
      var rest = text
      var count = 0
      var point: Int?
      while let byte = rest.first {
        if byte == 0x2E, point == nil {
          point = count
        } else if let digit = isHexadecimal ? NumberText.hexadecimalDigit(byte) : NumberText.digit(byte) {
          digits.multiply(by: base, adding: UInt32(digit))
          count += 1
        } else {
          break
        }
        rest.removeFirst()
      }
      guard count > 0 else { return nil }
      exponent = -(count - (point ?? count)) * (isHexadecimal ? 4 : 1)
      guard let mark = rest.first else { return }
      guard mark | 0x20 == (isHexadecimal ? 0x70 : 0x65) else { return nil }
      guard let written = Self.exponent(rest.dropFirst()) else { return nil }
      exponent += written
    }

    /// A sign and digits; more than can matter are cut.
    private static func exponent(_ text: ArraySlice<UInt8>) -> Int? {
      var rest = text
      let isNegative = rest.first == 0x2D
      if isNegative || rest.first == 0x2B { rest.removeFirst() }
      guard !rest.isEmpty else { return nil }
      var value = 0
      for byte in rest {
        guard let digit = NumberText.digit(byte) else { return nil }
        value = min(value * 10 + Int(digit), 1_000_000)
      }
      return isNegative ? -value : value
    }

    func binary(_ isNegative: Bool) -> ExtendedNumber {
      guard digits.bitWidth + exponent > -16445 else { return .zero }
      return ExtendedNumber(isNegative: isNegative, digits, exponent: exponent, isInexact: false)
    }

    func decimal(_ isNegative: Bool) -> ExtendedNumber {
      // Beyond these, the number is infinite, or so small that it would be 0 in the 80-bit format.
      guard exponent < 5000 || digits.isZero else {
        var infinite = ExtendedNumber.zero
        infinite.isInfinite = true
        return infinite
      }
      guard exponent > -10_200, !digits.isZero else { return negativeZero(isNegative) }
      var numerator = digits
      guard exponent < 0 else {
        for _ in 0..<exponent { numerator.multiply(by: 10) }
        return ExtendedNumber(isNegative: isNegative, numerator, exponent: 0, isInexact: false)
      }
      var denominator = Magnitude(1)
      for _ in 0..<(-exponent) { denominator.multiply(by: 10) }
      // Enough bits that the quotient has 66 at least: 64, the next one, and one to round.
      let shift = max(denominator.bitWidth - numerator.bitWidth + 66, 0)
      numerator.shiftLeft(shift)
      let (quotient, isInexact) = numerator.divided(by: denominator)
      guard quotient.bitWidth - shift > -16445 else { return negativeZero(isNegative) }
      return ExtendedNumber(isNegative: isNegative, quotient, exponent: -shift, isInexact: isInexact)
    }

    private func negativeZero(_ isNegative: Bool) -> ExtendedNumber {
      var zero = ExtendedNumber.zero
      zero.isNegative = isNegative
      return zero
    }
  }
}
