import Foundation
import Testing

extension EndToEnd {
  /// Each of these runs beside a ``Witness``, who must not notice anything.
  @Suite("Clients that misbehave")
  struct BadClientTests {
    /// Bytes that are no request: the answer to them, after which the connection ends.
    @Test(
      "are told what is wrong with their bytes",
      arguments: [
        ("{\"type\":\"put\",}", "bad_json"), ("{\"type\": nope}", "bad_json"), ("{'type':'get'}", "bad_json"),
        ("{\"type\":\"put\",\"key\":\"\u{1}\"}", "bad_json"), ("[1,2,3]", "not_an_object"),
        ("\"text\"", "not_an_object"), ("42", "not_an_object"), ("-1 ", "not_an_object"),
      ])
    func malformedRequests(request: String, code: String) async throws {
      try await withNode { node in
        try await Witness.watching(node) {
          let answer = try node.ask(request)
          #expect(answer.refusal?.code == code, "\(answer)")
          #expect(answer.refusal?.isNotExecuted == true)
          #expect(answer.fields["data"] as? Bool == false)
        }
      }
    }

    /// Requests that are understood and refused: the connection stays.
    @Test(
      "are told what is wrong with their request, and may go on",
      arguments: [
        (#"{"type":"explode"}"#, "unknown_type"), (#"{"type":7}"#, "bad_type"), (#"{}"#, "bad_type"),
        (#"{"type":"get"}"#, "missing_key"), (#"{"type":"put","value":1}"#, "missing_key"),
        (#"{"type":"put","key":"k"}"#, "missing_value"), (#"{"type":"put","key":7,"value":1}"#, "bad_key"),
        (#"{"type":"get","key":"k","namespace":[]}"#, "bad_namespace"),
        (#"{"type":"add_peer","payload":"127.0.0.1"}"#, "bad_action"),
        (Request.put(String(repeating: "k", count: 65), "1"), "key_too_large"),
        (Request.put("k", "\"\(String(repeating: "v", count: 1_023))\""), "value_too_large"),
      ])
    func refusedRequests(request: String, code: String) async throws {
      try await withNode(["--key-bytes-max", "64", "--value-bytes-max", "1024"]) { node in
        try await Witness.watching(node) {
          let client = try node.connect()
          let answer = try client.ask(request)
          #expect(answer.refusal?.code == code, "\(answer)")
          #expect(answer.refusal?.isNotExecuted == true)
          #expect(answer.fields["data"] as? Bool == false)
          #expect(try client.ask(Request.put(String(repeating: "k", count: 64), "1")).isSuccess)
          #expect(try client.ask(Request.put("k", "\"\(String(repeating: "v", count: 1_022))\"")).isSuccess)
        }
      }
    }

    @Test("are refused when a value is over the default limit of 1 MiB, by name")
    func valueOverTheDefaultLimit() async throws {
      try await withNode { node in
        try await Witness.watching(node) {
          let answer = try node.ask(Request.put("k", "\"\(String(repeating: "v", count: 1 << 20))\""))
          #expect(answer.refusal?.code == "value_too_large")
          #expect(answer.refusal?.message.contains("1048576") == true)
        }
      }
    }

    @Test("cannot send an object that never ends, neither fast nor slowly")
    func endlessObject() async throws {
      try await withNode(["--request-timeout", "1"]) { node in
        try await Witness.watching(node) {
          let fast = try node.connect()
          try fast.send(#"{"type":"put","key":"k","value":""#)
          let piece = [UInt8](repeating: UInt8(ascii: "v"), count: 1 << 16)
          let code = try await refusalCode(of: fast, whileSending: piece, times: 128)
          #expect(code == "request_too_large")

          let slow = try node.connect()
          try slow.send(#"{"type":"put","key":"k","value":["#)
          async let answer = slow.receiveToEnd()
          // One element after the other, until the node has had enough of it.
          while (try? slow.send("1,")) != nil { usleep(20_000) }
          #expect(try Answer(String(decoding: try await answer, as: UTF8.self)).refusal?.code == "deadline")
        }
      }
    }

    /// Sends a piece over and over, and reads the refusal that ends it.
    private func refusalCode(
      of client: SocketClient, whileSending piece: [UInt8], times: Int
    ) async throws -> String? {
      async let line = client.receiveLine()
      for _ in 0..<times { guard (try? client.send(piece)) != nil else { break } }
      return try Answer(try #require(try await line)).refusal?.code
    }

    @Test("cannot nest without end")
    func deepNesting() async throws {
      try await withNode { node in
        try await Witness.watching(node) {
          let answer = try node.ask(
            #"{"type":"put","key":"k","value":"# + String(repeating: "[", count: 100_000))
          #expect(answer.refusal?.code == "too_deep")
        }
      }
    }

    @Test("may send random bytes, and end as they like")
    func randomBytes() async throws {
      var random = SeededRandom(seed: 42)
      try await withSteadyCluster { cluster in
        try await Witness.watching(cluster.nodes[0]) {
          for round in 0..<300 {
            let client = try cluster.nodes[0].connect()
            var bytes = (0..<Int.random(in: 1...2_000, using: &random)).map { _ in
              UInt8.random(in: .min ... .max, using: &random)
            }
            // Every other time they begin like a request, so that more than their first byte is looked at.
            if round % 2 == 0 { bytes = Array(#"{"type":"put","key":""#.utf8) + bytes }
            try? client.send(bytes)
            switch round % 3 {
            case 0: client.resetWhenClosed()
            case 1: client.endOutput()
            default: break
            }
          }
        }
        #expect(cluster.living.count == 3)
      }
    }

    @Test("may stop in the middle of a request, closing their side or saying nothing more")
    func halfOpenConnections() async throws {
      try await withNode(["--request-timeout", "1"]) { node in
        try await Witness.watching(node) {
          let closing = try node.connect()
          try closing.send(#"{"type":"put","key":"k""#)
          closing.endOutput()
          let incomplete = try Answer(String(decoding: try closing.receiveToEnd(), as: UTF8.self))
          #expect(incomplete.refusal?.code == "incomplete")

          let silent = try node.connect()
          try silent.send(#"{"type":"put","key":"k""#)
          let late = try Answer(String(decoding: try silent.receiveToEnd(), as: UTF8.self))
          #expect(late.refusal?.code == "deadline")

          let polite = try node.connect()
          try polite.send(Request.put("k", "1"))
          polite.endOutput()
          #expect(try Answer(String(decoding: try polite.receiveToEnd(), as: UTF8.self)).isSuccess)
        }
      }
    }

    @Test("may never take their answers")
    func answersThatNobodyReads() async throws {
      try await withNode { node in
        let value = "\"\(String(repeating: "v", count: 1_000_000))\""
        #expect(try node.ask(Request.put("large", value)).isSuccess)
        try await Witness.watching(node) {
          let greedy = try (0..<8).map { _ in try node.connect() }
          for client in greedy {
            try client.send(String(repeating: Request.get("large") + "\n", count: 100))
          }
          // They hold on while the witness is served.
          for number in 0..<50 { #expect(try node.ask(Request.put("k", "\(number)")).isSuccess) }
          withExtendedLifetime(greedy) {}
        }
      }
    }

    @Test(
      "may be 2,000 and idle: beyond the limit they are refused politely, and those within it are served",
      .enabled("the system lets a process open 4,096 files") { DescriptorLimit.raise(to: 4_096) })
    func idleConnections() async throws {
      try await withNode(["--max-clients", "1500"]) { node in
        try await Witness.watching(node) {
          var idle = try (0..<2_000).map { _ in try node.connect() }
          // The witness has the place of one of them.
          let refused = Array(idle.suffix(501))
          for client in refused {
            let answer = try Answer(String(decoding: try client.receiveToEnd(), as: UTF8.self))
            #expect(answer.refusal?.code == "too_many_connections")
            #expect(answer.refusal?.isNotExecuted == true)
          }
          #expect(try idle[0].ask(Request.put("k", "1")).isSuccess)
          #expect(try idle[1_498].ask(Request.get("k")).value == "1")
          idle.removeFirst(1_000)
          try eventually("a new client finds a place") {
            try? node.ask(Request.get("k")).value == "1" ? () : nil
          }
        }
      }
    }
  }
}

/// How many files this process may open.
private enum DescriptorLimit {
  static func raise(to count: UInt) -> Bool {
    var limit = rlimit()
    let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    guard getrlimit(resource, &limit) == 0 else { return false }
    guard limit.rlim_cur < count else { return true }
    limit.rlim_cur = min(count, limit.rlim_max)
    return setrlimit(resource, &limit) == 0 && limit.rlim_cur >= count
  }
}
