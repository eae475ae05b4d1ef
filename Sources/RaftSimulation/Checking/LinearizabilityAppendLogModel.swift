/// Lists that only grow, each empty at first.
public struct AppendLogModel: SequentialModel {
  /// What a client may ask.
  public enum Input: Hashable, Sendable {
    /// How long a list is, and what stands last in it.
    case read(String)
    /// A number is to stand at the end of a list.
    case append(String, UInt64)
  }

  /// What a client may be answered.
  public enum Output: Hashable, Sendable {
    /// The number was appended; the list was that long then.
    case appended(length: Int)
    /// The list is that long and ends in that number; nil if it is empty.
    case list(length: Int, last: UInt64?)
  }

  /// All that answers can show of a list.
  public struct State: Hashable, Sendable {
    /// How many numbers there are.
    public var length = 0
    /// The last of them; nil if there is none.
    public var last: UInt64?
  }

  /// Empty lists.
  public init() {}

  /// The empty list.
  public var initialState: State { State() }

  /// The list.
  public func partition(of input: Input) -> String {
    switch input {
    case .read(let key), .append(let key, _): key
    }
  }

  /// The list after an operation.
  public func step(_ state: State, _ input: Input, _ output: Output?) -> State? {
    switch (input, output) {
    case (.read, nil): return state
    case (.read, .list(let length, let last)): return state == State(length: length, last: last) ? state : nil
    case (.append(_, let number), nil): return State(length: state.length + 1, last: number)
    case (.append(_, let number), .appended(let length)):
      return length == state.length + 1 ? State(length: length, last: number) : nil
    default: return nil
    }
  }

  /// Reads show a list, and appends that were answered say where they stand.
  public func effect(of input: Input, _ output: Output?) -> OperationEffect<State> {
    switch (input, output) {
    case (.read, .list(let length, let last)): return .observes(State(length: length, last: last))
    case (.read, _): return .observes(nil)
    case (.append(_, let number), .appended(let length)):
      var effect = OperationEffect<State>.leads(
        from: length == 1 ? State() : nil, to: State(length: length, last: number))
      effect.progressBefore = UInt64(exactly: length - 1)
      return effect
    case (.append, _): return .unclear
    }
  }

  /// The length.
  public func progress(of state: State) -> UInt64? { UInt64(state.length) }

  /// Appends of unknown outcome whose number was never seen are as good as one of them. One whose number was seen in
  /// one place, and appended once, has happened there if at all.
  public func simplify(_ operations: inout [ConsideredOperation<Input, Output>]) {
    /// Where each number was seen; 0 if in several places.
    var places: [UInt64: Int] = [:]
    var appends: [UInt64: Int] = [:]
    for operation in operations {
      if case .list(let length, .some(let last)) = operation.output {
        places[last] = places[last, default: length] == length ? length : 0
      }
      if case .append(_, let number) = operation.input { appends[number, default: 0] += 1 }
    }
    var representative: UInt64?
    for position in operations.indices where operations[position].isUnknown {
      guard case .append(let key, let number) = operations[position].input else { continue }
      if let length = places[number] {
        guard length > 0, appends[number] == 1 else { continue }
        operations[position].output = .appended(length: length)
      } else {
        representative = representative ?? number
        operations[position].input = .append(key, representative ?? number)
      }
    }
  }

  /// For instance "append 12 -> length 3".
  public func describe(_ input: Input, _ output: Output?) -> String {
    let asked =
      switch input {
      case .read: "read"
      case .append(_, let number): "append \(number)"
      }
    switch output {
    case nil: return asked
    case .appended(let length): return "\(asked) -> length \(length)"
    case .list(let length, let last):
      return "\(asked) -> \(describe(state: State(length: length, last: last)))"
    }
  }

  /// For instance "length 3, last 12".
  public func describe(state: State) -> String {
    "length \(state.length)" + (state.last.map { ", last \($0)" } ?? "")
  }
}
