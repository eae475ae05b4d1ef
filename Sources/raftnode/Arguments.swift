import ArgumentParser

/// What the command line says, as text. ``LaunchPlan`` checks it and turns it into values.
///
/// Everything is declared as text, so that each refusal is one line in the same words: what was given, what is allowed.
struct Arguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Where peers and clients reach this node. Required.", valueName: "host:port"))
  var ip: String?

  @Option(
    help: ArgumentHelp(
      "The other nodes, separated by commas; this node's own address may be among them. All nodes must be "
        + "started with the same set. Without it the node is a cluster of one.",
      valueName: "host:port,..."))
  var peers: String?

  @Option(
    help: ArgumentHelp(
      "Where data is kept: memory, or database, which outlives the process. (default: memory)",
      valueName: "kind"), completion: .list(["memory", "database"]))
  var store: String?

  @Flag(name: .customShort("d"), help: "Keep data in a database, as with --store database.")
  var databaseFlag = false

  @Option(
    defaultAsFlag: "", parsing: .next,
    help: ArgumentHelp(
      "Keep data in a database. After --store database, a name may follow; it has no effect.",
      valueName: "name"))
  var database: String?

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "The node's directory, for this node alone. The memory store writes nothing there. (default: ./data)",
      valueName: "dir"), completion: .directory)
  var volume: String?

  @Flag(
    help:
      "Acknowledge writes before they are on the disk. A crash of the machine may lose them: for throw-away data only."
  )
  var noSync: Bool = false

  @Option(
    help: ArgumentHelp(
      "How much memory the database uses to keep what was read; \(LaunchPlan.cacheBytesRange). (default: 33554432)",
      valueName: "bytes"))
  var cacheBytes: String?

  @Option(
    help: ArgumentHelp(
      "How much the database gathers in memory before it writes a file; \(LaunchPlan.writeBufferBytesRange). "
        + "(default: 16777216)",
      valueName: "bytes"))
  var writeBufferBytes: String?

  @Option(
    help: ArgumentHelp(
      "After so many commands the database writes what it has applied to its files: at most so many are applied again "
        + "after a crash; \(LaunchPlan.flushEntriesRange). (default: 100000)",
      valueName: "count"))
  var flushEntries: String?

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "A peer silent for so long is reported as unreachable; \(LaunchPlan.timeoutRange). (default: 1)",
      valueName: "seconds"))
  var timeout: String?

  @Flag(help: "Leave the cluster when stopped by SIGTERM or SIGINT: for nodes that stop for good.")
  var leaveOnStop: Bool = false

  @Option(
    help: ArgumentHelp(
      "As leader, remove members that were silent for so long, while a majority of the others is heard from; "
        + "\(LaunchPlan.removeDeadRange). (default: never)",
      valueName: "seconds"))
  var removeDeadAfter: String?

  @Option(
    help: ArgumentHelp(
      "Do not remove silent voters if fewer than this would be left; \(LaunchPlan.votersMinRange). (default: 3)",
      valueName: "count"))
  var votersMin: String?

  @Option(
    help: ArgumentHelp(
      "The shortest time without a leader after which a node campaigns; the longest is twice as long. "
        + "\(LaunchPlan.electionTimeoutRange), the same on all nodes. (default: 0.3)",
      valueName: "seconds"))
  var electionTimeout: String?

  @Flag(
    help:
      "As founder, let the leader answer reads without asking the others while none of them can have been elected. The clocks of the nodes have to run alike. Later, only a request changes it."
  )
  var leaseReads: Bool = false

  @Option(
    help: ArgumentHelp(
      "How long a request may take to arrive, and again to be carried out, before it is answered with an error; "
        + "\(LaunchPlan.requestTimeoutRange). (default: 10)",
      valueName: "seconds"))
  var requestTimeout: String?

  @Option(
    help: ArgumentHelp(
      "The largest key, in UTF-8; \(LaunchPlan.keyBytesRange). (default: 4096)", valueName: "bytes"))
  var keyBytesMax: String?

  @Option(
    help: ArgumentHelp(
      "The largest value, as compact JSON; \(LaunchPlan.valueBytesRange). (default: 1048576)",
      valueName: "bytes"))
  var valueBytesMax: String?

  @Option(
    help: ArgumentHelp(
      "The largest request; \(LaunchPlan.requestBytesRange), and more than the largest key and value together. "
        + "(default: four times the larger of the two)",
      valueName: "bytes"))
  var requestBytesMax: String?

  @Option(
    help: ArgumentHelp(
      "How many clients may be connected at once; \(LaunchPlan.clientsRange). The limit of the system on open "
        + "files may lower it. (default: 10000)",
      valueName: "count"))
  var maxClients: String?

  @Option(
    help: ArgumentHelp(
      "How much of the log is kept for members that lack it; beyond, they are sent a snapshot. "
        + "\(LaunchPlan.logBytesRange). (default: 1073741824)",
      valueName: "bytes"))
  var logBytesMax: String?

  @Option(
    help: ArgumentHelp(
      "How much of snapshots this node sends to others in a second; \(LaunchPlan.snapshotBandwidthRange). (default: "
        + "no limit)",
      valueName: "bytes"))
  var snapshotBandwidth: String?

  @Option(
    help: ArgumentHelp(
      "The least important messages that are logged, to standard error: trace, debug, info, notice, warning, "
        + "error or critical. (default: info)",
      valueName: "level"),
    completion: .list(["trace", "debug", "info", "notice", "warning", "error", "critical"]))
  var logLevel: String?
}
