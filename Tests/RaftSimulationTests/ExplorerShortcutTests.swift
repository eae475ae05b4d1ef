import RaftCore
import Testing

@testable import RaftSimulation

@Suite("What the explorer leaves out")
struct ExplorerShortcutTests {
  /// What can be known of a set of states without the states that a shortcut leaves out.
  private struct Findings: Equatable {
    /// Every state of a node.
    var nodes: Set<[UInt8]> = []
    /// Every state of a node that has nothing to write.
    var durableNodes: Set<[UInt8]> = []
    /// Every log that is on a disk.
    var disks: Set<[EntryMark]> = []
    /// Who has led, and what was committed, at the same time.
    var facts: Set<[UInt64]> = []
    /// The same without names.
    var namelessFacts: Set<[UInt64]> = []

    init(_ plan: ExplorationPlan) throws {
      var search = try Search(plan)
      let report = try search.run { _ in }
      #expect(report.isExhausted)
      #expect(search.plan.shortcuts == plan.shortcuts, "none of them was found to be wrong")
      search.forEachState { nodes, ledger in
        for node in nodes {
          self.nodes.insert(node.key)
          if !node.core.hasUnsavedChanges { durableNodes.insert(node.key) }
          disks.insert(node.disk.entries.map(EntryMark.init))
        }
        let committed = ledger.committed.flatMap { [$0.entry.id.term.rawValue, $0.entry.content] }
        let terms = ledger.leaders.map(\.term.rawValue)
        facts.insert(committed + [.max] + terms + ledger.leaders.map(\.node.rawValue))
        namelessFacts.insert(committed + [.max] + terms)
      }
    }
  }

  /// Worlds that are small enough to be visited the long way: a crash among two candidates, one with a proposal, a packet
  /// that comes twice to one of two leaders in turn, and an election among three.
  private static let plans: [ExplorationPlan] = {
    var elections = ExplorationPlan()
    elections.nodes = 2
    elections.proposals = 0
    var proposal = elections
    proposal.timeouts = 1
    proposal.proposals = 1
    var double = elections
    double.crashes = 0
    double.doubles = 1
    var three = ExplorationPlan()
    three.timeouts = 1
    three.proposals = 0
    three.crashes = 0
    return [elections, proposal, double, three]
  }()

  /// Compares what is found with a shortcut to what is found without it: by itself, and together with the others. Who is
  /// the first that something happens to depends on the order of steps, and shortcuts choose one; so nodes keep their
  /// names, unless just that is compared.
  private func compare(_ shortcut: Shortcut, _ body: (Findings, Findings) -> Void) throws {
    let independent = Shortcut.allCases.filter { $0 != .symmetry && !$0.prerequisites.contains(shortcut) }
    for var plan in Self.plans {
      for others in [shortcut.prerequisites, Set(independent).subtracting([shortcut])] {
        plan.shortcuts = others
        let long = try Findings(plan)
        plan.shortcuts.insert(shortcut)
        body(try Findings(plan), long)
      }
    }
  }

  @Test("lost messages change no node, and no fact")
  func sameNodes() throws {
    try compare(.lossByDelay) { short, long in #expect(short == long) }
  }

  @Test(
    "answers that only refuse change no log and no fact", arguments: [Shortcut.refusals, .bareTerms])
  func sameFacts(shortcut: Shortcut) throws {
    try compare(shortcut) { short, long in
      #expect(short.disks == long.disks)
      #expect(short.facts == long.facts)
    }
  }

  @Test(
    "packets without effect, and slow writes of followers that keep silent, lead to no other durable state or fact",
    arguments: [Shortcut.inertPackets, .earlySync])
  func sameDurableNodes(shortcut: Shortcut) throws {
    try compare(shortcut) { short, long in
      // A node may leave out to write down a refusal that is not sent; and answers may overtake more than they do otherwise.
      #expect(short.durableNodes.isSuperset(of: long.durableNodes))
      #expect(short.disks == long.disks)
      #expect(short.facts == long.facts)
    }
  }

  @Test("whatever happens happens to the first nodes first, up to names")
  func sameUpToNames() throws {
    try compare(.symmetry) { short, long in
      #expect(short.disks == long.disks)
      #expect(short.namelessFacts == long.namelessFacts)
    }
  }

  @Test(
    "a faulty disk is found out with every shortcut by itself, and without each", arguments: Shortcut.allCases
  )
  func sameViolations(shortcut: Shortcut) throws {
    for shortcuts in [shortcut.prerequisites.union([shortcut]), Shortcut.all.subtracting([shortcut])] {
      var plan = ExplorationPlan.doubleVote
      plan.fault = .lostVotes
      plan.shortcuts = shortcuts
      let violation = try #require(try Explorer(plan).run().violation)
      #expect(violation.rule.contains("election safety"))
    }
  }

  @Test("links that keep no order lead to everything that links lead to which do")
  func unordered() throws {
    for var plan in Self.plans {
      let ordered = try Findings(plan)
      plan.keepsOrder = false
      let unordered = try Findings(plan)
      #expect(ordered.nodes.isSubset(of: unordered.nodes))
      #expect(ordered.facts.isSubset(of: unordered.facts))
    }
  }

  @Test("cores do what is looked up for them, whatever they have been through")
  func tableAgrees() throws {
    var committing = 0
    for seed in 1...20 where try takeSteps(seed: UInt64(seed)) > 1 { committing += 1 }
    #expect(committing > 10)
  }

  /// Lets three cores take steps at random, each as a core and as what is looked up for it; returns how often they have
  /// committed something.
  private func takeSteps(seed: UInt64) throws -> Int {
    var plan = ExplorationPlan()
    plan.doubles = 1
    plan.delays = 1
    plan.reads = 1
    plan.shortcuts = [.lossByDelay]
    var random = RandomSource(seed: seed)
    var table = SiteTable(plan)
    let members = (1...3).map { Member(id: NodeID($0), address: "", store: .durable) }
    let configuration = try Configuration(voters: members)
    var nodes = try members.map { try ExploredNode(id: $0.id, configuration: configuration) }
    var sites = nodes.map { table.site(of: $0) }
    var commits: Set<LogIndex> = []
    for _ in 0..<400 {
      let place = Int.random(in: 0..<3, using: &random)
      let moves = table.moves(of: sites[place])
      guard let number = moves.randomElement(using: &random) else { continue }
      let move = table.moves[number]
      // Campaigns and crashes that are as likely as deliveries would leave time for nothing else.
      if move.kind == .timeOut || move.kind == .crash, Int.random(in: 0..<8, using: &random) > 0 { continue }
      table.perform(move, on: &nodes[place])
      sites[place] = move.site
      table.send(move.sent, in: &sites)
      #expect(table.nodes[Int(table.node(at: sites[place]))].key == nodes[place].key)
      commits.insert(nodes[place].core.commitIndex)
    }
    return commits.count
  }
}
