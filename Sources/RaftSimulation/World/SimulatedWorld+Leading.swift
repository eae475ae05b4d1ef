import RaftCore
import RaftServer

// Who may go on leading.

extension SimulatedWorld {
  /// A leader that hears no majority must notice it, and step down: its followers may hear it all the same, and would never
  /// elect another (thesis §6.2).
  func inspectLeading() {
    // By the slowest clock, and until the next heartbeat is due.
    let patience =
      UInt64(options.raft.electionTimeoutTicksMin + options.raft.heartbeatTicks) * 1000 / 850 + 4
    // Who has just lost its disk was heard until then, under another id.
    guard lastReplacement + patience < now else { return }
    for node in nodes where node.pausedUntil + patience < now {
      guard let glance = node.glance, glance.isLeader, node.leadsSince + patience < now else { continue }
      let isHeard = [glance.configuration.voters, glance.configuration.outgoingVoters].allSatisfy { voters in
        let heard = voters.count { voter in
          voter == node.id
            || nodes.indices.contains { nodes[$0].id == voter && node.heardAt[$0] + patience >= now }
        }
        return voters.isEmpty || 2 * heard > voters.count
      }
      if !isHeard {
        report("check quorum", "\(node.address) leads term \(glance.term), and hears no majority any more")
      }
    }
  }
}
