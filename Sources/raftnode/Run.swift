import ArgumentParser

/// `raftnode [run]`: runs one node until it is told to stop.
struct Run: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run one node until SIGTERM or SIGINT.",
    discussion: """
      Examples:
        raftnode --ip 127.0.0.1:5001
            a cluster of one
        raftnode --ip 10.0.0.1:5000 --peers 10.0.0.2:5000,10.0.0.3:5000
            one of three nodes; the cluster is founded once all three are there

      Exit status: 0 stopped by a signal; 64 wrong options; 69 the address cannot be listened on; 74 the store failed; \
      77 the peers form a running cluster that this node is no member of.
      """)

  @Option(
    help: ArgumentHelp(
      "Where peers and clients connect, and how the peers name this node.", valueName: "host:port"))
  var ip: String

  @Option(
    help: ArgumentHelp(
      "The other nodes, separated by commas; the own address is tolerated. All must be started with the same set. Only "
        + "the first start of a cluster looks at it. (default: none, a cluster of one)",
      valueName: "host:port,…"))
  var peers: String?

  @Option(
    help: ArgumentHelp("Where data is kept; this version has memory only.", valueName: "memory|database"))
  var store: String?

  @Flag(name: [.customShort("d"), .customLong("database")], help: "The same as --store database.")
  var database = false

  @Option(help: .hidden)
  var databaseName: String?

  @Option(
    name: [.customShort("v"), .customLong("volume")],
    help: ArgumentHelp("Folder for data on disk; the memory store leaves it alone.", valueName: "folder"))
  var volume = "./data"

  @Option(
    name: [.customShort("t"), .customLong("timeout")],
    help: ArgumentHelp(
      "A member that is silent for so long is reported as unreachable; 0.01 to 3600. It stays a member.",
      valueName: "seconds"))
  var timeout = 1.0

  @Option(
    help: ArgumentHelp(
      "How long a request may take before it is answered with an error; 0.01 to 3600.", valueName: "seconds"))
  var requestTimeout = 10.0

  @Option(help: ArgumentHelp("The most bytes of a key; 1 to 1048576.", valueName: "bytes"))
  var keyBytesMax = 4096

  @Option(
    help: ArgumentHelp("The most bytes of a value, as compact JSON; 1 to 16777216.", valueName: "bytes"))
  var valueBytesMax = 1_048_576

  @Option(
    help: ArgumentHelp(
      "The most bytes of a whole request; 64 to 134217728. (default: four times --value-bytes-max, at least 64 KiB)",
      valueName: "bytes"))
  var requestBytesMax: Int?

  @Option(
    help: ArgumentHelp(
      "The most clients connected at once, 1 to 1000000; the system's limit of open files may lower it.",
      valueName: "count"))
  var maxClients = 10_000

  @Option(
    help: ArgumentHelp(
      "What is logged: trace, debug, info, notice, warning, error or critical.", valueName: "level"))
  var logLevel = "info"
}
