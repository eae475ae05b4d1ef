/// A running hash of everything that happened in a run: two runs that differ anywhere differ here. The same on every
/// machine, and in every build.
public struct TraceHash: Hashable, Sendable {
  /// The hash of all that was added so far.
  public private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

  /// The hash of nothing.
  public init() {}

  /// Adds a number.
  public mutating func add(_ number: UInt64) {
    var mixed = (value ^ number) &* 0xBF58_476D_1CE4_E5B9
    mixed ^= mixed >> 31
    value = mixed &* 0x94D0_49BB_1331_11EB ^ mixed >> 29
  }
}
