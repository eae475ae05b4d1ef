import RaftCore

/// A search through the states of a small world. A state is the number of each node's site, and the number of the ledger.
struct Search {
  let plan: ExplorationPlan
  private(set) var table: SiteTable
  private var store: StateStore
  private(set) var ledgers: [Ledger] = []
  private var ledgerNumbers: [Ledger: UInt32] = [:]
  private var spent = PairTable()
  private var observed = PairTable()
  private var agreeing = PairTable()
  /// The node of each site at the beginning.
  private var untouched: [UInt32] = []
  private let isSymmetric: Bool
  /// Shortcuts that something was found against.
  private var refuted: Set<Shortcut> = []
  /// How many outcomes were known when shortcuts were looked at last.
  private var audited = 1_000

  private var empty: [UInt32] { Array(repeating: 0, count: plan.nodes + 1) }
  private var ledgerPlace: Int { plan.nodes }

  init(_ plan: ExplorationPlan) throws {
    var plan = plan
    guard plan.nodes <= 5 else { throw ConfigurationError.tooManyMembers(plan.nodes) }
    // A change or a list of campaigners names nodes, which are not interchangeable then.
    if !plan.changes.isEmpty || !plan.campaigners.isEmpty { plan.shortcuts.remove(.symmetry) }
    if !plan.changes.isEmpty { plan.shortcuts.remove(.bareTerms) }
    plan.shortcuts = plan.shortcuts.filter { plan.shortcuts.isSuperset(of: $0.prerequisites) }
    self.plan = plan
    isSymmetric = plan.shortcuts.contains(.symmetry)
    table = SiteTable(plan)
    store = StateStore(width: plan.nodes + 1)
    let members = (1...UInt64(max(plan.nodes, 1))).map {
      Member(id: NodeID($0), address: "n\($0)", store: .durable)
    }
    let configuration = try Configuration(voters: Array(members.prefix(plan.nodes)))
    var state: [UInt32] = []
    var ledger = Ledger(plan)
    for member in members {
      let site = table.site(of: try ExploredNode(id: member.id, configuration: configuration))
      state.append(site)
      untouched.append(table.node(at: site))
      ledger.observe(table.faces[Int(table.face(at: site))])
    }
    state.append(number(of: ledger))
    _ = store.insert(state, from: 0)
  }

  private mutating func number(of ledger: Ledger) -> UInt32 {
    if let known = ledgerNumbers[ledger] { return known }
    let number = UInt32(ledgers.count)
    ledgerNumbers[ledger] = number
    ledgers.append(ledger)
    return number
  }

  // MARK: - Visiting

  mutating func run(_ progress: (Explorer.Report) -> Void) throws -> Explorer.Report {
    var report = Explorer.Report(states: 1)
    var position = 0
    var endOfLayer = 1
    var (state, next) = (empty, empty)
    while position < store.count, refuted.isEmpty {
      store.read(position, into: &state)
      if let found = expand(state, at: position, &next, &report.transitions) {
        report.states = store.count
        report.depth += 1
        report.violation = (ledgers[Int(found.ledger)].violation ?? "", way(to: found.position))
        return report
      }
      position += 1
      // No state has as many steps as are left out here.
      if store.count > min(plan.statesMax, StateStore.capacity - 1_000) { break }
      guard position == endOfLayer else { continue }
      report.states = store.count
      if store.count > endOfLayer { report.depth += 1 }
      endOfLayer = store.count
      progress(report)
      // Every now and then, so that not too much is in vain.
      if position == store.count || table.outcomes.count > audited * 10 {
        audited = table.outcomes.count
        var audit = ShortcutAudit(table)
        refuted.formUnion(audit.refuted())
      }
    }
    if !refuted.isEmpty {
      var plan = plan
      plan.shortcuts.subtract(refuted)
      self = try Search(plan)
      return try run(progress)
    }
    report.states = store.count
    report.isExhausted = position == store.count
    return report
  }

  /// Goes all ways from a state. Returns where a rule is broken, if one is.
  private mutating func expand(
    _ state: [UInt32], at position: Int, _ next: inout [UInt32], _ transitions: inout Int
  ) -> (position: Int, ledger: UInt32)? {
    var hasUntouched = false
    for place in 0..<plan.nodes {
      if isSymmetric, table.node(at: state[place]) == untouched[place] {
        // Of those that nothing has happened to, something happens to the first one first.
        if hasUntouched { continue }
        hasUntouched = true
      }
      for number in table.moves(of: state[place]) {
        guard take(number, at: place, from: state, into: &next) else { continue }
        transitions += 1
        if store.insert(next, from: position), ledgers[Int(next[ledgerPlace])].violation != nil {
          return (store.count - 1, next[ledgerPlace])
        }
      }
    }
    return nil
  }

  /// Goes one step. Returns false if the step is not possible.
  private mutating func take(
    _ number: Int, at place: Int, from state: [UInt32], into next: inout [UInt32]
  ) -> Bool {
    let move = table.moves[number]
    let ledger = spend(state[ledgerPlace], move, at: place)
    guard ledger != .max else { return false }
    for other in 0..<plan.nodes { next[other] = state[other] }
    next[place] = move.site
    table.send(move.sent, in: &next)
    next[ledgerPlace] = judge(move, at: place, from: state, ledger: ledger, next: next)
    return true
  }

  private mutating func spend(_ ledger: UInt32, _ move: SiteTable.Move, at place: Int) -> UInt32 {
    if move.kind == .deliver || move.kind == .sync { return ledger }
    let step = UInt64(place) << 16 | UInt64(move.number) << 8 | UInt64(move.kind.rawValue)
    let key = UInt64(ledger) << 32 | step
    if let known = spent.value(for: key) { return known }
    var changed = ledgers[Int(ledger)]
    var isPossible = changed.spend(move.kind, number: move.number)
    if move.kind == .timeOut, isPossible, !plan.campaigners.isEmpty {
      let turn = plan.timeouts - changed.budget.timeouts - 1
      isPossible = turn < plan.campaigners.count && plan.campaigners[turn].rawValue == UInt64(place + 1)
    }
    let result = isPossible ? number(of: changed) : .max
    spent.insert(result, for: key)
    return result
  }

  /// Visits what was found, in the order in which it was found.
  func forEachState(_ body: (_ nodes: [ExploredNode], _ ledger: Ledger) -> Void) {
    var state = empty
    for position in 0..<store.count {
      store.read(position, into: &state)
      let nodes = state.prefix(plan.nodes).map { table.nodes[Int(table.node(at: $0))] }
      body(nodes, ledgers[Int(state[ledgerPlace])])
    }
  }

  // MARK: - Judging

  /// What is known after a step of the node at `place`.
  private mutating func judge(
    _ move: SiteTable.Move, at place: Int, from state: [UInt32], ledger: UInt32, next: [UInt32]
  ) -> UInt32 {
    var ledger = ledger
    if move.answers != 0 || move.failure != 0 {
      var changed = ledgers[Int(ledger)]
      for answer in table.answers[Int(move.answers)] { changed.judge(answer) }
      if move.failure != 0 { changed.violation = table.failures[Int(move.failure)] }
      ledger = number(of: changed)
    }
    ledger = compareLogs(at: place, from: state, ledger: ledger, next: next)
    let face = table.face(at: move.site)
    guard face != table.face(at: state[place]) else { return ledger }
    let key = UInt64(ledger) << 32 | UInt64(face)
    let before = ledger
    if let known = observed.value(for: key) {
      ledger = known
    } else {
      var changed = ledgers[Int(ledger)]
      changed.observe(table.faces[Int(face)])
      ledger = number(of: changed)
      observed.insert(ledger, for: key)
    }
    guard ledger != before, ledgers[Int(ledger)].committed.count > ledgers[Int(before)].committed.count
    else { return ledger }
    // Nobody says first that something is committed but who leads. Otherwise it mattered whether the node has it on disk.
    if !table.faces[Int(face)].leads, !table.faces[Int(table.face(at: state[place]))].leads {
      refuted.formUnion(plan.shortcuts.intersection([.earlySync]))
    }
    // Whoever leads a later term already has to hold what turns out to be committed only now.
    var changed = ledgers[Int(ledger)]
    for other in 0..<plan.nodes where other != place {
      let face = table.faces[Int(table.face(at: next[other]))]
      if face.leads { changed.observe(face) }
    }
    return number(of: changed)
  }

  /// Log matching, for a node whose log has changed.
  private mutating func compareLogs(
    at place: Int, from state: [UInt32], ledger: UInt32, next: [UInt32]
  ) -> UInt32 {
    let log = table.log(at: next[place])
    guard log != table.log(at: state[place]) else { return ledger }
    for other in 0..<plan.nodes where other != place {
      let theirs = table.log(at: next[other])
      let key = UInt64(log) << 32 | UInt64(theirs)
      if agreeing.value(for: key) != nil { continue }
      guard let index = table.disagreement(log, theirs) else {
        agreeing.insert(1, for: key)
        continue
      }
      var changed = ledgers[Int(ledger)]
      changed.violation =
        "log matching: n\(place + 1) and n\(other + 1) hold the same entry at \(index), and not before it"
      return number(of: changed)
    }
    return ledger
  }

  // MARK: - The way to a state

  mutating func way(to position: Int) -> [String] {
    var positions = [position]
    while let first = positions.last, first != 0 { positions.append(store.origin(of: first)) }
    positions.reverse()
    var steps: [String] = []
    var (state, goal, next) = (empty, empty, empty)
    for (from, to) in zip(positions, positions.dropFirst()) {
      store.read(from, into: &state)
      store.read(to, into: &goal)
      search: for place in 0..<plan.nodes {
        for number in table.moves(of: state[place])
        where take(number, at: place, from: state, into: &next) && next == goal {
          steps.append(describe(table.moves[number], at: place, in: state))
          break search
        }
      }
    }
    return steps
  }

  private func describe(_ move: SiteTable.Move, at place: Int, in state: [UInt32]) -> String {
    let id = NodeID(UInt64(place + 1))
    let text =
      switch move.kind {
      case .deliver: "\(id) hears: \(table.packets[Int(move.packet)].message.words)"
      case .double: "\(id) hears, and will again: \(table.packets[Int(move.packet)].message.words)"
      case .delay: "late for \(id): \(table.packets[Int(move.packet)].message.words)"
      case .lose: "lost for \(id): \(table.packets[Int(move.packet)].message.words)"
      case .timeOut: "\(id) hears nothing any more and campaigns"
      case .sync: "\(id) has written everything"
      case .crash: "\(id) crashes and restarts from what was durable"
      case .propose: "\(id) takes a proposal"
      case .read: "\(id) is asked for a read"
      case .change: "\(id) begins a configuration change"
      }
    return text + consequences(of: move, at: state[place])
  }

  private func consequences(of move: SiteTable.Move, at site: UInt32) -> String {
    let before = table.nodes[Int(table.node(at: site))].core
    let after = table.nodes[Int(table.node(at: move.site))].core
    var words = ""
    if after.isLeader, !before.isLeader || before.term < after.term {
      words += "; it leads term \(after.term)"
    }
    if after.lastEntry != before.lastEntry { words += "; its log ends with \(after.lastEntry)" }
    if after.commitIndex > before.commitIndex { words += "; it commits through \(after.commitIndex)" }
    for answer in table.answers[Int(move.answers)] {
      words += answer.readIndex.map { "; it answers a read as of \($0)" } ?? "; it refuses a read"
    }
    return words
  }
}
