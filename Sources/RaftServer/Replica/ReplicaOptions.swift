import RaftCore
import RaftTransport

/// How a replica behaves. ``validated()`` lists all faults at once.
public struct ReplicaOptions: Hashable, Sendable {
  /// The protocol's own options, in ticks.
  public var raft = RaftOptions()
  /// Sockets, links and limits of the port.
  public var transport = TransportOptions()
  /// Length of a tick in milliseconds, 1 to 1,000. Default 10: with the default options a leader is missed after 300 to
  /// 600 milliseconds.
  public var tickMilliseconds = 10
  /// How long a request may take before it is answered with an error, in milliseconds, 1 or more. Default 10,000.
  public var requestMilliseconds: UInt64 = 10_000
  /// The most bytes of one command, 1 or more. Default 2 MiB.
  public var commandBytesMax = 2 << 20
  /// The most requests that this node works on at once; beyond it they are refused as busy. Default 65,536.
  public var requestsMax = 65_536
  /// The most bytes of writes that wait for a leader, or for its answer; beyond it they are refused. Default 64 MiB.
  public var requestBytesMax = 64 << 20
  /// The most payload bytes that are applied before other work gets its turn. Default 4 MiB.
  public var applyBytesMax = 4 << 20
  /// How many applied entries are kept although every member holds them. Default 4,096.
  public var retainedEntries = 4_096
  /// The most payload bytes of applied entries that are kept although every member holds them. Default 64 MiB.
  public var retainedBytesMax: UInt64 = 64 << 20
  /// The most payload bytes of applied entries that are kept for members that lag; one that lags further gets a snapshot.
  /// 1 or more. Default 1 GiB.
  public var logBytesMax: UInt64 = 1 << 30
  /// The most applied entries that are kept for members that lag; one that lags further gets a snapshot. 1 or more.
  /// Default 1,000,000.
  public var logEntriesMax = 1_000_000
  /// After so many applied entries a node with a durable store takes a snapshot; 1 or more. Default 100,000.
  public var snapshotEntries = 100_000
  /// After so many payload bytes of applied entries such a node takes a snapshot; 1 or more. Default 64 MiB.
  public var snapshotBytes = 64 << 20
  /// A node that keeps its machine's state on a disk writes what has changed when that takes about so many bytes of memory, and
  /// lets changes take four times as many at most; 1 or more. Default 16 MiB.
  public var stateBytes = 16 << 20
  /// How many bytes of snapshots this node sends to others in a second, to all of them together, at most; nil, the default,
  /// for no limit. At least 65,536.
  public var snapshotBytesPerSecond: UInt64?
  /// A silent member is reported as unreachable after this many milliseconds, 1 or more. Default 1,000.
  public var unreachableMilliseconds: UInt64 = 1_000
  /// How long a leader that stops waits for another to take over, in milliseconds, 1 or more. Default 2,000.
  public var handoverMilliseconds: UInt64 = 2_000
  /// How long a node that leaves waits until it is removed, in milliseconds, 1 or more. Default 10,000.
  public var leaveMilliseconds: UInt64 = 10_000
  /// A leader removes members that it has not heard from for this many milliseconds, 1,000 or more; nil, the default, to
  /// leave that to operators. See ``AbsencePolicy``.
  public var removeAbsentMilliseconds: UInt64?
  /// Absent voters are not removed if fewer voters than this would be left, 1 or more. Default 3.
  public var votersMin = 3
  /// The most client sessions; opening one more closes the one used longest ago. The same on all nodes. Default 10,000.
  public var sessionsMax = 10_000
  /// The most unacknowledged commands of one session. The same on all nodes. Default 1,024.
  public var sessionOutcomesMax = 1_024
  /// What the status says of the program's version.
  public var version = ""
  /// Whether a cluster that this node founds begins with lease reads: the leader then answers reads without asking the
  /// others, for as long as none of them can have been elected. Rests on clocks that run alike; see
  /// `RaftOptions.leaseClockDriftPercentMax`. Of the nodes that found a cluster together, the one with the lowest address
  /// counts. Later, `ConfigurationChange.useLeaseReads` changes it. Default false.
  public var foundsWithLeaseReads = false
  /// Decides all random choices; nil draws one from the system. A fixed seed is for tests.
  public var seed: UInt64?

  /// The defaults.
  public init() {}

  /// The options, if they are sound.
  ///
  /// - Throws: ``ReplicaOptionsError`` with every fault.
  public func validated() throws(ReplicaOptionsError) -> ReplicaOptions {
    var faults: [String] = []
    if !(1...1000).contains(tickMilliseconds) {
      faults.append("tickMilliseconds is \(tickMilliseconds) and must be 1 to 1000")
    }
    for (name, value) in [
      ("requestMilliseconds", Int(clamping: requestMilliseconds)), ("commandBytesMax", commandBytesMax),
      ("requestsMax", requestsMax), ("requestBytesMax", requestBytesMax), ("applyBytesMax", applyBytesMax),
      ("unreachableMilliseconds", Int(clamping: unreachableMilliseconds)),
      ("logBytesMax", Int(clamping: logBytesMax)), ("logEntriesMax", logEntriesMax),
      ("snapshotEntries", snapshotEntries), ("snapshotBytes", snapshotBytes), ("stateBytes", stateBytes),
      ("handoverMilliseconds", Int(clamping: handoverMilliseconds)), ("sessionsMax", sessionsMax),
      ("leaveMilliseconds", Int(clamping: leaveMilliseconds)), ("votersMin", votersMin),
      ("sessionOutcomesMax", sessionOutcomesMax),
    ] where value < 1 {
      faults.append("\(name) is \(value) and must be at least 1")
    }
    if let removeAbsentMilliseconds, removeAbsentMilliseconds < 1_000 {
      faults.append("removeAbsentMilliseconds is \(removeAbsentMilliseconds) and must be at least 1000")
    }
    if let snapshotBytesPerSecond, snapshotBytesPerSecond < 65_536 {
      faults.append("snapshotBytesPerSecond is \(snapshotBytesPerSecond) and must be at least 65536")
    }
    if retainedEntries < 0 { faults.append("retainedEntries is \(retainedEntries) and must not be negative") }
    // A message of one large command, or of many small ones, must fit into a frame, or no follower ever takes it.
    let payload = max(
      commandBytesMax.addingReportingOverflow(CommandEnvelope.headerBytes).partialValue, raft.messageBytesMax)
    let (needed, isHuge) = payload.addingReportingOverflow(5 * max(0, raft.messageEntriesMax) + 1_024)
    if isHuge || needed > transport.frameBytesMax {
      faults.append(
        "transport.frameBytesMax is \(transport.frameBytesMax) and must hold the largest message: commandBytesMax or "
          + "raft.messageBytesMax, and 5 bytes for each of raft.messageEntriesMax")
    }
    do { _ = try raft.validated() } catch { faults += error.faults }
    do { _ = try transport.validated() } catch { faults += error.faults }
    guard faults.isEmpty else { throw ReplicaOptionsError(faults: faults) }
    return self
  }
}

/// Options that cannot work.
public struct ReplicaOptionsError: Error, Hashable, Sendable, CustomStringConvertible {
  /// One sentence for each fault.
  public let faults: [String]

  /// All faults, separated by semicolons.
  public var description: String { faults.joined(separator: "; ") }
}
