import RaftCore
import Testing

@Suite("Thesis §5: pieces of a snapshot, several under way at once")
struct SnapshotWindowTests {
  @Test("a few pieces are under way at once, no more; a peer that is elsewhere is followed there")
  func window() throws {
    var options = RaftOptions.smallChunks
    options.snapshotInflightChunksMax = 3
    var network = try Network.thirdMisses(options: options)
    network.snapshot(0, bytes: 95)
    let sent = network.losePieces(ticks: 10)
    #expect(sent.map(\.offset) == [0, 10, 20])
    let fingerprint = try #require(sent.first).fingerprint
    let answers: [(wanted: UInt64, next: [UInt64])] = [
      (10, [30]), (10, []), (30, [40, 50]), (0, [0, 10, 20]), (60, [60, 70, 80]), (90, [90]), (95, []),
      (96, []),
    ]
    for answer in answers {
      network.packets = []
      network.say(
        .installSnapshotReply(.wants(fingerprint: fingerprint, offset: answer.wanted)), from: 3, to: 1,
        term: 2)
      #expect(network.pieces.map(\.offset) == answer.next, "after \(answer.wanted)")
    }
    #expect(network.nodes[0].status.peers[1].replication == .snapshot(sent: 95, bytes: 95))
  }

  @Test(
    "pieces behind one that is still being stored are taken in order, and what it fails with is the end of all"
  )
  func piecesInARow() throws {
    var network = try Network.thirdMisses(options: RaftOptions.smallChunks)
    network.snapshot(0, bytes: 40)
    let sent = network.losePieces(ticks: 10)
    #expect(sent.map(\.offset) == [0, 10, 20, 30])
    let configuration = network.nodes[0].configuration(at: LogIndex(7))
    var outputs = Outputs()
    func give(_ number: Int) {
      let message = Message(
        from: NodeID(1), to: NodeID(3), term: Term(2), body: .installSnapshot(sent[number]))
      network.nodes[2].step(message, configuration: configuration, into: &outputs)
    }
    for number in [0, 2, 1, 1, 2] { give(number) }
    #expect(outputs.chunks.map(\.offset) == [0, 10, 20], "one that leaves a gap waits to be sent again")
    #expect(outputs.messages.isEmpty, "nothing is acknowledged before it is stored")
    let fingerprint = sent[0].fingerprint
    network.nodes[2].didStoreChunk(fingerprint: fingerprint, through: 10, into: &outputs)
    #expect(network.nodes[2].status.receivedSnapshotBytes == 10)
    network.nodes[2].didFailToStore(fingerprint: fingerprint, into: &outputs)
    network.nodes[2].didFailToStore(fingerprint: fingerprint, into: &outputs)
    let answers = outputs.messages.compactMap { message -> UInt64? in
      guard case .installSnapshotReply(.wants(_, let offset)) = message.body else { return nil }
      return offset
    }
    #expect(answers == [10, 0])
    #expect(network.nodes[2].status.receivedSnapshotBytes == nil)
  }

  @Test(
    "what is not acknowledged is sent again piece by piece, and ever more slowly, until there is an answer")
  func patience() throws {
    var options = RaftOptions.smallChunks
    options.snapshotInflightChunksMax = 3
    var network = try Network.thirdMisses(options: options)
    network.snapshot(0, bytes: 95)
    var sent: [(tick: Int, offset: UInt64)] = []
    func run(_ ticks: Range<Int>) {
      for tick in ticks { sent += network.losePieces(ticks: 1).map { (tick, $0.offset) } }
    }
    run(0..<400)
    #expect(sent.map(\.offset) == [0, 10, 20, 0, 0, 0])
    let pauses = zip(sent.dropFirst(3), sent.dropFirst(2)).map { $0.tick - $1.tick }
    for (pause, expected) in zip(pauses, [50, 100, 200]) {
      // The peer is heard at heartbeats.
      #expect((expected...expected + 2 * options.heartbeatTicks).contains(pause), "\(pauses)")
    }
    sent = []
    let fingerprint = try #require(network.nodes[0].status.snapshot).fingerprint
    network.say(
      .installSnapshotReply(.wants(fingerprint: fingerprint, offset: 10)), from: 3, to: 1, term: 2)
    run(0..<70)
    #expect(sent.map(\.offset) == [10, 20, 30, 10])
  }

  @Test("pieces of no bytes are not stored, but for the one of a snapshot that has none")
  func emptyPieces() throws {
    for bytes in [0, 40] as [UInt64] {
      var network = try Network.thirdMisses(options: RaftOptions.smallChunks)
      network.snapshot(0, bytes: bytes)
      let first = network.losePieces(ticks: 10).first
      let configuration = network.nodes[0].configuration(at: LogIndex(7))
      var outputs = Outputs()
      var piece = try #require(first)
      func give() {
        let message = Message(from: NodeID(1), to: NodeID(3), term: Term(2), body: .installSnapshot(piece))
        network.nodes[2].step(message, configuration: configuration, into: &outputs)
      }
      give()
      piece.offset = piece.end
      piece.count = 0
      for _ in 0..<3 { give() }
      #expect(outputs.chunks.count == 1)
    }
  }
}
