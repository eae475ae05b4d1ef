import RaftSimulation
import Testing

/// What a specification takes for granted of the order of lines. It is judged here line by line, without the core: only
/// what stands in a trace counts.
@Suite("The order of traces for a specification")
struct SpecificationTraceOrderTests {
  private typealias Event = SpecificationTraceEvent

  private static let seeds: [UInt64] = [1, 2]

  @Test(
    "every message that is received was sent, and left with a Ready", arguments: SpecificationTrace.scenarios)
  func causality(_ scenario: SpecificationTrace.Scenario) throws {
    for seed in Self.seeds {
      var held: [String: [Event.Message]] = [:]
      var network: [Event.Message: Int] = [:]
      for event in try Event.all(of: scenario, seed: seed) {
        if let message = event.msg {
          if event.isSending {
            held[event.nid, default: []].append(message)
          } else {
            let count = network[message] ?? 0
            #expect(count > 0, "\(message) is received without having been sent, seed \(seed)")
            network[message] = count - 1
          }
        } else if event.name == "Ready" {
          for message in held[event.nid] ?? [] { network[message, default: 0] += 1 }
          held[event.nid] = []
        } else if event.name == "InitState" {
          held[event.nid] = []
        }
      }
    }
  }

  @Test(
    "terms and commit indexes only grow, and one term has one vote", arguments: SpecificationTrace.scenarios)
  func continuity(_ scenario: SpecificationTrace.Scenario) throws {
    for seed in Self.seeds {
      var last: [String: Event] = [:]
      var durable: [String: Event] = [:]
      for event in try Event.all(of: scenario, seed: seed) {
        defer { last[event.nid] = event }
        if event.name == "Ready" { durable[event.nid] = event }
        guard let before = event.name == "InitState" ? durable[event.nid] : last[event.nid] else { continue }
        #expect(event.state.term >= before.state.term)
        #expect(event.state.commit >= before.state.commit)
        #expect(event.state.commit <= event.log)
        if event.state.term == before.state.term, before.state.vote != "0" {
          #expect(event.state.vote == before.state.vote)
        }
        if event.name == "InitState" { #expect(event.log == before.log) }
        // What is received shows the state before it, which is that after the line before.
        if event.isReceipt, !before.isReceipt, before.name != "BecomeFollower",
          before.name != "ApplyConfChange"
        {
          #expect((event.state, event.log, event.role) == (before.state, before.log, before.role))
        }
      }
    }
  }

  @Test("a node changes its role where a line says so", arguments: SpecificationTrace.scenarios)
  func roles(_ scenario: SpecificationTrace.Scenario) throws {
    for seed in Self.seeds {
      var roles: [String: String] = [:]
      for event in try Event.all(of: scenario, seed: seed) {
        let before = roles[event.nid] ?? "StateFollower"
        switch event.name {
        case "InitState", "BecomeFollower": #expect(event.role == "StateFollower")
        case "BecomeCandidate":
          #expect(event.role == "StateCandidate" && event.state.vote == event.nid)
        case "BecomeLeader": #expect(before == "StateCandidate" && event.role == "StateLeader")
        case "Replicate", "Commit", "ChangeConf": #expect(before == "StateLeader" && event.role == before)
        default: #expect(event.role == before)
        }
        roles[event.nid] = event.role
      }
    }
  }

  @Test("a node begins with its state and configuration", arguments: SpecificationTrace.scenarios)
  func starts(_ scenario: SpecificationTrace.Scenario) throws {
    var known: [String: Int] = [:]
    let events = try Event.all(of: scenario)
    for (place, event) in events.enumerated() {
      guard event.name == "InitState" else {
        #expect(known[event.nid] != nil, "\(event.nid) does something before it starts")
        continue
      }
      let following = events[(place + 1)...].prefix { $0.nid == event.nid }.map(\.name)
      // A restarted node is a follower already: the specification has no step for becoming one.
      let expected = known[event.nid] == nil ? ["BecomeFollower", "ApplyConfChange"] : ["ApplyConfChange"]
      #expect(following.starts(with: expected))
      known[event.nid, default: 0] += 1
    }
  }

  @Test(
    "a leader commits what a majority of the applied configuration has acknowledged",
    arguments: SpecificationTrace.scenarios)
  func majorities(_ scenario: SpecificationTrace.Scenario) throws {
    for seed in Self.seeds {
      var matches: [String: [String: UInt64]] = [:]
      for event in try Event.all(of: scenario, seed: seed) {
        switch event.name {
        case "BecomeLeader": matches[event.nid] = [event.nid: event.log]
        case "ReceiveAppendEntriesResponse":
          guard let message = event.msg, !message.reject, message.type == "MsgAppResp" else { continue }
          let known = matches[event.nid]?[message.from] ?? 0
          matches[event.nid]?[message.from] = max(known, message.index)
        case "Commit":
          let holders = event.conf[0].count { matches[event.nid]?[$0] ?? 0 >= event.state.commit }
          #expect(holders * 2 > event.conf[0].count, "commit \(event.state.commit), seed \(seed)")
        case "SendAppendEntriesRequest":
          let known = matches[event.nid]?[event.msg?.to ?? ""] ?? 0
          if let message = event.msg, message.type == "MsgHeartbeat" {
            #expect(message.commit == min(event.state.commit, known))
          }
        default: break
        }
      }
    }
  }
}
