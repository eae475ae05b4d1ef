/// The operations of one key, and what is wrong with them.
struct KeyHistory<Model: SequentialModel> {
  enum Judgement {
    case linearizable
    case contradiction(Contradiction)
    case undecided
  }

  /// A history that no order explains.
  struct Contradiction {
    /// When the answer came that cannot be explained.
    var time: UInt64
    var explanation: LinearizabilityVerdict.Explanation
  }

  typealias Operation = ClientOperation<Model.Input, Model.Output>

  private struct Answer {
    var position: Int
    var time: UInt64
    var output: Model.Output
  }

  private let model: Model
  private let history: [Operation]
  private let statesMax: Int
  /// In order of time.
  private var answers: [Answer] = []
  /// Where the operations of unknown outcome stand.
  private var unknown: [Int] = []
  /// Where those stand that were promised not to happen.
  private var notExecuted: [Int] = []

  init(_ model: Model, _ history: [Operation], _ positions: [Int], statesMax: Int) {
    self.model = model
    self.history = history
    self.statesMax = statesMax
    for position in positions {
      let operation = history[position]
      switch operation.ending {
      case .completed(let output, let time):
        answers.append(Answer(position: position, time: max(time, operation.invocation), output: output))
      case .unknown: unknown.append(position)
      case .notExecuted: notExecuted.append(position)
      }
    }
    answers.sort { ($0.time, $0.position) < ($1.time, $1.position) }
  }

  func judge() -> Judgement {
    switch outcome(answerCount: answers.count) {
    case .linearized: .linearizable
    case .exhausted: .undecided
    case .stuck(let count): contradiction(explained: count)
    }
  }

  /// Searches the history up to an answer, what is under way then being of unknown outcome.
  private func outcome(answerCount: Int) -> LinearizabilityCompilation<Model>.Outcome {
    let times = answers.prefix(answerCount).map(\.time)
    func firstEvent(_ position: Int) -> Int {
      let invocation = history[position].invocation
      var (low, high) = (0, times.count)
      while low < high {
        let middle = (low + high) / 2
        if times[middle] < invocation { low = middle + 1 } else { high = middle }
      }
      return low
    }
    func event(_ position: Int, _ output: Model.Output?) -> LinearizabilityEvent<Model> {
      LinearizabilityEvent(
        operation: ConsideredOperation(
          input: history[position].input, output: output, isUnknown: output == nil),
        position: position, firstEvent: firstEvent(position))
    }
    let answered = answers.prefix(answerCount).map { event($0.position, $0.output) }
    let open = (unknown + answers.dropFirst(answerCount).map(\.position))
      .map { event($0, nil) }
      .filter { $0.firstEvent < answerCount }
      .sorted { ($0.firstEvent, $0.position) < ($1.firstEvent, $1.position) }
    return LinearizabilityCompilation(model)
      .outcome(answered: answered, unknown: open, statesMax: statesMax)
  }

  // MARK: - Explaining

  /// Looks for the first answer that cannot be explained, by searching beginnings of the history: if one has no order,
  /// no longer one has.
  ///
  /// - Parameter explained: How many answers can surely be explained.
  private func contradiction(explained: Int) -> Judgement {
    // The search often sees a contradiction before the answer that makes it one, but seldom long before.
    var (low, high) = (explained, answers.count)
    var stride = 1
    while low + stride < high {
      if isContradictory(low + stride) { high = low + stride } else { low += stride }
      stride *= 2
    }
    while low + 1 < high {
      let middle = (low + high) / 2
      if isContradictory(middle) { high = middle } else { low = middle }
    }
    let answer = answers[high - 1]
    return .contradiction(Contradiction(time: answer.time, explanation: explain(high)))
  }

  private func isContradictory(_ answerCount: Int) -> Bool {
    if case .stuck = outcome(answerCount: answerCount) { true } else { false }
  }

  private func explain(_ answerCount: Int) -> LinearizabilityVerdict.Explanation {
    let answer = answers[answerCount - 1]
    let operation = history[answer.position]
    let key = "\(model.partition(of: operation.input))"
    var order: [Int]?
    if case .linearized(let found) = outcome(answerCount: answerCount - 1) { order = found }
    let later = answers.dropFirst(answerCount).map(\.position)
    let underWay = (unknown + later).filter { history[$0].invocation <= answer.time }.sorted {
      (history[$0].invocation, $0) < (history[$1].invocation, $1)
    }
    var lines = ["key \(key) is not linearizable: nothing explains"]
    lines.append("  \(describe(answer.position, answer.output))")
    lines += describe(order: order, answerCount: answerCount)
    lines += list("of unknown outcome then:", underWay)
    let before = model.effect(of: operation.input, answer.output).before
    let broken = notExecuted.filter { position in
      before != nil && history[position].invocation <= answer.time
        && model.effect(of: history[position].input, nil).after == before
    }
    lines += list("promised never to take effect:", broken)
    return LinearizabilityVerdict.Explanation(
      key: key, operation: answer.position, linearized: order ?? [], underWay: underWay, lines: lines)
  }

  private func describe(order: [Int]?, answerCount: Int) -> [String] {
    let before = answerCount - 1
    guard let order else { return ["the \(before) operations answered before were not put in order"] }
    var outputs: [Int: Model.Output] = [:]
    for answer in answers.prefix(before) { outputs[answer.position] = answer.output }
    var state: Model.State? = model.initialState
    for position in order {
      state = state.flatMap { model.step($0, history[position].input, outputs[position]) }
    }
    let shown = order.suffix(Self.orderShownMax)
    let heading =
      before == 0
      ? "nothing was answered before"
      : "the \(before) operations answered before have an order"
        + (shown.count < order.count ? ", which ends:" : ":")
    var lines = [heading] + shown.map { "  \(describe($0, outputs[$0]))" }
    if let state { lines.append("which leaves: \(model.describe(state: state))") }
    return lines
  }

  private func list(_ heading: String, _ positions: [Int]) -> [String] {
    guard !positions.isEmpty else { return [] }
    let shown = positions.suffix(Self.underWayShownMax).map { "  \(describe($0, nil))" }
    let left = positions.count - shown.count
    return [heading] + (left > 0 ? ["  \(left) earlier ones, and"] : []) + shown
  }

  private func describe(_ position: Int, _ output: Model.Output?) -> String {
    let operation = history[position]
    let start = "\(model.describe(operation.input, output)) by client \(operation.client)"
    guard case .completed(_, let time) = operation.ending, output != nil else {
      return "\(start) since \(operation.invocation)"
    }
    return "\(start) from \(operation.invocation) to \(time)"
  }

  /// How many operations a report shows of an order.
  private static var orderShownMax: Int { 8 }
  /// How many operations under way a report shows.
  private static var underWayShownMax: Int { 32 }
}
