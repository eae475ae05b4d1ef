import Foundation
import Testing

@testable import RaftKV

@Suite("The table of commands in the README")
struct CommandDocumentTests {
  private struct Row: Hashable {
    var commands: [String]
    var options: [String]
  }

  private static var folder: URL {
    (0..<4).reduce(URL(fileURLWithPath: #filePath)) { url, _ in url.deletingLastPathComponent() }
  }

  private static func rows() throws -> [Row] {
    let text = try String(contentsOf: folder.appendingPathComponent("README.md"), encoding: .utf8)
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let start = try #require(lines.firstIndex { $0.hasPrefix("| command | options |") })
    return lines[(start + 2)...].prefix { $0.hasPrefix("|") }.map { line in
      let cells = line.split(separator: "|").map { cell in
        cell.split(separator: " ").filter { $0.hasPrefix("`") }.map { $0.filter { $0 != "`" } }
      }
      return Row(commands: cells[0], options: cells[1])
    }
  }

  @Test("has every command that there is, once, and no other")
  func commands() throws {
    #expect(
      try Self.rows().flatMap(\.commands).sorted()
        == CommandTable.all.map { $0.name.uppercased() }.sorted())
  }

  @Test("has no option that is not compared with Redis, or said to differ")
  func options() throws {
    let cases = Self.folder.appendingPathComponent("Tests/EndToEndTests/Redis/cases")
    let files = try FileManager.default.contentsOfDirectory(atPath: cases.path)
    let lines = try files.flatMap { file in
      try String(contentsOf: cases.appendingPathComponent(file), encoding: .utf8).uppercased().split(
        separator: "\n"
      ).map { $0.split(separator: " ").map(String.init) }
    }
    // Filters are a module of Redis that Debian has not; their own tests try the options.
    for row in try Self.rows() where !row.commands.contains("BF.ADD") {
      for option in row.options {
        let isTried = lines.contains { words in
          words.contains(option) && words.contains { row.commands.contains($0) }
        }
        #expect(isTried, "no case has \(option) of \(row.commands)")
      }
    }
  }
}
