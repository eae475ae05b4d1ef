import Foundation
import Synchronization

/// Clients that write and read a few keys through all nodes, and remember what they saw.
final class Workload: Sendable {
  typealias Operation = KeyedOperation<String, String>

  private let nodes: [NodeProcess]
  private let keys: [String]
  private let writeCount = Mutex(0)
  private let isStopping = Mutex(false)

  init(on cluster: ClusterOfProcesses, keys: [String]) {
    nodes = cluster.nodes
    self.keys = keys
  }

  /// Waits until `count` more writes have been acknowledged.
  func awaitWrites(_ count: Int) throws {
    let goal = writeCount.withLock { $0 } + count
    try eventually("\(count) more writes are acknowledged") { writeCount.withLock { $0 } >= goal ? () : nil }
  }

  /// Runs clients side by side until ``stop()`` is called.
  func run(clients count: Int) async -> [Operation] {
    await withTaskGroup(of: [Operation].self) { group in
      for number in 0..<count { group.addTask { self.run(number) } }
      return await group.reduce(into: []) { $0 += $1 }
    }
  }

  /// Has all clients finish what they are doing, and no more.
  func stop() { isStopping.withLock { $0 = true } }

  /// Runs one client. It asks one node after the other, and goes on early from one that does not answer. Values are
  /// unique.
  private func run(_ number: Int) -> [Operation] {
    var history: [Operation] = []
    var random = SeededRandom(seed: UInt64(number))
    var node = number
    var connection: SocketClient?
    while !isStopping.withLock({ $0 }) {
      guard let client = connection ?? (try? nodes[node % nodes.count].connect()) else {
        node += 1
        usleep(1_000)
        continue
      }
      connection = client
      let key = keys[Int.random(in: keys.indices, using: &random)]
      let action: Operation.Action =
        switch Int.random(in: 0..<20, using: &random) {
        case 0: .write(nil)
        case 1..<10: .write("\(number)-\(history.count)")
        default: .read(nil)
        }
      let (operation, isIntact) = perform(action, key, by: number, over: client)
      if let operation { history.append(operation) }
      // Every few requests another node is asked, so that each client meets all of them.
      if !isIntact || Int.random(in: 0..<64, using: &random) == 0 {
        connection = nil
        node += 1
      }
    }
    return history
  }

  /// Reads all keys through one node.
  func readAll(through node: NodeProcess) throws -> [Operation] {
    let client = try node.connect()
    return try keys.map { key in
      guard let operation = perform(.read(nil), key, by: -1, over: client).0 else {
        throw NeverHappened("\(node.address) answers a read of \(key)")
      }
      return operation
    }
  }

  /// Does one thing.
  ///
  /// - Returns: What is known of it, if it says anything; and whether the connection can be used further.
  private func perform(
    _ action: Operation.Action, _ key: String, by number: Int, over client: SocketClient
  ) -> (Operation?, isIntact: Bool) {
    let request =
      switch action {
      case .write(let value?): Request.put(key, "\"\(value)\"")
      case .write(nil): Request.delete(key)
      case .read, .replace, .increment: Request.get(key)
      }
    var operation = Operation(
      key: key, action: action, start: monotonicNanoseconds(), ending: .unknown, client: number)
    guard let answer = try? client.ask(request) else { return (isWrite(action) ? operation : nil, false) }
    let end = monotonicNanoseconds()
    if answer.isSuccess {
      operation.ending = .acknowledged(at: end)
      if isWrite(action) {
        writeCount.withLock { $0 += 1 }
      } else {
        operation.action = .read(
          answer.value == "null" ? nil : answer.value.map { String($0.dropFirst().dropLast()) })
      }
      return (operation, true)
    }
    guard isWrite(action) else { return (nil, true) }
    if answer.refusal?.isNotExecuted == true { operation.ending = .notExecuted }
    return (operation, true)
  }

  private func isWrite(_ action: Operation.Action) -> Bool { if case .write = action { true } else { false } }
}
