import RaftCore

/// Bytes that are no request. The connection is closed behind the error, because where the next request begins cannot be
/// told.
struct RESPProtocolError: Error, Hashable, Sendable {
  /// What the client is told.
  let text: String

  init(_ reason: String) { text = "ERR Protocol error: \(reason)" }
}

/// Takes bytes as they arrive, in any pieces, and gives requests: arrays of bulk strings, or lines of words.
///
/// What it holds is what has arrived, whatever length was announced.
struct RESPParser: Sendable {
  /// The most words of a request.
  static let wordsMax = 1 << 20
  /// The most bytes of the words of a request.
  static let requestBytesMax = 16 << 20
  /// For how many words room is made before they are there, at most.
  private static let wordsReserved = 8
  /// The most bytes of a line.
  private static let lineBytesMax = 64 << 10

  /// The most bytes of one word.
  private let wordBytesMax: Int
  private var buffer: Bytes = []
  private var start = 0
  private var words: [Bytes] = []
  /// How many words of the request that is being read are missing; nil between requests.
  private var missing: Int?
  /// How long the next word is; nil if that has not been read yet.
  private var length: Int?

  init(wordBytesMax: Int) { self.wordBytesMax = wordBytesMax }

  /// How many bytes it holds.
  var heldBytes: Int { buffer.count - start + wordBytes }
  private var wordBytes = 0

  mutating func append(_ bytes: Bytes) {
    if start == buffer.count {
      buffer = bytes
      start = 0
      return
    }
    if start > 64 << 10, start > buffer.count / 2 {
      buffer.removeFirst(start)
      start = 0
    }
    buffer += bytes
  }

  /// The next request that has arrived whole; nil if there is none. It has at least one word.
  mutating func next() throws(RESPProtocolError) -> [Bytes]? {
    while start < buffer.count || missing == 0 {
      if missing == nil {
        guard buffer[start] == UInt8(ascii: "*") else {
          guard let line = try takeLine("too big inline request") else { return nil }
          guard let words = InlineWords.split(line) else {
            throw RESPProtocolError("unbalanced quotes in request")
          }
          if words.isEmpty { continue }
          return words
        }
        guard try beginArray() else { return nil }
        continue
      }
      if missing == 0 {
        defer { finishRequest() }
        if !words.isEmpty { return words }
        continue
      }
      guard try takeWord() else { return nil }
    }
    return nil
  }

  private mutating func finishRequest() {
    missing = nil
    words = []
    wordBytes = 0
  }

  private mutating func beginArray() throws(RESPProtocolError) -> Bool {
    guard let line = try takeLine("too big mbulk count string") else { return false }
    guard let count = NumberText.integer(line.dropFirst()), count <= Self.wordsMax else {
      throw RESPProtocolError("invalid multibulk length")
    }
    missing = max(0, Int(count))
    // What is announced need not come.
    words.reserveCapacity(min(max(0, Int(count)), Self.wordsReserved))
    return true
  }

  /// Reads one word, or its length. Returns false if more bytes are needed.
  private mutating func takeWord() throws(RESPProtocolError) -> Bool {
    guard let length else {
      guard let line = try takeLine("too big bulk count string") else { return false }
      guard line.first == UInt8(ascii: "$") else {
        throw RESPProtocolError("expected '$', got '\(Self.shown(line.first ?? 0))'")
      }
      guard let count = NumberText.integer(line.dropFirst()), count >= 0, count <= wordBytesMax,
        wordBytes + Int(count) <= Self.requestBytesMax
      else {
        throw RESPProtocolError("invalid bulk length")
      }
      self.length = Int(count)
      return true
    }
    guard buffer.count - start >= length + 2 else { return false }
    words.append(Bytes(buffer[start..<(start + length)]))
    wordBytes += length
    start += length + 2
    self.length = nil
    missing = missing.map { $0 - 1 }
    return true
  }

  private static func shown(_ byte: UInt8) -> String {
    (0x20..<0x7F).contains(byte) ? String(UnicodeScalar(byte)) : " "
  }

  /// The bytes before the next line break, which goes with them; nil if there is none yet.
  private mutating func takeLine(_ complaint: String) throws(RESPProtocolError) -> ArraySlice<UInt8>? {
    let window = buffer[start..<min(buffer.count, start + Self.lineBytesMax)]
    guard let end = window.firstIndex(of: UInt8(ascii: "\n")) else {
      if window.count == Self.lineBytesMax { throw RESPProtocolError(complaint) }
      return nil
    }
    let line = buffer[start..<end]
    start = end + 1
    return line.last == UInt8(ascii: "\r") ? line.dropLast() : line
  }
}

/// Splits a line into words as a shell would: between blanks, with quotes and escapes.
enum InlineWords {
  /// Nil if quotes are not closed, or something stands right behind them.
  static func split(_ line: ArraySlice<UInt8>) -> [Bytes]? {
    var words: [Bytes] = []
    var rest = line
    while true {
      rest = rest.drop(while: isBlank)
      guard let first = rest.first else { return words }
      guard let word = first == 0x22 || first == 0x27 || !rest.isEmpty ? takeWord(&rest) : nil else {
        return nil
      }
      words.append(word)
    }
  }

  private static func isBlank(_ byte: UInt8) -> Bool {
    byte == 0x20 || (0x09...0x0D).contains(byte) || byte == 0
  }

  private static func takeWord(_ rest: inout ArraySlice<UInt8>) -> Bytes? {
    var word: Bytes = []
    while let byte = rest.first, !isBlank(byte) {
      rest.removeFirst()
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "'"):
        guard takeQuoted(by: byte, &rest, into: &word), rest.first.map(isBlank) ?? true else { return nil }
        return word
      default: word.append(byte)
      }
    }
    return word
  }

  private static func takeQuoted(by quote: UInt8, _ rest: inout ArraySlice<UInt8>, into word: inout Bytes)
    -> Bool
  {
    while let byte = rest.popFirst() {
      if byte == quote { return true }
      guard byte == UInt8(ascii: "\\"), let next = rest.first else {
        word.append(byte)
        continue
      }
      if quote == UInt8(ascii: "'") {
        if next == quote { rest.removeFirst() }
        word.append(next == quote ? quote : byte)
        continue
      }
      rest.removeFirst()
      word.append(escaped(next, &rest))
    }
    return false
  }

  private static func escaped(_ byte: UInt8, _ rest: inout ArraySlice<UInt8>) -> UInt8 {
    switch byte {
    case UInt8(ascii: "n"): return 0x0A
    case UInt8(ascii: "r"): return 0x0D
    case UInt8(ascii: "t"): return 0x09
    case UInt8(ascii: "b"): return 0x08
    case UInt8(ascii: "a"): return 0x07
    case UInt8(ascii: "x"):
      let digits = rest.prefix(2).compactMap(hexDigit)
      guard digits.count == 2 else { return byte }
      rest.removeFirst(2)
      return digits[0] << 4 | digits[1]
    default: return byte
    }
  }

  private static func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x41 + 10
    case 0x61...0x66: byte - 0x61 + 10
    default: nil
    }
  }
}
