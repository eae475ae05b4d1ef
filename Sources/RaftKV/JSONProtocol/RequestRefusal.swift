import RaftCore

/// Why a request was turned away at the door: nothing of it was, or will be, executed.
struct RequestRefusal: Error, Hashable, Sendable {
  /// What a program can act on. The raw value is what clients see.
  enum Code: String, Hashable, Sendable, CaseIterable {
    /// The bytes are no JSON. The connection closes: where the next request begins cannot be told.
    case malformedJSON = "bad_json"
    /// The JSON is something else than an object. The connection closes.
    case notAnObject = "not_an_object"
    /// The object has no `type`, or one that is no string.
    case badType = "bad_type"
    /// There is no such type of request.
    case unknownType = "unknown_type"
    /// A put, get or delete without `key`.
    case missingKey = "missing_key"
    /// The key is no string, or no Unicode.
    case badKey = "bad_key"
    /// The namespace is no string, or no Unicode.
    case badNamespace = "bad_namespace"
    /// A put without `value`.
    case missingValue = "missing_value"
    /// The key is over the limit.
    case keyTooLarge = "key_too_large"
    /// The namespace is over the limit.
    case namespaceTooLarge = "namespace_too_large"
    /// The value is over the limit.
    case valueTooLarge = "value_too_large"
    /// The request is over the limit. The connection closes.
    case requestTooLarge = "request_too_large"
    /// The request is nested too deeply. The connection closes.
    case tooDeep = "too_deep"
    /// The request has too many fields. The connection closes.
    case tooManyFields = "too_many_fields"
    /// A change of the members that does not say, or not clearly, what to change.
    case badAction = "bad_action"
    /// A session, or a place in one, that is none.
    case badSession = "bad_session"
    /// A snapshot, or a place in one, that is none.
    case badSnapshot = "bad_snapshot"
    /// A condition that is none.
    case badCondition = "bad_condition"
    /// A time to live that is none.
    case badTTL = "bad_ttl"
    /// A number to add that is none.
    case badIncrement = "bad_increment"
    /// A list of operations that is none.
    case badBatch = "bad_batch"
    /// A read that is to be current in a way that there is not.
    case badConsistency = "bad_consistency"
    /// A range of keys, or a place in one, that is none.
    case badScan = "bad_scan"
    /// A watch that does not say what to watch, or has the name of another one.
    case badWatch = "bad_watch"
    /// The connection has as many watches as it may.
    case tooManyWatches = "too_many_watches"
    /// The connection has no watch of this name.
    case noWatch = "no_watch"
    /// A switch that is neither true nor false.
    case badLease = "bad_lease"
    /// This version does not offer it.
    case notSupported = "not_supported"
    /// The clients of this node have it hold too much. Of a long request that is not complete yet, the connection closes.
    case busy
    /// The request did not arrive whole in time. The connection closes.
    case deadline
    /// The client closed its side in the middle of a request. The connection closes.
    case incomplete
  }

  let code: Code
  /// For a person.
  let message: String
  /// The request's type as JSON text.
  var type: Bytes

  /// The type of an answer to a request whose own is not known.
  static let unknownType = Bytes(#""error""#.utf8)

  static func busy(type: Bytes = Self.unknownType) -> RequestRefusal {
    RequestRefusal(
      .busy, "this node holds as many bytes for its clients as it may; try again later", type: type)
  }

  init(_ code: Code, _ message: String, type: Bytes = Self.unknownType) {
    self.code = code
    self.message = message
    self.type = type
  }

  /// Bytes that are not taken as a request.
  init(_ error: JSONError) {
    let code: Code =
      switch error.kind {
      case .malformed: .malformedJSON
      case .tooLarge: .requestTooLarge
      case .tooDeep: .tooDeep
      case .tooManyMembers: .tooManyFields
      }
    self.init(code, error.description)
  }
}
