import RaftCore

/// Writes answers in the form that the client has chosen: RESP2, or RESP3.
struct RESPWriter: Sendable {
  private(set) var bytes: Bytes = []
  /// 2 or 3.
  var version = 2

  /// Gives away what was written.
  mutating func take() -> Bytes {
    defer { bytes = [] }
    return bytes
  }

  mutating func write(_ reply: Reply) {
    switch reply {
    case .null: write(version == 3 ? "_\r\n" : "$-1\r\n")
    case .nullArray: write(version == 3 ? "_\r\n" : "*-1\r\n")
    case .status(let text): writeLine("+", text)
    case .error(let text): writeLine("-", text)
    case .integer(let value): writeLine(":", String(value))
    case .double(let text): if version == 3 { writeLine(",", text) } else { writeBulk(Bytes(text.utf8)) }
    case .bulk(let content): writeBulk(content)
    case .array(let replies): writeList("*", replies)
    case .set(let replies): writeList(version == 3 ? "~" : "*", replies)
    case .map(let pairs):
      writeLine(version == 3 ? "%" : "*", String(version == 3 ? pairs.count : 2 * pairs.count))
      for pair in pairs {
        write(pair.key)
        write(pair.value)
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

  private mutating func writeList(_ mark: Character, _ replies: [Reply]) {
    writeLine(mark, String(replies.count))
    for reply in replies { write(reply) }
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
