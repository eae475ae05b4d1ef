import RaftCore

// What scripts can look at, and what they can insist on.
extension ScriptInterpreter {
  mutating func performToShow(_ verb: String, _ command: inout ScriptCommand) throws -> Bool {
    guard verb == "show" else { return false }
    let what = try command.word("what to show")
    let some = command.isAtEnd ? live : try nodes(&command)
    switch what {
    case "log": for position in some { lines.append(log(position)) }
    case "status": for position in some { lines += status(position) }
    case "disk": for position in some { lines.append(disk(position)) }
    case "messages": lines = network.packets.map { ScriptWords.line($0.message) }
    default: throw ScriptError(description: "'\(what)' cannot be shown")
    }
    return true
  }

  /// `1: 2@2 -, 3@2 a | 4@2 b`: what stands before the bar is committed.
  private func log(_ position: Int) -> String {
    let node = network.nodes[position]
    func words(after: LogIndex, through: LogIndex) -> String {
      let entries = node.entries(after: max(after, LogIndex(1)), through: max(through, LogIndex(1))) ?? []
      return entries.map { "\(ScriptWords.entry($0.id)) \(ScriptWords.payload($0))" }.joined(separator: ", ")
    }
    let parts = [
      "\(node.id.rawValue):", node.baseIndex > .zero ? "…" : "",
      words(after: node.baseIndex, through: node.commitIndex), "|",
      words(after: node.commitIndex, through: node.lastEntry.index),
    ]
    return parts.filter { !$0.isEmpty }.joined(separator: " ")
  }

  private func status(_ position: Int) -> [String] {
    let status = network.nodes[position].status
    let role = ScriptWords.words(status.role) + (status.leader.map { " of \($0.rawValue)" } ?? "")
    let own =
      "\(status.id.rawValue): \(status.isLeading ? "leader" : role), term \(status.term), "
      + "last \(ScriptWords.entry(status.lastEntry)), durable \(status.durableIndex), "
      + "commit \(status.commitIndex), applied \(status.appliedIndex)"
    return [own]
      + status.peers.map { peer in
        "   \(peer.id.rawValue): match \(peer.matchIndex), next \(peer.nextIndex), "
          + "under way \(peer.inflightMessages)" + (peer.isLeftBehind ? ", left behind" : "")
      }
  }

  private func disk(_ position: Int) -> String {
    let (state, inFlight) = (network.disk(position), network.writesInFlight(position))
    let vote = state.hardState.votedFor.map { "\($0.rawValue)" } ?? "nobody"
    return "\(network.nodes[position].id.rawValue): term \(state.hardState.term), vote for \(vote), "
      + "last \(ScriptWords.entry(state.entries.last?.id ?? state.base)), writes in flight \(inFlight)"
  }
}

extension RaftStatus {
  fileprivate var isLeading: Bool { role == .leader }
}
