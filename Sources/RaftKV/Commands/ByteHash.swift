import RaftCore

/// A hash of bytes that is the same on every machine, and must never change: what is stored depends on it.
///
/// Eight bytes at a time are joined to the state, whose bits are then mixed by steps that can all be undone: two texts
/// of one length that differ in one such part never collide.
enum ByteHash {
  /// The hash of the bytes from `start` on.
  static func hash(_ bytes: Bytes, from start: Int = 0, seed: UInt64) -> UInt64 {
    var state = mix(seed ^ UInt64(bytes.count - start) &* thirdFactor)
    var index = start
    while index + 8 <= bytes.count {
      state = mix(state ^ bytes.littleEndian(at: index))
      index += 8
    }
    guard index < bytes.count else { return mix(state) }
    var rest: UInt64 = 0
    for offset in index..<bytes.count { rest |= UInt64(bytes[offset]) << UInt64(8 * (offset - index)) }
    return mix(mix(state ^ rest))
  }

  /// Spreads each bit over all. The sum keeps 0 from staying 0.
  private static func mix(_ value: UInt64) -> UInt64 {
    var mixed = value &+ thirdFactor
    mixed = (mixed ^ mixed >> 32) &* firstFactor
    mixed = (mixed ^ mixed >> 29) &* secondFactor
    return mixed ^ mixed >> 32
  }

  // Odd numbers whose bits have no pattern: the fractions of the square roots of 2, 3 and 5.
  private static let firstFactor: UInt64 = 0x6A09_E667_F3BC_C909
  private static let secondFactor: UInt64 = 0xBB67_AE85_84CA_A73B
  private static let thirdFactor: UInt64 = 0x3C6E_F372_FE94_F82B
}
