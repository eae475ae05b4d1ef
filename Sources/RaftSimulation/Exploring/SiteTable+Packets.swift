import RaftCore

// Packets that change nothing: they are neither kept nor sent.

extension SiteTable {
  /// Whether a packet can have no effect any more, whatever happens to the node (``Shortcut/inertPackets``). What rests
  /// on the node's term rests on its durable one: a crash can lose the other.
  ///
  /// - Answers of an earlier term are dropped. Everything else of an earlier term is refused at most, and refusals are not
  ///   sent (``Shortcut/bareTerms``).
  /// - A vote is given to nobody else, and once given to a candidate its repetition is not counted.
  /// - A node becomes a candidate only in a term that is new to it. Who is none in its term counts no votes of that
  ///   term, and who does not lead either will not hear acknowledgements of it.
  /// - A leader that knows what a peer holds learns nothing from hearing that it holds as much, or less.
  func isInert(_ packet: UInt32, at node: UInt32) -> Bool {
    guard plan.shortcuts.isSuperset(of: [.inertPackets, .refusals]) else { return false }
    let message = packets[Int(packet)].message
    let explored = nodes[Int(node)]
    let durable = explored.disk.hardState
    guard message.term == durable.term else {
      return message.term < durable.term && (message.isAnswer || plan.shortcuts.contains(.bareTerms))
    }
    switch message.body {
    case .requestVote: return durable.votedFor != nil
    case .requestVoteReply: return explored.core.role != .candidate
    case .heartbeatReply: return explored.isFollower
    case .appendEntriesReply(.accepted(let match)) where explored.core.isLeader:
      return explored.core.status.peers.contains {
        $0.id == message.from && $0.matchIndex >= match && $0.replication == .pipeline
      }
    case .appendEntriesReply: return explored.isFollower
    default: return false
    }
  }

  /// Whether a node has said nothing that its disk does not back. Some answers speak for nothing but the node's term.
  func isSilent(_ effects: ExploredNode.Effects, of node: ExploredNode) -> Bool {
    effects.reads.isEmpty
      && effects.packets.allSatisfy { packet in
        switch packet.message.body {
        case .staleTerm, .heartbeatReply: packet.message.term == node.disk.hardState.term
        default: !isWorthSending(packet.message)
        }
      }
  }

  /// Whether it can have an effect that matters.
  func isWorthSending(_ message: Message) -> Bool {
    switch message.body {
    case .staleTerm: !plan.shortcuts.contains(.bareTerms)
    case .requestVoteReply(let reply):
      reply.isGranted
        || !plan.shortcuts.contains(message.term == reply.campaignTerm ? .refusals : .bareTerms)
    default: true
    }
  }
}

extension Message {
  /// Whether it is dropped in a later term, without a word.
  fileprivate var isAnswer: Bool {
    switch body {
    case .requestVoteReply, .appendEntriesReply, .heartbeatReply, .staleTerm: true
    default: false
    }
  }
}
