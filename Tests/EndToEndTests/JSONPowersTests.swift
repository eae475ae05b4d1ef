import Foundation
import Testing

extension Answer {
  /// The keys that a scan has given.
  var keys: [String] { (fields["data"] as? [[String: Any]] ?? []).compactMap { $0["key"] as? String } }

  /// Where a scan goes on, as JSON text.
  var cursor: String { (fields["cursor"] as? String).map { "\"\($0)\"" } ?? "null" }

  /// A field of the data of a get.
  subscript(name: String) -> Any? { (fields["data"] as? [String: Any])?[name] }
}

extension EndToEnd {
  @Suite("The powers of the JSON protocol, through every node")
  struct JSONPowersTests {
    @Test("conditions, counters, expiry and batches")
    func writes() async throws {
      try await withSteadyCluster { cluster in
        for (number, node) in cluster.nodes.enumerated() {
          let other = cluster.nodes[(number + 1) % 3]
          let key = "key-\(number)"
          let first = try node.ask(
            #"{"type":"put","key":"\#(key)","value":1,"if_absent":true,"version":true}"#)
          let version = try #require(first.fields["version"] as? Int)
          let refused = try other.ask(#"{"type":"put","key":"\#(key)","value":2,"if_absent":true}"#)
          #expect(refused.refusal?.code == "condition_failed")
          #expect(refused.refusal?.isNotExecuted == true)
          #expect((refused.fields["error"] as? [String: Any])?["version"] as? Int == version)
          #expect(
            try other.ask(#"{"type":"get","key":"\#(key)","version":true}"#)["version"] as? Int == version)
          #expect(
            try other.ask(#"{"type":"put","key":"\#(key)","value":5,"if_version":\#(version),"if_value":1}"#)
              .isSuccess)
          #expect(try node.ask(#"{"type":"incr","key":"\#(key)","by":2}"#).fields["value"] as? Int == 7)
          let batch = try node.ask(
            #"{"type":"batch","ops":[{"type":"incr","key":"total"},{"type":"delete","key":"\#(key)","if_value":7},"#
              + #"{"type":"put","key":"session-\#(number)","value":"x","ttl":3600}]}"#)
          let results = try #require(batch.fields["results"] as? [[String: Any]])
          #expect(results.map { $0["value"] as? Int } == [number + 1, nil, nil])
          #expect(try other.ask(Request.get(key)).value == "null")
          let left = try other.ask(#"{"type":"get","key":"session-\#(number)","ttl":true}"#)["ttl"] as? Double
          #expect((3_500...3_600).contains(try #require(left)))
          let failed = try other.ask(
            #"{"type":"batch","ops":[{"type":"incr","key":"total"},{"type":"delete","key":"x","if_version":9}]}"#
          )
          #expect(failed.refusal?.code == "condition_failed")
          #expect(try other.ask(Request.get("total")).value == "\(number + 1)")
        }
      }
    }

    @Test(
      "a key that has expired is gone through every node, and never comes back, whoever leads then",
      arguments: StoreChoice.allCases)
    func expiry(_ store: StoreChoice) async throws {
      try await withCluster(of: 3, store: store) { cluster in
        try cluster.nodes[0].insist(on: #"{"type":"put","key":"short","value":1,"ttl":0.3}"#)
        try cluster.nodes[0].insist(on: #"{"type":"put","key":"long","value":1,"ttl":3600}"#)
        for node in cluster.nodes {
          try eventually("the key is gone at \(node.address)") {
            try node.ask(Request.get("short")).value == "null"
          }
        }
        for _ in 0..<3 {
          let leader = try cluster.awaitLeader().node
          try leader.end(by: SIGKILL)
          try leader.startAgain()
          for node in cluster.nodes {
            // A memory node is back when it votes again.
            try eventually("\(node.address) knows three voters") {
              try node.status()?.members.count { $0.role == "voter" && $0.isReachable } == 3
            }
            for consistency in ["linearizable", "stale"] {
              // A node that is just back may still refuse; what it answers has to be right.
              let answer = try eventually("\(node.address) answers a scan, \(consistency)") {
                let answer = try node.ask(#"{"type":"scan","consistency":"\#(consistency)"}"#)
                return answer.refusal == nil ? answer : nil
              }
              #expect(answer.keys == ["long"], "\(node.address), \(consistency)")
            }
          }
        }
      }
    }

    @Test("scans in the order of keys, page by page, each page from another node, and namespaces")
    func scans() async throws {
      try await withSteadyCluster { cluster in
        let ops = (0..<250).map { #"{"type":"put","key":"k\#(1_000 + $0)","value":\#($0)}"# }
        #expect(
          try cluster.nodes[0].ask(#"{"type":"batch","ops":[\#(ops.joined(separator: ","))]}"#).isSuccess)
        try cluster.nodes[1].insist(on: Request.put("other", "1"))
        try cluster.nodes[1].insist(on: Request.put("k1", "1", namespace: "shop"))
        var (keys, cursor, pages) = ([String](), "null", 0)
        repeat {
          let page = try cluster.nodes[pages % 3].ask(
            #"{"type":"scan","prefix":"k","limit":60,"cursor":\#(cursor)}"#)
          #expect(page.refusal == nil)
          keys += page.keys
          cursor = page.cursor
          pages += 1
        } while cursor != "null" && pages < 10
        #expect(keys == (0..<250).map { "k\(1_000 + $0)" })
        #expect(pages == 5)
        for node in cluster.nodes {
          #expect(try node.ask(#"{"type":"namespaces"}"#).fields["data"] as? [String] == ["default", "shop"])
          let range = try node.ask(#"{"type":"scan","from":"k1248","to":"kz","values":false}"#)
          #expect(range.keys == ["k1248", "k1249"])
        }
      }
    }

    @Test("an addition of a session runs once, however often it is sent, also after its leader was killed")
    func sessions() async throws {
      try await withCluster(of: 3) { cluster in
        let leader = try cluster.awaitLeader().node
        let others = cluster.others(than: leader)
        let session = try #require(try others[0].insist(on: #"{"type":"session"}"#).fields["session"] as? Int)
        let add = #"{"type":"incr","key":"n","by":5,"session":\#(session),"seq":1}"#
        let batch =
          #"{"type":"batch","ops":[{"type":"incr","key":"n"}],"session":\#(session),"seq":2}"#
        #expect(try leader.insist(on: add).fields["value"] as? Int == 5)
        let first = try others[0].insist(on: batch)
        try leader.end(by: SIGKILL)
        for node in others {
          #expect(try node.insist(on: add).fields["value"] as? Int == 5)
          #expect(try node.insist(on: batch).text == first.text)
        }
        #expect(try others[1].insist(on: Request.get("n")).value == "6")
      }
    }

    @Test("a stale read is answered by a node that has lost the others, and tells how old it is at most")
    func stale() async throws {
      try await withCluster(of: 3) { cluster in
        try cluster.nodes[0].insist(on: Request.put("k", "1"))
        let stale = #"{"type":"get","key":"k","consistency":"stale"}"#
        for node in cluster.nodes {
          try eventually("\(node.address) has the value, and knows how old it is") {
            let answer = try node.ask(stale)
            return answer["age"] is Int && answer["value"] as? Int == 1
          }
        }
        for node in cluster.nodes.dropFirst() { try node.end(by: SIGKILL) }
        let last = cluster.nodes[0]
        let before = try #require(try last.ask(stale)["age"] as? Int)
        let start = monotonicNanoseconds()
        try eventually("the age grows with the time") {
          let answer = try last.ask(stale)
          #expect(answer["value"] as? Int == 1)
          return (answer["age"] as? Int ?? 0) >= before + 300
        }
        // Clocks with a grain of one tick on both sides.
        #expect(monotonicNanoseconds() - start >= 280_000_000)
      }
    }

    @Test("lease reads: switched on when the cluster is founded, and off and on by the leader")
    func leases() async throws {
      try await withSteadyCluster(["--lease-reads"]) { cluster in
        func isOn(_ node: NodeProcess) throws -> Bool? {
          try node.ask(#"{"type":"lease"}"#).fields["on"] as? Bool
        }
        for (number, node) in cluster.nodes.enumerated() {
          #expect(try isOn(node) == true)
          try node.insist(on: Request.put("k", "\(number)"))
          for other in cluster.nodes {
            #expect(
              try other.ask(#"{"type":"get","key":"k","consistency":"lease"}"#)["value"] as? Int == number)
          }
        }
        let leader = try cluster.awaitLeader().node
        let follower = cluster.others(than: leader)[0]
        let refused = try follower.ask(#"{"type":"lease","on":false}"#)
        #expect(refused.refusal?.code == "not_leader")
        #expect((refused.fields["error"] as? [String: Any])?["leader"] as? String == leader.address)
        for wanted in [false, true] {
          #expect(try leader.ask(#"{"type":"lease","on":\#(wanted)}"#).isSuccess)
          for node in cluster.nodes {
            try eventually("\(node.address) knows") { try isOn(node) == wanted }
            #expect(try node.ask(#"{"type":"get","key":"k"}"#)["value"] as? Int == 2)
          }
        }
      }
    }
  }
}
