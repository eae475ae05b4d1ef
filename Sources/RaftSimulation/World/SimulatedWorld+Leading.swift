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
  /// Whoever leads without knowing everything that is committed is asked for a read, as a client might do at this moment, and
  /// hears nobody any more: it must not answer. It is a copy that is asked; the run goes on as if nothing had happened.
  func askDeposedLeaders() {
    for node in nodes where node.pausedUntil <= now {
      guard let glance = node.glance, glance.isLeader,
        Int(glance.commitIndex.rawValue) < safety.committed.count, var core = node.process?.driver.node
      else { continue }
      let read = ReadID(boot: 0, number: .max)
      var outputs = Outputs()
      core.advance(to: node.ticks(at: now), into: &outputs)
      core.readIndex(read, into: &outputs)
      var clock = node.ticks(at: now)
      // With each heartbeat a round may be opened.
      for _ in 0..<4 where core.isLeader && outputs.reads.isEmpty {
        clock = clock + Int(clamping: core.ticksUntilNextDeadline)
        core.advance(to: clock, into: &outputs)
      }
      guard let index = outputs.reads.first(where: { $0.id == read })?.readIndex else { continue }
      if Int(index.rawValue) < safety.committed.count {
        report(
          "current reads",
          "\(node.address), leading term \(glance.term), answers as of \(index), and \(safety.committed.count) entries are committed"
        )
      }
    }
  }
}
