import Foundation

/// Sends a case to one server, and keeps what it answers.
struct RedisReplay {
  let port: UInt16
  /// 2 or 3.
  let version: Int
  private var sockets: [Int: (socket: RedisSocket, id: String)] = [:]

  init(to port: UInt16, version: Int) {
    self.port = port
    self.version = version
  }

  /// - Returns: One answer for each step that takes some, and nothing for the others.
  mutating func run(_ testCase: RedisCase) -> [[UInt8]] {
    defer { sockets = [:] }
    var answers: [[UInt8]] = []
    do {
      try RedisSocket(to: port).ask("FLUSHALL")
      for step in testCase.steps { answers.append(try run(step)) }
    } catch let failure as SocketFailure {
      answers.append(Array((failure.isTimeout ? "<no answer>" : "<closed>").utf8))
    } catch {
      answers.append(Array("<\(error)>".utf8))
    }
    return answers
  }

  private mutating func run(_ step: RedisCase.Step) throws -> [UInt8] {
    let (socket, id) = try connection(step.connection)
    switch step.action {
    case .request(let words, let times):
      let request = RedisSocket.encoded(words.map { $0 == Array("{id}".utf8) ? Array(id.utf8) : $0 })
      try socket.send(Array(repeatElement(request, count: times).joined()))
      return try (0..<times).flatMap { _ in try socket.reply() }
    case .silent(let words):
      try socket.send(RedisSocket.encoded(words))
      return []
    case .raw(let bytes):
      try socket.send(bytes)
      return []
    case .replies(let count): return try (0..<count).flatMap { _ in try socket.reply() }
    case .end(let isSaid):
      if isSaid { socket.endOutput() }
      let (bytes, isOver) = socket.rest()
      return bytes + (isOver ? [] : Array("<still open>".utf8))
    case .wait(let milliseconds):
      usleep(milliseconds * 1_000)
      return []
    }
  }

  private mutating func connection(_ number: Int) throws -> (socket: RedisSocket, id: String) {
    if let known = sockets[number] { return known }
    let socket = try RedisSocket(to: port, patience: 10)
    if version == 3 { try socket.ask("HELLO", "3") }
    let id = try socket.ask("CLIENT", "ID").dropFirst().trimmingCharacters(in: .whitespacesAndNewlines)
    sockets[number] = (socket, id)
    return (socket, id)
  }
}

extension RedisCase.Comparison {
  func agree(_ one: [UInt8], _ other: [UInt8]) -> Bool {
    if one == other { return true }
    let (text, otherText) = (String(decoding: one, as: UTF8.self), String(decoding: other, as: UTF8.self))
    switch self {
    case .bytes: return false
    case .near(let tolerance):
      guard one.first == 0x3A, other.first == 0x3A, let first = Int64(text.dropFirst().dropLast(1)),
        let second = Int64(otherText.dropFirst().dropLast(1))
      else { return false }
      return abs(first - second) <= tolerance
    case .type: return one.first == other.first
    case .butID:
      let pattern = #/\$2\r\nid\r\n:[0-9]+\r\n/#
      return text.replacing(pattern, with: "id") == otherText.replacing(pattern, with: "id")
    case .shape: return text.replacing(#/[0-9]+/#, with: "0") == otherText.replacing(#/[0-9]+/#, with: "0")
    case .fields:
      func fields(_ text: String) -> String {
        text.replacing(#/=[^ \n]*/#, with: "=").replacing(#/^[$=][0-9]*/#, with: "$")
      }
      return fields(text) == fields(otherText)
    case .sorted:
      return one.split(separator: 10).sorted { $0.lexicographicallyPrecedes($1) }
        .elementsEqual(other.split(separator: 10).sorted { $0.lexicographicallyPrecedes($1) }, by: ==)
    case .firstSix:
      let (first, second) = (Self.described(text), Self.described(otherText))
      return !first.isEmpty && first == second
    }
  }

  /// Name, arity, flags and the positions of keys of the first command; its subcommands would follow.
  private static func described(_ text: String) -> String {
    text.firstMatch(
      of: #/\*10\r\n(\$[0-9]+\r\n[^\r]*\r\n:-?[0-9]+\r\n[*~][0-9]+\r\n(?:\+[^\r]*\r\n)*(?::-?[0-9]+\r\n){3})/#
    ).map { String($0.1) } ?? ""
  }
}
