import RaftCore
import RaftStore
import RaftTransport

// How nodes come and go: the shell around ``Founding``, ``Admission`` and ``Newcomers``.

extension ReplicaHost {
  /// Keeps connections to everybody who has to be reached, and no others.
  func refreshPeers() {
    let now = loop.milliseconds
    var addresses = founding?.peerAddresses ?? []
    addresses += running?.driver.node.configuration.members.map(\.address) ?? []
    addresses += around.newcomers.addresses(now: now)
    around.leaving.removeAll { $0.until <= now }
    addresses += around.leaving.map(\.address)
    addresses += around.movedAddresses(now: now)
    // Whoever sends has to be answered, also if this node does not know yet that it is a member. Counter-example: a newcomer
    // has got the log through an old configuration, and a node leads that is not in it. It takes what the leader sends,
    // its answers have no way to go, and it never gets further.
    if let cluster = identity.cluster {
      addresses += around.callers.filter { $0.cluster == cluster }.map(\.address)
    }
    // Where the others were at the first start may be where they are again, if this node has no better idea.
    if running != nil, around.isLost { addresses += around.given }
    if running == nil || around.isJoining {
      addresses += around.remembered + [around.leaderAddress].compactMap { $0 }
    }
    transport.setPeers(addresses)
  }

  /// Acts on a configuration that is new in the log.
  func noticeConfiguration() {
    guard let running else { return }
    let configuration = running.driver.configuration
    if configuration != around.seen {
      let gone = (around.seen?.members ?? []).filter { configuration.member($0.id) == nil }
      let until = loop.milliseconds + Neighbourhood.farewellMilliseconds
      around.leaving += gone.map { ($0.address, until) }
      around.seen = configuration
      around.isMoving = configuration.member(identity.node).map { $0.address != address } ?? false
      refreshPeers()
      report(.configurationChanged(configuration))
      rememberMembers(configuration)
    }
    noticeLeader()
    let isMember = configuration.member(identity.node) != nil
    if isMember { around.wasMember = true }
    if around.isJoining, configuration.voters.contains(identity.node), isCommitted(configuration) {
      endJoining()
    }
    if around.wasMember, !isMember, !around.isJoining, isCommitted(configuration) {
      around.wasMember = false
      didLeave()
    }
  }

  /// Writes down where to look for the cluster after a restart.
  private func rememberMembers(_ configuration: Configuration) {
    guard let hint, let cluster = identity.cluster else { return }
    do throws(MemberHintError) {
      try hint.write(configuration.members.map(\.address).filter { $0 != address }, cluster: cluster)
    } catch {
      report(.hintFailed(reason: error.reason))
    }
  }

  func isCommitted(_ configuration: Configuration) -> Bool {
    guard let node = running?.driver.node else { return false }
    return node.configuration(at: node.commitIndex)?.configuration == configuration
  }

  // MARK: - The newcomer

  /// Asks somebody who should know, and again after a while.
  func askToJoin() {
    guard !isStopped, running == nil || around.isJoining else { return }
    defer {
      joinTimer?.cancel()
      joinTimer = loop.schedule(after: Neighbourhood.askMilliseconds) { [weak self] in self?.askToJoin() }
    }
    let configuration = running?.driver.node.configuration
    let leader =
      running?.driver.node.leader.flatMap { configuration?.member($0)?.address } ?? around.leaderAddress
    let members = around.linked.filter { $0.cluster != nil }
    guard !members.isEmpty else { return }
    around.attempts += 1
    let target = members.first { $0.address == leader } ?? members[around.attempts % members.count]
    // Who does not answer is not asked for ever.
    if around.attempts % 10 == 0 { around.leaderAddress = nil }
    let own = Member(id: identity.node, address: address, store: identity.store)
    send(JoinRequest(member: own), .join, to: target.node)
  }

  func send<Body: ByteCodable>(_ body: Body, _ kind: FrameKind, to node: NodeID) {
    var writer = ByteWriter()
    let header = FrameHeader(
      kind: kind, trafficClass: .consensus, target: node, sender: identity.node, boot: identity.boot)
    writer.writeFrame(header) { body.encode(into: &$0) }
    _ = transport.send(writer.bytes, to: node, class: .consensus)
  }

  func receiveJoinReply(_ frame: Frame) {
    do {
      switch try JoinReply(decoding: frame.body) {
      case .admitted(let cluster, let configuration):
        around.joinObstacle = nil
        enter(cluster, configuration)
      case .ask(let address):
        guard running == nil || around.isJoining, address != self.address, (try? Endpoint(address)) != nil
        else { return }
        around.leaderAddress = address
        refreshPeers()
      case .wait(let reason):
        around.joinObstacle = reason
        report(.joinWaits(reason: reason))
      case .refused(let reason):
        around.joinObstacle = reason
        report(.joinRefused(reason: reason))
      }
    } catch {
      report(.violation(from: frame.header.sender.description, reason: error.description))
    }
  }

  /// Becomes a member of a running cluster, with an empty log, once that is durable.
  private func enter(_ cluster: ClusterID, _ configuration: Configuration) {
    let state = RecoveredState<Bytes>(
      hardState: .initial, base: .zero,
      baseConfiguration: IndexedConfiguration(index: .zero, configuration: configuration),
      entries: [], commitIndex: .zero, appliedIndex: .zero)
    around.isJoining = true
    around.wasMember = true
    begin(cluster, state, isJoining: true)
  }

  private func endJoining() {
    around.isJoining = false
    joinTimer?.cancel()
    joinTimer = nil
    refreshPeers()
    guard let cluster = identity.cluster else { return }
    let known = NodeIdentity(node: identity.node, cluster: cluster, address: address, isJoining: false)
    disk.use { store throws(StoreError) in
      try store.setIdentity(known)
    } then: { [weak self] result in
      if case .failure(let error) = result { self?.fail(error) }
    }
  }

  // MARK: - The member that is asked

  func receiveJoin(_ frame: Frame) {
    guard running != nil else { return }
    do throws(MalformedBytes) {
      let newcomer = try JoinRequest(decoding: frame.body).member
      guard newcomer.id == frame.header.sender, (try? Endpoint(newcomer.address)) != nil else {
        throw MalformedBytes("a newcomer speaks for itself, and says where it is", offset: 0)
      }
      guard newcomer.address != address else {
        throw MalformedBytes("a newcomer claims the address of this node", offset: 0)
      }
      guard around.newcomers.asked(newcomer, now: loop.milliseconds) else { return }
    } catch {
      return report(.violation(from: frame.header.sender.description, reason: error.description))
    }
    refreshPeers()
    answerNewcomers()
  }

  /// Answers the newcomers to whom there is a connection by now.
  func answerNewcomers() {
    let around = around
    for newcomer in self.around.newcomers.takeAsking(linked: { around.isProven($0) }) {
      // A founder that has not heard of its cluster begins with the entry that all logs begin with.
      if let founded, founded.configuration.member(newcomer.id) == newcomer {
        send(founded, .founded, to: newcomer.id)
      } else if let reply = reply(to: newcomer) {
        send(reply, .joinReply, to: newcomer.id)
      }
    }
  }

  private func reply(to newcomer: Member) -> JoinReply? {
    guard let node = running?.driver.node, let cluster = identity.cluster else { return nil }
    guard node.isLeader else {
      guard let leader = node.leader.flatMap({ node.configuration.member($0) }) else {
        return .wait(reason: "no leader is known")
      }
      return .ask(address: leader.address)
    }
    let configuration = node.configuration
    let replaced = around.replaced(at: newcomer.address, now: loop.milliseconds)
    switch Admission(of: newcomer, in: configuration, replacing: replaced) {
    case .refused(let reason):
      report(.newcomerRefused(address: newcomer.address, reason: reason))
      return .refused(reason: reason)
    case .votes: break
    case .change(let changes):
      let obstacle = begin(changes)
      // A learner is told where it belongs all the same.
      if configuration.member(newcomer.id) == nil {
        return .wait(reason: obstacle?.description ?? "it is being added")
      }
    }
    guard isCommitted(configuration) else { return .wait(reason: "it is being added") }
    return .admitted(cluster, configuration)
  }

  /// Begins a change. Returns why it cannot be begun; it is for the newcomer to ask again.
  @discardableResult
  func begin(_ changes: [ConfigurationChange]) -> ConfigurationChangeError? {
    var obstacle: ConfigurationChangeError?
    _ = withDriver { driver in
      do throws(ConfigurationChangeError) {
        _ = try driver.changeConfiguration(changes, deadline: driver.deadline(in: nil))
      } catch {
        obstacle = error
      }
    }
    return obstacle
  }
}
