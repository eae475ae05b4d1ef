import Foundation
import Testing

extension EndToEnd {
  @Suite("Counts and filters on all nodes")
  struct SketchReplicaTests {
    @Test("are the same bytes everywhere, whoever was asked to change them")
    func sameBytes() async throws {
      try await withCluster(of: 3) { cluster in
        let clients = try cluster.nodes.map { try RedisSocket(to: $0.port.number) }
        for number in 0..<600 {
          let client = clients[number % 3]
          try client.ask("PFADD", "count-\(number % 2)", "\(number)", "x\(number / 2)")
          try client.ask("BF.MADD", "filter", "\(number)", "y\(number)")
          try client.ask("BF.ADD", "narrow", "\(number % 40)")
          try client.ask("SETBIT", "bits", "\(number * 37 % 4_096)", "1")
        }
        try clients[1].ask("PFMERGE", "merged", "count-0", "count-1")
        try clients[2].ask("BF.RESERVE", "reserved", "0.001", "1000")
        // What a node says of itself is what it has: a read waits until it has applied enough.
        for words in [
          ["GET", "merged"], ["GET", "count-0"], ["BF.INFO", "filter"], ["PFCOUNT", "merged"],
        ] {
          let answers = try clients.map { client in
            try client.send(RedisSocket.encoded(words.map { Array($0.utf8) }))
            return try client.reply()
          }
          #expect(Set(answers).count == 1, "\(words)")
        }
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        // All of the state, byte for byte, as of the same entry of the log.
        let copies = try eventually("copies of all nodes are of the same entry") {
          let copies = try cluster.nodes.map { try Self.copy(of: $0, in: folder) }
          return Set(copies.map(\.lastEntry)).count == 1 ? copies.map(\.state) : nil
        }
        #expect(copies[0].count > 12_304 * 3)
        #expect(copies[0] == copies[1] && copies[1] == copies[2])
      }
    }

    /// What a node has: the entry that it is as of, and everything but the head, which has the time, and the checksum.
    private static func copy(
      of node: NodeProcess, in folder: TemporaryFolder
    ) throws -> (lastEntry: Data, state: Data) {
      let file = "\(folder.path)/\(UUID().uuidString)"
      let save = try ChildProcess(
        try BuiltProduct.path("raftnode"), ["snapshot", "save", file, "--ip", node.address])
      #expect(try save.awaitEnd() == .exited(0), "\(save.errors)")
      let bytes = try Data(contentsOf: URL(fileURLWithPath: file))
      return (bytes[9..<25], bytes[61..<(bytes.count - 8)])
    }
  }
}
