import RaftCore

/// The commands of keys, whatever their values are.
enum KeyCommand: String {
  case del, unlink, exists, touch, type, rename, renamenx, copy, keys, scan, randomkey, dbsize
  case flushdb, flushall, object
}

extension CommandInterpreter {
  static func run(
    _ command: KeyCommand, _ call: CommandCall, _ store: inout Store
  ) throws(CommandError) -> Reply {
    switch command {
    case .del, .unlink: delete(call, &store)
    case .exists, .touch: countPresent(call, store)
    case .type: .status(store.header(namespace: call.namespace, key: call.key)?.kind.typeName ?? "none")
    case .rename: try rename(call, onlyIfAbsent: false, &store)
    case .renamenx: try rename(call, onlyIfAbsent: true, &store)
    case .copy: try copy(call, &store)
    case .keys: try keys(call, store)
    case .scan: try scan(call, store)
    case .randomkey: randomKey(call, store)
    case .dbsize: .integer(Int64(store.count(namespace: call.namespace)))
    case .flushdb, .flushall: try flush(command, call, &store)
    case .object: try object(call, store)
    }
  }

  private static func delete(_ call: CommandCall, _ store: inout Store) -> Reply {
    var count: Int64 = 0
    for key in call.arguments.dropFirst() where store.remove(namespace: call.namespace, key: key) {
      count += 1
    }
    return .integer(count)
  }

  private static func countPresent(_ call: CommandCall, _ store: Store) -> Reply {
    let present = call.arguments.dropFirst().filter { store.contains(namespace: call.namespace, key: $0) }
    return .integer(Int64(present.count))
  }

  // MARK: - Moving

  private static func rename(
    _ call: CommandCall, onlyIfAbsent: Bool, _ store: inout Store
  ) throws(CommandError) -> Reply {
    guard let value = store.value(namespace: call.namespace, key: call.key) else { throw .noSuchKey }
    let isFree = call[1] != call[2] && !store.contains(namespace: call.namespace, key: call[2])
    if onlyIfAbsent && !isFree { return .integer(0) }
    if call[1] != call[2] {
      store.set(value, namespace: call.namespace, key: call[2])
      store.remove(namespace: call.namespace, key: call.key)
    }
    return onlyIfAbsent ? .integer(1) : .ok
  }

  private static func copy(_ call: CommandCall, _ store: inout Store) throws(CommandError) -> Reply {
    var namespace = call.namespace
    var replaces = false
    var index = 3
    while index < call.count {
      let word = call.option(index)
      if word == "REPLACE" {
        replaces = true
      } else if word == "DB", index + 1 < call.count {
        index += 1
        namespace = try database(call, at: index)
      } else {
        throw .syntax
      }
      index += 1
    }
    guard namespace != call.namespace || call[1] != call[2] else {
      throw CommandError("ERR source and destination objects are the same")
    }
    guard let value = store.value(namespace: call.namespace, key: call.key),
      replaces || !store.contains(namespace: namespace, key: call[2])
    else { return .integer(0) }
    store.set(value, namespace: namespace, key: call[2])
    return .integer(1)
  }

  private static func database(_ call: CommandCall, at index: Int) throws(CommandError) -> Bytes {
    let number = try call.integer(index)
    guard Int32(exactly: number) != nil else {
      throw CommandError("ERR value is out of range, value must between -2147483648 and 2147483647")
    }
    guard let namespace = CommandTable.namespace(ofDatabase: Int(number)) else {
      throw CommandError("ERR DB index is out of range")
    }
    return namespace
  }

  // MARK: - All keys

  private static func keys(_ call: CommandCall, _ store: Store) throws(CommandError) -> Reply {
    let pattern = GlobPattern(call[1])
    var found: [Reply] = []
    var bytes = 0
    store.scanKeys(
      namespace: call.namespace, from: pattern.prefix, to: pattern.prefix.afterAllWithPrefix
    ) { key, _ in
      guard pattern.matches(key) else { return true }
      bytes += key.count + 16
      found.append(.bulk(key))
      return bytes <= AnswerLimit.replyBytes
    }
    guard bytes <= AnswerLimit.replyBytes else { throw AnswerLimit.tooLong }
    return .array(found)
  }

  /// A key that the moment chooses, each with the same chance.
  ///
  /// - Complexity: O(n).
  private static func randomKey(_ call: CommandCall, _ store: Store) -> Reply {
    let count = store.count(namespace: call.namespace)
    guard count > 0 else { return .null }
    var seed: Bytes = []
    seed.append(littleEndian: store.logIndex)
    seed.append(littleEndian: store.time)
    var skipped = Int(ByteHash.hash(seed, seed: 0) % UInt64(count))
    var first: Bytes?
    var chosen: Bytes?
    // If the last ones have expired, the count is greater than what is visited.
    store.scanKeys(namespace: call.namespace) { key, _ in
      if first == nil { first = key }
      if skipped == 0 { chosen = key }
      skipped -= 1
      return chosen == nil
    }
    return (chosen ?? first).map { .bulk($0) } ?? .null
  }

  private static func flush(
    _ command: KeyCommand, _ call: CommandCall, _ store: inout Store
  ) throws(CommandError) -> Reply {
    guard call.count < 2 || (call.count == 2 && ["ASYNC", "SYNC"].contains(call.option(1))) else {
      throw .syntax
    }
    if command == .flushall {
      store.clear()
    } else {
      store.clear(namespace: call.namespace)
    }
    return .ok
  }
}

extension StoredValue.Kind {
  /// What TYPE answers. A JSON text is a string to all who read it with the commands of strings.
  var typeName: String {
    switch self {
    case .string, .json: "string"
    case .bloomFilter: "MBbloom--"
    }
  }
}
