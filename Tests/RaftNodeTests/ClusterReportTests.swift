import Testing

@testable import raftnode

@Suite("What is said of a cluster that is not well")
struct ClusterReportTests {
  /// The voters of the cluster are at 1, 2 and 3.
  private static func address(_ number: Int) -> String { "10.0.0.\(number):5000" }

  /// What node `number` says.
  private static func view(
    _ number: Int, role: String = "follower", leader: Int? = 1, term: Int = 2, commit: Int = 50,
    unreachable: [Int] = [], store: String = "database", cluster: String? = "c1", id: String? = nil,
    members: [Int] = [1, 2, 3], more: String = "", ofMember: [Int: String] = [:]
  ) throws -> ClusterView {
    let list = members.map { member in
      #"{"id":"n\#(member)","addr":"\#(address(member))","role":"voter","reachable":\#(!unreachable.contains(member)),"#
        + #""store":"\#(store)"\#(ofMember[member] ?? "")}"#
    }
    let text =
      #"{"type":"status","id":"\#(id ?? "n\(number)")","addr":"\#(address(number))","role":"\#(role)","term":\#(term),"#
      + #""leader":\#(leader.map { "\"\(address($0))\"" } ?? "null"),"commit":\#(commit),"applied":\#(commit),"#
      + #""last":\#(commit),"store":"\#(store)","version":"1","#
      + #""cluster":\#(cluster.map { "\"\($0)\"" } ?? "null")\#(more),"members":[\#(list.joined(separator: ","))]}"#
    let reply = try #require(NodeReply(Array(text.utf8)), "\(text)")
    return try ClusterView(reply, of: address(number))
  }

  private static func leader(_ number: Int = 1, ofMember: [Int: String] = [:]) throws -> ClusterView {
    try view(number, role: "leader", leader: number, ofMember: ofMember)
  }

  private static func report(
    _ views: [ClusterView], failing: [Int: NodeError.Obstacle] = [:]
  ) throws -> ClusterReport {
    let found = views.map { ClusterReport.Finding(address: $0.address, result: .success($0)) }
    let missing = failing.sorted { $0.key < $1.key }.map { number, obstacle in
      ClusterReport.Finding(
        address: address(number), result: .failure(.unreachable(address(number), obstacle)))
    }
    return ClusterReport(asked: try #require(views.first), findings: found + missing)
  }

  @Test("nothing, if nothing is wrong")
  func well() throws {
    let report = try Self.report([try Self.view(2), try Self.leader(), try Self.view(3)])
    #expect(report.troubles.isEmpty)
    #expect(report.notes.isEmpty)
    #expect(report.text.hasSuffix("\nEverything is well."))
    #expect(report.leader?.address == Self.address(1))
  }

  @Test(
    "one node is gone, and the cluster goes on: start it, remove it or replace it; one more must not fail")
  func oneGone() throws {
    let report = try Self.report([try Self.leader(), try Self.view(2)], failing: [3: .refused])
    let trouble = try #require(report.troubles.first)
    #expect(report.troubles.map(\.code) == ["no_answer"])
    #expect(trouble.what == "10.0.0.3:5000 does not answer: connection refused.")
    #expect(trouble.advice.contains("Start it again by the same command"))
    #expect(trouble.advice.contains("member replace 10.0.0.3:5000 NEW"))
    #expect(report.notes == ["One more voter that fails stops the cluster."])
  }

  @Test("a majority is gone: say so first, and advise nothing that wants a majority")
  func noQuorum() throws {
    let report = try Self.report(
      [try Self.view(2, role: "candidate", leader: nil)], failing: [1: .refused, 3: .refused])
    #expect(report.troubles.map(\.code) == ["no_quorum", "no_answer", "no_answer"])
    #expect(
      report.troubles[0].what
        == "1 of 3 voters answer, and 2 are needed: nothing can be written or read.")
    #expect(report.troubles[0].advice.contains("Get 10.0.0.1:5000 and 10.0.0.3:5000 back"))
    #expect(report.troubles[0].advice.contains("raftnode recover --help"))
    #expect(!report.troubles.contains { $0.advice.contains("member remove") })
  }

  @Test("a majority of memory nodes has ended: starting them again would not help, and is not advised")
  func memoryLost() throws {
    let view = try Self.view(2, role: "candidate", leader: nil, store: "memory")
    let lost = try Self.report([view], failing: [1: .refused, 3: .refused])
    #expect(lost.troubles[0].advice.contains("this cluster cannot come back"))
    // Silent ones may only be paused, and hold their data.
    let paused = try Self.report([view], failing: [1: .silent(seconds: 3), 3: .refused])
    #expect(!paused.troubles[0].advice.contains("cannot come back"))
  }

  @Test("a node that stands still is told from one that has ended, and from one behind a broken network")
  func silences() throws {
    func advice(_ obstacle: NodeError.Obstacle, silence: Int) throws -> String {
      let leader = try Self.leader(ofMember: [3: #","match":50,"silent_ms":\#(silence)"#])
      return try #require(try Self.report([leader, try Self.view(2)], failing: [3: obstacle]).troubles.first)
        .advice
    }
    #expect(try advice(.silent(seconds: 3), silence: 9_000).contains("kill -CONT"))
    #expect(try advice(.silent(seconds: 3), silence: 10).contains("kill -CONT"))
    #expect(try advice(.noConnection(seconds: 3), silence: 9_000).contains("Its machine is off"))
    #expect(try advice(.noConnection(seconds: 3), silence: 10).contains("the leader hears from it"))
    #expect(try advice(.noAddress("unknown"), silence: 9_000).contains("DNS"))
    #expect(try advice(.refused, silence: 10).contains("end of its log"))
  }

  @Test("a node whose last words are known: full disk, other failure, or an ordinary stop")
  func lastWords() throws {
    func trouble(_ isFailure: Bool, _ reason: String) throws -> ClusterReport.Trouble {
      let words = #","stopped":{"failed":\#(isFailure),"reason":"\#(reason)","ago_ms":5000}"#
      let views = [try Self.leader(), try Self.view(2, ofMember: [3: words])]
      return try #require(try Self.report(views, failing: [3: .refused]).troubles.first)
    }
    let full = try trouble(true, "IO error: No space left on device")
    #expect(full.code == "disk_full")
    #expect(full.what.contains("it stopped 5 s ago, because its disk is full"))
    #expect(full.advice.hasPrefix("Free space on the disk"))
    let damaged = try trouble(true, "Corruption")
    #expect(damaged.code == "store_failed")
    #expect(damaged.advice.contains("raftnode check"))
    let stopped = try trouble(false, "it was told to")
    #expect(stopped.what.contains("it was stopped in order 5 s ago"))
  }

  @Test("nodes that answer each other no more: who is cut off, and in which direction")
  func partition() throws {
    let cutOff = try Self.report([
      try Self.leader(), try Self.view(2), try Self.view(3, leader: nil, unreachable: [1, 2]),
    ])
    #expect(cutOff.troubles.map(\.code) == ["cut_off", "knows_no_leader"])
    #expect(
      cutOff.troubles[0].what.hasPrefix("10.0.0.3:5000 does not reach 10.0.0.1:5000 and 10.0.0.2:5000"))
    let oneWay = try Self.report([
      try Self.leader(), try Self.view(2), try Self.view(3, unreachable: [2]),
    ])
    #expect(oneWay.troubles.map(\.code) == ["cut"])
    let former = try Self.report([
      try Self.leader(2), try Self.view(1, role: "leader", term: 1), try Self.view(3, leader: 2),
    ])
    #expect(former.troubles.map(\.code) == ["former_leader"])
  }

  @Test("no leader although a majority answers; or a leader that does not answer here")
  func noLeader() throws {
    let electing = try Self.report([
      try Self.view(1, leader: nil), try Self.view(2, leader: nil),
      try Self.view(3, role: "candidate", leader: nil),
    ])
    #expect(electing.troubles.map(\.code) == ["no_leader"])
    let hidden = try Self.report(
      [try Self.view(2), try Self.view(3)], failing: [1: .noConnection(seconds: 3)])
    #expect(hidden.troubles.map(\.code) == ["no_leader", "no_answer"])
    #expect(hidden.troubles[0].what.hasPrefix("10.0.0.1:5000 is the leader for those that answer"))
  }

  @Test("whoever is at a member's address without being that member")
  func strangers() throws {
    let views = [try Self.leader(), try Self.view(2)]
    let other = try Self.report(views + [try Self.view(3, cluster: "c2")])
    #expect(other.troubles.map(\.code) == ["other_cluster"])
    let empty = try Self.report(
      views + [
        try Self.view(
          3, cluster: nil, id: "n9", members: [], more: #","join_obstacle":"not so","awaited":[]"#)
      ])
    #expect(empty.troubles.map(\.code) == ["empty_member"])
    #expect(empty.troubles[0].what.contains("not so"))
    #expect(empty.troubles[0].advice.contains("member replace 10.0.0.3:5000 10.0.0.3:5000"))
    let program = ClusterReport(
      asked: views[0],
      findings: views.map { .init(address: $0.address, result: .success($0)) } + [
        .init(address: Self.address(3), result: .failure(.unreadable(Self.address(3))))
      ])
    #expect(program.troubles.map(\.code) == ["no_node"])
  }

  @Test("a node that is in no cluster: for whom it waits, or why it is not let in")
  func waiting() throws {
    let founding = try Self.view(
      1, leader: nil, term: 0, commit: 0, cluster: nil, members: [],
      more: #","awaited":["10.0.0.2:5000"]"#)
    let missing = try Self.report([founding], failing: [2: .refused])
    #expect(missing.troubles.map(\.code) == ["not_founded"])
    #expect(missing.troubles[0].advice.contains("Start 10.0.0.2:5000"))
    let refused = try Self.view(
      1, leader: nil, term: 0, commit: 0, cluster: nil, members: [],
      more: #","awaited":[],"join_obstacle":"no leader is known""#)
    #expect(try Self.report([refused]).troubles.map(\.code) == ["not_admitted"])
  }

  @Test("slow disks, nodes that are behind, learners, and what is under way")
  func slowness() throws {
    let leader = try Self.view(
      1, role: "leader", commit: 90_000, more: #","write_ms":4000,"change":90000,"silent_ms":5000"#)
    let report = try Self.report([leader, try Self.view(2), try Self.view(3, commit: 90_000)])
    #expect(report.troubles.map(\.code) == ["leader_alone", "slow_disk", "behind"])
    #expect(report.notes == ["The members are being changed, by entry 90000."])
  }

  @Test("every trouble says what and what to do in one line each, and programs find both")
  func form() throws {
    let report = try Self.report(
      [try Self.view(2, role: "candidate", leader: nil)], failing: [1: .refused, 3: .silent(seconds: 3)])
    for trouble in report.troubles {
      #expect(!trouble.what.isEmpty && !trouble.advice.isEmpty)
      #expect(!trouble.text.dropFirst(trouble.what.count + 3).dropFirst().contains("\n"))
      #expect(report.text.contains("! \(trouble.what)\n  \(trouble.advice)"))
    }
    let json = try #require(NodeReply(Array(try report.json().utf8)))
    #expect(json.text(of: "troubles").flatMap(NodeReply.elements)?.count == report.troubles.count)
  }
}
