import Logging
import RaftServer

/// Turns what happens to a replica into lines of a log.
///
/// A value without a clock or a logger, so that tests see what an operator would. Peers and strangers can cause any
/// number of refusals and violations; the log says each only once in a while, so that they cannot fill a disk.
struct EventLog: Sendable {
  /// One line.
  struct Line: Hashable, Sendable {
    var level: Logger.Level
    var message: String
  }

  /// A refusal that repeats is logged again after this time.
  static let repetitionMilliseconds: UInt64 = 60_000
  /// The most violations and refusals that are logged in one ``repetitionMilliseconds``.
  static let noticesMax = 20

  private var periodStart: UInt64 = 0
  /// Notices logged in the period; never more than ``noticesMax``.
  private var logged: [String] = []
  private var suppressed = 0

  /// The lines for one event. `now` is in milliseconds of any clock that does not go back.
  mutating func lines(for event: ReplicaEvent, at now: UInt64) -> [Line] {
    var lines = endPeriod(at: now)
    let line = Line(level: Self.level(of: event), message: event.description)
    switch event {
    case .refused, .violation, .absentKept, .joinWaits, .joinRefused, .newcomerRefused, .foundersDiffer:
      guard !logged.contains(line.message) else { return lines }
      guard logged.count < Self.noticesMax else {
        suppressed += 1
        return lines
      }
      logged.append(line.message)
    case .waiting, .founded, .hintFailed, .joining, .joined, .configurationChanged, .removed, .roleChanged,
      .left, .leaveFailed, .removingAbsent, .moved, .leaderChanged, .memberReachable, .memberUnreachable,
      .memberLeftBehind, .snapshotInstalled, .unreadableEntry, .resumed, .replaying, .recovered, .storeHangs,
      .storeGoesOn, .storeFailed, .stopped:
      break
    }
    lines.append(line)
    return lines
  }

  private mutating func endPeriod(at now: UInt64) -> [Line] {
    guard now >= periodStart + Self.repetitionMilliseconds else { return [] }
    let left = suppressed
    periodStart = now
    logged.removeAll(keepingCapacity: true)
    suppressed = 0
    guard left > 0 else { return [] }
    return [Line(level: .warning, message: "\(left) more refusals or bad messages were not logged")]
  }

  static func level(of event: ReplicaEvent) -> Logger.Level {
    switch event {
    case .waiting, .founded, .joining, .joined, .joinWaits, .configurationChanged, .resumed, .replaying,
      .recovered, .memberReachable, .snapshotInstalled, .left, .stopped:
      .info
    case .roleChanged(let role, _): role == .candidate ? .debug : .info
    case .leaderChanged(let address, _): address == nil ? .notice : .info
    case .removingAbsent, .moved: .notice
    case .storeHangs, .storeGoesOn, .leaveFailed, .absentKept, .memberUnreachable, .memberLeftBehind,
      .foundersDiffer, .joinRefused, .newcomerRefused, .hintFailed, .refused, .violation:
      .warning
    case .unreadableEntry, .removed: .error
    case .storeFailed: .critical
    }
  }
}
