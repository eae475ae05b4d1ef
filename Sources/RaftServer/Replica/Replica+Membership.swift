import RaftCore
import RaftTransport

/// Why members or leadership were not changed.
public enum MembershipError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Only the leader can do that; its address, if it is known. Nothing has changed.
  case notLeader(address: String?)
  /// The members are not what the change supposes, or it cannot be made now. Nothing has changed.
  case refused(ConfigurationChangeError)
  /// No member has this address or id. Nothing has changed.
  case unknownMember
  /// Leadership cannot be handed over so. Nothing has changed.
  case notTransferred(TransferError)
  /// A member cannot be replaced yet, for this reason; ask again. Nothing has changed.
  case waiting(reason: String)
  /// The node is not able to answer now, or the change may have been made, or not.
  case failed(ReplicaError)

  /// The value in words, as logs print it.
  public var description: String {
    switch self {
    case .notLeader(let address):
      "only the leader changes the members" + (address.map { "; it is at \($0)" } ?? "")
    case .refused(let error): error.description
    case .unknownMember: "no member has this address or id"
    case .notTransferred(let error): error.description
    case .waiting(let reason): reason
    case .failed(let error): error.description
    }
  }
}

extension Replica {
  /// Changes who takes part; to be asked of the leader. Several changes take effect together (thesis §4.3).
  ///
  /// - Parameters:
  ///   - changes: What to change.
  ///   - milliseconds: How long it may take; by default as long as the options say.
  /// - Throws: ``MembershipError``. When it returns, the change is committed, and durable.
  public func changeMembers(
    _ changes: [ConfigurationChange], within milliseconds: UInt64? = nil
  ) async throws(MembershipError) {
    let result = await withCheckedContinuation {
      (done: CheckedContinuation<Result<Void, MembershipError>, Never>) in
      loop.async { [self] in
        changeMembers(changes, within: milliseconds) { done.resume(returning: $0) }
      }
    }
    try result.get()
  }

  /// Hands leadership over; to be asked of the leader (thesis §3.10). Whether another takes it shows in the status.
  ///
  /// - Parameter target: Who is to lead; nil for whoever is best placed.
  /// - Throws: ``MembershipError``.
  public func transferLeadership(to target: NodeID? = nil) async throws(MembershipError) {
    let result = await withCheckedContinuation {
      (done: CheckedContinuation<Result<Void, MembershipError>, Never>) in
      loop.async { [self] in done.resume(returning: beginTransfer(to: target)) }
    }
    try result.get()
  }

  /// Gives the place of a member to the node at an address, in one change; to be asked of the leader, and again until it
  /// is done: the word counts for ten seconds. The address may be that of the member itself, if a new node is there.
  ///
  /// - Throws: ``MembershipError``; ``MembershipError/waiting(reason:)`` while there is no node at the address that could
  ///   vote.
  public func replaceMember(_ member: NodeID, at address: String) async throws(MembershipError) {
    let result = await withCheckedContinuation {
      (done: CheckedContinuation<Result<Void, MembershipError>, Never>) in
      loop.async { [self] in replaceMember(member, at: address) { done.resume(returning: $0) } }
    }
    try result.get()
  }

  // MARK: - For code on the replica's loop

  /// Replaces a member, as ``replaceMember(_:at:)``. To be called on ``loop``, which calls back.
  public func replaceMember(
    _ member: NodeID, at address: String, then handler: @escaping (Result<Void, MembershipError>) -> Void
  ) {
    host.replaceMember(member, at: address, then: handler)
  }

  /// Changes who takes part, as ``changeMembers(_:within:)``. To be called on ``loop``, which calls back.
  public func changeMembers(
    _ changes: [ConfigurationChange], within milliseconds: UInt64?,
    then handler: @escaping (Result<Void, MembershipError>) -> Void
  ) {
    host.changeMembers(changes, within: milliseconds, then: handler)
  }

  /// Hands leadership over, as ``transferLeadership(to:)``. To be called on ``loop``.
  public func beginTransfer(to target: NodeID?) -> Result<Void, MembershipError> {
    host.beginTransfer(to: target)
  }
}

extension ReplicaHost {
  func changeMembers(
    _ changes: [ConfigurationChange], within milliseconds: UInt64?,
    then handler: @escaping (Result<Void, MembershipError>) -> Void
  ) {
    loop.preconditionOnLoop()
    if let obstacle = obstacleToLeading { return handler(.failure(obstacle)) }
    let begun = withDriver { driver in
      Result { () throws(ConfigurationChangeError) in
        try driver.changeConfiguration(changes, deadline: driver.deadline(in: milliseconds))
      }
    }
    switch begun {
    case .success(let ticket): whenEnded(ticket) { handler($0.mapError(MembershipError.failed)) }
    case .failure(.changesNothing): handler(.success(()))
    case .failure(let error): handler(.failure(.refused(error)))
    case nil: handler(.failure(.failed(.notExecuted(.notReady))))
    }
  }

  func beginTransfer(to target: NodeID?) -> Result<Void, MembershipError> {
    loop.preconditionOnLoop()
    if let obstacle = obstacleToLeading { return .failure(obstacle) }
    guard let target else {
      let isBegun = withDriver { $0.handOver() } ?? false
      return isBegun ? .success(()) : .failure(.notTransferred(.notAVoter))
    }
    let begun = withDriver { driver in
      Result { () throws(TransferError) in try driver.transferLeadership(to: target) }
    }
    return begun?.mapError(MembershipError.notTransferred) ?? .failure(.failed(.notExecuted(.notReady)))
  }

  var obstacleToLeading: MembershipError? {
    guard let node = running?.driver.node, !isStopped else { return .failed(.notExecuted(.notReady)) }
    if node.isLeader { return nil }
    return .notLeader(address: node.leader.flatMap { node.configuration.member($0)?.address })
  }
}
