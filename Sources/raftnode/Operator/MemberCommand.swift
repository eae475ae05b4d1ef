import ArgumentParser

/// Shows and changes who takes part.
struct MemberCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "member", abstract: "Show and change who takes part.",
    discussion: """
      A node joins by itself: start it with --ip and with --peers naming any member. It becomes a learner, catches up, and \
      votes. To replace a node, start the new one, wait until it votes, and remove the old one.
      """,
    subcommands: [List.self, Remove.self, Promote.self, Demote.self], defaultSubcommand: List.self)

  struct List: OperatorCommand {
    static let configuration = CommandConfiguration(abstract: "All members, as one node knows them.")

    @OptionGroup var node: NodeOptions

    func perform() throws {
      let reply = try node.ask(["type": "status"])
      let view = try ClusterView(reply)
      node.show(reply, view.memberTable)
    }
  }

  struct Remove: OperatorCommand {
    static let configuration = CommandConfiguration(
      abstract: "Remove a member. It is told, and stops with status \(ExitStatus.removed.rawValue).")

    @OptionGroup var node: NodeOptions
    @Argument(help: "Address or id of the member.") var member: String

    func perform() throws { try MemberCommand.change("remove", member, node, "removed") }
  }

  struct Promote: OperatorCommand {
    static let configuration = CommandConfiguration(abstract: "Let a learner vote that has caught up.")

    @OptionGroup var node: NodeOptions
    @Argument(help: "Address or id of the member.") var member: String

    func perform() throws { try MemberCommand.change("promote", member, node, "votes now") }
  }

  struct Demote: OperatorCommand {
    static let configuration = CommandConfiguration(abstract: "Make a voter a learner.")

    @OptionGroup var node: NodeOptions
    @Argument(help: "Address or id of the member.") var member: String

    func perform() throws { try MemberCommand.change("demote", member, node, "is a learner now") }
  }

  fileprivate static func change(
    _ action: String, _ member: String, _ node: NodeOptions, _ result: String
  ) throws {
    let reply = try node.ask(["type": "member", "action": action, "addr": member])
    node.show(reply, "\(member) \(result)")
  }
}
