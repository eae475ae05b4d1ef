import Foundation
import RaftCore
import RaftServer
import RaftTransport
import Testing

/// A register that can be added to: enough to see whether a command ran never, once or twice.
struct Register: StateMachine {
  struct Add: ByteCodable {
    var amount: Int
    init(_ amount: Int) { self.amount = amount }
    func encode(into writer: inout ByteWriter) { amount.encode(into: &writer) }
    init(from reader: inout ByteReader) throws(MalformedBytes) { amount = try Int(from: &reader) }
  }

  var value = 0
  var times: [UInt64] = []

  mutating func apply(_ command: Add, at context: ApplyContext) -> Int {
    value += command.amount
    times.append(context.time)
    return value
  }

  func read(_ query: Void) -> Register { self }

  func snapshot(into writer: inout SnapshotWriter) {
    writer.write(value)
    writer.write(contentsOf: times)
  }

  mutating func restore(from reader: inout SnapshotReader) throws(MalformedBytes) {
    value = try reader.read()
    times = try reader.readArray()
  }
}

/// Replicas in this process that talk over real sockets on 127.0.0.1.
final class LocalCluster: Sendable {
  let replicas: [Replica<Register>]

  init(_ count: Int, base: UInt16, options: ReplicaOptions = ReplicaOptions()) async throws {
    let addresses = (0..<count).map { "127.0.0.1:\(base + UInt16($0))" }
    var replicas: [Replica<Register>] = []
    for address in addresses {
      replicas.append(
        try await Replica.start(
          Register(), at: address, peers: addresses.filter { $0 != address }, options: options))
    }
    self.replicas = replicas
  }

  func stop() async {
    for replica in replicas { await replica.stop() }
  }

  /// The position of the leader that all of `among` agree on.
  func leader(among positions: [Int]? = nil) async throws -> Int {
    let positions = positions ?? Array(replicas.indices)
    let deadline = ContinuousClock.now + .seconds(20)
    while ContinuousClock.now < deadline {
      var named: Set<String> = []
      for position in positions { named.insert(await replicas[position].status().leaderAddress ?? "") }
      if named.count == 1, let address = named.first,
        let leader = positions.first(where: { replicas[$0].address == address })
      {
        return leader
      }
      try await Task.sleep(for: .milliseconds(5))
    }
    throw NoLeader()
  }

  struct NoLeader: Error {}
}

@Suite("Replicas on real sockets", .serialized)
struct ReplicaClusterTests {
  @Test("a cluster of one answers at once")
  func clusterOfOne() async throws {
    let cluster = try await LocalCluster(1, base: 27_010)
    _ = try await cluster.leader()
    #expect(try await cluster.replicas[0].propose(Register.Add(2)) == 2)
    #expect(try await cluster.replicas[0].read(()).value == 2)
    await cluster.stop()
  }

  @Test("every replica takes writes and linearizable reads")
  func everyReplicaAnswers() async throws {
    let cluster = try await LocalCluster(3, base: 27_020)
    _ = try await cluster.leader()
    var expected = 0
    for round in 1...30 {
      expected += round
      #expect(try await cluster.replicas[round % 3].propose(Register.Add(round)) == expected)
      #expect(try await cluster.replicas[(round + 1) % 3].read(()).value == expected)
    }
    await cluster.stop()
  }

  @Test("time in the log never goes back, whoever leads")
  func timeIsMonotone() async throws {
    let cluster = try await LocalCluster(3, base: 27_030)
    let leader = try await cluster.leader()
    for _ in 0..<20 { _ = try await cluster.replicas[0].propose(Register.Add(1)) }
    await cluster.replicas[leader].stop()
    let rest = [0, 1, 2].filter { $0 != leader }
    _ = try await cluster.leader(among: rest)
    for _ in 0..<20 { _ = try await cluster.replicas[rest[0]].propose(Register.Add(1)) }
    let times = try await cluster.replicas[rest[1]].read(()).times
    #expect(times.count == 40)
    #expect(times == times.sorted())
    await cluster.stop()
  }

  @Test("a leader that stops hands over, and nothing that was acknowledged is lost")
  func leaderHandsOver() async throws {
    let cluster = try await LocalCluster(3, base: 27_040)
    let leader = try await cluster.leader()
    #expect(try await cluster.replicas[leader].propose(Register.Add(7)) == 7)
    await cluster.replicas[leader].stop()
    let rest = [0, 1, 2].filter { $0 != leader }
    let next = try await cluster.leader(among: rest)
    #expect(next != leader)
    #expect(try await cluster.replicas[rest[0]].read(()).value == 7)
    #expect(try await cluster.replicas[rest[1]].propose(Register.Add(1)) == 8)
    await cluster.stop()
  }

  @Test("without a majority nothing is acknowledged, and reads are not answered")
  func noMajorityNoAnswer() async throws {
    let cluster = try await LocalCluster(3, base: 27_050)
    let leader = try await cluster.leader()
    let rest = [0, 1, 2].filter { $0 != leader }
    await cluster.replicas[rest[0]].stop()
    await cluster.replicas[rest[1]].stop()
    await #expect(throws: ReplicaError.self) {
      try await cluster.replicas[leader].propose(Register.Add(1), within: 1_000)
    }
    await #expect(throws: ReplicaError.self) { try await cluster.replicas[leader].read((), within: 1_000) }
    #expect(try await cluster.replicas[leader].read((), .stale).value == 0)
    await cluster.stop()
  }

  @Test("many commands in flight through every replica run exactly once each")
  func concurrentCommands() async throws {
    let cluster = try await LocalCluster(3, base: 27_060)
    _ = try await cluster.leader()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for worker in 0..<30 {
        group.addTask {
          for _ in 0..<50 { _ = try await cluster.replicas[worker % 3].propose(Register.Add(1)) }
        }
      }
      try await group.waitForAll()
    }
    for replica in cluster.replicas { #expect(try await replica.read(()).value == 1500) }
    await cluster.stop()
  }

  @Test("a session runs each command once, and a closed session runs none")
  func sessions() async throws {
    let cluster = try await LocalCluster(3, base: 27_070)
    let leader = try await cluster.leader()
    let session = try await cluster.replicas[(leader + 1) % 3].openSession()
    for value in 1...10 { #expect(try await session.propose(Register.Add(1)) == value) }
    try await session.close()
    await #expect(throws: ReplicaError.unknown(.sessionExpired)) {
      try await session.propose(Register.Add(1))
    }
    #expect(try await cluster.replicas[leader].read(()).value == 10)
    await cluster.stop()
  }

  @Test("wrong addresses, too many peers and impossible options are errors, not traps")
  func wrongStarts() async {
    await #expect(throws: EndpointError.self) { try await Replica.start(Register(), at: "nowhere") }
    let many = (1...64).map { "127.0.0.1:\(30_000 + $0)" }
    await #expect(throws: ReplicaOptionsError.self) {
      try await Replica.start(Register(), at: "127.0.0.1:27090", peers: many)
    }
    var options = ReplicaOptions()
    options.tickMilliseconds = 0
    options.raft.heartbeatTicks = 100
    await #expect(throws: ReplicaOptionsError.self) {
      try await Replica.start(Register(), at: "127.0.0.1:27090", options: options)
    }
  }
}
