import Foundation

/// Nodes that found a cluster together.
final class ClusterOfProcesses: Sendable {
  let nodes: [NodeProcess]
  /// Where their volumes are.
  private let folder: TemporaryFolder

  /// Their power supplies, if the test may cut them off.
  let supplies: [PowerSupply]

  init(
    of count: Int, _ options: [String] = [], store: StoreChoice = .ofThisRun, isPowerless: Bool = false
  ) throws {
    let ports = try (0..<count).map { _ in try Port() }
    let folder = try TemporaryFolder()
    self.folder = folder
    let supplies = try (0..<(isPowerless ? count : 0)).map { number in
      try PowerSupply(of: "\(folder.path)/node-\(number)", shadow: "\(folder.path)/shadow-\(number)")
    }
    self.supplies = supplies
    nodes = try ports.enumerated().map { number, port in
      try NodeProcess(
        at: port, peers: ports.map(\.address).filter { $0 != port.address },
        options: options + store.options(volume: "\(folder.path)/node-\(number)"),
        environment: isPowerless ? supplies[number].environment : [:])
    }
  }

  /// Ends all nodes, and removes what they have stored.
  func kill() {
    nodes.kill()
    folder.remove()
  }

  /// The nodes whose process has not ended.
  var living: [NodeProcess] { nodes.filter(\.isAlive) }

  /// All nodes but one.
  func others(than node: NodeProcess) -> [NodeProcess] { nodes.filter { $0 !== node } }

  /// Waits until `nodes` agree on a leader among them, in a term after `term`.
  ///
  /// - Returns: The leader and its term.
  @discardableResult
  func awaitLeader(
    among nodes: [NodeProcess]? = nil, after term: Int = -1, within seconds: Double = 30
  ) throws -> (node: NodeProcess, term: Int) {
    let nodes = nodes ?? self.nodes
    return try eventually("\(nodes.map(\.address)) agree on a leader", within: seconds) {
      var statuses: [NodeStatus] = []
      for node in nodes {
        if let end = node.process.end {
          throw NeverHappened("\(node.address) runs on; it ended, \(end), and logged:\n\(node.log)")
        }
        guard let status = try node.status() else { return nil }
        statuses.append(status)
      }
      guard let first = statuses.first, first.term > term,
        let leader = nodes.first(where: { $0.address == first.leader }),
        statuses.allSatisfy({ $0.leader == first.leader && $0.term == first.term })
      else {
        return nil
      }
      return (leader, first.term)
    }
  }
}

/// Where nodes keep their data.
enum StoreChoice: String, CaseIterable, Sendable {
  case memory
  case database

  /// What `RAFTNODE_TEST_STORE` says; memory if it says nothing. All tests that do not name a store are run with each.
  static let ofThisRun =
    StoreChoice(
      rawValue: ProcessInfo.processInfo.environment["RAFTNODE_TEST_STORE"] ?? "memory") ?? .memory

  func options(volume: String) -> [String] {
    switch self {
    case .memory: []
    case .database: ["--store", "database", "--volume", volume]
    }
  }
}

/// A folder that is gone after the test.
final class TemporaryFolder: Sendable {
  let path: String

  init() throws {
    let url = FileManager.default.temporaryDirectory.appending(path: "raftnode-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    path = url.path
  }

  func remove() { try? FileManager.default.removeItem(atPath: path) }
}
