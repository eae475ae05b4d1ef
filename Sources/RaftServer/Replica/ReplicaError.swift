/// Why a request was not answered with a result. What the caller needs to know first is which of the two cases it is:
/// after ``notExecuted(_:)`` the command has no effect, now or later; after ``unknown(_:)`` it may or may not have one.
public enum ReplicaError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The request was refused before it was proposed, was withdrawn unsent, or another term committed at its position.
  case notExecuted(Reason)
  /// The request was sent on its way and its end was not learned.
  case unknown(Reason)

  /// What happened.
  public enum Reason: String, Hashable, Sendable {
    /// No leader was found before the deadline.
    case noLeader = "no_leader"
    /// The deadline passed.
    case deadline
    /// A queue is full; try again later.
    case busy
    /// The request is larger than the limit.
    case tooLarge = "too_large"
    /// The leader that had taken the request lost its leadership.
    case leadershipLost = "leadership_lost"
    /// The connection to the leader broke.
    case connectionLost = "connection_lost"
    /// This node is stopping.
    case stopping
    /// The client session is not, or no longer, known; whether the command ran earlier cannot be told.
    case sessionExpired = "session_expired"
    /// This node is in no cluster yet: it is still waiting for its peers.
    case notReady = "not_ready"
  }

  /// What happened, whichever of the two cases it is.
  public var reason: Reason {
    switch self {
    case .notExecuted(let reason), .unknown(let reason): reason
    }
  }

  /// The value in words, as logs print it.
  public var description: String {
    switch self {
    case .notExecuted(let reason): "not executed: \(reason.explanation)"
    case .unknown(let reason): "outcome unknown: \(reason.explanation)"
    }
  }
}

extension ReplicaError.Reason {
  /// A sentence for a person.
  public var explanation: String {
    switch self {
    case .noLeader: "no leader was found before the deadline"
    case .deadline: "the deadline passed"
    case .busy: "too many requests are waiting; try again later"
    case .tooLarge: "the request is larger than the limit"
    case .leadershipLost: "the leader lost its leadership before the request was committed"
    case .connectionLost: "the connection to the leader broke"
    case .stopping: "the node is stopping"
    case .sessionExpired: "the client session is unknown or has expired"
    case .notReady: "the node is in no cluster yet and still waits for its peers"
    }
  }
}
