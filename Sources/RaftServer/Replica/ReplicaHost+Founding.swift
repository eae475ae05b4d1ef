import RaftCore
import RaftStore
import RaftTransport

// How a fresh node becomes a member of a cluster: the shell around ``Founding``.

extension ReplicaHost {
  func proceedWithFounding() {
    guard let founding, !isFounding, !isStopped else { return }
    switch founding.decide() {
    case .wait(let addresses):
      if addresses != lastWaiting, !addresses.isEmpty { report(.waiting(for: addresses)) }
      lastWaiting = addresses
    case .join(let members):
      if joinTimer == nil {
        report(.joining(through: members.map(\.address)))
        askToJoin()
      }
    case .found(let members):
      do {
        let configuration = try Configuration(
          members: members, voters: members.map(\.id),
          leaseTimeoutTicks: options.foundsWithLeaseReads
            ? UInt32(clamping: options.raft.electionTimeoutTicksMin) : nil)
        begin(Founded(cluster: ClusterID(max(random.next(), 1)), configuration: configuration))
      } catch {
        report(.violation(from: "the listed peers", reason: error.description))
      }
    }
  }

  /// Becomes a founding member.
  private func begin(_ founded: Founded) {
    guard founding != nil, !isFounding else { return }
    self.founded = founded
    begin(founded.cluster, .founding(founded.configuration), isJoining: false)
  }

  /// Becomes a member of a cluster, once that is durable.
  func begin(_ cluster: ClusterID, _ state: RecoveredState<Bytes>, isJoining: Bool) {
    guard founding != nil, !isFounding, !isStopped else { return }
    isFounding = true
    let known = NodeIdentity(
      node: identity.node, cluster: cluster, address: address, isJoining: isJoining)
    disk.use { store throws(StoreError) in
      // In this order: a cluster without a log is as good as none, and a log without a cluster is not to be trusted.
      try store.setIdentity(known)
      try store.found(state)
      return store.keepsLogBehindSnapshot
    } then: { [weak self] result in
      guard let self, !isStopped else { return }
      switch result {
      case .failure(let error): fail(error)
      case .success(let keepsLog): run(in: cluster, state, keepsLogBehindSnapshot: keepsLog)
      }
    }
  }

  private func run(
    in cluster: ClusterID, _ state: RecoveredState<Bytes>, keepsLogBehindSnapshot: Bool
  ) {
    do {
      running = Running(
        try Driver(
          id: identity.node, boot: identity.boot, address: address, blank: blank, applier: first,
          recovered: state, keepsLogBehindSnapshot: keepsLogBehindSnapshot, options: options,
          seed: random.next(), now: moment))
    } catch {
      return fail(.corrupt("\(error)"))
    }
    first = nil
    founding = nil
    let members = running?.driver.node.configuration.members.map(\.address) ?? []
    report(
      around.isJoining
        ? .joined(cluster: cluster, members: members) : .founded(cluster: cluster, members: members))
    identity = LocalIdentity(
      node: identity.node, boot: identity.boot, cluster: cluster, address: address, founders: [],
      store: identity.store)
    around.forgetCallers()
    transport.setIdentity(identity)
    if !around.isJoining {
      joinTimer?.cancel()
      joinTimer = nil
    }
    noticeConfiguration()
    scheduleFlush()
  }

  /// Tells a fresh node that it is a founder of this cluster, if it is.
  func tellFounded(_ peer: RemotePeer) {
    guard let founded, peer.cluster == nil, founded.configuration.member(peer.node) != nil else { return }
    var writer = ByteWriter()
    let header = FrameHeader(
      kind: .founded, trafficClass: .consensus, target: peer.node, sender: identity.node, boot: identity.boot)
    writer.writeFrame(header) { founded.encode(into: &$0) }
    _ = transport.send(writer.bytes, to: peer.node, class: .consensus)
  }

  func receiveFounded(_ frame: Frame) {
    guard let founding else { return }
    guard !founding.mustJoin else {
      return report(
        .violation(
          from: frame.header.sender.description, reason: "a founding, and this node was in a cluster before"))
    }
    do {
      let founded = try Founded(decoding: frame.body)
      guard founded.configuration.member(identity.node) == founding.own else {
        return report(
          .violation(from: frame.header.sender.description, reason: "a founding that this node is no part of")
        )
      }
      begin(founded)
    } catch {
      report(.violation(from: frame.header.sender.description, reason: error.description))
    }
  }
}
