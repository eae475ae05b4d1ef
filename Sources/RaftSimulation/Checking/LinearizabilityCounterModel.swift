/// Counters that only grow, each 0 at first.
public struct CounterModel: SequentialModel {
  /// What a client may ask. The answer to each is the value of the counter afterwards.
  public enum Input: Hashable, Sendable {
    /// The value of a counter.
    case read(String)
    /// A counter is to grow, by 0 or more.
    case add(String, UInt64)
  }

  /// Counters at 0.
  public init() {}

  /// Zero.
  public var initialState: UInt64 { 0 }

  /// The counter.
  public func partition(of input: Input) -> String {
    switch input {
    case .read(let key), .add(let key, _): key
    }
  }

  /// The value after an operation, which must be what was answered. A counter that is full stays as it is.
  public func step(_ state: UInt64, _ input: Input, _ output: UInt64?) -> UInt64? {
    let next =
      switch input {
      case .read: state
      case .add(_, let amount): state.addingReportingOverflow(amount).overflow ? state : state + amount
      }
    return output == nil || output == next ? next : nil
  }

  /// What was answered says what was there before.
  public func effect(of input: Input, _ output: UInt64?) -> OperationEffect<UInt64> {
    switch (input, output) {
    case (.read, _): .observes(output)
    case (.add(_, 0), nil): .observes(nil)
    case (.add, nil): .unclear
    case (.add(_, let amount), .some(let value)):
      // Near the end a counter that is full would give the same answer.
      value < amount || value.addingReportingOverflow(amount).overflow
        ? .unclear : .leads(from: value - amount, to: value)
    }
  }

  /// The value itself.
  public func progress(of state: UInt64) -> UInt64? { state }

  /// For instance "add 2 -> 7".
  public func describe(_ input: Input, _ output: UInt64?) -> String {
    let asked =
      switch input {
      case .read: "read"
      case .add(_, let amount): "add \(amount)"
      }
    return output.map { "\(asked) -> \($0)" } ?? asked
  }
}
