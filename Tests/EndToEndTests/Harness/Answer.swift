import Foundation

/// The texts of requests.
enum Request {
  static let status = #"{"type":"status"}"#
  static let ping = #"{"type":"ping"}"#
  static let peers = #"{"type":"peers"}"#

  /// `value` is JSON text.
  static func put(_ key: String, _ value: String, namespace: String? = nil) -> String {
    #"{"type":"put","key":\#(quoted(key)),"value":\#(value)\#(field(namespace))}"#
  }

  static func get(_ key: String, namespace: String? = nil) -> String {
    #"{"type":"get","key":\#(quoted(key))\#(field(namespace))}"#
  }

  static func delete(_ key: String, namespace: String? = nil) -> String {
    #"{"type":"delete","key":\#(quoted(key))\#(field(namespace))}"#
  }

  private static func field(_ namespace: String?) -> String {
    namespace.map { #","namespace":\#(quoted($0))"# } ?? ""
  }

  private static func quoted(_ text: String) -> String {
    let escaped = text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
    return "\"\(escaped)\""
  }
}

/// The answer to one request.
struct Answer: Sendable, CustomStringConvertible {
  /// Why something was refused.
  struct Refusal: Hashable, Sendable {
    let code: String
    let message: String
    let isNotExecuted: Bool
  }

  /// As it came, without white space around it.
  let text: String
  let type: String?
  /// Whether `data` is `true`, or for a get an object.
  let isSuccess: Bool
  let refusal: Refusal?

  var description: String { text.count > 500 ? "\(text.prefix(500))…" : text }

  init(_ text: String) throws {
    self.text = text.trimmingCharacters(in: .whitespacesAndNewlines)
    guard let fields = try? JSONSerialization.jsonObject(with: Data(self.text.utf8)) as? [String: Any] else {
      throw NeverHappened("an answer is a JSON object; this came: '\(self.text.prefix(500))'")
    }
    type = fields["type"] as? String
    isSuccess = fields["data"] is [String: Any] || fields["data"] as? Bool == true
    refusal = (fields["error"] as? [String: Any]).map { error in
      Refusal(
        code: error["code"] as? String ?? "", message: error["message"] as? String ?? "",
        isNotExecuted: error["outcome"] as? String == "not_executed")
    }
  }

  /// All fields.
  var fields: [String: Any] {
    (try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]) ?? [:]
  }

  /// The value that a get returned, as JSON text: what parsing would lose, like the digits of a large number, counts too.
  /// Nil if there is none.
  var value: String? {
    guard let name = text.range(of: #""value":"#), text.hasSuffix("}}") else { return nil }
    return String(text[name.upperBound...].dropLast(2))
  }
}

/// What a node says of itself.
struct NodeStatus: Hashable, Sendable {
  struct Member: Hashable, Sendable {
    let id: String
    let address: String
    let role: String
    let isReachable: Bool
  }

  let id: String
  let role: String
  let term: Int
  let leader: String?
  let commit: Int
  let applied: Int
  let members: [Member]

  var isLeader: Bool { role == "leader" }

  init(_ answer: Answer) throws {
    let fields = answer.fields
    guard let id = fields["id"] as? String, let role = fields["role"] as? String,
      let term = fields["term"] as? Int, let commit = fields["commit"] as? Int,
      let applied = fields["applied"] as? Int, let members = fields["members"] as? [[String: Any]]
    else {
      throw NeverHappened("a status has all its fields; this came: \(answer)")
    }
    self.id = id
    self.role = role
    self.term = term
    self.commit = commit
    self.applied = applied
    leader = fields["leader"] as? String
    self.members = members.map {
      Member(
        id: $0["id"] as? String ?? "", address: $0["addr"] as? String ?? "",
        role: $0["role"] as? String ?? "",
        isReachable: $0["reachable"] as? Bool ?? false)
    }
  }
}
