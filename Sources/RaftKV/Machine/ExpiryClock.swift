import RaftCore
import RaftServer
import RaftTransport

/// Lets time pass in the log of a cluster in which nothing else happens: the leader proposes a tick when something is about
/// to expire, and, while anything can, from time to time, so that the time that is left is told aright.
///
/// Time in the log is the leader's clock, and never goes back. A key is gone at the latest some tens of milliseconds after
/// its time, if there is a leader, and never comes back, whoever leads then. A leader whose clock was ahead when its process
/// started lets keys expire early; one that is set while the process runs makes time in the log go a tenth faster or
/// slower at most, until both agree.
///
/// `@unchecked Sendable`: confined to the replica's loop.
public final class ExpiryClock<Machine: StateMachine>: @unchecked Sendable
where
  Machine.Command == KeyValueCommand, Machine.Outcome == KeyValueOutcome,
  Machine.Query == KeyValueQuery, Machine.Answer == KeyValueAnswer
{
  /// How often it is looked whether something has expired, in milliseconds.
  private let period: UInt64 = 20
  /// How far the log's time may be behind while something can expire, in milliseconds.
  private let lagMax: UInt64 = 500
  private unowned let replica: Replica<Machine>
  private var timer: LoopTimer?
  private var isProposing = false

  /// Begins to look after the clock of a replica, until it is gone.
  ///
  /// - Parameter replica: On its loop everything happens.
  public init(of replica: Replica<Machine>) {
    self.replica = replica
    replica.loop.async { [weak self] in self?.look() }
  }

  private func look() {
    timer = replica.loop.schedule(after: period) { [weak self] in self?.look() }
    guard !isProposing, replica.isLeader else { return }
    replica.read(.clock, .stale, within: nil) { [weak self] answer in
      guard let self, case .success(.clock(let now, let nextExpiry?)) = answer else { return }
      let time = replica.proposalTime
      guard time >= nextExpiry || time >= now + lagMax else { return }
      isProposing = true
      replica.propose(.tick, within: 1_000) { [weak self] _ in self?.isProposing = false }
    }
  }
}
