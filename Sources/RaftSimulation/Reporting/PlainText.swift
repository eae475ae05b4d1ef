/// Texts of a recording as they are shown: on one line, without anything that a terminal or a page obeys, not too long,
/// and without the names of types that Swift puts into the descriptions of values.
enum PlainText {
  /// Longer texts are cut: a value of a client may have any size.
  static let charactersMax = 400

  /// One line that can be printed anywhere.
  static func line(_ text: String) -> String {
    var line = ""
    for scalar in text.unicodeScalars {
      if isObeyed(scalar) {
        line += "\\u{\(String(scalar.value, radix: 16))}"
      } else {
        line.unicodeScalars.append(scalar)
      }
    }
    return clipped(line, to: charactersMax)
  }

  /// At most so many characters; the last one says that there were more.
  static func clipped(_ text: String, to count: Int) -> String {
    guard count > 0, let end = text.index(text.startIndex, offsetBy: count, limitedBy: text.endIndex),
      end < text.endIndex
    else { return text }
    return text[..<text.index(before: end)] + "…"
  }

  /// A name; the last word of it, which is what tells it from others, if there is no room for all.
  static func name(_ name: String, within count: Int) -> String {
    let name = line(name)
    guard name.count > count, let word = name.split(separator: " ").last else { return name }
    return clipped(String(word), to: count)
  }

  /// Line ends, escape sequences, what turns the direction of a text, and what XML does not allow.
  private static func isObeyed(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7F..<0xA0, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF, 0xFFFE...0xFFFF:
      true
    default: false
    }
  }

  /// A described value without the names of its types: `heartbeat(RaftCore.Heartbeat(round: 1))` becomes
  /// `heartbeat(round: 1)`. What is in quotation marks stays as it is.
  static func withoutTypeNames(_ text: String) -> String {
    var reader = DescriptionReader(text.prefix(4 * charactersMax))
    return reader.read()
  }

  /// The first word of a description: the kind of a message.
  static func kind(_ text: String) -> String {
    let words = text.prefix(charactersMax).prefix { $0 != "(" }
    return words.isEmpty ? text : String(words)
  }
}

/// Leaves out of a description what is only the name of a type.
private struct DescriptionReader {
  private let text: [Character]
  private var position = 0
  private var result: [Character] = []
  /// For each parenthesis that is open: whether it was left out.
  private var omitted: [Bool] = []

  init(_ text: Substring) { self.text = Array(text) }

  mutating func read() -> String {
    while position < text.count {
      switch text[position] {
      case "\"": copyQuotation()
      case let character where character.isLetter || character == "_": readWord()
      case "(":
        omitted.append(false)
        copy()
      case ")":
        if omitted.popLast() == true { position += 1 } else { copy() }
      default: copy()
      }
    }
    return String(result)
  }

  private mutating func copy() {
    result.append(text[position])
    position += 1
  }

  private mutating func copyQuotation() {
    copy()
    while position < text.count {
      let isEnd = text[position] == "\""
      if text[position] == "\\", position + 1 < text.count { copy() }
      copy()
      if isEnd { return }
    }
  }

  private mutating func readWord() {
    var end = position
    while end < text.count, text[end].isLetter || text[end].isNumber || text[end] == "_" { end += 1 }
    let word = text[position..<end]
    let next = end < text.count ? text[end] : " "
    if next == ".", word.first?.isUppercase == true, end + 1 < text.count, text[end + 1].isLetter {
      // A module, or a type around another one.
      position = end + 1
    } else if next == "(", repeatsOpenWord(word) {
      omitted.append(true)
      position = end + 1
    } else {
      result += word
      position = end
    }
  }

  /// Whether a word says again what stands before the parenthesis that was opened last.
  private func repeatsOpenWord(_ word: ArraySlice<Character>) -> Bool {
    guard result.last == "(", result.count > word.count else { return false }
    let before = result.dropLast().suffix(word.count)
    return String(before).lowercased() == String(word).lowercased()
  }
}
