import RaftCore

/// A pattern of keys: `*` stands for any bytes, `?` for one, `[ab-z]` for one of some and `[^ab-z]` for one of all
/// others; `\` takes from the next byte what it would mean.
struct GlobPattern: Hashable, Sendable {
  private enum Token: Hashable {
    case anything
    case one(ByteSet)
  }

  /// A set of bytes.
  private struct ByteSet: Hashable {
    private var words: [UInt64] = [0, 0, 0, 0]

    static var all: ByteSet {
      var set = ByteSet()
      set.words = [.max, .max, .max, .max]
      return set
    }

    func contains(_ byte: UInt8) -> Bool { words[Int(byte >> 6)] >> UInt64(byte & 63) & 1 == 1 }

    mutating func insert(_ range: ClosedRange<UInt8>) {
      for byte in range { words[Int(byte >> 6)] |= 1 << UInt64(byte & 63) }
    }

    mutating func invert() { words = words.map { ~$0 } }
  }

  private var tokens: [Token] = []
  /// Whether it matches a text without bytes: a single `*` does, several do not.
  private let matchesEmpty: Bool
  /// The bytes that everything begins with that matches.
  private(set) var prefix: Bytes = []

  init(_ text: Bytes) {
    matchesEmpty = text.isEmpty || text == [UInt8(ascii: "*")]
    var rest = text[...]
    var isLiteral = true
    while let byte = rest.popFirst() {
      switch byte {
      case UInt8(ascii: "*"):
        isLiteral = false
        if tokens.last != .anything { tokens.append(.anything) }
      case UInt8(ascii: "?"):
        isLiteral = false
        tokens.append(.one(.all))
      case UInt8(ascii: "["):
        isLiteral = false
        tokens.append(.one(Self.set(&rest)))
      default:
        let literal = byte == UInt8(ascii: "\\") ? rest.popFirst() ?? byte : byte
        if isLiteral { prefix.append(literal) }
        var set = ByteSet()
        set.insert(literal...literal)
        tokens.append(.one(set))
      }
    }
  }

  /// Reads a set up to its bracket, or to the end if there is none.
  private static func set(_ rest: inout ArraySlice<UInt8>) -> ByteSet {
    var set = ByteSet()
    let isNegated = rest.first == UInt8(ascii: "^")
    if isNegated { rest.removeFirst() }
    while let byte = rest.popFirst(), byte != UInt8(ascii: "]") {
      if byte == UInt8(ascii: "\\"), let literal = rest.popFirst() {
        set.insert(literal...literal)
      } else if rest.count >= 2, rest.first == UInt8(ascii: "-"), let end = rest.dropFirst().first {
        rest.removeFirst(2)
        set.insert(min(byte, end)...max(byte, end))
      } else {
        set.insert(byte...byte)
      }
    }
    if isNegated { set.invert() }
    return set
  }

  /// Whether all of `text` is what the pattern describes.
  ///
  /// Only the last `*` needs to be tried with more bytes: what an earlier one could take, it can take as well.
  func matches(_ text: Bytes) -> Bool {
    guard !text.isEmpty else { return matchesEmpty }
    var token = 0
    var index = 0
    var retry: (token: Int, index: Int)?
    while index < text.count {
      if token < tokens.count {
        switch tokens[token] {
        case .anything:
          retry = (token, index)
          token += 1
          continue
        case .one(let set):
          if set.contains(text[index]) {
            token += 1
            index += 1
            continue
          }
        }
      }
      guard let last = retry else { return false }
      retry = (last.token, last.index + 1)
      token = last.token + 1
      index = last.index + 1
    }
    return tokens[token...].allSatisfy { $0 == .anything }
  }
}
