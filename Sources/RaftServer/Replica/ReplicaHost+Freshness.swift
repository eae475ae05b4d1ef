import RaftCore
import RaftTransport

// How current the state machine of this node is, and who is told when it changes.

extension ReplicaHost {
  /// Tells whoever waits for it that entries were applied, or a snapshot was installed. Comes after the answers.
  func noticeApplied() {
    guard let whenApplied, let running else { return }
    let applied = running.driver.appliedIndex
    guard applied != noticedIndex else { return }
    noticedIndex = applied
    whenApplied()
  }

  /// For how many milliseconds at most the state machine may have been behind; nil if that is not known.
  ///
  /// What the leader has sent last says nothing about that: it may have been long on its way, or this node may have been
  /// stopped before it looked. Only a question that was answered does, and its time is the one at which it was asked.
  var ageMilliseconds: UInt64? {
    loop.preconditionOnLoop()
    guard let asked = running?.driver.currentAsOf else { return nil }
    let instant = asked.rawValue * UInt64(options.tickMilliseconds)
    return loop.milliseconds - min(instant, loop.milliseconds)
  }
}

extension Driver {
  /// An instant at which the state machine as it is now was not behind any acknowledged write; nil if none is known.
  var currentAsOf: Ticks? { core.reads.currentAsOf }

  /// What would be stamped into a proposal now.
  var proposalTime: UInt64 { core.proposalTime }
}

extension Replica {
  /// Has `handler` called each time that the state machine has changed, after the answers to those who waited for it. There
  /// is one such handler. To be called on ``loop``, which calls back.
  public func whenApplied(_ handler: @escaping () -> Void) {
    loop.preconditionOnLoop()
    host.whenApplied = handler
  }

  /// For how many milliseconds at most this replica may lack writes that others have acknowledged; nil if that is not known,
  /// because it has not been asked for a linearizable read since it was started. To be asked on ``loop``.
  public var ageMilliseconds: UInt64? { host.ageMilliseconds }

  /// What time it would be for the state machine if this replica proposed a command now, in milliseconds since 1970; 0 while
  /// it waits to be founded. To be asked on ``loop``.
  public var proposalTime: UInt64 { host.withDriver { $0.proposalTime } ?? 0 }

  /// Whether the members, as this replica knows them, are to use lease reads. To be asked on ``loop``.
  public var usesLeaseReads: Bool { host.running?.driver.node.configuration.usesLeaseReads ?? false }
}
