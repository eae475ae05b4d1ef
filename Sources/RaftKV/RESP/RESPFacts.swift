import RaftCore

/// What a node tells clients of itself.
public struct RESPFacts: Hashable, Sendable {
  /// Where it listens.
  public var address = ""
  /// Where the client is that asks.
  public var clientAddress = "127.0.0.1:0"
  /// Whether it leads.
  public var isLeader = false
  /// Where the leader is, if that is known.
  public var leaderAddress: String?
  /// How many members vote besides this node.
  public var otherVoters = 0
  /// How many members there are.
  public var members = 1
  /// How many clients are connected that speak this protocol.
  public var clients = 1
  /// How long the node has run, in seconds.
  public var uptimeSeconds: UInt64 = 0
  /// The clock of the node, in microseconds since 1970.
  public var wallMicroseconds: UInt64 = 0
  /// Whether data is kept in a database.
  public var isDurable = false
  /// The node's id.
  public var id = ""
  /// The node's term, and the last entry that it has applied.
  public var term: UInt64 = 0
  /// The last entry that it has applied.
  public var applied: UInt64 = 0

  /// Nothing is known yet.
  public init() {}

  /// The version of the commands, as client libraries ask for it.
  static let version = "7.0.15"

  /// The text that `INFO` answers.
  func information(_ sections: [String]) -> String {
    let wantsAll = sections.isEmpty || sections.contains { ["all", "default", "everything"].contains($0) }
    var text = ""
    for (name, lines) in all where wantsAll || sections.contains(name.lowercased()) {
      if !text.isEmpty { text += "\r\n" }
      text += "# \(name)\r\n" + lines.map { "\($0.0):\($0.1)\r\n" }.joined()
    }
    return text
  }

  private var all: [(String, [(String, String)])] {
    let port = address.split(separator: ":").last.map(String.init) ?? "0"
    return [
      (
        "Server",
        [
          ("redis_version", Self.version), ("redis_mode", "standalone"), ("os", "Linux"), ("arch_bits", "64"),
          ("process_id", "0"), ("run_id", id), ("tcp_port", port),
          ("server_time_usec", "\(wallMicroseconds)"),
          ("uptime_in_seconds", "\(uptimeSeconds)"), ("uptime_in_days", "\(uptimeSeconds / 86_400)"),
          ("server_name", "raftnode"),
        ]
      ),
      ("Clients", [("connected_clients", "\(clients)"), ("blocked_clients", "0")]),
      ("Memory", [("used_memory", "0"), ("maxmemory", "0"), ("maxmemory_policy", "noeviction")]),
      (
        "Persistence",
        [("loading", "0"), ("aof_enabled", isDurable ? "1" : "0"), ("rdb_bgsave_in_progress", "0")]
      ),
      ("Stats", [("total_commands_processed", "\(applied)"), ("instantaneous_ops_per_sec", "0")]),
      // Every node takes writes, which is what clients want to know.
      ("Replication", [("role", "master"), ("connected_slaves", "0"), ("master_repl_offset", "\(applied)")]),
      ("CPU", []), ("Modules", []), ("Errorstats", []),
      ("Cluster", [("cluster_enabled", "0")]),
      (
        "Raft",
        [
          ("raft_role", isLeader ? "leader" : "follower"), ("raft_leader", leaderAddress ?? ""),
          ("raft_term", "\(term)"), ("raft_applied", "\(applied)"), ("raft_members", "\(members)"),
        ]
      ),
      ("Keyspace", []),
    ]
  }
}
