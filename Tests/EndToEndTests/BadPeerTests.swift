import Foundation
import RaftCore
import RaftTransport
import Testing

extension EndToEnd {
  /// Each of these runs beside a ``Witness``, who must not notice anything.
  @Suite("Peers that misbehave")
  struct BadPeerTests {
    /// Sends `bytes` instead of a hello and returns what the node answers, if anything; then it has closed.
    private func refusal(by node: NodeProcess, of bytes: (PeerSocket) -> [UInt8]) throws -> Refusal? {
      let peer = try PeerSocket(to: node)
      try peer.send(bytes(peer))
      guard let frame = try peer.receive() else { return nil }
      let refusal = try Refusal(frame)
      #expect(try peer.isClosed())
      return refusal
    }

    @Test("are refused when their frame has a version that nobody knows")
    func wrongVersion() async throws {
      try await withSteadyCluster { cluster in
        try await Witness.watching(cluster.nodes[0]) {
          let refusal = try refusal(by: cluster.nodes[0]) { peer in
            var hello = peer.hello()
            hello[FrameHeader.magic.count] = 99
            return hello
          }
          #expect(refusal?.code == .incompatibleVersion)
          #expect(refusal?.message.contains("99") == true)
          try cluster.nodes[0].awaitLog("99")
        }
      }
    }

    @Test("are refused when their frame is longer than frames are")
    func wrongLength() async throws {
      try await withSteadyCluster { cluster in
        try await Witness.watching(cluster.nodes[0]) {
          let refusal = try refusal(by: cluster.nodes[0]) { peer in
            var hello = peer.hello()
            // The length of the body, little-endian, stands behind magic, version, kind, class and flags.
            hello.replaceSubrange(8..<12, with: [0xFF, 0xFF, 0xFF, 0x7F])
            return hello
          }
          #expect(refusal?.code == .malformed)
          try cluster.nodes[0].awaitLog("over the limit")
        }
      }
    }

    @Test("are refused when their frame ends before it says, and do not wait for ever when it ends later")
    func lengthsThatAreNotTrue() async throws {
      try await withSteadyCluster { cluster in
        try await Witness.watching(cluster.nodes[0]) {
          let short = try refusal(by: cluster.nodes[0]) { peer in
            var hello = peer.hello()
            hello[8] -= 1
            return hello
          }
          #expect(short?.code == .malformed)
          let long = try refusal(by: cluster.nodes[0]) { peer in
            var hello = peer.hello()
            hello[8] += 1
            return hello
          }
          #expect(long == nil)
          try cluster.nodes[0].awaitLog("no complete hello before the deadline")
        }
      }
    }

    @Test("are refused when any byte of their frame is not what was sent")
    func wrongChecksum() async throws {
      try await withSteadyCluster { cluster in
        try await Witness.watching(cluster.nodes[0]) {
          let length = try PeerSocket(to: cluster.nodes[0]).hello().count
          for position in [12, 15, FrameHeader.byteCount, length - 1] {
            let refusal = try refusal(by: cluster.nodes[0]) { peer in
              var hello = peer.hello()
              hello[position] ^= 0x10
              return hello
            }
            #expect(refusal?.code == .malformed)
          }
          try cluster.nodes[0].awaitLog("checksum")
        }
      }
    }

    @Test("are refused when they are of another cluster, with a line that names both")
    func anotherCluster() async throws {
      try await withSteadyCluster { cluster in
        try await Witness.watching(cluster.nodes[0]) {
          let peer = try PeerSocket(to: cluster.nodes[0], cluster: 4_242)
          try peer.send(peer.hello())
          let refusal = try Refusal(try #require(try peer.receive()))
          #expect(refusal.code == .wrongCluster)
          #expect(refusal.message.contains("\(ClusterID(4_242))"))
          #expect(try peer.isClosed())
          try cluster.nodes[0].awaitLog("\(ClusterID(4_242))")
        }
      }
    }

    @Test("are refused when they look for another node")
    func helloForAnotherNode() async throws {
      try await withSteadyCluster { cluster in
        try await Witness.watching(cluster.nodes[0]) {
          let peer = try PeerSocket(to: cluster.nodes[0])
          try peer.send(peer.hello(target: 77))
          let refusal = try Refusal(try #require(try peer.receive()))
          #expect(refusal.code == .wrongNode)
          #expect(try peer.isClosed())
        }
      }
    }

    @Test("cannot change anything with a message for another node, however high its term")
    func messageForAnotherNode() async throws {
      try await withSteadyCluster { cluster in
        let leader = try cluster.awaitLeader()
        try await Witness.watching(cluster.nodes[0]) {
          let peer = try PeerSocket(to: cluster.nodes[0])
          try peer.send(peer.hello())
          let welcome = try Welcome(try #require(try peer.receive()))
          #expect(welcome.identity.address == cluster.nodes[0].address)
          let term = Term(1_000)
          try peer.send(peer.frame(to: NodeID(77), term: term, .timeoutNow))
          try peer.send(
            peer.frame(
              to: NodeID(77), term: term,
              .heartbeat(Heartbeat(commitIndex: .zero, heldByAll: .zero, round: 1))))
          try cluster.nodes[0].awaitLog("was dropped")
          let after = try cluster.awaitLeader()
          #expect(after.term < 1_000)
          #expect(after.node === leader.node || after.term > leader.term)
        }
      }
    }

    @Test("are cut off when they break the protocol after the handshake")
    func garbageAfterTheHandshake() async throws {
      try await withSteadyCluster { cluster in
        try await Witness.watching(cluster.nodes[0]) {
          let peer = try PeerSocket(to: cluster.nodes[0])
          try peer.send(peer.hello())
          _ = try Welcome(try #require(try peer.receive()))
          try peer.send([UInt8](repeating: 0xA5, count: 100))
          #expect(try peer.isClosed())
          try cluster.nodes[0].awaitLog("the bytes are no raftnode frame")
        }
      }
    }
  }
}
