import RaftCore
import RaftServer

// The operator of a simulated cluster: he knows which hosts ought to take part, and brings that about through the leader.

extension SimulatedWorld {
  /// The host that leads, as far as it knows; of several, the one of the highest term.
  var leader: Int? {
    nodes.indices.filter { nodes[$0].glance?.isLeader == true && nodes[$0].pausedUntil <= now }
      .max { (nodes[$0].glance?.term ?? .zero) < (nodes[$1].glance?.term ?? .zero) }
  }

  /// The leader's configuration, if nothing else can be in force any more: it and everything before it is committed, and
  /// nobody has seen a later term.
  var settledConfiguration: Configuration? {
    guard let leader, let glance = nodes[leader].glance, glance.commitIndex == glance.lastEntry.index,
      glance.lastEntry.term == glance.term, !glance.configuration.isJoint,
      nodes.allSatisfy({ $0.term <= glance.term })
    else { return nil }
    return glance.configuration
  }

  /// An operator's command. Returns whether there was anything to command.
  func operate(_ kind: FaultKind, _ slot: Int, _ choice: inout RandomSource) -> Bool {
    switch kind {
    case .removeMember:
      guard nodes[slot].isWanted, hasOtherVoter(than: slot) else { return false }
      nodes[slot].isWanted = false
    case .addMember: return letBack(&choice)
    case .replaceMember: return replace(slot, &choice)
    case .demote:
      guard nodes[slot].isDemoted || hasOtherVoter(than: slot) else { return false }
      nodes[slot].isDemoted.toggle()
    case .exchange: return exchange(&choice)
    case .transfer, .stepDown, .leases, .priority: return command(kind, slot)
    default: return false
    }
    return true
  }

  private func hasOtherVoter(than slot: Int) -> Bool {
    nodes.indices.contains { $0 != slot && nodes[$0].isWanted && !nodes[$0].isDemoted }
  }

  /// A host that takes no part is let back: as it is, or with an empty disk.
  private func letBack(_ choice: inout RandomSource) -> Bool {
    let idle = nodes.indices.filter { !nodes[$0].isWanted }
    guard let slot = idle.randomElement(using: &choice) else { return false }
    let isOut = settledConfiguration.map { $0.member(nodes[slot].id) == nil } ?? false
    if isOut, Bool.random(using: &choice) {
      crash(slot)
      replaceDisk(slot)
    }
    nodes[slot].isWanted = true
    nodes[slot].isDemoted = false
    return true
  }

  private func replace(_ slot: Int, _ choice: inout RandomSource) -> Bool {
    let idle = nodes.indices.filter { !nodes[$0].isWanted && $0 != slot }
    guard replacement == nil, nodes[slot].isWanted, let coming = idle.randomElement(using: &choice) else {
      return false
    }
    nodes[coming].isWanted = true
    nodes[coming].isDemoted = false
    replacement = (slot, coming)
    return true
  }

  /// Voters become learners and the other way round, several at once.
  private func exchange(_ choice: inout RandomSource) -> Bool {
    let members = nodes.indices.filter { nodes[$0].isWanted }
    guard members.count > 2, let voter = members.randomElement(using: &choice) else { return false }
    for slot in members { nodes[slot].isDemoted = slot != voter && Bool.random(using: &choice) }
    return true
  }

  private func command(_ kind: FaultKind, _ slot: Int) -> Bool {
    guard let leader, let configuration = nodes[leader].glance?.configuration else { return false }
    switch kind {
    case .transfer:
      tellTime(leader)
      return (try? nodes[leader].process?.driver.transferLeadership(to: nodes[slot].id)) != nil
    case .stepDown:
      tellTime(leader)
      nodes[leader].process?.driver.stepDown()
      return true
    case .leases:
      guard allowsLeases else { return false }
      return change([.useLeaseReads(!configuration.usesLeaseReads)], at: leader)
    case .priority:
      guard configuration.member(nodes[slot].id) != nil else { return false }
      nodes[slot].priority = nodes[slot].priority == 0 ? 5 : 0
      return change([.update(nodes[slot].member)], at: leader)
    default: return false
    }
  }

  // MARK: - Bringing about what is wanted

  /// Takes the next step towards the members that are wanted.
  func operate() {
    guard !isFinale || reachable.count == nodes.count, let leader,
      let configuration = nodes[leader].glance?.configuration, !configuration.isJoint
    else { return }
    for changes in steps(towardsWanted: configuration) where change(changes, at: leader) { return }
  }

  private func steps(towardsWanted configuration: Configuration) -> [[ConfigurationChange]] {
    var steps = [exchange(towardsWanted: configuration)].filter { $0.count > 1 }
    let gone = configuration.members.map(\.id).filter { id in !nodes.contains { $0.id == id } }
    for node in nodes {
      let isVoter = configuration.voters.contains(node.id)
      let isLearner = configuration.learners.contains(node.id)
      if node.isWanted, !isVoter, !isLearner { steps.append([.addLearner(node.member)]) }
      if node.isWanted, isLearner, !node.isDemoted { steps.append(promotion(of: node, gone, configuration)) }
      if node.isWanted, isVoter, node.isDemoted, configuration.voters.count > 1 {
        steps.append([.demote(node.id)])
      }
      if !node.isWanted, isVoter || isLearner, configuration.voters.count > 1 || isLearner {
        steps.append([.remove(node.id)])
      }
    }
    // Who is gone for good leaves when somebody else is there, or as a learner at once.
    for id in gone where configuration.voters != [id] { steps.append([.remove(id)]) }
    return steps
  }

  /// What turns learners into voters and voters into learners, in one joint change.
  private func exchange(towardsWanted configuration: Configuration) -> [ConfigurationChange] {
    let members = nodes.filter { $0.isWanted && configuration.member($0.id) != nil }
    guard members.contains(where: { !$0.isDemoted }) else { return [] }
    return members.compactMap { node in
      switch (configuration.voters.contains(node.id), node.isDemoted) {
      case (true, true): .demote(node.id)
      case (false, false): .promote(node.id)
      default: nil
      }
    }
  }

  /// A newcomer takes over from one who is gone, or who is to leave for it, in one joint change.
  private func promotion(
    of node: SimulatedNode<Machine>, _ gone: [NodeID], _ configuration: Configuration
  ) -> [ConfigurationChange] {
    var changes = [ConfigurationChange.promote(node.id)]
    if let lost = gone.first(where: { configuration.voters.contains($0) }) { changes.append(.remove(lost)) }
    if let pair = replacement, nodes[pair.coming] === node {
      let leaving = nodes[pair.leaving]
      if configuration.voters.contains(leaving.id) { changes.append(.remove(leaving.id)) }
    }
    return changes
  }

  /// Asks the leader for a change, unless it would leave too few voters that live. Returns whether it has begun.
  private func change(_ changes: [ConfigurationChange], at leader: Int) -> Bool {
    guard let target = try? nodes[leader].glance?.configuration.applying(changes) else {
      return false
    }
    let alive = target.voters.count { voter in nodes.contains { $0.id == voter && !$0.isSuspect } }
    guard 2 * alive > target.voters.count else { return false }
    tellTime(leader)
    let deadline = nodes[leader].ticks(at: now + 500)
    do throws(ConfigurationChangeError) {
      if let ticket = try nodes[leader].process?.driver.changeConfiguration(changes, deadline: deadline) {
        changeTickets = changeTickets.suffix(20) + [(leader, nodes[leader].life, ticket)]
      }
      if let pair = replacement, changes.contains(.promote(nodes[pair.coming].id)) {
        nodes[pair.leaving].isWanted = false
        replacement = nil
      }
      return true
    } catch {
      switch error {
      case .termNotOpen: coverage.count(.changeRefusedTermNotOpen)
      case .changeUnderWay: coverage.count(.changeRefusedUnderWay)
      case .notCaughtUp: coverage.count(.changeRefusedNotCaughtUp)
      default: break
      }
      return false
    }
  }

  /// Counts what the configuration of a node has become.
  func note(_ new: Configuration, after old: Configuration, at slot: Int, isLeader: Bool) {
    recorder.note(
      now, slot,
      .configuration(
        text: "voters \(new.voters.count)\(new.isJoint ? ", joint" : ""), learners \(new.learners.count)"))
    guard isLeader else { return }
    if new.isJoint, !old.isJoint { coverage.count(.membershipJointBegun) }
    if !new.isJoint, old.isJoint { coverage.count(.membershipJointEnded) }
    if new.usesLeaseReads != old.usesLeaseReads {
      coverage.count(new.usesLeaseReads ? .membershipLeasesOn : .membershipLeasesOff)
    }
    if new.learners.contains(where: { old.member($0) == nil }) { coverage.count(.memberLearnerAdded) }
    if new.voters.contains(where: { old.learners.contains($0) }) { coverage.count(.memberPromoted) }
    if new.learners.contains(where: { old.voters.contains($0) }) { coverage.count(.memberDemoted) }
    if old.members.contains(where: { new.member($0.id) == nil }) { coverage.count(.memberRemoved) }
    if !new.voters.contains(nodes[slot].id), old.voters.contains(nodes[slot].id) {
      coverage.count(.memberLeaderRemovedItself)
    }
    if new.members.contains(where: { member in old.member(member.id).map { $0 != member } ?? false }) {
      coverage.count(.memberUpdated)
    }
  }
}
