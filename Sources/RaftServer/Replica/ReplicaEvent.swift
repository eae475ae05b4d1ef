import RaftCore

/// Something that an operator, or the embedding program, may want to know.
public enum ReplicaEvent: Hashable, Sendable, CustomStringConvertible {
  /// The node waits for these addresses before its cluster can be founded.
  case waiting(for: [String])
  /// A peer was started with another set of addresses than this node: no cluster can be founded until they agree.
  case foundersDiffer(address: String, theirs: [String], own: [String])
  /// The node is in a cluster now, as a founder of it.
  case founded(cluster: ClusterID, members: [String])
  /// The node carries on as a member of a cluster: it has found its state as of one entry, and a log that is known to be
  /// committed through another one.
  case resumed(cluster: ClusterID, members: [String], applied: LogIndex, through: LogIndex)
  /// The log is being applied again. Comes once in a second.
  case replaying(applied: LogIndex, through: LogIndex)
  /// What was known to be committed is applied again: how many entries that were, and how long the start has taken until
  /// then, in milliseconds.
  case recovered(entries: Int, milliseconds: UInt64)
  /// The node is in no cluster, and asks these to be let into theirs.
  case joining(through: [String])
  /// The cluster cannot let the node in right now; it asks again.
  case joinWaits(reason: String)
  /// The cluster does not let the node in, and somebody has to do something about that; it asks again.
  case joinRefused(reason: String)
  /// This leader does not let a node in, and somebody has to do something about that.
  case newcomerRefused(address: String, reason: String)
  /// The node is in a cluster now, and catches up.
  case joined(cluster: ClusterID, members: [String])
  /// Who takes part has changed, as far as this node's log says.
  case configurationChanged(Configuration)
  /// The node was removed from its cluster.
  case removed(from: ClusterID?)
  /// The node has left its cluster, as it was told to.
  case left(ClusterID?)
  /// The node stops without having left its cluster.
  case leaveFailed(reason: String)
  /// This leader removes a member that is not heard from.
  case removingAbsent(address: String, milliseconds: UInt64)
  /// A member is not heard from, and this leader would remove it if that left enough voters.
  case absentKept(address: String, reason: String)
  /// A member was found at another address than its cluster knows, and the cluster is told.
  case moved(from: String, to: String)
  /// The node plays another part.
  case roleChanged(ReplicaRole, term: Term)
  /// Another leader is known, or none.
  case leaderChanged(address: String?, term: Term)
  /// A connection to a member stands.
  case memberReachable(address: String)
  /// A member could not be reached for the time that the options name.
  case memberUnreachable(address: String)
  /// A member lags so far behind that what it needs of the log is no longer kept: it will be sent a snapshot.
  case memberLeftBehind(address: String)
  /// A snapshot from the leader took the place of this node's state, which was too far behind for entries.
  case snapshotInstalled(at: LogIndex)
  /// A peer refused this node, or this node a peer.
  case refused(address: String, reason: String)
  /// Something arrived on the port that no correct peer sends.
  case violation(from: String, reason: String)
  /// A committed entry is in a format that this version does not read. Its effect is missing here.
  case unreadableEntry(at: LogIndex, reason: String)
  /// The members could not be written down: after a restart the node may not find its cluster.
  case hintFailed(reason: String)
  /// The store has not finished a write for long. A leader hands over then, if the others can do without it.
  case storeHangs
  /// The store has finished what it was late with.
  case storeGoesOn
  /// The store failed; the node stops.
  case storeFailed(reason: String)
  /// The node has stopped.
  case stopped

  /// A line for the log.
  public var description: String {
    switch self {
    case .waiting(let addresses):
      "waiting for \(addresses.joined(separator: ", ")) before the cluster is founded"
    case .foundersDiffer(let address, let theirs, let own):
      "\(address) was started for the nodes \(theirs.joined(separator: ", ")), this node for "
        + "\(own.joined(separator: ", ")): all must name the same set"
    case .founded(let cluster, let members):
      "founded cluster \(cluster) of \(members.joined(separator: ", "))"
    case .resumed(let cluster, let members, let applied, let through):
      "back in cluster \(cluster) of \(members.joined(separator: ", ")): state as of entry \(applied), "
        + "log committed through entry \(through)"
    case .replaying(let applied, let through): "applying the log again: entry \(applied) of \(through)"
    case .recovered(let entries, let milliseconds):
      "recovered in \(milliseconds) ms: \(entries) entries of the log were applied again"
    case .joining(let addresses):
      addresses.isEmpty
        ? "this node was in a cluster before: looking for its members"
        : "asking to join the cluster of \(addresses.joined(separator: ", "))"
    case .joinWaits(let reason): "not in the cluster yet: \(reason)"
    case .joinRefused(let reason): "the cluster does not let this node in: \(reason)"
    case .newcomerRefused(let address, let reason): "\(address) is not let in: \(reason)"
    case .joined(let cluster, let members):
      "joined cluster \(cluster) of \(members.joined(separator: ", ")): catching up"
    case .configurationChanged(let configuration): configuration.words
    case .removed(let cluster):
      "this node was removed from cluster \(cluster.map { "\($0)" } ?? "it was in")"
    case .left(let cluster): "left cluster \(cluster.map { "\($0)" } ?? "it was in")"
    case .leaveFailed(let reason): "stopping without having left the cluster: \(reason)"
    case .removingAbsent(let address, let milliseconds):
      "removing \(address): not heard from for \(milliseconds / 1_000) seconds"
    case .absentKept(let address, let reason): "\(address) is not heard from, and stays a member: \(reason)"
    case .moved(let former, let address): "the member at \(former) is at \(address) now"
    case .roleChanged(let role, let term): "now \(role.rawValue) in term \(term)"
    case .leaderChanged(let address?, let term): "\(address) leads term \(term)"
    case .leaderChanged(nil, let term): "no leader known in term \(term)"
    case .memberReachable(let address): "found \(address)"
    case .memberUnreachable(let address): "lost \(address): it cannot be reached"
    case .memberLeftBehind(let address):
      "\(address) lags behind what is kept of the log: it will be sent a snapshot"
    case .snapshotInstalled(let index): "caught up by a snapshot that ends at entry \(index)"
    case .refused(let address, let reason): "refused by or for \(address): \(reason)"
    case .violation(let address, let reason): "bad traffic from \(address): \(reason)"
    case .unreadableEntry(let index, let reason): "entry \(index) cannot be read by this version: \(reason)"
    case .hintFailed(let reason): "the members are not written down: \(reason)"
    case .storeHangs: "the store does not finish a write: its disk hangs, or is too slow"
    case .storeGoesOn: "the store has finished what it was late with"
    case .storeFailed(let reason): "the store failed, the node stops: \(reason)"
    case .stopped: "stopped"
    }
  }
}

extension Configuration {
  /// The members in words.
  fileprivate var words: String {
    func addresses(_ ids: [NodeID]) -> String {
      ids.compactMap { member($0)?.address }.joined(separator: ", ")
    }
    var words = "the voters are \(addresses(voters))"
    if isJoint { words += ", together with the former ones: \(addresses(outgoingVoters))" }
    let others = learners.filter { !outgoingVoters.contains($0) }
    if !others.isEmpty { words += "; learners: \(addresses(others))" }
    return words
  }
}
