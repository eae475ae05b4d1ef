import Foundation
import Synchronization

/// Clients of both protocols that change and read the same keys, count, and run transactions, through all nodes; and
/// remember what they saw.
final class MixedWorkload: Sendable {
  typealias Operation = KeyedOperation<String, String>

  /// Where a node is.
  struct Endpoint: Sendable {
    var host: UInt32 = 0x7F00_0001
    var port: UInt16
  }

  private struct State {
    var isStopping = false
    var acknowledged = 0
    var tornReads: [String] = []
  }

  private let nodes: [Endpoint]
  private let state = Mutex(State())

  init(_ nodes: [Endpoint]) { self.nodes = nodes }

  /// Two keys that were seen with different values though they are only written together.
  var tornReads: [String] { state.withLock { $0.tornReads } }

  /// Waits until `count` more operations that change something are acknowledged.
  func awaitChanges(_ count: Int, within seconds: Double = 60) throws {
    let goal = state.withLock { $0.acknowledged } + count
    try eventually("\(count) more changes are acknowledged", within: seconds) {
      state.withLock { $0.acknowledged } >= goal ? () : nil
    }
  }

  func stop() { state.withLock { $0.isStopping = true } }

  /// Runs clients side by side until ``stop()`` is called.
  func run(clients count: Int) async -> [Operation] {
    await withTaskGroup(of: [Operation].self) { group in
      for number in 0..<count { group.addTask { self.run(number) } }
      return await group.reduce(into: []) { $0 += $1 }
    }
  }

  /// Runs one client, which keeps a connection of each protocol, and goes to another node now and then.
  private func run(_ number: Int) -> [Operation] {
    var history: [Operation] = []
    var random = SeededRandom(seed: UInt64(number))
    var node = number
    var client: Client?
    while !state.withLock({ $0.isStopping }) {
      guard let own = client ?? (try? Client(nodes[node % nodes.count], number)) else {
        node += 1
        usleep(1_000)
        continue
      }
      client = own
      let key = "\(Int.random(in: 0..<4, using: &random))"
      let value = "\(number)-\(history.count)"
      let (operations, isIntact) = own.perform(Int.random(in: 0..<12, using: &random), key, value)
      history += operations
      let changes = operations.count { operation in
        if case .acknowledged = operation.ending, case .read = operation.action { return false }
        if case .acknowledged = operation.ending { return true }
        return false
      }
      let torn = own.takeTornRead()
      state.withLock {
        $0.acknowledged += changes
        if let torn { $0.tornReads.append(torn) }
      }
      if !isIntact || Int.random(in: 0..<48, using: &random) == 0 {
        client = nil
        node += 1
      }
    }
    return history
  }

  /// Reads everything through one node.
  func readAll(through node: Endpoint) throws -> [Operation] {
    let client = try Client(node, -1)
    return try ["text", "count", "swap", "pair"].flatMap { kind in
      try (0..<4).map { number in
        let (operations, _) = client.read("\(kind)-\(number)", inPair: kind == "pair")
        guard let operation = operations.first else {
          throw NeverHappened("\(node) answers a read of \(kind)")
        }
        return operation
      }
    }
  }
}

/// One client with a connection of each protocol.
private final class Client {
  typealias Operation = MixedWorkload.Operation

  private let resp: RedisSocket
  private let json: SocketClient
  private let number: Int
  private var tornRead: String?

  init(_ node: MixedWorkload.Endpoint, _ number: Int) throws {
    resp = try RedisSocket(to: node.port, of: node.host, patience: 10)
    json = try SocketClient(to: node.port, of: node.host, patience: 10)
    self.number = number
  }

  func takeTornRead() -> String? {
    defer { tornRead = nil }
    return tornRead
  }

  /// Does one of some things; tells what it saw, and whether the connections can be used further.
  func perform(_ choice: Int, _ key: String, _ value: String) -> ([Operation], isIntact: Bool) {
    switch choice {
    case 0, 1: change("text-\(key)", .write(value)) { try resp.ask("SET", "text-\(key)", value) }
    case 2: change("text-\(key)", .write(nil)) { try resp.ask("DEL", "text-\(key)") }
    case 3: putJSON("text-\(key)", value)
    case 4: read("text-\(key)", inPair: false)
    case 5: readJSON("text-\(key)")
    case 6, 7: increment("count-\(key)")
    case 8: readJSON("count-\(key)")
    case 9: swap("swap-\(key)", value)
    case 10:
      change("pair-\(key)", .write(value)) {
        try resp.ask("MULTI")
        try resp.ask("SET", "pair-\(key)-a", value)
        try resp.ask("SET", "pair-\(key)-b", value)
        return try resp.ask("EXEC")
      }
    default: read("pair-\(key)", inPair: true)
    }
  }

  private func operation(_ key: String, _ action: Operation.Action) -> Operation {
    Operation(key: key, action: action, start: monotonicNanoseconds(), ending: .unknown, client: number)
  }

  /// Asks for a change, and judges the answer.
  private func change(
    _ key: String, _ action: Operation.Action, _ ask: () throws -> String
  ) -> ([Operation], isIntact: Bool) {
    var operation = operation(key, action)
    guard let answer = try? ask() else { return ([operation], false) }
    judge(answer, &operation)
    return ([operation], true)
  }

  private func judge(_ answer: String, _ operation: inout Operation) {
    if answer.hasPrefix("-TRYAGAIN") || answer.hasPrefix("-EXECABORT") {
      operation.ending = .notExecuted
    } else if !answer.hasPrefix("-") {
      operation.ending = .acknowledged(at: monotonicNanoseconds())
    }
  }

  private func increment(_ key: String) -> ([Operation], isIntact: Bool) {
    var operation = operation(key, .increment(nil))
    guard let answer = try? resp.ask("INCR", key) else { return ([operation], false) }
    judge(answer, &operation)
    if answer.hasPrefix(":") { operation.action = .increment(String(answer.dropFirst().dropLast(1))) }
    return ([operation], true)
  }

  private func putJSON(_ key: String, _ value: String) -> ([Operation], isIntact: Bool) {
    var operation = operation(key, .write(value))
    guard let answer = try? json.ask(Request.put(key, "\"\(value)\"")) else { return ([operation], false) }
    if answer.isSuccess {
      operation.ending = .acknowledged(at: monotonicNanoseconds())
    } else if answer.refusal?.isNotExecuted == true {
      operation.ending = .notExecuted
    }
    return ([operation], true)
  }

  private func readJSON(_ key: String) -> ([Operation], isIntact: Bool) {
    var operation = operation(key, .read(nil))
    guard let answer = try? json.ask(Request.get(key)) else { return ([], false) }
    guard answer.isSuccess else { return ([], true) }
    operation.ending = .acknowledged(at: monotonicNanoseconds())
    let text = answer.value ?? "null"
    operation.action = .read(text == "null" ? nil : text.filter { $0 != "\"" })
    return ([operation], true)
  }

  func read(_ key: String, inPair: Bool) -> ([Operation], isIntact: Bool) {
    var operation = operation(key, .read(nil))
    let answer = try? inPair ? resp.ask("MGET", "\(key)-a", "\(key)-b") : resp.ask("MGET", key)
    guard let answer else { return ([], false) }
    guard answer.hasPrefix("*") else { return ([], true) }
    operation.ending = .acknowledged(at: monotonicNanoseconds())
    let values = Self.values(answer)
    if inPair, Set(values).count > 1 { tornRead = "\(key): \(values)" }
    operation.action = .read(values.first ?? nil)
    return ([operation], true)
  }

  /// Puts a value in the place of the one that is there, by a transaction that fails if somebody else was faster.
  private func swap(_ key: String, _ value: String) -> ([Operation], isIntact: Bool) {
    do {
      guard try resp.ask("WATCH", key) == "+OK\r\n" else { return ([], true) }
      let (reads, isIntact) = read(key, inPair: false)
      guard isIntact, let seen = reads.first, case .read(let old) = seen.action else {
        try resp.ask("UNWATCH")
        return (reads, isIntact)
      }
      var operation = operation(key, .replace(old, with: value))
      do {
        try resp.ask("MULTI")
        try resp.ask("SET", key, value)
        let answer = try resp.ask("EXEC")
        // Nothing is known but that the key had changed.
        if answer == "*-1\r\n" { return (reads, true) }
        judge(answer, &operation)
        return (reads + [operation], true)
      } catch {
        return (reads + [operation], false)
      }
    } catch {
      return ([], false)
    }
  }

  /// The bulk strings of an array.
  private static func values(_ answer: String) -> [String?] {
    var values: [String?] = []
    var lines = answer.split(separator: "\r\n").dropFirst()
    while let line = lines.popFirst() {
      values.append(line == "$-1" ? nil : lines.popFirst().map(String.init))
    }
    return values
  }
}
