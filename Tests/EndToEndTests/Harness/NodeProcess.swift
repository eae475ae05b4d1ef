import Foundation
import Synchronization
import Testing

/// One node: the built `raftnode` at a port of its own.
final class NodeProcess: Sendable {
  let port: Port
  private let arguments: [String]
  private let environment: [String: String]
  private let child: Mutex<ChildProcess>

  /// Starts a node.
  ///
  /// - Parameters:
  ///   - port: Where it listens.
  ///   - peers: Addresses of the others.
  ///   - options: Further arguments.
  ///   - environment: Variables besides those of the test.
  init(
    at port: Port, peers: [String] = [], options: [String] = [], environment: [String: String] = [:]
  ) throws {
    self.port = port
    self.environment = environment
    arguments =
      ["--ip", port.address] + (peers.isEmpty ? [] : ["--peers", peers.joined(separator: ",")]) + options
    child = Mutex(
      try ChildProcess(try BuiltProduct.path("raftnode"), arguments, environment: environment))
  }

  var address: String { port.address }

  /// Where it keeps its data; nil if it was not told to.
  var volume: String? {
    arguments.firstIndex(of: "--volume").flatMap { $0 + 1 < arguments.count ? arguments[$0 + 1] : nil }
  }

  /// The process that runs now, or ran last.
  var process: ChildProcess { child.withLock { $0 } }

  /// Whether it has not ended.
  var isAlive: Bool { process.end == nil }

  /// What the process has logged.
  var log: String { process.errors }

  func send(_ signal: Int32) { process.send(signal) }

  /// Ends it with a signal and waits for that.
  @discardableResult
  func end(by signal: Int32) throws -> ProcessEnd {
    send(signal)
    return try process.awaitEnd()
  }

  /// Starts it again as it was started, once it has ended.
  func startAgain() throws {
    try #require(!isAlive, "a node is started again when it has ended")
    let again = try ChildProcess(
      try BuiltProduct.path("raftnode"), arguments, environment: environment)
    child.withLock { $0 = again }
  }

  /// A connection that stays open.
  func connect(patience seconds: Int = 30) throws(SocketFailure) -> SocketClient {
    try SocketClient(to: port.number, patience: seconds)
  }

  /// Asks on a connection of its own.
  func ask(_ request: String, patience seconds: Int = 30) throws -> Answer {
    try SocketClient.askOnce(request, of: port.number, patience: seconds)
  }

  /// Asks until the answer is a success, for writes that may be done twice: while a leader is being elected, or is lost
  /// because the machine is busy with something else, one attempt may be refused.
  @discardableResult
  func insist(on request: String) throws -> Answer {
    try eventually("\(address) carries out \(request.prefix(200))") {
      let answer = try ask(request)
      return answer.isSuccess ? answer : nil
    }
  }

  /// What it says of itself; nil if it does not answer.
  ///
  /// A stopped process accepts connections, so the patience is short.
  func status() throws -> NodeStatus? {
    do {
      return try NodeStatus(ask(Request.status, patience: 5))
    } catch is SocketFailure {
      return nil
    } catch  where !isAlive {
      return nil
    }
  }

  /// Waits until it answers.
  @discardableResult
  func awaitAnswer() throws -> NodeStatus {
    try eventually("\(address) answers; it logged:\n\(log)") { try whileAlive { try status() } }
  }

  /// Waits until it knows a leader.
  @discardableResult
  func awaitLeader(within seconds: Double = 30) throws -> NodeStatus {
    try eventually("\(address) knows a leader; it logged:\n\(log)", within: seconds) {
      try whileAlive {
        guard let status = try status(), status.leader != nil else { return nil }
        return status
      }
    }
  }

  /// Waits until it has logged `text`.
  func awaitLog(_ text: String, within seconds: Double = 30) throws {
    try eventually("\(address) logs '\(text)'; it logged:\n\(log)", within: seconds) {
      log.contains(text) ? () : nil
    }
  }

  private func whileAlive<Value>(_ body: () throws -> Value) throws -> Value {
    let value = try body()
    if let end = process.end {
      throw NeverHappened("\(address) runs on; it ended, \(end), and logged:\n\(log)")
    }
    return value
  }
}

/// Runs `body` with a cluster of one that is ready.
func withNode<Value>(
  _ options: [String] = [], store: StoreChoice = .ofThisRun, _ body: (NodeProcess) async throws -> Value
) async throws -> Value {
  try await withCluster(of: 1, options, store: store) { try await body($0.nodes[0]) }
}

/// Runs `body` with a cluster that is ready. Its nodes are gone afterwards, whatever happens. If the test has failed by
/// then, what they logged is printed.
func withCluster<Value>(
  of count: Int, _ options: [String] = [], store: StoreChoice = .ofThisRun, isPowerless: Bool = false,
  _ body: (ClusterOfProcesses) async throws -> Value
) async throws -> Value {
  let cluster = try ClusterOfProcesses(
    of: count, options, store: store, isPowerless: isPowerless)
  defer { cluster.kill() }
  do {
    try cluster.awaitLeader()
    let value = try await body(cluster)
    if FailureNote.isFailed { printLogs(of: cluster) }
    return value
  } catch {
    printLogs(of: cluster)
    throw error
  }
}

/// Runs `body` with a cluster of three whose leader does not change because the machine is busy with something else: what
/// clients are answered must not depend on that.
func withSteadyCluster<Value>(
  _ options: [String] = [], _ body: (ClusterOfProcesses) async throws -> Value
) async throws -> Value {
  try await withCluster(of: 3, ["--election-timeout", "1"] + options, body)
}

private func printLogs(of cluster: ClusterOfProcesses) {
  for node in cluster.nodes {
    print("--- \(node.address) logged:\n\(node.log.suffix(4_000))", terminator: "---\n")
  }
}

extension [NodeProcess] {
  /// Ends all of them, and waits for that.
  func kill() {
    for node in self { node.send(SIGKILL) }
    for node in self { _ = try? node.process.awaitEnd() }
  }
}
