/// What must survive a crash besides the log (thesis fig. 3.1, "persistent state"). Written as one record: a crash
/// between a new term and its vote could otherwise lead to a second vote in that term.
public struct HardState: Hashable, BitwiseCopyable, Sendable {
  /// The latest term this node has seen. Durable; monotone.
  public var term: Term
  /// Who got this node's vote in `term`, if anybody. Durable; set at most once in a term.
  public var votedFor: NodeID?

  /// Pairs a term with the vote cast in it.
  public init(term: Term, votedFor: NodeID?) {
    self.term = term
    self.votedFor = votedFor
  }

  /// A node that has never seen an election.
  public static let initial = HardState(term: .zero, votedFor: nil)
}
