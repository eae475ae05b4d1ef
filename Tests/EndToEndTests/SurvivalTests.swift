import Foundation
import Glibc
import Testing

/// All tests that start processes; one at a time, because two cores carry one cluster and its clients, not several.
@Suite("End to end", .serialized)
struct EndToEnd {}

extension EndToEnd {
  @Suite("A cluster survives", .serialized)
  struct Survival {
    @Test(
      "three leaders in a row die while 16 clients work: nothing acknowledged is lost, nothing read is stale")
    func threeLeadersDie() throws {
      let cluster = try ClusterOfProcesses(7)
      defer { cluster.stop() }
      _ = try cluster.leader()
      let load = Load(ports: cluster.nodes.map(\.port), clients: 16, keys: 12)
      load.start()
      load.waitForWrites(200)
      var killed: [NodeProcess] = []
      for _ in 0..<3 {
        let leader = try cluster.leader(
          among: cluster.nodes.filter { node in !killed.contains { $0 === node } })
        leader.send(SIGKILL)
        leader.wait()
        killed.append(leader)
        load.waitForWrites(300)
      }
      try expectRefusal(of: killed[0], in: cluster)
      load.waitForWrites(200)
      load.stop()
      let verdict = load.judge()
      #expect(verdict == [], "\(cluster.logs)")
      print(
        "seven nodes, three leaders killed: \(load.acknowledgedWrites) writes and \(load.answeredReads) reads answered, "
          + "longest interval without a successful write \(load.longestGapMilliseconds) ms")
      try expectFinalState(load, on: cluster.nodes.filter(\.isRunning))
    }

    /// A node that comes back with an empty memory is a new one, and not a member.
    private func expectRefusal(of dead: NodeProcess, in cluster: ClusterOfProcesses) throws {
      let peers = cluster.nodes.map(\.port).filter { $0 != dead.port }
      let again = try NodeProcess(port: dead.port, peers: peers)
      defer { again.stop() }
      #expect(again.wait() == 77)
      #expect(again.logText.contains("is not a member of it"))
    }

    /// What every survivor says of every key is what the last acknowledged write left, or one of unknown outcome.
    private func expectFinalState(_ load: Load, on survivors: [NodeProcess]) throws {
      for key in 0..<load.keys {
        let values = try survivors.map { node -> Int? in
          let answer = try Client.ask(node.port, #"{"type":"get","key":"key\#(key)"}"#)
          return (answer["data"] as? [String: Any])?["value"] as? Int
        }
        #expect(Set(values).count == 1, "key \(key): \(values)")
      }
    }

    @Test("a leader that was stopped and goes on never answers what is old")
    func pausedLeader() throws {
      let cluster = try ClusterOfProcesses(3)
      defer { cluster.stop() }
      let leader = try cluster.leader()
      #expect(try Client.ask(leader.port, #"{"type":"put","key":"k","value":1}"#)["data"] as? Bool == true)
      let reader = try Client(leader.port, seconds: 20)
      leader.send(SIGSTOP)
      // The question lies in the socket of the stopped leader while the others elect another and write.
      try reader.send(#"{"type":"get","key":"k"}"# + "\n")
      let others = cluster.nodes.filter { $0 !== leader }
      let next = try cluster.leader(among: others)
      #expect(try Client.ask(next.port, #"{"type":"put","key":"k","value":2}"#)["data"] as? Bool == true)
      leader.send(SIGCONT)
      let answer = try Client.object(reader.receiveLine())
      #expect((answer["data"] as? [String: Any])?["value"] as? Int == 2, "\(answer)")
    }

    @Test("a follower that was stopped catches up")
    func pausedFollower() throws {
      let cluster = try ClusterOfProcesses(3)
      defer { cluster.stop() }
      let leader = try cluster.leader()
      let follower = try #require(cluster.nodes.first { $0 !== leader })
      follower.send(SIGSTOP)
      let client = try Client(leader.port)
      for value in 1...200 {
        #expect(try client.exchange(#"{"type":"put","key":"k","value":\#(value)}"#)["data"] as? Bool == true)
      }
      follower.send(SIGCONT)
      let answer = try Client.ask(follower.port, #"{"type":"get","key":"k"}"#)
      #expect((answer["data"] as? [String: Any])?["value"] as? Int == 200)
    }

    @Test("two nodes of five acknowledge nothing, and say what became of the write")
    func minorityAcknowledgesNothing() throws {
      let cluster = try ClusterOfProcesses(5, arguments: ["--request-timeout", "2"])
      defer { cluster.stop() }
      let leader = try cluster.leader()
      let other = try #require(cluster.nodes.first { $0 !== leader })
      for node in cluster.nodes where node !== leader && node !== other { node.send(SIGKILL) }
      for node in [leader, other] {
        let answer = try Client.ask(node.port, #"{"type":"put","key":"k","value":1}"#)
        #expect(answer["data"] as? Bool == false)
        let error = try #require(answer["error"] as? [String: Any])
        #expect(["not_executed", "unknown"].contains(error["outcome"] as? String ?? ""), "\(answer)")
        let read = try Client.ask(node.port, #"{"type":"get","key":"k"}"#)
        #expect(read["data"] as? Bool == false)
      }
    }

    @Test("SIGTERM ends the leader with status 0 after another has taken over")
    func leaderHandsOver() throws {
      let cluster = try ClusterOfProcesses(3)
      defer { cluster.stop() }
      let leader = try cluster.leader()
      #expect(try Client.ask(leader.port, #"{"type":"put","key":"k","value":7}"#)["data"] as? Bool == true)
      leader.send(SIGTERM)
      #expect(leader.wait() == 0)
      let others = cluster.nodes.filter { $0 !== leader }
      let next = try cluster.leader(among: others)
      #expect(next !== leader)
      let answer = try Client.ask(next.port, #"{"type":"get","key":"k"}"#)
      #expect((answer["data"] as? [String: Any])?["value"] as? Int == 7)
      #expect(leader.logText.contains("stopping on SIGTERM"))
    }
  }
}
