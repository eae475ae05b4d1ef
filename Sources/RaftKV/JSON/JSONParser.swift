import RaftCore

/// Takes one JSON text (RFC 8259, strictly) in pieces of any size and finds the byte where it ends.
///
/// Every byte is looked at a fixed number of times, however the text was cut: an object that arrives byte by byte costs
/// as much as one that arrives whole. Nothing recurses and no tree is built: the text is checked while it is copied
/// into its canonical form, and nesting costs one byte a level.
///
/// The canonical form of a string has an escape only where JSON demands one: `\"`, `\\`, `\b`, `\t`, `\n`, `\f`, `\r`,
/// and `\u00xx` for the other characters below U+0020. So a key is the same key whether a client sends it raw or
/// escaped. Half a surrogate pair (`"\ud800"`) is legal JSON, and some clients can send it; it has no UTF-8 and stays
/// an escape in lower-case digits.
///
/// After an error the parser is of no more use: where the next text begins cannot be told.
public struct JSONParser: Sendable {
  enum State: UInt8, Sendable {
    /// A value has to come.
    case value
    /// A value, or the end of the array that was just opened.
    case firstValue
    /// A member's name has to come.
    case name
    /// A name, or the end of the object that was just opened.
    case firstName
    case colon
    /// A comma, or the end of the innermost array or object.
    case separator
    case string
    /// Inside a character of several bytes.
    case character
    /// After a backslash.
    case escape
    /// Inside the four digits of `\uXXXX`.
    case hexDigits
    case literal
    case numberSign
    case numberZero
    case numberInteger
    case numberPoint
    case numberFraction
    case numberExponent
    case numberExponentSign
    case numberExponentDigits
    case complete
  }

  /// How much is taken.
  public let limits: JSONLimits
  /// Bytes taken so far: the offset of the next one in the text.
  public private(set) var bytesTaken = 0
  /// How often a byte, or a run of plain bytes of a string, was looked at. At most twice ``bytesTaken``, plus one.
  private(set) var stepCount = 0

  var state = State.value
  var text: Bytes = []
  /// The closing brackets that are awaited, outermost first.
  private var closings: Bytes = []
  private var members: [JSONDocument.Member] = []
  var isInName = false
  private var tokenStart = 0
  private var memberName = 0..<0
  private var memberValueStart = 0
  private var literal: StaticString = ""
  private var literalTaken = 0
  // What string parsing keeps between bytes; see JSONParser+Strings.swift.
  var characterBytesLeft = 0
  var characterRange: ClosedRange<UInt8> = 0x80...0xBF
  var escapedUnit: UInt16 = 0
  var escapedDigits = 0
  var pendingHighSurrogate: UInt16?

  /// What most texts need at most: they are copied without growing their storage.
  private static let textBytesExpected = 256

  /// Starts before the first byte.
  public init(limits: JSONLimits = JSONLimits()) { self.limits = limits }

  /// Whether the text has ended. A number that nothing encloses ends only with the byte after it, or with
  /// ``finish()``.
  public var isComplete: Bool { state == .complete }

  /// Takes `bytes` from `start` on, until they or the text end.
  ///
  /// - Returns: Where the first byte stands that was not taken.
  /// - Throws: ``JSONError``.
  public mutating func parse(_ bytes: Bytes, from start: Int = 0) throws(JSONError) -> Int {
    let room = limits.bytesMax - bytesTaken
    let end = bytes.count - start > room ? start + room : bytes.count
    if text.isEmpty { text.reserveCapacity(min(end - start, Self.textBytesExpected)) }
    var index = start
    while index < end, state != .complete {
      stepCount += 1
      if state == .string {
        let runEnd = Self.endOfPlainRun(in: bytes, from: index, to: end)
        if runEnd > index {
          flushPendingSurrogate()
          text.append(contentsOf: bytes[index..<runEnd])
          bytesTaken += runEnd - index
          index = runEnd
          continue
        }
      }
      if try take(bytes[index]) {
        index += 1
        bytesTaken += 1
      }
    }
    guard state == .complete || end == bytes.count else {
      throw JSONError(.tooLarge, "the text is longer than \(limits.bytesMax) bytes", offset: bytesTaken)
    }
    return index
  }

  /// Says that no bytes follow.
  ///
  /// - Throws: ``JSONError`` if the text is not complete.
  public mutating func finish() throws(JSONError) {
    if closings.isEmpty, numberMayEnd { state = .complete }
    guard state == .complete else { throw malformed("the text ends too early") }
  }

  /// Hands out the complete text. The parser is then ready for the next one.
  public mutating func takeDocument() -> JSONDocument {
    precondition(state == .complete, "only a complete text can be taken")
    let document = JSONDocument(text: text, members: members)
    // Nothing else is left over at the end of a text; `closings` is empty and keeps its storage.
    (text, members) = ([], [])
    (bytesTaken, stepCount) = (0, 0)
    state = .value
    return document
  }

  // MARK: - Between tokens

  /// Takes one byte.
  ///
  /// - Returns: False if the byte ended a number and has to be looked at again.
  private mutating func take(_ byte: UInt8) throws(JSONError) -> Bool {
    switch state {
    case .value, .firstValue, .name, .firstName, .colon, .separator:
      if byte != 0x20, byte != 0x0A, byte != 0x0D, byte != 0x09 { try takeStructural(byte) }
    case .string: try takeString(byte)
    case .character: try takeCharacter(byte)
    case .escape: try takeEscape(byte)
    case .hexDigits: try takeHexDigit(byte)
    case .literal: try takeLiteral(byte)
    case .complete: return false
    default: return try takeNumber(byte)
    }
    return true
  }

  private mutating func takeStructural(_ byte: UInt8) throws(JSONError) {
    switch (state, byte) {
    case (.firstValue, UInt8(ascii: "]")), (.firstName, UInt8(ascii: "}")), (.separator, closings.last):
      text.append(byte)
      closings.removeLast()
      endValue()
    case (.value, _), (.firstValue, _):
      try beginValue(byte)
    case (.name, UInt8(ascii: "\"")), (.firstName, UInt8(ascii: "\"")):
      isInName = true
      tokenStart = text.count
      text.append(byte)
      state = .string
    case (.colon, UInt8(ascii: ":")):
      text.append(byte)
      state = .value
    case (.separator, UInt8(ascii: ",")):
      text.append(byte)
      state = closings.last == UInt8(ascii: "}") ? .name : .value
    default:
      throw unexpected(byte)
    }
  }

  private mutating func beginValue(_ byte: UInt8) throws(JSONError) {
    if closings.count == 1 { memberValueStart = text.count }
    switch byte {
    case UInt8(ascii: "{"): try open(closing: UInt8(ascii: "}"), .firstName)
    case UInt8(ascii: "["): try open(closing: UInt8(ascii: "]"), .firstValue)
    case UInt8(ascii: "\""): state = .string
    case UInt8(ascii: "-"): state = .numberSign
    case UInt8(ascii: "0"): state = .numberZero
    case UInt8(ascii: "1")...UInt8(ascii: "9"): state = .numberInteger
    case UInt8(ascii: "t"): beginLiteral("true")
    case UInt8(ascii: "f"): beginLiteral("false")
    case UInt8(ascii: "n"): beginLiteral("null")
    default: throw unexpected(byte)
    }
    text.append(byte)
  }

  private mutating func open(closing: UInt8, _ next: State) throws(JSONError) {
    guard closings.count < limits.nestingMax else {
      throw JSONError(.tooDeep, "nested deeper than \(limits.nestingMax) levels", offset: bytesTaken)
    }
    closings.append(closing)
    state = next
  }

  /// Ends a string: a value, or the name of a member.
  mutating func endString() throws(JSONError) {
    guard isInName else { return endValue() }
    isInName = false
    state = .colon
    guard closings.count == 1 else { return }
    guard members.count < limits.membersMax else {
      throw JSONError(
        .tooManyMembers, "the object has more than \(limits.membersMax) members", offset: bytesTaken)
    }
    memberName = tokenStart..<text.count
  }

  private mutating func endValue() {
    state = closings.isEmpty ? .complete : .separator
    guard closings.count == 1, closings[0] == UInt8(ascii: "}") else { return }
    members.append(JSONDocument.Member(name: memberName, value: memberValueStart..<text.count))
  }

  // MARK: - Literals and numbers

  private mutating func beginLiteral(_ literal: StaticString) {
    self.literal = literal
    literalTaken = 1
    state = .literal
  }

  private mutating func takeLiteral(_ byte: UInt8) throws(JSONError) {
    let expected = literal.withUTF8Buffer { $0[literalTaken] }
    guard byte == expected else { throw unexpected(byte) }
    text.append(byte)
    literalTaken += 1
    if literalTaken == literal.utf8CodeUnitCount { endValue() }
  }

  /// Whether the state is that of a number which could end here.
  private var numberMayEnd: Bool {
    switch state {
    case .numberZero, .numberInteger, .numberFraction, .numberExponentDigits: true
    default: false
    }
  }

  private mutating func takeNumber(_ byte: UInt8) throws(JSONError) -> Bool {
    let next: State? =
      switch (state, byte) {
      case (.numberSign, UInt8(ascii: "0")): .numberZero
      case (.numberSign, UInt8(ascii: "1")...UInt8(ascii: "9")): .numberInteger
      case (.numberInteger, UInt8(ascii: "0")...UInt8(ascii: "9")): .numberInteger
      case (.numberZero, UInt8(ascii: ".")), (.numberInteger, UInt8(ascii: ".")): .numberPoint
      case (.numberPoint, UInt8(ascii: "0")...UInt8(ascii: "9")): .numberFraction
      case (.numberFraction, UInt8(ascii: "0")...UInt8(ascii: "9")): .numberFraction
      case (.numberZero, UInt8(ascii: "e")), (.numberZero, UInt8(ascii: "E")): .numberExponent
      case (.numberInteger, UInt8(ascii: "e")), (.numberInteger, UInt8(ascii: "E")): .numberExponent
      case (.numberFraction, UInt8(ascii: "e")), (.numberFraction, UInt8(ascii: "E")): .numberExponent
      case (.numberExponent, UInt8(ascii: "+")), (.numberExponent, UInt8(ascii: "-")): .numberExponentSign
      case (.numberExponent, UInt8(ascii: "0")...UInt8(ascii: "9")): .numberExponentDigits
      case (.numberExponentSign, UInt8(ascii: "0")...UInt8(ascii: "9")): .numberExponentDigits
      case (.numberExponentDigits, UInt8(ascii: "0")...UInt8(ascii: "9")): .numberExponentDigits
      default: nil
      }
    if let next {
      text.append(byte)
      state = next
      return true
    }
    // What follows is judged as what it is: "01" fails at the 1, because no number may stand after a number.
    guard numberMayEnd else { throw unexpected(byte) }
    endValue()
    return false
  }

  // MARK: - Errors

  func malformed(_ reason: String) -> JSONError { JSONError(.malformed, reason, offset: bytesTaken) }

  func unexpected(_ byte: UInt8) -> JSONError {
    let name =
      (0x21...0x7E).contains(byte)
      ? "'\(Character(UnicodeScalar(byte)))'" : "byte 0x\(byte < 16 ? "0" : "")\(String(byte, radix: 16))"
    let expected =
      switch state {
      case .value: "a value"
      case .firstValue: "a value or ']'"
      case .name: "a name in quotes"
      case .firstName: "a name in quotes or '}'"
      case .colon: "':'"
      case .separator: closings.last == UInt8(ascii: "}") ? "',' or '}'" : "',' or ']'"
      case .string: "a string without raw control characters"
      case .character: "UTF-8"
      case .escape: "one of \"\\/bfnrtu after a backslash"
      case .hexDigits: "four hexadecimal digits"
      case .literal: "'\(literal)'"
      case .complete: "nothing"
      default: "a digit"
      }
    return malformed("\(name) where \(expected) should be")
  }
}
