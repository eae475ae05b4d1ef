import RaftCore

/// How long to wait before the next attempt: doubled each time up to a limit, and drawn at random between
/// half of it and all of it, so that nodes that lost each other at the same instant do not dial at the same
/// instant.
public struct Backoff: Sendable {
  /// The first delay before jitter, in milliseconds.
  public let millisecondsMin: UInt64
  /// The longest delay, in milliseconds.
  public let millisecondsMax: UInt64
  private var ceiling: UInt64
  private var random: RandomSource

  /// Starts with the shortest delay. The same seed draws the same delays.
  public init(millisecondsMin: UInt64, millisecondsMax: UInt64, seed: UInt64) {
    precondition(
      millisecondsMin > 0 && millisecondsMin <= millisecondsMax,
      "a back-off grows from its minimum to its maximum")
    self.millisecondsMin = millisecondsMin
    self.millisecondsMax = millisecondsMax
    ceiling = millisecondsMin
    random = RandomSource(seed: seed)
  }

  /// Draws the delay before the next attempt, in milliseconds.
  public mutating func next() -> UInt64 {
    let delay = draw(below: ceiling)
    ceiling = min(ceiling &* 2, millisecondsMax)
    return delay
  }

  /// Draws a delay as after many failures, for an attempt that will hardly fare better soon.
  public mutating func nextLongest() -> UInt64 {
    ceiling = millisecondsMax
    return draw(below: ceiling)
  }

  /// Goes back to the shortest delay: the last attempt was a lasting success.
  public mutating func reset() { ceiling = millisecondsMin }

  private mutating func draw(below limit: UInt64) -> UInt64 {
    let half = limit / 2
    return limit - random.next() % (half + 1)
  }
}
