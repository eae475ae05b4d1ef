import RaftCore
import RaftSimulation
import Testing

@Suite("The linearizability checker and a search of all orders agree")
struct LinearizabilityOracleTests {
  @Test("on maps", arguments: 0..<8)
  func maps(block: UInt64) { compare(.keyValue, seeds: block * 1000..<(block + 1) * 1000) }

  @Test("on counters", arguments: 0..<4)
  func counters(block: UInt64) { compare(.counter, seeds: block * 1500..<(block + 1) * 1500) }

  @Test("on lists", arguments: 0..<4)
  func lists(block: UInt64) { compare(.appendLog, seeds: block * 1500..<(block + 1) * 1500) }

  @Test("on a model that says nothing of the effects of its operations")
  func unclear() { compare(.unclear, seeds: 0..<3000) }

  @Test("what a model says of its operations changes the work alone", arguments: 0..<6)
  func effects(block: UInt64) {
    let workload = Workload.keyValue(keys: 1, values: block % 2 == 0 ? 3 : nil)
    for seed in block * 100..<(block + 1) * 100 {
      var random = RandomSource(seed: seed)
      var history = workload.longHistory(operations: 30, clients: 5, unknownPercent: 15, &random)
      let position = Int.random(in: 0..<history.count, using: &random)
      if case .completed(_, let time) = history[position].ending {
        let seen = history.compactMap { operation in
          if case .write(_, let value) = operation.input { KeyValueModel.Output.value(value) } else { nil }
        }
        let output =
          if case .read = history[position].input { seen.randomElement(using: &random) } else {
            workload.anyOutput(&random, history[position].input)
          }
        if let output { history[position].ending = .completed(output, at: time) }
      }
      let clear = LinearizabilityChecker(KeyValueModel()).check(history)
      let unclear = LinearizabilityChecker(UnclearModel()).check(history)
      #expect(outcome(clear) == outcome(unclear), "seed \(seed)")
    }
  }

  /// The operation at fault, -1 if there is none, or nil if that was not decided.
  private func outcome(_ verdict: LinearizabilityVerdict) -> Int? {
    switch verdict {
    case .linearizable: -1
    case .violation(let explanation): explanation.operation
    case .undecided: nil
    }
  }

  private func compare<Model>(_ workload: Workload<Model>, seeds: Range<UInt64>) {
    var violations = 0
    for seed in seeds {
      var random = RandomSource(seed: seed)
      let history = workload.smallHistory(&random)
      let oracle = Oracle(model: workload.model, history: history)
      switch LinearizabilityChecker(workload.model).check(history) {
      case .linearizable:
        #expect(oracle.isLinearizable(answersMax: .max), "seed \(seed): \(history)")
      case .violation(let explanation):
        violations += 1
        expectExact(explanation, oracle, seed)
      case .undecided(let reason):
        Issue.record("seed \(seed): \(reason)")
      }
    }
    #expect(violations > seeds.count / 10)
    #expect(violations < seeds.count * 9 / 10)
  }

  /// An explanation names the first answer that is wrong, and everything answered before in an order that is right.
  private func expectExact<Model>(
    _ explanation: LinearizabilityVerdict.Explanation, _ oracle: Oracle<Model>, _ seed: UInt64
  ) {
    let answers = oracle.answers
    guard let wrong = answers.firstIndex(of: explanation.operation) else {
      Issue.record("seed \(seed): operation \(explanation.operation) was not answered")
      return
    }
    #expect(!oracle.isLinearizable(answersMax: wrong + 1), "seed \(seed): \(oracle.history)")
    #expect(oracle.isLinearizable(answersMax: wrong), "seed \(seed): \(oracle.history)")
    let key = oracle.model.partition(of: oracle.history[explanation.operation].input)
    let before = answers[..<wrong].filter { oracle.model.partition(of: oracle.history[$0].input) == key }
    #expect(before.allSatisfy(explanation.linearized.contains), "seed \(seed): \(explanation)")
    #expect(
      oracle.isOrder(explanation.linearized, answersMax: wrong),
      "seed \(seed): \(oracle.history) \(explanation)")
  }
}

/// Tries all orders, by the definition of linearizability alone.
struct Oracle<Model: SequentialModel> {
  let model: Model
  let history: [ClientOperation<Model.Input, Model.Output>]
  /// The operations that were answered, in order of their answers.
  let answers: [Int]

  init(model: Model, history: [ClientOperation<Model.Input, Model.Output>]) {
    self.model = model
    self.history = history
    answers = history.indices.filter { Self.answer(history[$0]) != nil }.sorted {
      (Self.answer(history[$0])?.time ?? 0, $0) < (Self.answer(history[$1])?.time ?? 0, $1)
    }
  }

  static func answer(
    _ operation: ClientOperation<Model.Input, Model.Output>
  ) -> (output: Model.Output, time: UInt64)? {
    guard case .completed(let output, let time) = operation.ending else { return nil }
    return (output, max(time, operation.invocation))
  }

  /// Whether there is an order of the history up to an answer.
  func isLinearizable(answersMax: Int) -> Bool {
    let answered = answers.prefix(answersMax)
    return hasOrder(Array(answered), possible(answersMax), [:])
  }

  /// What may have taken effect without an answer so far.
  private func possible(_ answersMax: Int) -> [Int] {
    let answered = answers.prefix(answersMax)
    let end = answersMax >= answers.count ? UInt64.max : answered.last.flatMap(time) ?? 0
    return history.indices.filter { position in
      history[position].ending != .notExecuted && !answered.contains(position)
        && history[position].invocation <= end
    }
  }

  private func time(_ position: Int) -> UInt64? { Self.answer(history[position])?.time }

  private func hasOrder(_ answered: [Int], _ unknown: [Int], _ states: [Model.Key: Model.State]) -> Bool {
    guard let first = answered.compactMap(time).min() else { return true }
    for (index, position) in (answered + unknown).enumerated() where history[position].invocation <= first {
      let input = history[position].input
      let key = model.partition(of: input)
      let output = index < answered.count ? Self.answer(history[position])?.output : nil
      guard let next = model.step(states[key] ?? model.initialState, input, output) else { continue }
      var following = states
      following[key] = next
      if hasOrder(answered.filter { $0 != position }, unknown.filter { $0 != position }, following) {
        return true
      }
    }
    return false
  }

  /// Whether operations of one key may have taken effect in this order, and have been answered as they were.
  func isOrder(_ order: [Int], answersMax: Int) -> Bool {
    let answered = answers.prefix(answersMax)
    var state: Model.State? = model.initialState
    for (place, position) in order.enumerated() {
      let output = answered.contains(position) ? Self.answer(history[position])?.output : nil
      state = state.flatMap { model.step($0, history[position].input, output) }
      for earlier in order[..<place] where history[earlier].invocation > (time(position) ?? .max) {
        if answered.contains(position) { return false }
      }
      if history[position].ending == .notExecuted || order[..<place].contains(position) { return false }
    }
    return state != nil
  }
}
