import RaftCore
import Testing

@Suite("Thesis §5: snapshots")
struct SnapshotTests {
  private func member(_ id: UInt64) -> Member {
    Member(id: NodeID(id), address: "n\(id)", store: .durable)
  }

  @Test("a follower that needs what is compacted away gets the snapshot, and then the rest of the log (§5.3)")
  func catchesUp() throws {
    var network = try Network.thirdMisses(options: RaftOptions.smallChunks)
    network.snapshot(0, bytes: 95)
    try network.propose("after", at: 0)
    network.run(ticks: 20)
    #expect(network.storedChunks.map(\.count) == Array(repeating: 10, count: 9) + [5])
    #expect(network.storedChunks.map(\.offset) == (0..<10).map { $0 * 10 })
    #expect(network.nodes[2].baseIndex == LogIndex(7))
    #expect(network.nodes[2].lastEntry == network.nodes[0].lastEntry)
    #expect(network.nodes[2].appliedIndex == network.nodes[0].appliedIndex)
    #expect(network.nodes[0].status.peers[1].replication == .pipeline)
    #expect(network.events[0].contains { if case .snapshotFinished = $0 { true } else { false } })
  }

  @Test("the leader says that it wants a snapshot, and sends it as soon as there is one")
  func wantsSnapshot() throws {
    var network = try Network.thirdMisses()
    let index = network.nodes[0].appliedIndex
    network.input(0) { node, _ in node.compact(through: index) }
    network.run(ticks: 20)
    #expect(network.nodes[0].wantsSnapshot)
    #expect(network.nodes[0].status.peers[1].isLeftBehind)
    network.snapshot(0)
    network.run(ticks: 5)
    #expect(!network.nodes[0].wantsSnapshot)
    #expect(network.nodes[2].appliedIndex == network.nodes[0].appliedIndex)
  }

  @Test("a newcomer to a wholly compacted, idle log gets a snapshot (scenario 15)")
  func emptyNewcomer() throws {
    var network = try Network(1)
    try network.addNewcomer(2)
    network.elect(0)
    try network.propose("a", at: 0)
    try network.change([.addLearner(member(2))], at: 0)
    network.packets = []
    network.snapshot(0)
    #expect(network.nodes[0].baseIndex == network.nodes[0].lastEntry.index)
    network.run(ticks: 60)
    #expect(network.nodes[1].appliedIndex == network.nodes[0].appliedIndex)
    #expect(network.nodes[1].configuration == network.nodes[0].configuration)
  }

  @Test("a lost piece is sent again; doubled and delayed ones change nothing")
  func lossAndDuplication() throws {
    var network = try Network.thirdMisses(options: RaftOptions.smallChunks)
    network.snapshot(0, bytes: 50)
    var seen = 0
    network.run(ticks: 20) { message in
      guard case .installSnapshot = message.body else { return true }
      seen += 1
      return seen != 3
    }
    #expect(network.nodes[2].appliedIndex < LogIndex(7), "the third piece is lost")
    network.run(ticks: 60) { message in
      guard case .installSnapshot = message.body else { return true }
      return true
    }
    #expect(network.nodes[2].appliedIndex == LogIndex(7))
    #expect(network.storedChunks.map(\.offset) == [0, 10, 20, 30, 40])
    // An old piece comes again.
    let old = try #require(network.storedChunks.first)
    network.say(
      .installSnapshot(old), from: 1, to: 3, term: 2,
      configuration: network.nodes[0].configuration(at: LogIndex(7)))
    #expect(network.storedChunks.count == 5)
    #expect(network.nodes[2].baseIndex == LogIndex(7))
  }

  @Test("a follower that was restarted in the middle gets the beginning again (scenario 67)")
  func restartedReceiver() throws {
    var network = try Network.thirdMisses(options: RaftOptions.smallChunks)
    network.snapshot(0, bytes: 50)
    network.run(ticks: 6) { message in
      if case .installSnapshot(let piece) = message.body { piece.offset < 30 } else { true }
    }
    #expect(network.storedChunks.count == 3)
    let configuration = network.nodes[2].configuration
    var state = RecoveredState<String>.founding(configuration)
    state.hardState = HardState(term: Term(2), votedFor: nil)
    network.nodes[2] = try RaftNode(
      id: NodeID(3), recovered: state, options: RaftOptions.smallChunks, seed: 5, now: network.clocks[2])
    network.run(ticks: 120)
    #expect(network.storedChunks.map(\.offset) == [0, 10, 20, 0, 10, 20, 30, 40])
    #expect(network.nodes[2].appliedIndex == LogIndex(7))
  }

  @Test(
    "another leader with the same bytes goes on where the first one stopped; with other bytes it begins anew")
  func leaderChange() throws {
    for isSame in [true, false] {
      var network = try Network.thirdMisses(options: RaftOptions.smallChunks)
      network.run(ticks: 6) { $0.to != NodeID(3) && $0.from != NodeID(3) }
      let configuration = try #require(network.nodes[0].configuration(at: LogIndex(7)))
      for position in 0...1 {
        let snapshot = Snapshot(
          last: EntryID(term: Term(2), index: LogIndex(7)), configuration: configuration, bytes: 50,
          fingerprint: isSame ? 1 : UInt64(position) + 1)
        network.input(position) { node, outputs in
          node.didTakeSnapshot(snapshot, into: &outputs)
          node.compact(through: LogIndex(7))
        }
      }
      network.run(ticks: 6) { message in
        if case .installSnapshot(let piece) = message.body { piece.offset < 30 } else { true }
      }
      #expect(network.storedChunks.map(\.offset) == [0, 10, 20])
      network.replaceLeader(0, by: 1)
      network.run(ticks: 30)
      #expect(
        network.storedChunks.dropFirst(3).map(\.offset) == (isSame ? [30, 40] : [0, 10, 20, 30, 40]),
        "\(isSame)")
      #expect(network.nodes[2].appliedIndex == network.nodes[1].appliedIndex)
    }
  }

  @Test(
    "until the installation is durable the old state stands: nothing is acknowledged, nothing is applied (scenario 66)"
  )
  func installationIsAWrite() throws {
    var network = try Network.thirdMisses()
    network.stalled = [2]
    network.snapshot(0)
    network.run(ticks: 20)
    #expect(network.nodes[2].baseIndex == LogIndex(7))
    #expect(network.nodes[2].appliedIndex == LogIndex(2))
    #expect(network.nodes[0].status.peers[1].matchIndex < LogIndex(7))
    #expect(network.nodes[2].installingSnapshot?.last.index == LogIndex(7))
    network.completeWrites(2)
    #expect(network.nodes[2].appliedIndex == LogIndex(7))
    network.run(ticks: 10)
    #expect(network.nodes[0].status.peers[1].matchIndex == LogIndex(7))
  }

  @Test(
    "writes that were under way when a snapshot arrived prove nothing about what follows it (scenario 11)")
  func writesBeforeInstallation() throws {
    var network = try Network(3)
    network.stalled = [2]
    // A deposed leader's entries, up to index 9, are on their way to node 3's disk.
    let stray = (2...9).map { index in
      Entry(
        id: EntryID(term: Term(2), index: LogIndex(UInt64(index))), content: EntryContent.payload("s"),
        bytes: 1)
    }
    let append = AppendEntries(
      previous: EntryID(term: Term(1), index: LogIndex(1)), entriesTerm: Term(2), count: 8,
      commitIndex: LogIndex(1))
    network.say(.appendEntries(append), from: 2, to: 3, term: 2, entries: stray)
    let snapshot = Snapshot(
      last: EntryID(term: Term(3), index: LogIndex(5)),
      configuration: IndexedConfiguration(index: LogIndex(1), configuration: network.nodes[0].configuration),
      bytes: 10, fingerprint: 1)
    network.say(
      .installSnapshot(InstallSnapshot(of: snapshot, offset: 0, count: 10)), from: 1, to: 3, term: 4,
      configuration: snapshot.configuration)
    let entry = Entry(
      id: EntryID(term: Term(4), index: LogIndex(6)), content: EntryContent.payload("new"), bytes: 3)
    network.say(
      .appendEntries(
        AppendEntries(
          previous: snapshot.last, entriesTerm: Term(4), count: 1, commitIndex: LogIndex(6)
        )),
      from: 1, to: 3, term: 4, entries: [entry])
    #expect(network.nodes[2].lastEntry == entry.id)
    network.packets = []
    network.completeWrites(2, count: 1)
    #expect(network.packets.isEmpty, "the first write was that of the stray entries")
    #expect(network.nodes[2].status.durableIndex < LogIndex(5))
    network.completeWrites(2)
    #expect(network.nodes[2].status.durableIndex == LogIndex(6))
    #expect(network.packets.count >= 2)
  }

  @Test("a second snapshot that comes before the first is durable takes its place (scenario 68)")
  func secondSnapshot() throws {
    var network = try Network.thirdMisses()
    network.stalled = [2]
    network.snapshot(0)
    network.run(ticks: 8)
    #expect(network.nodes[2].baseIndex == LogIndex(7))
    for number in 0..<4 {
      try network.propose("later\(number)", at: 0)
      network.deliver { $0.to != NodeID(3) && $0.from != NodeID(3) }
    }
    network.clocks[0] = network.clocks[0] + 29
    network.snapshot(0)
    network.run(ticks: 120) { _ in true }
    network.stalled = []
    network.completeWrites(2)
    network.run(ticks: 120)
    #expect(network.nodes[2].appliedIndex == network.nodes[0].appliedIndex)
    #expect(network.nodes[2].baseIndex >= LogIndex(7))
  }

  @Test(
    "a snapshot of what is there already is refused, and one that contradicts what is committed is ignored (scenario 71)"
  )
  func staleSnapshots() throws {
    var network = try Network.thirdMisses()
    network.run(ticks: 10)
    let configuration = try #require(network.nodes[2].configuration(at: LogIndex(1)))
    network.packets = []
    for (term, expected) in [(2, 1), (1, 0)] as [(UInt64, Int)] {
      let snapshot = Snapshot(
        last: EntryID(term: Term(term), index: LogIndex(5)), configuration: configuration, bytes: 10,
        fingerprint: 1)
      network.packets = []
      network.say(
        .installSnapshot(InstallSnapshot(of: snapshot, offset: 0, count: 10)), from: 1, to: 3, term: 2,
        configuration: snapshot.configuration)
      #expect(network.packets.count == expected)
      #expect(network.storedChunks.isEmpty)
      #expect(network.nodes[2].baseIndex == .zero)
    }
  }

  @Test("a snapshot whose last entry is in the log is not received: its entries are committed instead")
  func snapshotInTheLog() throws {
    var network = try Network.thirdMisses(0)
    try network.propose("a", at: 0)
    network.deliver { message in
      if case .commitNotice = message.body { message.to != NodeID(3) } else { true }
    }
    #expect(network.nodes[2].commitIndex == LogIndex(2))
    #expect(network.nodes[2].lastEntry.index == LogIndex(3))
    let configuration = try #require(network.nodes[2].configuration(at: LogIndex(1)))
    let snapshot = Snapshot(
      last: EntryID(term: Term(2), index: LogIndex(3)), configuration: configuration, bytes: 10,
      fingerprint: 1)
    network.say(
      .installSnapshot(InstallSnapshot(of: snapshot, offset: 0, count: 10)), from: 1, to: 3, term: 2,
      configuration: snapshot.configuration)
    #expect(network.storedChunks.isEmpty)
    #expect(network.nodes[2].commitIndex == LogIndex(3))
  }

  @Test("a snapshot brings its configuration, and an uncommitted one in the log goes (scenarios 48, 51)")
  func configurationOfTheSnapshot() throws {
    var network = try Network(3)
    // Node 3 has a configuration from a leader that was deposed.
    let stray = try Configuration(voters: [member(1), member(2), member(3), member(4), member(5)])
    let entry = Entry(
      id: EntryID(term: Term(2), index: LogIndex(2)), content: EntryContent<String>.configuration(stray),
      bytes: UInt32(stray.encoded().count))
    let append = AppendEntries(
      previous: EntryID(term: Term(1), index: LogIndex(1)), entriesTerm: Term(2), count: 1,
      commitIndex: LogIndex(1))
    network.say(.appendEntries(append), from: 2, to: 3, term: 2, entries: [entry])
    #expect(network.nodes[2].configuration == stray)
    let right = IndexedConfiguration(index: LogIndex(1), configuration: network.nodes[0].configuration)
    let snapshot = Snapshot(
      last: EntryID(term: Term(3), index: LogIndex(8)), configuration: right, bytes: 10, fingerprint: 1)
    network.say(
      .installSnapshot(InstallSnapshot(of: snapshot, offset: 0, count: 10)), from: 1, to: 3, term: 3,
      configuration: snapshot.configuration)
    #expect(network.nodes[2].configuration == right.configuration)
    #expect(network.nodes[2].configuration(at: LogIndex(8)) == right)
  }

  @Test("what a live follower's snapshot needs is not compacted; what a dead one needs is")
  func compactionWaits() throws {
    var network = try Network.thirdMisses(options: RaftOptions.smallChunks)
    network.snapshot(0, bytes: 50)
    // The transfer is under way, and stands still, while the log grows.
    network.isStoringByHand = [2]
    for number in 0..<5 {
      try network.propose("more\(number)", at: 0)
      network.run(ticks: 2)
    }
    let applied = network.nodes[0].appliedIndex
    #expect(applied > LogIndex(7))
    network.input(0) { node, _ in #expect(node.compact(through: applied) == LogIndex(7)) }
    #expect(network.nodes[0].snapshotsInUse.map(\.last.index) == [LogIndex(7)])
    network.run(ticks: 40) { $0.from != NodeID(3) }
    network.input(0) { node, _ in #expect(node.compact(through: applied) == applied) }
  }

  @Test("entries that the applier was given before a snapshot came do not take the state back (scenario 69)")
  func applierBehindSnapshot() throws {
    var network = try Network.thirdMisses(3)
    // Node 3 hands entries 1 and 2 to its applier, which is slow.
    var node = try RaftNode(
      id: NodeID(3), recovered: RecoveredState<String>.founding(network.nodes[0].configuration), seed: 1)
    var outputs = Outputs()
    let handedOut = node.takeCommitted(bytesMax: 1000)
    let range = try #require(handedOut)
    let snapshot = Snapshot(
      last: EntryID(term: Term(2), index: LogIndex(5)),
      configuration: try #require(network.nodes[0].configuration(at: LogIndex(5))), bytes: 10, fingerprint: 1)
    network.snapshot(0)
    let piece = Message.Body.installSnapshot(InstallSnapshot(of: snapshot, offset: 0, count: 10))
    node.step(
      Message(from: NodeID(1), to: NodeID(3), term: Term(2), body: piece),
      configuration: snapshot.configuration, into: &outputs)
    node.didStoreChunk(fingerprint: 1, through: 10, into: &outputs)
    let write = node.takeWrite()
    let during = node.takeCommitted(bytesMax: 1000)
    #expect(during == nil, "nothing is handed out while the installation is under way")
    if let write { node.didPersist(write.assumeDurable(), into: &outputs) }
    #expect(node.appliedIndex == LogIndex(5))
    node.didApply(through: range.through)
    #expect(node.appliedIndex == LogIndex(5))
    let after = node.takeCommitted(bytesMax: 1000)
    #expect(after == nil)
  }

  @Test(
    "a peer that has caught up by other means needs its snapshot no more, however late it says so (scenario 70)"
  )
  func lateAnswer() throws {
    var network = try Network.thirdMisses(options: RaftOptions.smallChunks)
    network.snapshot(0, bytes: 50)
    network.run(ticks: 6) { message in
      if case .installSnapshot(let piece) = message.body { piece.offset < 20 } else { true }
    }
    #expect(network.nodes[0].status.peers[1].replication == .snapshot(sent: 20, bytes: 50))
    // What it holds comes to light by an acknowledgement of entries, out of a message that was long on its way.
    network.say(.appendEntriesReply(.accepted(match: LogIndex(7))), from: 3, to: 1, term: 2)
    #expect(network.nodes[0].status.peers[1].replication == .pipeline)
    #expect(network.nodes[0].snapshotsInUse == [])
    network.say(.installSnapshotReply(.covered(through: LogIndex(7))), from: 3, to: 1, term: 2)
    #expect(network.nodes[0].status.peers[1].matchIndex == LogIndex(7))
  }

  @Test(
    "a crash between keeping a snapshot and trimming the log is no gap; a log that begins behind it is (scenario 72)"
  )
  func restartBesideSnapshot() throws {
    var network = try Network.thirdMisses(3)
    network.run(ticks: 10)
    let entries = Array(try #require(network.nodes[0].entries(after: .zero, through: LogIndex(5))))
    let configuration = try #require(network.nodes[0].configuration(at: LogIndex(4)))
    let snapshot = Snapshot(
      last: EntryID(term: Term(2), index: LogIndex(4)), configuration: configuration, bytes: 10,
      fingerprint: 1)
    func start(base: EntryID, from first: Int, applied: UInt64) throws -> RaftNode<String> {
      let state = RecoveredState<String>(
        hardState: HardState(term: Term(2), votedFor: nil), base: base,
        baseConfiguration: base == .zero ? nil : configuration, entries: Array(entries[first...]),
        commitIndex: LogIndex(max(applied, base.index.rawValue)), appliedIndex: LogIndex(applied),
        snapshot: snapshot)
      return try RaftNode(id: NodeID(1), recovered: state, seed: 1)
    }
    // Kept, and not trimmed yet; and trimmed as far as the snapshot reaches.
    #expect(try start(base: .zero, from: 0, applied: 4).lastEntry.index == LogIndex(5))
    #expect(try start(base: snapshot.last, from: 4, applied: 4).baseIndex == LogIndex(4))
    // Trimmed, but the snapshot that covers the trimmed part was not installed.
    #expect(throws: RecoveryError.self) { try start(base: snapshot.last, from: 4, applied: 3) }
    // The log begins beyond the snapshot.
    let beyond = EntryID(term: Term(2), index: LogIndex(5))
    #expect(throws: RecoveryError.self) { try start(base: beyond, from: 5, applied: 5) }
  }

  @Test("what could not be stored, or does not verify, is transferred from the beginning")
  func failedStore() throws {
    var network = try Network.thirdMisses(options: RaftOptions.smallChunks)
    network.isStoringByHand = [2]
    network.snapshot(0, bytes: 30)
    network.run(ticks: 6)
    let piece = try #require(network.storedChunks.first)
    network.input(2) { node, outputs in
      node.didFailToStore(fingerprint: piece.fingerprint, into: &outputs)
    }
    network.isStoringByHand = []
    network.run(ticks: 120)
    #expect(network.nodes[2].appliedIndex == LogIndex(7))
  }

  @Test("an answer to a snapshot that is over, or that nobody sends, is ignored")
  func strayAnswers() throws {
    var network = try Network.thirdMisses()
    network.run(ticks: 10)
    let replies: [InstallSnapshotReply] = [
      .wants(fingerprint: 9, offset: 5), .covered(through: LogIndex(1)), .covered(through: LogIndex(1 << 40)),
    ]
    for reply in replies { network.say(.installSnapshotReply(reply), from: 3, to: 1, term: 2) }
    #expect(network.pieces.isEmpty)
    #expect(network.nodes[0].status.peers[1].matchIndex == LogIndex(7))
  }

  @Test("pieces that lie outside their snapshot, or promise what cannot be, are ignored")
  func impossiblePieces() throws {
    var network = try Network.thirdMisses()
    let configuration = IndexedConfiguration(
      index: LogIndex(1), configuration: network.nodes[0].configuration)
    func piece(_ last: (UInt64, UInt64), bytes: UInt64, offset: UInt64, count: UInt32, at index: UInt64 = 1) {
      var configuration = configuration
      configuration.index = LogIndex(index)
      let snapshot = Snapshot(
        last: EntryID(term: Term(last.0), index: LogIndex(last.1)), configuration: configuration,
        bytes: bytes,
        fingerprint: 1)
      network.say(
        .installSnapshot(InstallSnapshot(of: snapshot, offset: offset, count: count)), from: 1, to: 3,
        term: 2, configuration: snapshot.configuration)
    }
    piece((2, 50), bytes: 10, offset: 5, count: 6)
    piece((2, 50), bytes: 10, offset: 11, count: 0)
    piece((2, 50), bytes: .max, offset: .max, count: 6)
    piece((3, 50), bytes: 10, offset: 0, count: 10)
    piece((2, .max), bytes: 10, offset: 0, count: 10)
    piece((2, 50), bytes: 10, offset: 0, count: 10, at: 51)
    #expect(network.storedChunks.isEmpty)
    #expect(network.nodes[2].baseIndex == .zero)
  }
}
