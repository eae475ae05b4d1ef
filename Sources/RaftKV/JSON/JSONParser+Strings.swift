import RaftCore

extension JSONParser {
  /// Where a run of bytes ends that stand for themselves in a string: ASCII but for controls, quote and backslash.
  static func endOfPlainRun(in bytes: Bytes, from start: Int, to end: Int) -> Int {
    var index = start
    while index < end {
      let byte = bytes[index]
      guard byte >= 0x20, byte < 0x80, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") else { break }
      index += 1
    }
    return index
  }

  mutating func takeString(_ byte: UInt8) throws(JSONError) {
    switch byte {
    case UInt8(ascii: "\\"):
      state = .escape
      return  // The second half of a surrogate pair may follow.
    case 0..<0x20: throw unexpected(byte)
    // The first byte decides what the second may be: no overlong forms, no surrogates, nothing above U+10FFFF.
    case 0xC2...0xDF: beginCharacter(1, 0x80...0xBF)
    case 0xE0: beginCharacter(2, 0xA0...0xBF)
    case 0xED: beginCharacter(2, 0x80...0x9F)
    case 0xE1...0xEF: beginCharacter(2, 0x80...0xBF)
    case 0xF0: beginCharacter(3, 0x90...0xBF)
    case 0xF1...0xF3: beginCharacter(3, 0x80...0xBF)
    case 0xF4: beginCharacter(3, 0x80...0x8F)
    case 0x80...:
      state = .character
      throw unexpected(byte)
    default: break
    }
    flushPendingSurrogate()
    text.append(byte)
    if byte == UInt8(ascii: "\"") { try endString() }
  }

  private mutating func beginCharacter(_ bytesLeft: Int, _ range: ClosedRange<UInt8>) {
    characterBytesLeft = bytesLeft
    characterRange = range
    state = .character
  }

  mutating func takeCharacter(_ byte: UInt8) throws(JSONError) {
    guard characterRange.contains(byte) else { throw unexpected(byte) }
    text.append(byte)
    characterRange = 0x80...0xBF
    characterBytesLeft -= 1
    if characterBytesLeft == 0 { state = .string }
  }

  mutating func takeEscape(_ byte: UInt8) throws(JSONError) {
    guard byte != UInt8(ascii: "u") else {
      escapedUnit = 0
      escapedDigits = 0
      state = .hexDigits
      return
    }
    let character: UInt8 =
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): byte
      case UInt8(ascii: "b"): 0x08
      case UInt8(ascii: "f"): 0x0C
      case UInt8(ascii: "n"): 0x0A
      case UInt8(ascii: "r"): 0x0D
      case UInt8(ascii: "t"): 0x09
      default: throw unexpected(byte)
      }
    flushPendingSurrogate()
    JSONWriter.append(asciiOrUTF8: character, to: &text)
    state = .string
  }

  mutating func takeHexDigit(_ byte: UInt8) throws(JSONError) {
    guard let digit = Self.hexDigitValue(byte) else { throw unexpected(byte) }
    escapedUnit = escapedUnit << 4 | UInt16(digit)
    escapedDigits += 1
    guard escapedDigits == 4 else { return }
    state = .string
    switch escapedUnit {
    case 0xD800...0xDBFF:
      flushPendingSurrogate()
      pendingHighSurrogate = escapedUnit
    case 0xDC00...0xDFFF:
      guard let high = pendingHighSurrogate else {
        return JSONWriter.append(escaped: escapedUnit, to: &text)
      }
      pendingHighSurrogate = nil
      append(scalar: 0x10000 + (UInt32(high) - 0xD800) << 10 + (UInt32(escapedUnit) - 0xDC00))
    default:
      flushPendingSurrogate()
      append(scalar: UInt32(escapedUnit))
    }
  }

  /// The first half of a pair whose second half did not come stays what it was: an escape.
  mutating func flushPendingSurrogate() {
    guard let unit = pendingHighSurrogate else { return }
    pendingHighSurrogate = nil
    JSONWriter.append(escaped: unit, to: &text)
  }

  private mutating func append(scalar value: UInt32) {
    guard let scalar = UnicodeScalar(value) else { return }
    for byte in UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter {
      JSONWriter.append(asciiOrUTF8: byte, to: &text)
    }
  }

  static func hexDigitValue(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
