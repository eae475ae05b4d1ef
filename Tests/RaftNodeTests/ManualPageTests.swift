import ArgumentParser
import Foundation
import Testing

@testable import raftnode

@Suite("Help, manual page and completions")
struct ManualPageTests {
  private static func page() throws -> String {
    try ManualPage().text.replacing(#"\-"#, with: "-")
  }

  /// Every command with the path that leads to it.
  private static func commands(
    below command: ManualPage.Command, _ path: [String] = []
  ) -> [(path: [String], command: ManualPage.Command)] {
    command.shownSubcommands.flatMap { next in
      [(path + [next.commandName], next)] + commands(below: next, path + [next.commandName])
    }
  }

  @Test("the manual page names every command, every option and every exit status")
  func everything() throws {
    let page = try Self.page()
    let manual = try ManualPage()
    let all = Self.commands(below: manual.root)
    #expect(all.contains { $0.path == ["member", "replace"] })
    for (path, command) in all where path != ["run"] {
      #expect(page.contains("\n.SS \"raftnode \(path.joined(separator: " "))"), "\(path) is missing")
      if let abstract = command.abstract {
        #expect(page.contains(abstract.replacing(#"\-"#, with: "-")), "\(path)")
      }
    }
    for (path, command) in all + [([], manual.root)] {
      for argument in command.shownArguments where !argument.isPositional {
        #expect(!argument.spellings.isEmpty)
        #expect(argument.abstract?.isEmpty == false, "\(path) \(argument.spellings) has no help")
        for name in argument.spellings {
          let isThere = page.split(separator: "\n").contains { line in
            line.hasPrefix(".B ") && line.split { " ,".contains($0) }.contains(name[...])
          }
          #expect(isThere, "\(path) \(name) is missing")
        }
      }
    }
    for status in ExitStatus.allCases { #expect(page.contains("\n.B \(status.rawValue)\n")) }
  }

  @Test("the operating manual names every command, and every option of one")
  func operatingManual() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let text = try String(contentsOf: root.appending(path: "Docs/operating.md"), encoding: .utf8)
    for (path, command) in Self.commands(below: try ManualPage().root)
    where command.shownSubcommands.isEmpty && path != ["run"] {
      let name = path.joined(separator: " ")
      #expect(text.contains("raftnode \(name)") || text.contains(", `\(name)"), "\(name) is missing")
      for option in command.shownArguments.flatMap(\.spellings) where option.hasPrefix("--") {
        #expect(text.contains("`\(option)") || text.contains(" \(option) "), "\(name) \(option) is missing")
      }
    }
  }

  @Test("the manual page is one that groff takes without a warning")
  func syntax() throws {
    let page = try ManualPage().text
    for line in page.split(separator: "\n") where line.hasPrefix("'") || line.hasPrefix(".") {
      let request = String(line.dropFirst().prefix { $0 != " " })
      let known = ["TH", "SH", "SS", "PP", "TP", "B", "br", "nf", "fi", "RS", "RE", #"\""#]
      #expect(line.hasPrefix(".") && known.contains(request), "\(line)")
    }
    guard let groff = ["/usr/bin/groff"].first(where: { FileManager.default.isExecutableFile(atPath: $0) })
    else {
      return
    }
    let file = FileManager.default.temporaryDirectory.appending(path: "raftnode-\(UUID().uuidString).1")
    defer { try? FileManager.default.removeItem(at: file) }
    try page.write(to: file, atomically: true, encoding: .utf8)
    #expect(try Self.complaints(of: groff, ["-ww", "-man", "-z", file.path]) == "")
  }

  @Test("text cannot become a request of the formatter")
  func escaping() {
    #expect(ManualPage.escaped(#".x \n - 'y"#) == #"\&.x \en \- 'y"#)
    #expect(ManualPage.escaped("'x") == #"\&'x"#)
  }

  @Test(
    "every shell completes the commands, and the options of a node without `run`",
    arguments: ["bash", "zsh", "fish"])
  func completions(_ name: String) throws {
    let shell = try #require(CompletionShell(rawValue: name))
    let script = CompletionsCommand.script(for: shell)
    let words = ["status", "member", "replace", "scan", "peers", "log-level", "volume", "watch", "critical"]
    for word in words { #expect(script.contains(word), "\(name) does not know \(word)") }
    #expect(Invocation(["--generate-completion-script", name]) == .print(script))
    guard name == "bash" else { return }
    let file = FileManager.default.temporaryDirectory.appending(path: "raftnode-\(UUID().uuidString).bash")
    defer { try? FileManager.default.removeItem(at: file) }
    try script.write(to: file, atomically: true, encoding: .utf8)
    // What bash itself offers behind the words of a line.
    let question = """
      source '\(file.path)'; COMP_WORDS=(raftnode --pe); COMP_CWORD=1; COMP_LINE='raftnode --pe'; COMP_POINT=13
      _raftnode raftnode --pe raftnode; echo "${COMPREPLY[@]}" 1>&2
      """
    #expect(try Self.complaints(of: "/bin/bash", ["-c", question]).contains("--peers"))
  }

  @Test("the help lists all commands, each with what it does; and every command's help says how it ends")
  func help() throws {
    guard case .print(let help) = Invocation(["--help"]) else {
      Issue.record("there is no help")
      return
    }
    for command in RaftNodeCommand.operatorCommands {
      #expect(help.contains("  \(command._commandName) "))
      #expect(help.contains(command.configuration.abstract.prefix(40)))
      for arguments in [[command._commandName, "--help"], ["help", command._commandName]] {
        guard case .print(let text) = Invocation(arguments) else {
          Issue.record("\(arguments) prints no help")
          continue
        }
        #expect(text.contains("USAGE: raftnode \(command._commandName)"))
      }
    }
  }

  @Test(
    "a wrong command line is refused with one line, which names what is allowed",
    arguments: [
      (["stauts"], "there is no command 'stauts'"), (["status", "--patience", "0"], "1 to 86400"),
      (["status", "--patience", "x"], "--patience"), (["status", "--watch", "0"], "1 to 3600"),
      (["status", "--ip", "a:1,"], "--ip"), (["status", "--ip", "a:1", "--ip", "b:1"], "more than once"),
      (["member", "replace", "a:1"], "host:port"), (["member", "exchange"], "exchange"),
      (["scan", "--limit=-1"], "0 or more"),
      (["completions", "tcsh"], "bash, zsh or fish"),
      (["snapshot", "save", "f", "--ip", "a:1,b:1"], "one node"), (["get"], "key"),
      (["recover", "--volume", "v", "--json", "--force-new-cluster"], "--yes"),
      (["--generate-completion-script", "tcsh"], "bash, zsh and fish"),
    ] as [([String], String)])
  func refusals(_ arguments: [String], _ words: String) {
    guard case .refuse(let line) = Invocation(arguments) else {
      Issue.record("\(arguments) is not refused")
      return
    }
    #expect(line.hasPrefix("raftnode: ") && line.contains(words) && !line.contains("\n"), "\(line)")
  }

  @Test("--watch may be followed by a time, and by nothing")
  func watch() throws {
    for (arguments, seconds) in [
      ([], nil), (["--watch"], 2), (["--watch", "5"], 5), (["-w"], 2), (["-w", "--json"], 2),
    ] as [([String], Int?)] {
      let command = try RaftNodeCommand.parseAsRoot(["status"] + arguments) as? StatusCommand
      #expect(command?.watch == seconds)
    }
  }

  private static func complaints(of program: String, _ arguments: [String]) throws -> String {
    let process = Process()
    process.executableURL = URL(filePath: program)
    process.arguments = arguments
    let errors = Pipe()
    process.standardError = errors
    process.standardOutput = Pipe()
    try process.run()
    let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return text
  }
}
