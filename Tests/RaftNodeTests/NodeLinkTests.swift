import ArgumentParser
import Foundation
import RaftCore
import Testing

@testable import raftnode

/// Something that listens at a port of this machine and is no node: it answers the first bytes of every connection as told.
///
/// `@unchecked Sendable`: what it holds does not change.
private final class Stranger: @unchecked Sendable {
  let address: String
  private let listener: Int32

  /// - Parameter answer: What it does with a connection on which something has arrived; it is closed afterwards.
  init(_ answer: @escaping @Sendable (Int32) -> Void) throws {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var place = sockaddr_in()
    place.sin_family = sa_family_t(AF_INET)
    place.sin_addr = in_addr(s_addr: UInt32(0x7F00_0001).bigEndian)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let port = withUnsafeMutablePointer(to: &place) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        guard bind(listener, address, length) == 0, listen(listener, 8) == 0 else { return UInt16(0) }
        getsockname(listener, address, &length)
        return address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
          UInt16(bigEndian: $0.pointee.sin_port)
        }
      }
    }
    try #require(port != 0)
    address = "127.0.0.1:\(port)"
    self.listener = listener
    Thread.detachNewThread {
      while true {
        let connection = accept(listener, nil, nil)
        guard connection >= 0 else { return }
        var byte: UInt8 = 0
        _ = recv(connection, &byte, 1, 0)
        answer(connection)
        close(connection)
      }
    }
  }

  deinit {
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
  }

  static func saying(_ text: String) throws -> Stranger {
    try Stranger { connection in
      let bytes = Array(text.utf8)
      _ = bytes.withUnsafeBytes { send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      // A socket that is closed with something unread is reset, and what was sent may be lost.
      shutdown(connection, Int32(SHUT_WR))
      var rest = [UInt8](repeating: 0, count: 4_096)
      while recv(connection, &rest, rest.count, 0) > 0 {}
    }
  }
}

@Suite("Asking what may be no node")
struct NodeLinkTests {
  private func error(at address: String, seconds: Int = 5) -> NodeError? {
    do throws(NodeError) {
      _ = try NodeLink.askOnce(.status, at: address, seconds: seconds)
      return nil
    } catch {
      return error
    }
  }

  @Test(
    "what answers in another language is no node",
    arguments: [
      "HTTP/1.1 400 Bad Request\r\n\r\n", "-ERR unknown\r\n", "[1]", "{}", "7", "\u{0}\u{1}", "{\"a\":1}",
    ])
  func otherPrograms(_ text: String) throws {
    let stranger = try Stranger.saying(text)
    defer { withExtendedLifetime(stranger) {} }
    #expect(error(at: stranger.address) == .unreadable(stranger.address))
  }

  @Test(
    "an answer that breaks off is none",
    arguments: ["{\"type\":\"status\",\"id\":\"n1", "{\"type\":\"status\""])
  func partial(_ text: String) throws {
    let stranger = try Stranger.saying(text)
    defer { withExtendedLifetime(stranger) {} }
    #expect(error(at: stranger.address) == .unreachable(stranger.address, .closed))
  }

  @Test("who takes a request and says nothing is left in time, also if it goes on saying nothing")
  func silence() throws {
    for piece in ["", " "] {
      let stranger = try Stranger { connection in
        let end = NodeLink.milliseconds + 3_000
        while NodeLink.milliseconds < end {
          let bytes = Array(piece.utf8)
          if !bytes.isEmpty, send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL)) <= 0 { return }
          usleep(50_000)
        }
      }
      #expect(error(at: stranger.address, seconds: 1) == .unreachable(stranger.address, .silent(seconds: 1)))
    }
  }

  @Test(
    "of several nodes the first one that can is asked; a write that may have arrived is not sent to a second one"
  )
  func several() throws {
    let gone: String
    do {
      let stranger = try Stranger.saying("")
      gone = stranger.address
    }
    let mute = try Stranger.saying("")
    let good = try Stranger.saying(#"{"type":"get","data":{"value":1}}"# + "\n")
    let waiting = try Stranger.saying(
      #"{"type":"get","data":false,"error":{"code":"no_leader","message":"m","outcome":"not_executed"}}"#)
    defer { withExtendedLifetime([mute, good, waiting]) {} }
    let request = NodeRequest("get", [("key", "k")])
    for addresses in [[good.address], [gone, good.address], [mute.address, waiting.address, good.address]] {
      let reply = try NodeLink.ask(request, anyOf: addresses, seconds: 5)
      #expect(reply.text(of: "data", "value") == Bytes("1".utf8))
    }
    #expect(throws: NodeError.self) {
      try NodeLink.ask(request, anyOf: [mute.address, good.address], seconds: 5, isRepeatable: false)
    }
    let afterAll = try NodeLink.ask(request, anyOf: [gone, good.address], seconds: 5, isRepeatable: false)
    #expect(afterAll.text(of: "type") != nil)
  }

  @Test("nodes that name each other as leader are not followed for ever")
  func circle() throws {
    let text =
      #"{"type":"x","data":false,"error":{"code":"not_leader","message":"m","outcome":"not_executed","leader":"L"}}"#
    let first = try Stranger.saying(text.replacing("L\"", with: "127.0.0.1:1\""))
    defer { withExtendedLifetime(first) {} }
    #expect(throws: NodeError.self) { try NodeLink.ask(.status, anyOf: [first.address], seconds: 5) }
  }
}

@Suite("Requests and answers as text")
struct NodeTextTests {
  @Test(
    "what is put is sent as it was written, and anything that is no JSON as a string",
    arguments: [
      ("1180591620717411303424", "1180591620717411303424"), ("1e400", "1e400"),
      (#"{"b":1.0,"a":-0}"#, #"{"b":1.0,"a":-0}"#),
      ("plain words", #""plain words""#), ("", #""""#), (#"{"a":"#, #""{\"a\":""#), ("1 2", #""1 2""#),
      (" true ", "true"),
    ])
  func put(_ written: String, _ sent: String) throws {
    guard let command = try RaftNodeCommand.parseAsRoot(["put", "k", written]) as? PutCommand else {
      Issue.record("it is no put")
      return
    }
    let line = String(decoding: try command.request.line, as: UTF8.self)
    #expect(line == #"{"type":"put","key":"k","namespace":"default","value":\#(sent)}"# + "\n")
  }

  @Test("a portion of a scan is read with its values as they are, and with the cursor for the next one")
  func scanPage() throws {
    let text =
      #"{"type":"scan","data":[{"key":"a","value":1e400},{"key":"tab\tkey","value":{"x":[1,"],{",2]}},"#
      + #"{"key":"","value":null},{"key_base64":"/w==","value_base64":"AA=="},{"key":"{","kind":"bloom_filter"}],"#
      + #""cursor":"YQ"}"#
    let page = try ScanPage(try #require(NodeReply(Array(text.utf8))), of: "a:1")
    #expect(
      page.entries.map(\.line) == [
        "a\t1e400", #""tab\tkey""# + "\t" + #"{"x":[1,"],{",2]}"#, "\"\"\tnull",
        #"{"base64":"/w=="}"# + "\t" + #"{"base64":"AA=="}"#, "\"{\"\t" + #"{"kind":"bloom_filter"}"#,
      ])
    #expect(page.cursor == Bytes(#""YQ""#.utf8))
    let last = try ScanPage(
      try #require(NodeReply(Array(#"{"type":"scan","data":[],"cursor":null}"#.utf8))), of: "a:1")
    #expect(last.entries.isEmpty && last.cursor == nil)
  }

  @Test(
    "what is no portion of a scan is refused",
    arguments: [
      #"{"type":"scan"}"#, #"{"type":"scan","data":{}}"#, #"{"type":"scan","data":[1]}"#,
      #"{"type":"scan","data":[{"key":1,"value":1}]}"#, #"{"type":"scan","data":[{"key":"a"}]}"#,
    ])
  func noScanPage(_ text: String) throws {
    let reply = try #require(NodeReply(Array(text.utf8)))
    #expect(throws: NodeError.unreadable("a:1")) { try ScanPage(reply, of: "a:1") }
  }
}
