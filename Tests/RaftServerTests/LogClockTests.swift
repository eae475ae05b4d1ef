import RaftCore
import Testing

@testable import RaftServer

@Suite("The clock that leaders stamp into the log")
struct LogClockTests {
  private static let start: UInt64 = 1_700_000_000_000

  /// A clock that was started at `start`, and what has passed since then by ticks of 10 milliseconds.
  private struct Run {
    var clock = LogClock(
      startingAt: Moment(ticks: Ticks(500), wallMilliseconds: LogClockTests.start), tickMilliseconds: 10)
    var passed: UInt64 = 0
    /// How far the time of day is wrong.
    var error: Int64 = 0

    var truth: Int64 { Int64(LogClockTests.start + passed) }
    var moment: Moment {
      Moment(ticks: Ticks(500 + passed / 10), wallMilliseconds: UInt64(truth + error))
    }
    /// How far what is stamped is wrong.
    var stampError: Int64 { Int64(clock.time(at: moment)) - truth }

    mutating func pass(_ milliseconds: UInt64, step: UInt64 = 10) {
      for _ in 0..<(milliseconds / step) {
        passed += step
        clock.advance(to: moment)
      }
    }
  }

  @Test("as long as nobody sets it, the time of day is stamped as it is", arguments: [1, 3, 10, 70, 5_000])
  func undisturbed(_ step: UInt64) {
    var run = Run()
    for _ in 0..<200 {
      run.pass(step, step: step)
      #expect(run.stampError == 0)
    }
  }

  @Test("a clock that is set forward or back changes the pace by a tenth", arguments: [1, -1] as [Int64])
  func jumps(_ direction: Int64) {
    var run = Run()
    run.pass(1_000)
    run.error = direction * 3_600_000
    #expect(run.stampError == direction * 250)
    run.pass(10_000)
    #expect(run.stampError == direction * 1_250)
    run.pass(3_600_000)
    #expect(run.stampError == direction * 361_250)
    // It is set right again.
    run.error = 0
    run.pass(3_610_000)
    #expect(run.stampError == 0)
  }

  @Test("a small correction is followed at once")
  func smallCorrection() {
    var run = Run()
    run.error = 200
    #expect(run.stampError == 200)
    run.pass(10_000)
    run.error = 0
    #expect(run.stampError == 0)
  }

  @Test("at the ends of time nothing traps")
  func extremes() {
    for wall in [0, UInt64.max] {
      var clock = LogClock(
        startingAt: Moment(ticks: .zero, wallMilliseconds: wall), tickMilliseconds: 1_000)
      for ticks in [1, 1 << 40, UInt64.max / 2, UInt64.max] {
        for other in [0, wall, UInt64.max] {
          let moment = Moment(ticks: Ticks(ticks), wallMilliseconds: other)
          clock.advance(to: moment)
          _ = clock.time(at: moment)
        }
      }
    }
  }
}
