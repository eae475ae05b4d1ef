import Testing

@Suite("Files and functions stay small enough to be read at once")
struct SizeTests {
  static let fileLinesMax = 500
  static let functionLinesMax = 60

  @Test("no file is longer than 500 lines")
  func files() {
    for file in SourceTree.all {
      #expect(file.lines.count <= Self.fileLinesMax + 1, "\(file.path) has \(file.lines.count) lines")
    }
  }

  @Test("no function is longer than 60 lines")
  func functions() {
    for file in SourceTree.all {
      for function in Self.functions(in: file) where function.lines > Self.functionLinesMax {
        Issue.record("\(file.path):\(function.line) '\(function.name)' has \(function.lines) lines")
      }
    }
  }

  @Test("the scanner finds functions, and is not misled by literals and comments")
  func scanner() {
    let text = """
      struct A {
        // func no() {
        func one(_ text: String = "{ \\("func {")") -> Int {
          if text == "}" { return 1 }  // }
          return 2
        }
        init() {}
        var computed: Int { 3 }
      }
      protocol P { func two() }
      """
    let file = SourceTree.File(path: "x", text: text, code: SwiftCode.withoutCommentsAndStrings(text))
    let found = Self.functions(in: file)
    #expect(found.map(\.name) == ["func one", "init"])
    #expect(found.map(\.line) == [3, 7])
    #expect(found.map(\.lines) == [4, 1])
  }

  struct Function {
    let name: String
    /// Where it begins, counted from 1.
    let line: Int
    let lines: Int
  }

  /// Functions and initializers that have a body.
  static func functions(in file: SourceTree.File) -> [Function] {
    let lines = file.codeLines
    var found: [Function] = []
    for (index, line) in lines.enumerated() where line.contains("func ") || line.contains("init") {
      guard let match = line.firstMatch(of: /(^|\s)(func\s+[^\s(<]+|init[?]?(?=[(<]))/),
        !line.contains("self.init("),
        !line.contains("super.init(")
      else { continue }
      guard let length = bodyLines(lines[index...], from: match.range.upperBound) else { continue }
      found.append(Function(name: String(match.output.2), line: index + 1, lines: length))
    }
    return found
  }

  /// How many lines a declaration has up to the brace that closes its body; nil if it has none.
  private static func bodyLines(_ lines: ArraySlice<Substring>, from start: Substring.Index) -> Int? {
    var braces = 0
    var parentheses = 0
    for (count, line) in lines.enumerated() {
      let rest = count == 0 ? line[start...] : line[...]
      // Of a requirement of a protocol nothing follows but the next declaration, or the protocol's end.
      if count > 0, braces == 0, parentheses == 0,
        rest.firstMatch(of: /^\s*(func|init|var|associatedtype|\}|$)/) != nil
      {
        return nil
      }
      for character in rest {
        switch character {
        case "(": parentheses += 1
        case ")": parentheses -= 1
        case "{" where parentheses == 0 || braces > 0: braces += 1
        case "}" where parentheses == 0 || braces > 0:
          braces -= 1
          if braces == 0 { return count + 1 }
          if braces < 0 { return nil }
        default: break
        }
      }
    }
    return nil
  }
}
