import ArgumentParser
import RaftTransport

/// Shows and changes who takes part.
struct MemberCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "member", abstract: "Show and change who takes part.",
    discussion: """
      A node joins by itself: start it with --ip and with --peers naming any member. It becomes a learner, catches up, and \
      votes; member add waits for that. A node with a database whose data is lost keeps its vote until it is replaced or \
      removed.
      """,
    subcommands: [List.self, Add.self, Replace.self, Remove.self, Promote.self, Demote.self],
    defaultSubcommand: List.self)

  struct List: OperatorCommand {
    static let configuration = CommandConfiguration(
      abstract: "All members, as one node knows them.",
      discussion: "How far members are is known to the leader alone: it is told if that one is asked.")

    @OptionGroup var node: NodeOptions

    func perform() throws {
      let reply = try node.ask(.status)
      let view = try ClusterView(reply, of: node.ip)
      node.show(
        reply, view.members.isEmpty ? "\(view.address) is in no cluster yet" : view.memberTable)
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
    static let configuration = CommandConfiguration(
      abstract: "Make a voter a learner, which follows and has no vote.")

    @OptionGroup var node: NodeOptions
    @Argument(help: "Address or id of the member.") var member: String

    func perform() throws { try MemberCommand.change("demote", member, node, "is a learner now") }
  }

  fileprivate static func change(
    _ action: String, _ member: String, _ node: NodeOptions, _ result: String
  ) throws {
    let reply = try node.ask(NodeRequest("member", [("action", action), ("addr", member)]))
    node.show(reply, "\(member) \(result)")
  }
}
