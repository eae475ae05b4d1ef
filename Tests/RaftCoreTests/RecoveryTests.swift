import RaftCore
import Testing

/// States that a correct node can have left behind, to be damaged.
private enum Sound {
  static func configuration(_ voters: ClosedRange<UInt64>) throws -> Configuration {
    try Configuration(voters: voters.map { Member(id: NodeID($0), address: "n\($0)", store: .durable) })
  }

  static func entry(_ term: UInt64, _ index: UInt64) -> Entry<String> {
    Entry(
      id: EntryID(term: Term(term), index: LogIndex(index)), content: .payload("\(index)"), bytes: 8)
  }

  /// A log that goes back to its founding, with a second configuration as entry 4.
  static func whole() throws -> RecoveredState<String> {
    var state = RecoveredState<String>.founding(try configuration(1...3))
    state.hardState = HardState(term: Term(4), votedFor: NodeID(2))
    state.entries += [entry(1, 2), entry(2, 3), entry(2, 4), entry(4, 5)]
    state.entries[3].content = .configuration(try configuration(1...4))
    state.commitIndex = LogIndex(4)
    state.appliedIndex = LogIndex(3)
    return state
  }

  /// A log that is compacted through entry 10, with a snapshot that ends behind a configuration at entry 12.
  static func compacted() throws -> RecoveredState<String> {
    let base = EntryID(term: Term(3), index: LogIndex(10))
    var entries = (11...15).map { entry($0 < 13 ? 3 : 5, $0) }
    let later = IndexedConfiguration(index: LogIndex(12), configuration: try configuration(1...4))
    entries[1].content = .configuration(later.configuration)
    return RecoveredState(
      hardState: HardState(term: Term(6), votedFor: nil), base: base,
      baseConfiguration: IndexedConfiguration(index: LogIndex(7), configuration: try configuration(1...3)),
      entries: entries, commitIndex: LogIndex(14), appliedIndex: LogIndex(13),
      snapshot: Snapshot(
        last: EntryID(term: Term(5), index: LogIndex(13)), configuration: later, bytes: 100, fingerprint: 9))
  }

  /// A node that has yet to receive its first entry.
  static func newcomer() throws -> RecoveredState<String> {
    let nobody = IndexedConfiguration(index: .zero, configuration: try configuration(99...99))
    return RecoveredState(
      hardState: .initial, base: .zero, baseConfiguration: nobody, entries: [], commitIndex: .zero,
      appliedIndex: .zero)
  }

  /// What is wrong with a state; empty if a node starts from it.
  static func faults(_ state: RecoveredState<String>) -> [String] {
    do throws(RecoveryError) {
      let node = try RaftNode(id: NodeID(1), recovered: state, seed: 1)
      node.checkInvariants()
      return []
    } catch {
      return error.faults
    }
  }
}

/// One thing that can be wrong with a state, and what is said of it.
private struct Damage: Sendable, CustomTestStringConvertible {
  let sentence: String
  let isCompacted: Bool
  let inflict: @Sendable (inout RecoveredState<String>) throws -> Void
  var testDescription: String { sentence }

  init(
    _ sentence: String, isCompacted: Bool = false,
    _ inflict: @escaping @Sendable (inout RecoveredState<String>) throws -> Void
  ) {
    self.sentence = sentence
    self.isCompacted = isCompacted
    self.inflict = inflict
  }

  static let ofTheLog: [Damage] = [
    Damage("entry 4@2 follows entry 2@1: there is a gap in the log") { $0.entries.remove(at: 2) },
    Damage("entry 3@2 follows entry 3@2: there is a gap in the log") {
      $0.entries.insert($0.entries[2], at: 3)
    },
    Damage("entry 2@1 follows entry 0@0: there is a gap in the log") { $0.entries.removeFirst() },
    Damage("entry 12@3 follows entry 10@3: there is a gap in the log", isCompacted: true) {
      $0.entries.removeFirst()
    },
    Damage("entry 3@1 follows entry 2@2: terms in a log only grow") {
      $0.entries[1].id.term = Term(2)
      $0.entries[2].id.term = Term(1)
    },
    Damage("entry 11@2 follows entry 10@3: terms in a log only grow", isCompacted: true) {
      $0.entries[0].id.term = Term(2)
    },
    Damage("the last entry 5@4 is of a later term than the node's term 3") { $0.hardState.term = Term(3) },
    Damage("the log's beginning 0@1 stands before every entry, and yet has a term") {
      $0.base.term = Term(1)
    },
    Damage("the node's term 9223372036854775808 is higher than any cluster's") {
      $0.hardState.term = Term(1 << 63)
    },
    Damage("the log's beginning 18446744073709551615@3 is higher than any cluster's", isCompacted: true) {
      $0.base.index = LogIndex(.max)
    },
    Damage("the log's beginning 10@18446744073709551615 is higher than any cluster's", isCompacted: true) {
      $0.base.term = Term(.max)
    },
  ]

  static let ofWhatIsDone: [Damage] = [
    Damage("commit index 6 is beyond the last entry 5@4") { $0.commitIndex = LogIndex(6) },
    Damage("commit index 0 is before the founding entry 1@1, which is committed by definition") {
      $0.commitIndex = .zero
      $0.appliedIndex = .zero
    },
    Damage("applied index 6 is beyond the last entry 5@4") { $0.appliedIndex = LogIndex(6) },
    Damage("applied index 9 is before the log's beginning 10@3: a snapshot is missing", isCompacted: true) {
      $0.appliedIndex = LogIndex(9)
      $0.snapshot = nil
    },
  ]

  static let ofWhoTakesPart: [Damage] = [
    Damage("neither the log nor its beginning holds a configuration") { state in
      state.entries = []
      state.commitIndex = .zero
      state.appliedIndex = .zero
    },
    Damage("the log begins with entry 1@1, which does not found a cluster") { state in
      // The later configuration must not be taken for the founding one.
      state.entries[0].content = .empty
    },
    Damage(
      "the configuration in force at the log's beginning 10@3 is missing: one that stands later in the log was not yet in force there",
      isCompacted: true
    ) { state in
      state.baseConfiguration = nil
      state.snapshot = nil
    },
    Damage("the configuration at 11 is not covered by the log's beginning 10@3", isCompacted: true) {
      $0.baseConfiguration?.index = LogIndex(11)
    },
  ]

  static let ofTheSnapshot: [Damage] = [
    Damage(
      "the snapshot ends at 9@3, before the log's beginning 10@3: the log does not continue it",
      isCompacted: true
    ) { state in
      state.snapshot?.last = EntryID(term: Term(3), index: LogIndex(9))
      state.snapshot?.configuration.index = LogIndex(7)
    },
    Damage("the snapshot ends at 14@5, beyond the applied index 13", isCompacted: true) {
      $0.snapshot?.last.index = LogIndex(14)
    },
    Damage("the snapshot ends at 13@4, but the log holds 13@5 there", isCompacted: true) {
      $0.snapshot?.last.term = Term(4)
    },
    Damage("the snapshot ends at 10@2, but the log holds 10@3 there", isCompacted: true) { state in
      state.snapshot?.last = EntryID(term: Term(2), index: LogIndex(10))
      if let configuration = state.baseConfiguration { state.snapshot?.configuration = configuration }
    },
    Damage("the snapshot's configuration stands at 14, beyond its end 13@5", isCompacted: true) {
      $0.snapshot?.configuration.index = LogIndex(14)
    },
    Damage(
      "the snapshot's configuration stands at 7, but at its end 13@5 that at 12 was in force",
      isCompacted: true
    ) { state in
      if let configuration = state.baseConfiguration { state.snapshot?.configuration = configuration }
    },
  ]
}

@Suite("What a node starts from is checked")
struct RecoveryTests {
  @Test("sound states are accepted, and say where the node stands")
  func sound() throws {
    #expect(Sound.faults(.founding(try Sound.configuration(1...3))).isEmpty)
    #expect(Sound.faults(try Sound.newcomer()).isEmpty)
    #expect(Sound.faults(try Sound.whole()).isEmpty)
    #expect(Sound.faults(try Sound.compacted()).isEmpty)
    let node = try RaftNode(id: NodeID(1), recovered: try Sound.compacted(), seed: 1)
    #expect(node.baseIndex == LogIndex(10))
    #expect(node.lastEntry == EntryID(term: Term(5), index: LogIndex(15)))
    #expect(node.configuration == (try Sound.configuration(1...4)))
    #expect(node.configuration(at: LogIndex(11))?.index == LogIndex(7))
    #expect(node.status.durableIndex == LogIndex(15))
    #expect(node.status.commitIndex == LogIndex(14))
    #expect(node.status.appliedIndex == LogIndex(13))
    #expect(node.term == Term(6))
  }

  @Test("what is applied counts as committed, however old the commit index is that was stored")
  func appliedIsCommitted() throws {
    var state = try Sound.compacted()
    state.commitIndex = .zero
    var node = try RaftNode(id: NodeID(1), recovered: state, seed: 1)
    #expect(node.commitIndex == LogIndex(13))
    #expect(node.takeCommitted(bytesMax: 1000) == nil)
    state = try Sound.whole()
    state.commitIndex = .zero
    state.appliedIndex = LogIndex(1)
    #expect(try RaftNode(id: NodeID(1), recovered: state, seed: 1).commitIndex == LogIndex(1))
  }

  @Test(
    "each contradiction is refused with its own sentence, and with no other",
    arguments: Damage.ofTheLog + Damage.ofWhatIsDone + Damage.ofWhoTakesPart + Damage.ofTheSnapshot)
  fileprivate func oneFault(damage: Damage) throws {
    var state = try damage.isCompacted ? Sound.compacted() : Sound.whole()
    try damage.inflict(&state)
    let faults = Sound.faults(state)
    #expect(faults.contains(damage.sentence), "\(faults)")
    // A gap hides what is behind it, so that more may seem wrong.
    if !damage.sentence.contains("gap") { #expect(faults.count == 1, "\(faults)") }
  }

  @Test("several contradictions are listed together")
  func severalFaults() throws {
    var state = try Sound.compacted()
    state.entries[2].id.term = Term(2)
    state.hardState.term = Term(4)
    state.commitIndex = LogIndex(20)
    state.appliedIndex = LogIndex(21)
    state.snapshot?.last = EntryID(term: Term(3), index: LogIndex(9))
    let faults = Sound.faults(state)
    #expect(
      faults == [
        "entry 13@2 follows entry 12@3: terms in a log only grow",
        "the last entry 15@5 is of a later term than the node's term 4",
        "commit index 20 is beyond the last entry 15@5",
        "applied index 21 is beyond the last entry 15@5",
        "the snapshot ends at 9@3, before the log's beginning 10@3: the log does not continue it",
        "the snapshot's configuration stands at 12, beyond its end 9@3",
      ])
    do throws(RecoveryError) {
      _ = try RaftNode(id: NodeID(1), recovered: state, seed: 1)
    } catch {
      #expect(error.description == faults.joined(separator: "; "))
    }
  }
}
