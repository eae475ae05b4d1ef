import RaftCore
import RaftServer

// The end of a run: part of the cluster is healed and has to recover, then all of it; then everything is judged.

extension SimulatedWorld {
  /// Lives through the whole run.
  func run() -> SimulationReport {
    while now < plan.ticks, !isBroken { step() }
    recover()
    judgeTheEnd()
    return conclusion()
  }

  /// Whether clients begin new operations.
  var isServing: Bool { servesUntil > now }

  private func recover() {
    guard !isBroken else { return }
    // What a node that is down will know when it is back, only its disk can tell.
    for slot in nodes.indices where nodes[slot].isStopped {
      nodes[slot].device.isFull = false
      start(slot)
    }
    isFinale = true
    reachable = quorum()
    heal()
    demandProgress("a healed quorum")
    guard !isBroken else { return }
    demandAgreement("a healed quorum")
    guard !isBroken else { return }
    reachable = Array(nodes.indices)
    heal()
    demandAgreement("the healed cluster")
  }

  /// Hosts enough to elect a leader, as few as chance allows; the others stay away.
  private func quorum() -> [Int] {
    // A leader that has just appended its own removal is no member of its configuration; others may hold it at any moment.
    let members = leader.map { configurationNow(of: $0) }
    let needed = nodes.indices.filter {
      members?.member(nodes[$0].id) != nil || members == nil || $0 == leader
    }
    .map { configurationNow(of: $0) }
    var chosen = Array(nodes.indices)
    for slot in nodes.indices.shuffled(using: &finaleRandom) {
      let rest = chosen.filter { $0 != slot }
      let ids = rest.filter { !nodes[$0].isSuspect }.map { nodes[$0].id }
      let isEnough = needed.allSatisfy { configuration in
        [configuration.voters, configuration.outgoingVoters].allSatisfy { voters in
          voters.isEmpty || 2 * voters.count { ids.contains($0) } > voters.count
        }
      }
      if isEnough { chosen = rest }
    }
    return chosen
  }

  /// The configuration that a host's log ends with at this instant.
  private func configurationNow(of slot: Int) -> Configuration {
    nodes[slot].process?.driver.glance().configuration ?? nodes[slot].configuration
  }

  /// Ends all misfortunes of the hosts that are to recover; the others end.
  private func heal() {
    network.calmDown()
    for (slot, node) in nodes.enumerated() {
      node.slowUntil = 0
      node.stalledUntil = 0
      node.device.isFull = false
      if !reachable.contains(slot) {
        crash(slot)
      } else {
        node.device.fuse = nil
        if node.pausedUntil > now {
          node.pausedUntil = now
          wheel.schedule(.wake(slot, life: node.life), at: now + 1)
        }
        if node.isStopped { wheel.schedule(.start(slot), at: now + 1) }
      }
      // Connections through a cut have lost what was sent into them: real ones would have been reset by now.
      breakLinks(of: slot)
    }
  }

  /// Demands that clients are answered again.
  private func demandProgress(_ who: String) {
    let before = operations.count
    let deadline = now + plan.recoveryTicks
    servesUntil = deadline
    for client in clients.indices where clients[client].operation == nil {
      wheel.schedule(.client(client), at: now + 1)
    }
    while now < deadline, !isBroken {
      step()
      let isAnswered = operations[before...].contains { record in
        if case .written = record.ending { true } else { false }
      }
      if isAnswered, leader != nil { break }
    }
    servesUntil = 0
    if now >= deadline {
      report("liveness", "\(who) answers no writes within \(plan.recoveryTicks) ticks: \(situation)")
    }
  }

  /// Demands that the members that are there agree on everything.
  private func demandAgreement(_ who: String) {
    let deadline = now + 2 * plan.recoveryTicks
    while now < deadline, !isBroken {
      step()
      if now % 8 == 0, isAgreed { return }
    }
    if !isBroken {
      report("liveness", "\(who) does not agree within \(2 * plan.recoveryTicks) ticks: \(situation)")
    }
  }

  private var isAgreed: Bool {
    guard let leader, let node = nodes[leader].glance, node.commitIndex == node.lastEntry.index,
      clients.allSatisfy({ $0.operation == nil }), !node.configuration.isJoint
    else { return false }
    let isWhole = reachable.count == nodes.count
    for (slot, other) in nodes.enumerated() where reachable.contains(slot) {
      let isMember = node.configuration.member(other.id) != nil
      if isMember, other.process?.driver.applier.last.index != node.lastEntry.index { return false }
      if isWhole, other.isWanted != isMember { return false }
      if isWhole, other.isWanted, node.configuration.voters.contains(other.id) == other.isDemoted {
        return false
      }
    }
    return true
  }

  /// Everything that somebody needs who asks why nothing moves.
  private var situation: String {
    nodes.enumerated().map { slot, host in
      guard let node = host.glance else {
        return "\(host.address) \(host.id) is down, suspect \(host.isSuspect)"
      }
      return
        "\(host.address) \(host.id) \(reachable.contains(slot) ? "" : "(away) ")\(node.isLeader ? "leads" : "follows") term \(node.term) log \(node.lastEntry) commit \(node.commitIndex) applied \(node.appliedIndex), voters \(node.configuration.voters) joint \(node.configuration.isJoint) wanted \(host.isWanted) demoted \(host.isDemoted)"
    }.joined(separator: "; ")
      + "; clients busy: \(clients.count { $0.operation != nil }); gone for good: \(deadIncarnations)"
  }

  private func judgeTheEnd() {
    guard !isBroken else { return }
    var states: [(LogIndex, Bytes)] = []
    for node in nodes {
      guard let applier = node.process?.driver.applier, deadIncarnations.contains(node.id) == false else {
        continue
      }
      let state = applier.snapshot()
      if let other = states.first(where: { $0.0 == applier.last.index }), other.1 != state {
        report("equal states", "\(node.address) holds another state at entry \(applier.last.index)")
      }
      if applier.last.index == reference.applier.last.index, reference.applier.snapshot() != state {
        report("equal states", "\(node.address) does not hold what the committed entries lead to")
      }
      states.append((applier.last.index, state))
    }
    for record in operations {
      guard case .notExecuted = record.ending, let command = record.command else { continue }
      if reference.didRun(.init(session: command.session, sequence: command.sequence)) {
        report(
          "answers", "command \(command.sequence) of session \(command.session) was said not to run, and did")
      }
    }
  }

  private func conclusion() -> SimulationReport {
    var report = SimulationReport(seed: plan.seed)
    report.violations = safety.violations.map { "\($0.checker): \($0.text)" }
    report.checker = safety.violations.first?.checker ?? ""
    report.traceHash = hash.value
    report.ticks = now
    report.committed = safety.committed.count
    for record in operations {
      switch record.ending {
      case .written, .read: report.acknowledged += 1
      case .unknown: report.unknown += 1
      case .notExecuted: break
      }
    }
    report.coverage = coverage
    for node in nodes { for pending in node.tasks { pending.task.take()?.abandon() } }
    return report
  }
}
