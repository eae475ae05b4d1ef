import RaftCore
import RaftServer
import RaftTransport

/// What the handlers of one node share.
///
/// `@unchecked Sendable`: confined to the node's loop.
final class RESPClients: @unchecked Sendable {
  var lastID: UInt64 = 0
  var count = 0
  /// What all clients may have the node hold, of either protocol.
  let budget: SharedClientBudget
  let startedAt: UInt64
  let wallMicroseconds: @Sendable () -> UInt64

  init(
    budget: SharedClientBudget, startedAt: UInt64, wallMicroseconds: @escaping @Sendable () -> UInt64
  ) {
    self.budget = budget
    self.startedAt = startedAt
    self.wallMicroseconds = wallMicroseconds
  }
}

/// Serves one client that speaks the Redis protocol: the thin shell around a ``RESPConnection``. It decides nothing.
///
/// `@unchecked Sendable`: confined to its replica's loop, like the connection that it serves.
public final class RESPClientHandler<Machine: StateMachine>: StreamHandler, @unchecked Sendable
where
  Machine.Command == KeyValueCommand, Machine.Outcome == KeyValueOutcome,
  Machine.Query == KeyValueQuery, Machine.Answer == KeyValueAnswer
{
  private let replica: Replica<Machine>
  private let connection: StreamConnection
  private let clients: RESPClients
  private var client: RESPConnection
  /// What of the budget is this client's.
  private var countedBytes = 0
  private var isPumping = false
  private var isReadingPaused = false
  private var isOver = false

  init(
    replica: Replica<Machine>, connection: StreamConnection, clients: RESPClients, options: RESPOptions
  ) {
    self.replica = replica
    self.connection = connection
    self.clients = clients
    clients.lastID += 1
    clients.count += 1
    client = RESPConnection(id: clients.lastID, options: options)
  }

  /// What `Replica.start` takes as `clients`, for a node whose clients speak JSON or the Redis protocol: the first byte
  /// tells which.
  ///
  /// - Parameters:
  ///   - json: Limits of the JSON protocol.
  ///   - resp: Limits of the Redis protocol.
  ///   - milliseconds: The clock of the node's loop, now.
  ///   - wallMicroseconds: Tells the time, in microseconds since 1970.
  /// - Throws: ``JSONProtocolOptionsError`` if the options make no sense.
  public static func accepting(
    _ json: JSONProtocolOptions, _ resp: RESPOptions, startedAt milliseconds: UInt64,
    wallMicroseconds: @escaping @Sendable () -> UInt64
  ) throws(JSONProtocolOptionsError)
    -> @Sendable (Replica<Machine>, StreamConnection, Bytes) -> any StreamHandler
  {
    let json = try json.validated()
    let budget = SharedClientBudget(bytesMax: json.clientBytesMax)
    let acceptingJSON = JSONClientHandler<Machine>.accepting(json, sharing: budget)
    let clients = RESPClients(
      budget: budget, startedAt: milliseconds, wallMicroseconds: wallMicroseconds)
    return { replica, connection, bytes in
      guard let first = bytes.first, isRESP(first) else { return acceptingJSON(replica, connection, bytes) }
      return RESPClientHandler(replica: replica, connection: connection, clients: clients, options: resp)
    }
  }

  /// Requests begin with `*`, or, as words in a line, with a letter.
  private static func isRESP(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "*") || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
  }

  /// While the clients of the node have it hold too much, one that sends more than this has its connection closed.
  private static var requestBytesWhenFull: Int { 4 << 10 }

  private func count(_ bytes: Int) {
    clients.budget.value.change(from: countedBytes, to: bytes)
    countedBytes = bytes
  }

  // MARK: - StreamHandler

  /// Bytes have arrived.
  public func received(_ bytes: Bytes, on connection: StreamConnection) {
    guard !isOver else { return }
    if clients.budget.value.isSpent, client.heldBytes + bytes.count > Self.requestBytesWhenFull {
      client.turnAway("ERR this node holds as many bytes for its clients as it may; try again later")
    } else {
      client.received(bytes)
    }
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
    clients.count -= 1
    client = RESPConnection(id: client.id)
    count(0)
  }

  // MARK: - Between connection and replica

  private func pump() {
    guard !isPumping, !isOver else { return }
    isPumping = true
    // Whoever does not take answers is not served further.
    while connection.pendingBytes < client.options.outputBytesMax {
      let step = client.next(facts)
      let output = client.takeOutput()
      connection.write(output)
      guard let step else {
        // It stops to have its answers taken, and goes on then.
        if output.isEmpty { break }
        continue
      }
      carryOut(step)
      if client.isUnderway { break }
    }
    isPumping = false
    settle()
  }

  /// Whoever waits for an answer is held until it comes, as it always does.
  private func carryOut(_ step: RESPConnection.Step) {
    switch step {
    case .write(let calls):
      let count = calls.count
      replica.propose(.run(calls), within: nil) { self.answered($0, count) }
    case .transaction(let calls, let watched):
      replica.propose(.run(calls, watched: watched), within: nil) { self.answered($0, 1) }
    case .read(let calls):
      let count = calls.count
      replica.read(.run(calls), .linearizable, within: nil) { answer in
        self.answered(
          answer.map { if case .replies(let replies) = $0 { .replies(replies) } else { .done } }, count)
      }
    case .watch(let keys):
      replica.read(.versions(keys), .linearizable, within: nil) { [self] answer in
        guard !isOver else { return }
        client.answer(versions: answer.map { if case .versions(let keys) = $0 { keys } else { [] } })
        pump()
      }
    case .namespaces:
      replica.read(.namespaces, .linearizable, within: nil) { [self] answer in
        guard !isOver else { return }
        client.answer(namespaces: answer.map { if case .namespaces(let names) = $0 { names } else { [] } })
        pump()
      }
    }
  }

  private func answered(_ result: Result<KeyValueOutcome, ReplicaError>, _ count: Int) {
    guard !isOver else { return }
    client.answer(result, count: count)
    pump()
  }

  private func settle() {
    count(client.heldBytes + connection.pendingBytes)
    if client.isFinished {
      isOver = true
      connection.write(client.takeOutput())
      return connection.closeAfterFlush()
    }
    let wantsReading = client.wantsReading && connection.pendingBytes < client.options.outputBytesMax
    if wantsReading == isReadingPaused {
      isReadingPaused.toggle()
      if isReadingPaused { connection.pauseReading() } else { connection.resumeReading() }
    }
  }

  private func facts() -> RESPFacts {
    let status = replica.currentStatus
    var facts = RESPFacts()
    facts.address = status.address
    facts.clientAddress = connection.remoteAddress
    facts.isLeader = status.role == .leader
    facts.leaderAddress = status.leaderAddress
    facts.members = status.members.count
    facts.otherVoters = status.members.count { $0.isVoter && $0.id != status.id }
    facts.clients = clients.count
    facts.uptimeSeconds =
      (connection.loop.milliseconds - min(clients.startedAt, connection.loop.milliseconds)) / 1_000
    facts.wallMicroseconds = clients.wallMicroseconds()
    facts.isDurable = status.store == .durable
    facts.id = status.id.description
    facts.term = status.term.rawValue
    facts.applied = status.appliedIndex.rawValue
    return facts
  }
}
