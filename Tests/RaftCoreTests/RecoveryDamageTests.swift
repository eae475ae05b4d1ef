import RaftCore
import Testing

/// A state that is damaged at random places, and a naive reading of what makes it sound.
private struct DamagedState {
  var random: RandomSource
  var state: RecoveredState<String>
  let configurations: [Configuration]

  /// A sound log of random shape.
  init(seed: UInt64) throws {
    random = RandomSource(seed: seed)
    configurations = try (1...4 as ClosedRange<UInt64>).map { voters in
      try Configuration(
        voters: (1...voters).map { Member(id: NodeID($0), address: "n\($0)", store: .durable) })
    }
    state = .founding(configurations[2])
    var term: UInt64 = 1
    for index in 2..<UInt64.random(in: 2...16, using: &random) + 1 {
      term += .random(in: 0...5, using: &random) / 4
      let id = EntryID(term: Term(term), index: LogIndex(index))
      let isChange = index % 5 == 4
      state.entries.append(
        Entry(id: id, content: isChange ? .configuration(configurations[3]) : .payload("x"), bytes: 4))
    }
    state.hardState = HardState(term: Term(term + 1), votedFor: NodeID(2))
    let last = UInt64(state.entries.count)
    let commit = UInt64.random(in: 1...last, using: &random)
    let applied = UInt64.random(in: 1...commit, using: &random)
    state.commitIndex = LogIndex(commit)
    state.appliedIndex = LogIndex(applied)
    if Bool.random(using: &random) { compact(through: .random(in: 1...applied, using: &random)) }
    if Bool.random(using: &random) {
      takeSnapshot(at: .random(in: state.base.index.rawValue...applied, using: &random))
    }
  }

  private func inForce(at index: UInt64) -> IndexedConfiguration? {
    for entry in state.entries.reversed() where entry.id.index.rawValue <= index {
      if case .configuration(let configuration) = entry.content {
        return IndexedConfiguration(index: entry.id.index, configuration: configuration)
      }
    }
    return state.baseConfiguration
  }

  private mutating func compact(through index: UInt64) {
    state.baseConfiguration = inForce(at: index)
    state.base = state.entries[Int(index) - 1].id
    state.entries.removeFirst(Int(index))
  }

  private mutating func takeSnapshot(at index: UInt64) {
    let last = state.entries.first { $0.id.index.rawValue == index }?.id ?? state.base
    guard let configuration = inForce(at: index) else { return }
    state.snapshot = Snapshot(last: last, configuration: configuration, bytes: 50, fingerprint: index)
  }

  /// A number near `value`, or an absurd one.
  private mutating func changed(_ value: UInt64) -> UInt64 {
    switch UInt64.random(in: 0...9, using: &random) {
    case 0: .max
    case 1: 1 << 63
    case 2: 0
    case 3...5: value &+ 1
    case 6, 7: value &- 1
    default: value &+ .random(in: 0...9, using: &random)
    }
  }

  mutating func damage() {
    let place = state.entries.isEmpty ? nil : Int.random(in: state.entries.indices, using: &random)
    switch (Int.random(in: 0..<17, using: &random), place) {
    case (0, _): state.hardState.term = Term(changed(state.hardState.term.rawValue))
    case (1, _): state.hardState.votedFor = nil
    case (2, _): state.base.term = Term(changed(state.base.term.rawValue))
    case (3, _): state.base.index = LogIndex(changed(state.base.index.rawValue))
    case (4, _): state.commitIndex = LogIndex(changed(state.commitIndex.rawValue))
    case (5, _): state.appliedIndex = LogIndex(changed(state.appliedIndex.rawValue))
    case (6, _): state.baseConfiguration = nil
    case (7, _):
      let index = LogIndex(changed(state.base.index.rawValue))
      state.baseConfiguration = IndexedConfiguration(index: index, configuration: configurations[1])
    case (8, let place?): state.entries.remove(at: place)
    case (9, let place?): state.entries.insert(state.entries[place], at: place)
    case (10, let place?): state.entries[place].id.term = Term(changed(state.entries[place].id.term.rawValue))
    case (11, let place?):
      state.entries[place].id.index = LogIndex(changed(state.entries[place].id.index.rawValue))
    case (12, let place?): state.entries[place].content = .empty
    case (13, let place?): state.entries[place].bytes = .max
    case (14, let place?): state.entries.removeLast(state.entries.count - place)
    case (15, _):
      let index = changed(state.snapshot?.last.index.rawValue ?? 0)
      state.snapshot?.last.index = LogIndex(index)
    default:
      let index = changed(state.commitIndex.rawValue)
      state.snapshot?.configuration.index = LogIndex(index)
    }
  }

  /// Whether a correct node can have left it behind, as far as it can be told.
  var isSound: Bool {
    let plausible = UInt64(1) << 62
    let (base, entries) = (state.base, state.entries)
    let last = base.index.rawValue &+ UInt64(entries.count)
    let terms = [base.term] + entries.map(\.id.term) + [state.hardState.term]
    guard terms == terms.sorted(), state.hardState.term.rawValue <= plausible,
      base.index.rawValue <= plausible,
      base.index > .zero || base.term == .zero,
      entries.enumerated().allSatisfy({ $1.id.index.rawValue == base.index.rawValue + UInt64($0) + 1 }),
      base.index <= state.appliedIndex, state.appliedIndex.rawValue <= last,
      state.commitIndex.rawValue <= last
    else { return false }
    if let configuration = state.baseConfiguration {
      guard configuration.index <= base.index else { return false }
    } else {
      guard base.index == .zero, case .configuration? = entries.first?.content,
        max(state.commitIndex, state.appliedIndex) > .zero
      else { return false }
    }
    guard let snapshot = state.snapshot else { return true }
    let end = snapshot.last.index
    guard end >= base.index, end <= state.appliedIndex else { return false }
    let known = end == base.index ? base : entries[base.index.distance(to: end) - 1].id
    return known == snapshot.last && snapshot.configuration == inForce(at: end.rawValue)
  }

  /// Lets a node that has accepted the state live for a while: it loses an election, follows a leader that knows only
  /// what is committed, and leads. Returns whether it came to lead, which only voters do.
  func live(_ node: inout RaftNode<String>) -> Bool {
    var outputs = Outputs()
    let peer = NodeID(2)
    let commit = node.commitIndex
    let term = node.term.next
    guard let committed = node.term(at: commit) else { return false }
    let previous = EntryID(term: committed, index: commit)
    let entry = Entry(
      id: EntryID(term: term, index: commit.next), content: EntryContent.payload("y"), bytes: 1)
    let bodies: [(Message.Body, [Entry<String>])] = [
      (.heartbeat(Heartbeat(commitIndex: commit, heldByAll: .zero, round: 1)), []),
      (
        .appendEntries(
          AppendEntries(previous: .zero, entriesTerm: .zero, count: 0, commitIndex: LogIndex(.max))), []
      ),
      (
        .appendEntries(
          AppendEntries(previous: previous, entriesTerm: term, count: 1, commitIndex: commit.next)), [entry]
      ),
    ]
    for (body, entries) in bodies {
      node.step(Message(from: peer, to: node.id, term: term, body: body), entries: entries, into: &outputs)
      settle(&node, &outputs)
    }
    var hasLed = false
    for _ in 0..<100 {
      node.tick(into: &outputs)
      // Everybody grants whatever is asked.
      for message in outputs.messages {
        guard case .requestVote(let request) = message.body else { continue }
        let reply = RequestVoteReply(
          campaignTerm: request.campaignTerm, isPreVote: request.isPreVote, isGranted: true)
        node.step(
          Message(from: message.to, to: node.id, term: message.term, body: .requestVoteReply(reply)),
          into: &outputs)
      }
      outputs.removeAll()
      settle(&node, &outputs)
      hasLed = hasLed || node.isLeader
    }
    node.compact(through: node.appliedIndex)
    node.checkInvariants()
    return hasLed
  }

  private func settle(_ node: inout RaftNode<String>, _ outputs: inout Outputs) {
    while let write = node.takeWrite() { node.didPersist(write.assumeDurable(), into: &outputs) }
    while let range = node.takeCommitted(bytesMax: 100) { node.didApply(through: range.through) }
  }
}

@Suite("Random damage to what a node starts from")
struct RecoveryDamageTests {
  @Test("it is refused, or leaves a state that is sound: the node then lives with it", arguments: 1...3)
  func damage(seed: UInt64) throws {
    var (accepted, refused, leaders) = (0, 0, 0)
    for number in 0..<400 {
      var damaged = try DamagedState(seed: seed * 1_000 + UInt64(number))
      for _ in 0..<(number % 4) { damaged.damage() }
      do throws(RecoveryError) {
        var node = try RaftNode(id: NodeID(1), recovered: damaged.state, seed: 1)
        #expect(damaged.isSound, "state \(seed * 1_000 + UInt64(number)) is accepted: \(damaged.state)")
        node.checkInvariants()
        if damaged.isSound, damaged.live(&node) { leaders += 1 }
        accepted += 1
      } catch {
        #expect(!damaged.isSound, "state \(seed * 1_000 + UInt64(number)) is refused: \(error)")
        #expect(!error.faults.isEmpty)
        refused += 1
      }
    }
    #expect(min(accepted, refused, leaders) > 80, "\(accepted) accepted, \(leaders) led, \(refused) refused")
  }
}
