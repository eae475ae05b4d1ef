import RaftCore
import RaftServer
import RaftTransport

/// What has to be done to answer a request.
public enum ClientOperation: Hashable, Sendable {
  /// Propose a command; answered with ``ClientAnswer/written(_:)``.
  case write(KeyValueCommand)
  /// Propose a command of a client session, which runs once however often it is sent; answered with
  /// ``ClientAnswer/written(_:)``.
  case writeOnce(KeyValueCommand, SessionStamp)
  /// Open a client session, or close the one of this name; answered with ``ClientAnswer/session(_:)``.
  case session(closing: UInt64?)
  /// Read, linearizably; answered with ``ClientAnswer/read(_:)``.
  case read(KeyValueQuery)
  /// Read what this node has, however old it is; answered with ``ClientAnswer/readStale(_:age:)``.
  case readStale(KeyValueQuery)
  /// Follow changes; answered with ``ClientAnswer/watching(_:_:)``.
  case watch(WatchRequest)
  /// Follow some changes no longer; answered with ``ClientAnswer/unwatched(_:)``.
  case unwatch(id: Bytes?)
  /// Tell whether the cluster has lease reads; answered with ``ClientAnswer/leases(_:)``.
  case leases
  /// Tell what this node knows, without asking another; answered with ``ClientAnswer/status(_:)``.
  case status
  /// Change who takes part, or who leads; answered with ``ClientAnswer/administered(_:)``.
  case administer(Administration)
  /// Copy all data; answered with ``ClientAnswer/snapshot(_:)``.
  case snapshot(SnapshotRequest)
}

/// What an operator changes about a cluster. Members are named by address or id.
public enum Administration: Hashable, Sendable {
  /// A member takes part no longer.
  case remove(String)
  /// A learner that has caught up votes.
  case promote(String)
  /// A voter votes no longer.
  case demote(String)
  /// The place of a member goes to the node at an address.
  case replace(String, with: String)
  /// Leadership goes to a member; nil for whoever is best placed.
  case transfer(String?)
  /// The leader may answer reads under a lease, or may not.
  case leases(Bool)
}

/// One request of the JSON protocol that passed all checks.
struct JSONRequest: Hashable, Sendable {
  enum Kind: String, Hashable, Sendable, CaseIterable {
    case put
    case get
    case delete
    case peers
    case ping
    case status
    case addPeer = "add_peer"
    case member
    case transfer
    case session
    case snapshot
    case incr
    case batch
    case scan
    case namespaces
    case watch
    case unwatch
    case lease
  }

  let operation: ClientOperation
  let template: ReplyTemplate
  /// How much memory it holds, about.
  let bytes: Int

  /// The names of fields, as canonical text.
  enum Field {
    static let type = Bytes(#""type""#.utf8)
    static let key = Bytes(#""key""#.utf8)
    static let value = Bytes(#""value""#.utf8)
    static let namespace = Bytes(#""namespace""#.utf8)
    static let keep = Bytes(#""keep""#.utf8)
    static let action = Bytes(#""action""#.utf8)
    static let addr = Bytes(#""addr""#.utf8)
    static let with = Bytes(#""with""#.utf8)
    static let session = Bytes(#""session""#.utf8)
    static let seq = Bytes(#""seq""#.utf8)
    static let acked = Bytes(#""acked""#.utf8)
    static let close = Bytes(#""close""#.utf8)
    static let payload = Bytes(#""payload""#.utf8)
  }

  static let defaultNamespace = Bytes("default".utf8)

  private static let kinds = Kind.allCases.map { (name: Bytes("\"\($0.rawValue)\"".utf8), kind: $0) }

  /// Longer types than this are not repeated in the answer, in bytes of their JSON text.
  private static let echoedTypeBytesMax = 256

  /// Reads a request.
  init(_ document: JSONDocument, options: JSONProtocolOptions) throws(RequestRefusal) {
    var fields = FieldReader(document: document, options: options)
    guard document.kind == .object else {
      throw fields.refusal(.notAnObject, "a request is a JSON object")
    }
    guard let range = document.value(of: Field.type) else {
      throw fields.refusal(.badType, "the request has no 'type'")
    }
    guard document.kind(of: range) == .string else {
      throw fields.refusal(.badType, "the 'type' of a request is a string")
    }
    if range.count <= Self.echoedTypeBytesMax { fields.type = Bytes(document.text[range]) }
    guard let kind = Self.kinds.first(where: { document.text[range].elementsEqual($0.name) })?.kind else {
      throw fields.refusal(
        .unknownType,
        "there is no such request; the types are put, get, delete, peers, ping, status, member, "
          + "transfer, session, snapshot, incr, batch, scan, namespaces, watch, unwatch and lease")
    }
    operation = try fields.stamped(try fields.operation(of: kind))
    template = ReplyTemplate(kind: kind, document: document)
    bytes = document.text.count
  }

  /// Whether the request says itself that the connection stays open.
  static func keepsOpen(_ document: JSONDocument) -> Bool {
    guard let range = document.value(of: Field.keep) else { return false }
    return document.text[range].elementsEqual("true".utf8)
  }
}

/// Reads the fields of one request, and says whose fault it is.
struct FieldReader {
  let document: JSONDocument
  let options: JSONProtocolOptions
  var type = RequestRefusal.unknownType
  /// Where keys are if the request does not say.
  var defaultNamespace = JSONRequest.defaultNamespace

  func refusal(_ code: RequestRefusal.Code, _ message: String) -> RequestRefusal {
    RequestRefusal(code, message, type: type)
  }

  func operation(of kind: JSONRequest.Kind) throws(RequestRefusal) -> ClientOperation {
    switch kind {
    case .put, .delete, .incr:
      return .write(try write(kind))
    case .batch:
      return .write(.change(try batch()))
    case .get:
      return try get()
    case .scan:
      return try reading(.page(try page()))
    case .namespaces:
      return try reading(try namespaces())
    case .watch:
      return .watch(try watch())
    case .unwatch:
      return .unwatch(id: try watchID())
    case .lease:
      return try lease()
    case .peers, .ping, .status:
      return .status
    case .member:
      return .administer(try administration())
    case .transfer:
      return .administer(.transfer(try text(of: JSONRequest.Field.addr, isRequired: false)))
    case .session:
      return .session(closing: try number(of: JSONRequest.Field.close))
    case .snapshot:
      return .snapshot(try SnapshotRequest(document, type: type))
    case .addPeer:
      let payload = try text(of: JSONRequest.Field.payload, isRequired: true) ?? ""
      do {
        _ = try Endpoint(payload)
      } catch {
        throw refusal(.badAction, "the payload is the address of a node, host:port: \(error)")
      }
      return .status
    }
  }

  /// The most operations of a batch that belongs to a session.
  private static let sessionOperationsMax = 32

  /// Makes a write part of a session, if the request names one.
  func stamped(_ operation: ClientOperation) throws(RequestRefusal) -> ClientOperation {
    guard case .write(let command) = operation, let session = try number(of: JSONRequest.Field.session) else {
      return operation
    }
    guard let sequence = try number(of: JSONRequest.Field.seq), sequence > 0, session > 0 else {
      throw refusal(
        .badSession, "a write of a session has a 'seq', which is 1 for the first one and then grows")
    }
    let acked = try number(of: JSONRequest.Field.acked) ?? 0
    guard acked < sequence else {
      throw refusal(
        .badSession, "'acked' is \(acked), and must be less than the 'seq' of the write itself, \(sequence)")
    }
    if case .change(let changes) = command, changes.count > Self.sessionOperationsMax {
      throw refusal(
        .badBatch,
        "the batch has \(changes.count) operations; the limit in a session, which remembers what they answer, is "
          + "\(Self.sessionOperationsMax)")
    }
    return .writeOnce(
      command, SessionStamp(session: session, sequence: sequence, lowestUnacknowledged: acked + 1))
  }

  /// A field that is a whole number from 0 to 2⁵³ - 1, which all languages read alike.
  private func number(of name: Bytes) throws(RequestRefusal) -> UInt64? {
    guard let range = document.value(of: name) else { return nil }
    guard let value = UInt64(String(decoding: document.text[range], as: UTF8.self)), value < 1 << 53 else {
      throw refusal(
        .badSession,
        "\(String(decoding: name, as: UTF8.self)) is a whole number from 0 to 9007199254740991")
    }
    return value
  }

  private func administration() throws(RequestRefusal) -> Administration {
    let member = try text(of: JSONRequest.Field.addr, isRequired: true) ?? ""
    switch try text(of: JSONRequest.Field.action, isRequired: true) {
    case "remove": return .remove(member)
    case "promote": return .promote(member)
    case "demote": return .demote(member)
    case "replace":
      let place = try text(of: JSONRequest.Field.with, isRequired: true) ?? ""
      do {
        return .replace(member, with: try Endpoint(place).description)
      } catch {
        throw refusal(.badAction, "'with' is the address of a node, host:port: \(error)")
      }
    default: throw refusal(.badAction, "an 'action' is remove, promote, demote or replace")
    }
  }

  /// A field that is a short text.
  private func text(of name: Bytes, isRequired: Bool) throws(RequestRefusal) -> String? {
    guard let range = document.value(of: name) else {
      guard isRequired else { return nil }
      throw refusal(.badAction, "the request has no \(String(decoding: name, as: UTF8.self))")
    }
    guard document.kind(of: range) == .string, let text = document.decodedString(at: range), text.count <= 256
    else {
      throw refusal(
        .badAction, "\(String(decoding: name, as: UTF8.self)) is a string of at most 256 bytes")
    }
    return String(decoding: text, as: UTF8.self)
  }

  func key() throws(RequestRefusal) -> Bytes {
    guard let range = document.value(of: JSONRequest.Field.key) else {
      throw refusal(.missingKey, "the request has no 'key'")
    }
    guard document.kind(of: range) == .string, let key = document.decodedString(at: range) else {
      throw refusal(.badKey, "a key is a string of valid Unicode")
    }
    guard key.count <= options.keyBytesMax else {
      throw refusal(.keyTooLarge, "the key has \(key.count) bytes; the limit is \(options.keyBytesMax)")
    }
    return key
  }

  func namespace() throws(RequestRefusal) -> Bytes {
    guard let range = document.value(of: JSONRequest.Field.namespace) else {
      return defaultNamespace
    }
    guard document.kind(of: range) == .string, let namespace = document.decodedString(at: range) else {
      throw refusal(.badNamespace, "a namespace is a string of valid Unicode")
    }
    guard namespace.count <= options.namespaceBytesMax else {
      throw refusal(
        .namespaceTooLarge,
        "the namespace has \(namespace.count) bytes; the limit is \(options.namespaceBytesMax)")
    }
    return namespace
  }

  func value() throws(RequestRefusal) -> Bytes {
    guard let range = document.value(of: JSONRequest.Field.value) else {
      throw refusal(.missingValue, "the put has no 'value'")
    }
    guard range.count <= options.valueBytesMax else {
      throw refusal(
        .valueTooLarge, "the value has \(range.count) bytes of JSON; the limit is \(options.valueBytesMax)")
    }
    return Bytes(document.text[range])
  }
}
