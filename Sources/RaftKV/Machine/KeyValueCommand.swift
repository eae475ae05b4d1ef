import RaftCore

/// What changes the key-value store.
///
/// Layout, integers little-endian: format (1 byte, 1), operation (1 byte: 1 put, 2 delete, 3 run, 4 tick, 5 change), and
/// then, of put and delete, namespace, key and, of a put, value, each with its length as 4 bytes before it; of a run, what
/// has to be unchanged and what is to be run, and of a change, the ``KeyChange``s, as lists with their lengths as 4 bytes
/// before them. Other operations, and other formats, are refused by a version that does not know them.
public enum KeyValueCommand: ByteCodable, Hashable {
  /// Sets the value of a key, whatever it was before, to what a JSON text stands for.
  case put(namespace: Bytes, key: Bytes, value: Bytes)
  /// Removes a key, if it is there.
  case delete(namespace: Bytes, key: Bytes)
  /// Runs commands, all of them at once, if no watched key has changed; if one has, none.
  case run([KeyValueCall], watched: [WatchedKey] = [])
  /// Nothing but time passes: what has expired by now is gone.
  case tick
  /// Makes changes, all of them at once, or none.
  case change([KeyChange])

  static let format: UInt8 = 1

  /// Appends the value.
  public func encode(into writer: inout ByteWriter) {
    writer.write(Self.format)
    switch self {
    case .put(let namespace, let key, let value):
      writer.write(1 as UInt8)
      writer.write(namespace)
      writer.write(key)
      writer.write(value)
    case .delete(let namespace, let key):
      writer.write(2 as UInt8)
      writer.write(namespace)
      writer.write(key)
    case .run(let calls, let watched):
      writer.write(3 as UInt8)
      writer.write(UInt32(watched.count))
      for key in watched { key.encode(into: &writer) }
      writer.write(UInt32(calls.count))
      for call in calls { call.encode(into: &writer) }
    case .tick: writer.write(4 as UInt8)
    case .change(let changes):
      writer.write(5 as UInt8)
      writer.write(UInt32(changes.count))
      for change in changes { change.encode(into: &writer) }
    }
  }

  /// The value's encoding alone.
  public func encoded() -> Bytes {
    var writer = ByteWriter(capacity: 14 + payloadBytes)
    encode(into: &writer)
    return writer.bytes
  }

  private var payloadBytes: Int {
    switch self {
    case .put(let namespace, let key, let value): namespace.count + key.count + value.count
    case .delete(let namespace, let key): namespace.count + key.count
    case .run(let calls, _): calls.reduce(0) { $0 + $1.bytes }
    case .tick: 0
    case .change(let changes): changes.reduce(0) { $0 + $1.bytes }
    }
  }

  /// Reads the value back.
  public init(from reader: inout ByteReader) throws(MalformedBytes) {
    let operation = try reader.readOperation(format: Self.format)
    switch operation {
    case 1:
      self = .put(
        namespace: try reader.readBytes(), key: try reader.readBytes(), value: try reader.readBytes())
    case 2:
      self = .delete(namespace: try reader.readBytes(), key: try reader.readBytes())
    case 3:
      var watched: [WatchedKey] = []
      for _ in 0..<(try reader.readCount(elementBytes: 16)) { watched.append(try WatchedKey(from: &reader)) }
      var calls: [KeyValueCall] = []
      for _ in 0..<(try reader.readCount(elementBytes: 8)) { calls.append(try KeyValueCall(from: &reader)) }
      self = .run(calls, watched: watched)
    case 4: self = .tick
    case 5:
      var changes: [KeyChange] = []
      for _ in 0..<(try reader.readCount(elementBytes: 10)) { changes.append(try KeyChange(from: &reader)) }
      self = .change(changes)
    default:
      throw MalformedBytes("unknown key-value operation \(operation)", offset: reader.offset - 1)
    }
  }
}

/// A command of ``CommandInterpreter``, and where its keys are.
public struct KeyValueCall: ByteCodable, Hashable {
  /// The namespace.
  public var namespace: Bytes
  /// The name, and what follows it.
  public var arguments: [Bytes]

  /// The one that nearly all commands name.
  private static let usualNamespace = CommandTable.namespace(ofDatabase: 0) ?? []

  /// Names a command.
  public init(namespace: Bytes, arguments: [Bytes]) {
    self.namespace = namespace
    self.arguments = arguments
  }

  /// About how long its encoding is.
  var bytes: Int { arguments.reduce(namespace.count + 8) { $0 + $1.count + 4 } }

  /// Appends the value.
  public func encode(into writer: inout ByteWriter) {
    writer.write(namespace)
    writer.write(UInt32(arguments.count))
    for argument in arguments { writer.write(argument) }
  }

  /// Reads the value back.
  public init(from reader: inout ByteReader) throws(MalformedBytes) {
    namespace = try reader.readBytes(usually: Self.usualNamespace)
    let count = try reader.readCount(elementBytes: 4)
    arguments = []
    arguments.reserveCapacity(count)
    for _ in 0..<count { arguments.append(try reader.readBytes()) }
  }
}

/// A key, and the version that it has to have still.
public struct WatchedKey: ByteCodable, Hashable {
  /// The namespace.
  public var namespace: Bytes
  /// The key.
  public var key: Bytes
  /// The log index of its last change; 0 if there was no such key.
  public var version: UInt64

  /// Names a key and its version.
  public init(namespace: Bytes, key: Bytes, version: UInt64) {
    self.namespace = namespace
    self.key = key
    self.version = version
  }

  /// Appends the value.
  public func encode(into writer: inout ByteWriter) {
    writer.write(namespace)
    writer.write(key)
    writer.write(version)
  }

  /// Reads the value back.
  public init(from reader: inout ByteReader) throws(MalformedBytes) {
    namespace = try reader.readBytes()
    key = try reader.readBytes()
    version = try reader.readUInt64()
  }
}

/// What a command answers, the same on every replica. Layout: format (1 byte, 1), kind (1 byte: 1 done, 2 replies, 3
/// changed, 4 made, 5 refused), and then the replies with their number as 4 bytes before them, or the version (8 bytes) and
/// the results with their number before them, or the refusal.
public enum KeyValueOutcome: ByteCodable, Hashable {
  /// The command ran.
  case done
  /// Commands ran; this is what each of them answered.
  case replies([Reply])
  /// A watched key has changed, and nothing ran.
  case changed
  /// All changes were made; this is the version of what they have put, and what each has led to.
  case made(version: UInt64, [KeyChangeResult])
  /// No change was made.
  case refused(KeyChangeRefusal)

  /// Appends the value.
  public func encode(into writer: inout ByteWriter) {
    writer.write(KeyValueCommand.format)
    switch self {
    case .done: writer.write(1 as UInt8)
    case .replies(let replies):
      writer.write(2 as UInt8)
      writer.write(UInt32(replies.count))
      for reply in replies { reply.encode(into: &writer) }
    case .changed: writer.write(3 as UInt8)
    case .made(let version, let results):
      writer.write(4 as UInt8)
      writer.write(version)
      writer.write(UInt32(results.count))
      for result in results { result.encode(into: &writer) }
    case .refused(let refusal):
      writer.write(5 as UInt8)
      refusal.encode(into: &writer)
    }
  }

  /// Reads the value back.
  public init(from reader: inout ByteReader) throws(MalformedBytes) {
    let kind = try reader.readOperation(format: KeyValueCommand.format)
    switch kind {
    case 1: self = .done
    case 2:
      var replies: [Reply] = []
      for _ in 0..<(try reader.readCount(elementBytes: 1)) { replies.append(try Reply(from: &reader)) }
      self = .replies(replies)
    case 3: self = .changed
    case 4:
      let version = try reader.readUInt64()
      var results: [KeyChangeResult] = []
      for _ in 0..<(try reader.readCount(elementBytes: 1)) {
        results.append(try KeyChangeResult(from: &reader))
      }
      self = .made(version: version, results)
    case 5: self = .refused(try KeyChangeRefusal(from: &reader))
    default: throw MalformedBytes("unknown key-value outcome \(kind)", offset: reader.offset - 1)
    }
  }
}

/// What asks the key-value store.
public enum KeyValueQuery: Hashable, Sendable {
  /// The value of a key.
  case get(namespace: Bytes, key: Bytes)
  /// What commands answer that change nothing, all of them at one moment.
  case run([KeyValueCall])
  /// The namespaces that have keys.
  case namespaces
  /// The versions of keys, to be watched; given back as ``WatchedKey``.
  case versions([WatchedKey])
  /// What time it is for the store, and when something expires next.
  case clock
  /// A key with what is known of it.
  case lookup(namespace: Bytes, key: Bytes)
  /// Keys in the order of their bytes.
  case page(PageQuery)
  /// The namespaces that have keys, at most so many, from a name on.
  case namespacePage(from: Bytes, limit: Int)
  /// What has changed lately.
  case changes(ChangeQuery)
  /// The log index that the data is as of.
  case position
}

/// What a query answers.
public enum KeyValueAnswer: Hashable, Sendable {
  /// The value as a JSON text; nil if the key is absent.
  case value(Bytes?)
  /// The value is nothing that JSON can hold: bytes that are no UTF-8, or a filter.
  case notText
  /// What each of the commands answers, or the first ones, if that is much: the others were not carried out.
  case replies([Reply])
  /// The names, in the order of their bytes.
  case namespaces([Bytes])
  /// The keys that were asked for, with their versions.
  case versions([WatchedKey])
  /// Milliseconds since 1970; the second is nil if nothing expires.
  case clock(now: UInt64, nextExpiry: UInt64?)
  /// What was found under a key.
  case found(KeyFinding)
  /// Keys in the order of their bytes.
  case page(KeyPage)
  /// Names of namespaces in the order of their bytes.
  case namespacePage(NamespacePage)
  /// Changes in the order of the log.
  case changes(ChangePage)
  /// Some of the changes are not remembered any more, but all from this log index on.
  case forgotten(before: UInt64)
  /// A log index.
  case position(UInt64)
}

extension ByteReader {
  /// Reads a format byte, which must be `format`, and the byte that tells what follows.
  fileprivate mutating func readOperation(format expected: UInt8) throws(MalformedBytes) -> UInt8 {
    let format = try readUInt8()
    guard format == expected else {
      throw MalformedBytes("key-value format \(format), this version reads \(expected)", offset: offset - 1)
    }
    return try readUInt8()
  }
}
