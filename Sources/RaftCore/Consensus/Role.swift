/// The part that a node plays (thesis §3.3, §9.6).
public enum Role: Hashable, BitwiseCopyable, Sendable {
  /// Follows `leader`, or does not know one.
  case follower(leader: NodeID?)
  /// Asks whether it would be elected.
  case preCandidate
  /// Asks to be elected.
  case candidate
  /// Leads.
  case leader
}
