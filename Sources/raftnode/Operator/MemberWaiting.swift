import ArgumentParser
import Foundation
import RaftTransport

/// What the commands have in common that wait for a node to take its place.
struct WaitingOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Any node of the cluster, or several, separated by commas: the first one that answers is asked.",
      valueName: "host:port,..."))
  var ip = "127.0.0.1:5000"

  @Flag(help: "Print the answer as one JSON object.")
  var json = false

  @Option(help: ArgumentHelp("How long to wait until it is done; 1 to 86400.", valueName: "seconds"))
  var patience = 300

  func validate() throws { try NodeAddresses.validate(ip, patience) }

  var addresses: [String] { NodeAddresses.list(ip) }

  /// Tries until something is done, or the time is over. What it waits for is told whenever that changes.
  ///
  /// - Parameter step: Returns nil if it is done, otherwise what it waits for.
  func wait(for goal: String, _ step: () throws(NodeError) -> String?) throws(NodeError) {
    let deadline = NodeLink.milliseconds + patience * 1_000
    let line = ProgressLine()
    defer { line.end() }
    var told: String?
    while let reason = try Self.reasonToWait(step, hasBegun: told != nil) {
      // Numbers that grow are for the line that is written over and over.
      if reason.filter({ !$0.isNumber }) != told?.filter({ !$0.isNumber }) {
        line.end()
        StandardError.write("waiting: \(reason)")
      }
      told = reason
      line.tell(reason)
      guard NodeLink.milliseconds < deadline else {
        line.end()
        throw .notInTime("\(goal) within \(patience) s: \(reason)")
      }
      usleep(200_000)
    }
  }

  private static func reasonToWait(
    _ step: () throws(NodeError) -> String?, hasBegun: Bool
  ) throws(NodeError) -> String? {
    do throws(NodeError) {
      return try step()
    } catch {
      switch error {
      // A leader that is being elected is worth waiting for.
      case .refused(let failure) where passes(failure): return failure.message
      // So is a node that was there when the waiting began.
      case .unreachable where hasBegun: return error.description
      case .nobody where hasBegun: return error.description
      default: throw error
      }
    }
  }

  private static func passes(_ failure: NodeFailure) -> Bool {
    ["waiting", "no_leader", "not_leader", "leadership_lost", "busy", "deadline", "connection_lost"]
      .contains(failure.code)
  }

  func view() throws(NodeError) -> ClusterView {
    try ClusterView(try NodeLink.ask(.status, anyOf: addresses, seconds: min(patience, 5)), of: ip)
  }

  func show(_ words: String, _ object: [String: Any]) throws(NodeError) {
    do { print(json ? try JSONLine.text(object) : words) } catch { throw .senseless("\(error)") }
  }
}

extension MemberCommand {
  struct Add: OperatorCommand {
    static let configuration = CommandConfiguration(
      abstract: "Wait until the node at an address has joined and votes.",
      discussion: """
        Nothing has to be told to the cluster: start the node at that address, with an empty directory and with --peers \
        naming any member, before or after this command, which says how far it is.
        """)

    @OptionGroup var node: WaitingOptions
    @Argument(help: ArgumentHelp("Where the new node is reached.", valueName: "host:port")) var address:
      String

    func perform() throws {
      let address = try Endpoint(self.address).description
      var id = ""
      try node.wait(for: "\(address) does not vote") { () throws(NodeError) in
        let view = try node.view()
        guard view.cluster != nil else {
          throw .senseless("\(view.address) is in no cluster itself: see raftnode status")
        }
        let newcomer = Result { () throws(NodeError) in try ClusterProbe.view(of: address, seconds: 2) }
        if case .success(let newcomer) = newcomer, let cluster = newcomer.cluster, cluster != view.cluster {
          throw .senseless(
            "\(address) is a node of another cluster, \(cluster): start it with an empty directory, and --peers \(view.address)"
          )
        }
        let members = view.members.filter { $0.address == address }
        if let voter = members.first(where: \.isVoter), case .success(let newcomer) = newcomer,
          newcomer.id == voter.id
        {
          id = voter.id
          return nil
        }
        return Self.obstacle(newcomer, at: address, members, view)
      }
      try node.show("\(address) votes", ["addr": address, "id": id, "role": "voter"])
    }

    private static func obstacle(
      _ newcomer: Result<ClusterView, NodeError>, at address: String, _ members: [ClusterView.Member],
      _ view: ClusterView
    ) -> String {
      switch newcomer {
      case .failure(let error):
        guard case .unreachable(_, let obstacle) = error else { return "\(error)" }
        return obstacle == .refused
          ? "no node runs there; start it: raftnode --ip \(address) --peers \(view.address)"
          : "\(address) does not answer: \(obstacle)"
      case .success(let newcomer):
        if let learner = members.first(where: { $0.id == newcomer.id }) {
          if let received = newcomer.snapshotReceived {
            return "\(address) is a learner, and has received \(received) bytes of a snapshot"
          }
          let behind = view.commit > newcomer.applied ? view.commit - newcomer.applied : 0
          return "\(address) is a \(learner.isVoter ? "voter" : "learner"), \(behind) entries behind"
        }
        if let obstacle = newcomer.joinObstacle { return "\(address) is not let in: \(obstacle)" }
        return newcomer.awaited.isEmpty
          ? "\(address) asks to be let in"
          : "\(address) waits for \(Words.list(newcomer.awaited)): was it started with --peers of this cluster?"
      }
    }
  }

  struct Replace: OperatorCommand {
    static let configuration = CommandConfiguration(
      abstract: "Give the place of a member to a new node, in one change.",
      discussion: """
        For a member whose data is lost. Start the new node with an empty directory and with --peers naming any other \
        member, at the address of the lost one or elsewhere, before or after this command, which waits until the new one \
        has caught up, votes, and the old one is gone. The members are never one less than before.
        """)

    @OptionGroup var node: WaitingOptions
    @Argument(help: "Address or id of the member that goes.") var old: String
    @Argument(help: ArgumentHelp("Where the new node is reached.", valueName: "host:port")) var new: String

    func perform() throws {
      let place = try Endpoint(new).description
      let before = try node.view()
      guard let member = before.members.first(where: { $0.address == old || $0.id == old }) else {
        throw NodeError.senseless(
          "no member has the address or id \(old); the members are \(Self.names(before))")
      }
      if let voter = before.members.first(where: { $0.address == place && $0.isVoter }), voter.id != member.id
      {
        throw NodeError.senseless(
          "\(place) votes already, and would not take anybody's place; raftnode member remove \(member.address)"
        )
      }
      let request = NodeRequest(
        "member", [("action", "replace"), ("addr", member.id), ("with", place)])
      var newcomer: ClusterView.Member?
      try node.wait(for: "\(member.address) is not replaced") { () throws(NodeError) in
        do throws(NodeError) {
          _ = try NodeLink.ask(request, anyOf: addresses(instead: before), seconds: 15)
        } catch {
          // The new node may have got the place on its own way in, which this command has opened.
          guard case .refused(let failure) = error, failure.code == "not_a_member" else { throw error }
        }
        let view = try currentView(instead: before)
        if view.members.contains(where: { $0.id == member.id }) {
          return "\(member.address) has been asked to go"
        }
        newcomer = view.members.first { $0.address == place && $0.isVoter }
        if newcomer == nil, !view.members.contains(where: { $0.address == place }) {
          throw .notInTime("\(member.address) is removed, and no member is at \(place)")
        }
        return newcomer == nil ? "\(place) does not vote yet" : nil
      }
      try node.show(
        "\(place) votes in the place of \(member.address)",
        ["addr": place, "id": newcomer?.id ?? "", "role": "voter", "replaced": member.id])
    }

    /// The named nodes, and then all others that were members: the one that was asked may be the one that goes.
    private func addresses(instead view: ClusterView) -> [String] {
      node.addresses + view.members.map(\.address).filter { !node.addresses.contains($0) }
    }

    private func currentView(instead view: ClusterView) throws(NodeError) -> ClusterView {
      try ClusterView(try NodeLink.ask(.status, anyOf: addresses(instead: view), seconds: 5), of: node.ip)
    }

    private static func names(_ view: ClusterView) -> String { Words.list(view.members.map(\.address)) }
  }
}
