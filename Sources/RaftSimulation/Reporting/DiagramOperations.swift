/// Which operations of clients wait for an answer.
struct DiagramOperations {
  /// An operation, and the height at which a client asked for it first.
  struct Operation: Sendable {
    let client: Int
    let number: UInt64
    let begin: Double
  }

  private struct Key: Hashable {
    let client: Int
    let number: UInt64
  }

  /// In the order in which they began; nil when they are answered.
  private var begun: [Operation?] = []
  private var places: [Key: Int] = [:]

  /// What waits, in the order in which it began.
  var open: [Operation] { begun.compactMap { $0 } }

  /// Where an operation began; nil if it is not under way.
  func begin(_ client: Int, _ operation: UInt64) -> Double? {
    places[Key(client: client, number: operation)].flatMap { begun[$0]?.begin }
  }

  /// An operation that is asked for again began when it was asked for first.
  mutating func follow(_ event: RunEvent, at height: Double) {
    switch event.kind {
    case .asked(let client, let operation, _):
      let key = Key(client: client, number: operation)
      guard places[key] == nil else { return }
      places[key] = begun.count
      begun.append(Operation(client: client, number: operation, begin: height))
    case .answered(let client, let operation, _):
      guard let place = places.removeValue(forKey: Key(client: client, number: operation)) else { return }
      begun[place] = nil
    default: break
    }
  }
}
