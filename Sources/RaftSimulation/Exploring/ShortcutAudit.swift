import RaftCore

/// Shortcuts take things for granted that the cores are not to be trusted with: it is the cores that are judged. So all
/// nodes that a search has met are asked about them, under every packet, whether or not the two have ever come together.
struct ShortcutAudit {
  private typealias NodeStep = SiteTable.NodeStep

  /// A node whose last writes were hurried, and what it would have been otherwise.
  private struct SlowNode {
    var fast: UInt32
    var slow: ExploredNode
  }

  private struct SlowNodeKey: Hashable {
    var fast: UInt32
    var slow: [UInt8]
  }

  private let table: SiteTable
  private let plan: ExplorationPlan
  private var slowNodes: [SlowNode] = []

  init(_ table: SiteTable) {
    self.table = table
    plan = table.plan
  }

  /// The shortcuts that the nodes do not bear out: they may have hidden something.
  mutating func refuted() -> Set<Shortcut> {
    var refuted: Set<Shortcut> = []
    if plan.shortcuts.contains(.earlySync), !leadersRelyOnAcknowledgements() || !slowNodesFollow() {
      refuted.insert(.earlySync)
      slowNodes = []
    }
    if plan.shortcuts.contains(.inertPackets), !inertPacketsHaveNoEffect() { refuted.insert(.inertPackets) }
    for shortcut in [Shortcut.refusals, .bareTerms] where plan.shortcuts.contains(shortcut) {
      if !withheldPacketsOnlyDemote(by: shortcut) { refuted.insert(shortcut) }
    }
    return refuted
  }

  // MARK: - Slow writes

  /// Whether nodes with slower writes do what nodes do whose writes are durable at once, only later.
  ///
  /// Beginning with each node whose write was hurried, what would have become of it otherwise is followed beside what has
  /// become of it. After every step it has to keep silent, and once it has written, it has to be the same, or the same as
  /// if the step had been lost, and must not have said more.
  private mutating func slowNodesFollow() -> Bool {
    var steps: [UInt32: [NodeStep]] = [:]
    for step in table.outcomes.keys { steps[step.node, default: []].append(step) }
    var known: Set<SlowNodeKey> = []
    for (step, outcome) in table.outcomes {
      var slow = table.nodes[Int(step.node)]
      let effects = table.perform(step, on: &slow)
      guard table.mayHurry(slow, effects) else { continue }
      add(SlowNode(fast: outcome.node, slow: slow), to: &known)
    }
    var position = 0
    while position < slowNodes.count {
      let pair = slowNodes[position]
      position += 1
      for step in steps[pair.fast, default: []] where step.kind != .crash && !isUnasked(step, by: pair.slow) {
        guard follow(pair, step, &known) else { return false }
      }
    }
    return true
  }

  private mutating func add(_ pair: SlowNode, to known: inout Set<SlowNodeKey>) {
    if known.insert(SlowNodeKey(fast: pair.fast, slow: pair.slow.key)).inserted { slowNodes.append(pair) }
  }

  /// Whether only something that a node has not said yet can have led to it: it does not ask for votes, nor acknowledge
  /// anything, before it has written.
  private func isUnasked(_ step: NodeStep, by node: ExploredNode) -> Bool {
    guard step.kind == .deliver else { return false }
    let message = table.packets[Int(step.detail)].message
    return switch message.body {
    case .requestVoteReply(let reply): reply.campaignTerm > node.disk.hardState.term
    case .commitNotice(let index):
      message.term > node.disk.hardState.term || index.rawValue > UInt64(node.durableCount)
    default: false
    }
  }

  /// Whether leaders rely on what was acknowledged, and tell nobody else on its own that something is committed.
  private func leadersRelyOnAcknowledgements() -> Bool {
    table.outcomes.allSatisfy { step, outcome in
      let after = table.nodes[Int(outcome.node)].core
      guard after.isLeader else { return true }
      let before = table.nodes[Int(step.node)].core
      for peer in after.status.peers where peer.matchIndex > .zero {
        if before.isLeader,
          before.status.peers.contains(where: { $0.id == peer.id && $0.matchIndex >= peer.matchIndex })
        {
          continue
        }
        guard step.kind == .deliver, case let message = table.packets[Int(step.detail)].message,
          case .appendEntriesReply(.accepted(let match)) = message.body, message.from == peer.id,
          match >= peer.matchIndex
        else { return false }
      }
      return table.packets(sentIn: outcome).allSatisfy { packet in
        guard case .commitNotice(let index) = packet.message.body else { return true }
        return after.status.peers.contains { $0.id == packet.message.to && $0.matchIndex >= index }
      }
    }
  }

  private mutating func follow(_ pair: SlowNode, _ step: NodeStep, _ known: inout Set<SlowNodeKey>) -> Bool {
    guard let outcome = table.outcomes[step] else { return true }
    var slow = pair.slow
    var words = table.perform(step, on: &slow)
    guard step.kind == .sync || table.isSilent(words, of: slow) else { return false }
    let end = Self.written(slow, &words, plan)
    guard words.failure == nil else { return false }
    // What the fast node has said beyond the slow one, at least.
    var said = ExploredNode.Effects()
    _ = Self.written(pair.slow, &said, plan)
    let before = table.nodes[Int(step.node)]
    var fast = before
    var saidNow = table.perform(step, on: &fast)
    fast = Self.written(fast, &saidNow, plan)
    let next: UInt32
    if end.key == fast.key, says(words.packets, noMoreThan: said.packets + saidNow.packets) {
      next = outcome.node
    } else {
      guard end.key == Self.written(before, &said, plan).key, says(words.packets, noMoreThan: said.packets)
      else { return false }
      next = step.node
    }
    if slow.core.hasUnsavedChanges { add(SlowNode(fast: next, slow: slow), to: &known) }
    return true
  }

  /// What a node is when it has written everything, and says then.
  private static func written(
    _ node: ExploredNode, _ effects: inout ExploredNode.Effects, _ plan: ExplorationPlan
  ) -> ExploredNode {
    var node = node
    node.sync(plan.fault, into: &effects)
    return node
  }

  private func says(_ words: [Packet], noMoreThan others: [Packet]) -> Bool {
    let (words, others) = (worthSending(words), worthSending(others))
    return words.inOrder.isSubsequence(of: others.inOrder) && words.strays.allSatisfy(others.strays.contains)
  }

  private func worthSending(_ packets: [Packet]) -> (inOrder: [[UInt8]], strays: [[UInt8]]) {
    let packets = packets.filter { table.isWorthSending($0.message) }
    return (
      packets.filter { !table.mayBeOvertaken($0.message) }.map(\.key),
      packets.filter { table.mayBeOvertaken($0.message) }.map(\.key)
    )
  }

  // MARK: - Inert packets

  /// Whether no packet has an effect on a node where it is inert, nor on what that node becomes, nor on either with slower
  /// writes.
  private func inertPacketsHaveNoEffect() -> Bool {
    let packetsByNode = Dictionary(grouping: table.packets.indices.map { UInt32($0) }) {
      table.packets[Int($0)].message.to
    }
    let ignored = inertPackets(packetsByNode)
    return table.nodes.indices.allSatisfy { haveNoEffect(ignored[$0], on: table.nodes[$0]) }
      && slowNodes.allSatisfy { haveNoEffect(ignored[Int($0.fast)], on: $0.slow) }
  }

  /// For each node, the packets that are inert there or were inert before.
  private func inertPackets(_ packetsByNode: [NodeID: [UInt32]]) -> [Set<UInt32>] {
    var inert = table.nodes.indices.map { number in
      let packets = packetsByNode[table.nodes[number].core.id, default: []]
      return Set(packets.filter { table.isInert($0, at: UInt32(number)) })
    }
    var successors = [[UInt32]](repeating: [], count: table.nodes.count)
    for (step, outcome) in table.outcomes where step.node != outcome.node {
      successors[Int(step.node)].append(outcome.node)
    }
    var pending = table.nodes.indices.map { UInt32($0) }
    while let node = pending.popLast() {
      for next in successors[Int(node)] where !inert[Int(node)].isSubset(of: inert[Int(next)]) {
        inert[Int(next)].formUnion(inert[Int(node)])
        pending.append(next)
      }
    }
    return inert
  }

  private func haveNoEffect(_ packets: Set<UInt32>, on node: ExploredNode) -> Bool {
    var said = ExploredNode.Effects()
    let (key, end) = (node.key, Self.written(node, &said, plan).key)
    return packets.allSatisfy { number in
      let packet = table.packets[Int(number)]
      var (after, words) = (node, ExploredNode.Effects())
      after.deliver(packet, into: &words)
      if words.isEmpty, after.key == key { return true }
      guard after.disk == node.disk, words.reads.isEmpty else { return false }
      // When it has written, it may have a refusal to send, in the place of something else: as if that were lost.
      after = Self.written(after, &words, plan)
      words.packets.removeAll { $0.message.repeatsVote(for: packet.message) }
      return after.key == end && words.failure == said.failure && words.reads.count == said.reads.count
        && says(words.packets, noMoreThan: said.packets)
    }
  }

  // MARK: - Packets that are not sent

  /// Whether the packets that a shortcut has kept from being sent make nobody more than a follower.
  private func withheldPacketsOnlyDemote(by shortcut: Shortcut) -> Bool {
    let packets = table.withheld.map { table.packets[Int($0)] }
    let packetsByNode = Dictionary(
      grouping: packets.filter { table.shortcut(withholding: $0.message) == shortcut }, by: \.message.to)
    return (table.nodes + slowNodes.map(\.slow)).allSatisfy { node in
      onlyDemote(packetsByNode[node.core.id, default: []], node, countMax: plan.nodes)
    }
  }

  private func onlyDemote(_ packets: [Packet], _ node: ExploredNode, countMax: Int) -> Bool {
    let key = node.key
    return packets.allSatisfy { packet in
      var effects = ExploredNode.Effects()
      var after = node
      after.deliver(packet, into: &effects)
      guard effects.failure == nil, effects.reads.allSatisfy({ $0.readIndex == nil }),
        effects.packets.allSatisfy({ !table.isWorthSending($0.message) })
      else { return false }
      if after.key == key { return true }
      guard after.isDemoted(from: node, by: packet.message) else { return false }
      // Who still hopes for votes may hear more refusals.
      return after.isFollower || countMax <= 1 || onlyDemote(packets, after, countMax: countMax - 1)
    }
  }
}

extension ExploredNode.Effects {
  fileprivate var isEmpty: Bool { packets.isEmpty && reads.isEmpty && failure == nil }
}

extension ExploredNode {
  /// How much of its log is on its disk.
  fileprivate var durableCount: Int {
    let log = core.entries(after: .zero, through: core.lastEntry.index) ?? []
    return zip(log, disk.entries).prefix { EntryMark($0) == EntryMark($1) }.count
  }

  /// Whether it differs from `before` in nothing but that it has less hope to lead, or is in the term of the message.
  fileprivate func isDemoted(from before: ExploredNode, by message: Message) -> Bool {
    let isLater = message.term > before.core.term
    // A leader's own write may have been the reason for a held message; what is in its log is left as it was.
    return (isFollower || !isLater && core.role == .candidate && before.core.role == .candidate)
      && core.term == max(message.term, before.core.term)
      && hardState.votedFor == (isLater ? nil : before.hardState.votedFor)
      && core.commitIndex == before.core.commitIndex && core.lastEntry == before.core.lastEntry
      && disk == before.disk
  }
}

extension Message {
  /// Whether this gives the vote once more that `request` asks for.
  fileprivate func repeatsVote(for request: Message) -> Bool {
    guard case .requestVoteReply(let reply) = body, case .requestVote = request.body else { return false }
    return reply.isGranted && to == request.from && term == request.term
  }
}

extension Array where Element: Equatable {
  fileprivate func isSubsequence(of other: Self) -> Bool {
    var rest = self[...]
    for element in other where element == rest.first { rest.removeFirst() }
    return rest.isEmpty
  }
}
