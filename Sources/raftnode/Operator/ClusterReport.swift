import Foundation

/// What the nodes of a cluster say, taken together.
struct ClusterReport {
  /// Something that is wrong.
  struct Trouble: Hashable {
    /// For programs.
    var code: String
    /// The node that it is about, if it is about one.
    var node: String?
    /// One sentence.
    var what: String
    /// What to do about it.
    var advice: String

    var text: String { "! \(what)\n  \(advice)" }
  }

  /// What came of asking one address.
  struct Finding {
    var address: String
    var result: Result<ClusterView, NodeError>

    var view: ClusterView? { try? result.get() }
  }

  /// What answers are about: the cluster of the node that was asked first; nil if that is in none.
  let asked: ClusterView
  let findings: [Finding]
  /// What the members of that cluster say, by address.
  let views: [ClusterView]

  /// A leader that has heard nothing for so long from somebody has lost it.
  static let silenceMillisecondsMax: UInt64 = 2_000
  /// A write to the disk that takes longer is told.
  static let writeMillisecondsMax: UInt64 = 1_000
  /// Who lacks more entries is told.
  static let behindMax: UInt64 = 10_000

  init(asked: ClusterView, findings: [Finding]) {
    self.asked = asked
    self.findings = findings.sorted { $0.address < $1.address }
    views = self.findings.compactMap(\.view).filter { view in
      asked.cluster == nil ? view.id == asked.id : view.cluster == asked.cluster
    }
  }

  /// The node whose word on members and leadership counts most: the leader of the newest term, or who knows most.
  var newest: ClusterView {
    views.max { ($0.term, $0.isLeader ? 1 : 0, $0.commit) < ($1.term, $1.isLeader ? 1 : 0, $1.commit) }
      ?? asked
  }

  /// The node that leads, as it says itself, in the newest term.
  var leader: ClusterView? { newest.isLeader ? newest : nil }

  var voters: [ClusterView.Member] { newest.members.filter(\.isVoter) }

  /// Whether the member itself answers at its address.
  func answers(_ member: ClusterView.Member) -> Bool {
    views.contains { $0.address == member.address && $0.id == member.id }
  }

  var aliveVoters: [ClusterView.Member] { voters.filter(answers) }

  var quorum: Int { voters.count / 2 + 1 }

  /// What a member said when it stopped, whoever has heard it.
  func lastWords(of address: String) -> ClusterView.LastWords? {
    views.compactMap { $0.member(at: address)?.stopped }.min { $0.ageMilliseconds < $1.ageMilliseconds }
  }

  // MARK: - For people

  private static let heads = [
    "ADDRESS", "ROLE", "TERM", "COMMITTED", "APPLIED", "BEHIND", "HEARD FROM", "STORE", "VERSION",
  ]

  var text: String {
    let rows = findings.map { finding in
      switch finding.result {
      case .success(let view) where views.contains(view): row(of: view)
      case .success(let view) where view.cluster == nil: [finding.address, "IN NO CLUSTER"] + blanks
      case .success: [finding.address, "OTHER CLUSTER"] + blanks
      case .failure: [finding.address, "NO ANSWER"] + blanks
      }
    }
    var lines = [TextTable(Self.heads, rows).text, ""]
    lines += troubles.map(\.text)
    lines += notes.map { "- \($0)" }
    if troubles.isEmpty { lines.append("Everything is well.") }
    return lines.joined(separator: "\n")
  }

  private var blanks: [String] { Array(repeating: "-", count: Self.heads.count - 2) }

  private func row(of view: ClusterView) -> [String] {
    let heard = leader?.member(at: view.address)?.silenceMilliseconds
    return [
      view.address, view.cluster == nil ? "waits" : view.role, "\(view.term)", "\(view.commit)",
      "\(view.applied)",
      "\(newest.commit > view.applied ? newest.commit - view.applied : 0)", heard.map(Words.ago) ?? "-",
      view.store, view.version.isEmpty ? "-" : view.version,
    ]
  }

  // MARK: - For programs

  func json() throws -> String {
    let nodes: [[String: Any]] = views.map { view in
      var object: [String: Any] = [
        "addr": view.address, "id": view.id, "role": view.role, "term": view.term, "commit": view.commit,
        "applied": view.applied, "last": view.last, "store": view.store, "version": view.version,
        "behind": newest.commit > view.applied ? newest.commit - view.applied : 0,
      ]
      object["leader"] = view.leader
      object["heard_ms"] = leader?.member(at: view.address)?.silenceMilliseconds
      object["write_ms"] = view.writeMilliseconds
      return object
    }
    var object: [String: Any] = [
      "nodes": nodes, "unreachable": findings.filter { $0.view == nil }.map(\.address), "notes": notes,
      "troubles": troubles.map { trouble in
        var object = ["code": trouble.code, "what": trouble.what, "do": trouble.advice]
        object["node"] = trouble.node
        return object
      },
    ]
    object["cluster"] = asked.cluster
    object["leader"] = leader?.address
    return try JSONLine.text(object)
  }
}
