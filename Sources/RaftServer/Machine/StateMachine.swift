import RaftCore
import RaftStore

/// What a replica replicates: a deterministic value that commands change and queries read.
///
/// Every replica applies the same commands in the same order, and must arrive at the same state and the same results.
/// So a machine reads no clock, draws no random numbers and does not depend on the order of a `Dictionary` or `Set`:
/// time comes from ``ApplyContext/time``, which the leader stamped into the log.
public protocol StateMachine: Sendable {
  /// What changes the state. It travels through the log.
  associatedtype Command: ByteCodable
  /// What a command answers. It travels back to the node that was asked. (`Swift.Result` is another thing.)
  associatedtype Outcome: ByteCodable
  /// What asks for the state without changing it. It does not travel: it runs on the node that was asked.
  associatedtype Query: Sendable
  /// What a query answers.
  associatedtype Answer: Sendable

  /// Changes the state. An error that a command can meet is a value of `Outcome`, the same on every replica.
  mutating func apply(_ command: Command, at context: ApplyContext) -> Outcome

  /// Reads the state.
  func read(_ query: Query) -> Answer

  /// Reads the state, which is the one after the entry at `index`. By default, ``read(_:)`` is asked.
  func read(_ query: Query, at index: LogIndex) -> Answer

  /// Tells that the state, as it was found in the node's store or came in a snapshot, is the one after the entry at
  /// `index`. By default, nothing is done.
  mutating func resume(after index: LogIndex)

  /// Writes the whole state, for a restart, or for a replica that lags or is new.
  ///
  /// It runs on a copy, beside the applying of further commands. Equal states should be written as equal bytes: a transfer
  /// that is interrupted can then be continued from another replica.
  func snapshot(into writer: inout SnapshotWriter)

  /// Takes the state that ``snapshot(into:)`` wrote, on any replica, the place of this one's. It is called on a machine as it
  /// was when the replica was started.
  ///
  /// - Throws: `MalformedBytes` if it cannot be read. The replica then stops, or takes no such snapshot.
  mutating func restore(from reader: inout SnapshotReader) throws(MalformedBytes)
}

extension StateMachine {
  /// Asks ``read(_:)``.
  public func read(_ query: Query, at index: LogIndex) -> Answer { read(query) }

  /// Does nothing.
  public mutating func resume(after index: LogIndex) {}
}

/// A state machine whose state can be kept in a store of its node, so that it may be larger than memory, and a restart
/// finds it where it was.
///
/// On a node with a durable store ``keep(in:)`` is called once, before anything else. On other nodes it is not, and the
/// machine keeps its state in memory. All of them write equal snapshots.
public protocol StoredStateMachine: StateMachine {
  /// Has the machine read and write its state in `state` from now on, beginning with what is there.
  mutating func keep(in state: MachineState)

  /// The machine as `view` shows it, for ``StateMachine/snapshot(into:)`` on another thread.
  func frozen(in view: MachineStateView) -> Self
}

/// What a command may depend on besides the state.
public struct ApplyContext: Hashable, Sendable {
  /// The log index of the command: grows from one command to the next, the same on every replica.
  public let logIndex: LogIndex
  /// Milliseconds since 1970 by the clock of the leader that proposed the command, never less than for the command
  /// before it.
  public let time: UInt64

  /// Describes the circumstances of one command.
  public init(logIndex: LogIndex, time: UInt64) {
    self.logIndex = logIndex
    self.time = time
  }
}
