import Glibc
import Logging
import RaftCore
import RaftKV
import RaftServer
import RaftStore
import RaftTransport

extension LaunchPlan {
  /// The replica's options: what the command line says, and what has to fit it.
  var replicaOptions: ReplicaOptions {
    var options = ReplicaOptions()
    options.version = RaftNodeCommand.versionNumber
    options.unreachableMilliseconds = UInt64(unreachableMilliseconds)
    options.removeAbsentMilliseconds = removeDeadMilliseconds.map { UInt64($0) }
    options.votersMin = votersMin
    options.requestMilliseconds = UInt64(requestMilliseconds)
    options.foundsWithLeaseReads = usesLeaseReads
    options.transport.clientConnectionsMax = clientsMax
    options.logBytesMax = UInt64(logBytesMax)
    options.snapshotBytesPerSecond = snapshotBandwidth.map(UInt64.init)
    options.snapshotEntries = flushEntries
    options.stateBytes = writeBufferBytes
    let ticks = electionMilliseconds / options.tickMilliseconds
    options.raft.electionTimeoutTicksMin = ticks
    options.raft.electionTimeoutTicksMax = 2 * ticks
    options.raft.heartbeatTicks = max(1, ticks / 6)
    // A command is a value with its key and namespace; a frame holds one such command, or a message of smaller ones.
    options.commandBytesMax = max(
      options.commandBytesMax, valueBytesMax + keyBytesMax + clientOptions.namespaceBytesMax + 1024)
    options.transport.frameBytesMax = max(
      options.transport.frameBytesMax, 2 * (options.commandBytesMax + options.raft.messageBytesMax))
    options.transport.linkQueueBytesMax = max(
      options.transport.linkQueueBytesMax, 2 * options.transport.frameBytesMax)
    return options
  }

  /// Where the log is kept.
  var replicaStore: ReplicaStore {
    switch store {
    case .memory:
      // Nodes on one machine may share the directory.
      let name = address.description.map { $0 == "/" || $0 == ":" ? "_" : $0 }
      return .memory(hint: "\(volume)/members-of-\(String(name))")
    case .durable:
      var options = VolumeOptions(path: volume)
      options.cacheBytes = cacheBytes
      options.writeBufferBytes = writeBufferBytes
      options.isSynced = isSynced
      return .durable(options)
    }
  }

  /// The options of the client protocol.
  var clientOptions: JSONProtocolOptions {
    var options = JSONProtocolOptions()
    options.keyBytesMax = keyBytesMax
    options.valueBytesMax = valueBytesMax
    options.requestBytesMax = requestBytesMax
    options.pipelinedBytesMax = max(options.pipelinedBytesMax, requestBytesMax)
    options.receiveMillisecondsMax = UInt64(requestMilliseconds)
    return options
  }
}

extension LaunchPlan {
  /// The options of the Redis protocol.
  var respOptions: RESPOptions {
    var options = RESPOptions()
    options.keyBytesMax = keyBytesMax
    options.valueBytesMax = valueBytesMax
    options.wordBytesMax = max(options.wordBytesMax, valueBytesMax)
    return options
  }
}

/// Runs one node from start to end: puts its parts together, logs what happens to it, stops it when told to.
struct Launcher {
  private typealias Machine = KeyValueMachine<NodeBackend>

  private let plan: LaunchPlan
  private let logger: Logger

  init(_ plan: LaunchPlan) {
    self.plan = plan
    logger = Logger(label: "raftnode") { [level = plan.logLevel] _ in LineLogHandler(level: level) }
  }

  /// Returns when the node has stopped.
  func run() async -> ExitStatus {
    // First of all: a signal that comes while the node starts must not end the process half-way.
    let signals = StopSignals()
    let replica: Replica<Machine>
    do {
      replica = try await Replica.start(
        KeyValueMachine(backend: NodeBackend()), at: plan.address.description,
        peers: plan.peers.map(\.description), store: plan.replicaStore, options: plan.replicaOptions,
        clients: try RESPClientHandler<Machine>.accepting(
          plan.clientOptions, plan.respOptions, startedAt: Self.monotonicMilliseconds(),
          wallMicroseconds: { Self.wallMicroseconds() }))
    } catch let error as TransportError {
      StandardError.write("raftnode: --ip: \(error)")
      return .unavailable
    } catch let error as StoreError {
      StandardError.write("raftnode: --volume \(plan.volume): \(error)")
      return .storeFailed
    } catch {
      StandardError.write("raftnode: \(error)")
      return .usage
    }
    let clock = ExpiryClock(of: replica)
    defer { withExtendedLifetime(clock) {} }
    let id = await replica.status().id
    logger.info("node \(id) listens at \(replica.address)")
    tellOfStore()
    let stopping = Task { [logger, plan] in
      await Self.stop(replica, isLeaving: plan.leavesOnStop, on: signals, logger)
    }
    defer { stopping.cancel() }
    return await follow(replica)
  }

  private static func wallMicroseconds() -> UInt64 { microseconds(CLOCK_REALTIME) }

  private static func monotonicMilliseconds() -> UInt64 { microseconds(CLOCK_BOOTTIME) / 1_000 }

  private static func microseconds(_ clock: clockid_t) -> UInt64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return UInt64(max(time.tv_sec, 0)) * 1_000_000 + UInt64(time.tv_nsec) / 1_000
  }

  private func tellOfStore() {
    switch (plan.store, plan.isSynced) {
    case (.memory, _):
      logger.notice(
        """
        memory store: a node that stops forgets everything and is given it again by the others when it is back; \
        data is lost if half of the nodes are gone at a time
        """)
    case (.durable, true): logger.info("database store in \(plan.volume)")
    case (.durable, false):
      logger.warning(
        "database store in \(plan.volume) WITHOUT SYNC: a crash of the machine may lose acknowledged writes")
    }
  }

  /// The first signal stops the node in order, a second one at once.
  private static func stop(
    _ replica: Replica<Machine>, isLeaving: Bool, on signals: StopSignals, _ logger: Logger
  ) async {
    var isStopping = false
    for await number in signals.received {
      logger.info("stopping on \(StopSignals.name(of: number))")
      // Nothing is taken down in order: other threads use it still.
      guard !isStopping else { _exit(128 + number) }
      isStopping = true
      Task {
        if isLeaving { await replica.leave() } else { await replica.stop() }
      }
    }
  }

  /// Logs events until the last one.
  private func follow(_ replica: Replica<Machine>) async -> ExitStatus {
    var status = ExitStatus.success
    var log = EventLog()
    for await event in replica.events {
      if case .removed = event {
        // Why the process ends is said whatever the level of the log is.
        if status == .success { StandardError.write("raftnode: \(event)") }
        status = .removed
        Task { await replica.stop() }
        continue
      }
      if case .storeFailed = event { status = .storeFailed }
      if case .leaveFailed = event { status = .refused }
      for line in log.lines(for: event, at: replica.loop.milliseconds) {
        logger.log(level: line.level, "\(line.message)")
      }
    }
    return status
  }
}
