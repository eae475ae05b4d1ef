import Foundation

/// What one node says of itself and its cluster.
struct ClusterView: Hashable, Sendable {
  struct Member: Hashable, Sendable {
    var id: String
    var address: String
    var isVoter: Bool
    var isReachable: Bool
    /// `memory` or `database`; empty if it is not told.
    var store = ""
    /// What the leader knows; nil if another node tells it.
    var silenceMilliseconds: UInt64?
    var match: UInt64?
    var isCaughtUp: Bool?
    /// A snapshot that it is sent: how much of it has arrived, and how long it is, once it is known.
    var snapshot: Transfer?
    /// What it said when it stopped.
    var stopped: LastWords?
  }

  struct Transfer: Hashable, Sendable {
    var sent: UInt64
    var bytes: UInt64?
  }

  struct LastWords: Hashable, Sendable {
    var isFailure: Bool
    var reason: String
    var ageMilliseconds: UInt64
  }

  var address: String
  var id: String
  var role: String
  var term: UInt64
  var leader: String?
  var commit: UInt64
  var applied: UInt64
  var last: UInt64
  var store: String
  var version: String
  /// Nil while it is in none.
  var cluster: String?
  var silenceMilliseconds: UInt64?
  var writeMilliseconds: UInt64?
  /// Where the change of the members stands that is under way.
  var change: UInt64?
  var snapshotReceived: UInt64?
  var joinObstacle: String?
  var awaited: [String]
  var members: [Member]

  init(_ reply: NodeReply, of asked: String) throws(NodeError) {
    let fields = reply.fields
    guard let address = fields["addr"] as? String, let role = fields["role"] as? String,
      let members = fields["members"] as? [[String: Any]]
    else { throw .unreadable(asked) }
    self.address = address
    self.role = role
    id = fields["id"] as? String ?? ""
    term = Self.number(fields["term"]) ?? 0
    leader = fields["leader"] as? String
    commit = Self.number(fields["commit"]) ?? 0
    applied = Self.number(fields["applied"]) ?? 0
    last = Self.number(fields["last"]) ?? commit
    store = fields["store"] as? String ?? ""
    version = fields["version"] as? String ?? ""
    // Nodes that do not tell it are in one if they know its members.
    cluster = fields["cluster"] as? String ?? (members.isEmpty ? nil : "")
    silenceMilliseconds = Self.number(fields["silent_ms"])
    writeMilliseconds = Self.number(fields["write_ms"])
    change = Self.number(fields["change"])
    snapshotReceived = Self.number(fields["snapshot_received"])
    joinObstacle = fields["join_obstacle"] as? String
    awaited = fields["awaited"] as? [String] ?? []
    self.members = members.map(Self.member)
  }

  private static func number(_ value: Any?) -> UInt64? { (value as? NSNumber)?.uint64Value }

  private static func member(_ fields: [String: Any]) -> Member {
    var member = Member(
      id: fields["id"] as? String ?? "", address: fields["addr"] as? String ?? "",
      isVoter: fields["role"] as? String == "voter", isReachable: fields["reachable"] as? Bool ?? false)
    member.store = fields["store"] as? String ?? ""
    member.silenceMilliseconds = number(fields["silent_ms"])
    member.match = number(fields["match"])
    member.isCaughtUp = fields["caught_up"] as? Bool
    if let snapshot = fields["snapshot"] as? [String: Any] {
      member.snapshot = Transfer(sent: number(snapshot["sent"]) ?? 0, bytes: number(snapshot["bytes"]))
    }
    if let stopped = fields["stopped"] as? [String: Any] {
      member.stopped = LastWords(
        isFailure: stopped["failed"] as? Bool ?? false, reason: stopped["reason"] as? String ?? "",
        ageMilliseconds: number(stopped["ago_ms"]) ?? 0)
    }
    return member
  }

  var isLeader: Bool { role == "leader" }

  func member(at address: String) -> Member? { members.first { $0.address == address } }

  /// How many entries a member lacks, as far as the leader knows.
  func behind(_ member: Member) -> UInt64? {
    member.match.map { last > $0 ? last - $0 : 0 }
  }

  var memberTable: String {
    TextTable(
      ["ADDRESS", "ID", "ROLE", "STORE", "REACHABLE FROM \(address)", "STATE"],
      members.map { member in
        [
          member.address, member.id, member.isVoter ? "voter" : "learner", member.store,
          member.isReachable ? "yes" : "NO", state(of: member),
        ]
      }
    ).text
  }

  /// What else is to be said of a member, in a few words.
  func state(of member: Member) -> String {
    if let stopped = member.stopped {
      return stopped.isFailure
        ? "stopped \(Words.ago(stopped.ageMilliseconds)), its store failed"
        : "stopped in order \(Words.ago(stopped.ageMilliseconds))"
    }
    if member.address == leader { return "leads" }
    if let silence = member.silenceMilliseconds, silence > ClusterReport.silenceMillisecondsMax {
      return "not heard from for \(Words.time(silence))"
    }
    if let snapshot = member.snapshot { return "receives a snapshot: \(Words.progress(snapshot))" }
    guard let behind = behind(member) else { return "-" }
    return behind == 0 ? "has everything" : "\(behind) entries behind"
  }
}

/// Quantities in words.
enum Words {
  /// `250 ms`, `12 s`, `5 min`, `3 h`, `2 days`.
  static func time(_ milliseconds: UInt64) -> String {
    switch milliseconds {
    case ..<1_000: "\(milliseconds) ms"
    case ..<120_000: "\(milliseconds / 1_000) s"
    case ..<7_200_000: "\(milliseconds / 60_000) min"
    case ..<172_800_000: "\(milliseconds / 3_600_000) h"
    default: "\(milliseconds / 86_400_000) days"
    }
  }

  static func ago(_ milliseconds: UInt64) -> String { "\(time(milliseconds)) ago" }

  static func progress(_ transfer: ClusterView.Transfer) -> String {
    guard let bytes = transfer.bytes, bytes > 0 else { return "it is being made" }
    return "\(transfer.sent) of \(bytes) bytes (\(transfer.sent * 100 / bytes) %)"
  }

  /// `a`, `a and b`, `a, b and c`.
  static func list(_ items: [String]) -> String {
    guard items.count > 1, let last = items.last else { return items.first ?? "nobody" }
    return items.dropLast().joined(separator: ", ") + " and " + last
  }
}
