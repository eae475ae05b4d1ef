import RaftCore

// Conditions, expiry, counters, batches, ways to read, scans: what requests say beside the plain ones.

extension JSONRequest.Field {
  static let ttl = Bytes(#""ttl""#.utf8)
  static let version = Bytes(#""version""#.utf8)
  static let ifAbsent = Bytes(#""if_absent""#.utf8)
  static let ifValue = Bytes(#""if_value""#.utf8)
  static let ifVersion = Bytes(#""if_version""#.utf8)
  static let by = Bytes(#""by""#.utf8)
  static let ops = Bytes(#""ops""#.utf8)
  static let consistency = Bytes(#""consistency""#.utf8)
  static let prefix = Bytes(#""prefix""#.utf8)
  static let from = Bytes(#""from""#.utf8)
  static let to = Bytes(#""to""#.utf8)
  static let limit = Bytes(#""limit""#.utf8)
  static let cursor = Bytes(#""cursor""#.utf8)
  static let values = Bytes(#""values""#.utf8)
  static let id = Bytes(#""id""#.utf8)
  static let progress = Bytes(#""progress""#.utf8)
  static let on = Bytes(#""on""#.utf8)
}

extension JSONDocument {
  /// Whether a field is there and true.
  func isTrue(_ name: Bytes) -> Bool { value(of: name).map { text[$0].elementsEqual("true".utf8) } ?? false }

  /// The whole number that a field is; nil if it is none, or not there.
  func wholeNumber<Number: FixedWidthInteger>(_ name: Bytes) -> Number? {
    value(of: name).flatMap { Number(String(decoding: text[$0], as: UTF8.self)) }
  }

  /// The elements of the array at `range`.
  func elements(at range: Range<Int>) -> [Range<Int>] {
    var elements: [Range<Int>] = []
    var (start, depth, isInString) = (range.lowerBound + 1, 0, false)
    var index = start
    while index < range.upperBound - 1 {
      switch text[index] {
      case UInt8(ascii: "\\"): index += 1
      case UInt8(ascii: "\""): isInString.toggle()
      case _ where isInString: break
      case UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
      case UInt8(ascii: "]"), UInt8(ascii: "}"): depth -= 1
      case UInt8(ascii: ",") where depth == 0:
        elements.append(start..<index)
        start = index + 1
      default: break
      }
      index += 1
    }
    if start < index { elements.append(start..<index) }
    return elements
  }
}

// MARK: - Writing

extension FieldReader {
  /// The longest time to live: a hundred years, in milliseconds.
  private static let ttlMax = 3_155_760_000_000.0

  /// A put, delete or addition. The plain ones stay what they have always been in the log.
  func write(_ kind: JSONRequest.Kind) throws(RequestRefusal) -> KeyValueCommand {
    let change = try change(kind)
    guard change.condition.isNone, !document.isTrue(JSONRequest.Field.version) else {
      return .change([change])
    }
    switch change.action {
    case .put(let value, nil): return .put(namespace: change.namespace, key: change.key, value: value)
    case .delete: return .delete(namespace: change.namespace, key: change.key)
    default: return .change([change])
    }
  }

  private func change(_ kind: JSONRequest.Kind) throws(RequestRefusal) -> KeyChange {
    let (namespace, key) = (try namespace(), try key())
    let action: KeyChange.Action =
      switch kind {
      case .put: .put(try value(), milliseconds: try ttl())
      case .incr: .add(try addend())
      default: .delete
      }
    return KeyChange(namespace: namespace, key: key, action: action, condition: try condition())
  }

  /// How long a value stays, in milliseconds.
  private func ttl() throws(RequestRefusal) -> UInt64? {
    guard let range = document.value(of: JSONRequest.Field.ttl), document.kind(of: range) != .null else {
      return nil
    }
    let seconds = Double(String(decoding: document.text[range], as: UTF8.self)) ?? .nan
    let milliseconds = (seconds * 1_000).rounded()
    guard document.kind(of: range) == .number, milliseconds >= 1, milliseconds <= Self.ttlMax else {
      throw refusal(.badTTL, "a 'ttl' is a number of seconds from 0.001 to 3155760000")
    }
    return UInt64(milliseconds)
  }

  private func addend() throws(RequestRefusal) -> Int64 {
    guard document.value(of: JSONRequest.Field.by) != nil else { return 1 }
    guard let addend: Int64 = document.wholeNumber(JSONRequest.Field.by) else {
      throw refusal(
        .badIncrement, "'by' is a whole number from -9223372036854775808 to 9223372036854775807")
    }
    return addend
  }

  private func condition() throws(RequestRefusal) -> KeyCondition {
    var condition = KeyCondition()
    if let range = document.value(of: JSONRequest.Field.ifAbsent) {
      guard document.kind(of: range) == .bool else {
        throw refusal(.badCondition, "'if_absent' is true or false")
      }
      condition.isAbsent = document.isTrue(JSONRequest.Field.ifAbsent)
    }
    if let range = document.value(of: JSONRequest.Field.ifValue) {
      guard range.count <= options.valueBytesMax else {
        throw refusal(
          .valueTooLarge,
          "'if_value' has \(range.count) bytes of JSON; the limit is \(options.valueBytesMax)")
      }
      condition.value = Bytes(document.text[range])
    }
    if document.value(of: JSONRequest.Field.ifVersion) != nil {
      guard let version: UInt64 = document.wholeNumber(JSONRequest.Field.ifVersion) else {
        throw refusal(.badCondition, "'if_version' is a version, as a get tells it, or 0 for an absent key")
      }
      condition.version = version
    }
    return condition
  }

  /// The operations of a batch.
  func batch() throws(RequestRefusal) -> [KeyChange] {
    guard let range = document.value(of: JSONRequest.Field.ops), document.kind(of: range) == .array else {
      throw refusal(.badBatch, "a batch has a list of operations as 'ops'")
    }
    let elements = document.elements(at: range)
    guard elements.count <= options.batchOperationsMax else {
      throw refusal(
        .badBatch, "the batch has \(elements.count) operations; the limit is \(options.batchOperationsMax)")
    }
    let namespace = try namespace()
    var changes: [KeyChange] = []
    var places: [WatchedKey: Int] = [:]
    for (number, element) in elements.enumerated() {
      do throws(RequestRefusal) {
        changes.append(try operation(at: element, in: namespace))
      } catch {
        throw refusal(error.code, "operation \(number): \(error.message)")
      }
      let name = WatchedKey(namespace: changes[number].namespace, key: changes[number].key, version: 0)
      if let former = places.updateValue(number, forKey: name) {
        throw refusal(
          .badBatch,
          "operations \(former) and \(number) are of the same key; a batch takes effect at one moment")
      }
    }
    return changes
  }

  private func operation(at range: Range<Int>, in namespace: Bytes) throws(RequestRefusal) -> KeyChange {
    guard document.kind(of: range) == .object else { throw refusal(.badBatch, "not an object") }
    var parser = JSONParser(limits: options.jsonLimits)
    do throws(JSONError) {
      _ = try parser.parse(Bytes(document.text[range]))
    } catch {
      throw RequestRefusal(error)
    }
    var fields = FieldReader(document: parser.takeDocument(), options: options)
    fields.defaultNamespace = namespace
    let type = fields.document.value(of: JSONRequest.Field.type).map {
      String(decoding: fields.document.text[$0].dropFirst().dropLast(), as: UTF8.self)
    }
    guard let kind = type.flatMap(JSONRequest.Kind.init), [.put, .delete, .incr].contains(kind) else {
      throw refusal(.badBatch, "the 'type' of an operation is put, delete or incr")
    }
    return try fields.change(kind)
  }
}

// MARK: - Reading

extension FieldReader {
  func get() throws(RequestRefusal) -> ClientOperation {
    let (namespace, key) = (try namespace(), try key())
    let wantsMore =
      document.isTrue(JSONRequest.Field.version) || document.isTrue(JSONRequest.Field.ttl)
    return try reading(
      wantsMore ? .lookup(namespace: namespace, key: key) : .get(namespace: namespace, key: key))
  }

  /// A query, to be answered as the request says.
  func reading(_ query: KeyValueQuery) throws(RequestRefusal) -> ClientOperation {
    guard let range = document.value(of: JSONRequest.Field.consistency) else { return .read(query) }
    switch String(decoding: document.text[range], as: UTF8.self) {
    case #""linearizable""#, #""lease""#: return .read(query)
    case #""stale""#: return .readStale(query)
    default:
      throw refusal(.badConsistency, "a 'consistency' is linearizable, lease or stale")
    }
  }

  func page() throws(RequestRefusal) -> PageQuery {
    let prefix = try bound(JSONRequest.Field.prefix) ?? []
    var lower = prefix
    for bound in [try bound(JSONRequest.Field.from), try cursor()] {
      if let bound, lower.lexicographicallyPrecedes(bound) { lower = bound }
    }
    var upper = prefix.afterAllWithPrefix
    if let end = try bound(JSONRequest.Field.to) {
      upper = upper.map { $0.lexicographicallyPrecedes(end) ? $0 : end } ?? end
    }
    return PageQuery(
      namespace: try namespace(), from: lower, to: upper, limit: try limit(),
      bytesMax: options.scanBytesMax, hasValues: try hasValues())
  }

  func namespaces() throws(RequestRefusal) -> KeyValueQuery {
    .namespacePage(from: try cursor() ?? [], limit: try limit())
  }

  private func bound(_ name: Bytes) throws(RequestRefusal) -> Bytes? {
    guard let range = document.value(of: name), document.kind(of: range) != .null else { return nil }
    guard document.kind(of: range) == .string, let text = document.decodedString(at: range) else {
      throw refusal(.badScan, "\(String(decoding: name, as: UTF8.self)) is a string of valid Unicode")
    }
    return text
  }

  private func hasValues() throws(RequestRefusal) -> Bool {
    guard let range = document.value(of: JSONRequest.Field.values) else { return true }
    guard document.kind(of: range) == .bool else {
      throw refusal(.badScan, "'values' is true or false")
    }
    return document.isTrue(JSONRequest.Field.values)
  }

  /// More than the limit is taken for the limit.
  private func limit() throws(RequestRefusal) -> Int {
    guard document.value(of: JSONRequest.Field.limit) != nil else { return min(100, options.scanKeysMax) }
    guard let limit: UInt64 = document.wholeNumber(JSONRequest.Field.limit), limit > 0 else {
      throw refusal(.badScan, "a 'limit' is a whole number of at least 1")
    }
    return Int(min(limit, UInt64(options.scanKeysMax)))
  }

  /// Where a scan goes on: the first key that counts, in hexadecimal.
  private func cursor() throws(RequestRefusal) -> Bytes? {
    guard let range = document.value(of: JSONRequest.Field.cursor), document.kind(of: range) != .null else {
      return nil
    }
    guard document.kind(of: range) == .string,
      let key = Bytes(hexadecimal: document.text[(range.lowerBound + 1)..<(range.upperBound - 1)])
    else {
      throw refusal(.badScan, "a 'cursor' is what the answer to the request before has named so")
    }
    return key
  }

  func lease() throws(RequestRefusal) -> ClientOperation {
    guard let range = document.value(of: JSONRequest.Field.on) else { return .leases }
    guard document.kind(of: range) == .bool else { throw refusal(.badLease, "'on' is true or false") }
    return .administer(.leases(document.isTrue(JSONRequest.Field.on)))
  }
}

extension Bytes {
  /// The bytes that digits in hexadecimal stand for; nil if these are none.
  init?(hexadecimal digits: ArraySlice<UInt8>) {
    guard digits.count % 2 == 0 else { return nil }
    self = []
    reserveCapacity(digits.count / 2)
    for index in stride(from: digits.startIndex, to: digits.endIndex, by: 2) {
      guard let high = NumberText.hexadecimalDigit(digits[index]),
        let low = NumberText.hexadecimalDigit(digits[index + 1])
      else { return nil }
      append(high << 4 | low)
    }
  }

  /// The bytes in hexadecimal.
  var hexadecimal: Bytes {
    let digits = Bytes("0123456789abcdef".utf8)
    return flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
  }
}
