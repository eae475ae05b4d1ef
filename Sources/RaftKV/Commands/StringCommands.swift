import RaftCore

/// The commands of strings.
enum StringCommand: String {
  case get, set, setnx, setex, psetex, getset, getdel, getex, mget, mset, msetnx, append, strlen
  case getrange, substr, setrange, incr, incrby, incrbyfloat, decr, decrby
}

extension CommandInterpreter {
  static func run(
    _ command: StringCommand, _ call: CommandCall, _ store: inout Store
  ) throws(CommandError) -> Reply {
    switch command {
    case .get: try get(call, store)
    case .set: try set(call, &store)
    case .setnx: try setIfAbsent(call, &store)
    case .setex: try set(call, expiringAfter: .seconds, &store)
    case .psetex: try set(call, expiringAfter: .milliseconds, &store)
    case .getset: try getAndSet(call, &store)
    case .getdel: try getAndDelete(call, &store)
    case .getex: try getAndExpire(call, &store)
    case .mget: try getMany(call, store)
    case .mset: try setMany(call, &store)
    case .msetnx: try setManyIfAbsent(call, &store)
    case .append: try append(call, &store)
    case .strlen: .integer(Int64(try string(call.key, call, store)?.payload.count ?? 0))
    case .getrange, .substr: try getRange(call, store)
    case .setrange: try setRange(call, &store)
    case .incr: try add(1, call, &store)
    case .incrby: try add(try call.integer(2), call, &store)
    case .decr: try add(-1, call, &store)
    case .decrby: try subtract(call, &store)
    case .incrbyfloat: try addNumber(call, &store)
    }
  }

  // MARK: - Reading

  private static func get(_ call: CommandCall, _ store: Store) throws(CommandError) -> Reply {
    try string(call.key, call, store).map { .bulk($0.payload) } ?? .null
  }

  private static func getMany(_ call: CommandCall, _ store: Store) throws(CommandError) -> Reply {
    var replies: [Reply] = []
    var bytes = 0
    for key in call.arguments.dropFirst() {
      guard let value = store.value(namespace: call.namespace, key: key), value.kind != .bloomFilter else {
        replies.append(.null)
        continue
      }
      bytes += value.payload.count
      guard bytes <= AnswerLimit.replyBytes else { throw AnswerLimit.tooLong }
      replies.append(.bulk(value.payload))
    }
    return .array(replies)
  }

  private static func getRange(_ call: CommandCall, _ store: Store) throws(CommandError) -> Reply {
    let (start, end) = (try call.integer(2), try call.integer(3))
    guard let payload = try string(call.key, call, store)?.payload,
      let range = byteRange(start, end, count: payload.count)
    else { return .bulk([]) }
    return .bulk(Bytes(payload[range]))
  }

  /// The range that two positions name, both included, of which negative ones count from the end; nil if it is empty.
  static func byteRange(_ start: Int64, _ end: Int64, count: Int) -> ClosedRange<Int>? {
    guard count > 0, !(start < 0 && end < 0 && start > end) else { return nil }
    let length = Int64(count)
    let first = max(start < 0 ? start + length : start, 0)
    let last = min(max(end < 0 ? end + length : end, 0), length - 1)
    return first <= last ? Int(first)...Int(last) : nil
  }

  // MARK: - Setting

  private static func set(_ call: CommandCall, _ store: inout Store) throws(CommandError) -> Reply {
    let options = try SetOptions(call, from: 3, allowing: .set)
    let expiry = try options.expiry(for: call, at: store.time)
    let old = options.returnsOld ? try string(call.key, call, store) : nil
    let found = options.asksForPresence ? store.header(namespace: call.namespace, key: call.key) : nil
    let answer: Reply = options.returnsOld ? old.map { .bulk($0.payload) } ?? .null : .ok
    if options.onlyIfAbsent && found != nil || options.onlyIfPresent && found == nil {
      return options.returnsOld ? answer : .null
    }
    try checkLength(call[2].count)
    setString(call[2], expiry: options.keepsExpiry ? found?.expiry : expiry, call.key, call, &store)
    return answer
  }

  private static func setIfAbsent(_ call: CommandCall, _ store: inout Store) throws(CommandError) -> Reply {
    guard !store.contains(namespace: call.namespace, key: call.key) else { return .integer(0) }
    try checkLength(call[2].count)
    setString(call[2], call.key, call, &store)
    return .integer(1)
  }

  private static func set(
    _ call: CommandCall, expiringAfter unit: TimeUnit, _ store: inout Store
  ) throws(CommandError) -> Reply {
    let expiry = try SetOptions.expiry(call[2], unit, isRelative: true, for: call, at: store.time)
    try checkLength(call[3].count)
    setString(call[3], expiry: expiry, call.key, call, &store)
    return .ok
  }

  private static func getAndSet(_ call: CommandCall, _ store: inout Store) throws(CommandError) -> Reply {
    let answer = try get(call, store)
    try checkLength(call[2].count)
    setString(call[2], call.key, call, &store)
    return answer
  }

  private static func getAndDelete(_ call: CommandCall, _ store: inout Store) throws(CommandError) -> Reply {
    let answer = try get(call, store)
    if answer != .null { store.remove(namespace: call.namespace, key: call.key) }
    return answer
  }

  private static func getAndExpire(_ call: CommandCall, _ store: inout Store) throws(CommandError) -> Reply {
    let options = try SetOptions(call, from: 2, allowing: .get)
    guard var value = try string(call.key, call, store) else { return .null }
    let expiry = try options.expiry(for: call, at: store.time)
    let answer = Reply.bulk(value.payload)
    guard expiry != nil || options.persists && value.expiry != nil else { return answer }
    value.expiry = expiry
    store.set(value, namespace: call.namespace, key: call.key)
    return answer
  }

  private static func setMany(_ call: CommandCall, _ store: inout Store) throws(CommandError) -> Reply {
    guard call.count % 2 == 1 else { throw call.wrongArity }
    for index in stride(from: 2, to: call.count, by: 2) { try checkLength(call[index].count) }
    for index in stride(from: 1, to: call.count, by: 2) {
      setString(call[index + 1], call[index], call, &store)
    }
    return .ok
  }

  private static func setManyIfAbsent(
    _ call: CommandCall, _ store: inout Store
  ) throws(CommandError) -> Reply {
    guard call.count % 2 == 1 else { throw call.wrongArity }
    for index in stride(from: 1, to: call.count, by: 2) {
      if store.contains(namespace: call.namespace, key: call[index]) { return .integer(0) }
    }
    _ = try setMany(call, &store)
    return .integer(1)
  }

  // MARK: - Changing a part

  /// Puts a changed string in the place of an old one, which expires when that did.
  static func replaceString(
    _ old: StoredValue?, with payload: Bytes, _ call: CommandCall, _ store: inout Store
  ) {
    setString(payload, expiry: old?.expiry, call.key, call, &store)
  }

  private static func append(_ call: CommandCall, _ store: inout Store) throws(CommandError) -> Reply {
    let old = try string(call.key, call, store)
    try checkLength((old?.payload.count ?? 0) + call[2].count)
    let payload = (old?.payload ?? []) + call[2]
    replaceString(old, with: payload, call, &store)
    return .integer(Int64(payload.count))
  }

  private static func setRange(_ call: CommandCall, _ store: inout Store) throws(CommandError) -> Reply {
    let offset = try call.integer(2)
    guard offset >= 0 else { throw CommandError("ERR offset is out of range") }
    let old = try string(call.key, call, store)
    var payload = old?.payload ?? []
    guard !call[3].isEmpty else { return .integer(Int64(payload.count)) }
    guard offset <= Int64(CommandTable.longestString) else { throw .tooLong }
    let end = Int(offset) + call[3].count
    try checkLength(end)
    if payload.count < end { payload += repeatElement(0, count: end - payload.count) }
    payload.replaceSubrange(Int(offset)..<end, with: call[3])
    replaceString(old, with: payload, call, &store)
    return .integer(Int64(payload.count))
  }

  // MARK: - Counting

  private static func add(
    _ addend: Int64, _ call: CommandCall, _ store: inout Store
  ) throws(CommandError) -> Reply {
    let old = try string(call.key, call, store)
    guard let number = old.map({ NumberText.integer($0.payload) }) ?? 0 else { throw .notInteger }
    let (sum, overflow) = number.addingReportingOverflow(addend)
    guard !overflow else { throw .overflow }
    setNumber(NumberText.text(sum), old, call, &store)
    return .integer(sum)
  }

  private static func subtract(_ call: CommandCall, _ store: inout Store) throws(CommandError) -> Reply {
    let subtrahend = try call.integer(2)
    guard subtrahend != .min else { throw CommandError("ERR decrement would overflow") }
    return try add(-subtrahend, call, &store)
  }

  private static func addNumber(_ call: CommandCall, _ store: inout Store) throws(CommandError) -> Reply {
    let old = try string(call.key, call, store)
    guard let number = old.map({ ExtendedNumber($0.payload) }) ?? ExtendedNumber.zero,
      let addend = ExtendedNumber(call[2])
    else { throw .notFloat }
    let sum = number + addend
    guard !sum.isInfinite else { throw CommandError("ERR increment would produce NaN or Infinity") }
    let text = Bytes(sum.text.utf8)
    setNumber(text, old, call, &store)
    return .bulk(text)
  }

  /// Puts a number in the place of an old one, and leaves a number of JSON one.
  private static func setNumber(
    _ text: Bytes, _ old: StoredValue?, _ call: CommandCall, _ store: inout Store
  ) {
    let value = StoredValue(kind: old?.kind ?? .string, payload: text, expiry: old?.expiry)
    store.set(value, namespace: call.namespace, key: call.key)
  }
}
