import RaftCore

/// The commands of bloom filters.
enum BloomFilterCommand: String {
  case reserve = "bf.reserve"
  case add = "bf.add"
  case addMany = "bf.madd"
  case exists = "bf.exists"
  case existMany = "bf.mexists"
  case info = "bf.info"
}

extension CommandInterpreter {
  static func run(
    _ command: BloomFilterCommand, _ call: CommandCall, _ store: inout Store
  ) throws(CommandError) -> Reply {
    switch command {
    case .reserve: try reserve(call, &store)
    case .add: try add(call, &store)[0]
    case .addMany: .array(try add(call, &store))
    case .exists: try contains(call, store)[0]
    case .existMany: .array(try contains(call, store))
    case .info: try info(call, store)
    }
  }

  private static func filter(_ call: CommandCall, _ store: Store) throws(CommandError) -> BloomFilter? {
    guard let (header, bytes) = store.record(namespace: call.namespace, key: call.key) else { return nil }
    guard header.kind == .bloomFilter else { throw .wrongType }
    return BloomFilter(bytes, from: header.length)
  }

  private static func contains(_ call: CommandCall, _ store: Store) throws(CommandError) -> [Reply] {
    let filter = try filter(call, store)
    return call.arguments.dropFirst(2).map { .integer(filter?.contains($0) ?? false ? 1 : 0) }
  }

  // MARK: - Making

  private static func reserve(_ call: CommandCall, _ store: inout Store) throws(CommandError) -> Reply {
    let (errorRate, capacity) = (try errorRate(call), try capacity(call))
    let expansion = try expansion(call)
    guard try filter(call, store) == nil else { throw CommandError("ERR item exists") }
    guard let filter = BloomFilter(errorRate: errorRate, capacity: capacity, expansion: expansion) else {
      throw CommandError("ERR could not create filter")
    }
    set(filter, expiry: nil, call, &store)
    return .ok
  }

  private static func errorRate(_ call: CommandCall) throws(CommandError) -> Double {
    // A word, such as that for no number, is none here either, though it would be read.
    guard let text = String(validating: call[2], as: UTF8.self), let last = call[2].last,
      last == UInt8(ascii: ".") || NumberText.digit(last) != nil, let rate = Double(text)
    else { throw CommandError("ERR bad error rate") }
    guard rate > 0, rate < 1 else { throw CommandError("ERR (0 < error rate range < 1)") }
    return rate
  }

  private static func capacity(_ call: CommandCall) throws(CommandError) -> UInt64 {
    guard let capacity = NumberText.integer(call[3]) else { throw CommandError("ERR bad capacity") }
    guard capacity > 0 else { throw CommandError("ERR (capacity should be larger than 0)") }
    return UInt64(capacity)
  }

  /// How much larger each part of the filter is to be; nil if there is to be but one.
  private static func expansion(_ call: CommandCall) throws(CommandError) -> UInt64? {
    let words = (4..<max(call.count, 4)).map { call.option($0) }
    let isFixed = words.contains("NONSCALING")
    guard let index = words.firstIndex(of: "EXPANSION") else {
      return isFixed ? nil : BloomFilter.defaultExpansion
    }
    guard index + 1 < words.count else { throw CommandError("ERR no expansion") }
    guard let number = NumberText.integer(call[index + 5]), (0...32_768).contains(number) else {
      throw CommandError("ERR bad expansion")
    }
    guard number > 0 else { return nil }
    guard !isFixed else { throw CommandError("Nonscaling filters cannot expand") }
    return UInt64(number)
  }

  // MARK: - Adding

  /// Adds elements up to the first one that cannot be.
  private static func add(_ call: CommandCall, _ store: inout Store) throws(CommandError) -> [Reply] {
    let old = store.value(namespace: call.namespace, key: call.key)
    guard old == nil || old?.kind == .bloomFilter else { throw .wrongType }
    guard
      var filter = old.map({ BloomFilter($0.payload) })
        ?? BloomFilter(
          errorRate: BloomFilter.defaultErrorRate, capacity: BloomFilter.defaultCapacity,
          expansion: BloomFilter.defaultExpansion)
    else { throw CommandError("ERR could not create filter") }
    var replies: [Reply] = []
    var isChanged = false
    elements: for element in call.arguments.dropFirst(2) {
      switch filter.insert(element) {
      case .inserted:
        isChanged = true
        replies.append(.integer(1))
      case .present: replies.append(.integer(0))
      case .full:
        replies.append(.error("ERR non scaling filter is full"))
        break elements
      case .tooLarge:
        replies.append(.error("ERR problem inserting into filter"))
        break elements
      }
    }
    if isChanged { set(filter, expiry: old?.expiry, call, &store) }
    return replies
  }

  private static func set(
    _ filter: BloomFilter, expiry: UInt64?, _ call: CommandCall, _ store: inout Store
  ) {
    let value = StoredValue(kind: .bloomFilter, payload: filter.bytes, expiry: expiry)
    store.set(value, namespace: call.namespace, key: call.key)
  }

  // MARK: - Describing

  private static func info(_ call: CommandCall, _ store: Store) throws(CommandError) -> Reply {
    guard call.count <= 3 else { throw call.wrongArity }
    guard let filter = try filter(call, store) else { throw CommandError("ERR not found") }
    let facts: [(word: String, name: String, value: Reply)] = [
      ("CAPACITY", "Capacity", .integer(Int64(clamping: filter.capacity))),
      ("SIZE", "Size", .integer(Int64(filter.length))),
      ("FILTERS", "Number of filters", .integer(Int64(filter.partCount))),
      ("ITEMS", "Number of items inserted", .integer(Int64(clamping: filter.count))),
      ("EXPANSION", "Expansion rate", filter.expansion.map { .integer(Int64($0)) } ?? .null),
    ]
    guard call.count == 3 else { return .map(facts.map { Reply.Pair(.status($0.name), $0.value) }) }
    let word = call.option(2)
    guard let fact = facts.first(where: { $0.word == word }) else {
      throw CommandError("Invalid information value")
    }
    return .array([fact.value])
  }
}
