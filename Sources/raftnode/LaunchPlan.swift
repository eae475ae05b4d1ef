import Logging
import RaftCore
import RaftTransport

/// What the node is to do, checked: every value in it can be used as it is.
struct LaunchPlan: Hashable, Sendable {
  /// Where it listens.
  let address: Endpoint
  /// The other nodes, without itself, in the order given.
  let peers: [Endpoint]
  /// Where data is kept.
  let store: StoreKind
  /// The node's directory.
  let volume: String
  /// Whether writes are synced before they are acknowledged.
  let isSynced: Bool
  /// How much memory the database uses to keep what was read, in bytes.
  let cacheBytes: Int
  /// How much the database gathers in memory before it writes a file, in bytes.
  let writeBufferBytes: Int
  /// After so many commands the database writes what it has applied to its files.
  let flushEntries: Int
  /// A peer silent for so long is reported as unreachable.
  let unreachableMilliseconds: Int
  /// Whether a stopping node leaves its cluster.
  let leavesOnStop: Bool
  /// After so much silence a leader removes a member; nil for never.
  let removeDeadMilliseconds: Int?
  /// How many voters removals of silent ones leave at least.
  let votersMin: Int
  /// The shortest time without a leader after which the node campaigns.
  let electionMilliseconds: Int
  /// Whether a cluster that the node founds begins with lease reads.
  let usesLeaseReads: Bool
  /// How long a request may take to arrive, and again to be carried out.
  let requestMilliseconds: Int
  /// The largest key, in bytes of UTF-8.
  let keyBytesMax: Int
  /// The largest value, in bytes of compact JSON.
  let valueBytesMax: Int
  /// The largest request of a client, in bytes.
  let requestBytesMax: Int
  /// How many clients may be connected at once.
  let clientsMax: Int
  /// How many bytes of commands are kept for members that lack them.
  let logBytesMax: Int
  /// In bytes in a second; nil for no limit.
  let snapshotBandwidth: Int?
  /// The least important messages that are logged.
  let logLevel: Logger.Level

  /// The most nodes of a cluster.
  static let membersMax = Configuration.memberLimit
  static let timeoutRange = OptionRange(values: 10...3_600_000, unit: .seconds)
  static let removeDeadRange = OptionRange(values: 1_000...31_536_000_000, unit: .seconds)
  static let votersMinRange = OptionRange(values: 1...64, unit: .voters)
  static let electionTimeoutRange = OptionRange(values: 100...60_000, unit: .seconds)
  static let requestTimeoutRange = OptionRange(values: 10...3_600_000, unit: .seconds)
  static let keyBytesRange = OptionRange(values: 1...(1 << 20), unit: .bytes)
  static let valueBytesRange = OptionRange(values: 1...(16 << 20), unit: .bytes)
  static let requestBytesRange = OptionRange(values: 1024...(128 << 20), unit: .bytes)
  static let snapshotBandwidthRange = OptionRange(values: (64 << 10)...(1 << 40), unit: .bytes)
  static let logBytesRange = OptionRange(values: (64 << 20)...(1 << 40), unit: .bytes)
  static let cacheBytesRange = OptionRange(values: (1 << 20)...(1 << 40), unit: .bytes)
  static let writeBufferBytesRange = OptionRange(values: (1 << 20)...(1 << 30), unit: .bytes)
  static let flushEntriesRange = OptionRange(values: 1...10_000_000, unit: .commands)
  static let clientsRange = OptionRange(values: 1...1_000_000, unit: .connections)

  /// Checks what the command line says.
  ///
  /// - Throws: ``UsageError`` for the first option that is wrong.
  init(_ arguments: Arguments) throws(UsageError) {
    guard let ip = arguments.ip else {
      throw UsageError("--ip is missing; it names where peers and clients reach this node, as HOST:PORT")
    }
    address = try Self.endpoint(ip, of: "--ip")
    peers = try Self.peers(arguments.peers, own: address)
    store = try Self.store(arguments)
    volume = arguments.volume ?? "./data"
    guard !volume.isEmpty else { throw UsageError("--volume is empty; it must name a directory") }
    cacheBytes = try Self.cacheBytesRange.read(arguments.cacheBytes, of: "--cache-bytes", default: 32 << 20)
    writeBufferBytes = try Self.writeBufferBytesRange.read(
      arguments.writeBufferBytes, of: "--write-buffer-bytes", default: 16 << 20)
    flushEntries = try Self.flushEntriesRange.read(
      arguments.flushEntries, of: "--flush-entries", default: 100_000)
    isSynced = !arguments.noSync
    for (option, isGiven) in [
      ("--no-sync", arguments.noSync), ("--cache-bytes", arguments.cacheBytes != nil),
      ("--write-buffer-bytes", arguments.writeBufferBytes != nil),
      ("--flush-entries", arguments.flushEntries != nil),
    ] where isGiven && store == .memory {
      throw UsageError("\(option) has a meaning only with --store database")
    }
    unreachableMilliseconds = try Self.timeoutRange.read(arguments.timeout, of: "--timeout", default: 1_000)
    (leavesOnStop, usesLeaseReads) = (arguments.leaveOnStop, arguments.leaseReads)
    removeDeadMilliseconds =
      arguments.removeDeadAfter == nil
      ? nil : try Self.removeDeadRange.read(arguments.removeDeadAfter, of: "--remove-dead-after", default: 0)
    votersMin = try Self.votersMinRange.read(arguments.votersMin, of: "--voters-min", default: 3)
    guard arguments.votersMin == nil || removeDeadMilliseconds != nil else {
      throw UsageError("--voters-min has a meaning only with --remove-dead-after")
    }
    electionMilliseconds = try Self.electionTimeoutRange.read(
      arguments.electionTimeout, of: "--election-timeout", default: 300)
    requestMilliseconds = try Self.requestTimeoutRange.read(
      arguments.requestTimeout, of: "--request-timeout", default: 10_000)
    keyBytesMax = try Self.keyBytesRange.read(arguments.keyBytesMax, of: "--key-bytes-max", default: 4 << 10)
    valueBytesMax = try Self.valueBytesRange.read(
      arguments.valueBytesMax, of: "--value-bytes-max", default: 1 << 20)
    requestBytesMax = try Self.requestBytesRange.read(
      arguments.requestBytesMax, of: "--request-bytes-max", default: 4 * max(valueBytesMax, keyBytesMax, 1024)
    )
    guard requestBytesMax > valueBytesMax + keyBytesMax else {
      throw UsageError(
        "--request-bytes-max \(requestBytesMax) leaves no room for the largest key and value "
          + "(\(keyBytesMax) and \(valueBytesMax) bytes); it must be more than both together")
    }
    clientsMax = try Self.clientsRange.read(arguments.maxClients, of: "--max-clients", default: 10_000)
    snapshotBandwidth =
      arguments.snapshotBandwidth == nil
      ? nil
      : try Self.snapshotBandwidthRange.read(
        arguments.snapshotBandwidth, of: "--snapshot-bandwidth", default: 0)
    logBytesMax = try Self.logBytesRange.read(arguments.logBytesMax, of: "--log-bytes-max", default: 1 << 30)
    let level = arguments.logLevel ?? "info"
    guard let logLevel = Logger.Level(rawValue: level) else {
      let levels = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
      throw UsageError("--log-level is '\(level)'; it must be one of \(levels)")
    }
    self.logLevel = logLevel
  }

  private static func endpoint(_ text: String, of option: String) throws(UsageError) -> Endpoint {
    do { return try Endpoint(text) } catch { throw UsageError("\(option): \(error)") }
  }

  private static func peers(_ list: String?, own: Endpoint) throws(UsageError) -> [Endpoint] {
    guard let list else { return [] }
    var peers: [Endpoint] = []
    for piece in list.split(separator: ",", omittingEmptySubsequences: false) {
      let text = piece.trimmingSpaces
      guard !text.isEmpty else {
        throw UsageError("--peers '\(list)' has an empty place; write HOST:PORT,HOST:PORT,... without blanks")
      }
      let peer = try endpoint(text, of: "--peers")
      // A repeated address is a mistyped one: the cluster would wait for a set that nobody meant.
      guard !peers.contains(peer) else { throw UsageError("--peers names \(peer) twice") }
      peers.append(peer)
    }
    peers.removeAll { $0 == own }
    guard peers.count < Self.membersMax else {
      throw UsageError(
        "--peers names \(peers.count) other nodes; a cluster has at most \(Self.membersMax) in all")
    }
    // Peers know a node by its --ip, and dial that.
    guard peers.isEmpty || !["0.0.0.0", "::"].contains(own.host) else {
      throw UsageError(
        "--ip \(own) is no address that peers can dial; name the one that they list in --peers")
    }
    return peers
  }

  private static func store(_ arguments: Arguments) throws(UsageError) -> StoreKind {
    let flag = arguments.databaseFlag ? "-d" : "--database"
    let wantsDatabase = arguments.databaseFlag || arguments.database != nil
    switch arguments.store {
    case nil:
      if let name = arguments.database, !name.isEmpty {
        throw UsageError("--database takes a name ('\(name)') only together with --store database")
      }
      return wantsDatabase ? .durable : .memory
    case "memory":
      guard !wantsDatabase else {
        throw UsageError("--store memory and \(flag) contradict each other; give one")
      }
      return .memory
    case "database":
      return .durable
    case let other?:
      throw UsageError("--store is '\(other)'; it must be memory or database")
    }
  }
}

extension Substring {
  fileprivate var trimmingSpaces: String {
    String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
  }
}
