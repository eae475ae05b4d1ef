import Foundation
import RaftSimulation
import Testing

/// One line of a trace, as a reader of the format decodes it.
struct SpecificationTraceEvent: Decodable {
  struct State: Decodable, Equatable {
    var term: UInt64
    var vote: String
    var commit: UInt64
  }

  struct Message: Decodable, Hashable {
    var type: String
    var term: UInt64
    var from: String
    var to: String
    var entries: UInt64
    var logTerm: UInt64
    var index: UInt64
    var commit: UInt64
    var vote: String
    var reject: Bool
    var rejectHint: UInt64
  }

  struct Property: Decodable {
    struct Change: Decodable {
      struct Single: Decodable {
        var nid: String
        var action: String
      }
      var changes: [Single]?
      var newconf: [String]?
    }
    var cc: Change
  }

  private struct Line: Decodable {
    var tag: String
    var event: SpecificationTraceEvent
  }

  var name: String
  var nid: String
  var role: String
  var log: UInt64
  var state: State
  var conf: [[String]]
  var msg: Message?
  var prop: Property?

  static func decode(_ lines: [String]) throws -> [Self] {
    try lines.map { line in
      let decoded = try JSONDecoder().decode(Line.self, from: Data(line.utf8))
      #expect(decoded.tag == "trace")
      return decoded.event
    }
  }

  static func all(of scenario: SpecificationTrace.Scenario, seed: UInt64 = 1) throws -> [Self] {
    try decode(SpecificationTrace.lines(of: scenario, seed: seed))
  }

  var isReceipt: Bool { name.hasPrefix("Receive") }
  var isSending: Bool { name.hasPrefix("Send") }
}

@Suite("The form of traces for a specification")
struct SpecificationTraceFormTests {
  private static let names: Set = [
    "InitState", "BecomeFollower", "BecomeCandidate", "BecomeLeader", "Replicate", "Commit", "Ready",
    "SendAppendEntriesRequest", "SendAppendEntriesResponse", "ReceiveAppendEntriesRequest",
    "ReceiveAppendEntriesResponse", "SendRequestVoteRequest", "SendRequestVoteResponse",
    "ReceiveRequestVoteRequest", "ReceiveRequestVoteResponse", "ChangeConf", "ApplyConfChange",
  ]

  private static let suffixes = [
    "MsgApp": "AppendEntriesRequest", "MsgHeartbeat": "AppendEntriesRequest",
    "MsgSnap": "AppendEntriesRequest", "MsgAppResp": "AppendEntriesResponse",
    "MsgHeartbeatResp": "AppendEntriesResponse", "MsgVote": "RequestVoteRequest",
    "MsgVoteResp": "RequestVoteResponse",
  ]

  @Test("there are ten scenarios, each with its own name")
  func scenarios() {
    #expect(SpecificationTrace.scenarios.count == 10)
    #expect(Set(SpecificationTrace.scenarios.map(\.rawValue)).count == 10)
  }

  @Test("a trace has 300 to 1,000 lines", arguments: SpecificationTrace.scenarios)
  func length(_ scenario: SpecificationTrace.Scenario) {
    for seed in 1...6 as ClosedRange<UInt64> {
      #expect(
        (300...1_000).contains(SpecificationTrace.lines(of: scenario, seed: seed).count), "seed \(seed)")
    }
  }

  @Test("every line has exactly the fields of its event", arguments: SpecificationTrace.scenarios)
  func fields(_ scenario: SpecificationTrace.Scenario) throws {
    for line in SpecificationTrace.lines(of: scenario, seed: 1) {
      #expect(!line.contains("\n"))
      let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
      #expect(Set(object.keys) == ["tag", "event"])
      let event = try #require(object["event"] as? [String: Any])
      let name = try #require(event["name"] as? String)
      var expected: Set = ["name", "nid", "role", "log", "state", "conf"]
      if name.hasPrefix("Send") || name.hasPrefix("Receive") {
        expected.insert("msg")
        let message = try #require(event["msg"] as? [String: Any], "\(line)")
        #expect(
          Set(message.keys) == [
            "type", "term", "from", "to", "entries", "logTerm", "index", "commit", "vote", "reject",
            "rejectHint",
          ])
      }
      if name == "ChangeConf" || name == "ApplyConfChange" { expected.insert("prop") }
      #expect(Set(event.keys) == expected, "\(line)")
    }
  }

  @Test("names, roles, ids and kinds of messages are known ones", arguments: SpecificationTrace.scenarios)
  func vocabulary(_ scenario: SpecificationTrace.Scenario) throws {
    for event in try SpecificationTraceEvent.all(of: scenario) {
      #expect(Self.names.contains(event.name))
      #expect(["StateFollower", "StateCandidate", "StateLeader"].contains(event.role))
      #expect(UInt64(event.nid) ?? 0 > 0)
      #expect(UInt64(event.state.vote) != nil)
      #expect(event.conf.count == 2 && event.conf[1].isEmpty)
      if let message = event.msg {
        let suffix = try #require(Self.suffixes[message.type])
        #expect(event.name == (event.isSending ? "Send" : "Receive") + suffix)
        #expect(event.nid == (event.isSending ? message.from : message.to))
        #expect(message.from != message.to || message.type.hasSuffix("Resp"))
        #expect(message.type != "MsgSnap" || message.index == 0 && message.logTerm == 0)
      }
      if event.name == "ApplyConfChange" { #expect(event.prop?.cc.newconf != nil) }
      guard event.name == "ChangeConf" else { continue }
      let changes = try #require(event.prop?.cc.changes)
      #expect(changes.count == 1)
      #expect(["AddNewServer", "AddLearner", "RemoveServer"].contains(changes[0].action))
    }
  }

  @Test("each scenario shows what it is named after")
  func contents() throws {
    typealias Event = SpecificationTraceEvent
    func count(_ scenario: SpecificationTrace.Scenario, _ matches: (Event) -> Bool) throws -> Int {
      try Event.all(of: scenario).count(where: matches)
    }
    #expect(try count(.election) { $0.name == "BecomeLeader" } >= 4)
    #expect(try count(.replication) { $0.name == "Replicate" } >= 15)
    #expect(try count(.competingCandidates) { $0.name == "BecomeCandidate" } >= 6)
    #expect(
      try count(.divergingLeader) { $0.name == "ReceiveAppendEntriesResponse" && $0.msg?.reject == true } > 0)
    #expect(try count(.followerRestarts) { $0.name == "InitState" } >= 5)
    #expect(try count(.leaderRestarts) { $0.name == "InitState" } >= 5)
    #expect(try count(.learner) { $0.prop?.cc.changes?.first?.action == "AddLearner" } == 1)
    #expect(try count(.learner) { $0.prop?.cc.changes?.first?.action == "AddNewServer" } == 1)
    #expect(try count(.removal) { $0.prop?.cc.changes?.first?.action == "RemoveServer" } == 1)
    #expect(try count(.snapshot) { $0.isReceipt && $0.msg?.type == "MsgSnap" } > 0)
    let lossy = try Event.all(of: .lossAndDuplication)
    #expect(lossy.count(where: \.isSending) > lossy.count(where: \.isReceipt))
    #expect(zip(lossy, lossy.dropFirst()).contains { $0.isSending && $1.isSending && $0.msg == $1.msg })
  }

  @Test("the same seed gives the same traces in two separate processes, another seed others")
  func determinism() async throws {
    let here = Self.digest(seed: 5)
    let result = try await #require(
      processExitsWith: .success, observing: [\.standardOutputContent]
    ) { print("digest \(SpecificationTraceFormTests.digest(seed: 5))") }
    #expect(String(decoding: result.standardOutputContent, as: UTF8.self).contains("digest \(here)"))
    #expect(Self.digest(seed: 6) != here)
  }

  /// FNV-1a over all lines of all scenarios.
  static func digest(seed: UInt64) -> UInt64 {
    var digest: UInt64 = 0xCBF2_9CE4_8422_2325
    for scenario in SpecificationTrace.scenarios {
      for byte in SpecificationTrace.lines(of: scenario, seed: seed).joined(separator: "\n").utf8 {
        digest = (digest ^ UInt64(byte)) &* 0x100_0000_01B3
      }
    }
    return digest
  }
}
