import Foundation
import RaftCore
import RaftKV

/// A request to a node, as JSON text. Values stand in it as they were written: a parser of numbers would lose digits.
struct NodeRequest {
  private var writer = JSONWriter()

  init(_ type: String, _ fields: [(name: String, text: String?)] = []) {
    writer.write(raw: #"{"type":"#)
    writer.write(type)
    for field in fields {
      guard let text = field.text else { continue }
      name(field.name)
      writer.write(text)
    }
  }

  /// Adds a field whose value is JSON text.
  mutating func add(_ field: String, json: Bytes) {
    name(field)
    writer.write(raw: json)
  }

  /// Adds a field whose value is a number.
  mutating func add(_ field: String, _ number: UInt64) {
    name(field)
    writer.write(number)
  }

  private mutating func name(_ field: String) {
    writer.write(raw: ",")
    writer.write(field)
    writer.write(raw: ":")
  }

  /// The whole line.
  var line: Bytes { writer.bytes + Bytes("}\n".utf8) }

  static let status = NodeRequest("status")
}

/// What a node says of a request that it has not carried out.
struct NodeFailure: Sendable, Hashable {
  var code: String
  var message: String
  var outcome: String
  var leader: String?
}

/// An answer: one JSON object, whose text is kept as it came.
struct NodeReply {
  private let document: JSONDocument

  /// The whole answer as canonical text.
  var text: String { String(decoding: document.text, as: UTF8.self) }

  /// Reads an answer; nil if it is no whole JSON object.
  init?(_ bytes: Bytes) {
    guard let document = Self.document(bytes), !document.members.isEmpty else { return nil }
    self.document = document
  }

  /// The text of a field, by the path that leads to it.
  func text(of path: String...) -> Bytes? {
    var object = document
    for (depth, name) in path.enumerated() {
      guard let text = Self.value(of: name, in: object) else { return nil }
      if depth == path.count - 1 { return text }
      guard let next = Self.document(text) else { return nil }
      object = next
    }
    return nil
  }

  /// The fields, as Foundation reads them; empty if it does not.
  var fields: [String: Any] {
    (try? JSONSerialization.jsonObject(with: Data(document.text))) as? [String: Any] ?? [:]
  }

  /// Why the request was not carried out; nil if it was.
  var failure: NodeFailure? {
    guard let text = text(of: "error"), let error = Self.document(text) else { return nil }
    func word(_ name: String) -> String? { Self.value(of: name, in: error).flatMap(Self.string) }
    return NodeFailure(
      code: word("code") ?? "error", message: word("message") ?? "no reason given",
      outcome: word("outcome") ?? "unknown", leader: word("leader"))
  }

  static func document(_ bytes: Bytes) -> JSONDocument? {
    var parser = JSONParser(limits: JSONLimits(bytesMax: 1 << 30, nestingMax: 1_024, membersMax: 1 << 16))
    do throws(JSONError) {
      let end = try parser.parse(bytes)
      guard bytes[end...].allSatisfy({ $0 <= 0x20 }) else { return nil }
      try parser.finish()
    } catch {
      return nil
    }
    return parser.takeDocument()
  }

  private static func value(of name: String, in object: JSONDocument) -> Bytes? {
    let quoted = Bytes("\"\(name)\"".utf8)
    return object.members.last { object.text[$0.name].elementsEqual(quoted) }.map {
      Bytes(object.text[$0.value])
    }
  }

  /// What a JSON string stands for; nil if the text is none.
  static func string(_ text: Bytes) -> String? {
    try? JSONSerialization.jsonObject(with: Data(text), options: .fragmentsAllowed) as? String
  }

  /// The elements of an array, as they stand in canonical text; nil if it is none.
  static func elements(of array: Bytes) -> [Bytes]? {
    guard array.first == UInt8(ascii: "["), array.last == UInt8(ascii: "]"), array.count >= 2 else {
      return nil
    }
    var elements: [Bytes] = []
    var depth = 0
    var isInString = false
    var start = 1
    var index = 1
    while index < array.count - 1 {
      let byte = array[index]
      if isInString {
        if byte == UInt8(ascii: "\\") { index += 1 }
        if byte == UInt8(ascii: "\"") { isInString = false }
      } else if byte == UInt8(ascii: "\"") {
        isInString = true
      } else if byte == UInt8(ascii: "[") || byte == UInt8(ascii: "{") {
        depth += 1
      } else if byte == UInt8(ascii: "]") || byte == UInt8(ascii: "}") {
        depth -= 1
      } else if byte == UInt8(ascii: ","), depth == 0 {
        elements.append(Bytes(array[start..<index]))
        start = index + 1
      }
      index += 1
    }
    if start < array.count - 1 { elements.append(Bytes(array[start..<(array.count - 1)])) }
    return elements
  }
}
