import Foundation
import Testing

extension EndToEnd {
  @Suite("The command line, as a shell meets it")
  struct CommandLineTests {
    @Test(
      "wrong or contradictory options end it with status 64 and exactly one line",
      arguments: [
        [], ["--ip", "nonsense"], ["--ip", "127.0.0.1:0x10"], ["--ip", "127.0.0.1:70000"],
        ["--ip", "127.0.0.1:1", "--peers", "a,,b"], ["--ip", "127.0.0.1:1", "--peers", "127.0.0.1"],
        ["--ip", "127.0.0.1:1", "--peers", "127.0.0.1:2,127.0.0.1:2"],
        ["--ip", "127.0.0.1:1", "--peers", ""],
        ["--ip", "127.0.0.1:1", "--store", "memory", "-d"], ["--ip", "127.0.0.1:1", "--store", "tape"],
        ["--ip", "127.0.0.1:1", "--store", "memory", "--database", "name"],
        ["--ip", "127.0.0.1:1", "--ip", "127.0.0.1:2"], ["--ip", "127.0.0.1:1", "--timeout", "soon"],
        ["--ip", "127.0.0.1:1", "--request-bytes-max", "1024", "--value-bytes-max", "1048576"],
        ["--ip", "127.0.0.1:1", "--colour"], ["--ip", "127.0.0.1:1", "stray"], ["--ip"],
      ])
    func usageErrors(arguments: [String]) throws {
      let process = try ChildProcess(try BuiltProduct.path("raftnode"), arguments)
      #expect(try process.awaitEnd() == .exited(64))
      #expect(process.errors.hasPrefix("raftnode: ") && process.errors.hasSuffix("\n"), "\(process.errors)")
      #expect(process.errors.split(separator: "\n").count == 1, "\(process.errors)")
      #expect(process.output.isEmpty)
    }

    @Test("--help names every documented option, and is no error", arguments: [["--help"], ["-h"], ["help"]])
    func help(arguments: [String]) throws {
      let process = try ChildProcess(try BuiltProduct.path("raftnode"), arguments)
      #expect(try process.awaitEnd() == .exited(0))
      for option in ["--ip", "--peers", "--store", "-d", "-v, --volume", "-t, --timeout"] {
        #expect(process.output.contains(option))
      }
      #expect(process.errors.isEmpty)
    }

    @Test("manual page and completions are put where systems look for them")
    func installation() throws {
      let folder = try TemporaryFolder()
      defer { folder.remove() }
      let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
      let script = root.appending(path: "Scripts/share.sh").path
      let executable = try BuiltProduct.path("raftnode")
      for _ in 0..<2 {
        let process = try ChildProcess(script, [executable, "\(folder.path)/share"])
        #expect(try process.awaitEnd() == .exited(0), "\(process.errors)")
      }
      for (file, word) in [
        ("man/man1/raftnode.1", ".TH RAFTNODE"), ("bash-completion/completions/raftnode", "complete "),
        ("zsh/site-functions/_raftnode", "#compdef raftnode"),
        ("fish/vendor_completions.d/raftnode.fish", "complete "),
      ] {
        let text = try String(contentsOfFile: "\(folder.path)/share/\(file)", encoding: .utf8)
        #expect(text.contains(word), "\(file)")
        #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/share/\(file).new"))
      }
      #expect(try ChildProcess(script, ["/bin/false", "\(folder.path)/other"]).awaitEnd() != .exited(0))
      #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/other/man/man1/raftnode.1"))
    }

    @Test("an address that is in use is refused with one line, and its owner serves on")
    func addressInUse() async throws {
      try await withNode { node in
        try await Witness.watching(node) {
          let second = try ChildProcess(try BuiltProduct.path("raftnode"), ["--ip", node.address])
          #expect(try second.awaitEnd() == .exited(69))
          #expect(second.errors.contains(node.address))
          #expect(second.errors.split(separator: "\n").count == 1, "\(second.errors)")
        }
      }
    }

    @Test("the original's options are understood: short ones, and its own address among the peers")
    func originalSpellings() async throws {
      let ports = try (0..<3).map { _ in try Port() }
      let all = ports.map(\.address)
      let nodes = try ports.map {
        try NodeProcess(at: $0, peers: all, options: ["-t", "2", "-v", "./data", "--store", "memory"])
      }
      defer { for node in nodes { node.send(SIGKILL) } }
      for node in nodes { try node.awaitLeader() }
      try nodes[0].insist(on: Request.put("k", "1"))
      #expect(try nodes[2].insist(on: Request.get("k")).value == "1")
    }
  }

  @Suite("One node alone")
  struct SingleNodeTests {
    @Test("leads itself, serves, and leaves the processor alone while nobody asks")
    func idleNodeIsCheap() async throws {
      try await withNode { node in
        #expect(try node.ask(Request.put("k", "1")).isSuccess)
        #expect(try node.ask(Request.get("k")).value == "1")
        #expect(try node.status()?.isLeader == true)
        let start = monotonicNanoseconds()
        let used = try node.process.processorSeconds()
        try eventually("two seconds pass") { monotonicNanoseconds() >= start + 2_000_000_000 ? () : nil }
        let passed = Double(monotonicNanoseconds() - start) / 1e9
        #expect(
          try node.process.processorSeconds() - used < passed / 2, "an idle node has the processor to itself")
      }
    }

    @Test(
      "can be started again at once at the same port, however it ended",
      arguments: [SIGTERM, SIGINT, SIGKILL])
    func restartsAtOnce(signal: Int32) async throws {
      try await withNode(store: .memory) { node in
        for _ in 0..<3 {
          // Connections that the node closes itself would keep the port from one that does not ask to reuse it.
          let open = try (0..<20).map { _ in try node.connect() }
          for client in open { #expect(try client.ask(Request.put("k", "1")).isSuccess) }
          #expect(try node.end(by: signal) == (signal == SIGKILL ? .killed(signal: SIGKILL) : .exited(0)))
          try node.startAgain()
          try node.awaitLeader()
          #expect(try node.ask(Request.get("k")).value == "null", "what memory held is gone")
        }
      }
    }
  }
}
