import RaftCore

/// Applies committed entries, in order, to the state machine and the session table.
package struct Applier<Machine: StateMachine>: Sendable {
  package private(set) var machine: Machine
  private var sessions: SessionTable
  /// Time of the last applied command. Part of the replicated state: commands never see time go back.
  private(set) var time: UInt64 = 0

  /// What an entry led to.
  enum Effect {
    /// Nobody can have asked for it.
    case none
    /// A command ran now.
    case outcome(Machine.Outcome)
    /// A command had run before; this is what it answered then.
    case repeated(Bytes)
    /// A session was opened.
    case opened(UInt64)
    /// A session was closed.
    case closed
    /// The session is unknown: nothing ran.
    case sessionExpired
    /// The entry cannot be read by this version: nothing ran, on any node that cannot read it.
    case unreadable(String)
  }

  init(_ machine: Machine, sessionsMax: Int, outcomesMax: Int) {
    self.machine = machine
    sessions = SessionTable(sessionsMax: sessionsMax, outcomesMax: outcomesMax)
  }

  mutating func apply(_ entry: Entry<Bytes>) -> Effect {
    guard case .payload(let bytes) = entry.content else { return .none }
    do {
      return try run(try CommandEnvelope(decoding: bytes), at: entry.id.index)
    } catch {
      return .unreadable("\(error)")
    }
  }

  private mutating func run(_ envelope: CommandEnvelope, at index: LogIndex) throws(MalformedBytes) -> Effect
  {
    time = max(time, envelope.leaderTime)
    switch envelope.kind {
    case .openSession:
      sessions.open(at: index)
      return .opened(index.rawValue)
    case .closeSession:
      sessions.close(envelope.session.session)
      return .closed
    case .command:
      let command = try Machine.Command(decoding: envelope.operation)
      switch sessions.judge(envelope.session, at: index) {
      case .expired: return .sessionExpired
      case .answer(let outcome): return .repeated(outcome)
      case .execute: break
      }
      let outcome = machine.apply(command, at: ApplyContext(logIndex: index, time: time))
      if envelope.session.session != 0 { sessions.remember(outcome.encoded(), for: envelope.session) }
      return .outcome(outcome)
    }
  }
}
