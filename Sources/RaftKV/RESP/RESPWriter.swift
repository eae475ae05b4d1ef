import RaftCore

/// Writes answers in the form that the client has chosen: RESP2, or RESP3.
struct RESPWriter: Sendable {
  private(set) var bytes: Bytes = []
  /// 2 or 3.
  var version = 2
  /// Whether answers are left out, as the client wants it.
  var isSilent = false
  /// How many answers are left out before one is written again.
  var skipCount = 0

  /// Gives away what was written.
  mutating func take() -> Bytes {
    defer { bytes = [] }
    return bytes
  }

  /// Writes the answer to one request.
  mutating func write(_ reply: Reply) {
    if isExpected { append(reply) }
  }

  /// Writes the answer to a transaction: what was answered by the connection, and, in between, what the data was.
  mutating func write(_ queued: [RESPConnection.Queued], _ replies: [Reply]) {
    guard isExpected else { return }
    var rest = replies[...]
    writeLine("*", String(queued.count))
    for item in queued {
      switch item {
      case .answered(let reply, let version):
        self.version = version
        append(reply)
      case .call: append(rest.popFirst() ?? .null)
      }
    }
  }

  /// Whether the client wants the next answer.
  private var isExpected: Bool {
    mutating get {
      guard skipCount == 0 else {
        skipCount -= 1
        return false
      }
      return !isSilent
    }
  }

  private mutating func append(_ reply: Reply) {
    switch reply {
    case .null: write(version == 3 ? "_\r\n" : "$-1\r\n")
    case .nullArray: write(version == 3 ? "_\r\n" : "*-1\r\n")
    case .status(let text): writeLine("+", text)
    case .error(let text): writeLine("-", Self.oneLine(text))
    case .integer(let value): writeLine(":", String(value))
    case .double(let text): if version == 3 { writeLine(",", text) } else { writeBulk(Bytes(text.utf8)) }
    case .bulk(let content): writeBulk(content)
    case .array(let replies): writeList("*", replies)
    case .set(let replies): writeList(version == 3 ? "~" : "*", replies)
    case .map(let pairs):
      writeLine(version == 3 ? "%" : "*", String(version == 3 ? pairs.count : 2 * pairs.count))
      for pair in pairs {
        append(pair.key)
        append(pair.value)
      }
    case .boolean(let value):
      write(version == 3 ? (value ? "#t\r\n" : "#f\r\n") : (value ? ":1\r\n" : ":0\r\n"))
    case .verbatim(let format, let text):
      guard version == 3 else { return writeBulk(text) }
      writeLine("=", String(text.count + 4))
      bytes += format.utf8
      bytes.append(UInt8(ascii: ":"))
      bytes += text
      bytes += [0x0D, 0x0A]
    }
  }

  /// An error that names what a client sent must not become two answers.
  private static func oneLine(_ text: String) -> String {
    guard text.utf8.contains(where: { $0 == 0x0D || $0 == 0x0A }) else { return text }
    var scalars = text.unicodeScalars
    while let last = scalars.last, last == "\r" || last == "\n" { scalars.removeLast() }
    return String(String.UnicodeScalarView(scalars.map { $0 == "\r" || $0 == "\n" ? " " : $0 }))
  }

  private mutating func writeList(_ mark: Character, _ replies: [Reply]) {
    writeLine(mark, String(replies.count))
    for reply in replies { append(reply) }
  }

  private mutating func writeBulk(_ content: Bytes) {
    bytes.reserveCapacity(bytes.count + content.count + 16)
    writeLine("$", String(content.count))
    bytes += content
    bytes += [0x0D, 0x0A]
  }

  private mutating func writeLine(_ mark: Character, _ text: String) {
    bytes.append(mark.asciiValue ?? 0)
    bytes += text.utf8
    bytes += [0x0D, 0x0A]
  }

  private mutating func write(_ text: StaticString) { text.withUTF8Buffer { bytes.append(contentsOf: $0) } }
}
