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
    if let first = arguments.first, first == "--generate-completion-script" {
      self = Self.completions(arguments.dropFirst())
    } else if let command = Self.command(of: arguments) {
      self.init(arguments, of: command)
    } else {
      self.init(node: arguments)
    }
  }

  /// A command line that runs a node.
  private init(node arguments: [String]) {
    do {
      try Self.refuseRepetitions(arguments)
      if let first = arguments.first, !first.hasPrefix("-"), !["run", "help"].contains(first) {
        throw UsageError("there is no command '\(first)'; \(Self.commandList)")
      }
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

  /// A command line that names a command, or asks for its help.
  private init(_ arguments: [String], of command: String) {
    do {
      try Self.refuseRepetitions(arguments)
      var parsed = try RaftNodeCommand.parseAsRoot(arguments)
      // Help is a command of the parser's own, which ends by throwing what is to be printed.
      if type(of: parsed)._commandName == "help" { try parsed.run() }
      self = .ask(arguments)
    } catch let error as UsageError {
      self = .refuse(Self.line(error.description, command))
    } catch {
      self =
        RaftNodeCommand.exitCode(for: error).isSuccess
        ? .print(RaftNodeCommand.fullMessage(for: error))
        : .refuse(Self.line(RaftNodeCommand.message(for: error), command))
    }
  }

  /// The command that the arguments name; nil if they run a node.
  private static func command(of arguments: [String]) -> String? {
    let words = arguments.first == "help" ? arguments.dropFirst() : arguments[...]
    guard let name = words.first, commandNames.contains(name) else { return nil }
    return name
  }

  private static let commandNames = RaftNodeCommand.operatorCommands.map { $0._commandName }

  private static var commandList: String { "the commands are run, \(commandNames.joined(separator: ", "))" }

  private static func completions(_ arguments: ArraySlice<String>) -> Invocation {
    guard let name = arguments.first, arguments.count == 1, let shell = CompletionShell(rawValue: name) else {
      return .refuse(line("--generate-completion-script is followed by one of bash, zsh and fish"))
    }
    return .print(CompletionsCommand.script(for: shell))
  }

  /// The options of the default subcommand are what somebody asks for who asks for help without naming any.
  private static var help: String { RaftNodeCommand.helpMessage(for: RunCommand.self, columns: 100) }

  private static func line(_ message: String, _ command: String? = nil) -> String {
    let text = message.split(whereSeparator: \.isNewline).joined(separator: " ")
    return "raftnode: \(text) (see raftnode \(command.map { "\($0) " } ?? "")--help)"
  }

  private static let shortNames = [
    "-d": "--database", "-v": "--volume", "-t": "--timeout", "-n": "--namespace", "-l": "--limit",
    "-w": "--watch",
  ]

  /// Of an option given twice, the parser would take the last without a word.
  private static func refuseRepetitions(_ arguments: [String]) throws(UsageError) {
    var seen: [String] = []
    for argument in arguments.prefix(while: { $0 != "--" }) where argument.hasPrefix("-") && argument != "-" {
      let name = String(argument.prefix { $0 != "=" })
      let option = shortNames[name] ?? name
      guard !seen.contains(option) else { throw UsageError("\(option) is given more than once") }
      seen.append(option)
    }
  }
}
