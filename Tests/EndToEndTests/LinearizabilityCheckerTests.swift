import Testing

@Suite("The checker of linearizability")
struct LinearizabilityCheckerTests {
  private typealias Operation = KeyedOperation<String, String>

  private func write(
    _ value: String?, _ start: UInt64, _ end: UInt64?, key: String = "k", notExecuted: Bool = false
  ) -> KeyedOperation<String, String> {
    let ending: Operation.Ending = notExecuted ? .notExecuted : end.map { .acknowledged(at: $0) } ?? .unknown
    return Operation(key: key, action: .write(value), start: start, ending: ending)
  }

  private func read(
    _ value: String?, _ start: UInt64, _ end: UInt64, key: String = "k"
  ) -> KeyedOperation<String, String> {
    Operation(key: key, action: .read(value), start: start, ending: .acknowledged(at: end))
  }

  private func findings(_ history: [KeyedOperation<String, String>]) -> [String] {
    LinearizabilityChecker<String, String>().check(history).map(\.description)
  }

  @Test("accepts an empty history, and reads of nothing")
  func acceptsTheEmptyHistory() {
    #expect(findings([]).isEmpty)
    #expect(findings([read(nil, 1, 2)]).isEmpty)
  }

  @Test("accepts what happens one after another, with deletes")
  func acceptsSequences() {
    #expect(
      findings([
        write("a", 1, 2), read("a", 3, 4), write("b", 5, 6), read("b", 7, 8), write(nil, 9, 10),
        read(nil, 11, 12),
      ]).isEmpty)
  }

  @Test("accepts either value while a write is under way")
  func acceptsEitherValueDuringAWrite() {
    #expect(findings([write("a", 1, 2), write("b", 3, 10), read("a", 4, 5), read("b", 6, 7)]).isEmpty)
    #expect(findings([write("a", 1, 2), write("b", 3, 10), read("b", 4, 5), read("b", 6, 7)]).isEmpty)
  }

  @Test("takes operations that touch for overlapping")
  func acceptsTouchingOperations() {
    #expect(findings([write("a", 1, 5), read(nil, 5, 6)]).isEmpty)
    #expect(!findings([write("a", 1, 5), read(nil, 6, 7)]).isEmpty)
  }

  @Test("accepts writes in another order than they were sent in, if they overlap")
  func acceptsReorderedOverlappingWrites() {
    #expect(
      findings([write("a", 1, 10), write("b", 2, 9), write("c", 3, 8), read("c", 11, 12), read("c", 13, 14)])
        .isEmpty)
    #expect(findings([write("a", 1, 10), write("b", 2, 9), read("a", 11, 12)]).isEmpty)
  }

  @Test("rejects a stale read")
  func rejectsAStaleRead() {
    let found = findings([write("a", 1, 2), write("b", 3, 4), read("a", 5, 6)])
    #expect(found.count == 1)
    #expect(found.first?.contains("the read of a by client 0 from 5 to 6") == true)
    #expect(found.first?.contains("the value was one of b") == true)
  }

  @Test("rejects a read that goes back, while a write is under way")
  func rejectsAReadThatGoesBack() {
    #expect(!findings([write("a", 1, 2), write("b", 3, 10), read("b", 4, 5), read("a", 6, 7)]).isEmpty)
  }

  @Test("rejects a lost write")
  func rejectsALostWrite() {
    #expect(!findings([write("a", 1, 2), read(nil, 3, 4)]).isEmpty)
    #expect(!findings([write("a", 1, 2), write("b", 3, 4), read("b", 5, 6), read("a", 7, 8)]).isEmpty)
  }

  @Test("rejects a deleted value that comes back")
  func rejectsAResurrection() {
    #expect(!findings([write("a", 1, 2), write(nil, 3, 4), read("a", 5, 6)]).isEmpty)
  }

  @Test("rejects a value that nobody wrote, or that was written later")
  func rejectsValuesFromNowhere() {
    #expect(!findings([read("a", 1, 2)]).isEmpty)
    #expect(!findings([read("a", 1, 2), write("a", 3, 4)]).isEmpty)
  }

  @Test("rejects a write that was promised never to happen, and happened")
  func rejectsANotExecutedWriteThatAppears() {
    #expect(!findings([write("a", 1, nil, notExecuted: true), read("a", 5, 6)]).isEmpty)
    #expect(findings([write("a", 1, nil, notExecuted: true), read(nil, 5, 6)]).isEmpty)
  }

  @Test("lets a write of unknown outcome happen never, or at any later time, but only once")
  func letsUnknownWritesHappenOnce() {
    let unknown = write("u", 1, nil)
    #expect(findings([unknown, write("a", 2, 3), read("a", 4, 5)]).isEmpty)
    #expect(findings([unknown, write("a", 2, 3), read("a", 4, 5), read("u", 50, 51)]).isEmpty)
    #expect(
      !findings([unknown, write("a", 2, 3), read("u", 4, 5), write("b", 6, 7), read("u", 8, 9)]).isEmpty)
    #expect(!findings([write("a", 2, 3), read("u", 4, 5), write("u", 6, nil)]).isEmpty)
  }

  @Test("lets a delete of unknown outcome explain one absence, not two")
  func letsUnknownDeletesHappenOnce() {
    let unknown = write(nil, 1, nil)
    #expect(findings([write("a", 2, 3), unknown, read("a", 4, 5), read(nil, 6, 7)]).isEmpty)
    #expect(
      !findings([write("a", 2, 3), unknown, read(nil, 4, 5), write("b", 6, 7), read(nil, 8, 9)]).isEmpty)
  }

  @Test("judges each key for itself, and names the ones that are wrong")
  func judgesEachKey() {
    let found = LinearizabilityChecker<String, String>().check([
      write("a", 1, 2, key: "x"), read(nil, 3, 4, key: "x"), write("a", 1, 2, key: "y"),
      read("a", 3, 4, key: "y"),
      read("a", 3, 4, key: "z"),
    ])
    let keys: [String?] = found.map { if case .violation(let key, _) = $0 { key } else { nil } }
    #expect(keys == ["x", "z"])
  }

  @Test("says so when it cannot decide")
  func admitsTooManyConfigurations() {
    var checker = LinearizabilityChecker<String, String>()
    checker.configurationsMax = 100
    var history = (0..<20).map { write("w\($0)", 1, 100) }
    history.append(read("x", 101, 102))
    #expect(checker.check(history) == [.undecided(key: "k")])
  }

  /// Runs a register that is right: every operation takes effect at one random instant.
  private func simulatedHistory(
    of clients: Int, operations: Int, seed: UInt64
  ) -> [KeyedOperation<String, String>] {
    var random = SeededRandom(seed: seed)
    var history: [Operation] = []
    var atClient = [UInt64](repeating: 0, count: clients)
    var effects: [(time: UInt64, position: Int)] = []
    for number in 0..<operations {
      let client = number % clients
      let start = atClient[client] + UInt64.random(in: 1...10, using: &random)
      let effect = start + UInt64.random(in: 0...50, using: &random)
      let end = effect + UInt64.random(in: 0...50, using: &random)
      atClient[client] = end + 1
      let isWrite = Bool.random(using: &random)
      let value = Int.random(in: 0..<10, using: &random) == 0 ? nil : "v\(number)"
      let isUnknown = isWrite && Int.random(in: 0..<100, using: &random) == 0
      history.append(
        Operation(
          key: "k", action: isWrite ? .write(value) : .read(nil), start: start,
          ending: isUnknown ? .unknown : .acknowledged(at: end), client: client))
      effects.append((effect, number))
    }
    var value: String?
    for effect in effects.sorted(by: { ($0.time, $0.position) < ($1.time, $1.position) }) {
      switch history[effect.position].action {
      case .write(let written): value = written
      case .read: history[effect.position].action = .read(value)
      case .replace, .increment: break
      }
    }
    return history
  }

  @Test("accepts thousands of operations on one key", arguments: [1, 2])
  func acceptsLongHistories(seed: UInt64) {
    #expect(findings(simulatedHistory(of: 4, operations: 3_000, seed: seed)).isEmpty)
    #expect(findings(simulatedHistory(of: 12, operations: 100, seed: seed)).isEmpty)
  }

  @Test("finds one stale read among thousands of operations", arguments: [1, 2])
  func findsOneStaleRead(seed: UInt64) throws {
    var history = simulatedHistory(of: 4, operations: 3_000, seed: seed)
    let old = try #require(
      history[..<1_000].last { if case .read(.some) = $0.action { true } else { false } })
    let position = try #require(
      history[2_000...].firstIndex { if case .read = $0.action { true } else { false } })
    history[position].action = old.action
    #expect(findings(history).count == 1)
  }
}

@Suite("The checker of linearizability, of counters and transactions")
struct CounterCheckerTests {
  private typealias Operation = KeyedOperation<String, String>

  private func operation(
    _ action: KeyedOperation<String, String>.Action, _ start: UInt64, _ end: UInt64?
  ) -> KeyedOperation<String, String> {
    Operation(key: "k", action: action, start: start, ending: end.map { .acknowledged(at: $0) } ?? .unknown)
  }

  private func isLinearizable(_ history: [KeyedOperation<String, String>]) -> Bool {
    var checker = LinearizabilityChecker<String, String>()
    checker.successor = { String((Int($0 ?? "0") ?? 0) + 1) }
    return checker.check(history).isEmpty
  }

  @Test("accepts increments in any order that overlap, and each once")
  func increments() {
    let one = operation(.increment("1"), 1, 10)
    #expect(isLinearizable([one, operation(.increment("2"), 2, 9), operation(.read("2"), 11, 12)]))
    #expect(isLinearizable([operation(.increment("2"), 1, 10), operation(.increment("1"), 2, 9)]))
    #expect(!isLinearizable([one, operation(.increment("1"), 11, 12)]))
    #expect(!isLinearizable([one, operation(.increment("3"), 11, 12)]))
    #expect(!isLinearizable([operation(.increment("2"), 1, 2), operation(.increment("1"), 3, 4)]))
  }

  @Test("an increment of unknown outcome has happened, will, or never")
  func unknownIncrements() {
    let unknown = operation(.increment(nil), 1, nil)
    #expect(isLinearizable([unknown, operation(.increment("1"), 5, 6), operation(.increment("2"), 7, 8)]))
    #expect(isLinearizable([unknown, operation(.increment("2"), 5, 6), operation(.increment("3"), 7, 8)]))
    #expect(isLinearizable([unknown, operation(.increment("1"), 5, 6), operation(.increment("3"), 7, 8)]))
    #expect(!isLinearizable([unknown, operation(.increment("3"), 5, 6)]))
  }

  @Test("a value is only replaced while it is there")
  func replacements() {
    let write = operation(.write("a"), 1, 2)
    #expect(isLinearizable([write, operation(.replace("a", with: "b"), 3, 4), operation(.read("b"), 5, 6)]))
    #expect(!isLinearizable([write, operation(.replace("x", with: "b"), 3, 4)]))
    // Two that saw the same value cannot both have replaced it.
    #expect(
      !isLinearizable([
        write, operation(.replace("a", with: "b"), 3, 9), operation(.replace("a", with: "c"), 3, 9),
      ]))
    #expect(
      isLinearizable([
        write, operation(.replace("b", with: "c"), 3, 9), operation(.replace("a", with: "b"), 3, nil),
      ]))
  }
}
