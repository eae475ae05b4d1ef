import Dispatch
import Glibc
import RaftCore
import RaftStore
import RaftTransport

/// Where a replica keeps its log.
public enum ReplicaStore: Hashable, Sendable {
  /// In the memory of the process. An acknowledged write is in the memory of a majority; a restarted node is a new one.
  ///
  /// In the file `hint`, if one is named, the node writes down where the others are: after a restart it then joins them
  /// again, and never founds a cluster of its own.
  case memory(hint: String? = nil)
  /// On stable storage, in a directory of the node's own. An acknowledged write is durable on a majority; a restarted node
  /// is itself again.
  case durable(VolumeOptions)

  fileprivate var kind: StoreKind {
    switch self {
    case .memory: .memory
    case .durable: .durable
    }
  }
}

/// How current a read must be.
public enum ReadConsistency: Hashable, Sendable {
  /// The read sees every write that was acknowledged, through any node, before it was asked.
  case linearizable
  /// The read sees what this node has applied, which may be old; it needs no other node.
  case stale
}

/// One replica of a state machine: a member of a cluster that agrees on every command.
///
/// It listens at one address for peers and, if asked to, clients. Any replica takes any request; those that do not lead
/// hand writes to the leader and ask it how current a read must be.
public final class Replica<Machine: StateMachine>: Sendable {
  /// Where it listens, `host:port`.
  public let address: String
  /// What happens to it, in order. For one consumer; the newest 1,024 are kept until they are consumed.
  public let events: AsyncStream<ReplicaEvent>
  /// The loop on which everything of this replica runs.
  public let loop: EventLoop
  let host: ReplicaHost<Machine>

  /// Starts a replica.
  ///
  /// - Parameters:
  ///   - machine: The state machine in its initial state, the same on all replicas.
  ///   - address: Where to listen, `host:port`, as the peers name it.
  ///   - peers: The other nodes' addresses, the own one tolerated; without any, the replica is a cluster of one. All of
  ///     them must be started, with the same set of addresses, before the cluster comes to life.
  ///   - store: Where the log is kept.
  ///   - options: Limits and times.
  ///   - clients: Takes a connection of a client and its first bytes, on the loop; nil refuses clients.
  /// - Returns: A replica that listens. It is ready for requests once ``ReplicaEvent/founded(cluster:members:)`` comes;
  ///   until then they are refused as not ready.
  /// - Throws: `EndpointError`, ``ReplicaOptionsError``, `TransportError`, or `StoreError` if the store cannot be opened or
  ///   what it holds is damaged.
  public static func start(
    _ machine: Machine, at address: String, peers: [String] = [], store: ReplicaStore = .memory(),
    options: ReplicaOptions = ReplicaOptions(),
    clients: (@Sendable (Replica<Machine>, StreamConnection, Bytes) -> any StreamHandler)? = nil
  ) async throws -> Replica<Machine> {
    let endpoint = try Endpoint(address)
    let peers = try peers.map { try Endpoint($0).description }
    guard peers.count < Configuration.memberLimit else {
      throw ReplicaOptionsError(
        faults: ["\(peers.count) peers are given; a cluster has at most \(Configuration.memberLimit) members"]
      )
    }
    let loop = EventLoop()
    let start = loop.milliseconds
    let options = try options.validated()
    var random = RandomSource(seed: options.seed ?? SystemRandomNumberGenerator().drawn())
    let blank = Applier(machine, options: options)
    var hint: MemberHint?
    if case .memory(let path?) = store { hint = try MemberHint(at: path) }
    let opened = try await open(
      store, blank: blank, address: endpoint.description, newNode: NodeID(max(random.next(), 1)))
    let replica = Replica(
      opened, blank, endpoint: endpoint, peers: peers, hint: hint, options: options, random: random,
      loop: loop)
    try await replica.listen(on: endpoint, opened, since: start, clients: clients)
    return replica
  }

  /// Opens the store, away from threads that others wait for.
  private static func open(
    _ store: ReplicaStore, blank: Applier<Machine>, address: String, newNode: NodeID
  ) async throws -> OpenedStore<Machine> {
    try await withCheckedThrowingContinuation {
      (done: CheckedContinuation<OpenedStore<Machine>, any Error>) in
      DispatchQueue(label: "raftnode.start").async {
        do throws(StoreError) {
          let opened: any LogStore & SnapshotStore
          switch store {
          case .memory: opened = MemoryLogStore()
          case .durable(let options):
            opened = try Volume.open(options, keepsState: Machine.self is any StoredStateMachine.Type)
          }
          done.resume(
            returning: try OpenedStore(opened, store.kind, blank: blank, address: address, newNode: newNode))
        } catch {
          done.resume(throwing: error)
        }
      }
    }
  }

  private init(
    _ opened: OpenedStore<Machine>, _ blank: Applier<Machine>, endpoint: Endpoint, peers: [String],
    hint: MemberHint?, options: ReplicaOptions, random: RandomSource, loop: EventLoop
  ) {
    address = endpoint.description
    self.loop = loop
    let (events, continuation) = AsyncStream.makeStream(
      of: ReplicaEvent.self, bufferingPolicy: .bufferingNewest(1024))
    self.events = events
    host = ReplicaHost(
      opened: opened, blank: blank, address: address, peers: peers, hint: hint, options: options,
      random: random,
      loop: loop
    ) { event in
      continuation.yield(event)
      if event == .stopped { continuation.finish() }
    }
  }

  private func listen(
    on endpoint: Endpoint, _ opened: OpenedStore<Machine>, since start: UInt64,
    clients: (@Sendable (Replica<Machine>, StreamConnection, Bytes) -> any StreamHandler)?
  ) async throws {
    try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
      loop.async { [self] in
        do {
          try host.start(
            on: endpoint,
            accept: clients.map { clients in { [unowned self] in clients(self, $0, $1) } })
          host.resume(opened, since: start)
          done.resume()
        } catch {
          done.resume(throwing: error)
        }
      }
    }
  }

  // MARK: - For any caller

  /// Runs a command on all replicas.
  ///
  /// - Parameters:
  ///   - command: What to do.
  ///   - milliseconds: How long it may take; by default as long as the options say.
  /// - Returns: What the state machine answered, once a majority holds the command and it was applied.
  /// - Throws: ``ReplicaError``: `.notExecuted` if the command has no effect, now or later; `.unknown` if that is not
  ///   known. A command that is not idempotent should not be sent again after `.unknown`; see
  ///   ``openSession(within:)``.
  public func propose(
    _ command: Machine.Command, within milliseconds: UInt64? = nil
  ) async throws(ReplicaError) -> Machine.Outcome {
    try await propose(command, stamp: .none, within: milliseconds)
  }

  /// Asks the state machine.
  ///
  /// - Parameters:
  ///   - query: What to ask.
  ///   - consistency: How current the answer must be.
  ///   - milliseconds: How long it may take; by default as long as the options say.
  /// - Throws: ``ReplicaError``, always `.notExecuted`: a read can be asked again.
  public func read(
    _ query: Machine.Query, _ consistency: ReadConsistency = .linearizable, within milliseconds: UInt64? = nil
  ) async throws(ReplicaError) -> Machine.Answer {
    let result = await withCheckedContinuation {
      (done: CheckedContinuation<Result<Machine.Answer, ReplicaError>, Never>) in
      loop.async { [self] in
        read(query, consistency, within: milliseconds) { done.resume(returning: $0) }
      }
    }
    return try result.get()
  }

  /// What the replica knows of itself and its cluster.
  public func status() async -> ReplicaStatus {
    await withCheckedContinuation { done in
      loop.async { [self] in done.resume(returning: currentStatus) }
    }
  }

  /// Hands leadership over if this replica leads, answers everybody who waits, closes its sockets. It cannot be started
  /// again.
  public func stop() async {
    await withCheckedContinuation { done in
      loop.async { [self] in host.stopGracefully { done.resume() } }
    }
  }

  /// Has this replica removed from its cluster, and then stops it, as ``stop()``; ``ReplicaEvent/left(_:)`` tells that it
  /// worked. Without a leader that does it within ``ReplicaOptions/leaveMilliseconds``, or if it is the only voter, it is
  /// stopped all the same, and remains a member: ``ReplicaEvent/leaveFailed(reason:)``.
  public func leave() async {
    await withCheckedContinuation { done in
      loop.async { [self] in host.leave { done.resume() } }
    }
  }

  // MARK: - Sessions

  /// Opens a client session, in which a command that ended as `.unknown` can be sent again without running twice.
  public func openSession(within milliseconds: UInt64? = nil) async throws(ReplicaError) -> ClientSession<
    Machine
  > {
    guard case .opened(let id) = try await write(.openSession, .none, [], within: milliseconds) else {
      throw .unknown(.sessionExpired)
    }
    return ClientSession(replica: self, id: id)
  }

  func closeSession(_ id: UInt64, within milliseconds: UInt64?) async throws(ReplicaError) {
    let stamp = SessionStamp(session: id, sequence: 0, lowestUnacknowledged: 0)
    _ = try await write(.closeSession, stamp, [], within: milliseconds)
  }

  func propose(
    _ command: Machine.Command, stamp: SessionStamp, within milliseconds: UInt64?
  ) async throws(ReplicaError) -> Machine.Outcome {
    guard
      case .outcome(let outcome) = try await write(.command, stamp, command.encoded(), within: milliseconds)
    else {
      throw .unknown(.sessionExpired)
    }
    return outcome
  }

  private func write(
    _ kind: CommandEnvelope.Kind, _ stamp: SessionStamp, _ operation: Bytes, within milliseconds: UInt64?
  ) async throws(ReplicaError) -> WriteResult<Machine.Outcome> {
    let result = await withCheckedContinuation {
      (done: CheckedContinuation<Result<WriteResult<Machine.Outcome>, ReplicaError>, Never>) in
      loop.async { [self] in
        host.write(kind, session: stamp, operation: operation, within: milliseconds) {
          done.resume(returning: $0)
        }
      }
    }
    return try result.get()
  }

  // MARK: - For code on the replica's loop

  /// Runs a command on all replicas, as ``propose(_:within:)-(_,_)``. To be called on ``loop``, which calls back.
  public func propose(
    _ command: Machine.Command, within milliseconds: UInt64?,
    then handler: @escaping (Result<Machine.Outcome, ReplicaError>) -> Void
  ) {
    propose(command, once: .none, within: milliseconds, then: handler)
  }

  /// Runs a command of a session once, as ``ClientSession`` does, for callers that number their commands themselves. To
  /// be called on ``loop``, which calls back; with `.unknown(.sessionExpired)` if the session is not open any more, or the
  /// command was acknowledged before.
  public func propose(
    _ command: Machine.Command, once stamp: SessionStamp, within milliseconds: UInt64?,
    then handler: @escaping (Result<Machine.Outcome, ReplicaError>) -> Void
  ) {
    host.write(.command, session: stamp, operation: command.encoded(), within: milliseconds) { result in
      // Without `flatMap`, which is generic, and would be told its types at every answer.
      switch result {
      case .success(.outcome(let outcome)): handler(.success(outcome))
      case .success: handler(.failure(.unknown(.sessionExpired)))
      case .failure(let error): handler(.failure(error))
      }
    }
  }

  /// Opens a client session, whose name is given to `handler`. To be called on ``loop``, which calls back.
  public func openSession(
    within milliseconds: UInt64?, then handler: @escaping (Result<UInt64, ReplicaError>) -> Void
  ) {
    host.write(.openSession, session: .none, operation: [], within: milliseconds) { result in
      handler(
        result.flatMap { result in
          guard case .opened(let id) = result else { return .failure(.unknown(.sessionExpired)) }
          return .success(id)
        })
    }
  }

  /// Closes a client session: the cluster forgets it. To be called on ``loop``, which calls back.
  public func closeSession(
    _ id: UInt64, within milliseconds: UInt64?, then handler: @escaping (Result<Void, ReplicaError>) -> Void
  ) {
    let stamp = SessionStamp(session: id, sequence: 0, lowestUnacknowledged: 0)
    host.write(.closeSession, session: stamp, operation: [], within: milliseconds) {
      handler($0.map { _ in })
    }
  }

  /// Asks the state machine, as ``read(_:_:within:)``. To be called on ``loop``, which calls back.
  public func read(
    _ query: Machine.Query, _ consistency: ReadConsistency, within milliseconds: UInt64?,
    then handler: @escaping (Result<Machine.Answer, ReplicaError>) -> Void
  ) {
    switch consistency {
    case .linearizable: host.read(query, within: milliseconds, then: handler)
    case .stale: handler(host.readStale(query))
    }
  }

  /// Whether the replica leads. To be asked on ``loop``.
  public var isLeader: Bool { host.running?.driver.node.isLeader ?? false }

  /// What the replica knows of itself and its cluster. To be asked on ``loop``.
  public var currentStatus: ReplicaStatus { host.status }
}

extension SystemRandomNumberGenerator {
  fileprivate func drawn() -> UInt64 {
    var generator = self
    return generator.next()
  }
}
