import Foundation
import Testing

extension EndToEnd {
  @Suite("Writes of a client session")
  struct SessionTests {
    private func open(at node: NodeProcess) throws -> Int {
      try #require(try node.insist(on: #"{"type":"session"}"#).fields["session"] as? Int)
    }

    private func put(_ value: Int, _ session: Int, _ sequence: Int, acked: Int = 0) -> String {
      #"{"type":"put","key":"k","value":\#(value),"session":\#(session),"seq":\#(sequence),"acked":\#(acked)}"#
    }

    @Test("run once, however often they are sent, through other nodes, and after the leader was killed")
    func once() async throws {
      try await withCluster(of: 3) { cluster in
        let leader = try cluster.awaitLeader().node
        let others = cluster.others(than: leader)
        let session = try open(at: others[0])
        try leader.insist(on: put(1, session, 1))
        try others[0].insist(on: put(1, session, 1))
        try others[0].insist(on: put(2, session, 2))
        try others[1].insist(on: put(1, session, 1))
        #expect(try others[1].insist(on: Request.get("k")).value == "2")
        try leader.end(by: SIGKILL)
        try others[1].insist(on: put(1, session, 1))
        try others[0].insist(on: put(2, session, 2))
        #expect(try others[0].insist(on: Request.get("k")).value == "2")
        // The answers to both are no longer wanted, so a late copy of one runs no more.
        try others[0].insist(on: put(3, session, 3, acked: 2))
        let late = try others[1].ask(put(1, session, 1))
        #expect(late.refusal?.code == "session_expired")
        #expect(try others[0].insist(on: Request.get("k")).value == "3")
      }
    }

    @Test("are refused, and run not at all, when the session is closed or never was")
    func closed() async throws {
      try await withCluster(of: 3) { cluster in
        let node = cluster.nodes[0]
        let session = try open(at: node)
        try node.insist(on: put(1, session, 1))
        try cluster.nodes[1].insist(on: #"{"type":"session","close":\#(session)}"#)
        for name in [session, 999_999_999] {
          let refusal = try cluster.nodes[2].ask(put(2, name, 2)).refusal
          #expect(refusal?.code == "session_expired")
          #expect(refusal?.isNotExecuted == false)
        }
        #expect(try node.insist(on: Request.get("k")).value == "1")
      }
    }
  }
}
