/// What a majority agrees on; of *each* half while a configuration is joint (thesis §4.3).
enum Quorum {
  /// The highest value that a majority of `voters` has reached: the commit index, if the values are match indexes.
  ///
  /// Taken literally, by sorting: "optimised" scans have hidden commits of entries that no majority held (scenario 2).
  static func agreed(
    _ voters: [NodeID], scratch: inout [UInt64], value: (NodeID) -> UInt64
  ) -> UInt64 {
    guard !voters.isEmpty else { return .max }
    if scratch.count < voters.count { scratch = Array(repeating: 0, count: voters.count) }
    for (count, voter) in voters.enumerated() {
      let reached = value(voter)
      var place = count
      while place > 0, scratch[place - 1] < reached {
        scratch[place] = scratch[place - 1]
        place -= 1
      }
      scratch[place] = reached
    }
    return scratch[voters.count / 2]
  }

  /// The same over both halves of a configuration.
  static func agreed(
    _ configuration: Configuration, scratch: inout [UInt64], value: (NodeID) -> UInt64
  ) -> UInt64 {
    let incoming = agreed(configuration.voters, scratch: &scratch, value: value)
    guard configuration.isJoint else { return incoming }
    return min(incoming, agreed(configuration.outgoingVoters, scratch: &scratch, value: value))
  }
}

/// Who has granted and who has refused in one campaign.
struct VoteTally: Sendable {
  private(set) var granted: [NodeID] = []
  private(set) var refused: [NodeID] = []

  /// How the campaign stands.
  enum Outcome { case won, lost, open }

  /// Notes an answer; the first one of each voter counts (a duplicate must not count twice, scenario 22).
  mutating func record(_ voter: NodeID, isGranted: Bool) {
    guard !granted.contains(voter), !refused.contains(voter) else { return }
    if isGranted { granted.append(voter) } else { refused.append(voter) }
  }

  mutating func removeAll() {
    granted.removeAll(keepingCapacity: true)
    refused.removeAll(keepingCapacity: true)
  }

  /// The outcome over `configuration`: votes of nodes that are not in it do not count.
  func outcome(in configuration: Configuration) -> Outcome {
    let incoming = outcome(among: configuration.voters)
    guard configuration.isJoint else { return incoming }
    let outgoing = outcome(among: configuration.outgoingVoters)
    if incoming == .lost || outgoing == .lost { return .lost }
    return incoming == .won && outgoing == .won ? .won : .open
  }

  private func outcome(among voters: [NodeID]) -> Outcome {
    var grants = 0
    var refusals = 0
    for voter in voters {
      if granted.contains(voter) { grants += 1 }
      if refused.contains(voter) { refusals += 1 }
    }
    let majority = voters.count / 2 + 1
    if grants >= majority { return .won }
    return refusals > voters.count - majority ? .lost : .open
  }
}
