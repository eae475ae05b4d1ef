import RaftCore

/// Where a scan of all keys goes on, as a number that says it all: nothing of a scan is remembered, and the keys may
/// change meanwhile.
///
/// The highest 48 bits are the first six bytes of the next key. Keys that have these in common come in one piece if
/// they are few. If they are many, they come in the order of a hash, whose lowest value that is still to come is in the
/// other 16 bits. Both are properties of a key alone, so one that stays is always met.
private struct ScanCursor: Hashable {
  var start: UInt64
  var slice: Int

  static let sliceCount = 1 << 16

  init(start: UInt64, slice: Int = 0) {
    self.start = start
    self.slice = slice
  }

  init(_ number: UInt64) {
    self.init(start: number >> 16, slice: Int(number & 0xFFFF))
  }

  /// The number; 0 for the beginning as well as for the end.
  var number: UInt64 { start << 16 | UInt64(slice) }

  /// The number of the first six bytes of `key`. Bytes that it does not have count as 0.
  static func start(of key: Bytes) -> UInt64 {
    var start: UInt64 = 0
    for index in 0..<6 { start = start << 8 | (index < key.count ? UInt64(key[index]) : 0) }
    return start
  }

  /// The highest bits of the hash of the key that begins at `offset` of `bytes`.
  static func slice(of bytes: Bytes, from offset: Int = 0) -> Int {
    Int(ByteHash.hash(bytes, from: offset, seed: 0) >> 48)
  }

  /// The lowest key that begins with the bytes of `start`, or would if its zeros were there.
  var lowestKey: Bytes {
    var key = Bytes([40, 32, 24, 16, 8, 0].map { UInt8(truncatingIfNeeded: start >> $0) })
    while key.last == 0 { key.removeLast() }
    return key
  }

  /// The beginning of the keys that come after all with these first bytes; nil if there can be none.
  var next: ScanCursor? { start + 1 < 1 << 48 ? ScanCursor(start: start + 1) : nil }
}

/// The words after the cursor of SCAN.
private struct ScanOptions {
  private(set) var pattern: GlobPattern?
  private(set) var count = 10
  /// The most keys that are asked for at once; a few more may come.
  private static let countMax = 4_096
  private(set) var typeName: String?

  init(_ call: CommandCall) throws(CommandError) {
    var index = 2
    while index < call.count {
      guard index + 1 < call.count else { throw .syntax }
      switch call.option(index) {
      case "MATCH": pattern = GlobPattern(call[index + 1])
      case "TYPE": typeName = call.option(index + 1)
      case "COUNT":
        count = Int(try call.integer(index + 1))
        guard count > 0 else { throw .syntax }
        count = min(count, Self.countMax)
      default: throw .syntax
      }
      index += 2
    }
  }

  func allows(_ key: Bytes, _ kind: StoredValue.Kind) -> Bool {
    (typeName.map { $0 == kind.typeName.uppercased() } ?? true) && (pattern?.matches(key) ?? true)
  }
}

extension CommandInterpreter {
  static func scan(_ call: CommandCall, _ store: Store) throws(CommandError) -> Reply {
    guard let number = scanCursor(call[1]) else { throw CommandError("ERR invalid cursor") }
    let options = try ScanOptions(call)
    let page = nextPage(from: ScanCursor(number), options, call.namespace, store)
    let cursor = page.next?.number ?? 0
    return .array([.bulk(String(cursor)), .array(page.keys.map { .bulk($0) })])
  }

  /// A number without a sign, or with one, which a minus makes count from the end of all numbers.
  private static func scanCursor(_ text: Bytes) -> UInt64? {
    var digits = text[...]
    let isNegative = digits.first == UInt8(ascii: "-")
    if isNegative || digits.first == UInt8(ascii: "+") {
      digits.removeFirst()
      guard !digits.isEmpty else { return nil }
    }
    var number: UInt64 = 0
    for byte in digits {
      guard let digit = NumberText.digit(byte) else { return nil }
      let (shifted, overflow) = number.multipliedReportingOverflow(by: 10)
      let (sum, overflowed) = shifted.addingReportingOverflow(UInt64(digit))
      guard !overflow, !overflowed else { return nil }
      number = sum
    }
    return isNegative ? 0 &- number : number
  }

  /// Collects keys group by group, a group being those with the same first bytes.
  private static func nextPage(
    from cursor: ScanCursor, _ options: ScanOptions, _ namespace: Bytes, _ store: Store
  ) -> (keys: [Bytes], next: ScanCursor?) {
    let manyKeys = options.count.multipliedReportingOverflow(by: 4)
    let mostInGroup = manyKeys.overflow ? Int.max : manyKeys.partialValue
    var group = cursor
    var keys: [Bytes] = []
    // How many keys were visited, and, of visited and collected ones, how many before this group.
    var (visited, before) = (0, (visited: 0, keys: 0))
    var (isLarge, next) = (false, ScanCursor?.none)
    store.scanKeys(
      namespace: namespace, from: lowest(of: cursor, options), to: options.pattern?.prefix.afterAllWithPrefix
    ) { key, header in
      let start = ScanCursor.start(of: key)
      if start != group.start {
        group = ScanCursor(start: start)
        before = (visited, keys.count)
        guard visited < options.count else {
          next = group
          return false
        }
      }
      guard group.slice == 0 || ScanCursor.slice(of: key) >= group.slice else { return true }
      visited += 1
      if options.allows(key, header.kind) { keys.append(key) }
      isLarge = visited - before.visited > mostInGroup
      return !isLarge
    }
    guard isLarge else { return (keys, next) }
    guard before.visited == 0 else { return (Array(keys.prefix(before.keys)), group) }
    return nextSlices(from: group, options, namespace, store)
  }

  /// Collects part of the keys of one large group, about a 64th of it at least, as each part takes a visit of the
  /// whole group. How many slices that is shows as the keys go by: there are half as many whenever they hold too much.
  private static func nextSlices(
    from cursor: ScanCursor, _ options: ScanOptions, _ namespace: Bytes, _ store: Store
  ) -> (keys: [Bytes], next: ScanCursor?) {
    let ends = [cursor.next?.lowestKey, options.pattern?.prefix.afterAllWithPrefix].compactMap { $0 }
    let upper = ends.min { $0.lexicographicallyPrecedes($1) }
    var end = ScanCursor.sliceCount
    var total = 0
    var found: [(slice: Int, key: Bytes?)] = []
    store.scanRecords(namespace: namespace, from: lowest(of: cursor, options), to: upper) { record in
      total += 1
      let slice = ScanCursor.slice(of: record.stored, from: record.keyOffset)
      guard (cursor.slice..<end).contains(slice) else { return true }
      let key = record.key
      found.append((slice, options.allows(key, record.header.kind) ? key : nil))
      if found.count / 2 > max(options.count, total / 64), end - cursor.slice > 1 {
        end = cursor.slice + (end - cursor.slice) / 2
        found.removeAll { $0.slice >= end }
      }
      return true
    }
    let next = end < ScanCursor.sliceCount ? ScanCursor(start: cursor.start, slice: end) : cursor.next
    return (found.compactMap(\.key), next)
  }

  private static func lowest(of cursor: ScanCursor, _ options: ScanOptions) -> Bytes {
    let lowest = cursor.lowestKey
    guard let prefix = options.pattern?.prefix, lowest.lexicographicallyPrecedes(prefix) else {
      return lowest
    }
    return prefix
  }
}
