import RaftCore
import RaftTransport

// What happens to a simulated cluster.

extension SimulatedCluster {
  /// Draws the misfortunes of one tick.
  func strike() {
    if happens(options.crashPerMille) { crash(Int.random(in: nodes.indices, using: &random)) }
    if happens(options.pausePerMille) {
      let position = Int.random(in: nodes.indices, using: &random)
      let end = now + UInt64.random(in: 2...120, using: &random)
      nodes[position].pausedUntil = max(nodes[position].pausedUntil, end)
    }
    if happens(options.breakPerMille), nodes.count > 1 {
      let from = Int.random(in: nodes.indices, using: &random)
      breakLink(from: from, to: (from + Int.random(in: 1..<nodes.count, using: &random)) % nodes.count)
    }
    if happens(options.partitionPerMille) { partition() }
  }

  private func crash(_ position: Int) {
    guard nodes[position].driver != nil else { return }
    report.crashes += 1
    nodes[position].driver = nil
    nodes[position].wasLeader = false
    nodes[position].pausedUntil = 0
    let survivors = Int.random(in: 0...nodes[position].disk.pendingCount, using: &random)
    nodes[position].disk.crash(survivors: survivors)
    nodes[position].restartAt = now + UInt64.random(in: 1...150, using: &random)
    abandonClients(of: position)
    for other in nodes.indices where other != position {
      breakLink(from: other, to: position)
      breakLink(from: position, to: other)
    }
  }

  /// Cuts the network anew: not at all, into two parts, in one direction between two nodes, or as a bridge.
  private func partition() {
    network.blocked = []
    let cut = Int.random(in: 0..<5, using: &random)
    guard cut > 0 else { return }
    let sides = nodes.indices.map { _ in Bool.random(using: &random) }
    let bridge = cut == 4 ? Int.random(in: nodes.indices, using: &random) : -1
    for from in nodes.indices {
      for to in nodes.indices where from != to && from != bridge && to != bridge && sides[from] != sides[to] {
        // One way only: what one side says is not heard, but it hears.
        if cut == 3, sides[from] { continue }
        network.blocked.insert(from * nodes.count + to)
      }
    }
    // A cut may leave connections standing that carry nothing, or break them.
    if Bool.random(using: &random) {
      for from in nodes.indices {
        for to in nodes.indices where network.blocked.contains(from * nodes.count + to) {
          breakLink(from: from, to: to)
          breakLink(from: to, to: from)
        }
      }
    }
  }

  /// Ends all misfortunes.
  func heal() {
    network.blocked = []
    for position in nodes.indices {
      nodes[position].pausedUntil = 0
      if nodes[position].driver == nil { nodes[position].restartAt = now + 1 }
    }
    // Connections through a cut have lost what was sent into them: a real one would have been reset by now.
    for from in nodes.indices {
      for to in nodes.indices where from != to { breakLink(from: from, to: to) }
    }
  }
}
