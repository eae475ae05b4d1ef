import ArgumentParser
import Foundation
import RaftCore
import RaftKV

/// Reads a key.
struct GetCommand: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "get", abstract: "Print the value of a key, as JSON.",
    discussion: "Ends with status 1, and prints null, if there is no such key.")

  @OptionGroup var node: NodeOptions
  @Option(name: .shortAndLong, help: "The namespace.") var namespace = "default"
  @Argument(help: "The key.") var key: String

  func perform() throws {
    let reply = try node.ask(NodeRequest("get", [("key", key), ("namespace", namespace)]))
    guard let value = reply.text(of: "data", "value") else { throw NodeError.unreadable(node.ip) }
    node.show(reply, String(decoding: value, as: UTF8.self))
    if value == Bytes("null".utf8) { throw ArgumentParser.ExitCode(ExitStatus.negative.rawValue) }
  }
}

/// Writes a key.
struct PutCommand: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "put", abstract: "Set the value of a key: JSON, or else a string.",
    discussion:
      #"What is JSON is stored as it is written: 1, "one", {"a":1}. Anything else is stored as a string."#)

  @OptionGroup var node: NodeOptions
  @Option(name: .shortAndLong, help: "The namespace.") var namespace = "default"
  @Argument(help: "The key.") var key: String
  @Argument(help: "The value.") var value: String

  func perform() throws {
    node.show(try node.ask(try request, isRepeatable: false), "done")
  }

  /// The request; digits of numbers and the order of members are those of the command line.
  var request: NodeRequest {
    get throws {
      var request = NodeRequest("put", [("key", key), ("namespace", namespace)])
      if let document = NodeReply.document(Bytes(value.utf8)) {
        request.add("value", json: document.text)
      } else {
        request = NodeRequest("put", [("key", key), ("namespace", namespace), ("value", value)])
      }
      return request
    }
  }
}

/// Removes a key.
struct DeleteCommand: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "delete", abstract: "Remove a key.",
    discussion: "Ends with status 0 also if there was no such key.")

  @OptionGroup var node: NodeOptions
  @Option(name: .shortAndLong, help: "The namespace.") var namespace = "default"
  @Argument(help: "The key.") var key: String

  func perform() throws {
    let request = NodeRequest("delete", [("key", key), ("namespace", namespace)])
    node.show(try node.ask(request, isRepeatable: false), "done")
  }
}

/// Lists keys.
struct ScanCommand: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "scan", abstract: "Print the keys that begin with a prefix, and their values.",
    discussion: """
      One line for each key, in the order of keys: the key, a tab, the value as JSON. A key with control characters is \
      printed as a JSON string, what is no text as {"base64":"..."}. Keys are read in portions: what changes meanwhile may \
      be seen or not.
      """)

  @OptionGroup var node: NodeOptions
  @Option(name: .shortAndLong, help: "The namespace.") var namespace = "default"
  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Print at most so many; 0 for all.", valueName: "count")) var limit = 1_000
  @Argument(help: "The prefix; all keys by default.") var prefix = ""

  /// As many are asked for at a time.
  static let portion = 1_000

  func validate() throws {
    guard limit >= 0 else { throw ValidationError("--limit is '\(limit)'; it must be 0 or more") }
  }

  func perform() throws {
    var entries: [Bytes] = []
    var count = 0
    var cursor: Bytes?
    repeat {
      let page = try ScanPage(try node.ask(request(after: cursor, count)), of: node.ip)
      count += page.entries.count
      if node.json { entries += page.entries.map(\.text) }
      for entry in page.entries where !node.json { print(entry.line) }
      // A cursor that leads nowhere would lead there for ever.
      guard page.cursor == nil || page.cursor != cursor else { throw NodeError.unreadable(node.ip) }
      cursor = page.cursor
    } while cursor != nil && (limit == 0 || count < limit)
    if node.json {
      let list = entries.map { String(decoding: $0, as: UTF8.self) }.joined(separator: ",")
      let next = cursor.map { String(decoding: $0, as: UTF8.self) } ?? "null"
      print(#"{"type":"scan","data":[\#(list)],"cursor":\#(next)}"#)
    } else if cursor != nil {
      StandardError.write("raftnode: there are more; --limit 0 prints all")
    }
  }

  private func request(after cursor: Bytes?, _ count: Int) -> NodeRequest {
    var request = NodeRequest("scan", [("prefix", prefix), ("namespace", namespace)])
    request.add("limit", UInt64(limit == 0 ? Self.portion : min(Self.portion, limit - count)))
    if let cursor { request.add("cursor", json: cursor) }
    return request
  }
}

/// A portion of what a scan finds.
struct ScanPage {
  struct Entry {
    /// The object with key and value.
    let text: Bytes
    /// The key as it is printed.
    let key: String
    /// JSON text.
    let value: Bytes

    /// Reads an object; nil if it is none. What is no text, as Redis clients may write it, comes in base 64.
    init?(_ text: Bytes) {
      guard let object = NodeReply(text) else { return nil }
      self.text = text
      if let key = object.text(of: "key").flatMap(NodeReply.string) {
        self.key = ScanPage.shown(key)
      } else if let key = object.text(of: "key_base64") {
        self.key = #"{"base64":\#(String(decoding: key, as: UTF8.self))}"#
      } else {
        return nil
      }
      if let value = object.text(of: "value") {
        self.value = value
      } else if let value = object.text(of: "value_base64") {
        self.value = Bytes(#"{"base64":"#.utf8) + value + Bytes("}".utf8)
      } else if let kind = object.text(of: "kind") {
        value = Bytes(#"{"kind":"#.utf8) + kind + Bytes("}".utf8)
      } else {
        return nil
      }
    }

    /// The key, a tab, the value.
    var line: String { "\(key)\t\(String(decoding: value, as: UTF8.self))" }
  }

  let entries: [Entry]
  /// Where to go on, as JSON text; nil if that was all.
  let cursor: Bytes?

  init(_ reply: NodeReply, of address: String) throws(NodeError) {
    guard let data = reply.text(of: "data"), let elements = NodeReply.elements(of: data) else {
      throw .unreadable(address)
    }
    var entries: [Entry] = []
    for element in elements {
      guard let entry = Entry(element) else { throw .unreadable(address) }
      entries.append(entry)
    }
    self.entries = entries
    let next = reply.text(of: "cursor")
    cursor = next == Bytes("null".utf8) ? nil : next
  }

  /// A key as it is, or as JSON if it would drive a terminal, or could be taken for something else.
  static func shown(_ key: String) -> String {
    let isPlain =
      !key.isEmpty && !key.hasPrefix("\"") && !key.hasPrefix("{")
      && key.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
    guard !isPlain else { return key }
    let bytes = try? JSONSerialization.data(
      withJSONObject: key, options: [.fragmentsAllowed, .withoutEscapingSlashes])
    return bytes.map { String(decoding: $0, as: UTF8.self) } ?? ""
  }
}
