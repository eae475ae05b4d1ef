/// Decides whether what clients saw of one register can be explained by operations that took effect one after the other,
/// each at an instant between its call and its answer (Wing and Gong's search, with Lowe's memory of visited states).
struct LinearizabilityChecker {
  /// What was done to the register.
  enum Action: Hashable {
    /// It was given a value, each once; nil deletes it.
    case write(Int?)
    /// It was seen to hold a value.
    case read(Int?)
  }

  /// One operation. An operation whose outcome is unknown has no end: it may take effect at any time after its start,
  /// or never.
  struct Operation {
    var action: Action
    var start: UInt64
    var end: UInt64?
  }

  /// Whether the history of one register, absent at first, is linearizable.
  static func isLinearizable(_ history: [Operation]) -> Bool {
    // A read without answer tells nothing; a write of unknown outcome whose value nobody saw may as well never have
    // happened (values are unique, so that it can be told whose value was seen).
    var seen: Set<Int?> = []
    for operation in history { if case .read(let value) = operation.action { seen.insert(value) } }
    let operations = history.filter { operation in
      guard operation.end == nil else { return true }
      guard case .write(let value) = operation.action else { return false }
      return seen.contains(value)
    }.sorted { $0.start < $1.start }
    var search = Search(operations)
    return search.run()
  }

  private struct Search {
    let operations: [Operation]
    let mustHappen: Int
    private var visited: Set<State> = []

    /// Operations before `frontier` have all happened; of those behind it, the ones in `done`.
    private struct State: Hashable {
      var frontier: Int
      var done: [Int]
      var value: Int?
    }

    init(_ operations: [Operation]) {
      self.operations = operations
      mustHappen = operations.count { $0.end != nil }
    }

    mutating func run() -> Bool {
      var stack = [(State(frontier: 0, done: [], value: nil), 0)]
      while let (state, happened) = stack.popLast() {
        if happened == mustHappen { return true }
        for candidate in candidates(after: state) {
          guard let next = apply(candidate, to: state), visited.insert(next).inserted else { continue }
          stack.append((next, happened + (operations[candidate].end == nil ? 0 : 1)))
        }
      }
      return false
    }

    /// Operations that may come next: those begun before the first answer of any that has not happened.
    private func candidates(after state: State) -> [Int] {
      var earliestEnd = UInt64.max
      var candidates: [Int] = []
      var position = state.frontier
      while position < operations.count, operations[position].start <= earliestEnd {
        if !state.done.contains(position) {
          candidates.append(position)
          if let end = operations[position].end { earliestEnd = min(earliestEnd, end) }
        }
        position += 1
      }
      return candidates.filter { operations[$0].start <= earliestEnd }
    }

    private func apply(_ candidate: Int, to state: State) -> State? {
      var next = state
      switch operations[candidate].action {
      case .read(let value): guard value == state.value else { return nil }
      case .write(let value): next.value = value
      }
      next.done.append(candidate)
      next.done.sort()
      while let first = next.done.first, first == next.frontier {
        next.done.removeFirst()
        next.frontier += 1
      }
      return next
    }
  }
}
