/// What an operator may want to know of a node.
public struct RaftStatus: Hashable, Sendable {
  /// The node.
  public let id: NodeID
  /// The part it plays.
  public let role: Role
  /// Its term.
  public let term: Term
  /// The leader it knows of; itself if it leads.
  public let leader: NodeID?
  /// Its last entry, durable or not.
  public let lastEntry: EntryID
  /// Highest index durable on it.
  public let durableIndex: LogIndex
  /// Highest index it knows to be committed.
  public let commitIndex: LogIndex
  /// Highest index its state machine reflects.
  public let appliedIndex: LogIndex
  /// Index of the entry before the first one retained.
  public let baseIndex: LogIndex
  /// The configuration in force.
  public let configuration: Configuration
  /// How many reads wait for confirmation.
  public let pendingReads: Int
  /// What a leader knows of its peers, by id; empty on other nodes.
  public let peers: [PeerStatus]
}

/// What a leader knows of a peer.
public struct PeerStatus: Hashable, Sendable {
  /// The peer.
  public let id: NodeID
  /// Highest index known durable on it.
  public let matchIndex: LogIndex
  /// Index of the next entry to be sent to it.
  public let nextIndex: LogIndex
  /// Appends under way to it.
  public let inflightMessages: Int
  /// Their payload bytes.
  public let inflightBytes: Int
  /// Whether it needs entries that are compacted away, so that it cannot catch up.
  public let isLeftBehind: Bool
  /// When it was last heard from.
  public let lastHeard: Ticks
}

extension Consensus {
  var status: RaftStatus {
    RaftStatus(
      id: id, role: role, term: hardState.term, leader: leader, lastEntry: log.last,
      durableIndex: writes.durableIndex, commitIndex: commitIndex, appliedIndex: appliedIndex,
      baseIndex: log.base.index, configuration: configuration, pendingReads: reads.count,
      peers: progress.peers.map { peer in
        PeerStatus(
          id: peer.id, matchIndex: peer.match, nextIndex: peer.next, inflightMessages: peer.inflight.messages,
          inflightBytes: peer.inflight.bytes, isLeftBehind: peer.state == .needsSnapshot,
          lastHeard: peer.lastHeard)
      })
  }
}
