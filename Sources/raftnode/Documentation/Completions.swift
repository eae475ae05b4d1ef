import ArgumentParser

/// The program as shells and the manual page see it: a command that has the options of a node itself. The parser's default
/// subcommand is unknown to completions, which would then know no option of a node unless `run` was typed.
struct DescribedCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: RaftNodeCommand._commandName, abstract: RunCommand.configuration.abstract,
    version: RaftNodeCommand.configuration.version, subcommands: RaftNodeCommand.configuration.subcommands)

  @OptionGroup var arguments: Arguments
}

/// Prints what a shell needs to complete command lines.
struct CompletionsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "completions", abstract: "Print what a shell needs to complete command lines of raftnode.",
    discussion: """
      bash: raftnode completions bash > ~/.local/share/bash-completion/completions/raftnode
      zsh:  raftnode completions zsh > _raftnode, in a folder of $fpath
      fish: raftnode completions fish > ~/.config/fish/completions/raftnode.fish
      """)

  @Argument(help: "bash, zsh or fish.", completion: .list(["bash", "zsh", "fish"])) var shell: String

  func validate() throws {
    guard CompletionShell(rawValue: shell) != nil else {
      throw ValidationError("the shell is '\(shell)'; it must be bash, zsh or fish")
    }
  }

  func run() { CompletionShell(rawValue: shell).map { print(Self.script(for: $0)) } }

  static func script(for shell: CompletionShell) -> String { DescribedCommand.completionScript(for: shell) }
}
