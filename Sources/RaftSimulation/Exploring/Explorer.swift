import RaftCore

/// Visits every state that a small cluster of shipped cores can reach, breadth first, so that the first broken rule is
/// found by one of the shortest ways to it.
///
/// There is no clock in this world: timeouts fire whenever they please, and so do all other steps. A state holds the
/// cores, their disks, the messages on their way and what is left of the ``ExplorationPlan``; two that differ only in
/// clocks are one. At every state it is judged whether two nodes have led one term, whether a leader lacks what was
/// committed before its term, whether two nodes take different entries for committed, whether two logs disagree behind
/// an entry that both hold, and whether a read was older than what was committed when it was asked for.
public struct Explorer {
  /// What was found.
  public struct Report: Sendable, CustomStringConvertible {
    /// Distinct states.
    public var states = 0
    /// Steps from one state to another, also to known ones.
    public var transitions = 0
    /// The length of the longest shortest way to a state.
    public var depth = 0
    /// Whether every reachable state was visited.
    public var isExhausted = false
    /// The rule that was broken, and a shortest way there, one line for each step.
    public var violation: (rule: String, steps: [String])?
    /// The numbers in one line; then the broken rule and the way there, if one was found.
    public var description: String {
      var lines = ["\(states) states, \(transitions) transitions, depth \(depth)"]
      if let violation {
        lines.append("broken after \(violation.steps.count) steps: \(violation.rule)")
        lines += violation.steps.enumerated().map { "  \($0 + 1). \($1)" }
      } else {
        lines.append(
          isExhausted ? "every reachable state was visited, and none breaks a rule" : "not exhausted")
      }
      return lines.joined(separator: "\n")
    }
  }

  private let plan: ExplorationPlan

  /// Prepares for `plan`.
  public init(_ plan: ExplorationPlan) { self.plan = plan }

  /// Visits all states, until a rule is broken or there are too many.
  ///
  /// - Parameter progress: Called after each depth with what is known so far.
  /// - Throws: `ConfigurationError` or `RecoveryError` if the plan's numbers make no cluster.
  public func run(progress: (Report) -> Void = { _ in }) throws -> Report {
    var search = try Search(plan)
    return try search.run(progress)
  }
}
