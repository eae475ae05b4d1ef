import RaftCore

/// Every state of a node that was met together with what is on its way to it, and every step from there; each worked out
/// once.
///
/// A step changes one node, and sends packets. So a state of the small world is a handful of numbers: for each node the
/// number of its site. The same sites recur in millions of states, and a core has to act only once for each of their
/// steps. Sites are told apart by everything that they hold, not by a hash of it.
struct SiteTable {
  /// What happens at a site.
  enum Kind: UInt8 {
    case deliver, double, delay, lose, sync, crash, timeOut, propose, read, change
  }

  /// A step that is possible at a site.
  struct Move {
    var kind: Kind
    /// Which read or change: it is possible while so many are left.
    var number: UInt8 = 0
    /// What is delivered, delayed or lost.
    var packet: UInt32 = 0
    /// The site afterwards.
    var site: UInt32
    /// What is sent: the number of a list of packets, 0 for none.
    var sent: UInt32 = 0
    /// Which reads are answered: the number of a list, 0 for none.
    var answers: UInt32 = 0
    /// What went wrong: the number of a text, 0 for nothing.
    var failure: UInt32 = 0
  }

  /// What an observer sees of a node.
  struct Face {
    var id: NodeID
    var term: Term
    var leads: Bool
    /// The whole log of a leader; that of others as far as it is committed.
    var log: [EntryMark]
    var committed: Int
  }

  /// A step of a node, whatever else is at its site.
  struct NodeStep: Hashable {
    var node: UInt32
    var kind: Kind
    var detail: UInt32
  }

  /// What becomes of a node, and what it says.
  struct Outcome {
    var node: UInt32
    var sent: UInt32
    var answers: UInt32
    var failure: UInt32
  }

  private struct Site {
    var node: UInt32
    var inbox: UInt32
    var face: UInt32
    var firstMove = 0
    /// -1 until moves were asked for.
    var moveCount = -1
  }

  let plan: ExplorationPlan
  private(set) var nodes: [ExploredNode] = []
  private(set) var faces: [Face] = []
  private(set) var packets: [Packet] = []
  private(set) var moves: [Move] = []
  private(set) var answers: [[ReadOutcome]] = [[]]
  private(set) var failures: [String] = [""]
  /// What shortcuts have kept from being sent.
  private(set) var withheld: Set<UInt32> = []
  private(set) var outcomes: [NodeStep: Outcome] = [:]

  private var sites: [Site] = []
  private var inboxes: [Inbox] = []
  private var faceOfNode: [UInt32] = []
  private var logs: [[EntryMark]] = []
  private var logOfNode: [UInt32] = []
  private var sentLists: [[UInt32]] = [[]]

  private var nodeNumbers: [[UInt8]: UInt32] = [:]
  private var faceNumbers: [[UInt8]: UInt32] = [:]
  private var logNumbers: [[EntryMark]: UInt32] = [:]
  private var packetNumbers: [[UInt8]: UInt32] = [:]
  private var inboxNumbers: [Inbox: UInt32] = [:]
  private var sentNumbers: [[UInt32]: UInt32] = [[]: 0]
  private var siteNumbers = PairTable()
  private var additions = PairTable()

  init(_ plan: ExplorationPlan) { self.plan = plan }

  // MARK: - What is at a site

  var siteCount: Int { sites.count }

  func node(at site: UInt32) -> UInt32 { sites[Int(site)].node }

  /// What an observer sees there.
  func face(at site: UInt32) -> UInt32 { sites[Int(site)].face }

  /// The number of the log there, for ``disagreement(_:_:)``.
  func log(at site: UInt32) -> UInt32 { logOfNode[Int(node(at: site))] }

  /// The last index at which two logs hold the same entry though they differ before it (thesis fig. 3.2, log matching).
  func disagreement(_ one: UInt32, _ other: UInt32) -> LogIndex? {
    let pairs = zip(logs[Int(one)], logs[Int(other)])
    guard let last = Array(pairs).last(where: { $0.0.id == $0.1.id }) else { return nil }
    return pairs.prefix(Int(last.0.id.index.rawValue)).allSatisfy { $0.0 == $0.1 } ? nil : last.0.id.index
  }

  /// Puts packets that were sent on their way, in `state`, which begins with the site of each node by id.
  mutating func send(_ list: UInt32, in state: inout [UInt32]) {
    for packet in sentLists[Int(list)] {
      let place = Int(packets[Int(packet)].message.to.rawValue) - 1
      state[place] = site(state[place], adding: packet)
    }
  }

  /// What a node says in a step.
  func packets(sentIn outcome: Outcome) -> [Packet] {
    sentLists[Int(outcome.sent)].map { packets[Int($0)] }
  }

  // MARK: - Numbering

  /// The site of a node that nothing is on its way to.
  mutating func site(of node: ExploredNode) -> UInt32 {
    let number = number(of: node)
    return site(node: number, inbox: Inbox())
  }

  private mutating func number(of node: ExploredNode) -> UInt32 {
    let key = node.key
    if let known = nodeNumbers[key] { return known }
    let number = UInt32(nodes.count)
    nodeNumbers[key] = number
    nodes.append(node)
    faceOfNode.append(face(of: node.core))
    logOfNode.append(log(of: node.core))
    return number
  }

  private mutating func face(of core: RaftNode<UInt8>) -> UInt32 {
    let end = core.isLeader ? core.lastEntry.index : core.commitIndex
    let log = (core.entries(after: .zero, through: end) ?? []).map(EntryMark.init)
    var bytes = StateBytes()
    for number in [core.id.rawValue, core.term.rawValue, core.isLeader ? 1 : 0, core.commitIndex.rawValue] {
      bytes.add(number)
    }
    for mark in log { bytes.add(mark) }
    if let known = faceNumbers[bytes.bytes] { return known }
    let number = UInt32(faces.count)
    faceNumbers[bytes.bytes] = number
    let committed = Int(core.commitIndex.rawValue)
    faces.append(
      Face(id: core.id, term: core.term, leads: core.isLeader, log: log, committed: committed))
    return number
  }

  private mutating func log(of core: RaftNode<UInt8>) -> UInt32 {
    let log = (core.entries(after: .zero, through: core.lastEntry.index) ?? []).map(EntryMark.init)
    if let known = logNumbers[log] { return known }
    logNumbers[log] = UInt32(logs.count)
    logs.append(log)
    return UInt32(logs.count - 1)
  }

  private mutating func number(of packet: Packet) -> UInt32 {
    let key = packet.key
    if let known = packetNumbers[key] { return known }
    let number = UInt32(packets.count)
    packetNumbers[key] = number
    packets.append(packet)
    return number
  }

  private mutating func site(node: UInt32, inbox: Inbox) -> UInt32 {
    let inbox = inbox.without { isInert($0, at: node) }
    let inboxNumber = inboxNumbers[inbox] ?? UInt32(inboxes.count)
    if inboxNumber == inboxes.count {
      inboxNumbers[inbox] = inboxNumber
      inboxes.append(inbox)
    }
    let next = UInt32(sites.count)
    let number = siteNumbers.value(for: UInt64(node) << 32 | UInt64(inboxNumber), orInsert: next)
    if number == next { sites.append(Site(node: node, inbox: inboxNumber, face: faceOfNode[Int(node)])) }
    return number
  }

  private mutating func site(_ site: UInt32, adding packet: UInt32) -> UInt32 {
    let key = UInt64(site) << 32 | UInt64(packet)
    if let known = additions.value(for: key) { return known }
    var inbox = inboxes[Int(sites[Int(site)].inbox)]
    if plan.keepsOrder, !mayBeOvertaken(packets[Int(packet)].message) {
      inbox.append(packet, from: packets[Int(packet)].message.from)
    } else {
      inbox.addStray(packet)
    }
    let result = self.site(node: node(at: site), inbox: inbox)
    additions.insert(result, for: key)
    return result
  }

  // MARK: - Steps

  /// Where in ``moves`` the steps are that are possible at a site.
  mutating func moves(of site: UInt32) -> Range<Int> {
    if sites[Int(site)].moveCount < 0 {
      let found = findMoves(of: site)
      sites[Int(site)].firstMove = moves.count
      sites[Int(site)].moveCount = found.count
      moves += found
    }
    let first = sites[Int(site)].firstMove
    return first..<(first + sites[Int(site)].moveCount)
  }

  private mutating func findMoves(of site: UInt32) -> [Move] {
    var found: [Move] = []
    let node = node(at: site)
    let inbox = inboxes[Int(sites[Int(site)].inbox)]
    for delivery in inbox.deliveries {
      add(.deliver, node, delivery.packet, leaving: delivery.rest, to: &found)
      if plan.doubles > 0 {
        var rest = delivery.rest
        rest.addStray(delivery.packet)
        add(.double, node, delivery.packet, leaving: rest, to: &found)
      }
      if !plan.shortcuts.contains(.lossByDelay) {
        let site = self.site(node: node, inbox: delivery.rest)
        found.append(Move(kind: .lose, packet: delivery.packet, site: site))
      }
    }
    if plan.delays > 0 {
      for delay in inbox.delays {
        found.append(
          Move(kind: .delay, packet: delay.packet, site: self.site(node: node, inbox: delay.rest)))
      }
    }
    let explored = nodes[Int(node)]
    if explored.core.hasUnsavedChanges { add(.sync, node, leaving: inbox, to: &found) }
    if plan.crashes > 0 { add(.crash, node, leaving: inbox, to: &found) }
    if plan.timeouts > 0, explored.mayCampaign { add(.timeOut, node, leaving: inbox, to: &found) }
    guard explored.core.isLeader else { return found }
    if plan.proposals > 0 { add(.propose, node, leaving: inbox, to: &found) }
    for number in 0..<plan.reads { add(.read, node, UInt32(number + 1), leaving: inbox, to: &found) }
    for number in plan.changes.indices { add(.change, node, UInt32(number + 1), leaving: inbox, to: &found) }
    return found
  }

  private mutating func add(
    _ kind: Kind, _ node: UInt32, _ detail: UInt32 = 0, leaving inbox: Inbox, to found: inout [Move]
  ) {
    let outcome = outcome(NodeStep(node: node, kind: kind == .double ? .deliver : kind, detail: detail))
    if plan.shortcuts.contains(.lossByDelay), outcome.node == node, outcome.sent == 0, outcome.answers == 0,
      outcome.failure == 0
    {
      return
    }
    let isDelivery = kind == .deliver || kind == .double
    found.append(
      Move(
        kind: kind, number: isDelivery ? 0 : UInt8(detail), packet: isDelivery ? detail : 0,
        site: site(node: outcome.node, inbox: inbox), sent: outcome.sent, answers: outcome.answers,
        failure: outcome.failure))
  }

  // MARK: - What cores do

  private mutating func outcome(_ step: NodeStep) -> Outcome {
    if let known = outcomes[step] { return known }
    var node = nodes[Int(step.node)]
    var effects = perform(step, on: &node)
    if mayHurry(node, effects) { node.sync(plan.fault, into: &effects) }
    let result = Outcome(
      node: number(of: node), sent: list(of: effects.packets), answers: list(of: effects.reads),
      failure: number(of: effects.failure))
    outcomes[step] = result
    return result
  }

  /// Lets a node do what a move says; what it sends is in the move.
  func perform(_ move: Move, on node: inout ExploredNode) {
    let isDelivery = move.kind == .deliver || move.kind == .double
    let detail = isDelivery ? move.packet : UInt32(move.number)
    _ = perform(NodeStep(node: 0, kind: move.kind, detail: detail), on: &node)
  }

  func perform(_ step: NodeStep, on node: inout ExploredNode) -> ExploredNode.Effects {
    var effects = ExploredNode.Effects()
    switch step.kind {
    case .deliver, .double: node.deliver(packets[Int(step.detail)], into: &effects)
    case .sync: node.sync(plan.fault, into: &effects)
    case .crash: node.crash(into: &effects)
    case .timeOut: node.campaign(into: &effects)
    case .propose: node.propose(into: &effects)
    case .read: node.read(ReadID(boot: 1, number: UInt64(step.detail)), into: &effects)
    case .change: node.change(plan.changes[plan.changes.count - Int(step.detail)], into: &effects)
    case .delay, .lose: break
    }
    return effects
  }

  private mutating func list(of sent: [Packet]) -> UInt32 {
    var numbers: [UInt32] = []
    for packet in sent {
      if isWorthSending(packet.message) {
        numbers.append(self.number(of: packet))
      } else {
        withheld.insert(self.number(of: packet))
      }
    }
    if let known = sentNumbers[numbers] { return known }
    let number = UInt32(sentLists.count)
    sentNumbers[numbers] = number
    sentLists.append(numbers)
    return number
  }

  private mutating func list(of reads: [ReadOutcome]) -> UInt32 {
    guard !reads.isEmpty else { return 0 }
    answers.append(reads)
    return UInt32(answers.count - 1)
  }

  private mutating func number(of failure: String?) -> UInt32 {
    guard let failure else { return 0 }
    failures.append(failure)
    return UInt32(failures.count - 1)
  }
}
