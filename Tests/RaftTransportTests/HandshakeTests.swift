import RaftCore
import RaftTransport
import Testing

@Suite("Handshake: who talks to whom")
struct HandshakeTests {
  private let acceptor = identity(node: 1, cluster: 5, address: "10.0.0.1:5000")

  private func hello(node: UInt64 = 2, cluster: UInt64? = 5, target: UInt64? = nil) -> Hello {
    Hello(
      identity: identity(node: node, cluster: cluster, address: "10.0.0.2:5000", founders: []),
      trafficClass: .bulk, target: target.map { NodeID($0) })
  }

  private func refusal(of hello: Hello) -> Refusal? {
    if case .refusal(let refusal) = acceptor.judge(hello) { refusal } else { nil }
  }

  @Test("a hello comes back as it was sent")
  func helloRoundTrip() throws {
    var sent = Hello(
      identity: identity(node: 3, founders: ["b:2", "a:1", "b:2"], boot: 9), trafficClass: .bulk,
      target: NodeID(4))
    sent.features = 6
    sent.versionHighest = 8
    var writer = ByteWriter()
    sent.writeFrame(into: &writer)
    let frame = try #require(try onlyFrame(of: writer.bytes))
    #expect(try Hello(frame) == sent)
    #expect(sent.identity.founders == ["a:1", "b:2"])
  }

  @Test("a welcome and a refusal come back as they were sent")
  func answersRoundTrip() throws {
    let welcome = Welcome(identity: acceptor, chosenVersion: 1, chosenFeatures: 0)
    var writer = ByteWriter()
    welcome.writeFrame(answering: hello(), into: &writer)
    let frame = try #require(try onlyFrame(of: writer.bytes))
    #expect(try Welcome(frame) == welcome)
    #expect(frame.header.target == NodeID(2))
    #expect(frame.header.trafficClass == .bulk)
    for code in Refusal.Code.allCases {
      let refusal = Refusal(code, "because")
      var writer = ByteWriter()
      refusal.writeFrame(from: acceptor, to: nil, trafficClass: .consensus, into: &writer)
      let frame = try #require(try onlyFrame(of: writer.bytes))
      #expect(try Refusal(frame) == refusal)
    }
  }

  @Test("fields that a later version appends are skipped")
  func longerHello() throws {
    var writer = ByteWriter()
    hello().writeFrame(into: &writer)
    let frame = try #require(try onlyFrame(of: writer.bytes))
    let body = frame.body + [1, 2, 3]
    #expect(try Hello(Frame(header: frame.header, buffer: body, bodyRange: 0..<body.count)) == hello())
  }

  @Test("a hello cut off anywhere, or changed at random, is an error and not a trap")
  func malformedHellos() throws {
    var writer = ByteWriter()
    Hello(identity: identity(node: 3, founders: ["a:1", "b:2"]), trafficClass: .bulk).writeFrame(
      into: &writer)
    let frame = try #require(try onlyFrame(of: writer.bytes))
    for length in 0..<frame.body.count {
      let cut = Frame(header: frame.header, buffer: frame.body, bodyRange: 0..<length)
      #expect(throws: MalformedBytes.self) { try Hello(cut) }
    }
    var random = TestRandom(seed: 3)
    for _ in 0..<5_000 {
      var body = frame.body
      for _ in 0..<Int.random(in: 1...5, using: &random) {
        body[Int.random(in: 0..<body.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      let mutated = Frame(header: frame.header, buffer: body, bodyRange: 0..<body.count)
      _ = try? Hello(mutated)
      _ = try? Welcome(mutated)
      _ = try? Refusal(mutated)
    }
  }

  @Test("members of one cluster, fresh nodes, and a fresh node with a member may talk")
  func accepted() {
    for (mine, theirs) in [(UInt64?(5), UInt64?(5)), (nil, nil), (nil, 5), (5, nil)] {
      let acceptor = identity(node: 1, cluster: mine)
      guard case .welcome(let welcome) = acceptor.judge(hello(cluster: theirs)) else {
        Issue.record("\(String(describing: mine)) refused \(String(describing: theirs))")
        continue
      }
      #expect(welcome.chosenVersion == 1)
      #expect(hello(cluster: theirs).identity.judge(welcome, target: nil) == nil)
    }
  }

  @Test("a member of another cluster is refused by both sides (scenario 58)")
  func wrongCluster() {
    #expect(refusal(of: hello(cluster: 6))?.code == .wrongCluster)
    let welcome = Welcome(identity: acceptor, chosenVersion: 1, chosenFeatures: 0)
    #expect(identity(node: 2, cluster: 6).judge(welcome, target: nil)?.code == .wrongCluster)
  }

  @Test("whoever asks for another node is refused by both sides")
  func wrongNode() {
    #expect(refusal(of: hello(target: 9))?.code == .wrongNode)
    #expect(refusal(of: hello(target: 1)) == nil)
    let welcome = Welcome(identity: acceptor, chosenVersion: 1, chosenFeatures: 0)
    #expect(identity(node: 2, cluster: 5).judge(welcome, target: NodeID(9))?.code == .wrongNode)
    #expect(identity(node: 2, cluster: 5).judge(welcome, target: NodeID(1)) == nil)
  }

  @Test("a node does not talk to itself")
  func sameNode() {
    #expect(refusal(of: hello(node: 1))?.code == .sameNode)
    let welcome = Welcome(identity: acceptor, chosenVersion: 1, chosenFeatures: 0)
    #expect(acceptor.judge(welcome, target: nil)?.code == .sameNode)
  }

  @Test("versions that do not overlap are refused, an overlap is used at its highest")
  func versions() {
    for (lowest, highest, isAccepted) in [
      (UInt8(2), UInt8(9), false), (0, 0, false), (0, 1, true), (1, 9, true), (9, 1, false),
    ] {
      var hello = hello()
      hello.versionLowest = lowest
      hello.versionHighest = highest
      #expect((refusal(of: hello)?.code == .incompatibleVersion) == !isAccepted)
    }
    let welcome = Welcome(identity: acceptor, chosenVersion: 2, chosenFeatures: 0)
    #expect(identity(node: 2, cluster: 5).judge(welcome, target: nil)?.code == .incompatibleVersion)
    let greedy = Welcome(identity: acceptor, chosenVersion: 1, chosenFeatures: 4)
    #expect(identity(node: 2, cluster: 5).judge(greedy, target: nil)?.code == .malformed)
  }
}
