import RaftCore
import RaftServer
import Testing

@testable import RaftKV

private let ping = #"{"type":"ping"}"#
private let pong = #"{"type":"ping","is_alive":true,"addr":"10.0.0.2:5000"}"#
private let done = #"{"type":"put","data":true}"#

private func put(_ key: String, _ value: Int = 1) -> String {
  #"{"type":"put","key":"\#(key)","value":\#(value)}"#
}
private func get(_ key: String) -> String { #"{"type":"get","key":"\#(key)"}"# }
private func got(_ key: String, _ value: String) -> String {
  #"{"type":"get","data":{"type":"get","key":"\#(key)","value":\#(value)}}"#
}

@Suite("The JSON protocol on one connection")
struct ClientConnectionTests {
  // MARK: - Whether it stays open

  @Test("a request is answered as soon as its object is complete, without anything behind it")
  func answeredAtOnce() {
    var client = TestClient()
    client.send(String(ping.dropLast()))
    #expect(client.takeLines() == [])
    client.send("}")
    #expect(client.takeLines() == [pong])
    #expect(client.connection.isFinished)
  }

  @Test("a newline keeps the connection open", arguments: ["\n", "\r\n", " \t\r\n", "\n\n\n"])
  func newlineKeeps(_ end: String) {
    var client = TestClient()
    for _ in 0..<3 {
      client.send(ping + end)
      #expect(client.takeLines() == [pong])
      #expect(!client.connection.isFinished)
    }
    client.send(ping)
    #expect(client.takeLines() == [pong])
    #expect(client.connection.isFinished)
  }

  @Test("white space that is no newline does not keep it open")
  func spaceDoesNotKeep() {
    var client = TestClient()
    client.send(ping + " \r\t ")
    #expect(client.connection.isFinished)
  }

  @Test("\"keep\": true keeps the connection open, any other keep does not")
  func keep() {
    var client = TestClient()
    client.send(#"{"type":"ping","keep":true}"#)
    #expect(!client.connection.isFinished)
    client.send(#"{"type":"put","key":7,"keep":true}"#)
    #expect(!client.connection.isFinished, "a refused request keeps it open as well")
    client.send(#"{"type":"ping","keep":"true"}"#)
    #expect(client.connection.isFinished)
    #expect(client.takeLines().count == 3)
  }

  @Test("a newline that comes before the answer leaves keeps the connection open; a later one is ignored")
  func newlineInAnotherPiece() {
    var client = TestClient()
    client.isHolding = true
    client.send(put("a"))
    client.send("\n")
    client.release()
    #expect(client.takeLines() == [done])
    #expect(!client.connection.isFinished)
    client.send(put("b"))
    client.release()
    #expect(client.connection.isFinished)
    client.send("\n" + ping)
    #expect(client.takeLines() == [done])
    #expect(!client.connection.wantsReading)
  }

  @Test("a request right behind another is pipelined: the connection closes after the last one")
  func withoutSeparators() {
    var client = TestClient()
    client.send(put("a") + put("b") + " " + get("a") + get("b"))
    #expect(client.takeLines() == [done, done, got("a", "1"), got("b", "1")])
    #expect(client.connection.isFinished)
  }

  @Test("the beginning of a next request keeps the connection open for it")
  func partialNextRequest() {
    var client = TestClient()
    client.send(ping + "{")
    #expect(client.takeLines() == [pong])
    #expect(!client.connection.isFinished)
    client.send(#""type":"ping"}"#)
    #expect(client.takeLines() == [pong])
    #expect(client.connection.isFinished)
  }

  // MARK: - How it ends

  @Test("a client that closes its side still gets all its answers")
  func halfClose() {
    for end in ["", "\n"] {
      var client = TestClient()
      client.isHolding = true
      client.send(put("a") + "\n" + get("a") + end)
      client.endInput()
      #expect(!client.connection.isFinished)
      client.release()
      client.release()
      #expect(client.takeLines() == [done, got("a", "1")])
      #expect(client.connection.isFinished)
    }
    var idle = TestClient()
    idle.send(ping + "\n")
    idle.endInput()
    #expect(idle.connection.isFinished)
    #expect(idle.takeLines() == [pong])
  }

  @Test("a client that closes its side in the middle of a request is told so")
  func halfCloseInRequest() {
    var client = TestClient()
    client.send(ping + "\n" + #"{"type":"#)
    client.endInput()
    let lines = client.takeLines()
    #expect(lines.count == 2)
    #expect(lines[1].contains(#""code":"incomplete""#))
    #expect(client.connection.isFinished)
  }

  @Test("a request that does not end in time is refused, and an idle connection is not")
  func receiveDeadline() {
    var options = JSONProtocolOptions()
    options.receiveMillisecondsMax = 500
    var client = TestClient(options: options)
    #expect(client.connection.nextDeadline == nil)
    client.send(ping + "\n")
    #expect(client.connection.nextDeadline == nil)
    client.wait(100_000)
    client.send("{")
    #expect(client.connection.nextDeadline == client.now + 500)
    for _ in 0..<4 {
      client.wait(100)
      client.send(" ")
    }
    #expect(client.takeLines() == [pong])
    client.wait(100)
    #expect(client.takeLines().first?.contains(#""code":"deadline""#) == true)
    #expect(client.connection.isFinished)
    #expect(client.connection.nextDeadline == nil)
  }

  @Test("what came before bytes that are no request is carried out and answered first")
  func errorComesLast() {
    var client = TestClient()
    client.isHolding = true
    client.send(put("a") + "\n" + get("a") + "\nrubbish" + ping)
    #expect(client.takeLines() == [])
    #expect(!client.connection.wantsReading)
    client.release()
    client.release()
    let lines = client.takeLines()
    #expect(lines.dropLast() == [done, got("a", "1")])
    #expect(lines.last?.contains(#""code":"not_an_object""#) == true)
    #expect(client.connection.isFinished)
  }

  // MARK: - Order

  @Test("writes go out together, reads go out together, and neither overtakes the other")
  func order() {
    var client = TestClient()
    client.isHolding = true
    let requests = [put("a"), put("b"), get("a"), get("b"), put("a", 2), ping, get("a")]
    client.send(requests.joined(separator: "\n") + "\n")
    #expect(client.held.map(\.number) == [0, 1], "both writes")
    client.release(at: 1)
    #expect(client.held.map(\.number) == [0])
    #expect(client.takeLines() == [], "the second answer waits for the first")
    client.release()
    #expect(client.takeLines() == [done, done])
    #expect(client.held.map(\.number) == [2, 3], "both reads, after both writes")
    client.release(at: 1)
    client.release()
    #expect(client.takeLines() == [got("a", "1"), got("b", "1")])
    #expect(client.held.map(\.number) == [4])
    client.release()
    #expect(
      client.held.map(\.number) == [5, 6], "a question to the node holds up nothing, but waited itself")
    client.release()
    client.release()
    #expect(client.takeLines() == [done, pong, got("a", "2")])
  }

  @Test("a read after a write whose end is unknown waits for that to be told")
  func readAfterUnknown() {
    var client = TestClient()
    client.isHolding = true
    client.send(put("a") + "\n" + get("a") + "\n")
    #expect(client.held.count == 1)
    client.fail(.unknown(.connectionLost))
    client.release()
    let lines = client.takeLines()
    #expect(lines[0].contains(#""outcome":"unknown""#))
    #expect(lines[1] == got("a", "null"))
  }

  @Test("a refused request is answered in its place")
  func refusalInPlace() {
    var client = TestClient()
    client.isHolding = true
    client.send(put("a") + "\n" + #"{"type":"nosuch"}"# + "\n" + put("b") + "\n")
    #expect(client.held.count == 2)
    client.release(at: 1)
    #expect(client.takeLines() == [])
    client.release()
    let lines = client.takeLines()
    #expect(lines.count == 3)
    #expect(lines[1].contains("unknown_type"))
  }

  // MARK: - Limits

  @Test("a connection is not read on while too many requests wait, and goes on afterwards")
  func pipelineLimit() {
    var options = JSONProtocolOptions()
    options.pipelinedRequestsMax = 3
    var client = TestClient(options: options)
    client.isHolding = true
    client.send((0..<8).map { put("k\($0)") + "\n" }.joined() + get("k7"))
    #expect(client.held.count == 3)
    #expect(!client.connection.wantsReading)
    client.endInput()
    var lines: [String] = []
    while !client.held.isEmpty {
      #expect(client.held.count <= 3)
      client.release()
      lines += client.takeLines()
    }
    #expect(lines == Array(repeating: done, count: 8) + [got("k7", "1")])
    #expect(client.connection.isFinished)
  }

  @Test("requests that wait for their turn are limited by their bytes")
  func waitingBytesLimit() {
    var options = JSONProtocolOptions()
    options.pipelinedBytesMax = 100
    var client = TestClient(options: options)
    client.isHolding = true
    client.send(get("a") + "\n" + (0..<10).map { put("key number \($0)") + "\n" }.joined())
    #expect(!client.connection.wantsReading)
    #expect(client.connection.requestCount < 6)
    client.isHolding = false
    client.release()
    #expect(client.takeLines().count == 11)
    #expect(client.connection.wantsReading)
  }

  @Test("answers are held back while the client does not take them, and reading stops")
  func outputLimit() {
    var options = JSONProtocolOptions()
    options.outputBytesMax = 200
    options.pipelinedRequestsMax = 10
    var client = TestClient(options: options)
    client.unsentBytes = 200
    client.send(String(repeating: ping + "\n", count: 20))
    #expect(client.takeLines() == [])
    #expect(!client.connection.wantsReading)
    client.unsentBytes = 150
    let bytes = client.connection.takeOutput(unsentBytes: 150, at: 0)
    #expect(bytes.count == pong.utf8.count + 1, "one answer passes the limit, and the next one waits")
    client.unsentBytes = 0
    client.pump()
    #expect(client.takeLines() == Array(repeating: pong, count: 19))
    #expect(client.connection.wantsReading)
  }

  @Test("while the node is full, requests that would make it hold more are refused as busy, others answered")
  func fullNode() {
    var client = TestClient()
    client.connection.isNodeFull = true
    client.send(put("a") + "\n" + get("a") + "\n" + ping + "\n")
    var lines = client.takeLines()
    #expect(lines.count == 3)
    #expect(lines[0].hasPrefix(#"{"type":"put","data":false,"error":{"code":"busy""#))
    #expect(lines[1].hasPrefix(#"{"type":"get","data":false,"error":{"code":"busy""#))
    #expect(lines[2] == pong)
    client.send(#"{"type":"put","key":"k","value":""#)
    #expect(client.takeLines() == [], "a short request may become complete")
    client.send(String(repeating: "x", count: ClientConnection.requestBytesWhenFull))
    lines = client.takeLines()
    #expect(lines.count == 1)
    #expect(lines[0].hasPrefix(#"{"type":"error","data":false,"error":{"code":"busy""#))
    #expect(client.connection.isFinished)
  }

  @Test("what a connection holds is counted, and let go")
  func heldBytes() {
    var client = TestClient()
    client.isHolding = true
    client.send(get("a") + "\n")
    #expect(client.connection.heldBytes == 0)
    client.send(put("b") + "\n" + #"{"type":"#)
    #expect(client.connection.heldBytes == put("b").utf8.count + 8)
    client.release()
    #expect(client.connection.heldBytes == 8)
    client.endInput()
    #expect(client.connection.heldBytes == 0)
  }

  @Test("an answer is in one piece")
  func onePiece() {
    var client = TestClient()
    let value = "\"" + String(repeating: "x", count: 900) + "\""
    client.send(#"{"type":"put","key":"k","value":\#(value)}"# + "\n")
    _ = client.takeLines()
    client.isHolding = true
    client.send(get("k"))
    let (number, _) = client.held[0]
    client.connection.answer(number, with: .read(.success(.value(Bytes(value.utf8)))))
    let bytes = client.connection.takeOutput(unsentBytes: 0, at: 0)
    #expect(bytes == Bytes((got("k", value) + "\n").utf8))
  }

  // MARK: - Pieces

  @Test("the answers do not depend on how the bytes are cut")
  func everyCut() {
    let session = [
      put("a"), #"{"type":"put","key":"\u00e9","value":{"x":[1,"\ud83d\ude00"]}}"#, get("é"), ping,
      #"{"type":"get"}"#,
      #" {"type":"delete","key":"a","keep":true} "#, get("a"),
    ]
    let bytes = Bytes((session.joined(separator: "\n") + "\n").utf8)
    var whole = TestClient()
    whole.send(bytes)
    let expected = whole.takeLines()
    #expect(expected.count == session.count)
    for cut in 0...bytes.count {
      // Held, so that a newline always arrives before the answer leaves.
      var client = TestClient()
      client.isHolding = true
      client.connection.received(Bytes(bytes[..<cut]), at: 0)
      client.connection.received(Bytes(bytes[cut...]), at: 0)
      client.isHolding = false
      client.pump()
      #expect(client.takeLines() == expected, "cut at \(cut)")
    }
    var bytewise = TestClient()
    for byte in bytes { bytewise.connection.received([byte], at: 0) }
    bytewise.pump()
    #expect(bytewise.takeLines() == expected)
  }

  @Test("mutated sessions are answered or refused, each request once, and never trap")
  func mutatedSessions() {
    var random = RandomSource(seed: 11)
    var options = JSONProtocolOptions()
    options.requestBytesMax = 120
    options.pipelinedRequestsMax = 2
    options.fieldsMax = 5
    options.nestingMax = 4
    let session = Bytes(
      (put("a") + "\n" + get("a") + put("b") + #"{"type":"ping","keep":true} {"type":"status"}"# + "\n").utf8)
    for _ in 0..<2_000 {
      var bytes = session
      for _ in 0..<(random.next() % 6) where !bytes.isEmpty {
        let position = Int(random.next() % UInt64(bytes.count))
        switch random.next() % 4 {
        case 0: bytes[position] = UInt8(truncatingIfNeeded: random.next())
        case 1: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: position)
        case 2: bytes.remove(at: position)
        default: bytes.removeSubrange(position..<min(bytes.count, position + 20))
        }
      }
      var client = TestClient(options: options)
      var start = 0
      while start < bytes.count {
        let end = min(bytes.count, start + 1 + Int(random.next() % 40))
        client.isHolding = random.next() % 2 == 0
        client.send(Bytes(bytes[start..<end]))
        while !client.held.isEmpty, random.next() % 2 == 0 {
          client.release(at: Int(random.next() % UInt64(client.held.count)))
        }
        start = end
      }
      client.isHolding = false
      client.endInput()
      while !client.held.isEmpty { client.release() }
      #expect(client.connection.isFinished)
      #expect(client.connection.requestCount == 0)
      #expect(client.takeLines().allSatisfy { $0.hasPrefix(#"{"type":"#) && $0.hasSuffix("}") })
    }
  }
}
