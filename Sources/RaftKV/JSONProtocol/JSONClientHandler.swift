import RaftCore
import RaftServer
import RaftTransport

/// How much a node holds for its clients, and how much it may.
struct ClientBudget: Hashable, Sendable {
  let bytesMax: Int
  private(set) var bytes = 0

  init(bytesMax: Int) { self.bytesMax = bytesMax }

  var isSpent: Bool { bytes >= bytesMax }

  mutating func change(from before: Int, to after: Int) { bytes += after - before }
}

/// What the handlers of one node share.
///
/// `@unchecked Sendable`: confined to the node's loop.
final class SharedClientBudget: @unchecked Sendable {
  var value: ClientBudget

  init(bytesMax: Int) { value = ClientBudget(bytesMax: bytesMax) }
}

/// Serves one client that speaks JSON: the thin shell around a ``ClientConnection``. It decides nothing.
///
/// `@unchecked Sendable`: confined to its replica's loop, like the connection that it serves.
public final class JSONClientHandler<Machine: StateMachine>: StreamHandler, @unchecked Sendable
where
  Machine.Command == KeyValueCommand, Machine.Outcome == KeyValueOutcome,
  Machine.Query == KeyValueQuery, Machine.Answer == KeyValueAnswer
{
  private let replica: Replica<Machine>
  private let connection: StreamConnection
  private let budget: SharedClientBudget
  private let clients: JSONClients<Machine>
  private var client: ClientConnection
  /// What of the budget is this client's.
  private var countedBytes = 0
  private var countedWatches = 0
  private var timer: LoopTimer?
  private var timerDeadline: UInt64?
  private var isPumping = false
  private var isPumpScheduled = false
  private var isReadingPaused = false
  private var isOver = false

  init(
    replica: Replica<Machine>, connection: StreamConnection, budget: SharedClientBudget,
    clients: JSONClients<Machine>, options: JSONProtocolOptions
  ) {
    self.replica = replica
    self.connection = connection
    self.budget = budget
    self.clients = clients
    client = ClientConnection(options: options)
  }

  /// What `Replica.start` takes as `clients`, for a node whose clients speak JSON.
  ///
  /// - Throws: ``JSONProtocolOptionsError`` if the options make no sense.
  public static func accepting(
    _ options: JSONProtocolOptions = JSONProtocolOptions()
  ) throws(JSONProtocolOptionsError)
    -> @Sendable (Replica<Machine>, StreamConnection, Bytes) -> any StreamHandler
  {
    let options = try options.validated()
    return accepting(options, sharing: SharedClientBudget(bytesMax: options.clientBytesMax))
  }

  /// The same for options that are validated, and a budget that others share.
  static func accepting(
    _ options: JSONProtocolOptions, sharing budget: SharedClientBudget
  ) -> @Sendable (Replica<Machine>, StreamConnection, Bytes) -> any StreamHandler {
    let clients = JSONClients<Machine>(watchesMax: options.watchesMax)
    return { replica, connection, _ in
      JSONClientHandler(
        replica: replica, connection: connection, budget: budget, clients: clients, options: options)
    }
  }

  // MARK: - StreamHandler

  /// Bytes have arrived.
  public func received(_ bytes: Bytes, on connection: StreamConnection) {
    guard !isOver else { return }
    client.isNodeFull = budget.value.isSpent
    client.received(bytes, at: connection.loop.milliseconds)
    pump()
  }

  /// The client sends nothing more, but may still read.
  public func inputEnded(on connection: StreamConnection) {
    guard !isOver else { return }
    client.inputEnded()
    pump()
  }

  /// The client has taken what it was sent.
  public func drained(_ connection: StreamConnection) { pump() }

  /// The client is gone.
  public func closed(_ connection: StreamConnection, reason: String) {
    isOver = true
    timer?.cancel()
    client = ClientConnection(options: client.options)
    countWatches(0)
    count(0)
  }

  private func count(_ bytes: Int) {
    budget.value.change(from: countedBytes, to: bytes)
    countedBytes = bytes
  }

  private func countWatches(_ count: Int) {
    guard count != countedWatches else { return }
    countedWatches = count
    clients.follow(self, watches: count, on: replica)
  }

  // MARK: - Between connection and replica

  /// Carries out what may start and sends what is ready, until neither leads to more.
  func pump() {
    guard !isPumping, !isOver else { return }
    isPumping = true
    var isWorking = true
    while isWorking {
      while let (number, operation) = client.nextOperation() { carryOut(operation, number) }
      let output = client.takeOutput(unsentBytes: connection.pendingBytes, at: connection.loop.milliseconds)
      connection.write(output)
      isWorking = !output.isEmpty && connection.isOpen
    }
    tellChanges()
    isPumping = false
    settle()
  }

  /// While this many bytes wait to be taken by the client, no events are added to them: they are remembered anyway.
  private static var unsentBytesForEvents: Int { 64 << 10 }

  /// Whether events may be added to what the client has not taken yet. When all clients have the node hold too much, those
  /// that have taken everything go on.
  private var takesEvents: Bool {
    let unsentMax = min(client.options.outputBytesMax, Self.unsentBytesForEvents)
    return connection.isOpen && connection.pendingBytes < (budget.value.isSpent ? 1 : unsentMax)
  }

  /// Sends what has changed to a client that follows it, as far as it takes it.
  private func tellChanges() {
    var finished = 0
    while finished < client.watches.count, takesEvents, let query = client.nextChanges() {
      let count = client.watches.count
      var hasMore = false
      replica.read(.changes(query), .stale, within: nil) { [weak self] result in
        guard let self, case .success(let answer) = result else { return }
        let (lines, isCut) = client.takeChanges(answer)
        connection.write(lines)
        hasMore = isCut
      }
      // One that has ended is not there any more to be counted.
      finished = hasMore ? 0 : finished + (client.watches.count < count ? 0 : 1)
      self.count(client.heldBytes + connection.pendingBytes)
    }
  }

  private func carryOut(_ operation: ClientOperation, _ number: UInt64) {
    switch operation {
    case .write(let command):
      replica.propose(command, within: nil) { [weak self] in self?.answer(number, .written($0)) }
    case .writeOnce(let command, let stamp):
      replica.propose(command, once: stamp, within: nil) { [weak self] in self?.answer(number, .written($0)) }
    case .session(nil):
      replica.openSession(within: nil) { [weak self] in self?.answer(number, .session($0.map { $0 })) }
    case .session(let id?):
      replica.closeSession(id, within: nil) { [weak self] in
        self?.answer(number, .session($0.map { _ in nil }))
      }
    case .read(let query):
      replica.read(query, .linearizable, within: nil) { [weak self] in self?.answer(number, .read($0)) }
    case .readStale(let query):
      let age = replica.ageMilliseconds
      replica.read(query, .stale, within: nil) { [weak self] in
        self?.answer(number, .readStale($0, age: age))
      }
      clients.refreshAge(of: replica)
    case .watch(let request):
      begin(request) { [weak self] in self?.answer(number, .watching(request, $0)) }
    case .unwatch(let id):
      answer(number, .unwatched(id: id))
    case .leases:
      answer(number, .leases(replica.usesLeaseReads))
    case .status:
      answer(number, .status(replica.currentStatus))
    case .snapshot(let request):
      request.carryOut(on: replica) { [weak self] in self?.answer(number, .snapshot($0)) }
    case .administer(let change):
      administer(change) { [weak self] in self?.answer(number, .administered($0)) }
    }
  }

  /// Finds out from which log index on changes are told: the next one after all that has been acknowledged, if the client
  /// names none.
  private func begin(
    _ request: WatchRequest, then handler: @escaping (Result<UInt64, ReplicaError>) -> Void
  ) {
    guard clients.mayWatch else { return handler(.failure(.notExecuted(.busy))) }
    if let index = request.from { return handler(.success(index)) }
    replica.read(.position, .linearizable, within: nil) { result in
      handler(result.map { if case .position(let index) = $0 { index + 1 } else { 1 } })
    }
  }

  private func administer(
    _ change: Administration, then handler: @escaping (Result<Void, MembershipError>) -> Void
  ) {
    let changes: [ConfigurationChange]
    switch change {
    case .transfer(nil): return handler(replica.beginTransfer(to: nil))
    case .transfer(let name?):
      guard let id = id(of: name) else { return handler(.failure(.unknownMember)) }
      return handler(replica.beginTransfer(to: id))
    case .replace(let name, let place):
      guard let id = id(of: name) else { return handler(.failure(.unknownMember)) }
      return replica.replaceMember(id, at: place, then: handler)
    case .leases(let isOn): changes = [.useLeaseReads(isOn)]
    case .remove(let name): changes = id(of: name).map { [.remove($0)] } ?? []
    case .promote(let name): changes = id(of: name).map { [.promote($0)] } ?? []
    case .demote(let name): changes = id(of: name).map { [.demote($0)] } ?? []
    }
    guard !changes.isEmpty else { return handler(.failure(.unknownMember)) }
    replica.changeMembers(changes, within: nil, then: handler)
  }

  private func id(of name: String) -> NodeID? {
    replica.currentStatus.members.first { $0.address == name || $0.id.description == name }?.id
  }

  private func answer(_ number: UInt64, _ answer: ClientAnswer) {
    guard !isOver else { return }
    client.answer(number, with: answer)
    guard !isPumping, !isPumpScheduled else { return }
    if client.requestCount == 1 { return pump() }
    // Answers to pipelined requests tend to come in one turn of the loop: they leave in one write.
    isPumpScheduled = true
    connection.loop.async { [self] in
      isPumpScheduled = false
      pump()
    }
  }

  /// Closes, pauses or resumes the connection, and sets the timer, as the client's state wants it.
  private func settle() {
    count(client.heldBytes + connection.pendingBytes)
    countWatches(client.watches.count)
    if client.isFinished {
      isOver = true
      timer?.cancel()
      return connection.closeAfterFlush()
    }
    if client.wantsReading == isReadingPaused {
      isReadingPaused.toggle()
      if isReadingPaused { connection.pauseReading() } else { connection.resumeReading() }
    }
    guard client.nextDeadline != timerDeadline else { return }
    timer?.cancel()
    timerDeadline = client.nextDeadline
    timer = timerDeadline.map { deadline in
      connection.loop.schedule(at: deadline) { [weak self] in
        guard let self, !isOver else { return }
        timerDeadline = nil
        client.advance(to: connection.loop.milliseconds)
        pump()
      }
    }
  }
}
