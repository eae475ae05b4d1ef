import RaftCore
import RaftKV
import RaftServer

/// The connection of a JSON client, with puts, gets and deletes behind it.
struct JSONTarget: FuzzTarget {
  static var ownSeeds: [Bytes] { [] }

  private var machine = KeyValueMachine(backend: NodeBackend())
  private var index: UInt64 = 0
  /// What was answered, and may wait behind requests that are not.
  private var answeredBytes = 0

  init() {}

  mutating func take(_ pieces: [Bytes]) throws(FuzzFailure) {
    var connection = ClientConnection()
    var arrived = 0
    var steps = 0
    answeredBytes = 0
    for piece in pieces {
      arrived += piece.count
      connection.received(piece, at: UInt64(arrived))
      try pump(&connection, &steps)
      guard connection.heldBytes <= 4 * arrived + 4_096 + answeredBytes else {
        throw FuzzFailure(reason: "it holds \(connection.heldBytes) bytes of \(arrived)")
      }
    }
    connection.inputEnded()
    try pump(&connection, &steps)
  }

  private mutating func pump(_ connection: inout ClientConnection, _ steps: inout Int) throws(FuzzFailure) {
    while true {
      while let (number, operation) = connection.nextOperation() {
        steps += 1
        guard steps < stepsMax else { throw FuzzFailure(reason: "it takes steps for ever") }
        carryOut(operation, number, on: &connection)
      }
      guard !connection.takeOutput(unsentBytes: 0, at: 0).isEmpty else { return }
    }
  }

  private mutating func carryOut(
    _ operation: ClientOperation, _ number: UInt64, on connection: inout ClientConnection
  ) {
    switch operation {
    case .write(let command), .writeOnce(let command, _):
      index += 1
      let outcome = machine.apply(command, at: ApplyContext(logIndex: LogIndex(index), time: index))
      connection.answer(number, with: .written(.success(outcome)))
    case .read(let query):
      let answer = ClientAnswer.read(.success(machine.read(query)))
      answeredBytes += answer.bytes
      connection.answer(number, with: answer)
    case .session: connection.answer(number, with: .session(.success(17)))
    // What is not about data stays unanswered.
    default: break
    }
  }
}
