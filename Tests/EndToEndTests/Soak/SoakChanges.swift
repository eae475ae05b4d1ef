import Foundation

/// Changes a cluster, one change every few seconds, at random.
struct SoakChanges {
  /// What was done, in numbers.
  struct Count: CustomStringConvertible {
    var additions = 0
    var removals = 0
    var replacements = 0
    var restarts = 0
    var smallest = Int.max
    var largest = 0

    var description: String {
      "\(additions) nodes added, \(removals) removed, \(replacements) replaced, \(restarts) restarted, "
        + "between \(smallest) and \(largest) nodes"
    }
  }

  private let cluster: SoakCluster
  private var random: SeededRandom
  private(set) var count = Count()
  /// The size that is being gone to; others follow.
  private var goal: Int

  init(of cluster: SoakCluster, seed: UInt64) {
    self.cluster = cluster
    random = SeededRandom(seed: seed)
    goal = cluster.sizes.upperBound
  }

  /// Adds nodes until there are as many as there must be at least.
  mutating func begin() throws {
    while cluster.nodes.count < cluster.sizes.lowerBound {
      _ = try cluster.add(&random)
      try cluster.awaitVoters()
    }
  }

  /// Goes on until the time is up, or `isSound` says no.
  mutating func run(for seconds: Double, while isSound: () -> Bool) throws {
    let deadline = monotonicNanoseconds() + UInt64(seconds * 1e9)
    while monotonicNanoseconds() < deadline, isSound() {
      try change()
      try cluster.awaitVoters()
      count.smallest = min(count.smallest, cluster.nodes.count)
      count.largest = max(count.largest, cluster.nodes.count)
      usleep(UInt32.random(in: 0...2_000_000, using: &random))
    }
  }

  private mutating func change() throws {
    if cluster.nodes.count == goal { goal = Int.random(in: cluster.sizes, using: &random) }
    switch Int.random(in: 0..<10, using: &random) {
    case 0..<4: try changeSize()
    case 4..<8: try restart(1)
    case 8:
      // While a newcomer is being let in, another node ends.
      if cluster.nodes.count < cluster.sizes.upperBound { try add() }
      try restart(1)
    default: try restart(2)
    }
  }

  private mutating func changeSize() throws {
    if cluster.nodes.count < goal {
      try add()
    } else if cluster.nodes.count > goal {
      try cluster.remove(try victim(), &random)
      count.removals += 1
    }
  }

  private mutating func add() throws {
    _ = try cluster.add(&random)
    count.additions += 1
  }

  /// Ends so many nodes at once, as far as the others are a quorum, and starts them again. Of a memory cluster no more must
  /// end, or it forgets; a database goes on when it is back, so that one or two nodes may be ended as well.
  private mutating func restart(_ wanted: Int) throws {
    let voters = cluster.nodes.count
    let limit = cluster.store == .memory ? (voters - 1) / 2 : max(1, (voters - 1) / 2)
    for _ in 0..<min(wanted, limit) {
      let node = try victim()
      let signal = node.leavesOnStop || Bool.random(using: &random) ? SIGKILL : SIGTERM
      try cluster.restart(node, by: signal)
      if cluster.store == .memory { count.replacements += 1 } else { count.restarts += 1 }
    }
  }

  /// Some node, or the leader.
  private mutating func victim() throws -> SoakCluster.Node {
    let nodes = cluster.nodes
    if Int.random(in: 0..<3, using: &random) == 0,
      let leader = try? nodes.first?.process.status()?.leader,
      let node = nodes.first(where: { $0.address == leader })
    {
      return node
    }
    guard let node = nodes.randomElement(using: &random) else {
      throw NeverHappened("there is a node")
    }
    return node
  }
}
