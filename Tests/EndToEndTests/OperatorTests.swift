import Foundation
import Testing

/// A command of `raftnode` that has ended.
struct EndedCommand {
  let end: ProcessEnd
  let output: String
  let errors: String

  init(_ arguments: [String]) throws {
    let child = try ChildProcess(try BuiltProduct.path("raftnode"), arguments)
    end = try child.awaitEnd(within: 60)
    output = child.output
    errors = child.errors
  }
}

extension EndToEnd {
  @Suite("Commands for operators")
  struct OperatorTests {
    private func run(_ arguments: [String]) throws -> EndedCommand { try EndedCommand(arguments) }

    @Test("write, read and delete through any node")
    func keys() async throws {
      try await withCluster(of: 3) { cluster in
        let addresses = cluster.nodes.map(\.address)
        #expect(try run(["put", "a", #"{"x":[1,null]}"#, "--ip", addresses[0]]).end == .exited(0))
        #expect(try run(["put", "b", "plain words", "--ip", addresses[1], "-n", "other"]).end == .exited(0))
        #expect(try run(["get", "a", "--ip", addresses[2]]).output == "{\"x\":[1,null]}\n")
        #expect(
          try run(["get", "b", "--ip", addresses[0], "--namespace", "other"]).output == "\"plain words\"\n")
        let missing = try run(["get", "b", "--ip", addresses[0]])
        #expect(missing.end == .exited(1))
        #expect(missing.output == "null\n")
        #expect(try run(["delete", "a", "--ip", addresses[1]]).end == .exited(0))
        #expect(try run(["get", "a", "--ip", addresses[1]]).end == .exited(1))
      }
    }

    @Test("scan keys by prefix, in order, with values as they were written, and say if there are more")
    func scan() async throws {
      try await withCluster(of: 1) { cluster in
        let asked = ["--ip", cluster.nodes[0].address]
        for (key, value) in [("a:2", "1e400"), ("a:1", "\"x\""), ("b", "true"), ("a\t", "[1,{}]")] {
          #expect(try run(["put", key, value, "-n", "s"] + asked).end == .exited(0))
        }
        let all = try run(["scan", "--namespace", "s"] + asked)
        #expect(all.end == .exited(0))
        #expect(all.output == "\"a\\t\"\t[1,{}]\na:1\t\"x\"\na:2\t1e400\nb\ttrue\n", "\(all.errors)")
        #expect(all.errors.isEmpty)
        let first = try run(["scan", "a:", "-n", "s", "--limit", "1"] + asked)
        #expect(first.output == "a:1\t\"x\"\n")
        #expect(first.errors.contains("--limit 0 prints all"))
        let json = try run(["scan", "a:", "-n", "s", "--limit", "0", "--json"] + asked)
        #expect(
          json.output
            == #"{"type":"scan","data":[{"key":"a:1","value":"x"},{"key":"a:2","value":1e400}],"cursor":null}"#
            + "\n")
        let nothing = try run(["scan", "z", "-n", "s"] + asked)
        #expect(nothing.end == .exited(0))
        #expect(nothing.output.isEmpty)
        // Numbers come back as they were written, however they are asked for.
        #expect(try run(["get", "a:2", "-n", "s"] + asked).output == "1e400\n")
      }
    }

    @Test("show a cluster, and say in words what is wrong with it")
    func status() async throws {
      try await withCluster(of: 3) { cluster in
        let well = try run(["status", "--ip", cluster.nodes[0].address])
        #expect(well.end == .exited(0))
        #expect(well.output.contains("Everything is well."))
        for node in cluster.nodes { #expect(well.output.contains(node.address)) }

        cluster.nodes[1].send(SIGKILL)
        _ = try cluster.nodes[1].process.awaitEnd()
        let lame = try run(["status", "--ip", cluster.nodes[0].address])
        #expect(lame.end == .exited(1))
        #expect(lame.output.contains("! \(cluster.nodes[1].address) does not answer"))
        #expect(lame.output.contains("raftnode member remove \(cluster.nodes[1].address)"))

        cluster.nodes[2].send(SIGKILL)
        _ = try cluster.nodes[2].process.awaitEnd()
        let dead = try run(["status", "--ip", cluster.nodes[0].address])
        #expect(dead.end == .exited(1))
        #expect(
          dead.output.contains("1 of 3 voters answer, and 2 are needed: nothing can be written or read."))

        let json = try run(["status", "--json", "--ip", cluster.nodes[0].address])
        let object = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any]
        let troubles = object?["troubles"] as? [[String: String]]
        #expect(troubles?.compactMap { $0["code"] }.first == "no_quorum")
        #expect(troubles?.allSatisfy { $0["what"]?.isEmpty == false && $0["do"]?.isEmpty == false } == true)
        #expect((object?["unreachable"] as? [String])?.count == 2)

        let nobody = try run(["status", "--ip", cluster.nodes[1].address])
        #expect(nobody.end == .exited(69))
        #expect(nobody.errors.hasPrefix("raftnode: \(cluster.nodes[1].address) does not answer"))
      }
    }

    @Test("hand leadership over, and remove, demote and promote members, asked of any node")
    func members() async throws {
      try await withCluster(of: 3) { cluster in
        let leader = try cluster.awaitLeader().node
        let others = cluster.nodes.filter { $0 !== leader }
        let (first, second) = (others[0], others[1])
        let asked = ["--ip", second.address]
        #expect(try run(["transfer", first.address] + asked).end == .exited(0))
        try eventually("\(first.address) leads") { try first.status()?.role == "leader" ? () : nil }

        #expect(try run(["member", "demote", leader.address] + asked).end == .exited(0))
        try eventually("it is a learner") {
          try first.status()?.members.first { $0.address == leader.address }?.role == "learner" ? () : nil
        }
        let refused = try run(["member", "demote", leader.address] + asked)
        #expect(refused.end == .exited(75))
        #expect(refused.errors.contains("is not a voter (refused, not_executed)"))
        try eventually("it votes again") {
          try run(["member", "promote", leader.address] + asked).end == .exited(0) ? () : nil
        }

        #expect(try run(["member", "remove", leader.address] + asked).end == .exited(0))
        #expect(try leader.process.awaitEnd() == .exited(77))
        #expect(try first.insist(on: Request.put("k", "1")).isSuccess)
        let stranger = try run(["member", "remove", "127.0.0.1:1"] + asked)
        #expect(stranger.end == .exited(75))
        #expect(
          stranger.errors == "raftnode: no member has this address or id (not_a_member, not_executed)\n")
      }
    }
  }
}
