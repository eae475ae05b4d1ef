/// Decides whether what clients saw of a system can be explained by one order of all operations in which each takes
/// effect at one instant between its invocation and its answer (linearizability, Herlihy and Wing 1990).
///
/// A history is linearizable if that of each key is, so that each key is searched for itself. To decide it takes, at
/// worst, exponential time; how the search avoids that where it can is told at its type. Equal histories get equal
/// verdicts.
///
/// ```swift
/// let checker = LinearizabilityChecker(KeyValueModel())
/// guard case .linearizable = checker.check(history) else { ... }
/// ```
public struct LinearizabilityChecker<Model: SequentialModel>: Sendable {
  /// One operation of the history.
  public typealias Operation = ClientOperation<Model.Input, Model.Output>

  /// What the operations mean.
  public var model: Model
  /// How many configurations the search may visit for each key, 1 or more. A configuration takes some hundred bytes.
  /// Default 500,000.
  public var statesMax: Int

  /// A checker for one model.
  public init(_ model: Model, statesMax: Int = 500_000) {
    self.model = model
    self.statesMax = statesMax
  }

  /// Judges a history, whose operations may be in any order.
  ///
  /// - Returns: Of several violations the one whose answer came first; `undecided` only if no key shows a violation.
  public func check(_ history: [Operation]) -> LinearizabilityVerdict {
    var earliest: KeyHistory<Model>.Contradiction?
    var undecided: [String] = []
    for (key, positions) in partitions(history) {
      let operations = KeyHistory(model, history, positions, statesMax: statesMax)
      switch operations.judge() {
      case .linearizable: break
      case .undecided: undecided.append("\(key)")
      case .contradiction(let found):
        guard let first = earliest else {
          earliest = found
          continue
        }
        if (found.time, found.explanation.operation) < (first.time, first.explanation.operation) {
          earliest = found
        }
      }
    }
    if let earliest { return .violation(earliest.explanation) }
    guard undecided.isEmpty else {
      return .undecided(
        "more than \(statesMax) configurations are possible for \(undecided.joined(separator: ", "))")
    }
    return .linearizable
  }

  /// Where the operations of each key stand, in order of the keys.
  private func partitions(_ history: [Operation]) -> [(key: Model.Key, positions: [Int])] {
    var partitionOf: [Model.Key: Int] = [:]
    var partitions: [(key: Model.Key, positions: [Int])] = []
    for (position, operation) in history.enumerated() {
      let key = model.partition(of: operation.input)
      if let partition = partitionOf[key] {
        partitions[partition].positions.append(position)
      } else {
        partitionOf[key] = partitions.count
        partitions.append((key, [position]))
      }
    }
    return partitions.sorted { $0.key < $1.key }
  }
}
