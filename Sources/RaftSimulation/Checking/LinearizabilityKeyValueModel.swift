/// A map from names to numbers, each of which may be absent.
public struct KeyValueModel: SequentialModel {
  /// What a client may ask.
  public enum Input: Hashable, Sendable {
    /// The value of a key.
    case read(String)
    /// A new value of a key; nil removes it.
    case write(String, Int?)
    /// A new value of a key, if it has the expected one.
    case compareAndSet(String, expected: Int?, new: Int?)

    var key: String {
      switch self {
      case .read(let key), .write(let key, _), .compareAndSet(let key, _, _): key
      }
    }
  }

  /// What a client may be answered.
  public enum Output: Hashable, Sendable {
    /// A write was done.
    case written
    /// A read found this value; or a comparison found it where another one was expected, and set nothing.
    case value(Int?)
    /// A comparison set the new value (true), or found another one than was expected (false).
    case compared(Bool)
  }

  /// All keys are absent at first.
  public init() {}

  /// Absence.
  public var initialState: Int? { nil }

  /// The key.
  public func partition(of input: Input) -> String { input.key }

  /// The value after an operation; nil in place of a value if the answer is impossible.
  public func step(_ state: Int?, _ input: Input, _ output: Output?) -> Int?? {
    switch (input, output) {
    case (.read, nil): .some(state)
    case (.read, .value(let value)): value == state ? .some(state) : nil
    case (.write(_, let value), nil), (.write(_, let value), .written): .some(value)
    case (.compareAndSet(_, let expected, let new), nil): .some(state == expected ? new : state)
    case (.compareAndSet(_, let expected, let new), .compared(true)): state == expected ? .some(new) : nil
    case (.compareAndSet(_, let expected, _), .compared(false)): state == expected ? nil : .some(state)
    case (.compareAndSet(_, let expected, _), .value(let value)):
      value == state && value != expected ? .some(state) : nil
    default: nil
    }
  }

  /// Reads show a value, writes leave one, and comparisons that succeed do both.
  public func effect(of input: Input, _ output: Output?) -> OperationEffect<Int?> {
    switch (input, output) {
    case (.read, nil), (.compareAndSet, .compared(false)): .observes(nil)
    case (.read, .value(let value)), (.compareAndSet, .value(let value)): .observes(.some(value))
    case (.write(_, let value), nil), (.write(_, let value), .written): .overwrites(with: value)
    case (.compareAndSet(_, let expected, let new), nil),
      (.compareAndSet(_, let expected, let new), .compared(true)):
      .leads(from: .some(expected), to: .some(new))
    default: .unclear
    }
  }

  /// Values that nothing was compared with and that no one saw are as good as one of them.
  public func simplify(_ operations: inout [ConsideredOperation<Input, Output>]) {
    var mentioned: Set<Int?> = [nil]
    for operation in operations {
      if case .value(let value) = operation.output { mentioned.insert(value) }
      if case .compareAndSet(_, let expected, _) = operation.input { mentioned.insert(expected) }
    }
    var representative: Int?
    func replacement(_ value: Int?) -> Int? {
      guard let value, !mentioned.contains(value) else { return value }
      representative = representative ?? value
      return representative
    }
    for position in operations.indices {
      switch operations[position].input {
      case .read: break
      case .write(let key, let value): operations[position].input = .write(key, replacement(value))
      case .compareAndSet(let key, let expected, let new):
        operations[position].input = .compareAndSet(key, expected: expected, new: replacement(new))
      }
    }
  }

  /// For instance "write 4" or "read -> nothing".
  public func describe(_ input: Input, _ output: Output?) -> String {
    let asked =
      switch input {
      case .read: "read"
      case .write(_, nil): "remove"
      case .write(_, let value): "write \(describe(state: value))"
      case .compareAndSet(_, let expected, let new):
        "compare with \(describe(state: expected)) and set \(describe(state: new))"
      }
    switch output {
    case nil, .written: return asked
    case .value(let value): return "\(asked) -> \(describe(state: value))"
    case .compared(let isSet): return "\(asked) -> \(isSet ? "set" : "another value")"
    }
  }

  /// The value, or "nothing".
  public func describe(state: Int?) -> String { state.map { "\($0)" } ?? "nothing" }
}
