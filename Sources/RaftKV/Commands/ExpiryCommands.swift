import RaftCore

/// The commands of when keys expire.
enum ExpiryCommand: String {
  case expire, pexpire, expireat, pexpireat, ttl, pttl, expiretime, pexpiretime, persist
}

extension CommandInterpreter {
  static func run(
    _ command: ExpiryCommand, _ call: CommandCall, _ store: inout Store
  ) throws(CommandError) -> Reply {
    switch command {
    case .expire: try expire(call, .seconds, isRelative: true, &store)
    case .pexpire: try expire(call, .milliseconds, isRelative: true, &store)
    case .expireat: try expire(call, .seconds, isRelative: false, &store)
    case .pexpireat: try expire(call, .milliseconds, isRelative: false, &store)
    case .ttl: expiry(call, .seconds, since: store.time, store)
    case .pttl: expiry(call, .milliseconds, since: store.time, store)
    case .expiretime: expiry(call, .seconds, since: 0, store)
    case .pexpiretime: expiry(call, .milliseconds, since: 0, store)
    case .persist: persist(call, &store)
    }
  }

  /// Until when the key is there, counted from a moment: -2 if it is not, -1 if it stays.
  private static func expiry(
    _ call: CommandCall, _ unit: TimeUnit, since origin: UInt64, _ store: Store
  ) -> Reply {
    guard let header = store.header(namespace: call.namespace, key: call.key) else { return .integer(-2) }
    guard let expiry = header.expiry else { return .integer(-1) }
    let left = Int64(clamping: expiry - origin)
    guard unit == .seconds else { return .integer(left) }
    // To the nearest second, without the sum that could overflow.
    return .integer(left / 1000 + (left % 1000 >= 500 ? 1 : 0))
  }

  private static func persist(_ call: CommandCall, _ store: inout Store) -> Reply {
    guard var value = store.value(namespace: call.namespace, key: call.key), value.expiry != nil else {
      return .integer(0)
    }
    value.expiry = nil
    store.set(value, namespace: call.namespace, key: call.key)
    return .integer(1)
  }

  private static func expire(
    _ call: CommandCall, _ unit: TimeUnit, isRelative: Bool, _ store: inout Store
  ) throws(CommandError) -> Reply {
    let condition = try ExpiryCondition(call, from: 3)
    let number = try call.integer(2)
    let (scaled, overflow) = number.multipliedReportingOverflow(by: unit == .seconds ? 1000 : 1)
    let (sum, overflowed) = scaled.addingReportingOverflow(isRelative ? Int64(clamping: store.time) : 0)
    guard !overflow, !overflowed else { throw .invalidExpiry(call.info.name) }
    guard var value = store.value(namespace: call.namespace, key: call.key),
      condition.allows(sum, insteadOf: value.expiry)
    else { return .integer(0) }
    // A moment before 1970 has passed like any other.
    value.expiry = UInt64(max(sum, 0))
    store.set(value, namespace: call.namespace, key: call.key)
    return .integer(1)
  }
}

/// The words after the time of EXPIRE: what must be true of the expiry that there is.
private struct ExpiryCondition {
  private var isNone = false
  private var isSome = false
  private var isLess = false
  private var isGreater = false

  init(_ call: CommandCall, from first: Int) throws(CommandError) {
    for index in first..<max(call.count, first) {
      switch call.option(index) {
      case "NX": isNone = true
      case "XX": isSome = true
      case "GT": isLess = true
      case "LT": isGreater = true
      default: throw CommandError("ERR Unsupported option \(String(decoding: call[index], as: UTF8.self))")
      }
    }
    guard !isNone || !(isSome || isLess || isGreater) else {
      throw CommandError("ERR NX and XX, GT or LT options at the same time are not compatible")
    }
    guard !(isLess && isGreater) else {
      throw CommandError("ERR GT and LT options at the same time are not compatible")
    }
  }

  /// What never expires does so later than everything.
  func allows(_ expiry: Int64, insteadOf old: UInt64?) -> Bool {
    guard let old else { return !isSome && !isLess }
    guard !isNone else { return false }
    return (!isLess || expiry > Int64(clamping: old)) && (!isGreater || expiry < Int64(clamping: old))
  }
}
