import ArgumentParser
import Foundation

/// Prints the manual page.
struct ManualCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "manual", abstract: "Print the manual page, for man.",
    discussion: "To read it: raftnode manual | man -l -")

  func run() throws { print(try ManualPage().text) }
}

/// The manual page, made of what the commands say of themselves, so that it cannot say anything else.
struct ManualPage {
  /// A command, as the parser describes it.
  struct Command: Decodable {
    var commandName: String
    var abstract: String?
    var discussion: String?
    var shouldDisplay: Bool?
    var subcommands: [Command]?
    var arguments: [Argument]?

    /// The subcommands, without the one that every command has.
    var shownSubcommands: [Command] {
      (subcommands ?? []).filter { $0.shouldDisplay ?? true && $0.commandName != "help" }
    }

    var shownArguments: [Argument] { (arguments ?? []).filter { $0.shouldDisplay ?? true } }
  }

  /// An option, a flag or a positional argument.
  struct Argument: Decodable {
    struct Name: Decodable {
      var kind: String
      var name: String

      var text: String { (kind == "long" ? "--" : "-") + name }
    }

    var kind: String
    var shouldDisplay: Bool?
    var isOptional: Bool
    var names: [Name]?
    var valueName: String?
    var defaultValue: String?
    var abstract: String?

    var isPositional: Bool { kind == "positional" }

    /// Short names come first, as everywhere.
    var spellings: [String] {
      (names ?? []).map(\.text).sorted { ($0.hasPrefix("--") ? 1 : 0) < ($1.hasPrefix("--") ? 1 : 0) }
    }
  }

  private struct Description: Decodable { var command: Command }

  let root: Command
  private var lines: [String] = []

  init() throws {
    root = try JSONDecoder().decode(Description.self, from: Data(DescribedCommand._dumpHelp().utf8)).command
    writeHead()
    section("OPTIONS OF A NODE")
    for argument in root.shownArguments { write(argument) }
    section("COMMANDS")
    paragraph("Each asks a running node, or looks at what a stopped one has stored, and ends.")
    for command in root.shownSubcommands where command.commandName != "run" {
      write(command, after: root.commandName)
    }
    writeTail()
  }

  /// The page, for `man`.
  var text: String { lines.joined(separator: "\n") }

  private mutating func writeHead() {
    lines.append(#".\" Made by: raftnode manual"#)
    lines.append(".TH RAFTNODE 1 \"\" \"raftnode \(RaftNodeCommand.versionNumber)\" \"User commands\"")
    section("NAME")
    lines.append(
      #"raftnode \- a node of a replicated, namespaced key-value store, and commands for its operators"#)
    section("SYNOPSIS")
    for usage in [
      "[run] --ip HOST:PORT [--peers HOST:PORT,...] [OPTION...]", "COMMAND [OPTION...] [ARGUMENT...]",
    ] {
      lines += [".B raftnode", Self.escaped(usage), ".br"]
    }
    section("DESCRIPTION")
    paragraph(
      """
      Three or more nodes hold the same data; any of them answers any client, and the data stays available and correct \
      while a minority of them is gone. Without the name of a command, raftnode runs a node until it is stopped by SIGTERM \
      or SIGINT. Clients speak JSON or the protocol of Redis, on the port that the nodes themselves use.
      """)
  }

  private mutating func writeTail() {
    section("EXIT STATUS")
    for status in ExitStatus.allCases { item("\(status.rawValue)", status.explanation) }
    section("FILES")
    item("data", "Of a node without --volume: its directory, below the one where it was started.")
    item(
      "members-of-ADDRESS",
      "In the directory of a node that keeps its data in memory: where the other members are, so that it finds them again."
    )
    section("EXAMPLES")
    for (title, commands) in RunCommand.examples {
      paragraph(title)
      lines += [".RS 4", ".nf"] + commands.map(Self.escaped) + [".fi", ".RE"]
    }
  }

  private mutating func write(_ command: Command, after path: String) {
    let name = "\(path) \(command.commandName)"
    let subcommands = command.shownSubcommands
    let positional = command.shownArguments.filter(\.isPositional).map { argument in
      let value = (argument.valueName ?? "value").uppercased()
      return argument.isOptional ? "[\(value)]" : value
    }
    let options = command.shownArguments.filter { !$0.isPositional }
    lines.append(".SS \"\(Self.escaped(([name] + positional).joined(separator: " ")))\"")
    if let abstract = command.abstract { paragraph(abstract) }
    if let discussion = command.discussion { write(discussion: discussion) }
    for subcommand in subcommands { write(subcommand, after: name) }
    guard subcommands.isEmpty else { return }
    for argument in command.shownArguments.filter(\.isPositional) { write(argument) }
    for option in options { write(option) }
  }

  private mutating func write(_ argument: Argument) {
    let value = argument.valueName ?? "value"
    var head = argument.isPositional ? value.uppercased() : argument.spellings.joined(separator: ", ")
    if argument.kind == "option" { head += " \(value)" }
    var text = argument.abstract ?? ""
    if let fallback = argument.defaultValue, !fallback.isEmpty, fallback != "false" {
      text += " (default: \(fallback))"
    }
    item(head, text)
  }

  private mutating func section(_ name: String) { lines.append(".SH \"\(name)\"") }

  private mutating func paragraph(_ text: String) { lines += [".PP", Self.escaped(text)] }

  /// Lines of a discussion stay lines.
  private mutating func write(discussion: String) {
    lines.append(".PP")
    for (number, line) in discussion.split(separator: "\n").enumerated() {
      if number > 0 { lines.append(".br") }
      lines.append(Self.escaped(String(line)))
    }
  }

  private mutating func item(_ head: String, _ text: String) {
    lines += [".TP", ".B \(Self.escaped(head))", Self.escaped(text)]
  }

  /// Text as it has to stand in the source of a page: a hyphen is one that can be copied, and nothing is a request.
  static func escaped(_ text: String) -> String {
    let escaped = text.replacing("\\", with: #"\e"#).replacing("-", with: #"\-"#).replacing("\n", with: " ")
    return escaped.hasPrefix(".") || escaped.hasPrefix("'") ? #"\&"# + escaped : escaped
  }
}
