import Testing

@Suite("Code that peers, clients and operators rely on")
struct CodeTests {
  @Test("every precondition says which rule was broken")
  func preconditionsHaveMessages() {
    for file in SourceTree.shipped {
      for call in Self.calls(of: ["precondition", "assert"], in: file) {
        #expect(call.arguments.contains("\""), "\(file.path):\(call.line) has no message")
      }
      for call in Self.calls(of: ["preconditionFailure", "assertionFailure"], in: file) {
        #expect(call.arguments.contains(/\w|"/), "\(file.path):\(call.line) has no message")
      }
    }
  }

  @Test("nothing is forced: no try!, no as!, no unwrapping by an exclamation mark, no fatalError")
  func nothingIsForced() {
    let forbidden = /\btry!|\bas!|[\w)\]>]!(?![=\w])|\bunsafeBitCast\b|\bunowned\(unsafe\)/
    for file in SourceTree.shipped {
      for (index, line) in file.codeLines.enumerated() where line.contains("!") || line.contains("unsafe") {
        #expect(!line.contains(forbidden), "\(file.path):\(index + 1): \(line.drop { $0 == " " })")
      }
      #expect(!file.code.contains("fatalError("), "\(file.path) ends the process")
    }
  }

  @Test("nothing is left for later")
  func nothingIsLeftForLater() {
    // Spelled so that this file does not find itself.
    let words = ["TO" + "DO", "FIX" + "ME", "for" + " now", "HA" + "CK"]
    for file in SourceTree.all {
      for (index, line) in file.lines.enumerated() {
        for word in words where line.contains(word) {
          Issue.record("\(file.path):\(index + 1) says '\(word)'")
        }
      }
    }
  }

  @Test("names say what a thing is")
  func names() {
    let forbidden = /\b(class|struct|enum|protocol|actor)\s+\w*(Manager|Helper|Utils?|Impl|Common)\b/
    for file in SourceTree.all {
      for (index, line) in file.codeLines.enumerated() {
        #expect(!line.contains(forbidden), "\(file.path):\(index + 1): \(line)")
      }
    }
  }

  struct Call {
    let line: Int
    let arguments: String
  }

  /// The calls of some functions, with the text between their parentheses; strings in it are blanked out.
  static func calls(of names: [String], in file: SourceTree.File) -> [Call] {
    var calls: [Call] = []
    for (index, line) in file.codeLines.enumerated() {
      for name in names {
        guard let start = line.firstRange(of: "\(name)("), !line[..<start.lowerBound].hasSuffix("_"),
          line[..<start.lowerBound].last?.isLetter != true, !line[..<start.lowerBound].hasSuffix("func ")
        else { continue }
        let rest = file.codeLines[(index + 1)...].prefix(12).joined(separator: "\n")
        calls.append(Call(line: index + 1, arguments: arguments(of: line[start.upperBound...] + "\n" + rest)))
      }
    }
    return calls
  }

  private static func arguments(of text: Substring) -> String {
    var depth = 1
    return String(
      text.prefix { character in
        if character == "(" { depth += 1 }
        if character == ")" { depth -= 1 }
        return depth > 0
      })
  }
}
