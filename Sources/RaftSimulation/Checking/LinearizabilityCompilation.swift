/// Turns operations of one key into numbers, and answers the search's questions about the numbers.
///
/// The search itself knows no model. It is the same code for all of them, and each transition is computed once.
final class LinearizabilityCompilation<Model: SequentialModel> {
  private struct Kind: Hashable {
    var input: Model.Input
    var output: Model.Output?
  }

  private let model: Model
  private var states: [Model.State] = []
  private var stateNumbers: [Model.State: Int] = [:]
  private var kinds: [Kind] = []
  private var kindNumbers: [Kind: Int] = [:]
  private var effects: [LinearizabilityProblem.Kind] = []

  init(_ model: Model) {
    self.model = model
  }

  /// What became of a search.
  enum Outcome {
    /// Where the operations of an order stand in the history.
    case linearized([Int])
    /// There is no order. There is one of that many answered operations, in order of their answers.
    case stuck(Int)
    /// The search was given up.
    case exhausted
  }

  /// - Parameters:
  ///   - answered: The operations that must be explained, in order of their answers.
  ///   - unknown: Those that may have taken effect, in order of their invocations.
  func outcome(
    answered: [LinearizabilityEvent<Model>], unknown: [LinearizabilityEvent<Model>], statesMax: Int
  ) -> Outcome {
    let initial = number(of: model.initialState)
    let problem = compile(answered, unknown)
    var search = LinearizabilitySearch(
      problem, statesMax: statesMax,
      step: { [self] state, kind in
        model.step(states[state], kinds[kind].input, kinds[kind].output).map(number(of:)) ?? -1
      },
      progress: { [self] state in model.progress(of: states[state]) })
    switch search.run(from: initial) {
    case .linearized(let order): return .linearized(positions(order, problem))
    case .stuck(let event): return .stuck(event)
    case .exhausted: return .exhausted
    }
  }

  /// Where the operations of an order stand. Of the unknown ones those are left out that are overwritten unseen: the
  /// search does not count operations of which there are enough, and may have taken more of such than there are.
  private func positions(_ order: [Int], _ problem: LinearizabilityProblem) -> [Int] {
    var needed: [Int] = []
    var isOverwritten = true
    for operation in order.reversed() where operation >= 0 || !isOverwritten {
      needed.append(operation)
      isOverwritten = operation >= 0 && problem.kinds[problem.calls[operation].kind].isBlind
    }
    var used = [Int](repeating: 0, count: problem.maybes.count)
    return needed.reversed().compactMap { operation in
      guard operation < 0 else { return problem.calls[operation].position }
      let group = -1 - operation
      guard used[group] < problem.maybes[group].positions.count else { return nil }
      used[group] += 1
      return problem.maybes[group].positions[used[group] - 1]
    }
  }

  private func compile(
    _ answered: [LinearizabilityEvent<Model>], _ unknown: [LinearizabilityEvent<Model>]
  ) -> LinearizabilityProblem {
    let events = answered + unknown
    var operations = events.map(\.operation)
    model.simplify(&operations)
    var calls: [LinearizabilityProblem.Call] = []
    var maybes: [LinearizabilityProblem.Maybe] = []
    var groupOf: [Int: Int] = [:]
    for (operation, event) in zip(operations, events) {
      let kind = number(of: Kind(input: operation.input, output: operation.output))
      if !operation.isUnknown {
        calls.append(.init(kind: kind, firstEvent: event.firstEvent, position: event.position))
      } else if !effects[kind].isObservation {
        let group = groupOf[kind] ?? maybes.count
        if group == maybes.count {
          groupOf[kind] = group
          maybes.append(.init(kind: kind))
        }
        maybes[group].firstEvents.append(event.firstEvent)
        maybes[group].positions.append(event.position)
      }
    }
    return LinearizabilityProblem(kinds: effects, calls: calls, maybes: maybes, stateCount: states.count)
  }

  private func number(of state: Model.State) -> Int {
    if let known = stateNumbers[state] { return known }
    stateNumbers[state] = states.count
    states.append(state)
    return states.count - 1
  }

  private func number(of kind: Kind) -> Int {
    if let known = kindNumbers[kind] { return known }
    let effect = model.effect(of: kind.input, kind.output)
    effects.append(
      LinearizabilityProblem.Kind(
        before: effect.before.map(number(of:)) ?? -1, after: effect.after.map(number(of:)) ?? -1,
        isBlind: effect.isBlind, isObservation: effect.isObservation,
        progress: effect.before.flatMap(model.progress(of:)) ?? effect.progressBefore))
    kindNumbers[kind] = kinds.count
    kinds.append(kind)
    return kinds.count - 1
  }
}

/// An operation, and since when it may have taken effect.
struct LinearizabilityEvent<Model: SequentialModel> {
  var operation: ConsideredOperation<Model.Input, Model.Output>
  /// Where it stands in the history.
  var position: Int
  /// How many answers came before it was invoked.
  var firstEvent: Int
}
