import RaftCore

@testable import RaftKV
@testable import RaftServer

/// A client's connection to a node that is nothing but a state machine: operations are carried out at once, or held
/// until the test lets them go.
struct TestClient {
  var connection: ClientConnection
  var machine = TestMachine(backend: SortedBackend())
  var status = TestClient.status(leader: "10.0.0.1:5000")
  /// Time in milliseconds.
  var now: UInt64 = 1_000
  /// The time of the log in milliseconds, and the index of its last entry.
  var time: UInt64 = 0
  var index: UInt64 = 0
  /// How old the node's data is at most.
  var age: UInt64?
  /// Whether operations wait in ``held``.
  var isHolding = false
  /// The places in sessions that writes have named.
  private(set) var stamps: [SessionStamp] = []
  private(set) var held: [(number: UInt64, operation: ClientOperation)] = []
  private(set) var output: Bytes = []
  /// How many bytes of output the client has not taken.
  var unsentBytes = 0

  init(options: JSONProtocolOptions = JSONProtocolOptions()) {
    connection = ClientConnection(options: options)
  }

  static func status(leader: String?) -> ReplicaStatus {
    func member(_ number: UInt64) -> ReplicaStatus.MemberStatus {
      .init(
        id: NodeID(number), address: "10.0.0.\(number):5000", isVoter: number < 3, isReachable: number != 2)
    }
    return ReplicaStatus(
      id: NodeID(2), clusterID: ClusterID(9), address: "10.0.0.2:5000", role: .follower, term: Term(7),
      leaderAddress: leader, commitIndex: LogIndex(12), appliedIndex: LogIndex(11), store: .memory,
      members: [member(1), member(2), member(3)])
  }

  mutating func send(_ bytes: Bytes) {
    connection.received(bytes, at: now)
    pump()
  }

  mutating func send(_ text: String) { send(Bytes(text.utf8)) }

  mutating func endInput() {
    connection.inputEnded()
    pump()
  }

  mutating func wait(_ milliseconds: UInt64) {
    now += milliseconds
    connection.advance(to: now)
    pump()
  }

  /// Carries out a held operation.
  mutating func release(at position: Int = 0) {
    let (number, operation) = held.remove(at: position)
    carryOut(operation, number)
    pump()
  }

  /// Lets a held operation fail.
  mutating func fail(_ error: ReplicaError, at position: Int = 0) {
    let (number, operation) = held.remove(at: position)
    switch operation {
    case .write, .writeOnce: connection.answer(number, with: .written(.failure(error)))
    case .session: connection.answer(number, with: .session(.failure(error)))
    case .read: connection.answer(number, with: .read(.failure(error)))
    case .readStale: connection.answer(number, with: .readStale(.failure(error), age: nil))
    case .watch(let request): connection.answer(number, with: .watching(request, .failure(error)))
    case .unwatch(let id): connection.answer(number, with: .unwatched(id: id))
    case .leases: connection.answer(number, with: .leases(false))
    case .status: connection.answer(number, with: .status(status))
    case .snapshot: connection.answer(number, with: .snapshot(.failure(error)))
    case .administer: connection.answer(number, with: .administered(.failure(.failed(error))))
    }
    pump()
  }

  mutating func pump() {
    var isWorking = true
    while isWorking {
      while let (number, operation) = connection.nextOperation() {
        if isHolding { held.append((number, operation)) } else { carryOut(operation, number) }
      }
      let bytes = connection.takeOutput(unsentBytes: unsentBytes, at: now)
      output += bytes
      isWorking = !bytes.isEmpty
    }
    var finished = 0
    while finished < connection.watches.count, unsentBytes < connection.options.outputBytesMax,
      let query = connection.nextChanges()
    {
      let (lines, hasMore) = connection.takeChanges(machine.read(.changes(query)))
      output += lines
      finished = hasMore ? 0 : finished + 1
    }
  }

  /// Runs a command at the next index of the log.
  mutating func apply(_ command: KeyValueCommand) -> KeyValueOutcome {
    index += 1
    return machine.apply(command, at: ApplyContext(logIndex: LogIndex(index), time: time))
  }

  private mutating func carryOut(_ operation: ClientOperation, _ number: UInt64) {
    switch operation {
    case .write(let command):
      let outcome = apply(command)
      connection.answer(number, with: .written(.success(outcome)))
    case .writeOnce(let command, let stamp):
      stamps.append(stamp)
      let outcome = apply(command)
      connection.answer(number, with: .written(.success(outcome)))
    case .session(let id):
      connection.answer(number, with: .session(.success(id == nil ? 17 : nil)))
    case .read(let query):
      connection.answer(number, with: .read(.success(machine.read(query))))
    case .readStale(let query):
      connection.answer(number, with: .readStale(.success(machine.read(query)), age: age))
    case .watch(let request):
      connection.answer(number, with: .watching(request, .success(request.from ?? index + 1)))
    case .unwatch(let id): connection.answer(number, with: .unwatched(id: id))
    case .leases: connection.answer(number, with: .leases(true))
    case .status:
      connection.answer(number, with: .status(status))
    case .snapshot(.take):
      connection.answer(number, with: .snapshot(.failure(.notExecuted(.busy))))
    case .snapshot(.read(let id, let offset)):
      // A copy of seven bytes.
      let piece = Bytes("foobar!".utf8.dropFirst(Int(min(offset, 7))))
      connection.answer(
        number, with: .snapshot(.success(id == 0xAB ? .piece(id: id, offset: offset, piece) : .unknown)))
    case .administer:
      connection.answer(number, with: .administered(.failure(.notLeader(address: "127.0.0.1:7002"))))
    }
  }

  /// The answers so far, one line each, and forgets them.
  mutating func takeLines() -> [String] {
    defer { output = [] }
    let text = String(decoding: output, as: UTF8.self)
    guard text.isEmpty || text.hasSuffix("\n") else { return ["an answer without its newline: \(text)"] }
    return text.utf8.split(separator: 0x0A).map { String(Substring($0)) }
  }

  /// Sends one request and returns what is answered.
  mutating func ask(_ text: String) -> String {
    send(text)
    return takeLines().joined(separator: "|")
  }
}
