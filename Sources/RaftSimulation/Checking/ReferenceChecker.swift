import RaftCore
import RaftServer

/// Judges the answers that clients get by what one machine answers that applies the committed entries alone, one after the
/// other: the order of the log is the order in which everything must seem to happen, once each.
struct ReferenceChecker<Machine: StateMachine> where Machine.Answer: Equatable {
  /// Names a command for ever: its session, and its number in it.
  struct CommandID: Hashable {
    var session: UInt64
    var sequence: UInt64
  }

  /// What a read may be answered with.
  struct PendingRead {
    let query: Machine.Query
    /// The answers of the states since it began, each from an index on.
    var answers: [(since: LogIndex, answer: Machine.Answer)]
  }

  private(set) var applier: Applier<Machine>
  private var executed: [CommandID: (index: LogIndex, outcome: Bytes)] = [:]
  private var pendingReads: [Int: PendingRead] = [:]
  private var pendingOrder: [Int] = []
  /// Everything that was answered so far happened at or before this index.
  private(set) var answered = LogIndex.zero

  init(_ blank: Applier<Machine>) { applier = blank }

  /// Follows the committed log.
  mutating func follow(_ committed: [Entry<Bytes>], _ report: (String) -> Void) {
    while applier.last.index.rawValue < UInt64(committed.count) {
      let entry = committed[Int(applier.last.index.rawValue)]
      let effect = applier.apply(entry)
      if case .payload(let bytes) = entry.content, let envelope = try? CommandEnvelope(decoding: bytes) {
        note(effect, envelope.session, at: entry.id.index, report)
      }
      refreshReads()
    }
  }

  private mutating func note(
    _ effect: Applier<Machine>.Effect, _ stamp: SessionStamp, at index: LogIndex, _ report: (String) -> Void
  ) {
    guard case .outcome(let outcome) = effect, stamp.session != 0 else { return }
    let id = CommandID(session: stamp.session, sequence: stamp.sequence)
    if let known = executed[id] {
      report(
        "command \(stamp.sequence) of session \(stamp.session) ran at entries \(known.index) and \(index)")
    }
    executed[id] = (index, outcome.encoded())
  }

  // MARK: - Writes

  /// Judges the answer to a command.
  ///
  /// - Parameter floor: What had been answered when the command was asked for happened at or before this index.
  mutating func judge(
    _ id: CommandID, outcome: Machine.Outcome, floor: LogIndex, _ report: (String) -> Void
  ) {
    guard let known = executed[id] else {
      return report("command \(id.sequence) of session \(id.session) was answered, and is not in the log")
    }
    if known.outcome != outcome.encoded() {
      report(
        "command \(id.sequence) of session \(id.session), entry \(known.index), was answered with \(outcome), and led to something else"
      )
    }
    if known.index <= floor {
      report(
        "command \(id.sequence) of session \(id.session) happened at entry \(known.index), before what had been answered when it began (entry \(floor))"
      )
    }
    answered = max(answered, known.index)
  }

  /// Whether a command ran.
  func didRun(_ id: CommandID) -> Bool { executed[id] != nil }

  // MARK: - Reads

  mutating func begin(read: Int, _ query: Machine.Query) {
    pendingReads[read] = PendingRead(
      query: query, answers: [(applier.last.index, applier.machine.read(query))])
    pendingOrder.append(read)
  }

  mutating func forget(read: Int) {
    pendingReads[read] = nil
    pendingOrder.removeAll { $0 == read }
  }

  mutating func judge(read: Int, answer: Machine.Answer, floor: LogIndex, _ report: (String) -> Void) {
    guard let pending = pendingReads[read] else { return }
    forget(read: read)
    guard let fitting = pending.answers.first(where: { $0.answer == answer }) else {
      return report(
        "a read was answered with \(answer); the states since it began, at entry \(pending.answers[0].since), answer \(pending.answers.map { "\($0.answer)" }.joined(separator: ", "))"
      )
    }
    answered = max(answered, min(fitting.since, applier.last.index))
  }

  private mutating func refreshReads() {
    for read in pendingOrder {
      guard let pending = pendingReads[read] else { continue }
      let answer = applier.machine.read(pending.query)
      if pending.answers.last?.answer != answer {
        pendingReads[read]?.answers.append((applier.last.index, answer))
      }
    }
  }
}
