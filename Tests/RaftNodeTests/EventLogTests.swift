import Glibc
import Logging
import RaftCore
import RaftServer
import Testing

@testable import raftnode

@Suite("The log")
struct EventLogTests {
  @Test("elections, peers lost and found, and who is being waited for are logged at the default level")
  func operatorsSeeWhatTheyNeed() {
    var log = EventLog()
    for event: ReplicaEvent in [
      .waiting(for: ["b:1", "c:1"]), .founded(cluster: ClusterID(7), members: ["a:1"]),
      .roleChanged(.leader, term: Term(2)), .leaderChanged(address: "a:1", term: Term(2)),
      .leaderChanged(address: nil, term: Term(3)), .memberReachable(address: "b:1"),
      .memberUnreachable(address: "b:1"), .stopped,
    ] {
      let lines = log.lines(for: event, at: 0)
      #expect(lines.count == 1)
      #expect(lines.allSatisfy { $0.level >= .info && !$0.message.isEmpty })
    }
  }

  @Test("a refusal that repeats is logged once a minute")
  func repetition() {
    var log = EventLog()
    let event = ReplicaEvent.refused(address: "b:1", reason: "another cluster")
    #expect(log.lines(for: event, at: 1_000).count == 1)
    #expect(log.lines(for: event, at: 2_000).isEmpty)
    #expect(log.lines(for: event, at: 59_999).isEmpty)
    #expect(log.lines(for: event, at: 60_000).count == 1)
  }

  @Test("a stranger who sends garbage from ever new ports cannot fill the log")
  func flood() {
    var log = EventLog()
    var count = 0
    for port in 0..<10_000 {
      count += log.lines(for: .violation(from: "10.9.9.9:\(port)", reason: "bad magic"), at: 5_000).count
    }
    #expect(count == EventLog.noticesMax)
    let lines = log.lines(for: .violation(from: "10.9.9.9:1", reason: "bad magic"), at: 65_000)
    #expect(
      lines.first?.message == "\(10_000 - EventLog.noticesMax) more refusals or bad messages were not logged")
    #expect(lines.count == 2)
  }

  @Test("while strangers flood it, elections are still logged")
  func floodDoesNotHideElections() {
    var log = EventLog()
    for port in 0..<100 { _ = log.lines(for: .violation(from: "x:\(port)", reason: "bad"), at: 0) }
    #expect(log.lines(for: .roleChanged(.leader, term: Term(9)), at: 0).count == 1)
  }

  @Test("a line has the time in UTC with milliseconds, the level, and no control characters from the network")
  func lineFormat() {
    let time = timespec(tv_sec: 1_769_903_999, tv_nsec: 42_000_000)
    #expect(
      LineLogHandler.line(time, .warning, "lost a:1\n\u{1b}[31mfake")
        == "2026-01-31T23:59:59.042Z warning lost a:1\\n\\u{1B}[31mfake")
  }
}
