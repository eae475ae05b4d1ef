import RaftCore
import RaftTransport

/// Which connections to peers stand, ordered by peer; and for how long members have been silent.
struct LinkTable: Sendable {
  private struct Link: Sendable {
    let peer: NodeID
    var consensus = false
    var bulk = false
    var downSince: Ticks?
    var isReportedDown = false
  }

  private var links: [Link] = []

  func isUp(_ peer: NodeID, _ trafficClass: TrafficClass) -> Bool {
    guard let link = links.first(where: { $0.peer == peer }) else { return false }
    return trafficClass == .consensus ? link.consensus : link.bulk
  }

  /// Notes a connection. Returns whether its member had been reported as unreachable, or never as reachable.
  mutating func set(_ isUp: Bool, _ peer: NodeID, _ trafficClass: TrafficClass, now: Ticks) -> Bool {
    let position = links.firstIndex { $0.peer == peer } ?? add(peer)
    switch trafficClass {
    case .consensus: links[position].consensus = isUp
    case .bulk: links[position].bulk = isUp
    }
    guard trafficClass == .consensus else { return false }
    defer { if isUp { links[position].isReportedDown = false } }
    let isNews = isUp && (links[position].isReportedDown || links[position].downSince == nil)
    links[position].downSince = isUp ? .zero : now
    return isNews
  }

  private mutating func add(_ peer: NodeID) -> Int {
    let position = links.firstIndex { $0.peer > peer } ?? links.count
    links.insert(Link(peer: peer), at: position)
    return position
  }

  /// Whether somebody is silent of whom that is not reported yet.
  var hasUnreportedSilence: Bool {
    links.contains { $0.downSince != nil && !$0.consensus && !$0.isReportedDown }
  }

  /// Peers that have been silent for `ticks`, each reported once.
  mutating func takeSilent(for ticks: Int, now: Ticks) -> [NodeID] {
    var silent: [NodeID] = []
    for position in links.indices where !links[position].consensus && !links[position].isReportedDown {
      guard let since = links[position].downSince, since + ticks <= now else { continue }
      links[position].isReportedDown = true
      silent.append(links[position].peer)
    }
    return silent
  }
}

extension DriverCore {
  /// A connection to a peer stands.
  mutating func linkUp(_ peer: NodeID, _ trafficClass: TrafficClass) {
    let isNews = links.set(true, peer, trafficClass, now: now.ticks)
    if trafficClass == .bulk { sendHeldReplies() }
    if isNews, node.configuration.member(peer) != nil {
      effects.report(.memberReachable(address: name(of: peer)))
    }
  }

  /// A connection to a peer broke. What was sent on it may or may not have arrived, so nothing is sent again.
  mutating func linkDown(_ peer: NodeID, _ trafficClass: TrafficClass) {
    _ = links.set(false, peer, trafficClass, now: now.ticks)
    if trafficClass == .bulk { giveUpForwards(.connectionLost) { leader, _ in leader == peer } }
    node.connectionLost(to: peer, into: &outputs)
  }

  /// A connection *from* a peer broke: answers may be lost, and it may be the first sign that the peer has crashed.
  mutating func inboundDown(_ peer: NodeID, _ trafficClass: TrafficClass) {
    if trafficClass == .bulk { giveUpForwards(.connectionLost) { leader, _ in leader == peer } }
    node.connectionLost(to: peer, into: &outputs)
  }

  mutating func reportSilentMembers() {
    let ticks = Int(clamping: options.unreachableMilliseconds) / options.tickMilliseconds
    for peer in links.takeSilent(for: ticks, now: now.ticks) where node.configuration.member(peer) != nil {
      effects.report(.memberUnreachable(address: name(of: peer)))
    }
  }

  /// Reports members that cannot catch up any more, each once.
  mutating func reportLeftBehind() {
    guard node.isLeader else { return }
    let now = node.status.peers.filter(\.isLeftBehind).map(\.id)
    for peer in now where !leftBehind.contains(peer) {
      effects.report(.memberLeftBehind(address: name(of: peer)))
    }
    leftBehind = now
  }

  /// Reports a store that hangs, and that it goes on.
  mutating func reportStore() {
    guard node.isWriteOverdue != isStoreReported else { return }
    isStoreReported.toggle()
    effects.report(isStoreReported ? .storeHangs : .storeGoesOn)
  }

  /// Reports another role or leader, and asks reads of a lost leader again.
  mutating func reportChanges() {
    let role = currentRole
    if role != reportedRole {
      reportedRole = role
      effects.report(.roleChanged(role, term: node.term))
    }
    guard node.leader != reportedLeader || (node.leader != nil && node.term != reportedTerm) else { return }
    reportedLeader = node.leader
    reportedTerm = node.term
    reads.leaderChanged(now: now.ticks)
    effects.report(.leaderChanged(address: node.leader.map { name(of: $0) }, term: node.term))
  }

  var currentRole: ReplicaRole {
    switch node.role {
    case .leader: .leader
    case .preCandidate, .candidate: .candidate
    case .follower: node.configuration.isVoter(id) ? .follower : .learner
    }
  }

  /// The node begins to hand leadership over, because it will stop.
  ///
  /// - Returns: Whether there is somebody to hand it to.
  mutating func handOver() -> Bool {
    guard let target = node.bestTransferTarget else { return false }
    do {
      try node.transferLeadership(to: target, into: &outputs)
      return true
    } catch {
      return false
    }
  }

  var status: ReplicaStatus {
    let known = node.status
    let configuration = known.configuration
    var status = ReplicaStatus(
      id: id, clusterID: nil, address: address, role: currentRole, term: known.term,
      leaderAddress: known.leader.map { name(of: $0) }, commitIndex: known.commitIndex,
      appliedIndex: known.appliedIndex, store: .memory,
      members: configuration.members.map { member in
        .init(
          id: member.id, address: member.address, isVoter: configuration.isVoter(member.id),
          isReachable: member.id == id || links.isUp(member.id, .consensus), store: member.store,
          progress: known.peers.first { $0.id == member.id }.map(progress(of:)))
      })
    status.lastIndex = known.lastEntry.index
    status.silenceMilliseconds = silence(known)
    status.writeMilliseconds = known.oldestWrite.map(milliseconds(since:))
    if let newest = node.configuration(at: known.lastEntry.index),
      newest.index > known.commitIndex || configuration.isJoint
    {
      status.changeIndex = newest.index
    }
    status.receivedSnapshotBytes = known.receivedSnapshotBytes
    return status
  }

  private func progress(of peer: PeerStatus) -> ReplicaStatus.Progress {
    .init(
      matchIndex: peer.matchIndex, isCaughtUp: peer.isCaughtUp,
      silenceMilliseconds: milliseconds(since: peer.lastHeard), replication: peer.replication)
  }

  /// How long ago the leader was heard from; of a leader, the most recent majority.
  private func silence(_ known: RaftStatus) -> UInt64? {
    guard let leader = known.leader else { return nil }
    guard leader == id else { return milliseconds(since: known.lastLeaderContact) }
    return [known.configuration.voters, known.configuration.outgoingVoters].filter { !$0.isEmpty }
      .map { voters in
        let silences = voters.map { voter in
          voter == id
            ? 0 : known.peers.first { $0.id == voter }.map { milliseconds(since: $0.lastHeard) } ?? .max
        }
        return silences.sorted()[voters.count / 2]
      }.max()
  }

  private func milliseconds(since instant: Ticks) -> UInt64 {
    guard instant < now.ticks else { return 0 }
    return (now.ticks.rawValue - instant.rawValue) * UInt64(options.tickMilliseconds)
  }
}
