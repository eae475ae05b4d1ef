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
  /// To whom leadership is being handed over.
  public let transferTarget: NodeID?
  /// The newest snapshot that can be sent to peers.
  public let snapshot: Snapshot?
  /// How much of a snapshot has been received and stored, while one is being received.
  public let receivedSnapshotBytes: UInt64?
  /// When it last heard from a leader; zero if never. Of no meaning on a leader.
  public let lastLeaderContact: Ticks
  /// When its oldest write was handed out that is not durable yet; nil if there is none.
  public let oldestWrite: Ticks?
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
  /// How entries are sent to it.
  public let replication: Replication
  /// Whether it has kept up with the log for the last while, so that as a voter it would not hold up commitment
  /// (thesis §4.2.1).
  public let isCaughtUp: Bool
  /// Appends under way to it.
  public let inflightMessages: Int
  /// Their payload bytes.
  public let inflightBytes: Int
  /// Whether it needs entries that are compacted away, and no snapshot can be sent to it yet.
  public var isLeftBehind: Bool { replication == .needsSnapshot }
  /// When it was last heard from.
  public let lastHeard: Ticks

  /// How entries are sent to a peer.
  public enum Replication: Hashable, Sendable {
    /// It is not known where the logs agree: one message at a time.
    case probe
    /// Messages follow each other without waiting.
    case pipeline
    /// It needs what is compacted away, and the driver has offered no snapshot yet.
    case needsSnapshot
    /// It receives a snapshot, and has acknowledged `sent` of its `bytes`.
    case snapshot(sent: UInt64, bytes: UInt64)
  }
}

extension Consensus {
  var status: RaftStatus {
    RaftStatus(
      id: id, role: role, term: hardState.term, leader: leader, lastEntry: log.last,
      durableIndex: writes.durableIndex, commitIndex: commitIndex, appliedIndex: appliedIndex,
      baseIndex: log.base.index, configuration: configuration, pendingReads: reads.count,
      transferTarget: transfer?.target, snapshot: snapshot,
      receivedSnapshotBytes: incoming.map { $0.stored ?? 0 },
      lastLeaderContact: lastLeaderContact, oldestWrite: writes.oldestWaiting,
      peers: progress.peers.filter { $0.removedAt == nil }.map(status(of:)))
  }

  private func status(of peer: Progress) -> PeerStatus {
    PeerStatus(
      id: peer.id, matchIndex: peer.match, nextIndex: peer.next, replication: replication(to: peer),
      isCaughtUp: isCaughtUp(peer.id), inflightMessages: peer.inflight.messages,
      inflightBytes: peer.inflight.bytes, lastHeard: peer.lastHeard)
  }

  private func replication(to peer: Progress) -> PeerStatus.Replication {
    switch peer.state {
    case .probe: return .probe
    case .pipeline: return .pipeline
    case .needsSnapshot: return .needsSnapshot
    case .snapshot:
      guard let sending = snapshotsUnderWay.first(where: { $0.peer == peer.id }) else {
        return .needsSnapshot
      }
      return .snapshot(sent: sending.acknowledged, bytes: sending.snapshot.bytes)
    }
  }
}
