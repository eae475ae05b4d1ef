import Foundation

/// Nodes that found a cluster together.
final class ClusterOfProcesses: Sendable {
  let nodes: [NodeProcess]

  init(of count: Int, _ options: [String] = []) throws {
    let ports = try (0..<count).map { _ in try Port() }
    nodes = try ports.map { port in
      try NodeProcess(at: port, peers: ports.map(\.address).filter { $0 != port.address }, options: options)
    }
  }

  /// Ends all nodes.
  func kill() {
    for node in nodes { node.send(SIGKILL) }
    for node in nodes { _ = try? node.process.awaitEnd() }
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
