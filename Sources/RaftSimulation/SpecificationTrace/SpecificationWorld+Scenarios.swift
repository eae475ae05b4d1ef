import RaftCore

// What the traces show.

extension SpecificationWorld {
  /// Plays `scenario` until the trace is long enough.
  mutating func play(_ scenario: SpecificationTrace.Scenario) throws {
    let length = Int.random(in: 420...560, using: &random)
    begin()
    switch scenario {
    case .lossAndDuplication: (losses, doubles, overtakes) = (15, 15, 25)
    case .followerRestarts, .leaderRestarts: overtakes = 10
    case .removal: try removeVoter()
    default: break
    }
    while lines.count < length {
      switch scenario {
      case .election: reelect()
      case .replication, .removal: proposeSome()
      case .lossAndDuplication: proposeThroughLosses()
      case .competingCandidates: compete()
      case .divergingLeader: diverge()
      case .followerRestarts: try restartFollower()
      case .leaderRestarts: try restartLeader()
      case .learner: try growByLearner()
      case .snapshot: try growBySnapshot()
      }
    }
    (losses, doubles, overtakes) = (0, 0, 0)
    if leader == nil { elect() }
    beat(2)
  }

  // MARK: - Means

  /// Where the leader of the highest term is that anything reaches.
  private var leader: Int? {
    nodes.indices.filter { isReached($0) && nodes[$0].core.isLeader }
      .max { nodes[$0].core.term < nodes[$1].core.term }
  }

  private func isReached(_ position: Int) -> Bool { !nodes[position].isDown && !cut.contains(position) }

  /// A first leader, whom all know.
  private mutating func begin() {
    elect()
    beat(1)
  }

  /// A voter that is not the leader, by chance.
  private mutating func anyFollower() -> Int {
    let voters = leader.map { nodes[$0].shown.voters } ?? nodes[0].shown.voters
    let leader = leader
    let choice = nodes.indices.filter {
      isReached($0) && $0 != leader && voters.contains(nodes[$0].id) && nodes[$0].knows(nodes[$0].id)
    }
    return choice.randomElement(using: &random) ?? 0
  }

  /// Lets a voter campaign that is no leader, one after the other, until there is a new leader.
  private mutating func elect() {
    let before = nodes.map(\.core.term).max() ?? .zero
    for _ in 0..<20 {
      if let leader, nodes[leader].core.term > before { return }
      let position = anyFollower()
      loseLeader()
      timeOut(position)
      settle()
    }
  }

  /// The connections to leaders break, so that their followers wait for them no longer.
  private mutating func loseLeader() {
    for position in nodes.indices where isReached(position) {
      guard let known = nodes[position].core.leader, known != nodes[position].id else { continue }
      input(position) { node, outputs in node.connectionLost(to: known, into: &outputs) }
    }
  }

  private mutating func timeOut(_ position: Int) {
    pass(Int(clamping: min(nodes[position].core.ticksUntilNextDeadline, 1_000)), at: position)
  }

  /// The leader sends rounds of heartbeats.
  private mutating func beat(_ rounds: Int) {
    for _ in 0..<rounds {
      settle()
      guard let leader else { return }
      pass(options.heartbeatTicks, at: leader)
      settle()
    }
  }

  private mutating func propose(_ count: Int, at position: Int) {
    for number in 0..<count {
      let payload = UInt32(lines.count + number)
      input(position) { node, outputs in _ = try? node.propose(payload, bytes: 4, into: &outputs) }
      if happens(40) { settle(steps: 3) }
    }
  }

  private mutating func propose(atMost limit: Int) {
    guard let leader else { return }
    propose(Int.random(in: 1...limit, using: &random), at: leader)
  }

  /// Changes who takes part, with nothing else under way.
  private mutating func reconfigure(_ change: ConfigurationChange, _ node: NodeID, _ action: String) throws {
    settle()
    guard let leader else { return }
    self.change = (node, action)
    var failure: ConfigurationChangeError?
    input(leader) { core, outputs in
      do throws(ConfigurationChangeError) {
        try core.changeConfiguration([change], into: &outputs)
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    settle()
  }

  // MARK: - Scenarios

  private mutating func reelect() {
    elect()
    if happens(50) { propose(atMost: 1) }
    beat(1)
  }

  private mutating func proposeSome() {
    propose(atMost: 4)
    settle()
    if happens(30) { beat(1) }
    if happens(10) { elect() }
  }

  private mutating func proposeThroughLosses() {
    if leader == nil { elect() }
    propose(atMost: 3)
    beat(Int.random(in: 1...2, using: &random))
  }

  /// The leader is cut off until it gives up; then two campaign at once, neither of whom the other has heard of.
  private mutating func compete() {
    settle()
    if let leader {
      cut = [leader]
      pass(options.electionTimeoutTicksMin, at: leader)
      settle()
      cut = []
    }
    let first = anyFollower()
    var second = anyFollower()
    while second == first { second = anyFollower() }
    loseLeader()
    timeOut(first)
    timeOut(second)
    let rivals = [nodes[first].id, nodes[second].id]
    filterWhispers { !rivals.contains($0.to) }
    overtakes = 50
    settle()
    overtakes = 0
    propose(atMost: 1)
    beat(2)
  }

  private mutating func diverge() {
    settle()
    guard let old = leader else { return elect() }
    cut = [old]
    propose(Int.random(in: 1...3, using: &random), at: old)
    if happens(50) { pass(options.electionTimeoutTicksMin, at: old) }
    settle()
    elect()
    propose(atMost: 2)
    settle()
    cut = []
    if nodes[old].core.isLeader { pass(options.heartbeatTicks, at: old) }
    beat(3)
    propose(atMost: 1)
    beat(1)
  }

  private mutating func restartFollower() throws {
    settle()
    let follower = anyFollower()
    propose(atMost: 3)
    settle(steps: Int.random(in: 0...12, using: &random))
    crash(follower)
    propose(atMost: 2)
    settle()
    try restart(follower)
    beat(2)
    if happens(25) { elect() }
  }

  private mutating func restartLeader() throws {
    settle()
    guard let old = leader else { return elect() }
    propose(atMost: 3)
    settle(steps: Int.random(in: 0...12, using: &random))
    crash(old)
    settle()
    elect()
    propose(atMost: 2)
    settle()
    try restart(old)
    beat(3)
  }

  /// A learner joins, and votes as soon as it has caught up; later it leads. Once is enough.
  private mutating func growByLearner() throws {
    guard nodes.count == 3 else { return proposeSome() }
    propose(atMost: 4)
    settle()
    let id = try addNewcomer()
    try reconfigure(.addLearner(Self.member(id.rawValue)), id, "AddLearner")
    for _ in 0..<4 {
      beat(1)
      propose(atMost: 2)
      settle()
    }
    try reconfigure(.promote(id), id, "AddNewServer")
    beat(1)
    propose(atMost: 3)
    settle()
    elect()
  }

  private mutating func removeVoter() throws {
    propose(atMost: 3)
    settle()
    let leaving = nodes[anyFollower()].id
    try reconfigure(.remove(leaving), leaving, "RemoveServer")
    beat(2)
  }

  private mutating func growBySnapshot() throws {
    propose(atMost: 6)
    beat(1)
    guard nodes.count < 5, let leader else { return }
    let index = nodes[leader].core.appliedIndex
    guard let configuration = nodes[leader].core.configuration(at: index),
      let term = nodes[leader].core.term(at: index)
    else { return }
    let snapshot = Snapshot(
      last: EntryID(term: term, index: index), configuration: configuration, bytes: 64,
      fingerprint: index.rawValue)
    input(leader) { node, outputs in
      node.didTakeSnapshot(snapshot, into: &outputs)
      node.compact(through: index)
    }
    let id = try addNewcomer()
    try reconfigure(.addLearner(Self.member(id.rawValue)), id, "AddLearner")
    beat(3)
  }
}
