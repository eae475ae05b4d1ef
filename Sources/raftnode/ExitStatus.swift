import ArgumentParser
import RaftTransport

/// What the process ends with, after `sysexits.h`, so that whoever starts it can act on it without reading its log.
enum ExitStatus: Int32, CaseIterable {
  /// Stopped by a signal, or only asked for help.
  case success = 0
  /// Options that are wrong, or contradict each other, or ask for what this version does not have.
  case usage = 64
  /// `--ip` cannot be listened on: in use, no address of this machine, or its host name cannot be resolved.
  case unavailable = 69
  /// The node met something that should not happen, and gave up.
  case software = 70
  /// The store failed; what it holds is not trusted any more.
  case storeFailed = 74
  /// The system does not permit this process to use the address.
  case notPermitted = 77
  /// The peers form a running cluster, and this node is not a member of it.
  case notAMember = 78

  /// What the help says about it.
  var explanation: String {
    switch self {
    case .success: "stopped by SIGTERM or SIGINT, or only asked for help"
    case .usage: "wrong or contradictory options"
    case .unavailable: "cannot listen at --ip: in use, or no address of this machine"
    case .software: "internal error"
    case .storeFailed: "the store failed"
    case .notPermitted: "not permitted to listen at --ip"
    case .notAMember: "the peers form a running cluster without this node"
    }
  }

  /// The status for a node that cannot listen.
  init(_ error: TransportError) {
    switch error {
    case .addressInUse, .addressNotAvailable, .cannotResolve, .system: self = .unavailable
    case .notPermitted: self = .notPermitted
    case .badAddress: self = .usage
    }
  }
}
