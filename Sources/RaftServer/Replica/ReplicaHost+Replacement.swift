import RaftCore
import RaftTransport

// How an operator replaces a member, and what is remembered of nodes that have stopped.

extension ReplicaHost {
  /// Gives the place of a member to whoever is at `place`: at once if that is a member which may vote; otherwise when it
  /// gets its vote, as long as this was asked lately. See ``Admission``.
  func replaceMember(
    _ old: NodeID, at place: String, then handler: @escaping (Result<Void, MembershipError>) -> Void
  ) {
    loop.preconditionOnLoop()
    if let obstacle = obstacleToLeading { return handler(.failure(obstacle)) }
    guard let configuration = running?.driver.node.configuration, configuration.member(old) != nil else {
      return handler(.failure(.unknownMember))
    }
    around.replace(old, at: place, now: loop.milliseconds)
    let present = configuration.members.filter { $0.address == place && $0.id != old }
    guard let new = present.first(where: { $0.id == identity.node || around.isProven($0) }) else {
      return handler(.failure(.waiting(reason: reasonToWait(for: place, insteadOf: old))))
    }
    let stale = present.filter { $0.id != new.id }.map(\.id)
    var changes = configuration.voters.contains(new.id) ? [] : [ConfigurationChange.promote(new.id)]
    changes += ([old] + stale).map { .remove($0) }
    changeMembers(changes, within: nil) { result in
      handler(result.mapError(Self.untilLater))
    }
  }

  private func reasonToWait(for place: String, insteadOf old: NodeID) -> String {
    let linked = around.linked.first { $0.address == place }
    if linked?.node == old || (place == address && old == identity.node) {
      return
        "the member itself is at \(place): stop it, and start the new node there, with an empty directory"
    }
    if around.newcomers.all.contains(where: { $0.member.address == place }) {
      return "the new node at \(place) is being added"
    }
    return linked == nil
      ? "no node is at \(place): start the new one there, with an empty directory and with --peers"
      : "the node at \(place) has not asked to join: was it started with --peers of this cluster?"
  }

  /// What passes by itself is worth another try.
  private static func untilLater(_ error: MembershipError) -> MembershipError {
    guard case .refused(let refusal) = error else { return error }
    switch refusal {
    case .notCaughtUp: return .waiting(reason: "the new node is a learner, and catches up")
    case .changeUnderWay: return .waiting(reason: "another change of the members is under way")
    case .transferring, .termNotOpen, .wouldLoseQuorum:
      return .waiting(reason: refusal.description)
    case .notLeader, .alreadyMember, .notAMember, .notALearner, .notAVoter, .changesNothing, .invalid:
      return error
    }
  }

  // MARK: - Last words

  /// Tells everybody to whom there is a connection why this node stops.
  func sayLastWords(_ words: LastWords) {
    for peer in around.linked where peer.cluster == identity.cluster {
      send(words, .lastWords, to: peer.node)
    }
  }

  func receiveLastWords(_ frame: Frame) {
    do throws(MalformedBytes) {
      let words = try LastWords(decoding: frame.body)
      guard running?.driver.node.configuration.member(frame.header.sender) != nil else { return }
      around.stops(frame.header.sender, words, now: loop.milliseconds)
    } catch {
      report(.violation(from: frame.header.sender.description, reason: error.description))
    }
  }
}
