import RaftTransport

/// Why a node did not do what it was asked.
enum NodeError: Error, Hashable, CustomStringConvertible {
  /// It cannot be reached, or stopped answering.
  case unreachable(String, Obstacle)
  /// None of several nodes can be reached.
  case nobody([NodeError])
  /// It answered with an error.
  case refused(NodeFailure)
  /// It answered something else than a node would.
  case unreadable(String)
  /// What was waited for did not come; why, and what to do.
  case notInTime(String)
  /// What was asked for makes no sense as things are.
  case senseless(String)

  /// What is in the way.
  enum Obstacle: Hashable, CustomStringConvertible {
    /// The machine is there, and no process listens at the port.
    case refused
    /// Nothing came back from the machine.
    case noConnection(seconds: Int)
    /// The network knows no way to it.
    case noWay(String)
    /// The name has no address.
    case noAddress(String)
    /// The connection stands, and nothing came over it.
    case silent(seconds: Int)
    /// The connection was closed before the answer was there.
    case closed
    /// More came than any answer may have.
    case endless
    case other(String)

    var description: String {
      switch self {
      case .refused: "connection refused"
      case .noConnection(let seconds): "no connection within \(seconds) s"
      case .noWay(let reason), .noAddress(let reason), .other(let reason): reason
      case .silent(let seconds): "it took the request, and was silent for \(seconds) s"
      case .closed: "it closed the connection"
      case .endless: "its answer does not end"
      }
    }

    /// Whether it may lie in the way to the node rather than in the node.
    var isOfNetwork: Bool {
      switch self {
      case .noConnection, .noWay, .noAddress: true
      case .refused, .silent, .closed, .endless, .other: false
      }
    }

    /// Whether the request may have reached the node.
    var mayHaveArrived: Bool {
      switch self {
      case .refused, .noConnection, .noWay, .noAddress: false
      case .silent, .closed, .endless, .other: true
      }
    }
  }

  var description: String {
    switch self {
    case .unreachable(let address, let obstacle):
      "\(address) does not answer: \(obstacle)"
        + (obstacle.mayHaveArrived ? "" : ". To ask another node: --ip HOST:PORT, or several, with commas")
    case .nobody(let errors): errors.map(Self.withoutAdvice).joined(separator: "; ")
    case .refused(let failure) where failure.code == "not_leader":
      "no leader is known there at the moment: see raftnode status (not_leader, \(failure.outcome))"
    case .refused(let failure): "\(failure.message) (\(failure.code), \(failure.outcome))"
    case .unreadable(let address): "\(address) does not speak as a node of raftnode does"
    case .notInTime(let reason), .senseless(let reason): reason
    }
  }

  private static func withoutAdvice(_ error: NodeError) -> String {
    if case .unreachable(let address, let obstacle) = error {
      return "\(address) does not answer: \(obstacle)"
    }
    return error.description
  }

  var status: ExitStatus {
    switch self {
    case .unreachable, .nobody, .unreadable: .unavailable
    case .refused, .notInTime: .refused
    case .senseless: .usage
    }
  }
}
