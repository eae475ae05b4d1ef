/// What the clients of a simulation asked and were answered, and whether that can be explained by one order of all
/// operations that respects real time (linearizability), with each acknowledged append in it exactly once.
public struct History: Sendable {
  /// One operation of one client.
  struct Operation: Sendable {
    enum Kind: Sendable {
      case append(UInt64)
      case read
    }
    enum Ending: Sendable {
      case acknowledged(UInt64)
      case notExecuted
      case unknown
    }

    var kind: Kind
    var start: UInt64
    var end: UInt64?
    var ending = Ending.unknown
  }

  private(set) var operations: [Operation] = []

  /// How many operations were acknowledged.
  public var acknowledged: Int {
    operations.count { operation in
      if case .acknowledged = operation.ending { true } else { false }
    }
  }

  mutating func begin(_ kind: Operation.Kind, at time: UInt64) -> Int {
    operations.append(Operation(kind: kind, start: time))
    return operations.count - 1
  }

  mutating func end(_ operation: Int, _ ending: Operation.Ending, at time: UInt64) {
    operations[operation].end = time
    operations[operation].ending = ending
  }

  /// Explains the history by the final list, or says what cannot be explained.
  func violations(finalList: [UInt64]) -> [String] {
    var violations: [String] = []
    var startOf: [UInt64: UInt64] = [:]
    for operation in operations {
      guard case .append(let number) = operation.kind else { continue }
      startOf[number] = operation.start
      let places = finalList.indices.filter { finalList[$0] == number }
      switch operation.ending {
      case .acknowledged(let length):
        if places.map({ UInt64($0 + 1) }) != [length] {
          violations.append(
            "append of \(number) was acknowledged at \(length) and stands at \(places.map { $0 + 1 })")
        }
      case .notExecuted:
        if !places.isEmpty { violations.append("append of \(number) was said not to run, and did") }
      case .unknown:
        if places.count > 1 { violations.append("append of \(number) ran \(places.count) times") }
      }
    }
    violations += staleness(finalList, startOf)
    return violations
  }

  /// An operation that began after another had ended must come after it. Appends take the even places, reads of a length
  /// the odd place behind that length.
  private func staleness(_ finalList: [UInt64], _ startOf: [UInt64: UInt64]) -> [String] {
    var violations: [String] = []
    var placed: [(start: UInt64, end: UInt64, place: UInt64, isRead: Bool)] = []
    for operation in operations {
      guard case .acknowledged(let length) = operation.ending, let end = operation.end else { continue }
      switch operation.kind {
      case .append: placed.append((operation.start, end, 2 * length, false))
      case .read:
        placed.append((operation.start, end, 2 * length + 1, true))
        if length > 0, length <= UInt64(finalList.count), let begun = startOf[finalList[Int(length) - 1]],
          begun > end
        {
          violations.append("a read saw the append of \(finalList[Int(length) - 1]) before it was asked for")
        }
      }
    }
    let byEnd = placed.sorted { $0.end < $1.end }
    var ended = 0
    var highest: UInt64 = 0
    for operation in placed.sorted(by: { $0.start < $1.start }) {
      while ended < byEnd.count, byEnd[ended].end < operation.start {
        highest = max(highest, byEnd[ended].place)
        ended += 1
      }
      if operation.place < highest {
        violations.append(
          "\(operation.isRead ? "a read" : "an append") begun at \(operation.start) has place \(operation.place), "
            + "after place \(highest) had been answered: stale")
      }
    }
    return violations
  }
}
