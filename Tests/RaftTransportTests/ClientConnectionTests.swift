import Foundation
import RaftCore
import RaftTransport
import Testing

@Suite("Clients over real sockets", .timeLimit(.minutes(5)))
struct ClientConnectionTests {
  private static let tooMany = "too_many_connections"

  @Test("a client is served, whatever white space precedes its first byte")
  func served() async throws {
    let node = try TestNode(1)
    let answer = try await onThread {
      let client = try RawClient(node.endpoint)
      try client.send(" \r\n\t")
      try client.send("\n{\"type\":\"ping\"}")
      return try client.receive()
    }
    #expect(answer == Bytes("{\"type\":\"ping\"}".utf8))
    await node.stop()
  }

  @Test("a client that ends its side still gets its answer")
  func halfClose() async throws {
    let node = try TestNode(1)
    let request = Bytes(repeating: 0x41, count: 500_000)
    let answer = try await onThread {
      let client = try RawClient(node.endpoint)
      let reader = Thread {
        try? client.send(request)
        client.endOutput()
      }
      reader.start()
      return try client.receiveAll()
    }
    #expect(answer == request)
    await node.stop()
  }

  @Test("an answer up to 1,024 bytes arrives in one recv, and then the connection ends")
  func oneWrite() async throws {
    let node = try TestNode(1)
    let answer = Bytes(repeating: 0x42, count: 1_024)
    node.loop.run { node.serve = { _ in AnswerHandler(answer) } }
    for _ in 0..<20 {
      try await onThread {
        let client = try RawClient(node.endpoint)
        try client.send("{}")
        #expect(try client.receive() == answer)
        #expect(try client.receive().isEmpty)
      }
    }
    await node.stop()
  }

  @Test("an early answer is not lost when the client is still sending")
  func earlyAnswer() async throws {
    let node = try TestNode(1)
    let answer = Bytes(repeating: 0x42, count: 200_000)
    node.loop.run { node.serve = { _ in AnswerHandler(answer) } }
    try await onThread {
      let client = try RawClient(node.endpoint)
      try client.send(Bytes(repeating: 0x41, count: 300_000))
      #expect(try client.receiveAll() == answer)
    }
    await node.stop()
  }

  @Test("TLS is refused in plain words; a byte that begins no protocol is cut off and reported")
  func strangers() async throws {
    let node = try TestNode(1)
    let answer = try await onThread {
      let client = try RawClient(node.endpoint)
      try client.send([0x16, 0x03, 0x01])
      return try client.receiveAll()
    }
    #expect(String(decoding: answer, as: UTF8.self).contains("TLS"))
    let silence = try await onThread {
      let client = try RawClient(node.endpoint)
      try client.send([0xC3])
      return try client.receiveAll()
    }
    #expect(silence.isEmpty)
    await node.wait(for: .violation("no protocol begins with the byte 0xc3; closed"))
    await node.stop()
  }

  @Test("over the limit a client is refused politely, idle or not, while a peer still gets in")
  func limit() async throws {
    var options = TransportOptions()
    options.clientConnectionsMax = 5
    options.reserveConnectionsMax = 2
    options.reserveMilliseconds = 100
    let (a, b) = (try TestNode(1), try TestNode(2, options: options))
    let idle = try await onThread { try (0..<5).map { _ in try RawClient(b.endpoint) } }
    let refusals = try await onThread {
      let silent = try RawClient(b.endpoint)
      let talking = try RawClient(b.endpoint)
      try talking.send("{\"type\":\"ping\"}")
      return try [talking.receiveAll(), silent.receiveAll()]
    }
    for refusal in refusals {
      let object = try JSONSerialization.jsonObject(with: Data(refusal)) as? [String: Any]
      #expect(object?["data"] as? Bool == false)
      let error = object?["error"] as? [String: Any]
      #expect(error?["code"] as? String == Self.tooMany)
      #expect(error?["outcome"] as? String == "not_executed")
      #expect(refusal.last == UInt8(ascii: "\n"))
    }
    a.connect(to: b)
    await a.waitForLinks(to: b)
    #expect(b.loop.run { b.transport.peerConnections } == 2)
    try await onThread {
      try idle[3].send("still served")
      #expect(try idle[3].receive() == Bytes("still served".utf8))
    }
    await a.stop()
    await b.stop()
  }

  @Test("when even the reserve is full, who has waited there longest makes room for the next")
  func reserveFull() async throws {
    var options = TransportOptions()
    options.clientConnectionsMax = 1
    options.reserveConnectionsMax = 1
    options.reserveMilliseconds = 60_000
    let (a, b) = (try TestNode(1), try TestNode(2, options: options))
    let clients = try await onThread {
      let clients = try (0..<3).map { _ in try RawClient(b.endpoint) }
      let refusal = try clients[1].receiveAll()
      #expect(String(decoding: refusal, as: UTF8.self).contains(Self.tooMany))
      return clients
    }
    a.connect(to: b)
    await a.waitForLinks(to: b)
    withExtendedLifetime(clients) {}
    await a.stop()
    await b.stop()
  }

  @Test("a client that waits in the reserve is served when another leaves")
  func promoted() async throws {
    var options = TransportOptions()
    options.clientConnectionsMax = 1
    options.reserveMilliseconds = 60_000
    let node = try TestNode(1, options: options)
    try await onThread {
      let first = try RawClient(node.endpoint)
      let second = try RawClient(node.endpoint)
      try first.send("a")
      #expect(try first.receive() == [0x61])
      first.endOutput()
      #expect(try first.receiveAll().isEmpty)
      while node.loop.run({ node.transport.clientConnections }) > 0 { usleep(1_000) }
      try second.send("b")
      #expect(try second.receive() == [0x62])
    }
    await node.stop()
  }

  @Test("a client that pauses reading is read on later, and nothing is lost")
  func backPressure() async throws {
    let node = try TestNode(1)
    let handler = PausingHandler()
    node.loop.run { node.serve = { _ in handler } }
    let total = 5_000_000
    let answer = try await onThread {
      let client = try RawClient(node.endpoint)
      try client.send(Bytes(repeating: 0x41, count: total))
      client.endOutput()
      return try client.receiveAll()
    }
    #expect(String(decoding: answer, as: UTF8.self) == "\(total)")
    await node.stop()
  }

  @Test("a port in use, and an address of another machine, are refused in words")
  func cannotListen() async throws {
    let node = try TestNode(1)
    let error = #expect(throws: TransportError.self) { try TestNode(2, endpoint: node.endpoint) }
    #expect(error == .addressInUse(node.address))
    #expect(error?.description.contains("already in use") == true)
    let foreign = try Endpoint("203.0.113.7:5000")
    #expect(throws: TransportError.addressNotAvailable("203.0.113.7:5000")) {
      try TestNode(3, endpoint: foreign)
    }
    await node.stop()
  }

  @Test("stopping closes idle and half-served clients, frees the port, and completes")
  func stops() async throws {
    var options = TransportOptions()
    options.stopMillisecondsMax = 50
    let node = try TestNode(1, options: options)
    let clients = try await onThread {
      let clients = try (0..<20).map { _ in try RawClient(node.endpoint) }
      for client in clients[..<5] { try client.send("x") }
      for client in clients[..<5] { #expect(try client.receive() == [0x78]) }
      return clients
    }
    await node.stop()
    let rests = try await onThread { try clients.map { try $0.receiveAll() } }
    #expect(rests == Array(repeating: [], count: clients.count))
    let successor = try TestNode(1, endpoint: node.endpoint)
    await successor.stop()
  }

  /// libdispatch on Linux crashed or hung under churn when sources were handled off their queue.
  /// `RAFTNODE_CHURN=100000` runs the long form.
  @Test("thousands of short connections come and go, however they end, and none is left")
  func churn() async throws {
    let count = ProcessInfo.processInfo.environment["RAFTNODE_CHURN"].flatMap { Int($0) } ?? 4_000
    let (a, b) = (try TestNode(1), try TestNode(2))
    a.connect(to: b)
    await a.waitForLinks(to: b)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for worker in 0..<8 {
        group.addTask {
          try await onThread {
            for number in stride(from: worker, to: count, by: 8) {
              try Self.shortConnection(to: b.endpoint, number: number)
            }
          }
        }
      }
      try await group.waitForAll()
    }
    #expect(a.send([1], to: b))
    await b.wait(for: .received([1], from: a.me.node))
    await b.waitUntilNoClients()
    await a.stop()
    await b.stop()
  }

  private static func shortConnection(to endpoint: Endpoint, number: Int) throws {
    let client = try RawClient(endpoint)
    switch number % 5 {
    case 0: break
    case 1:
      try client.send("ping")
      if try client.receive() != Bytes("ping".utf8) { Issue.record("connection \(number) was not served") }
    case 2:
      try client.send("ping")
      client.reset()
    case 3: client.reset()
    default:
      try client.send("bye")
      client.endOutput()
      if try client.receiveAll() != Bytes("bye".utf8) { Issue.record("connection \(number) was not served") }
    }
  }
}

/// Pauses after each piece and goes on in a later turn; answers how many bytes there were.
private final class PausingHandler: StreamHandler, @unchecked Sendable {
  private var count = 0

  func received(_ bytes: Bytes, on connection: StreamConnection) {
    count += bytes.count
    connection.pauseReading()
    connection.loop.schedule(after: 1) { connection.resumeReading() }
  }

  func inputEnded(on connection: StreamConnection) {
    connection.write(Bytes("\(count)".utf8))
    connection.closeAfterFlush()
  }

  func closed(_ connection: StreamConnection, reason: String) {}
}
