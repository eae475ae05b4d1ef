/// What the process ends with, after `sysexits.h`, so that whoever starts it can act on it without reading its log.
enum ExitStatus: Int32, CaseIterable {
  /// Stopped by a signal, or only asked for help.
  case success = 0
  /// Of a command that asks: what was asked for is not there, or something is wrong with what was looked at.
  case negative = 1
  /// Options that are wrong, or contradict each other, or ask for what this version does not have.
  case usage = 64
  /// `--ip` cannot be listened on: in use, no address of this machine, not permitted, or a name without an address.
  case unavailable = 69
  /// The store failed; what it holds is not trusted any more.
  case storeFailed = 74
  /// A node refused what a command asked it for, or has stopped without having left its cluster.
  case refused = 75
  /// The node was removed from its cluster.
  case removed = 77

  /// What the help says about it.
  var explanation: String {
    switch self {
    case .success: "stopped by SIGTERM or SIGINT, or only asked for help"
    case .negative:
      "get: no such key; status: something is wrong with the cluster; check: something is wrong with the directory"
    case .usage: "wrong or contradictory options"
    case .unavailable:
      "cannot reach the node that is asked, or cannot listen at --ip: in use, not permitted, or no address of this machine"
    case .storeFailed: "the store failed"
    case .refused: "a node refused what it was asked for, or has stopped without having left its cluster"
    case .removed: "the node was removed from its cluster"
    }
  }
}
