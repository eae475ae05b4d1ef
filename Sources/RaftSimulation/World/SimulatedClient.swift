import RaftCore
import RaftServer

/// A client: it works on one operation after the other, and repeats in its session what ended as unknown.
struct SimulatedClient<Machine: StateMachine> {
  /// What it is working on.
  struct Operation {
    enum Kind {
      case open
      case write(Bytes, SessionStamp)
      case read(Machine.Query)
    }

    let kind: Kind
    /// Place among the recorded operations; nil for a session that is opened.
    let record: Int?
    /// What had been answered when it began happened at or before this index.
    let floor: LogIndex
    /// Where it was asked and not answered yet.
    var attempts: [(slot: Int, life: UInt64, ticket: UInt64)] = []
    var tries = 0
    /// Where it was asked last.
    var lastSlot = 0
    /// Whether an attempt may have had an effect.
    var isUncertain = false
  }

  let usesSession: Bool
  var session: UInt64 = 0
  var lastSequence: UInt64 = 0
  var operation: Operation?

  init(usesSession: Bool) { self.usesSession = usesSession }
}

/// An operation as its client saw it.
struct RecordedOperation<Machine: StateMachine> {
  enum Ending {
    case written(Machine.Outcome)
    case read(Machine.Answer)
    case notExecuted
    case unknown
  }

  let client: Int
  let operation: SimulatedOperation<Machine>
  let start: UInt64
  var command: (session: UInt64, sequence: UInt64)?
  var end: UInt64?
  var ending = Ending.unknown
}
