import RaftCore
import Testing

@testable import RaftKV

/// Parses `text` in pieces of `size` bytes.
private func parse(
  _ text: Bytes, inPiecesOf size: Int = .max, limits: JSONLimits = JSONLimits()
) throws(JSONError) -> JSONDocument {
  var parser = JSONParser(limits: limits)
  var start = 0
  while start < text.count {
    let end = size < text.count - start ? start + size : text.count
    let piece = Bytes(text[start..<end])
    let taken = try parser.parse(piece)
    #expect(parser.stepCount <= 2 * parser.bytesTaken + 1, "every byte is looked at a fixed number of times")
    guard taken == piece.count else { throw JSONError(.malformed, "more follows", offset: start + taken) }
    start = end
  }
  try parser.finish()
  return parser.takeDocument()
}

private func canonical(_ text: String, inPiecesOf size: Int = .max) throws -> String {
  String(decoding: try parse(Bytes(text.utf8), inPiecesOf: size).text, as: UTF8.self)
}

private func outcome(_ text: Bytes, inPiecesOf size: Int, limits: JSONLimits) -> Result<
  JSONDocument, JSONError
> {
  do throws(JSONError) {
    return .success(try parse(text, inPiecesOf: size, limits: limits))
  } catch {
    return .failure(error)
  }
}

@Suite("JSON text: what is taken, and what is kept of it")
struct JSONParserTests {
  static let canonicalForms: [(String, String)] = [
    ("null", "null"), ("true", "true"), ("false", "false"), (" 0", "0"), ("-0", "-0"), ("1.50", "1.50"),
    ("1180591620717411303424", "1180591620717411303424"), ("1e400", "1e400"), ("-1.5E+10", "-1.5E+10"),
    ("\"\"", "\"\""), ("[]", "[]"), ("{}", "{}"), (" [ 1 , [ ] , { } ]", "[1,[],{}]"),
    (#"{ "b" : 1 , "a" : [ true , null ] }"#, #"{"b":1,"a":[true,null]}"#),
    (#"{"a":1,"a":2}"#, #"{"a":1,"a":2}"#),
    (#""A\u00e9\u20AC\ud83D\uDE00""#, "\"Aé€😀\""), ("\"é€😀\"", "\"é€😀\""),
    (#""\/\"\\\b\f\n\r\t""#, #""/\"\\\b\f\n\r\t""#),
    (#""\u0022\u005c\u000a\u0000\u001F""#, #""\"\\\n\u0000\u001f""#),
    ("\"\u{7F}\u{2028}\"", "\"\u{7F}\u{2028}\""), (#""\u2028""#, "\"\u{2028}\""),
    (#""\uD800""#, #""\ud800""#), (#""\uDC00x""#, #""\udc00x""#),
    (#""\ud800\ud800\udc00""#, "\"\\ud800\u{10000}\""),
    (#""\ud800\n""#, #""\ud800\n""#), (#""\ud800é""#, #""\ud800é""#),
  ]

  @Test("every kind of value has its canonical text, however it is cut", arguments: canonicalForms)
  func canonicalText(_ text: String, _ expected: String) throws {
    for size in [Int.max, 1, 2, 3] { #expect(try canonical(text, inPiecesOf: size) == expected) }
    #expect(try canonical(expected) == expected)
  }

  static let malformed: [(String, Int)] = [
    ("", 0), (" ", 1), ("{", 1), ("[1", 2), ("\"a", 2), ("-", 1), ("1.", 2), ("1e", 2), ("1e+", 3),
    ("tru", 3),
    ("01", 1), ("1.x", 2), ("+1", 0), (".5", 0), ("-x", 1), ("trux", 3), ("NaN", 0), ("Infinity", 0),
    ("'a'", 0),
    ("[1,]", 3), ("[,1]", 1), ("[1 2]", 3), ("[1}", 2), ("{]", 1), ("{\"a\"}", 4), ("{\"a\":}", 5),
    ("{\"a\":1,}", 7), ("{a:1}", 1), ("{\"a\" 1}", 5), ("{1:1}", 1), ("]", 0), ("\"\u{1}\"", 1),
    ("\"\n\"", 1),
    (#""\x""#, 2), (#""\u12g4""#, 5), (#""\U0041""#, 2), ("nul l", 3), ("/* */ 1", 0), ("\u{FEFF}1", 0),
  ]

  @Test("malformed text is refused at the first wrong byte, however it is cut", arguments: malformed)
  func malformedText(_ text: String, _ offset: Int) {
    for size in [Int.max, 1, 2] {
      guard case .failure(let error) = outcome(Bytes(text.utf8), inPiecesOf: size, limits: JSONLimits())
      else {
        Issue.record("\(text) was taken")
        continue
      }
      #expect(error.kind == .malformed)
      #expect(error.offset == offset, "\(text): \(error)")
    }
  }

  static let notUTF8: [Bytes] = [
    [0x80], [0xBF], [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF],
    [0xF0, 0x80, 0x80, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFF], [0xC3],
    [0xE2, 0x82],
    [0xF0, 0x9F, 0x98], [0xC3, 0x28],
  ]

  @Test("bytes that are no UTF-8 are refused", arguments: notUTF8)
  func invalidUTF8(_ bytes: Bytes) {
    for size in [Int.max, 1] {
      let text = [UInt8(ascii: "\"")] + bytes + [UInt8(ascii: "\"")]
      guard case .failure(let error) = outcome(text, inPiecesOf: size, limits: JSONLimits()) else {
        Issue.record("\(bytes) was taken")
        continue
      }
      #expect(error.kind == .malformed)
    }
  }

  @Test("valid UTF-8 of every length is taken as Swift takes it")
  func everyScalarBoundary() throws {
    for value in [0x20, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF] as [UInt32] {
      let scalar = try #require(UnicodeScalar(value))
      let text = "\"\(Character(scalar))\""
      #expect(try canonical(text, inPiecesOf: 1) == text)
    }
  }

  @Test("a text ends where its value ends")
  func endOfText() throws {
    var parser = JSONParser()
    let bytes = Bytes(#" {"a":[1]}{"b":2}"#.utf8)
    let end = try parser.parse(bytes)
    #expect(parser.isComplete)
    #expect(end == 10)
    #expect(parser.takeDocument().text == Bytes(#"{"a":[1]}"#.utf8))
    #expect(try parser.parse(bytes, from: end) == bytes.count)
    #expect(parser.takeDocument().text == Bytes(#"{"b":2}"#.utf8))
  }

  @Test("the outermost object's members can be told apart, and the last of a name wins")
  func members() throws {
    let document = try parse(Bytes(#"{"a":{"a":0},"b":[1,{"c":2}],"\u0061":"x\u0000"}"#.utf8), inPiecesOf: 1)
    #expect(document.members.count == 3)
    let range = try #require(document.value(of: Bytes("\"a\"".utf8)))
    #expect(document.decodedString(at: range) == [UInt8(ascii: "x"), 0])
    let distinct = document.distinctMembers.map { member in
      String(decoding: document.text[member.name] + document.text[member.value], as: UTF8.self)
    }
    #expect(distinct == [#""a""x\u0000""#, #""b"[1,{"c":2}]"#])
    #expect(try parse(Bytes("[{\"a\":1}]".utf8)).members.isEmpty)
  }

  @Test("a string decodes to its UTF-8, unless it holds half a surrogate pair")
  func decoding() throws {
    func decoded(_ text: String) throws -> Bytes? {
      let document = try parse(Bytes(text.utf8))
      return document.decodedString(at: 0..<document.text.count)
    }
    #expect(
      try decoded(#""\"\\\/\b\f\n\r\t\u0001\u001f é\u00e9\ud83d\ude00""#)
        == Bytes("\"\\/\u{8}\u{C}\n\r\t\u{1}\u{1F} éé😀".utf8))
    #expect(try decoded(#""a\ud800""#) == nil)
    #expect(try decoded(#""\udfff""#) == nil)
  }

  @Test("the limits are named when they are passed, at the byte that passes them")
  func limits() {
    let limits = JSONLimits(bytesMax: 20, nestingMax: 3, membersMax: 2)
    for size in [Int.max, 1, 7] {
      func kind(_ text: String) -> JSONError.Kind? {
        guard case .failure(let error) = outcome(Bytes(text.utf8), inPiecesOf: size, limits: limits) else {
          return nil
        }
        return error.kind
      }
      #expect(kind("[[[1]]]") == nil)
      #expect(kind("[[[[1]]]]") == .tooDeep)
      #expect(kind(#"{"a":{"b":{"c":{}}}}"#) == .tooDeep)
      #expect(kind(#"{"a":1,"b":2}"#) == nil)
      #expect(kind(#"{"a":1,"b":2,"c":3}"#) == .tooManyMembers)
      #expect(kind("\"" + String(repeating: "x", count: 18) + "\"") == nil)
      #expect(kind("\"" + String(repeating: "x", count: 19) + "\"") == .tooLarge)
    }
  }

  @Test("nesting costs no stack: 1,000,000 levels are parsed, kept and let go")
  func deepNesting() throws {
    let depth = 1_000_000
    let text =
      Bytes(repeating: UInt8(ascii: "["), count: depth) + Bytes(repeating: UInt8(ascii: "]"), count: depth)
    let document = try parse(text, limits: JSONLimits(bytesMax: .max, nestingMax: .max, membersMax: 1))
    #expect(document.text == text)
  }

  @Test("random bytes and mutated texts lead to the same result however they are cut, and never to a trap")
  func randomMutations() {
    var random = RandomSource(seed: 7)
    let seeds =
      Self.canonicalForms.map(\.0) + [#"{"type":"put","key":"k\u00e9","value":{"a":[1,2.5e3,"x"]},"n":null}"#]
    let limits = JSONLimits(bytesMax: 60, nestingMax: 4, membersMax: 3)
    let alphabet =
      Bytes(#"{}[]",:\u0123456789abcdefDt -+.eE"#.utf8) + [0, 0x0A, 0x80, 0xC3, 0xED, 0xF0, 0xFF]
    for _ in 0..<4_000 {
      var text = Bytes(seeds[Int(random.next() % UInt64(seeds.count))].utf8)
      for _ in 0..<(random.next() % 4) where !text.isEmpty {
        let position = Int(random.next() % UInt64(text.count))
        let byte = alphabet[Int(random.next() % UInt64(alphabet.count))]
        switch random.next() % 3 {
        case 0: text[position] = byte
        case 1: text.insert(byte, at: position)
        default: text.remove(at: position)
        }
      }
      let whole = outcome(text, inPiecesOf: .max, limits: limits)
      #expect(outcome(text, inPiecesOf: 1, limits: limits) == whole)
      #expect(outcome(text, inPiecesOf: 3, limits: limits) == whole)
      if case .success(let document) = whole {
        #expect(document.text.count <= text.count)
        #expect(outcome(document.text, inPiecesOf: .max, limits: limits) == whole)
      }
    }
  }

  @Test("a writer's strings are canonical text")
  func writer() throws {
    let string = "\"\\/\u{0}\u{8}\t\n\u{C}\r\u{1F}\u{7F}é\u{2028}😀"
    var writer = JSONWriter()
    writer.write(string)
    let document = try parse(writer.bytes)
    #expect(document.text == writer.bytes)
    #expect(document.decodedString(at: 0..<writer.bytes.count) == Bytes(string.utf8))
  }
}
