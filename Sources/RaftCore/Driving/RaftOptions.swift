/// What an embedder may set. ``validated()`` lists all faults at once.
public struct RaftOptions: Hashable, Sendable {
  /// Ticks between two heartbeats of a leader; 1 or more. Default 5.
  public var heartbeatTicks = 5
  /// The shortest time without a leader after which a node campaigns, in ticks; more than two heartbeats. Default 30.
  public var electionTimeoutTicksMin = 30
  /// The longest such time, in ticks; more than the shortest. Each campaign draws its own. Default 60.
  public var electionTimeoutTicksMax = 60
  /// After the connection to the leader broke, followers wait up to this many ticks before they pre-vote, so that they
  /// do not all do it at once; 1 or more. Default 4.
  public var leaderLostStaggerTicks = 4
  /// The most payload bytes in one AppendEntries; a larger entry travels alone. 1 or more. Default 1 MiB.
  public var messageBytesMax = 1 << 20
  /// The most entries in one AppendEntries; 1 or more. Default 4,096.
  public var messageEntriesMax = 4096
  /// The most AppendEntries under way to one peer; 1 or more. Default 256.
  public var inflightMessagesMax = 256
  /// The most payload bytes under way to one peer; 1 or more. Default 16 MiB.
  public var inflightBytesMax = 16 << 20
  /// The most payload bytes of proposals that are not committed; beyond it, proposals are refused. Default 64 MiB.
  public var uncommittedBytesMax = 64 << 20
  /// The most payload bytes that are committed and not applied yet; beyond it, proposals are refused, so that a slow
  /// state machine is not left ever further behind. Default 64 MiB.
  public var unappliedBytesMax = 64 << 20
  /// The most reads that may wait for confirmation on a leader; beyond it, reads are refused. Default 10,000.
  public var pendingReadsMax = 10_000
  /// The most bytes of a snapshot in one message; 1 or more. Default 128 KiB.
  public var snapshotChunkBytes = 1 << 17
  /// The most such messages under way to one peer; 1 to 65,536. Default 32.
  public var snapshotInflightChunksMax = 32
  /// Ticks after which a piece of a snapshot is sent again to a peer that is alive; 1 or more. Default 50.
  public var snapshotRetryTicks = 50
  /// Ticks after which a change that is not durable is overdue: a node does not campaign then, and a leader resigns if a
  /// majority without it goes on. After as many ticks in which nothing was applied that could be, a leader hands over to a
  /// voter that applies. 1 or more. Default 70, which with ticks of 10 ms has somebody else lead within a second.
  public var writeOverdueTicks = 70
  /// By how much, in percent, one node's clock may gain on another's while leases are in use: 0 to 50. A lease ends by as
  /// much before the minimum election timeout, and two ticks more. Default 10.
  public var leaseClockDriftPercentMax = 10

  /// The most ticks that any option may ask for.
  static let ticksMax = 1 << 32

  /// The defaults.
  public init() {}

  /// How long a lease lasts after its heartbeat was sent, if others are silent for `timeout` ticks: clocks count whole
  /// ticks at both ends.
  func leaseTicks(within timeout: Int) -> Int { timeout * (100 - leaseClockDriftPercentMax) / 100 - 2 }

  /// The options, if they are sound.
  ///
  /// - Throws: ``RaftOptionsError`` with every fault.
  public func validated() throws(RaftOptionsError) -> RaftOptions {
    var faults: [String] = []
    for (name, value) in [
      ("heartbeatTicks", heartbeatTicks), ("leaderLostStaggerTicks", leaderLostStaggerTicks),
      ("messageBytesMax", messageBytesMax), ("messageEntriesMax", messageEntriesMax),
      ("inflightMessagesMax", inflightMessagesMax), ("inflightBytesMax", inflightBytesMax),
      ("uncommittedBytesMax", uncommittedBytesMax), ("unappliedBytesMax", unappliedBytesMax),
      ("pendingReadsMax", pendingReadsMax), ("snapshotChunkBytes", snapshotChunkBytes),
      ("snapshotInflightChunksMax", snapshotInflightChunksMax),
      ("snapshotRetryTicks", snapshotRetryTicks), ("writeOverdueTicks", writeOverdueTicks),
    ] where value < 1 {
      faults.append("\(name) is \(value) and must be at least 1")
    }
    if electionTimeoutTicksMin <= 2 * heartbeatTicks {
      faults.append(
        "electionTimeoutTicksMin is \(electionTimeoutTicksMin) and must be more than two heartbeats (\(2 * heartbeatTicks))"
      )
    }
    if electionTimeoutTicksMax <= electionTimeoutTicksMin {
      faults.append(
        "electionTimeoutTicksMax is \(electionTimeoutTicksMax) and must be more than electionTimeoutTicksMin (\(electionTimeoutTicksMin))"
      )
    }
    for (name, value) in [
      ("messageEntriesMax", messageEntriesMax), ("snapshotChunkBytes", snapshotChunkBytes),
    ] where value > Int(UInt32.max) {
      faults.append("\(name) is \(value) and must be at most \(UInt32.max)")
    }
    if snapshotInflightChunksMax > 1 << 16 {
      faults.append("snapshotInflightChunksMax is \(snapshotInflightChunksMax) and must be at most 65536")
    }
    // Sums of instants and counts of ticks must not overflow, whatever the options are multiplied by.
    for (name, value) in [
      ("heartbeatTicks", heartbeatTicks), ("electionTimeoutTicksMax", electionTimeoutTicksMax),
      ("leaderLostStaggerTicks", leaderLostStaggerTicks), ("snapshotRetryTicks", snapshotRetryTicks),
      ("writeOverdueTicks", writeOverdueTicks),
    ] where value > Self.ticksMax {
      faults.append("\(name) is \(value) and must be at most \(Self.ticksMax)")
    }
    if !(0...50).contains(leaseClockDriftPercentMax) {
      faults.append("leaseClockDriftPercentMax is \(leaseClockDriftPercentMax) and must be 0 to 50")
    } else if faults.isEmpty, leaseTicks(within: electionTimeoutTicksMin) < 1 {
      faults.append(
        "leaseClockDriftPercentMax leaves no lease out of electionTimeoutTicksMin (\(electionTimeoutTicksMin))"
      )
    }
    guard faults.isEmpty else { throw RaftOptionsError(faults: faults) }
    return self
  }
}

/// Options that cannot work.
public struct RaftOptionsError: Error, Hashable, Sendable, CustomStringConvertible {
  /// One sentence for each fault.
  public let faults: [String]

  /// The value in words, as logs print it.
  public var description: String { faults.joined(separator: "; ") }
}
