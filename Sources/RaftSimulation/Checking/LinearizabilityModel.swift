/// One operation of one client, as the client saw it.
public struct ClientOperation<Input: Hashable & Sendable, Output: Hashable & Sendable>: Hashable, Sendable {
  /// What the client learned of its end.
  public enum Ending: Hashable, Sendable {
    /// It was answered, and so took effect between its invocation and this instant.
    case completed(Output, at: UInt64)
    /// It may have taken effect at any time since its invocation, may still do so, or never will.
    case unknown
    /// It was promised never to take effect.
    case notExecuted
  }

  /// Who asked. Only reports show it; operations of one client may overlap.
  public var client: Int
  /// An instant before it was sent, on a clock that is common to all operations and never goes back.
  public var invocation: UInt64
  /// What was asked.
  public var input: Input
  /// How it ended.
  public var ending: Ending

  /// Describes an operation. An answer before the invocation is taken to have come at the invocation.
  public init(client: Int, invocation: UInt64, input: Input, ending: Ending) {
    self.client = client
    self.invocation = invocation
    self.input = input
    self.ending = ending
  }
}

/// What can be said of an operation without knowing the state in which it happens. The search asks for it to see early
/// what cannot work; a model that knows nothing is judged alike, only more slowly.
public struct OperationEffect<State: Hashable & Sendable>: Hashable, Sendable {
  /// The only state in which it is possible. If the output is unknown: the only state that it changes. Nil if there may
  /// be several.
  public var before: State?
  /// The only state that it leaves behind if it changes anything. Nil if there may be several.
  public var after: State?
  /// Whether it is possible in every state, and leaves ``after`` behind from each.
  public var isBlind: Bool
  /// Whether it changes no state in which it is possible.
  public var isObservation: Bool
  /// The progress of all states in which it is possible; see ``SequentialModel/progress(of:)``. It need not be given
  /// where ``before`` is. Nil if they differ, or if there is no progress.
  public var progressBefore: UInt64?

  private init(before: State?, after: State?, isBlind: Bool, isObservation: Bool) {
    self.before = before
    self.after = after
    self.isBlind = isBlind
    self.isObservation = isObservation
  }

  /// Nothing is known.
  public static var unclear: Self { Self(before: nil, after: nil, isBlind: false, isObservation: false) }

  /// It changes nothing, and is possible in `state` alone; in several ones, if nil.
  public static func observes(_ state: State?) -> Self {
    Self(before: state, after: nil, isBlind: false, isObservation: true)
  }

  /// It leaves `state` behind whatever there was.
  public static func overwrites(with state: State) -> Self {
    Self(before: nil, after: state, isBlind: true, isObservation: false)
  }

  /// It leads from one state to another; nil stands for several.
  public static func leads(from before: State?, to after: State?) -> Self {
    Self(before: before, after: after, isBlind: false, isObservation: false)
  }
}

/// An operation as the search considers it.
public struct ConsideredOperation<Input: Hashable & Sendable, Output: Hashable & Sendable>: Hashable, Sendable
{
  /// What was asked.
  public var input: Input
  /// What was answered; nil if that is not known.
  public var output: Output?
  /// Whether it may as well never have taken effect.
  public let isUnknown: Bool
}

/// What operations mean when they happen one after another: a deterministic machine.
public protocol SequentialModel: Sendable {
  /// What the operations of one key have made of it.
  associatedtype State: Hashable & Sendable
  /// What a client may ask.
  associatedtype Input: Hashable & Sendable
  /// What it may be answered.
  associatedtype Output: Hashable & Sendable
  /// What parts the inputs into sets that know nothing of each other.
  associatedtype Key: Hashable & Comparable & Sendable

  /// The state of each key before any operation.
  var initialState: State { get }

  /// The part that an input belongs to. Each part has a state of its own, and is judged for itself.
  func partition(of input: Input) -> Key

  /// The state after an operation.
  ///
  /// - Parameter output: What was answered; nil if that is not known, in which case any answer will do.
  /// - Returns: Nil if the operation cannot be answered so in this state.
  func step(_ state: State, _ input: Input, _ output: Output?) -> State?

  /// What is known of an operation in whatever state. It may say less than is true, and never more.
  func effect(of input: Input, _ output: Output?) -> OperationEffect<State>

  /// A number that grows with every change of the state, such as the length of a list that only grows. Nil, for all
  /// states, if there is none.
  func progress(of state: State) -> UInt64?

  /// Rewrites the operations of one key so that they are judged alike, but with less work: for instance by giving one
  /// input to all operations that no answer tells apart. Operations stay where they are.
  func simplify(_ operations: inout [ConsideredOperation<Input, Output>])

  /// An operation in a few words, for a person.
  func describe(_ input: Input, _ output: Output?) -> String

  /// A state in a few words, for a person.
  func describe(state: State) -> String
}

extension SequentialModel {
  /// Nothing is known.
  public func effect(of input: Input, _ output: Output?) -> OperationEffect<State> { .unclear }

  /// None.
  public func progress(of state: State) -> UInt64? { nil }

  /// Leaves the operations as they are.
  public func simplify(_ operations: inout [ConsideredOperation<Input, Output>]) {}

  /// The values as Swift shows them.
  public func describe(_ input: Input, _ output: Output?) -> String {
    output.map { "\(input) -> \($0)" } ?? "\(input)"
  }

  /// The value as Swift shows it.
  public func describe(state: State) -> String { "\(state)" }
}
