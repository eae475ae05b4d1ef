import ArgumentParser

/// What a command line asks for: a value, so that every way to write it, right or wrong, can be tested.
enum Invocation: Hashable {
  /// Run a node.
  case run(LaunchPlan)
  /// Ask a node, as these arguments say.
  case ask([String])
  /// Print this and end with success: the help, or the version.
  case print(String)
  /// Print this one line to standard error and end with ``ExitStatus/usage``.
  case refuse(String)

  /// Reads the arguments, the program's own name not among them.
  init(_ arguments: [String]) {
    if let name = arguments.first, name != "run",
      RaftNodeCommand.configuration.subcommands.contains(where: { $0.configuration.commandName == name })
    {
      self = .ask(arguments)
      return
    }
    do {
      try Self.refuseRepetitions(arguments)
      guard let run = try RaftNodeCommand.parseAsRoot(arguments) as? RunCommand else {
        self = .print(Self.help)
        return
      }
      self = .run(try LaunchPlan(run.arguments))
    } catch let error as UsageError {
      self = .refuse(Self.line(error.description))
    } catch {
      guard RaftNodeCommand.exitCode(for: error).isSuccess else {
        self = .refuse(Self.line(RaftNodeCommand.message(for: error)))
        return
      }
      let text = RaftNodeCommand.fullMessage(for: error)
      self = .print(text == RaftNodeCommand.configuration.version ? text : Self.help)
    }
  }

  /// The options of the default subcommand are what somebody asks for who asks for help without naming any.
  private static var help: String { RaftNodeCommand.helpMessage(for: RunCommand.self, columns: 100) }

  private static func line(_ message: String) -> String {
    let text = message.split(whereSeparator: \.isNewline).joined(separator: " ")
    return "raftnode: \(text) (see raftnode --help)"
  }

  /// Of an option given twice, the parser would take the last without a word.
  private static func refuseRepetitions(_ arguments: [String]) throws(UsageError) {
    let short = ["-d": "--database", "-v": "--volume", "-t": "--timeout"]
    var seen: [String] = []
    for argument in arguments.prefix(while: { $0 != "--" }) where argument.hasPrefix("-") && argument != "-" {
      let name = String(argument.prefix { $0 != "=" })
      let option = short[name] ?? name
      guard !seen.contains(option) else { throw UsageError("\(option) is given more than once") }
      seen.append(option)
    }
  }
}
