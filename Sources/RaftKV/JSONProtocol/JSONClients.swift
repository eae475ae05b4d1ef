import RaftCore
import RaftServer

/// What the JSON handlers of one node share: who follows changes, and how it is found out how old the node's data is.
///
/// `@unchecked Sendable`: confined to the node's loop.
final class JSONClients<Machine: StateMachine>: @unchecked Sendable
where
  Machine.Command == KeyValueCommand, Machine.Outcome == KeyValueOutcome,
  Machine.Query == KeyValueQuery, Machine.Answer == KeyValueAnswer
{
  private struct Follower {
    let handler: JSONClientHandler<Machine>
    var watches: Int
  }

  private let watchesMax: Int
  private var followers: [Follower] = []
  private var watches = 0
  private var isAttached = false
  private var isRefreshing = false

  init(watchesMax: Int) { self.watchesMax = watchesMax }

  /// Whether the node can have one more watch.
  var mayWatch: Bool { watches < watchesMax }

  /// Notes how many watches a handler has. It is held while it has any, which ends with its connection at the latest.
  func follow(_ handler: JSONClientHandler<Machine>, watches count: Int, on replica: Replica<Machine>) {
    let position = followers.firstIndex { $0.handler === handler }
    watches += count - (position.map { followers[$0].watches } ?? 0)
    if let position, count > 0 {
      followers[position].watches = count
    } else if let position {
      followers.remove(at: position)
    } else if count > 0 {
      followers.append(Follower(handler: handler, watches: count))
    }
    guard count > 0, !isAttached else { return }
    isAttached = true
    replica.whenApplied { [weak self] in
      for follower in self?.followers ?? [] { follower.handler.pump() }
    }
  }

  /// Asks the leader how current the node is, unless that is being asked: the next reads that do not ask it themselves can
  /// then tell how old they are.
  func refreshAge(of replica: Replica<Machine>) {
    guard !isRefreshing else { return }
    isRefreshing = true
    replica.read(.position, .linearizable, within: nil) { [weak self] _ in self?.isRefreshing = false }
  }
}
