import RaftCore

/// A client session (thesis §6.3): its commands run exactly once, however often they are sent, through any replica.
///
/// The cluster remembers the outcome of each command until a later one says that it was received. If the session is not
/// used for long while many others are, the cluster may forget it; commands then end as `session_expired`.
public actor ClientSession<Machine: StateMachine> {
  /// The session's name, as the cluster issued it.
  public nonisolated let id: UInt64
  private let replica: Replica<Machine>
  private var lastSequence: UInt64 = 0
  /// Commands whose outcome this side has not got, ascending.
  private var unacknowledged: [UInt64] = []

  init(replica: Replica<Machine>, id: UInt64) {
    self.replica = replica
    self.id = id
  }

  /// Runs a command exactly once, trying again as long as its outcome is unknown and `attempts` allow it.
  ///
  /// - Parameters:
  ///   - command: What to do.
  ///   - attempts: How often it is sent at most.
  ///   - milliseconds: How long each attempt may take.
  /// - Throws: ``ReplicaError`` of the last attempt. After `.unknown` the command may still have run, once.
  public func propose(
    _ command: Machine.Command, attempts: Int = 5, within milliseconds: UInt64? = nil
  ) async throws(ReplicaError) -> Machine.Outcome {
    lastSequence += 1
    let sequence = lastSequence
    unacknowledged.append(sequence)
    defer { unacknowledged.removeAll { $0 == sequence } }
    var mayHaveRun = false
    for attempt in 1... {
      let stamp = SessionStamp(
        session: id, sequence: sequence, lowestUnacknowledged: unacknowledged.first ?? sequence)
      do {
        return try await replica.propose(command, stamp: stamp, within: milliseconds)
      } catch {
        if case .unknown = error { mayHaveRun = true }
        let isFinal =
          error.reason == .sessionExpired || error.reason == .stopping || error.reason == .tooLarge
        guard !isFinal, attempt < attempts else {
          throw mayHaveRun ? .unknown(error.reason) : error
        }
      }
    }
    throw .unknown(.deadline)
  }

  /// Ends the session: the cluster forgets it.
  public func close(within milliseconds: UInt64? = nil) async throws(ReplicaError) {
    try await replica.closeSession(id, within: milliseconds)
  }
}
