import Foundation
import RaftCore
import Testing

@Suite("The documentation of RaftCore")
struct DocumentationTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  static let catalogue = root.appending(path: "Sources/RaftCore/RaftCore.docc")
  static let articles =
    ((try? FileManager.default.contentsOfDirectory(atPath: catalogue.path)) ?? []).filter {
      $0.hasSuffix(".md")
    }.sorted()

  /// The examples that are compiled, by name.
  private static func examples() throws -> [String: String] {
    var found: [String: String] = [:]
    var open: (name: String, lines: [Substring])?
    let file = root.appending(path: "Tests/RaftCoreTests/DocumentationExamples.swift")
    for line in try String(contentsOf: file, encoding: .utf8).split(
      separator: "\n", omittingEmptySubsequences: false)
    {
      let trimmed = line.drop { $0 == " " }
      if let match = trimmed.wholeMatch(of: /\/\/ example: (\S+)/) {
        open = (String(match.output.1), [])
      } else if trimmed == "// end", let example = open {
        #expect(found[example.name] == nil, "two examples have the name \(example.name)")
        found[example.name] = withoutIndentation(example.lines)
        open = nil
      } else {
        open?.lines.append(line)
      }
    }
    return found
  }

  /// The blocks of Swift in an article, each with the name in the comment before it.
  private static func blocks(of article: String) throws -> [(name: String?, text: String)] {
    let text = try String(contentsOf: catalogue.appending(path: article), encoding: .utf8)
    var found: [(name: String?, text: String)] = []
    var before: Substring = ""
    var open: [Substring]?
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      if let lines = open {
        guard line == "```" else {
          open?.append(line)
          continue
        }
        let name = before.wholeMatch(of: /<!-- example: (\S+) -->/).map { String($0.output.1) }
        found.append((name, withoutIndentation(lines)))
        open = nil
      } else if line == "```swift" {
        open = []
      }
      if open == nil, !line.isEmpty { before = line }
    }
    return found
  }

  private static func withoutIndentation(_ lines: [Substring]) -> String {
    let depth = lines.filter { !$0.isEmpty }.map { $0.prefix { $0 == " " }.count }.min() ?? 0
    return lines.map { String($0.dropFirst(depth)) }.joined(separator: "\n")
  }

  @Test("every example in an article is one that is compiled and run", arguments: articles)
  func examplesAreCompiled(_ article: String) throws {
    let examples = try Self.examples()
    for block in try Self.blocks(of: article) {
      let name = try #require(block.name, "an example in \(article) has no name: \(block.text)")
      #expect(examples[name] == block.text, "\(article) and the example \(name) differ")
    }
  }

  @Test("every example that is compiled stands in an article")
  func examplesAreShown() throws {
    let shown = try Self.articles.flatMap { try Self.blocks(of: $0).compactMap(\.name) }
    for name in try Self.examples().keys { #expect(shown.contains(name), "\(name) is in no article") }
    #expect(!shown.isEmpty)
  }

  @Test("the cluster of one applies what it is given")
  func runClusterOfOne() throws { #expect(try clusterOfOne() == ["hello"]) }

  @Test("three driven nodes elect a leader, commit, answer, and read")
  func runDrivers() throws {
    var cluster = try ExampleCluster(3)
    cluster.run(ticks: 200)
    let leader = try #require(cluster.leader)
    let entry = try cluster.drivers[leader].propose("a", at: cluster.now)
    cluster.run(ticks: 10)
    #expect(cluster.drivers.allSatisfy { $0.words == ["a"] })
    #expect(cluster.drivers[leader].succeeded == [entry])
    for position in cluster.drivers.indices { cluster.drivers[position].ask(at: cluster.now) }
    cluster.run(ticks: 10)
    #expect(cluster.drivers.allSatisfy { $0.answers == [["a"]] })
  }

  @Test("a proposal whose index went to another entry has failed")
  func runSettling() throws {
    var driver = ExampleDriver(try foundingNode(0, of: ["n1:1"], seed: 1, now: .zero))
    let lost = EntryID(term: Term(2), index: LogIndex(4))
    driver.waiting = [lost]
    driver.settle(EntryID(term: Term(3), index: LogIndex(4)))
    #expect(driver.failed == [lost])
    #expect(driver.waiting.isEmpty)
  }

  @Test("founders and newcomers start again from what was stored before their first input")
  func runFirstLives() throws {
    var cluster = try ExampleCluster(3)
    cluster.drivers.append(
      ExampleDriver(
        try newcomer(NodeID(4), knowing: cluster.drivers[0].node.configuration, now: cluster.now)))
    for hasLived in [false, true] {
      if hasLived { cluster.run(ticks: 200) }
      for driver in cluster.drivers {
        #expect(driver.disk.hardState.term == driver.node.term)
        let restarted = try ExampleDriver(
          restartedFrom: driver.disk, id: driver.node.id, seed: 9, at: cluster.now)
        #expect(restarted.node.lastEntry == driver.node.lastEntry)
        #expect(restarted.node.configuration == driver.node.configuration)
      }
    }
  }

  @Test("several writes are proven in order, and a failed one ends the node")
  func runWrites() throws {
    var cluster = try ExampleCluster(1)
    cluster.run(ticks: 100)
    var driver = cluster.drivers[0]
    let committed = driver.node.commitIndex
    try proposeTwo(&driver.node, &driver.outputs)
    #expect(driver.node.commitIndex == committed.advanced(by: 2))
    try driver.node.propose("c", bytes: 1, into: &driver.outputs)
    while let write = driver.node.takeWrite() {
      let slot = WriteSlot(write)
      #expect(throws: CancellationError.self) {
        guard let write = slot.take() else { return }
        try prove(write) { throw CancellationError() }.abandon()
      }
    }
  }

  @Test("a newcomer becomes learner, voter, and takes the place of another")
  func runMembership() throws {
    var cluster = try ExampleCluster(3)
    cluster.run(ticks: 200)
    let leader = try #require(cluster.leader)
    let new = Member(id: NodeID(4), address: "n4:1", store: .durable)
    cluster.drivers.append(
      ExampleDriver(
        try newcomer(new.id, knowing: cluster.drivers[leader].node.configuration, now: cluster.now)))
    let others = cluster.drivers.indices.filter { $0 != leader && $0 < 3 }
    let old = cluster.drivers[others[0]].node.id
    var invited: EntryID?
    try cluster.drivers[leader].feed(at: cluster.now) { node, outputs in
      invited = try invite(new, at: &node, into: &outputs)
    }
    let place = try #require(invited)
    cluster.drivers[leader].waiting.append(place)
    cluster.run(ticks: 20)
    #expect(cluster.drivers[leader].succeeded == [place])
    #expect(cluster.drivers[3].node.configuration.learners == [new.id])
    var isDone = false
    try cluster.drivers[leader].feed(at: cluster.now) { node, outputs in
      isDone = try replace(old, by: new.id, at: &node, into: &outputs)
      #expect(!isSettled(node))
    }
    #expect(isDone)
    cluster.run(ticks: 20)
    #expect(isSettled(cluster.drivers[3].node))
    #expect(cluster.drivers[3].node.configuration.isVoter(new.id))
    #expect(hasLeft(cluster.drivers[others[0]].node))
    #expect(!hasLeft(cluster.drivers[3].node))
  }

  @Test("a node that was away gets a snapshot in pieces, and starts again from it")
  func runSnapshots() throws {
    var options = RaftOptions()
    options.snapshotChunkBytes = 16
    var cluster = try ExampleCluster(3, options: options)
    cluster.run(ticks: 200)
    let leader = try #require(cluster.leader)
    let away = (leader + 1) % 3
    cluster.unreachable = [away]
    for number in 0..<20 { try cluster.drivers[leader].propose("word \(number)", at: cluster.now) }
    cluster.run(ticks: 5)
    cluster.drivers[leader].takeSnapshot()
    let base = cluster.drivers[leader].node.baseIndex
    #expect(base > LogIndex(20))
    cluster.unreachable = []
    cluster.run(ticks: 300)
    #expect(cluster.drivers[away].words == cluster.drivers[leader].words)
    #expect(cluster.drivers[away].node.baseIndex == base)
    let restarted = try ExampleDriver(
      restartedFrom: cluster.drivers[away].disk, id: cluster.drivers[away].node.id, seed: 9, at: cluster.now)
    #expect(restarted.words.count == 20)
    #expect(restarted.node.baseIndex == base)
    for _ in 0..<3 {
      for position in cluster.drivers.indices { cluster.drivers[position].takeSnapshot() }
      try cluster.drivers[leader].propose("more", at: cluster.now)
      cluster.run(ticks: 10)
    }
    for driver in cluster.drivers {
      #expect(driver.offered.map(\.snapshot) == [driver.node.status.snapshot], "old ones are not kept")
    }
  }

  @Test("what a driver has received of a snapshot that is given up, it throws away")
  func runDiscarding() throws {
    var driver = try ExampleCluster(3).drivers[2]
    let bytes = encode(["a", "b"])
    let snapshot = Snapshot(
      last: EntryID(term: Term(2), index: LogIndex(9)),
      configuration: try #require(driver.node.configuration(at: LogIndex(1))), bytes: UInt64(bytes.count),
      fingerprint: fingerprint(of: bytes))
    func send(_ range: Range<Int>, _ bytes: Bytes) {
      let piece = InstallSnapshot(of: snapshot, offset: UInt64(range.lowerBound), count: UInt32(range.count))
      var frame = ExampleDriver.Frame(
        Message(from: NodeID(1), to: NodeID(3), term: Term(2), body: .installSnapshot(piece)))
      frame.configuration = snapshot.configuration
      frame.bytes = Bytes(bytes[range])
      driver.receive(frame, at: .zero)
    }
    send(0..<4, bytes)
    #expect(driver.received.count == 4)
    send(4..<bytes.count, bytes.reversed())
    #expect(driver.received.isEmpty, "the last piece did not verify")
    send(0..<4, bytes)
    send(4..<bytes.count, bytes)
    #expect(driver.words == ["a", "b"])
  }

  @Test("a node that stops right behind its snapshot starts again, though no write says what is committed")
  func runRestartBehindSnapshot() throws {
    var cluster = try ExampleCluster(1)
    cluster.run(ticks: 100)
    try cluster.drivers[0].propose("a", at: cluster.now)
    cluster.drivers[0].takeSnapshot()
    let stopped = cluster.drivers[0]
    let applied = stopped.node.appliedIndex
    #expect(stopped.disk.commitIndex < applied)
    let restarted = try ExampleDriver(
      restartedFrom: stopped.disk, id: stopped.node.id, seed: 9, at: cluster.now)
    #expect(restarted.words == ["a"])
    #expect(restarted.node.appliedIndex == applied)
    #expect(restarted.node.commitIndex == applied)
  }

  @Test("leases are switched on for the whole cluster, and answer at once")
  func runLeases() throws {
    var cluster = try ExampleCluster(3)
    cluster.run(ticks: 200)
    let leader = try #require(cluster.leader)
    try cluster.drivers[leader].feed(at: cluster.now) { node, outputs in
      try useLeases(true, at: &node, into: &outputs)
    }
    cluster.run(ticks: 20)
    cluster.unreachable = Set(0..<3)
    cluster.drivers[leader].ask(at: cluster.now)
    #expect(cluster.drivers[leader].answers.count == 1)
  }
}

/// Nodes in one process, with a clock and a network that is a list.
struct ExampleCluster {
  var drivers: [ExampleDriver] = []
  var now = Ticks.zero
  var unreachable: Set<Int> = []

  init(_ count: Int, options: RaftOptions = RaftOptions()) throws {
    let addresses = (1...count).map { "n\($0):1" }
    for number in 0..<count {
      drivers.append(
        ExampleDriver(
          try foundingNode(number, of: addresses, options: options, seed: UInt64(number), now: now)))
    }
  }

  var leader: Int? { drivers.firstIndex { $0.node.isLeader } }

  mutating func run(ticks: Int) {
    for _ in 0..<ticks {
      now = now + 1
      for position in drivers.indices { drivers[position].feed(at: now) { _, _ in } }
      deliver()
    }
  }

  private mutating func deliver() {
    while let from = drivers.firstIndex(where: { !$0.sent.isEmpty }) {
      let frame = drivers[from].sent.removeFirst()
      guard !unreachable.contains(from),
        let to = drivers.firstIndex(where: { $0.node.id == frame.message.to }), !unreachable.contains(to),
        let arrived = try? ExampleDriver.Frame(decoding: frame.encoded())
      else { continue }
      drivers[to].receive(arrived, at: now)
    }
  }
}
