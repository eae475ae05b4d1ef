import RaftCore

/// What a leader stamps into its proposals: the time of day by its clock, as long as that runs like time does.
///
/// The clock of a machine may be set forward or back while the node runs. Time in the log would then jump, so that
/// everything expires that has hours to live, or stand still until the clock is back where it was. Here an estimate runs
/// along with the monotonic clock, and is drawn towards the time of day by a tenth of the time that passes. The time of day
/// is what is stamped as long as it is near the estimate; otherwise it is the estimate.
///
/// When the process starts the time of day is believed: nothing else is known then.
struct LogClock: Sendable {
  /// How far the time of day may be from the estimate, in milliseconds. More than clocks are set by that are kept in step,
  /// and than the grain of the ticks.
  static let slackMilliseconds: UInt64 = 250
  /// How much of the time that passes the estimate gains or loses: one part of so many.
  private static let share: UInt64 = 10

  private let tickMilliseconds: UInt64
  private var ticks: Ticks
  /// In milliseconds since 1970.
  private var estimate: UInt64

  init(startingAt moment: Moment, tickMilliseconds: Int) {
    self.tickMilliseconds = UInt64(max(1, tickMilliseconds))
    ticks = moment.ticks
    estimate = moment.wallMilliseconds
  }

  /// Lets time pass.
  mutating func advance(to moment: Moment) {
    guard moment.ticks > ticks else { return }
    let passed = (moment.ticks.rawValue - ticks.rawValue).multipliedReportingOverflow(by: tickMilliseconds)
    // Of less, no share is left.
    guard !passed.overflow, passed.partialValue >= Self.share else { return }
    ticks = moment.ticks
    let mostDrawn = passed.partialValue / Self.share
    let (expected, isTooLate) = estimate.addingReportingOverflow(passed.partialValue)
    guard !isTooLate else { return }
    let wall = moment.wallMilliseconds
    estimate =
      wall > expected
      ? expected + min(wall - expected, mostDrawn) : expected - min(expected - wall, mostDrawn)
  }

  /// What is to be stamped into a proposal, apart from what was stamped before.
  func time(at moment: Moment) -> UInt64 {
    let lowest = estimate - min(estimate, Self.slackMilliseconds)
    let (highest, isTooLate) = estimate.addingReportingOverflow(Self.slackMilliseconds)
    return min(max(moment.wallMilliseconds, lowest), isTooLate ? .max : highest)
  }
}
