import Logging
import RaftCore
import RaftKV
import RaftServer
import RaftTransport

/// What the options of `raftnode run` come to, once they have been checked.
struct NodeSettings {
  /// Wrong options; the sentence says what is wrong and what is allowed.
  struct Fault: Error, CustomStringConvertible {
    let description: String
  }

  let address: String
  let peers: [String]
  let logLevel: Logger.Level
  let replica: ReplicaOptions
  let clients: JSONProtocolOptions

  /// Checks options.
  ///
  /// - Throws: ``Fault`` for the first thing that is wrong.
  init(_ run: Run) throws {
    address = try Self.endpoint(run.ip, of: "--ip")
    peers = try Self.peers(run.peers)
    try Self.checkStore(run)
    guard let level = Logger.Level(rawValue: run.logLevel) else {
      throw Fault(
        description:
          "--log-level is trace, debug, info, notice, warning, error or critical, not '\(run.logLevel)'")
    }
    logLevel = level
    var replica = ReplicaOptions()
    replica.unreachableMilliseconds = try Self.milliseconds(run.timeout, of: "--timeout")
    replica.requestMilliseconds = try Self.milliseconds(run.requestTimeout, of: "--request-timeout")
    replica.transport.clientConnectionsMax = try Self.check(
      run.maxClients, in: 1...1_000_000, of: "--max-clients")
    var clients = JSONProtocolOptions()
    clients.keyBytesMax = try Self.check(run.keyBytesMax, in: 1...(1 << 20), of: "--key-bytes-max")
    clients.valueBytesMax = try Self.check(run.valueBytesMax, in: 1...(16 << 20), of: "--value-bytes-max")
    clients.requestBytesMax = try Self.check(
      run.requestBytesMax ?? max(64 << 10, 4 * clients.valueBytesMax), in: 64...(128 << 20),
      of: "--request-bytes-max")
    clients.pipelinedBytesMax = max(clients.pipelinedBytesMax, clients.requestBytesMax)
    clients.receiveMillisecondsMax = replica.requestMilliseconds
    // A command is a value with its key and namespace; a frame holds a message of one such command and its headers.
    let commandBytes = clients.valueBytesMax + clients.keyBytesMax + clients.namespaceBytesMax + 1024
    replica.commandBytesMax = max(replica.commandBytesMax, commandBytes)
    replica.transport.frameBytesMax = max(
      replica.transport.frameBytesMax, 2 * (replica.commandBytesMax + replica.raft.messageBytesMax))
    replica.transport.linkQueueBytesMax = max(
      replica.transport.linkQueueBytesMax, 2 * replica.transport.frameBytesMax)
    self.replica = try replica.validated()
    self.clients = try clients.validated()
  }

  private static func endpoint(_ text: String, of option: String) throws -> String {
    do {
      return try Endpoint(text).description
    } catch {
      throw Fault(description: "\(option) '\(text)': \(error)")
    }
  }

  private static func peers(_ list: String?) throws -> [String] {
    guard let list else { return [] }
    let parts = list.split(separator: ",", omittingEmptySubsequences: false).map { part in
      String(part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
    let peers = try parts.map { part in
      guard !part.isEmpty else {
        throw Fault(description: "--peers '\(list)' has an empty address; it takes host:port,host:port,…")
      }
      return try endpoint(part, of: "--peers")
    }
    guard peers.count <= 63 else {
      throw Fault(description: "--peers names \(peers.count) nodes; a cluster has at most 64")
    }
    return peers
  }

  private static func checkStore(_ run: Run) throws {
    let store = run.store ?? (run.database ? "database" : "memory")
    guard store == "memory" || store == "database" else {
      throw Fault(description: "--store is memory or database, not '\(store)'")
    }
    if store == "memory", run.database {
      throw Fault(description: "--store memory and --database contradict each other")
    }
    if run.databaseName != nil, run.store != "database" {
      throw Fault(description: "a name after --database is taken only together with --store database")
    }
    guard store == "memory" else {
      throw Fault(description: "this version has no database store; start it with --store memory")
    }
    if run.volume.isEmpty { throw Fault(description: "--volume needs the name of a folder") }
  }

  private static func milliseconds(_ seconds: Double, of option: String) throws -> UInt64 {
    guard (0.01...3600).contains(seconds) else {
      throw Fault(description: "\(option) is 0.01 to 3600 seconds, not \(seconds)")
    }
    return UInt64((seconds * 1000).rounded())
  }

  private static func check(_ value: Int, in range: ClosedRange<Int>, of option: String) throws -> Int {
    guard range.contains(value) else {
      throw Fault(description: "\(option) is \(range.lowerBound) to \(range.upperBound), not \(value)")
    }
    return value
  }
}
