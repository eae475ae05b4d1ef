/// One thing to change about who takes part. Several may be asked for at once: they take effect together.
public enum ConfigurationChange: Hashable, Sendable {
  /// A newcomer receives the log, without being counted. The way in for everybody: it cannot hold up commitment while
  /// it has yet to receive what is there (thesis §4.2.1).
  case addLearner(Member)
  /// A learner that has caught up becomes a voter.
  case promote(NodeID)
  /// A voter becomes a learner.
  case demote(NodeID)
  /// A voter or learner takes part no longer.
  case remove(NodeID)
  /// A member's address, store or priority is written anew; its id stays.
  case update(Member)
  /// The leader may answer reads under a lease from now on, or may not any more. The minimum election timeout of the
  /// leader that switches leases on is recorded: see ``Configuration/leaseTimeoutTicks``.
  case useLeaseReads(Bool)
}

/// Why a configuration change is not begun. Nothing was appended.
public enum ConfigurationChangeError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Only the leader changes the configuration.
  case notLeader(leader: NodeID?)
  /// Leadership is being handed over.
  case transferring
  /// The leader has not committed an entry of its own term yet; ask again soon.
  ///
  /// Counter-example that this prevents (scenario 45): of A, B, C, D leader A of term 1 adds E and crashes before any
  /// other has the entry. B, leader of term 2, removes C, and commits that with D: two of three. A returns, is elected
  /// by C and E, three of five with itself, and overwrites what B and D have committed. Had B committed an entry of
  /// term 2 under the old configuration first, C would not have voted for A.
  case termNotOpen
  /// Another change is not committed yet, or the joint phase is not over.
  case changeUnderWay(at: LogIndex)
  /// The node is not a learner that has caught up: as a voter it would hold up commitment (thesis §4.2.1).
  case notCaughtUp(NodeID)
  /// The node takes part already.
  case alreadyMember(NodeID)
  /// The node does not take part.
  case notAMember(NodeID)
  /// The node is not a learner.
  case notALearner(NodeID)
  /// The node is not a voter.
  case notAVoter(NodeID)
  /// Of the voters that would decide after the change, or on the way to it, too many are silent: nothing could be
  /// committed any more, not even a change that takes this one back. Names those that were not heard from within a
  /// minimum election timeout.
  case wouldLoseQuorum(silent: [NodeID])
  /// Everything asked for is the case already.
  case changesNothing
  /// The result would not be a configuration.
  case invalid(ConfigurationError)

  /// The value in words, as logs print it.
  public var description: String {
    switch self {
    case .notLeader(let leader): "not the leader" + (leader.map { "; \($0) is" } ?? "")
    case .transferring: "leadership is being handed over"
    case .termNotOpen: "the leader has not committed an entry of its own term yet; ask again soon"
    case .changeUnderWay(let index): "the change at log index \(index) is still under way"
    case .notCaughtUp(let id): "\(id) has to be a learner that has caught up before it can vote"
    case .alreadyMember(let id): "\(id) is a member already"
    case .notAMember(let id): "\(id) is not a member"
    case .notALearner(let id): "\(id) is not a learner"
    case .notAVoter(let id): "\(id) is not a voter"
    case .wouldLoseQuorum(let silent):
      "the voters after the change would have no majority without "
        + silent.map { "\($0)" }.joined(separator: ", ") + ", not heard from lately"
    case .changesNothing: "everything asked for is the case already"
    case .invalid(let error): error.description
    }
  }
}

extension Configuration {
  /// The configuration that all of `changes`, one after the other, lead to.
  ///
  /// - Parameters:
  ///   - changes: What to change.
  ///   - leaseTimeoutTicks: What is recorded if they switch leases on; by default the default of
  ///     ``RaftOptions/electionTimeoutTicksMin``.
  /// - Throws: ``ConfigurationChangeError`` if one of them does not fit what the others leave.
  public func applying(
    _ changes: [ConfigurationChange],
    leaseTimeoutTicks: UInt32 = UInt32(RaftOptions().electionTimeoutTicksMin)
  ) throws(ConfigurationChangeError) -> Configuration {
    var draft = Draft(
      members: members, voters: voters, learners: learners, leaseTimeoutTicks: self.leaseTimeoutTicks)
    for change in changes { try draft.apply(change, leaseTimeoutTicks: leaseTimeoutTicks) }
    return try draft.configuration()
  }

  /// The next configuration on the way to `target`: itself if every majority of its voters meets every majority of
  /// these (they differ by one voter at most, thesis §4.1), otherwise a joint one (thesis §4.3).
  func step(towards target: Configuration) throws(ConfigurationError) -> Configuration {
    let added = target.voters.filter { !voters.contains($0) }
    let removed = voters.filter { !target.voters.contains($0) }
    guard added.count + removed.count > 1 else { return target }
    let leaving = members.filter { removed.contains($0.id) && target.member($0.id) == nil }
    return try Configuration(
      members: target.members + leaving, voters: target.voters, outgoingVoters: voters,
      learners: target.learners, leaseTimeoutTicks: target.leaseTimeoutTicks)
  }

  /// What a joint configuration leads to: the outgoing voters count no longer, and those who have no other role leave.
  var withoutOutgoing: Configuration {
    get throws(ConfigurationError) {
      try Configuration(
        members: members.filter { voters.contains($0.id) || learners.contains($0.id) }, voters: voters,
        learners: learners, leaseTimeoutTicks: leaseTimeoutTicks)
    }
  }

  private struct Draft {
    var members: [Member]
    var voters: [NodeID]
    var learners: [NodeID]
    var leaseTimeoutTicks: UInt32?

    mutating func apply(
      _ change: ConfigurationChange, leaseTimeoutTicks: UInt32
    ) throws(ConfigurationChangeError) {
      switch change {
      case .addLearner(let member):
        guard !members.contains(where: { $0.id == member.id }) else { throw .alreadyMember(member.id) }
        members.append(member)
        learners.append(member.id)
      case .promote(let id):
        guard let position = learners.firstIndex(of: id) else { throw .notALearner(id) }
        learners.remove(at: position)
        voters.append(id)
      case .demote(let id):
        guard let position = voters.firstIndex(of: id) else { throw .notAVoter(id) }
        voters.remove(at: position)
        learners.append(id)
      case .remove(let id):
        guard let position = members.firstIndex(where: { $0.id == id }) else { throw .notAMember(id) }
        members.remove(at: position)
        voters.removeAll { $0 == id }
        learners.removeAll { $0 == id }
      case .update(let member):
        guard let position = members.firstIndex(where: { $0.id == member.id }) else {
          throw .notAMember(member.id)
        }
        members[position] = member
      case .useLeaseReads(let isOn):
        self.leaseTimeoutTicks = isOn ? self.leaseTimeoutTicks ?? leaseTimeoutTicks : nil
      }
    }

    func configuration() throws(ConfigurationChangeError) -> Configuration {
      do throws(ConfigurationError) {
        return try Configuration(
          members: members, voters: voters, learners: learners, leaseTimeoutTicks: leaseTimeoutTicks)
      } catch {
        throw .invalid(error)
      }
    }
  }
}
