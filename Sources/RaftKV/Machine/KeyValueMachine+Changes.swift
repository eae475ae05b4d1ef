import RaftCore

extension KeyValueMachine {
  /// Makes all changes at one moment, or none of them: conditions, and numbers that are added to, are those from before all
  /// of them.
  mutating func make(_ changes: [KeyChange]) -> KeyValueOutcome {
    var plan: [(value: StoredValue?, result: KeyChangeResult)] = []
    plan.reserveCapacity(changes.count)
    for (position, change) in changes.enumerated() {
      let found = keyspace.value(namespace: change.namespace, key: change.key)
      func refusal(_ reason: KeyChangeRefusal.Reason) -> KeyValueOutcome {
        .refused(KeyChangeRefusal(position: position, reason: reason, version: found?.version ?? 0))
      }
      guard change.condition.holds(for: found) else { return refusal(.condition) }
      switch change.action {
      case .put(let text, let milliseconds):
        var value = StoredValue(json: text)
        value.expiry = milliseconds.map { keyspace.time.addingReportingOverflow($0) }
          .map { $0.overflow ? .max : $0.partialValue }
        plan.append((value, .put))
      case .delete: plan.append((nil, .deleted))
      case .add(let addend):
        let old = found.isNullOrAbsent ? nil : found
        guard let number = old.map(\.number) ?? 0 else { return refusal(.notANumber) }
        let (sum, isTooMuch) = number.addingReportingOverflow(addend)
        guard !isTooMuch else { return refusal(.overflow) }
        let value = StoredValue(
          kind: old?.kind ?? .json, payload: NumberText.text(sum), expiry: found?.expiry)
        plan.append((value, .number(sum)))
      }
    }
    for (change, step) in zip(changes, plan) {
      if let value = step.value {
        keyspace.set(value, namespace: change.namespace, key: change.key)
      } else {
        keyspace.remove(namespace: change.namespace, key: change.key)
      }
    }
    return .made(version: keyspace.logIndex, plan.map(\.result))
  }
}

extension StoredValue {
  /// The whole number that it is.
  fileprivate var number: Int64? { kind == .bloomFilter ? nil : NumberText.integer(payload) }
}
