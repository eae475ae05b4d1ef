import ArgumentParser

/// The program. Without the name of a subcommand, it runs a node.
struct RaftNodeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "raftnode", version: "raftnode 0.2.0",
    subcommands: [
      RunCommand.self, StatusCommand.self, MemberCommand.self, TransferCommand.self, GetCommand.self,
      PutCommand.self, DeleteCommand.self, CheckCommand.self,
      RecoverCommand.self, SnapshotCommand.self, BenchCommand.self,
    ],
    defaultSubcommand: RunCommand.self)
}

/// Runs a node. What it does is in ``Launcher``: this type only says what may be written on the command line.
struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "A node of a replicated, namespaced key-value store.",
    usage: "raftnode [run] --ip HOST:PORT [--peers HOST:PORT,...] [options]",
    discussion: discussion)

  @OptionGroup var arguments: Arguments

  private static var discussion: String {
    let statuses = ExitStatus.allCases.map { "  \($0.rawValue)  \($0.explanation)" }.joined(separator: "\n")
    return """
      EXAMPLES:
        A cluster of one:
          raftnode --ip 127.0.0.1:5001

        A cluster of three; each command on its own machine, or in its own terminal:
          raftnode --ip 10.0.0.1:5000 --peers 10.0.0.2:5000,10.0.0.3:5000
          raftnode --ip 10.0.0.2:5000 --peers 10.0.0.1:5000,10.0.0.3:5000
          raftnode --ip 10.0.0.3:5000 --peers 10.0.0.1:5000,10.0.0.2:5000

        A request, to any of them:
          echo '{"type":"put","key":"color","value":"blue"}' | nc -N 10.0.0.1 5000

      EXIT STATUS:
      \(statuses)
      """
  }
}
