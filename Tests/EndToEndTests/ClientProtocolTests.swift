import Foundation
import Testing

extension EndToEnd {
  @Suite("Clients of three nodes")
  struct ClientProtocolTests {
    @Test("write through any node and read through any other, in namespaces that do not see each other")
    func anyNodeTakesEveryRequest() async throws {
      try await withSteadyCluster { cluster async throws in
        for (number, writer) in cluster.nodes.enumerated() {
          #expect(try writer.ask(Request.put("k", "\(number)")).text == #"{"type":"put","data":true}"#)
          #expect(try writer.ask(Request.put("k", "\"other\"", namespace: "n\(number)")).isSuccess)
          for reader in cluster.nodes {
            #expect(try reader.ask(Request.get("k")).value == "\(number)")
            #expect(try reader.ask(Request.get("k", namespace: "default")).value == "\(number)")
            #expect(try reader.ask(Request.get("k", namespace: "n\(number)")).value == "\"other\"")
            #expect(try reader.ask(Request.get("k", namespace: "elsewhere")).value == "null")
          }
        }
      }
    }

    @Test("delete through any node, as the reference prints it and as the documented client sends it")
    func anyNodeDeletes() async throws {
      try await withSteadyCluster { cluster async throws in
        for node in cluster.nodes {
          for request in [
            #"{"type":"delete","key":"k"}"#,
            #"{"type":"delete","key":"k","namespace":"default","delete":true}"#,
          ] {
            #expect(try node.ask(Request.put("k", "1")).isSuccess)
            #expect(try node.ask(request).text == #"{"type":"delete","data":true}"#)
            for reader in cluster.nodes { #expect(try reader.ask(Request.get("k")).value == "null") }
            #expect(try node.ask(request).isSuccess, "an absent key can be deleted")
          }
        }
        for node in cluster.nodes { #expect(try node.status()?.leader != nil) }
      }
    }

    @Test("are told who else is there, and that a node lives")
    func nodesDescribeThemselves() async throws {
      try await withSteadyCluster { cluster in
        let leader = try cluster.awaitLeader().node
        for node in cluster.nodes {
          let peers = try node.ask(Request.peers).fields["peers"] as? [String] ?? []
          #expect(Set(peers) == Set(cluster.others(than: leader).map(\.address)))
          let ping = try node.ask(Request.ping).fields
          #expect(ping["is_alive"] as? Bool == true)
          #expect(ping["addr"] as? String == node.address)
          let status = try #require(try node.status())
          #expect(status.role == (node === leader ? "leader" : "follower"))
          #expect(Set(status.members.map(\.address)) == Set(cluster.nodes.map(\.address)))
          #expect(try node.ask(Request.status).fields["store"] as? String == StoreChoice.ofThisRun.rawValue)
        }
      }
    }

    @Test("get values of every JSON type back as they were put")
    func valuesComeBack() async throws {
      let values = [
        "42", "-0", "1.5", "1e300", "1180591620717411303424", #""text""#, #""""#, #""\"quoted\" \\ \n""#,
        #""é €😀""#,
        "true", "false", "null", "0", "[]", "{}", "[1,[2,[3,null]],\"4\"]",
        #"{"z":1,"a":{"y":[true,false]},"b":null}"#,
      ]
      try await withSteadyCluster { cluster async throws in
        for (number, value) in values.enumerated() {
          let writer = cluster.nodes[number % 3]
          let reader = cluster.nodes[(number + 1) % 3]
          #expect(try writer.ask(Request.put("key \(number)", value)).isSuccess)
          #expect(try reader.ask(Request.get("key \(number)")).value == value)
        }
      }
    }

    @Test("name the same key raw or escaped")
    func keysAreUnicode() async throws {
      try await withSteadyCluster { cluster async throws in
        #expect(
          try cluster.nodes[0].ask(#" {"type":"put","key":"caf\u00e9 \ud83d\ude00","value":1}"#).isSuccess)
        #expect(try cluster.nodes[1].ask(Request.get("café 😀")).value == "1")
      }
    }

    @Test("put values of up to 1 MiB through any node")
    func largeValues() async throws {
      // A build for debugging takes its time with a megabyte.
      try await withCluster(of: 3, ["--election-timeout", "2"]) { cluster async throws in
        for bytes in [850, 1_000, 1_025, 65_536, (1 << 20) - 2] {
          for (number, node) in cluster.nodes.enumerated() {
            let value = "\"" + String(repeating: "\(number)", count: bytes) + "\""
            #expect(try node.ask(Request.put("large", value)).isSuccess)
            for reader in cluster.nodes { #expect(try reader.ask(Request.get("large")).value == value) }
          }
        }
      }
    }

    @Test("receive an answer of up to 1,024 bytes with one recv")
    func smallAnswersComeInOnePiece() async throws {
      try await withSteadyCluster { cluster in
        for bytes in [0, 100, 900, 960] {
          #expect(
            try cluster.nodes[0].ask(Request.put("k", "\"\(String(repeating: "v", count: bytes))\""))
              .isSuccess)
          for round in 0..<30 {
            let client = try cluster.nodes[round % 3].connect()
            try client.send(Request.get("k"))
            let piece = try client.receive(1_024)
            #expect(piece.count <= 1_024 && piece.last == UInt8(ascii: "\n"))
            #expect(try Answer(String(decoding: piece, as: UTF8.self)).value?.count == bytes + 2)
            #expect(try client.receive(1_024).isEmpty, "the node closes the connection")
          }
        }
      }
    }

    @Test("keep a connection open and pipeline on it, answered line by line, in order")
    func pipelining() async throws {
      try await withSteadyCluster { cluster in
        for node in cluster.nodes {
          try await pipeline(over: try node.connect()) { $0 + "\n" }
          try await pipeline(over: try node.connect()) { $0 + " \r\n" }
          try await pipeline(over: try node.connect()) { $0.dropLast() + #","keep":true}"# }
        }
      }
    }

    /// Sends all requests before it reads any answer.
    private func pipeline(over client: SocketClient, _ spell: (String) -> String) async throws {
      var text = ""
      for number in 0..<40 {
        for request in [
          Request.put("k", "\(number)"), Request.get("k"), Request.delete("k"), Request.get("k"),
        ] {
          text += spell(request)
        }
      }
      // Sent from another thread: the node may want its answers taken before it takes more requests.
      async let sending: Void = client.send(text)
      for number in 0..<40 {
        let answers = try (0..<4).map { _ in try Answer(try #require(try client.receiveLine())) }
        #expect(answers.map(\.type) == ["put", "get", "delete", "get"])
        #expect(!answers.contains { !$0.isSuccess })
        #expect(answers[1].value == "\(number)" && answers[3].value == "null")
      }
      try await sending
    }

    @Test("are served after a request without a newline, and then the connection ends")
    func oneRequestPerConnection() async throws {
      try await withNode { node in
        let client = try node.connect()
        #expect(try client.ask(Request.put("k", "1")).isSuccess)
        try client.send(Request.get("k"))
        let rest = String(decoding: try client.receiveToEnd(), as: UTF8.self)
        #expect(try Answer(rest).value == "1")
      }
    }
  }
}
