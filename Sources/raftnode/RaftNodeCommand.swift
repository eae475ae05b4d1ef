import ArgumentParser

/// The program. Without the name of a subcommand, it runs a node.
struct RaftNodeCommand: ParsableCommand {
  /// Nodes tell it in their status.
  static let versionNumber = "0.2.0"

  static let configuration = CommandConfiguration(
    commandName: "raftnode", version: "raftnode \(versionNumber)",
    subcommands: [RunCommand.self] + operatorCommands, defaultSubcommand: RunCommand.self)

  /// What does not run a node, in the order in which the help lists it.
  static let operatorCommands: [any ParsableCommand.Type] = [
    StatusCommand.self, MemberCommand.self, TransferCommand.self, GetCommand.self, PutCommand.self,
    DeleteCommand.self, ScanCommand.self, SnapshotCommand.self, CheckCommand.self, RecoverCommand.self,
    BenchCommand.self, ManualCommand.self, CompletionsCommand.self,
  ]
}

/// Runs a node. What it does is in ``Launcher``: this type only says what may be written on the command line.
struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "A node of a replicated, namespaced key-value store.",
    usage: """
      raftnode [run] --ip HOST:PORT [--peers HOST:PORT,...] [options]
      raftnode COMMAND ...
      """,
    discussion: discussion)

  @OptionGroup var arguments: Arguments

  static let examples = [
    ("A cluster of one:", ["raftnode --ip 127.0.0.1:5001"]),
    (
      "A cluster of three; each command on its own machine, or in its own terminal:",
      [
        "raftnode --ip 10.0.0.1:5000 --peers 10.0.0.2:5000,10.0.0.3:5000",
        "raftnode --ip 10.0.0.2:5000 --peers 10.0.0.1:5000,10.0.0.3:5000",
        "raftnode --ip 10.0.0.3:5000 --peers 10.0.0.1:5000,10.0.0.2:5000",
      ]
    ),
    ("A fourth node joins them:", ["raftnode --ip 10.0.0.4:5000 --peers 10.0.0.2:5000"]),
    (
      "A request, to any of them:",
      [#"echo '{"type":"put","key":"color","value":"blue"}' | nc -N 10.0.0.1 5000"#]
    ),
    ("How the cluster is, and what to do if it is not well:", ["raftnode status --ip 10.0.0.1:5000"]),
  ]

  private static var discussion: String {
    let commands = RaftNodeCommand.operatorCommands.map { command in
      let name = command._commandName
      let blanks = String(repeating: " ", count: max(1, 13 - name.count))
      return "  \(name)\(blanks)\(command.configuration.abstract)"
    }
    let examples = examples.map { title, lines in
      "  \(title)\n" + lines.map { "    \($0)" }.joined(separator: "\n")
    }
    let statuses = ExitStatus.allCases.map { "  \($0.rawValue)  \($0.explanation)" }
    return """
      COMMANDS, besides running a node; raftnode COMMAND --help tells more:
      \(commands.joined(separator: "\n"))

      EXAMPLES:
      \(examples.joined(separator: "\n\n"))

      EXIT STATUS:
      \(statuses.joined(separator: "\n"))
      """
  }
}
