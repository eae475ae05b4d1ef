import Foundation
import Testing

extension EndToEnd {
  @Suite("raftnode bench, on real nodes")
  struct BenchTests {
    private func fields(_ output: String) throws -> [String: Any] {
      try #require(try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any], "\(output)")
    }

    @Test("puts a load on all nodes, over both protocols", arguments: ["resp", "json"])
    func load(_ wireProtocol: String) async throws {
      try await withCluster(of: 3) { cluster in
        let addresses = cluster.nodes.map(\.address).joined(separator: ",")
        let ended = try EndedCommand([
          "bench", "--ip", addresses, "--protocol", wireProtocol, "--requests", "600", "--clients", "6",
          "--pipeline", "3", "--reads", "0.3", "--keys", "50", "--distribution", "zipfian", "--json",
        ])
        #expect(ended.end == .exited(0))
        let report = try fields(ended.output)
        #expect(report["succeeded"] as? Int == 600, "\(ended.output)")
        #expect(report["failed"] as? Int == 0, "\(ended.output)")
        let reads = try #require((report["reads_us"] as? [String: Any])?["count"] as? Int)
        #expect((120...240).contains(reads))
      }
    }

    @Test("leaves behind the keys that it has written")
    func keys() async throws {
      try await withCluster(of: 1) { cluster in
        let address = cluster.nodes[0].address
        let ended = try EndedCommand([
          "bench", "--ip", address, "--requests", "10", "--clients", "1", "--distribution", "sequential",
          "--value-bytes", "3",
        ])
        #expect(ended.output.contains("requests/s: 10 in"))
        let read = try EndedCommand(["get", "key:000000000009", "--ip", address])
        #expect(read.output == "\"xxx\"\n")
      }
    }

    @Test("tells how long nothing was written when a node is killed, and goes on at the others")
    func failover() async throws {
      try await withCluster(of: 3) { cluster in
        let leader = try cluster.awaitLeader().node
        let bench = try ChildProcess(
          try BuiltProduct.path("raftnode"),
          [
            "bench", "--ip", cluster.nodes.map(\.address).joined(separator: ","), "--clients", "6", "--keys",
            "1",
            "--duration", "4", "--warmup", "0", "--json",
          ])
        // The load is there when one of its keys is.
        while try EndedCommand(["get", "key:000000000000", "--ip", leader.address]).end != .exited(0) {}
        leader.send(SIGKILL)
        #expect(try bench.awaitEnd(within: 60) == .exited(0))
        let report = try fields(bench.output)
        #expect((report["reconnections"] as? Int ?? 0) >= 2, "\(bench.output)")
        #expect((report["succeeded"] as? Int ?? 0) > 0, "\(bench.output)")
        #expect((report["errors"] as? [String: Any])?["connection_lost"] != nil, "\(bench.output)")
      }
    }

    @Test("says of a node that does not answer that it does not")
    func unreachable() throws {
      let ended = try EndedCommand(["bench", "--ip", "127.0.0.1:1"])
      #expect(ended.end == .exited(69))
      #expect(ended.errors == "raftnode: 127.0.0.1:1 does not answer: Connection refused\n")
    }
  }
}
