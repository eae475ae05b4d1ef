import RaftCore

/// Traces of the core in the vocabulary of a published TLA+ specification of Raft, so that a model checker can say whether
/// a specification that was written elsewhere allows what this core does.
///
/// A trace is newline-delimited JSON, one event a line, all nodes in one list in causal order. `Docs/specification-traces.md`
/// says what each line means, and which of this core's deliberate differences the scenarios keep clear of.
public struct SpecificationTrace {
  /// What a trace shows.
  public enum Scenario: String, CaseIterable, Hashable, Sendable {
    /// Leaders follow each other, one campaign at a time.
    case election
    /// A leader replicates bursts of entries.
    case replication
    /// The same over a network that loses, doubles and reorders.
    case lossAndDuplication = "loss-and-duplication"
    /// Two nodes campaign in the same term; votes are split.
    case competingCandidates = "competing-candidates"
    /// A leader that was cut off returns with entries that nobody else has.
    case divergingLeader = "diverging-leader"
    /// Followers crash, some with writes under way, and restart.
    case followerRestarts = "follower-restarts"
    /// Leaders crash and restart as followers of another.
    case leaderRestarts = "leader-restarts"
    /// A newcomer joins as a learner, catches up and becomes a voter.
    case learner
    /// A voter is removed.
    case removal
    /// A newcomer needs what is compacted away, and gets a snapshot.
    case snapshot
  }

  /// Every scenario, in the order in which they are best read.
  public static var scenarios: [Scenario] { Scenario.allCases }

  /// The trace of one run: 300 to 1,000 lines, each a JSON object without the line's end. The same for the same seed, in
  /// every process.
  public static func lines(of scenario: Scenario, seed: UInt64) -> [String] {
    do {
      var world = try SpecificationWorld(voters: scenario.voters, seed: seed)
      try world.play(scenario)
      return world.lines
    } catch {
      preconditionFailure("a scenario starts nodes from states that they themselves have left: \(error)")
    }
  }
}

extension SpecificationTrace.Scenario {
  /// How many voters the cluster is founded with.
  fileprivate var voters: Int {
    switch self {
    case .competingCandidates: 4
    case .removal: 5
    default: 3
    }
  }
}
