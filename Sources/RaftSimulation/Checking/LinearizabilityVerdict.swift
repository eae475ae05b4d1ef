/// Whether what clients saw can be explained by one order of all operations that respects real time.
public enum LinearizabilityVerdict: Hashable, Sendable {
  /// There is such an order.
  case linearizable
  /// There is none.
  case violation(Explanation)
  /// The search was given up, for the reason that the text says. Nothing is known of the history.
  case undecided(String)

  /// What is wrong with a history: the shortest part of it, from its start to one answer, that no order explains.
  public struct Explanation: Hashable, Sendable, CustomStringConvertible {
    /// The key whose operations contradict each other.
    public var key: String
    /// Where the operation stands in the history whose answer cannot be explained. Without this answer, everything up
    /// to that instant can.
    public var operation: Int
    /// Where the operations stand that an order of everything answered before consists of, in that order. Empty if the
    /// search for it was given up, or if nothing was answered before.
    public var linearized: [Int]
    /// Where the other operations of the key stand that were under way at that instant.
    public var underWay: [Int]
    /// The same for a person, one fact a line.
    public var lines: [String]

    /// All lines.
    public var description: String { lines.joined(separator: "\n") }
  }
}

extension LinearizabilityVerdict: CustomStringConvertible {
  /// The verdict for a person; several lines for a violation.
  public var description: String {
    switch self {
    case .linearizable: "linearizable"
    case .violation(let explanation): explanation.description
    case .undecided(let reason): "undecided: \(reason)"
    }
  }
}
