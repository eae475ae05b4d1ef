import Foundation
import Testing

/// The files of the repository, as the tests see them.
enum SourceTree {
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// One file of Swift source.
  struct File: Sendable, CustomTestStringConvertible {
    /// Path below the root, such as `Sources/RaftCore/Log/Entry.swift`.
    let path: String
    let text: String
    /// The text with the contents of comments and string literals blanked out; as many lines as ``text``.
    let code: String

    var testDescription: String { path }
    var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }
    var codeLines: [Substring] { code.split(separator: "\n", omittingEmptySubsequences: false) }
    /// The target it belongs to, such as `RaftCore`.
    var module: String { String(path.split(separator: "/").dropFirst().first ?? "") }
  }

  static func text(_ path: String) throws -> String {
    try String(contentsOf: root.appending(path: path), encoding: .utf8)
  }

  static func exists(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: root.appending(path: path).path)
  }

  /// All files below `folder` that end with `suffix`, sorted.
  static func paths(below folder: String, suffix: String) -> [String] {
    let names = FileManager.default.enumerator(atPath: root.appending(path: folder).path)?.allObjects ?? []
    return names.compactMap { $0 as? String }.filter { $0.hasSuffix(suffix) && !$0.contains(".build") }
      .map { "\(folder)/\($0)" }.sorted()
  }

  static let all: [File] = ["Sources", "Tests", "Examples"].flatMap { folder in
    paths(below: folder, suffix: ".swift").compactMap { path in
      guard let text = try? text(path) else { return nil }
      return File(path: path, text: text, code: SwiftCode.withoutCommentsAndStrings(text))
    }
  }

  /// What is shipped or shown: everything but the tests.
  static let shipped = all.filter { !$0.path.hasPrefix("Tests/") }
  static let sources = all.filter { $0.path.hasPrefix("Sources/") }
}

/// A reader of Swift source that knows just enough to tell code from comments and literals.
enum SwiftCode {
  /// Blanks out comments and the contents of string literals, line for line. Code inside of an interpolation counts as
  /// content.
  static func withoutCommentsAndStrings(_ text: String) -> String {
    var scanner = Scanner(Array(text.utf8))
    return scanner.blanked()
  }

  private struct Scanner {
    let bytes: [UInt8]
    var position = 0
    var output: [UInt8] = []

    init(_ bytes: [UInt8]) {
      self.bytes = bytes
      output.reserveCapacity(bytes.count)
    }

    mutating func blanked() -> String {
      while position < bytes.count {
        if starts("//") {
          skip { $0.starts("\n") }
        } else if starts("/*") {
          skip { $0.starts("*/") }
        } else if bytes[position] == UInt8(ascii: "\"") || starts("#\"") {
          literal()
        } else {
          output.append(bytes[position])
          position += 1
        }
      }
      return String(decoding: output, as: UTF8.self)
    }

    private func starts(_ token: String) -> Bool { bytes[position...].starts(with: token.utf8) }

    private mutating func skip(until isAtEnd: (Scanner) -> Bool) {
      while position < bytes.count, !isAtEnd(self) { blank() }
    }

    /// Passes one byte, keeping the line structure.
    private mutating func blank() {
      output.append(bytes[position] == UInt8(ascii: "\n") ? UInt8(ascii: "\n") : UInt8(ascii: " "))
      position += 1
    }

    private mutating func literal() {
      let isRaw = starts("#")
      let isMultiline = starts("\"\"\"") || starts("#\"\"\"")
      let end = (isMultiline ? "\"\"\"" : "\"") + (isRaw ? "#" : "")
      for _ in 0..<end.utf8.count {
        output.append(bytes[position])
        position += 1
      }
      while position < bytes.count, !starts(end), isMultiline || !starts("\n") {
        if !isRaw, starts("\\(") {
          interpolation()
        } else {
          if !isRaw, starts("\\") { blank() }
          if position < bytes.count { blank() }
        }
      }
      for _ in 0..<end.utf8.count where position < bytes.count {
        output.append(bytes[position])
        position += 1
      }
    }

    private mutating func interpolation() {
      blank()
      blank()
      var depth = 1
      while depth > 0, position < bytes.count {
        if starts("(") { depth += 1 }
        if starts(")") { depth -= 1 }
        if starts("\"") { nestedLiteral() } else { blank() }
      }
    }

    /// A literal inside of an interpolation, which is content as a whole.
    private mutating func nestedLiteral() {
      blank()
      while position < bytes.count, !starts("\""), !starts("\n") {
        if starts("\\(") {
          interpolation()
        } else {
          if starts("\\") { blank() }
          if position < bytes.count { blank() }
        }
      }
      if position < bytes.count { blank() }
    }
  }
}
