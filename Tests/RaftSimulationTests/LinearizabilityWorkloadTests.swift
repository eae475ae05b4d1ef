import RaftCore
import RaftSimulation
import Testing

/// Makes histories of a model: what clients might see of a system that is right, or that is wrong in places.
struct Workload<Model: SequentialModel> {
  typealias Operation = ClientOperation<Model.Input, Model.Output>

  let model: Model
  /// What a client asks, knowing the state of each key or not, with a number that is used once.
  let input: (inout RandomSource, (String) -> Model.State?, UInt64) -> Model.Input
  /// What it is answered in a state.
  let output: (Model.State, Model.Input) -> Model.Output
  /// Any answer.
  let anyOutput: (inout RandomSource, Model.Input) -> Model.Output

  /// At most 6 operations that overlap in all ways. A third of the histories are right, and a third have one answer that
  /// may be wrong.
  func smallHistory(_ random: inout RandomSource) -> [Operation] {
    let count = Int.random(in: 1...6, using: &random)
    let span = UInt64.random(in: 2...16, using: &random)
    let unknownPercent = [0, 20, 50].randomElement(using: &random) ?? 0
    var plans: [Plan] = []
    for client in 0..<count {
      let times = (0..<3).map { _ in UInt64.random(in: 0...span, using: &random) }.sorted()
      let isUnknown = Int.random(in: 0..<100, using: &random) < unknownPercent
      plans.append(
        Plan(
          client: client, invocation: times[0], effect: times[1], end: times[2], isUnknown: isUnknown,
          happens: !isUnknown || Bool.random(using: &random)))
    }
    var history = play(plans, &random)
    let wrong = random.next() % 3
    for position in history.indices {
      guard case .completed(_, let time) = history[position].ending else { continue }
      if wrong == 2 || wrong == 1 && random.next() % 4 == 0 {
        let output = anyOutput(&random, history[position].input)
        history[position].ending = .completed(output, at: time)
      }
      if random.next() % 16 == 0 { history[position].ending = .notExecuted }
    }
    return history.shuffled(using: &random)
  }

  /// What clients see that ask one thing after another.
  func longHistory(
    operations: Int, clients: Int, unknownPercent: Int, _ random: inout RandomSource
  ) -> [Operation] {
    var plans: [Plan] = []
    var now = Array(repeating: UInt64(0), count: clients)
    for number in 0..<operations {
      let client = number % clients
      let invocation = now[client] + UInt64.random(in: 1...20, using: &random)
      var effect = invocation + UInt64.random(in: 0...50, using: &random)
      let end = effect + UInt64.random(in: 0...50, using: &random)
      let isUnknown = Int.random(in: 0..<100, using: &random) < unknownPercent
      if isUnknown, random.next() % 2 == 0 { effect += UInt64.random(in: 0...5000, using: &random) }
      plans.append(
        Plan(
          client: client, invocation: invocation, effect: effect, end: end, isUnknown: isUnknown,
          happens: !isUnknown || Bool.random(using: &random)))
      now[client] = end
    }
    return play(plans, &random)
  }

  struct Plan {
    var client: Int
    var invocation: UInt64
    var effect: UInt64
    var end: UInt64
    var isUnknown: Bool
    var happens: Bool
  }

  private func play(_ plans: [Plan], _ random: inout RandomSource) -> [Operation] {
    var states: [Model.Key: Model.State] = [:]
    var history: [Operation] = []
    for (number, plan) in plans.sorted(by: { $0.effect < $1.effect }).enumerated() {
      let input = input(&random, { name in (name as? Model.Key).flatMap { states[$0] } }, UInt64(number + 1))
      let key = model.partition(of: input)
      let state = states[key] ?? model.initialState
      let output = output(state, input)
      if plan.happens { states[key] = model.step(state, input, output) }
      history.append(
        Operation(
          client: plan.client, invocation: plan.invocation, input: input,
          ending: plan.isUnknown ? .unknown : .completed(output, at: plan.end)))
    }
    return history
  }
}

extension Workload<KeyValueModel> {
  /// Two keys, few values.
  static var keyValue: Self { keyValue(keys: 2, values: 3) }

  /// - Parameter values: How many values there are; nil if each write has one of its own.
  static func keyValue(keys: Int, values: Int?) -> Self {
    func anyValue(_ random: inout RandomSource) -> Int? {
      let value = Int.random(in: 0...(values ?? 1000), using: &random)
      return value == 0 ? nil : value
    }
    return Workload(
      model: KeyValueModel(),
      input: { random, state, number in
        let key = "k\(Int.random(in: 0..<keys, using: &random))"
        let new = values == nil ? Int(number) : anyValue(&random)
        switch random.next() % 10 {
        case 0..<4: return .read(key)
        case 4..<7: return .write(key, new)
        default:
          let guess = random.next() % 2 == 0 ? state(key) ?? nil : anyValue(&random)
          return .compareAndSet(key, expected: guess, new: new)
        }
      },
      output: { state, input in
        switch input {
        case .read: .value(state)
        case .write: .written
        case .compareAndSet(_, let expected, _): .compared(state == expected)
        }
      },
      anyOutput: { random, input in
        switch input {
        case .read: .value(anyValue(&random))
        case .write: .written
        case .compareAndSet:
          random.next() % 4 == 0 ? .value(anyValue(&random)) : .compared(Bool.random(using: &random))
        }
      })
  }
}

extension Workload<CounterModel> {
  /// One counter that grows by 1 to 3.
  static var counter: Self { counter(keys: 1, amountMax: 3) }

  static func counter(keys: Int, amountMax: UInt64) -> Self {
    Workload(
      model: CounterModel(),
      input: { random, _, _ in
        let key = "c\(Int.random(in: 0..<keys, using: &random))"
        if random.next() % 3 == 0 { return .read(key) }
        return .add(key, UInt64.random(in: (keys == 1 && amountMax > 1 ? 0 : 1)...amountMax, using: &random))
      },
      output: { state, input in
        if case .add(_, let amount) = input { return state + amount }
        return state
      },
      anyOutput: { random, _ in UInt64.random(in: 0...6, using: &random) })
  }
}

extension Workload<AppendLogModel> {
  /// One list, with few numbers.
  static var appendLog: Self { appendLog(keys: 1, numbers: 4) }

  /// - Parameter numbers: How many numbers there are; nil if each append has one of its own.
  static func appendLog(keys: Int, numbers: UInt64?) -> Self {
    Workload(
      model: AppendLogModel(),
      input: { random, _, number in
        let key = "l\(Int.random(in: 0..<keys, using: &random))"
        if random.next() % 2 == 0 { return .read(key) }
        return .append(key, numbers.map { random.next() % $0 } ?? number)
      },
      output: { state, input in
        if case .append = input { return .appended(length: state.length + 1) }
        return .list(length: state.length, last: state.last)
      },
      anyOutput: { random, input in
        let length = Int.random(in: 0...3, using: &random)
        if case .append = input { return .appended(length: length) }
        return .list(length: length, last: length == 0 ? nil : random.next() % (numbers ?? 4))
      })
  }
}

/// A map of which the search knows nothing but its steps.
struct UnclearModel: SequentialModel {
  let model = KeyValueModel()
  var initialState: Int? { model.initialState }
  func partition(of input: KeyValueModel.Input) -> String { model.partition(of: input) }
  func step(_ state: Int?, _ input: KeyValueModel.Input, _ output: KeyValueModel.Output?) -> Int?? {
    model.step(state, input, output)
  }
}

extension Workload<UnclearModel> {
  static var unclear: Self {
    let known = Workload<KeyValueModel>.keyValue
    return Workload(
      model: UnclearModel(), input: known.input, output: known.output, anyOutput: known.anyOutput)
  }
}

@Suite("Long histories of right systems are found right")
struct LinearizabilityWorkloadTests {
  @Test("of a map in which every write has a value of its own", arguments: 0..<2)
  func uniqueValues(seed: UInt64) { expectRight(.keyValue(keys: 4, values: nil), seed) }

  @Test("of a map with few values", arguments: 0..<2)
  func fewValues(seed: UInt64) { expectRight(.keyValue(keys: 4, values: 4), seed) }

  @Test("of counters", arguments: 0..<2)
  func counters(seed: UInt64) { expectRight(.counter(keys: 2, amountMax: 1), seed) }

  @Test("of lists", arguments: 0..<2)
  func lists(seed: UInt64) { expectRight(.appendLog(keys: 2, numbers: nil), seed) }

  private func expectRight<Model>(_ workload: Workload<Model>, _ seed: UInt64) {
    var random = RandomSource(seed: seed)
    let history = workload.longHistory(operations: 2000, clients: 16, unknownPercent: 5, &random)
    let verdict = LinearizabilityChecker(workload.model).check(history)
    #expect(verdict == .linearizable, "seed \(seed)")
  }
}
