import RaftCore

// Packets that change nothing: they are neither kept nor sent.

extension SiteTable {
  /// Whether a packet can have no effect any more, whatever happens to the node (``Shortcut/inertPackets``). What rests
  /// on the node's term rests on its durable one: a crash can lose the other.
  ///
  /// - Answers of an earlier term are dropped. Everything else of an earlier term is refused at most, if refusals are not
  ///   sent (``Shortcut/refusals``, ``Shortcut/bareTerms``).
  /// - A vote is given to nobody else (the same), and once given to a candidate its repetition is not counted.
  /// - A node becomes a candidate only in a term that is new to it. Who is none in its term counts no votes of that
  ///   term, and who does not lead either will not hear acknowledgements of it.
  func isInert(_ packet: UInt32, at node: UInt32) -> Bool {
    guard plan.shortcuts.contains(.inertPackets) else { return false }
    let hasNoRefusals = plan.shortcuts.isSuperset(of: [.refusals, .bareTerms])
    let message = packets[Int(packet)].message
    let explored = nodes[Int(node)]
    let durable = explored.disk.hardState
    guard message.term == durable.term else {
      return message.term < durable.term && (message.isAnswer || hasNoRefusals)
    }
    switch message.body {
    case .requestVote: return hasNoRefusals && durable.votedFor != nil
    case .requestVoteReply: return explored.core.role != .candidate
    case .heartbeatReply: return explored.isFollower
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

  /// Whether a node that is in this state after a step writes at once (``Shortcut/earlySync``).
  func mayHurry(_ node: ExploredNode, _ effects: ExploredNode.Effects) -> Bool {
    plan.shortcuts.contains(.earlySync) && !node.core.isLeader && node.core.hasUnsavedChanges
      && isSilent(effects, of: node)
  }

  /// Whether it may be overtaken even where links keep the order: what is held until a write is done is merged with what
  /// was held before, and then answers leave in another order.
  func mayBeOvertaken(_ message: Message) -> Bool {
    guard plan.shortcuts.contains(.earlySync), case .appendEntriesReply = message.body else { return false }
    return true
  }

  /// Whether it can have an effect that matters.
  func isWorthSending(_ message: Message) -> Bool { shortcut(withholding: message) == nil }

  /// The shortcut that keeps it from being sent, if one does.
  func shortcut(withholding message: Message) -> Shortcut? {
    let shortcut: Shortcut
    switch message.body {
    case .staleTerm: shortcut = .bareTerms
    case .requestVoteReply(let reply) where !reply.isGranted:
      shortcut = message.term == reply.campaignTerm ? .refusals : .bareTerms
    default: return nil
    }
    return plan.shortcuts.contains(shortcut) ? shortcut : nil
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
