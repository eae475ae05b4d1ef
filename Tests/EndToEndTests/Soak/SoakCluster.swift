import Foundation
import Synchronization

/// A cluster to which nodes are added, from which they are removed, and whose nodes end and are started again.
final class SoakCluster: Sendable {
  /// One node.
  struct Node: Sendable {
    let process: NodeProcess
    /// Its folder; that of a memory node holds the file of members.
    let volume: String
    /// Whether it has itself removed when it is stopped.
    let leavesOnStop: Bool

    var address: String { process.address }
  }

  /// Where all that all nodes have logged is written; nil if nowhere.
  fileprivate static let logFile: FileHandle? = ProcessInfo.processInfo.environment["SOAK_LOG"].flatMap {
    FileManager.default.createFile(atPath: $0, contents: nil) ? FileHandle(forWritingAtPath: $0) : nil
  }

  let store: StoreChoice
  /// How many nodes there may be.
  let sizes: ClosedRange<Int>
  private let folder: TemporaryFolder
  private let state = Mutex(State())

  fileprivate struct State {
    var nodes: [Node] = []
    var volumes = 0
    /// Of removed nodes; some are used again.
    var ports: [Port] = []
    /// What processes logged that are gone, the last ones.
    var logs: [String] = []
  }

  /// Starts the first node.
  init(_ store: StoreChoice, sizes: ClosedRange<Int>) throws {
    self.store = store
    self.sizes = sizes
    folder = try TemporaryFolder()
    try add(as: false, at: try Port(), peers: []).process.awaitLeader()
  }

  /// Ends all nodes, and removes what they have stored.
  func kill() {
    let nodes = nodes
    for node in nodes { node.process.send(SIGKILL) }
    for node in nodes {
      _ = try? node.process.process.awaitEnd()
      state.withLock { $0.keep(node) }
    }
    folder.remove()
  }

  /// All nodes.
  var nodes: [Node] { state.withLock { $0.nodes } }

  /// The nodes that clients may ask.
  var serving: [NodeProcess] { nodes.map(\.process) }

  /// What all processes have logged of late, those that are gone first.
  var logs: String {
    let gone = state.withLock { $0.logs }
    let here = nodes.map { "--- \($0.address) logged:\n\($0.process.log.suffix(6_000))" }
    return (gone + here).joined(separator: "\n")
  }

  // MARK: - Changes

  /// Starts a new node, which joins through some of the others.
  func add(_ random: inout SeededRandom) throws -> Node {
    let others = nodes.map(\.address).shuffled(using: &random)
    let peers = Array(others.prefix(Int.random(in: 1...max(1, others.count), using: &random)))
    let used: Port? = Bool.random(using: &random) ? state.withLock { $0.ports.popLast() } : nil
    return try add(as: Bool.random(using: &random), at: try used ?? Port(), peers: peers)
  }

  private func add(as leavesOnStop: Bool, at port: Port, peers: [String]) throws -> Node {
    let number = state.withLock { state in
      state.volumes += 1
      return state.volumes
    }
    let volume = "\(folder.path)/\(number)"
    let options =
      (store == .memory ? ["--volume", volume] : store.options(volume: volume))
      + (leavesOnStop ? ["--leave-on-stop"] : [])
    let node = Node(
      process: try NodeProcess(at: port, peers: peers, options: options), volume: volume,
      leavesOnStop: leavesOnStop)
    state.withLock { $0.nodes.append(node) }
    return node
  }

  /// Removes a node: by its own doing when it is stopped, or on request.
  func remove(_ node: Node, _ random: inout SeededRandom) throws {
    let asksItself = node.leavesOnStop
    if asksItself {
      node.process.send(SIGTERM)
    } else {
      try removeOnRequest(node)
    }
    let end = try node.process.process.awaitEnd()
    let expected: ProcessEnd = .exited(asksItself ? 0 : 77)
    guard end == expected else {
      throw NeverHappened(
        "\(node.address) ends as \(expected) when it is removed; it ended as \(end), and logged:\n\(node.process.log)"
      )
    }
    state.withLock { state in
      state.nodes.removeAll { $0.process === node.process }
      state.keep(node)
      state.ports.append(node.process.port)
    }
    try? FileManager.default.removeItem(atPath: node.volume)
  }

  private func removeOnRequest(_ node: Node) throws {
    let request = #"{"type":"member","action":"remove","addr":"\#(node.address)"}"#
    var last = "nothing was answered"
    try eventually("\(node.address) is removed; the last answer was: \(last)") {
      for asked in nodes {
        guard node.process.isAlive else { return true }
        guard let answer = try? asked.process.ask(request, patience: 5) else { continue }
        last = answer.description
        if answer.isSuccess || answer.refusal?.code == "not_a_member" { return true }
      }
      return false
    }
  }

  /// Ends a node and starts it again by the same command.
  func restart(_ node: Node, by signal: Int32) throws {
    try node.process.end(by: signal)
    state.withLock { $0.keep(node) }
    try node.process.startAgain()
  }

  // MARK: - When a change is complete

  /// Waits until exactly the nodes that are there are the voters, for all of them and under one leader: then every memory
  /// node that was started again has been promoted, and the configuration with it is on all nodes.
  ///
  /// - Returns: The leader.
  @discardableResult
  func awaitVoters() throws -> Node {
    var seen = ""
    return try eventually("the nodes are the voters; this is what they say:\n\(seen)\n\(logs)", within: 60) {
      let nodes = nodes
      var statuses: [NodeStatus] = []
      for node in nodes {
        if let end = node.process.process.end {
          throw NeverHappened("\(node.address) runs on; it ended, \(end), and logged:\n\(node.process.log)")
        }
        guard let status = try? node.process.status() else { return nil }
        statuses.append(status)
      }
      seen = statuses.map { "\($0)" }.joined(separator: "\n")
      let ids = statuses.map(\.id).sorted()
      guard let term = statuses.first?.term, let address = statuses.first?.leader,
        statuses.allSatisfy({ status in
          status.members.map(\.id).sorted() == ids && status.members.allSatisfy { $0.role == "voter" }
            && status.leader == address && status.term == term
        })
      else { return nil }
      return nodes.first { $0.address == address }
    }
  }
}

extension SoakCluster.State {
  /// Keeps what a process has logged that has ended.
  fileprivate mutating func keep(_ node: SoakCluster.Node) {
    if let file = SoakCluster.logFile { file.write(Data(lines(of: node).utf8)) }
    logs.append("--- \(node.address) logged, and is gone:\n\(node.process.log.suffix(6_000))")
    if logs.count > 40 { logs.removeFirst() }
  }

  /// What a node has logged, each line with its address.
  private func lines(of node: SoakCluster.Node) -> String {
    node.process.log.split(separator: "\n").map { "\($0) | \(node.address)\n" }.joined()
  }
}
