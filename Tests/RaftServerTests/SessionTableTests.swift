import RaftCore
import Testing

@testable import RaftServer

@Suite("Client sessions (thesis §6.3)")
struct SessionTableTests {
  private func stamp(_ session: UInt64, _ sequence: UInt64, from lowest: UInt64 = 1) -> SessionStamp {
    SessionStamp(session: session, sequence: sequence, lowestUnacknowledged: lowest)
  }

  private func envelope(
    _ kind: CommandEnvelope.Kind = .command, _ stamp: SessionStamp = .none, time: UInt64 = 0, amount: Int = 1
  ) -> Bytes {
    CommandEnvelope(
      kind: kind, leaderTime: time, session: stamp,
      operation: kind == .command ? Register.Add(amount).encoded() : []
    ).encoded()
  }

  private func entry(_ index: UInt64, _ bytes: Bytes) -> Entry<Bytes> {
    Entry(
      id: EntryID(term: Term(1), index: LogIndex(index)), content: .payload(bytes), bytes: UInt32(bytes.count)
    )
  }

  private func applier(sessions: Int = 10, outcomes: Int = 10) -> Applier<Register> {
    var applier = Applier(Register(), sessionsMax: sessions, outcomesMax: outcomes)
    for index in 1...4 as ClosedRange<UInt64> {
      _ = applier.apply(
        Entry(id: EntryID(term: Term(1), index: LogIndex(index)), content: .empty, bytes: 0))
    }
    return applier
  }

  @Test("a command that comes twice runs once, and answers the same twice")
  func repeatedCommand() {
    var applier = applier()
    _ = applier.apply(entry(5, envelope(.openSession)))
    guard case .outcome(1) = applier.apply(entry(6, envelope(.command, stamp(5, 1)))) else {
      Issue.record("the first copy runs")
      return
    }
    guard case .repeated(let bytes) = applier.apply(entry(7, envelope(.command, stamp(5, 1)))) else {
      Issue.record("the second copy is answered from memory")
      return
    }
    #expect(bytes == 1.encoded())
    #expect(applier.machine.value == 1)
  }

  @Test("a command of an unknown, closed or forgotten session runs nothing")
  func unknownSession() {
    var applier = applier(sessions: 2)
    for index in [5, 6, 7] as [UInt64] { _ = applier.apply(entry(index, envelope(.openSession))) }
    _ = applier.apply(entry(8, envelope(.closeSession, stamp(6, 0))))
    for session in [5, 6, 99] as [UInt64] {
      var copy = applier
      guard case .sessionExpired = copy.apply(entry(9, envelope(.command, stamp(session, 1)))) else {
        Issue.record("session \(session) is not known")
        continue
      }
    }
    #expect(applier.machine.value == 0)
  }

  @Test("a late copy of an acknowledged command runs nothing")
  func lateCopy() {
    var applier = applier()
    _ = applier.apply(entry(5, envelope(.openSession)))
    _ = applier.apply(entry(6, envelope(.command, stamp(5, 1))))
    _ = applier.apply(entry(7, envelope(.command, stamp(5, 2, from: 2))))
    guard case .sessionExpired = applier.apply(entry(8, envelope(.command, stamp(5, 1)))) else {
      Issue.record("an acknowledged command does not run again")
      return
    }
    #expect(applier.machine.value == 2)
  }

  @Test("a client that acknowledges nothing loses its session instead of growing the table")
  func boundedOutcomes() {
    var applier = applier(outcomes: 3)
    _ = applier.apply(entry(5, envelope(.openSession)))
    for sequence in 1...3 as ClosedRange<UInt64> {
      _ = applier.apply(entry(5 + sequence, envelope(.command, stamp(5, sequence))))
    }
    guard case .sessionExpired = applier.apply(entry(9, envelope(.command, stamp(5, 4)))) else {
      Issue.record("the fourth unacknowledged command ends the session")
      return
    }
    #expect(applier.machine.value == 3)
  }

  @Test("commands never see time go back, whatever leaders stamp")
  func timeIsMonotone() {
    var applier = applier()
    for (index, time) in [(5, 100), (6, 90), (7, 120)] as [(UInt64, UInt64)] {
      _ = applier.apply(entry(index, envelope(time: time)))
    }
    #expect(applier.machine.times == [100, 100, 120])
  }

  @Test("a snapshot holds the sessions: a retry after it is answered, and not run again (scenario 79)")
  func sessionsAreInSnapshots() throws {
    var first = applier()
    _ = first.apply(entry(5, envelope(.openSession)))
    _ = first.apply(entry(6, envelope(.command, stamp(5, 1), time: 70)))
    let blank = Applier(Register(), sessionsMax: 10, outcomesMax: 10)
    var second = try blank.restored(from: first.snapshot(), last: first.last)
    guard case .repeated(let bytes) = second.apply(entry(7, envelope(.command, stamp(5, 1)))) else {
      Issue.record("the command is known to have run")
      return
    }
    #expect(bytes == 1.encoded())
    #expect(second.machine.value == 1)
    #expect(second.time == 70)
  }

  @Test("a snapshot of another entry, a damaged one and one of another format are refused")
  func badSnapshots() throws {
    var first = applier()
    _ = first.apply(entry(5, envelope(.openSession)))
    let blank = Applier(Register(), sessionsMax: 10, outcomesMax: 10)
    let bytes = first.snapshot()
    #expect(throws: MalformedBytes.self) {
      _ = try blank.restored(from: bytes, last: EntryID(term: Term(1), index: LogIndex(6)))
    }
    #expect(throws: MalformedBytes.self) { _ = try blank.restored(from: bytes.dropLast(), last: first.last) }
    #expect(throws: MalformedBytes.self) {
      _ = try blank.restored(from: [2] + bytes.dropFirst(), last: first.last)
    }
    #expect(throws: MalformedBytes.self) { _ = try blank.restored(from: bytes + [0], last: first.last) }
  }

  @Test("an entry that cannot be read changes nothing and says so")
  func unreadableEntries() {
    let applier = applier()
    for bytes in [[], [1], [9, 1] + Bytes(repeating: 0, count: 40), Array(envelope().dropLast())] as [Bytes] {
      var copy = applier
      guard case .unreadable = copy.apply(entry(5, bytes)) else {
        Issue.record("\(bytes) is no command")
        continue
      }
    }
    #expect(applier.machine.value == 0)
  }
}
