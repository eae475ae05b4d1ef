import RaftCore

/// The commands of counts of distinct elements.
enum HyperLogLogCommand: String {
  case pfadd, pfcount, pfmerge
}

extension CommandInterpreter {
  static func run(
    _ command: HyperLogLogCommand, _ call: CommandCall, _ store: inout Store
  ) throws(CommandError) -> Reply {
    switch command {
    case .pfadd: try addElements(call, &store)
    case .pfcount: .integer(try merged(call, store)?.estimate ?? 0)
    case .pfmerge: try mergeCounts(call, &store)
    }
  }

  private static func addElements(
    _ call: CommandCall, _ store: inout Store
  ) throws(CommandError) -> Reply {
    let old = try string(call.key, call, store)
    var count = try old.map(count) ?? HyperLogLog()
    var isChanged = old == nil
    for element in call.arguments.dropFirst(2) where count.insert(element) { isChanged = true }
    guard isChanged else { return .integer(0) }
    replaceString(old, with: count.bytes, call, &store)
    return .integer(1)
  }

  private static func mergeCounts(
    _ call: CommandCall, _ store: inout Store
  ) throws(CommandError) -> Reply {
    let count = try merged(call, store) ?? HyperLogLog()
    replaceString(try string(call.key, call, store), with: count.bytes, call, &store)
    return .ok
  }

  /// All counts that the call names in one; nil if there are none.
  private static func merged(_ call: CommandCall, _ store: Store) throws(CommandError) -> HyperLogLog? {
    var merged: HyperLogLog?
    for key in call.arguments.dropFirst() {
      guard let next = try string(key, call, store).map(count) else { continue }
      if merged == nil {
        merged = next
      } else {
        merged?.merge(next)
      }
    }
    return merged
  }

  private static func count(_ value: StoredValue) throws(CommandError) -> HyperLogLog {
    guard let count = HyperLogLog(value.payload) else {
      throw CommandError("WRONGTYPE Key is not a valid HyperLogLog string value.")
    }
    return count
  }
}
