import Glibc
import RaftCore
import RaftServer
import RaftTransport
import Testing

@testable import RaftKV

/// A client with a blocking socket, as the documented one: it connects, sends, and reads.
private struct SocketClient: ~Copyable {
  private let descriptor: Int32

  init(port: UInt16) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    try #require(result == 0)
    // No test hangs on an answer that does not come.
    var limit = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  }

  deinit { close(descriptor) }

  func send(_ text: String) throws {
    let bytes = Bytes(text.utf8)
    try #require(Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count)
  }

  func endOutput() { shutdown(descriptor, Int32(SHUT_WR)) }

  /// One `recv` of at most `count` bytes; empty at the end of the stream.
  func receive(_ count: Int = 1024) throws -> String {
    var bytes = Bytes(repeating: 0, count: count)
    let received = recv(descriptor, &bytes, count, 0)
    try #require(received >= 0, "an answer, or the end, within 20 seconds")
    return String(decoding: bytes[..<received], as: UTF8.self)
  }

  func receiveToEnd() throws -> String {
    var text = ""
    while true {
      let piece = try receive(65_536)
      if piece.isEmpty { return text }
      text += piece
    }
  }
}

/// A cluster of one that serves JSON clients.
private func withNode(
  port: UInt16, options: JSONProtocolOptions = JSONProtocolOptions(), _ body: () throws -> Void
) async throws {
  let replica = try await Replica.start(
    TestMachine(backend: SortedBackend()), at: "127.0.0.1:\(port)",
    clients: try JSONClientHandler.accepting(options))
  let result = Result { try body() }
  await replica.stop()
  try result.get()
}

@Suite("JSON clients of a running replica", .serialized)
struct JSONClientHandlerTests {
  @Test("the documented client: one connection for each request, one recv of 1,024 bytes")
  func documentedClient() async throws {
    let value = String(repeating: "x", count: 900)
    try await withNode(port: 23_411) {
      for (request, answer) in [
        (
          #"{"type":"put","key":"k","value":"\#(value)","namespace":"default"}"#,
          #"{"type":"put","data":true}"#
        ),
        (
          #"{"type":"get","key":"k","namespace":"default"}"#,
          #"{"type":"get","data":{"type":"get","key":"k","namespace":"default","value":"\#(value)"}}"#
        ),
        (
          #"{"type":"delete","key":"k","namespace":"default","delete":true}"#,
          #"{"type":"delete","data":true}"#
        ),
        (#"{"type":"peers"}"#, #"{"type":"peers","peers":[],"roles":[],"reachable":[]}"#),
        (#"{"type":"ping"}"#, #"{"type":"ping","is_alive":true,"addr":"127.0.0.1:23411"}"#),
      ] {
        let client = try SocketClient(port: 23_411)
        try client.send(request)
        #expect(try client.receive() == answer + "\n")
        #expect(try client.receive() == "", "the node closes")
      }
    }
  }

  @Test("a connection that stays open: 2,000 pipelined requests, one answer line each, in order")
  func pipelined() async throws {
    try await withNode(port: 23_412) {
      let client = try SocketClient(port: 23_412)
      var requests = ""
      var answers = ""
      for number in 0..<1_000 {
        requests +=
          #"{"type":"put","key":"k","value":\#(number)}"# + "\n" + #"{"type":"get","key":"k"}"# + "\n"
        answers += #"{"type":"put","data":true}"# + "\n"
        answers += #"{"type":"get","data":{"type":"get","key":"k","value":\#(number)}}"# + "\n"
      }
      try client.send(requests)
      client.endOutput()
      #expect(try client.receiveToEnd() == answers)
    }
  }

  @Test("a megabyte goes in and comes out, and an idle connection stays")
  func largeValue() async throws {
    try await withNode(port: 23_413) {
      let value = "\"" + String(repeating: "é", count: 500_000) + "\""
      let client = try SocketClient(port: 23_413)
      try client.send("{\"type\":\"put\",\"key\":\"k\",\"value\":\(value),\"keep\":true}")
      #expect(try client.receive() == #"{"type":"put","data":true}"# + "\n")
      try client.send(#"{"type":"get","key":"k"}"#)
      #expect(
        try client.receiveToEnd()
          == "{\"type\":\"get\",\"data\":{\"type\":\"get\",\"key\":\"k\",\"value\":\(value)}}\n")
    }
  }

  @Test("an object that never ends, rubbish, and a client that leaves are nobody else's business")
  func badClients() async throws {
    var options = JSONProtocolOptions()
    options.receiveMillisecondsMax = 50
    try await withNode(port: 23_414, options: options) {
      let good = try SocketClient(port: 23_414)
      let endless = try SocketClient(port: 23_414)
      try endless.send(#"{"type":"put","key":"#)
      let rubbish = try SocketClient(port: 23_414)
      try rubbish.send("GET / HTTP/1.1\r\n\r\n")
      do {
        let leaving = try SocketClient(port: 23_414)
        try leaving.send(#"{"type":"put","key":"k","value":1}"#)
      }
      #expect(try rubbish.receiveToEnd().contains(#""code":"not_an_object""#))
      #expect(try endless.receiveToEnd().contains(#""code":"deadline""#))
      try good.send(#"{"type":"put","key":"k","value":1}"# + "\n")
      #expect(try good.receive() == #"{"type":"put","data":true}"# + "\n")
      try good.send(#"{"type":"status"}"#)
      #expect(try good.receiveToEnd().contains(#""role":"leader""#))
    }
  }

  @Test("when all clients together have the node hold too much, it refuses more as busy until they let go")
  func commonLimit() async throws {
    var options = JSONProtocolOptions()
    options.clientBytesMax = 1
    try await withNode(port: 23_415, options: options) {
      let holding = try SocketClient(port: 23_415)
      try holding.send(#"{"type":"ping"}"# + "\n" + #"{"type":"#)
      #expect(try holding.receive().contains("is_alive"))
      let other = try SocketClient(port: 23_415)
      try other.send(#"{"type":"put","key":"k","value":1}"# + "\n")
      #expect(try other.receive().contains(#""code":"busy""#))
      try holding.send("0}\n")
      #expect(try holding.receive().contains(#""code":"bad_type""#))
      try other.send(#"{"type":"put","key":"k","value":1}"# + "\n")
      #expect(try other.receive() == #"{"type":"put","data":true}"# + "\n")
    }
  }
}
