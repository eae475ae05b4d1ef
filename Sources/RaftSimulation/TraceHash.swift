/// A running hash (FNV-1a, 64 bits) of everything that happened: two runs that differ anywhere differ here.
public struct TraceHash: Hashable, Sendable {
  /// The hash of all that was added so far.
  public private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

  /// The hash of nothing.
  public init() {}

  /// Adds a number.
  public mutating func add(_ number: UInt64) {
    for shift in stride(from: UInt64(0), to: 64, by: 8) {
      value = (value ^ (number >> shift & 0xFF)) &* 0x0000_0100_0000_01B3
    }
  }

  /// Adds bytes.
  public mutating func add(_ bytes: [UInt8]) {
    for byte in bytes { value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
  }
}
