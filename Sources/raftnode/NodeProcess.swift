import Dispatch
import Glibc
import Logging
import RaftCore
import RaftKV
import RaftServer
import RaftStore
import RaftTransport

/// One running node: starts the replica, logs what happens to it, and stops it when a signal says so.
struct NodeProcess {
  private typealias Machine = KeyValueMachine<MemoryBackend>

  private let settings: NodeSettings
  private let logger: Logger

  init(_ settings: NodeSettings) {
    self.settings = settings
    LoggingSystem.bootstrap { label in StreamLogHandler.standardError(label: label) }
    var logger = Logger(label: "raftnode")
    logger.logLevel = settings.logLevel
    self.logger = logger
  }

  /// Runs until the node has stopped.
  func run() async -> ExitStatus {
    let replica: Replica<Machine>
    do {
      replica = try await Replica.start(
        KeyValueMachine(backend: MemoryBackend()), at: settings.address, peers: settings.peers,
        options: settings.replica, clients: try JSONClientHandler<Machine>.accepting(settings.clients))
    } catch {
      Main.fail("\(error)", error is TransportError ? .unavailable : .usage)
    }
    let id = await replica.status().id
    logger.info("node \(id) listens on \(replica.address)")
    logger.info(
      "memory store: acknowledged data is in the memory of a majority, and a restarted node starts empty")
    let signals = stopOnSignals(replica)
    defer { for signal in signals { signal.cancel() } }
    return await follow(replica)
  }

  /// Logs events until the last one.
  private func follow(_ replica: Replica<Machine>) async -> ExitStatus {
    var status = ExitStatus.stopped
    for await event in replica.events {
      log(event)
      switch event {
      case .notAMember:
        status = .notAMember
        Task { await replica.stop() }
      case .storeFailed:
        status = .storeFailed
      default:
        break
      }
    }
    return status
  }

  private func log(_ event: ReplicaEvent) {
    switch event {
    case .storeFailed, .notAMember, .unreadableEntry: logger.error("\(event)")
    case .memberUnreachable, .refused, .foundersDiffer: logger.warning("\(event)")
    case .violation: logger.warning("\(event)")
    case .waiting, .founded, .roleChanged, .leaderChanged, .memberReachable, .stopped: logger.info("\(event)")
    }
  }

  /// The first SIGTERM or SIGINT stops the node in good order, a second one at once.
  private func stopOnSignals(_ replica: Replica<Machine>) -> [any DispatchSourceSignal] {
    let queue = DispatchQueue(label: "raftnode.signals")
    let logger = logger
    return [SIGTERM, SIGINT].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
      var count = 0
      source.setEventHandler {
        count += 1
        guard count == 1 else { exit(128 + number) }
        logger.info("stopping on \(number == SIGTERM ? "SIGTERM" : "SIGINT")")
        Task { await replica.stop() }
      }
      source.activate()
      return source
    }
  }
}
