import RaftCore

/// Watches a cluster from outside, and judges it by the promises of Raft (thesis fig. 3.2) alone: nothing that the core
/// says of itself is believed.
struct RunOracle {
  private struct Ballot: Hashable {
    let voter: NodeID
    let term: Term
  }

  /// What has come to pass, so that a run in which nothing did is noticed.
  struct Tally {
    var elections = 0
    var reads = 0
    var leased = 0
    var installed = 0
    var joint = 0
    var truncated = 0
  }

  private(set) var problems: [String] = []
  private(set) var tally = Tally()
  /// Every committed entry, in order.
  private(set) var committed: [Entry<String>] = []
  private var leaders: [Term: NodeID] = [:]
  private var ballots: [Ballot: NodeID] = [:]
  private var proposals: [EntryID: String] = [:]
  private var payloads: Set<String> = []
  private var floors: [ReadID: LogIndex] = [:]
  /// How far each node has committed since it was started, and how far that was compared.
  private var commits: [LogIndex]
  private var compared: [LogIndex]

  init(nodes: Int) {
    commits = Array(repeating: .zero, count: nodes)
    compared = commits
  }

  var commitIndex: LogIndex { LogIndex(UInt64(committed.count)) }

  mutating func expect(_ isSo: Bool, _ what: @autoclosure () -> String) {
    if !isSo { problems.append(what()) }
  }

  // MARK: - What clients do

  mutating func willRead(_ read: ReadID) { floors[read] = commitIndex }

  mutating func didPropose(_ payload: String, as entry: EntryID) { proposals[entry] = payload }

  // MARK: - What nodes do

  /// A started node may have forgotten what it knew to be committed, but nothing else.
  mutating func didRestart(_ position: Int) {
    commits[position] = .zero
    compared[position] = .zero
  }

  /// Looks at a node after an input, and at what it said and decided.
  mutating func observe(_ position: Int, of network: Network) {
    let node = network.nodes[position]
    if node.commitIndex > compared[position] { compare(position, of: network) }
    for event in network.events[position] { observe(event, node) }
    for outcome in network.reads[position] { observe(outcome) }
    for packet in network.packets { observe(packet, of: network) }
    if node.isLeader { noteLeader(node.id, node.term) }
    expect(
      node.commitIndex >= commits[position], "\(node.id)'s commit index went back to \(node.commitIndex)")
    commits[position] = max(commits[position], node.commitIndex)
    let applied = network.applied[position]
    if applied.count > 1 {
      expect(
        applied[applied.count - 1].after == applied[applied.count - 2].through,
        "\(node.id) applies \(applied.suffix(2))")
    }
    expect(node.appliedIndex <= commitIndex, "\(node.id) has applied what is not committed")
  }

  private mutating func observe(_ event: TraceEvent, _ node: RaftNode<String>) {
    switch event {
    case .becameLeader(let term):
      tally.elections += 1
      noteLeader(node.id, term)
      // Leader completeness (thesis §3.6.3): what is committed is in the log of every later leader.
      for entry in committed where entry.id.index > node.baseIndex {
        expect(node.term(at: entry.id.index) == entry.id.term, "\(node.id) leads \(term) without \(entry.id)")
      }
    case .configurationChanged: if node.configuration.isJoint { tally.joint += 1 }
    case .readLeased: tally.leased += 1
    case .snapshotInstalled: tally.installed += 1
    case .truncated: tally.truncated += 1
    default: break
    }
  }

  private mutating func noteLeader(_ id: NodeID, _ term: Term) {
    if let other = leaders[term] {
      expect(other == id, "\(other) and \(id) lead term \(term)")
    } else {
      leaders[term] = id
    }
  }

  private mutating func observe(_ outcome: ReadOutcome) {
    guard let index = outcome.readIndex else { return }
    tally.reads += 1
    if let floor = floors[outcome.id] {
      expect(index >= floor, "\(outcome.id) is answered as of \(index), though \(floor) was committed before")
    }
    expect(index <= commitIndex, "\(outcome.id) is answered as of \(index), which is not committed")
  }

  /// What is said must be on the speaker's disk already (thesis §3.8).
  private mutating func observe(_ packet: Network.Packet, of network: Network) {
    let message = packet.message
    guard let speaker = network.nodes.firstIndex(where: { $0.id == message.from }) else { return }
    let disk = network.disk(speaker)
    switch message.body {
    case .requestVoteReply(let reply) where reply.isGranted && !reply.isPreVote:
      vote(of: message.from, for: message.to, in: reply.campaignTerm, disk)
    case .requestVote(let request) where !request.isPreVote:
      vote(of: message.from, for: message.from, in: request.campaignTerm, disk)
      let last = disk.entries.last?.id ?? disk.base
      expect(
        last >= request.lastEntry, "\(message.from) campaigns with \(request.lastEntry), but holds \(last)")
    case .appendEntriesReply(.accepted(let match)):
      let last = disk.entries.last?.id ?? disk.base
      expect(last.index >= match, "\(message.from) acknowledges \(match), but holds \(last)")
    default: break
    }
  }

  private mutating func vote(
    of voter: NodeID, for candidate: NodeID, in term: Term, _ disk: RecoveredState<String>
  ) {
    let ballot = Ballot(voter: voter, term: term)
    let other = ballots[ballot] ?? candidate
    expect(other == candidate, "\(voter) votes for \(other) and \(candidate) in term \(term)")
    ballots[ballot] = candidate
    let isKept = disk.hardState == HardState(term: term, votedFor: candidate) || disk.hardState.term > term
    expect(isKept, "\(voter) votes for \(candidate) in term \(term), but its disk says \(disk.hardState)")
  }

  // MARK: - What is committed

  /// Compares what a node takes for committed with what others did (state machine safety, thesis §3.6.3).
  private mutating func compare(_ position: Int, of network: Network) {
    let node = network.nodes[position]
    var from = compared[position]
    compared[position] = node.commitIndex
    if node.baseIndex > from {
      from = node.baseIndex
      let term = node.term(at: from)
      expect(from <= commitIndex, "\(node.id) begins at \(from), which nobody has committed")
      guard from <= commitIndex else { return }
      let known = from == .zero ? Term.zero : committed[Int(from.rawValue) - 1].id.term
      expect(term == known, "\(node.id) begins at \(from)@\(term ?? .zero), but \(known) is committed there")
    }
    guard let entries = node.entries(after: from, through: node.commitIndex) else { return }
    var isNews = false
    for entry in entries {
      if entry.id.index <= commitIndex {
        let known = committed[Int(entry.id.index.rawValue) - 1]
        expect(known == entry, "\(node.id) has committed \(entry), others \(known)")
      } else {
        isNews = true
        commit(entry, on: node.id)
      }
    }
    if isNews { expectMajority(node, of: network) }
  }

  private mutating func commit(_ entry: Entry<String>, on id: NodeID) {
    let known = commitIndex
    expect(entry.id.index == known.next, "\(id) has committed \(entry.id) behind \(known)")
    committed.append(entry)
    guard case .payload(let payload) = entry.content else { return }
    expect(
      proposals[entry.id] ?? payload == payload, "\(payload) is committed as another's entry \(entry.id)")
    let isNew = payloads.insert(payload).inserted
    expect(isNew, "\(payload) is committed twice")
  }

  /// What is committed first on a node is on the disks of a majority of each half of its configuration.
  private mutating func expectMajority(_ node: RaftNode<String>, of network: Network) {
    guard let last = committed.last, last.id.index > LogIndex(1) else { return }
    let configuration = node.configuration
    for half in [configuration.voters, configuration.outgoingVoters] where !half.isEmpty {
      var holders = 0
      for (position, other) in network.nodes.enumerated() where half.contains(other.id) {
        let disk = network.disk(position)
        let offset = disk.base.index.distance(to: last.id.index) - 1
        let isCovered = disk.base.index >= last.id.index
        if isCovered || offset < disk.entries.count && disk.entries[offset].id == last.id { holders += 1 }
      }
      expect(2 * holders > half.count, "\(node.id) commits \(last.id), which only \(holders) of \(half) hold")
    }
  }

  /// Log matching (thesis §3.5): entries of the same name are equal, and so is what is before them.
  mutating func expectMatchingLogs(_ network: Network) {
    var known: [EntryID: (entry: Entry<String>, previous: Term?)] = [:]
    for node in network.nodes {
      for entry in node.entries(after: node.baseIndex, through: node.lastEntry.index) ?? [] {
        let previous = node.term(at: entry.id.index.previous)
        if let other = known[entry.id] {
          expect(
            other.entry == entry && other.previous == previous, "\(entry) and \(other) have the same name")
        } else {
          known[entry.id] = (entry, previous)
        }
      }
    }
  }
}
