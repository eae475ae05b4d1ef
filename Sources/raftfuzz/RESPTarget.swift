import RaftCore
import RaftKV
import RaftServer

/// The connection of a Redis client, with the commands behind it.
struct RESPTarget: FuzzTarget {
  static var ownSeeds: [Bytes] { [] }

  private var machine = KeyValueMachine(backend: NodeBackend())
  private var index: UInt64 = 0

  init() {}

  mutating func take(_ pieces: [Bytes]) throws(FuzzFailure) {
    var connection = RESPConnection(id: 7)
    var arrived = 0
    var steps = 0
    for piece in pieces {
      arrived += piece.count
      connection.received(piece)
      try pump(&connection, &steps)
      // Commands of a transaction are counted with the names of their namespaces, and have a limit of their own.
      let queued = connection.queuedBytes
      guard connection.heldBytes - queued <= 2 * arrived + 4_096,
        queued <= connection.options.requestBytesMax + 8 * arrived
      else {
        throw FuzzFailure(
          reason: "it holds \(connection.heldBytes) bytes of \(arrived), \(queued) of them queued")
      }
    }
    connection.inputEnded()
    try pump(&connection, &steps)
    guard connection.isFinished else { throw FuzzFailure(reason: "the connection does not end") }
  }

  private mutating func pump(_ connection: inout RESPConnection, _ steps: inout Int) throws(FuzzFailure) {
    while true {
      let step = connection.next { RESPFacts() }
      let output = connection.takeOutput()
      guard output.count < 64 << 20 else { throw FuzzFailure(reason: "it answers without end") }
      if let step {
        steps += 1
        guard steps < stepsMax else { throw FuzzFailure(reason: "it takes steps for ever") }
        carryOut(step, on: &connection)
      } else if output.isEmpty {
        return
      }
    }
  }

  private mutating func carryOut(_ step: RESPConnection.Step, on connection: inout RESPConnection) {
    index += 1
    let context = ApplyContext(logIndex: LogIndex(index), time: 1_700_000_000_000 + index)
    switch step {
    case .write(let calls):
      connection.answer(.success(machine.apply(.run(calls), at: context)), count: calls.count)
    case .transaction(let calls, let watched):
      connection.answer(.success(machine.apply(.run(calls, watched: watched), at: context)), count: 1)
    case .read(let calls):
      guard case .replies(let replies) = machine.read(.run(calls)) else { return }
      connection.answer(.success(.replies(replies)), count: calls.count)
    case .watch(let keys):
      guard case .versions(let versions) = machine.read(.versions(keys)) else { return }
      connection.answer(versions: .success(versions))
    case .namespaces:
      guard case .namespaces(let names) = machine.read(.namespaces) else { return }
      connection.answer(namespaces: .success(names))
    }
  }
}
