import RaftCore
import RaftSimulation
import Testing

@Suite("Known histories of maps")
struct LinearizabilityCheckerTests {
  typealias Operation = ClientOperation<KeyValueModel.Input, KeyValueModel.Output>

  private func write(
    _ value: Int?, _ start: UInt64, _ ending: Operation.Ending, key: String = "x", client: Int = 1
  ) -> Operation {
    Operation(client: client, invocation: start, input: .write(key, value), ending: ending)
  }

  private func read(
    _ value: Int?, _ start: UInt64, _ end: UInt64, key: String = "x", client: Int = 2
  ) -> Operation {
    Operation(
      client: client, invocation: start, input: .read(key), ending: .completed(.value(value), at: end))
  }

  private func compareAndSet(
    _ expected: Int?, _ new: Int?, _ start: UInt64, _ output: KeyValueModel.Output, _ end: UInt64
  ) -> Operation {
    Operation(
      client: 3, invocation: start, input: .compareAndSet("x", expected: expected, new: new),
      ending: .completed(output, at: end))
  }

  private func done(_ end: UInt64) -> Operation.Ending { .completed(.written, at: end) }

  private func verdict(_ history: Operation...) -> LinearizabilityVerdict {
    LinearizabilityChecker(KeyValueModel()).check(history)
  }

  private func wrongOperation(_ history: Operation...) -> Int? {
    guard case .violation(let explanation) = LinearizabilityChecker(KeyValueModel()).check(history) else {
      return nil
    }
    return explanation.operation
  }

  @Test("nothing, and reads of nothing, are linearizable")
  func nothing() {
    #expect(verdict() == .linearizable)
    #expect(verdict(read(nil, 1, 2), read(nil, 1, 2, key: "y")) == .linearizable)
  }

  @Test("a stale read is found")
  func staleRead() {
    #expect(wrongOperation(write(1, 1, done(2)), write(2, 3, done(4)), read(1, 5, 6)) == 2)
    #expect(wrongOperation(write(1, 1, done(2)), write(2, 3, done(9)), read(2, 4, 5), read(1, 6, 7)) == 3)
  }

  @Test("a read may see what overlaps it, and an instant that two share is an overlap")
  func overlap() {
    #expect(
      verdict(write(1, 1, done(2)), write(2, 3, done(9)), read(1, 4, 5), read(2, 6, 7)) == .linearizable)
    #expect(verdict(write(1, 1, done(2)), write(2, 3, done(4)), read(1, 4, 6)) == .linearizable)
  }

  @Test("a lost write is found")
  func lostWrite() {
    #expect(wrongOperation(write(1, 1, done(2)), read(nil, 3, 4)) == 1)
  }

  @Test("of two comparisons with the same value only one can succeed")
  func bothSucceed() {
    #expect(
      wrongOperation(
        write(1, 1, done(2)), compareAndSet(1, 2, 3, .compared(true), 6),
        compareAndSet(1, 3, 4, .compared(true), 7)) == 2)
    #expect(
      verdict(
        write(1, 1, done(2)), compareAndSet(1, 2, 3, .compared(true), 6),
        compareAndSet(1, 3, 4, .compared(false), 7)) == .linearizable)
    #expect(
      wrongOperation(
        write(1, 1, done(2)), compareAndSet(1, 2, 3, .compared(true), 6),
        compareAndSet(1, 3, 4, .value(5), 7)) == 2)
  }

  @Test("a comparison with the value that is there cannot fail")
  func failsForNoReason() {
    #expect(wrongOperation(write(1, 1, done(2)), compareAndSet(1, 2, 3, .compared(false), 4)) == 1)
    #expect(wrongOperation(write(1, 1, done(2)), compareAndSet(1, 2, 3, .value(1), 4)) == 1)
  }

  @Test("an answer that does not fit the question is never right")
  func answerOfAnotherKind() {
    #expect(wrongOperation(write(1, 1, .completed(.compared(true), at: 2))) == 0)
  }

  @Test("a read of a value that was never written is found, in however long a history")
  func neverWritten() {
    var history = (0..<1000).map { write($0, UInt64($0) * 2, done(UInt64($0) * 2 + 3)) }
    history.append(read(5000, 1500, 1510))
    guard case .violation(let explanation) = LinearizabilityChecker(KeyValueModel()).check(history) else {
      Issue.record("not found")
      return
    }
    #expect(explanation.operation == 1000)
  }

  @Test("a write that was promised not to happen must not be seen")
  func notExecuted() {
    let history = [write(1, 1, .notExecuted, client: 7), read(1, 2, 3)]
    guard case .violation(let explanation) = LinearizabilityChecker(KeyValueModel()).check(history) else {
      Issue.record("not found")
      return
    }
    #expect(
      explanation.lines == [
        "key x is not linearizable: nothing explains",
        "  read -> 1 by client 2 from 2 to 3",
        "nothing was answered before",
        "which leaves: nothing",
        "promised never to take effect:",
        "  write 1 by client 7 since 1",
      ])
  }

  @Test("a write of unknown outcome happens late, or never, but once")
  func unknown() {
    let unknown = write(1, 1, .unknown)
    #expect(verdict(unknown, write(2, 2, done(3)), read(2, 4, 5), read(1, 100, 101)) == .linearizable)
    #expect(verdict(unknown, write(2, 2, done(3)), read(2, 100, 101)) == .linearizable)
    #expect(wrongOperation(unknown, read(1, 2, 3), write(2, 4, done(5)), read(2, 6, 7), read(1, 8, 9)) == 4)
    #expect(wrongOperation(read(1, 2, 3), write(1, 4, .unknown)) == 0)
  }

  @Test(
    "a write of unknown outcome that was seen and overwritten does not happen again for another unknown one")
  func unknownChain() {
    let unknown = write(1, 1, .unknown)
    let chained = Operation(
      client: 4, invocation: 1, input: .compareAndSet("x", expected: 1, new: 2), ending: .unknown)
    #expect(verdict(unknown, chained, write(0, 3, done(4)), read(2, 5, 6)) == .linearizable)
    #expect(wrongOperation(unknown, chained, read(1, 1, 2), write(0, 3, done(4)), read(2, 5, 6)) == 4)
    #expect(
      verdict(unknown, unknown, chained, read(1, 1, 2), write(0, 3, done(4)), read(2, 5, 6)) == .linearizable)
  }

  @Test("a value that no one read may be what kept a comparison from succeeding")
  func unseenValue() {
    let first = write(1, 1, done(3))
    let changed = compareAndSet(1, 2, 4, .compared(true), 5)
    let failed = compareAndSet(2, 3, 6, .compared(false), 7)
    #expect(verdict(first, changed, failed, write(9, 1, done(20))) == .linearizable)
    #expect(verdict(first, changed, failed, write(9, 1, .unknown)) == .linearizable)
    #expect(wrongOperation(first, changed, failed, write(9, 8, done(20))) == 2)
    #expect(wrongOperation(first, changed, failed) == 2)
  }

  @Test("a write of unknown outcome that was seen and overwritten does not make a later comparison fail")
  func unknownAgain() {
    let failed = compareAndSet(1, 5, 5, .compared(false), 6)
    #expect(verdict(write(2, 1, .unknown), write(1, 3, done(4)), failed) == .linearizable)
    #expect(wrongOperation(write(2, 1, .unknown), read(2, 1, 2), write(1, 3, done(4)), failed) == 3)
  }

  @Test("what one key does says nothing of another")
  func keys() {
    #expect(verdict(write(1, 1, done(2)), read(nil, 3, 4, key: "y")) == .linearizable)
  }

  @Test("of several violations the one that is answered first is told, whatever the order of the history")
  func firstViolation() {
    #expect(
      wrongOperation(read(9, 50, 60, key: "a"), read(8, 10, 20, key: "b"), read(7, 30, 40, key: "b")) == 1)
  }

  @Test("an explanation tells what was answered before, and what was under way")
  func explanation() {
    let history = [
      write(1, 1, done(2)), write(2, 3, done(4)), write(6, 3, .unknown, client: 5), read(1, 5, 6),
      write(7, 5, done(20), client: 4), read(1, 30, 31), write(8, 40, .unknown),
    ]
    guard case .violation(let explanation) = LinearizabilityChecker(KeyValueModel()).check(history) else {
      Issue.record("not found")
      return
    }
    #expect(explanation.key == "x")
    #expect(explanation.operation == 3)
    #expect(explanation.linearized == [0, 1])
    #expect(explanation.underWay == [2, 4])
    #expect(
      explanation.description == """
        key x is not linearizable: nothing explains
          read -> 1 by client 2 from 5 to 6
        the 2 operations answered before have an order:
          write 1 by client 1 from 1 to 2
          write 2 by client 1 from 3 to 4
        which leaves: 2
        of unknown outcome then:
          write 6 by client 5 since 3
          write 7 by client 4 since 5
        """)
  }

  @Test("a search that may look at too little says that it does not know")
  func undecided() {
    var random = RandomSource(seed: 1)
    let history = Workload.keyValue(keys: 1, values: 3)
      .longHistory(operations: 200, clients: 8, unknownPercent: 10, &random)
    let few = LinearizabilityChecker(KeyValueModel(), statesMax: 3).check(history)
    #expect(few == .undecided("more than 3 configurations are possible for k0"))
    #expect(LinearizabilityChecker(KeyValueModel()).check(history) == .linearizable)
  }

  @Test("hundreds of unknown writes of one key do not keep a violation from being found")
  func manyUnknown() {
    var history = (1...300).map { write($0, UInt64($0), .unknown) }
    for value in stride(from: 2, through: 300, by: 2) {
      history.append(read(value, 1000 + UInt64(value), 1001 + UInt64(value)))
    }
    #expect(LinearizabilityChecker(KeyValueModel()).check(history) == .linearizable)
    history.append(read(2, 2000, 2001))
    guard case .violation(let explanation) = LinearizabilityChecker(KeyValueModel()).check(history) else {
      Issue.record("not found")
      return
    }
    #expect(explanation.operation == history.count - 1)
  }
}

@Suite("Known histories of counters and lists")
struct LinearizabilityGrowthTests {
  private func count(
    _ input: CounterModel.Input, _ start: UInt64, _ output: UInt64?, _ end: UInt64
  ) -> ClientOperation<CounterModel.Input, UInt64> {
    ClientOperation(
      client: 1, invocation: start, input: input,
      ending: output.map { .completed($0, at: end) } ?? .unknown)
  }

  private func list(
    _ input: AppendLogModel.Input, _ start: UInt64, _ output: AppendLogModel.Output?, _ end: UInt64
  ) -> ClientOperation<AppendLogModel.Input, AppendLogModel.Output> {
    ClientOperation(
      client: 1, invocation: start, input: input,
      ending: output.map { .completed($0, at: end) } ?? .unknown)
  }

  @Test("a double increment is found")
  func doubleIncrement() {
    let checker = LinearizabilityChecker(CounterModel())
    let first = count(.add("n", 1), 1, 1, 2)
    #expect(checker.check([first, count(.read("n"), 3, 1, 4)]) == .linearizable)
    guard case .violation(let explanation) = checker.check([first, count(.read("n"), 3, 2, 4)]) else {
      Issue.record("not found")
      return
    }
    #expect(explanation.operation == 1)
    #expect(checker.check([first, first]) != .linearizable)
  }

  @Test("an increment of unknown outcome counts once at most")
  func unknownIncrement() {
    let checker = LinearizabilityChecker(CounterModel())
    let unknown = count(.add("n", 2), 1, nil, 0)
    #expect(
      checker.check([unknown, count(.add("n", 1), 5, 1, 6), count(.read("n"), 8, 3, 9)]) == .linearizable)
    #expect(
      checker.check([unknown, count(.add("n", 1), 5, 3, 6), count(.read("n"), 8, 5, 9)]) != .linearizable)
  }

  @Test("a full counter stays full")
  func fullCounter() {
    let checker = LinearizabilityChecker(CounterModel())
    let full = count(.add("n", .max), 1, .max, 2)
    #expect(checker.check([full, count(.add("n", 1), 3, .max, 4)]) == .linearizable)
    #expect(checker.check([full, count(.add("n", 1), 3, 0, 4)]) != .linearizable)
  }

  @Test("two numbers cannot stand at one place, and none may be lost")
  func lists() {
    let checker = LinearizabilityChecker(AppendLogModel())
    let first = list(.append("l", 7), 1, .appended(length: 1), 9)
    let second = list(.append("l", 8), 1, .appended(length: 2), 9)
    #expect(checker.check([first, second]) == .linearizable)
    #expect(checker.check([first, list(.append("l", 8), 1, .appended(length: 1), 9)]) != .linearizable)
    #expect(checker.check([second]) != .linearizable)
    let read = list(.read("l"), 10, .list(length: 2, last: 8), 11)
    #expect(checker.check([first, second, read]) == .linearizable)
    #expect(
      checker.check([first, second, list(.read("l"), 10, .list(length: 2, last: 7), 11)]) != .linearizable)
    #expect(
      checker.check([first, second, list(.read("l"), 10, .list(length: 1, last: 7), 11)]) != .linearizable)
    #expect(checker.check([second, read, list(.append("l", 9), 5, nil, 0)]) == .linearizable)
    #expect(checker.check([second, read, list(.append("l", 9), 10, nil, 0)]) != .linearizable)
  }
}
