import ArgumentParser
import Foundation

/// What one node says of itself and its cluster.
struct ClusterView {
  struct Member {
    var id: String
    var address: String
    var isVoter: Bool
    var isReachable: Bool
  }

  var address: String
  var id: String
  var role: String
  var term: UInt64
  var leader: String?
  var commit: UInt64
  var applied: UInt64
  var store: String
  var members: [Member]

  init(_ reply: NodeReply) throws {
    let fields = reply.fields
    guard let address = fields["addr"] as? String, let role = fields["role"] as? String,
      let members = fields["members"] as? [[String: Any]]
    else { throw NodeError.unreadable(fields["addr"] as? String ?? "the node") }
    self.address = address
    self.role = role
    id = fields["id"] as? String ?? ""
    term = (fields["term"] as? NSNumber)?.uint64Value ?? 0
    leader = fields["leader"] as? String
    commit = (fields["commit"] as? NSNumber)?.uint64Value ?? 0
    applied = (fields["applied"] as? NSNumber)?.uint64Value ?? 0
    store = fields["store"] as? String ?? ""
    self.members = members.map { member in
      Member(
        id: member["id"] as? String ?? "", address: member["addr"] as? String ?? "",
        isVoter: member["role"] as? String == "voter", isReachable: member["reachable"] as? Bool ?? false)
    }
  }

  var memberTable: String {
    TextTable(
      ["ADDRESS", "ID", "ROLE", "REACHABLE FROM \(address)"],
      members.map { [$0.address, $0.id, $0.isVoter ? "voter" : "learner", $0.isReachable ? "yes" : "NO"] }
    ).text
  }
}

/// Lines in columns.
struct TextTable {
  let text: String

  init(_ head: [String], _ rows: [[String]]) {
    let lines = [head] + rows
    let widths = head.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
    text = lines.map { line in
      zip(line, widths).map { $0.padding(toLength: $1, withPad: " ", startingAt: 0) }
        .joined(separator: "  ").trimmingCharacters(in: .whitespaces)
    }.joined(separator: "\n")
  }
}

/// Asks all nodes of a cluster, and says what is wrong with it.
struct StatusCommand: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Show the whole cluster, and what is wrong with it.",
    discussion: "Ends with status 1 if something is wrong.")

  @OptionGroup var node: NodeOptions

  func perform() throws {
    let first = try ClusterView(try NodeLink.askOnce(["type": "status"], at: node.ip, seconds: node.patience))
    var views = [first]
    var failures: [(address: String, reason: String)] = []
    for member in first.members where member.address != first.address {
      do {
        let reply = try NodeLink.askOnce(
          ["type": "status"], at: member.address, seconds: min(node.patience, 3))
        views.append(try ClusterView(reply))
      } catch {
        failures.append((member.address, "\(error)"))
      }
    }
    views.sort { $0.address < $1.address }
    let report = ClusterReport(views: views, failures: failures)
    print(node.json ? try report.json() : report.text)
    if !report.troubles.isEmpty { throw ArgumentParser.ExitCode(1) }
  }
}

/// What the nodes of a cluster say, taken together.
struct ClusterReport {
  let views: [ClusterView]
  let failures: [(address: String, reason: String)]

  private var newest: ClusterView? { views.max { ($0.term, $0.commit) < ($1.term, $1.commit) } }

  /// What is wrong, and what to do about it, one sentence or two each.
  var troubles: [String] {
    guard let newest else { return ["no node answers"] }
    var troubles: [String] = []
    let voters = newest.members.filter(\.isVoter)
    let alive = voters.filter { voter in views.contains { $0.address == voter.address } }
    let quorum = voters.count / 2 + 1
    if newest.members.isEmpty {
      troubles.append(
        "\(newest.address) is in no cluster yet: it waits for the nodes in its --peers; start them, with the same set."
      )
    } else if alive.count < quorum {
      troubles.append(
        "\(alive.count) of \(voters.count) voters answer, and \(quorum) are needed: nothing can be written or read. "
          + "Start the missing ones again: \(missing(voters)).")
    } else if !views.contains(where: { $0.role == "leader" }) {
      troubles.append(
        "there is no leader at this moment; if that lasts, look whether the nodes reach each other.")
    }
    for failure in failures {
      troubles.append(
        "\(failure.reason). Look at its log and its disk; start it again, or, if it is gone for good: "
          + "raftnode member remove \(failure.address)")
    }
    for view in views {
      let cut = view.members.filter { member in
        !member.isReachable && member.address != view.address
          && views.contains { $0.address == member.address }
      }
      if !cut.isEmpty {
        troubles.append(
          "\(view.address) does not reach \(cut.map(\.address).joined(separator: ", ")), which answers here: "
            + "look at the network between them.")
      }
      if view.role != "leader", newest.commit > view.applied + 10_000 {
        troubles.append(
          "\(view.address) is \(newest.commit - view.applied) entries behind; it catches up by itself if it is not "
            + "overloaded.")
      }
    }
    return troubles
  }

  private func missing(_ voters: [ClusterView.Member]) -> String {
    voters.filter { voter in !views.contains { $0.address == voter.address } }.map(\.address)
      .joined(separator: ", ")
  }

  var text: String {
    let commit = newest?.commit ?? 0
    var rows = views.map { view in
      [
        view.address, view.role, "\(view.term)", "\(view.commit)", "\(view.applied)",
        "\(commit > view.applied ? commit - view.applied : 0)", view.store,
      ]
    }
    rows += failures.map { [$0.address, "NO ANSWER", "-", "-", "-", "-", "-"] }
    let table = TextTable(["ADDRESS", "ROLE", "TERM", "COMMITTED", "APPLIED", "BEHIND", "STORE"], rows)
    let state = troubles.isEmpty ? ["Everything is well."] : troubles.map { "! \($0)" }
    return ([table.text, ""] + state).joined(separator: "\n")
  }

  func json() throws -> String {
    let nodes: [[String: Any]] = views.map { view in
      [
        "addr": view.address, "id": view.id, "role": view.role, "term": view.term, "commit": view.commit,
        "applied": view.applied, "store": view.store,
      ]
    }
    let object: [String: Any] = [
      "nodes": nodes, "unreachable": failures.map(\.address), "troubles": troubles,
    ]
    let bytes = try JSONSerialization.data(
      withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])
    return String(decoding: bytes, as: UTF8.self)
  }
}
