import Foundation
import Testing

/// A text file below `Scripts`: comments, commands that begin with `> `, and under each command what came of it.
struct Script: Sendable, CustomTestStringConvertible {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Scripts")

  /// Path below the folder.
  let path: String
  let text: String

  var testDescription: String { path }
  var file: URL { Self.folder.appending(path: path) }

  static let all: [Script] = {
    let names = FileManager.default.enumerator(atPath: folder.path)?.allObjects ?? []
    return names.compactMap { $0 as? String }.filter { $0.hasSuffix(".txt") }.sorted().map { path in
      let text = (try? String(contentsOf: folder.appending(path: path), encoding: .utf8)) ?? ""
      return Script(path: path, text: text)
    }
  }()

  /// What a script says when it is played again, and what went wrong meanwhile.
  struct Replay {
    var text = ""
    var failures: [String] = []
    var expectationCount = 0
  }

  func replay() throws -> Replay {
    var interpreter = try ScriptInterpreter()
    var replay = Replay()
    for (offset, line) in lines.enumerated() {
      // What stands neither in a comment nor in a command is the old trace, which the new one replaces.
      guard line.isEmpty || line.hasPrefix("#") || line.hasPrefix("> ") else { continue }
      replay.text += line + "\n"
      guard line.hasPrefix("> ") else { continue }
      do {
        for said in try interpreter.perform(String(line.dropFirst(2))) { replay.text += said + "\n" }
      } catch {
        interpreter.failures.append("\(error)")
      }
      replay.failures += interpreter.failures.map { "\(path):\(offset + 1): \($0)" }
      interpreter.failures = []
    }
    replay.expectationCount = interpreter.expectationCount
    return replay
  }

  var lines: [String] {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    if lines.last == "" { lines.removeLast() }
    return lines
  }

  /// Where two texts first differ, with the line before.
  static func difference(_ expected: String, _ found: String) -> String {
    let expected = expected.split(separator: "\n", omittingEmptySubsequences: false)
    let found = found.split(separator: "\n", omittingEmptySubsequences: false)
    let same = zip(expected, found).prefix { $0 == $1 }.count
    func line(_ lines: [Substring]) -> String { same < lines.count ? String(lines[same]) : "the end" }
    return "line \(same + 1)\n  is due:   \(line(expected))\n  happened: \(line(found))"
  }
}

@Suite("Scripts: what a cluster does, line for line")
struct ScriptTests {
  private static let isUpdating = ProcessInfo.processInfo.environment["UPDATE_SCRIPTS"] == "1"

  @Test("what happens is what stands in the script", arguments: Script.all)
  func replays(_ script: Script) throws {
    let replay = try script.replay()
    for failure in replay.failures { Issue.record(Comment(rawValue: failure)) }
    // An expected trace can be written anew in a moment, with whatever is wrong in it; an assertion cannot.
    #expect(replay.expectationCount > 0, "\(script.path) has no line that begins with '> expect'")
    guard replay.text != script.text else { return }
    if Self.isUpdating {
      try replay.text.write(to: script.file, atomically: true, encoding: .utf8)
    } else {
      Issue.record("\(script.path) differs at \(Script.difference(script.text, replay.text))")
    }
  }

  @Test("there are scripts, and each says first what it is about", arguments: Script.all)
  func headings(_ script: Script) throws {
    let first = try #require(script.lines.first)
    #expect(
      first.contains(/^# (scenarios? \d+(, \d+)*|thesis §[\d.]+): \S/),
      "\(script.path) begins with '\(first)'")
    #expect(script.path.contains(/^[a-z]+\/[a-z0-9]+(-[a-z0-9]+){2,}\.txt$/), "\(script.path) is no sentence")
  }
}
