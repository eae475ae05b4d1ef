/// A whole number without a sign, of any size, for the conversions between decimal and binary fractions that must be
/// exact.
struct Magnitude: Hashable, Sendable {
  /// 32 bits each, the lowest first, without zeros at the end.
  private var limbs: [UInt32] = []

  init() {}

  init(_ value: UInt64) {
    limbs = [UInt32(truncatingIfNeeded: value), UInt32(truncatingIfNeeded: value >> 32)]
    trim()
  }

  var isZero: Bool { limbs.isEmpty }

  /// How many bits it takes; 0 for zero.
  var bitWidth: Int {
    guard let last = limbs.last else { return 0 }
    return limbs.count * 32 - last.leadingZeroBitCount
  }

  /// Multiplies by a number and adds another one.
  mutating func multiply(by factor: UInt32, adding addend: UInt32 = 0) {
    var carry = UInt64(addend)
    for index in limbs.indices {
      carry += UInt64(limbs[index]) * UInt64(factor)
      limbs[index] = UInt32(truncatingIfNeeded: carry)
      carry >>= 32
    }
    if carry > 0 { limbs.append(UInt32(carry)) }
    trim()
  }

  /// Divides by a number that is not 0.
  ///
  /// - Returns: The rest.
  mutating func divide(by divisor: UInt32) -> UInt32 {
    var rest: UInt64 = 0
    for index in limbs.indices.reversed() {
      let part = rest << 32 | UInt64(limbs[index])
      limbs[index] = UInt32(part / UInt64(divisor))
      rest = part % UInt64(divisor)
    }
    trim()
    return UInt32(rest)
  }

  /// Multiplies by a power of two.
  mutating func shiftLeft(_ count: Int) {
    guard count > 0, !isZero else { return }
    let bits = count % 32
    if bits > 0 { multiply(by: 1 << UInt32(bits)) }
    limbs.insert(contentsOf: repeatElement(0, count: count / 32), at: 0)
  }

  /// Adds a number.
  mutating func add(_ other: Magnitude) {
    if limbs.count < other.limbs.count {
      limbs += repeatElement(0, count: other.limbs.count - limbs.count)
    }
    var carry: UInt64 = 0
    for index in limbs.indices {
      carry += UInt64(limbs[index])
      if index < other.limbs.count { carry += UInt64(other.limbs[index]) }
      limbs[index] = UInt32(truncatingIfNeeded: carry)
      carry >>= 32
    }
    if carry > 0 { limbs.append(UInt32(carry)) }
  }

  /// Divides by a number that is not 0, a bit at a time.
  ///
  /// - Returns: The quotient, rounded down, and whether there is a rest.
  func divided(by divisor: Magnitude) -> (quotient: Magnitude, hasRest: Bool) {
    var quotient = Magnitude()
    quotient.limbs = Array(repeating: 0, count: limbs.count)
    var rest = Magnitude()
    for index in stride(from: bitWidth - 1, through: 0, by: -1) {
      rest.multiply(by: 2, adding: bit(index) ? 1 : 0)
      guard !(rest < divisor) else { continue }
      rest.subtract(divisor)
      quotient.limbs[index / 32] |= 1 << UInt32(index % 32)
    }
    quotient.trim()
    return (quotient, !rest.isZero)
  }

  /// Subtracts a number that is not greater.
  mutating func subtract(_ other: Magnitude) {
    var borrow: Int64 = 0
    for index in limbs.indices {
      var part = Int64(limbs[index]) + borrow
      if index < other.limbs.count { part -= Int64(other.limbs[index]) }
      borrow = part < 0 ? -1 : 0
      limbs[index] = UInt32(truncatingIfNeeded: part)
    }
    trim()
  }

  static func < (left: Magnitude, right: Magnitude) -> Bool {
    guard left.limbs.count == right.limbs.count else { return left.limbs.count < right.limbs.count }
    for index in left.limbs.indices.reversed() where left.limbs[index] != right.limbs[index] {
      return left.limbs[index] < right.limbs[index]
    }
    return false
  }

  /// The highest 64 bits, or all of them if there are less, and how many are left out below.
  var highest: (bits: UInt64, shift: Int) {
    let shift = max(bitWidth - 64, 0)
    var bits: UInt64 = 0
    for index in stride(from: bitWidth - 1, through: shift, by: -1) {
      bits = bits << 1 | (bit(index) ? 1 : 0)
    }
    return (bits, shift)
  }

  /// The bit that stands for two to the power of `index`.
  func bit(_ index: Int) -> Bool {
    index / 32 < limbs.count && limbs[index / 32] >> UInt32(index % 32) & 1 == 1
  }

  /// Whether one of the lowest `count` bits is set.
  func hasBits(below count: Int) -> Bool { (0..<count).contains { bit($0) } }

  /// The decimal digits.
  var decimal: String {
    guard !isZero else { return "0" }
    var rest = self
    var groups: [String] = []
    while !rest.isZero {
      let group = String(rest.divide(by: 1_000_000_000))
      groups.append(rest.isZero ? group : String(repeating: "0", count: 9 - group.count) + group)
    }
    return groups.reversed().joined()
  }

  private mutating func trim() {
    while limbs.last == 0 { limbs.removeLast() }
  }
}
