import RaftCore
import RaftTransport

// How members go, and how those are told that are gone.

/// A node that is about to leave its cluster.
struct Departure {
  /// Who waits for it.
  let done: @Sendable () -> Void
  /// When it stops all the same, in milliseconds.
  let deadline: UInt64
  /// Why it has not left yet.
  var obstacle = "no leader has carried it out in time"
  var timer: LoopTimer?
}

/// Whether a leader may remove members of its own accord.
struct AbsencePolicy: Hashable {
  /// How many voters there must be afterwards.
  let votersMin: Int

  enum Verdict: Hashable {
    case remove
    case keep(reason: String)
  }

  /// Judges the removal of `member`, of which nothing was heard; `present` are those that were heard lately, the leader
  /// among them.
  ///
  /// Counter-example to removing whoever is silent: in a cluster of five that is cut in two, a leader that removed the two
  /// on the other side, and then the next two, would end alone, and its word would be worth one disk.
  func judge(_ member: Member, in configuration: Configuration, present: [NodeID]) -> Verdict {
    guard configuration.isVoter(member.id) else { return .remove }
    let rest = configuration.voters.filter { $0 != member.id }
    guard rest.count >= votersMin else {
      return .keep(reason: "only \(rest.count) voters would be left, and there must be \(votersMin)")
    }
    let heard = rest.count { present.contains($0) }
    guard 2 * heard > rest.count else {
      return .keep(reason: "only \(heard) of the other \(rest.count) voters are heard from")
    }
    return .remove
  }
}

extension ReplicaHost {
  // MARK: - The member that leaves

  /// Has this node removed from its cluster, and stops it then; after a while it is stopped in any case.
  func leave(then done: @escaping @Sendable () -> Void) {
    loop.preconditionOnLoop()
    guard departure == nil, !isDraining, !isStopped else { return stopGracefully(then: done) }
    guard let node = running?.driver.node, node.configuration.member(identity.node) != nil else {
      return stopGracefully(then: done)
    }
    guard node.configuration.voters != [identity.node] else {
      report(.leaveFailed(reason: "it is the only voter, and the data would be nowhere"))
      return stopGracefully(then: done)
    }
    departure = Departure(done: done, deadline: loop.milliseconds + options.leaveMilliseconds)
    askToLeave()
  }

  private func askToLeave() {
    guard let departure, !isStopped else { return }
    guard loop.milliseconds < departure.deadline else {
      report(.leaveFailed(reason: departure.obstacle))
      self.departure = nil
      return stopGracefully(then: departure.done)
    }
    if let node = running?.driver.node {
      if node.isLeader {
        if let obstacle = begin([.remove(identity.node)]) { self.departure?.obstacle = "\(obstacle)" }
      } else if let leader = node.leader {
        send(identity.node.rawValue, .leave, to: leader)
      }
    }
    self.departure?.timer = loop.schedule(after: Neighbourhood.askMilliseconds) { [weak self] in
      self?.askToLeave()
    }
  }

  /// The configuration that leaves this node out is committed.
  func didLeave() {
    around.isGone = true
    guard let departure else { return report(.removed(from: identity.cluster)) }
    self.departure = nil
    departure.timer?.cancel()
    report(.left(identity.cluster))
    stopGracefully(then: departure.done)
  }

  /// A member wants to be removed. It asks again until it is, so a refusal needs no answer.
  func receiveLeave(_ frame: Frame) {
    guard running?.driver.node.isLeader == true else { return }
    begin([.remove(frame.header.sender)])
  }

  // MARK: - Members that are not heard from

  /// Looks from now on, once in a second, whether members are gone for good, if that is wanted.
  func watchForAbsence() {
    guard let limit = options.removeAbsentMilliseconds, !isStopped else { return }
    absenceTimer = loop.schedule(after: 1_000) { [weak self] in
      self?.removeAbsent(for: limit)
      self?.watchForAbsence()
    }
  }

  private func removeAbsent(for limit: UInt64) {
    guard departure == nil, let status = running?.driver.node.status, status.role == .leader else { return }
    let configuration = status.configuration
    guard !configuration.isJoint, isCommitted(configuration) else { return }
    let now = moment.ticks
    func silence(of peer: PeerStatus) -> UInt64 {
      (now.rawValue - min(now.rawValue, peer.lastHeard.rawValue)) * UInt64(options.tickMilliseconds)
    }
    let presenceMilliseconds = UInt64(options.raft.electionTimeoutTicksMax * options.tickMilliseconds)
    let present =
      [identity.node] + status.peers.filter { silence(of: $0) <= presenceMilliseconds }.map(\.id)
    let policy = AbsencePolicy(votersMin: options.votersMin)
    // One at a time: each is judged by what the one before has left.
    let longest = status.peers.filter { silence(of: $0) >= limit }.sorted {
      (silence(of: $1), $0.id) < (silence(of: $0), $1.id)
    }
    for peer in longest {
      guard let member = configuration.member(peer.id) else { continue }
      switch policy.judge(member, in: configuration, present: present) {
      case .keep(let reason): report(.absentKept(address: member.address, reason: reason))
      case .remove:
        guard begin([.remove(member.id)]) == nil else { return }
        return report(.removingAbsent(address: member.address, milliseconds: silence(of: peer)))
      }
    }
  }

  // MARK: - Nodes that call

  /// A node has dialed this one. If it is a member at another address than everybody believes, or none any more, it has
  /// to be dialed before it can be answered.
  func noticeCaller(_ peer: RemotePeer) {
    guard let node = running?.driver.node, peer.cluster == identity.cluster, peer.node != identity.node else {
      return
    }
    let now = loop.milliseconds
    if let member = node.configuration.member(peer.node) {
      if member.address != peer.address { around.heard(peer.node, at: peer.address, now: now) }
    } else if committedConfiguration?.configuration.member(peer.node) == nil {
      around.dismiss(peer.address, now: now)
    }
    refreshPeers()
  }

  /// A connection to a node stands.
  func meet(_ peer: RemotePeer) {
    guard let node = running?.driver.node, peer.cluster == identity.cluster else { return }
    if let member = node.configuration.member(peer.node) {
      if member.address != peer.address { updateMoved() }
    } else if let committed = committedConfiguration, committed.configuration.member(peer.node) == nil,
      !around.newcomers.all.contains(where: { $0.member.id == peer.node })
    {
      send(RemovedNotice(index: committed.index), .removed, to: peer.node)
    }
  }

  /// Writes down where members are that have moved, this node among them, if it leads. That the leader has dialed the
  /// address and the member answered there is the proof.
  func updateMoved() {
    guard let node = running?.driver.node, node.isLeader, departure == nil else { return }
    let configuration = node.configuration
    guard !configuration.isJoint, isCommitted(configuration) else { return }
    var changes: [ConfigurationChange] = []
    var moves: [ReplicaEvent] = []
    for member in configuration.members {
      guard let place = provenAddress(of: member), place != member.address else { continue }
      guard !configuration.members.contains(where: { $0.address == place }) else {
        around.forgetMove(of: member.id)
        report(
          .newcomerRefused(
            address: place, reason: "the member at \(member.address) is there now, and so is another member"))
        continue
      }
      moves.append(.moved(from: member.address, to: place))
      changes.append(
        .update(Member(id: member.id, address: place, store: member.store, priority: member.priority)))
    }
    guard !changes.isEmpty, begin(changes) == nil else { return }
    for move in moves { report(move) }
  }

  /// Where a member is, as far as this node knows for sure.
  private func provenAddress(of member: Member) -> String? {
    if member.id == identity.node { return address }
    if around.isProven(member) { return member.address }
    return around.linked.first { $0.node == member.id }?.address
  }

  /// Who leads may have changed, or have got to know of somebody who has moved.
  func noticeLeader() {
    guard let running else { return }
    let isLost = !running.driver.hasLeader
    if isLost != around.isLost {
      around.isLost = isLost
      refreshPeers()
    }
    if around.isMoving || !around.moved.isEmpty, running.driver.isLeader { updateMoved() }
  }

  private var committedConfiguration: IndexedConfiguration? {
    guard let node = running?.driver.node else { return nil }
    return node.configuration(at: node.commitIndex)
  }

  // MARK: - The node that is gone

  /// A former fellow says that this node is no member any more.
  func receiveRemoved(_ frame: Frame) {
    do throws(MalformedBytes) {
      let notice = try RemovedNotice(decoding: frame.body)
      guard let node = running?.driver.node, !around.isJoining, around.wasMember,
        let known = node.configuration(at: node.lastEntry.index), known.index <= notice.index
      else { return }
      around.wasMember = false
      didLeave()
    } catch {
      report(.violation(from: frame.header.sender.description, reason: error.description))
    }
  }
}
