import RaftCore

/// What an observer looks at all the time.
package struct DriverGlance: Hashable, Sendable {
  package var term: Term
  package var isLeader: Bool
  package var commitIndex: LogIndex
  package var appliedIndex: LogIndex
  package var lastEntry: EntryID
  package var baseIndex: LogIndex
  package var configuration: Configuration
  /// When the shell must tell the time at the latest.
  package var nextDeadline: Ticks
}

extension Driver {
  /// Looks at the driver. It is `mutating`, although it changes nothing, so that a driver that is part of an object is
  /// looked at in place: reading it would copy it.
  package mutating func glance() -> DriverGlance {
    DriverGlance(
      term: core.node.term, isLeader: core.node.isLeader, commitIndex: core.node.commitIndex,
      appliedIndex: core.node.appliedIndex, lastEntry: core.node.lastEntry, baseIndex: core.node.baseIndex,
      configuration: core.node.configuration, nextDeadline: core.nextDeadline)
  }

  /// Looks at the protocol's state in place.
  package mutating func withNode<Result>(_ look: (borrowing RaftNode<Bytes>) -> Result) -> Result {
    look(core.node)
  }
}
