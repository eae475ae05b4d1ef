/// One operation on one key of a map, as the client saw it.
public struct KeyedOperation<Key: Hashable & Comparable & Sendable, Value: Hashable & Sendable>: Sendable {
  /// What it did. Nil as a value stands for an absent key: writing it is a delete.
  public enum Action: Hashable, Sendable {
    /// The key was to get this value.
    case write(Value?)
    /// The key was seen to have this value. A read that was not answered says nothing, and is left out of a history.
    case read(Value?)
    /// The key was to get another value if it still had a particular one: a transaction with a watch that did not fail.
    case replace(Value?, with: Value?)
    /// The key was to get the value that follows the one that it had, and was said to have this one then. Nil if
    /// nothing was said. See ``LinearizabilityChecker/successor``.
    case increment(Value?)
  }

  /// What the client learned of its end.
  public enum Ending: Hashable, Sendable {
    /// It happened, before this instant.
    case acknowledged(at: UInt64)
    /// It may have happened, or may still happen, or never.
    case unknown
    /// It was promised never to happen.
    case notExecuted
  }

  /// The key.
  public var key: Key
  /// What it did.
  public var action: Action
  /// An instant before it was sent, on any clock that does not go back and is common to all operations.
  public var start: UInt64
  /// How it ended.
  public var ending: Ending
  /// Who did it, for reports.
  public var client: Int

  /// Describes an operation.
  public init(key: Key, action: Action, start: UInt64, ending: Ending, client: Int = 0) {
    self.key = key
    self.action = action
    self.start = start
    self.ending = ending
    self.client = client
  }
}

/// Decides whether what clients saw of a map can be explained by one order of all operations that respects real time:
/// whether each operation seems to happen at one instant between its start and its end (linearizability).
///
/// Keys are independent of each other, and a history is linearizable if that of each key is (Herlihy and Wing 1990), so
/// that each is searched for itself. The search is that of Wing and Gong in the form of Lowe ("Testing for
/// linearizability", 2017): it walks through starts and ends in order of time and keeps every *configuration* that is
/// possible so far, each once: the value, and which of the operations under way have happened already. Operations are
/// let happen only when one of them ends that must have happened. Its cost depends on how many writes of one key are
/// under way at a time, not on the length of the history.
public struct LinearizabilityChecker<Key: Hashable & Comparable & Sendable, Value: Hashable & Sendable>:
  Sendable
{
  /// One operation.
  public typealias Operation = KeyedOperation<Key, Value>

  /// What was found about one key.
  public enum Finding: Hashable, Sendable, CustomStringConvertible {
    /// No order of the operations explains this key's history; the text says what cannot be explained.
    case violation(key: Key, String)
    /// The search would have taken more configurations than it may. It says nothing about the history.
    case undecided(key: Key)

    /// One line for a person.
    public var description: String {
      switch self {
      case .violation(let key, let reason): "key \(key) is not linearizable: \(reason)"
      case .undecided(let key): "key \(key) has too many operations at a time to be decided"
      }
    }
  }

  /// How many configurations may be possible at a time, 1 or more. Default 100,000.
  public var configurationsMax = 100_000

  /// The value that an increment makes of another one.
  public var successor: @Sendable (Value?) -> Value? = { $0 }

  /// A checker of maps whose keys are all absent at first.
  public init() {}

  /// Searches the whole history.
  ///
  /// - Returns: At most one finding for each key, in order of the keys; none if the history is linearizable.
  public func check(_ history: [Operation]) -> [Finding] {
    var findings: [Finding] = []
    let sorted = history.sorted { ($0.key, $0.start) < ($1.key, $1.start) }
    var start = sorted.startIndex
    while start < sorted.endIndex {
      let key = sorted[start].key
      let end = sorted[start...].firstIndex { $0.key != key } ?? sorted.endIndex
      var search = RegisterSearch(
        sorted[start..<end], configurationsMax: configurationsMax, successor: successor)
      if let finding = search.run() { findings.append(finding) }
      start = end
    }
    return findings
  }
}

/// The search through the history of one key.
private struct RegisterSearch<Key: Hashable & Comparable & Sendable, Value: Hashable & Sendable> {
  typealias Operation = KeyedOperation<Key, Value>
  typealias Finding = LinearizabilityChecker<Key, Value>.Finding

  /// A state that the register may be in.
  private struct Configuration: Hashable {
    /// The number of the value; see ``values``.
    var value = 0
    /// The operations under way that have happened and will end, by their slots.
    var happened = SlotSet()
    /// The writes of unknown outcome that have happened, by their slots.
    var spent = SlotSet()
  }

  /// An operation, as the search needs it.
  private struct Step {
    let change: Change
    /// What it wrote or read; of an increment, what it answered, or -1 if it did not.
    let value: Int
    let isUnknown: Bool

    var isWrite: Bool { change != .none }
  }

  /// What an operation makes of the value.
  private enum Change: Hashable {
    case none
    case write
    /// Only in the place of this value.
    case replace(Int)
    case increment
  }

  private struct Event {
    let time: UInt64
    let isEnd: Bool
    let operation: Int
  }

  private let operations: [Operation]
  private let steps: [Step]
  /// All values, so that the search handles their numbers. The first is absence.
  private var values: [Value?]
  private var numbers: [Value?: Int]
  /// The number of the value that follows another, as far as that was asked for.
  private var successors: [Int: Int] = [:]
  private let successor: (Value?) -> Value?
  private let configurationsMax: Int
  private var configurations = [Configuration()]
  /// The operations under way, by slot; nil for a free slot. Slots are used again, so that sets of them stay small; but
  /// a write of unknown outcome is under way for ever.
  private var slots: [Int?] = []
  private var slotOf: [Int: Int] = [:]

  init(
    _ history: ArraySlice<Operation>, configurationsMax: Int, successor: @escaping (Value?) -> Value?
  ) {
    self.successor = successor
    var seen: Set<Value?> = []
    var isCounter = false
    for operation in history {
      switch operation.action {
      case .read(let value), .replace(let value, _): seen.insert(value)
      case .increment: isCounter = true
      case .write: break
      }
    }
    operations = history.filter { operation in
      switch (operation.action, operation.ending) {
      case (_, .acknowledged): true
      case (.read, _), (_, .notExecuted): false
      // A write that perhaps happened, and that nobody saw, explains nothing: an order with it is one without it, too.
      case (.write(let value), .unknown), (.replace(_, let value), .unknown):
        isCounter || seen.contains(value)
      case (.increment, .unknown): true
      }
    }
    var values: [Value?] = [nil]
    var numbers: [Value?: Int] = [nil: 0]
    func number(_ value: Value?) -> Int {
      if let number = numbers[value] { return number }
      values.append(value)
      numbers[value] = values.count - 1
      return values.count - 1
    }
    steps = operations.map { operation in
      let isUnknown = operation.ending == .unknown
      return switch operation.action {
      case .write(let value): Step(change: .write, value: number(value), isUnknown: isUnknown)
      case .read(let value): Step(change: .none, value: number(value), isUnknown: isUnknown)
      case .replace(let old, let value):
        Step(change: .replace(number(old)), value: number(value), isUnknown: isUnknown)
      case .increment(let value):
        Step(change: .increment, value: value == nil ? -1 : number(value), isUnknown: isUnknown)
      }
    }
    self.values = values
    self.numbers = numbers
    self.configurationsMax = configurationsMax
  }

  /// What a change makes of a value; nil if it cannot happen then.
  private mutating func value(_ step: Step, after value: Int) -> Int? {
    switch step.change {
    case .none: return value
    case .write: return step.value
    case .replace(let old): return old == value ? step.value : nil
    case .increment:
      let next = next(after: value)
      return step.value == -1 || step.value == next ? next : nil
    }
  }

  private mutating func next(after value: Int) -> Int {
    if let known = successors[value] { return known }
    let following = successor(values[value])
    let number = numbers[following] ?? values.count
    if number == values.count {
      values.append(following)
      numbers[following] = number
    }
    successors[value] = number
    return number
  }

  mutating func run() -> Finding? {
    guard let key = operations.first?.key else { return nil }
    for event in events() {
      if event.isEnd {
        let before = configurations
        guard end(event.operation) else { return .undecided(key: key) }
        if configurations.isEmpty { return .violation(key: key, explain(event.operation, before)) }
      } else {
        begin(event.operation)
      }
    }
    return nil
  }

  /// Starts and ends in order of time. Of one instant, starts come first: what touches is taken to overlap.
  private func events() -> [Event] {
    var events: [Event] = []
    for (position, operation) in operations.enumerated() {
      events.append(Event(time: operation.start, isEnd: false, operation: position))
      if case .acknowledged(let end) = operation.ending {
        events.append(Event(time: max(end, operation.start), isEnd: true, operation: position))
      }
    }
    return events.sorted {
      if $0.time != $1.time { return $0.time < $1.time }
      return $0.isEnd == $1.isEnd ? $0.operation < $1.operation : $1.isEnd
    }
  }

  private mutating func begin(_ operation: Int) {
    let slot = slots.firstIndex(of: nil) ?? slots.count
    if slot == slots.count { slots.append(operation) } else { slots[slot] = operation }
    slotOf[operation] = slot
    let step = steps[operation]
    guard !step.isWrite else { return }
    for position in configurations.indices where configurations[position].value == step.value {
      configurations[position].happened.insert(slot)
    }
  }

  /// Lets an operation end: it has happened in every configuration that remains.
  ///
  /// - Returns: False if there are too many configurations.
  private mutating func end(_ operation: Int) -> Bool {
    guard let slot = slotOf.removeValue(forKey: operation) else { return true }
    var remaining = ConfigurationList()
    var visited = ConfigurationList()
    for configuration in configurations { visited.append(configuration) }
    var position = 0
    while position < visited.elements.count {
      guard visited.elements.count <= configurationsMax else { return false }
      var configuration = visited.elements[position]
      position += 1
      if configuration.happened.contains(slot) {
        configuration.happened.remove(slot)
        remaining.append(configuration)
      } else {
        appendSuccessors(of: configuration, to: &visited)
      }
    }
    slots[slot] = nil
    configurations = remaining.elements
    return true
  }

  /// What may happen next: one of the writes under way, and with it at once all reads under way that saw its value. A
  /// read changes nothing, so that letting it happen as soon as it can rules no order out.
  private mutating func appendSuccessors(
    of configuration: Configuration, to list: inout ConfigurationList
  ) {
    let firstIncrement = firstUnknownIncrement(of: configuration)
    for (slot, operation) in slots.enumerated() {
      guard let operation, steps[operation].isWrite, !configuration.happened.contains(slot),
        !configuration.spent.contains(slot)
      else {
        continue
      }
      let step = steps[operation]
      if step.isUnknown, step.change == .increment, operation != firstIncrement { continue }
      guard let value = value(step, after: configuration.value) else { continue }
      var next = configuration
      next.value = value
      if step.isUnknown { next.spent.insert(slot) } else { next.happened.insert(slot) }
      for (other, reader) in slots.enumerated() {
        if let reader, !steps[reader].isWrite, steps[reader].value == value {
          next.happened.insert(other)
        }
      }
      list.append(next)
    }
  }

  /// Of increments of unknown outcome that have not happened, the one that was begun first. It can do what any other
  /// could, so that the others need not be tried in its place.
  private func firstUnknownIncrement(of configuration: Configuration) -> Int? {
    var first: Int?
    for (slot, operation) in slots.enumerated() {
      guard let operation, steps[operation].change == .increment, steps[operation].isUnknown,
        !configuration.spent.contains(slot)
      else { continue }
      first = min(first ?? operation, operation)
    }
    return first
  }

  /// Configurations without those that allow nothing that another one does not allow too.
  private struct ConfigurationList {
    private struct Situation: Hashable {
      let value: Int
      let happened: SlotSet
    }

    private(set) var elements: [Configuration] = []
    private var spent: [Situation: [SlotSet]] = [:]

    /// Adds a configuration, unless there is one in the same situation that has spent no other writes of unknown
    /// outcome: what is not spent may still happen, or never. Without this rule, each such write that was overwritten
    /// would double the configurations.
    mutating func append(_ configuration: Configuration) {
      let situation = Situation(value: configuration.value, happened: configuration.happened)
      guard spent[situation]?.contains(where: { $0.isSubset(of: configuration.spent) }) != true else {
        return
      }
      spent[situation, default: []].append(configuration.spent)
      elements.append(configuration)
    }
  }

  // MARK: - Reports

  private func explain(_ operation: Int, _ before: [Configuration]) -> String {
    var possible: [String] = []
    for configuration in before {
      let text = Self.text(values[configuration.value])
      if !possible.contains(text) { possible.append(text) }
    }
    let underWay = slots.compactMap { $0 }.filter { $0 != operation }.map { describe($0) }
    return
      "\(describe(operation)) cannot have happened; the value was one of \(possible.joined(separator: ", "))"
      + (underWay.isEmpty ? "" : ", and under way were: \(underWay.joined(separator: "; "))")
  }

  private func describe(_ position: Int) -> String {
    let operation = operations[position]
    let what =
      switch operation.action {
      case .write(nil): "the delete"
      case .write(let value): "the write of \(Self.text(value))"
      case .read(let value): "the read of \(Self.text(value))"
      case .replace(let old, let value): "the change of \(Self.text(old)) to \(Self.text(value))"
      case .increment(let value): "the increment to \(value.map { "\($0)" } ?? "something")"
      }
    let end: String =
      if case .acknowledged(let end) = operation.ending { "to \(end)" } else { "with unknown end" }
    return "\(what) by client \(operation.client) from \(operation.start) \(end)"
  }

  private static func text(_ value: Value?) -> String { value.map { "\($0)" } ?? "nothing" }
}

/// A small set of small numbers. Equal sets are equal values.
private struct SlotSet: Hashable {
  /// One bit for each number below 64.
  private var low: UInt64 = 0
  /// One bit for each further number; the last word is not 0.
  private var high: [UInt64] = []

  func contains(_ slot: Int) -> Bool {
    guard slot >= 64 else { return low & (1 << UInt64(slot)) != 0 }
    let word = slot / 64 - 1
    return word < high.count && high[word] & (1 << UInt64(slot % 64)) != 0
  }

  func isSubset(of other: SlotSet) -> Bool {
    low & ~other.low == 0 && high.count <= other.high.count
      && zip(high, other.high).allSatisfy { $0 & ~$1 == 0 }
  }

  mutating func insert(_ slot: Int) {
    guard slot >= 64 else {
      low |= 1 << UInt64(slot)
      return
    }
    let word = slot / 64 - 1
    while high.count <= word { high.append(0) }
    high[word] |= 1 << UInt64(slot % 64)
  }

  mutating func remove(_ slot: Int) {
    guard contains(slot) else { return }
    guard slot >= 64 else {
      low &= ~(1 << UInt64(slot))
      return
    }
    high[slot / 64 - 1] &= ~(1 << UInt64(slot % 64))
    while high.last == 0 { high.removeLast() }
  }
}
