/// A leader's right to answer reads without a round: for a while after a majority has heard it, nobody else can have
/// been elected (thesis §6.4.1).
///
/// The assumption: in the time of a minimum election timeout no node's clock gains more than
/// ``RaftOptions/leaseClockDriftPercentMax`` on another's. Clocks count the time a process is suspended, and the driver
/// tells the time before every input.
struct Lease: Sendable {
  /// When the last heartbeat rounds were sent; round `r` stands at `r % count`.
  private var sent: [Ticks] = []
  private var lastRound: UInt64 = 0
  /// Whether leases are over for this term.
  var isVoid = false

  private static let remembered: UInt64 = 64

  mutating func restart() {
    sent.removeAll(keepingCapacity: true)
    lastRound = 0
    isVoid = false
  }

  mutating func roundSent(_ round: UInt64, at now: Ticks) {
    if sent.isEmpty { sent = [Ticks](repeating: .zero, count: Int(Self.remembered)) }
    sent[Int(round % Self.remembered)] = now
    lastRound = round
  }

  /// When `round` was sent; nil if that is forgotten. A lease counts from then, not from the arrival of the answer: the
  /// follower may have heard the heartbeat long before.
  func sent(_ round: UInt64) -> Ticks? {
    guard round > 0, round <= lastRound, lastRound - round < Self.remembered, !sent.isEmpty else {
      return nil
    }
    return sent[Int(round % Self.remembered)]
  }
}

extension Consensus {
  /// Whether this leader may answer a read at once, from its commit index.
  mutating func holdsLease() -> Bool {
    guard isLeader, configuration.usesLeaseReads, !lease.isVoid, hasCommittedInTerm else { return false }
    let (now, id, progress) = (now, id, progress)
    let start = Quorum.agreed(configuration, scratch: &scratch) { voter in
      voter == id ? now.rawValue : progress[voter]?.leaseStart.rawValue ?? 0
    }
    let lasts = options.leaseTicks(within: min(options.electionTimeoutTicksMin, leaseTimeout))
    return start > 0 && lasts > 0 && now < Ticks(start) + lasts
  }

  /// A peer has answered a round. It counts for a lease only if it holds the configuration in force, and with it the
  /// rule that it votes for nobody else meanwhile.
  ///
  /// Counter-example that this prevents: leases are switched on; follower F answers a heartbeat but does not have that
  /// entry yet; its connection breaks, it pre-votes at once and is elected, while the leader counts on it.
  mutating func noteLease(of position: Int, round: UInt64) {
    guard configuration.usesLeaseReads, let sent = lease.sent(round) else { return }
    let index = configurations.current.index
    progress.modify(position) { peer in
      if peer.match >= index { peer.leaseStart = max(peer.leaseStart, sent) }
    }
  }

  /// Whether a lease may rest on this node's silence towards everybody but the leader. After a restart the node does
  /// not remember whom it has answered, so it keeps silent for as long (``RaftNode/init(id:recovered:options:seed:now:)``).
  var isBoundByLease: Bool {
    configuration.usesLeaseReads
      && now < lastLeaderContact + max(options.electionTimeoutTicksMin, leaseTimeout)
  }

  /// The minimum election timeout that leases rest on; 0 while they are off. The options of a node say nothing about
  /// those of others, so leaders take the shorter one of this and their own, and followers the longer one.
  ///
  /// Counter-example that this prevents: the leader's own timeout is 100 ticks. Its followers are restarted one after
  /// the other with one of 30, and then cut off from it. They elect another after 60 ticks, and the first answers under
  /// its lease until 88.
  private var leaseTimeout: Int { Int(configuration.leaseTimeoutTicks ?? 0) }

  /// How much longer than its own options say this node waits before it votes for itself, which may end a lease like any
  /// other vote.
  var leaseDelay: Int { max(0, leaseTimeout - options.electionTimeoutTicksMin) }
}
