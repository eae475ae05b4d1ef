import Foundation
import Testing

extension EndToEnd {
  @Suite("Commands for the directory of a stopped node")
  struct VolumeCommandTests {
    struct Ended {
      var end: ProcessEnd
      var output: String
      var errors: String
    }

    static func run(_ arguments: [String]) throws -> Ended {
      let child = try ChildProcess(try BuiltProduct.path("raftnode"), arguments)
      let end = try child.awaitEnd()
      return Ended(end: end, output: child.output, errors: child.errors)
    }

    /// Where a node of a cluster keeps its data.
    static func volume(of node: NodeProcess) throws -> String { try #require(node.volume) }

    @Test("check: a node that was killed is sound; one that runs is not looked at; damage is named")
    func check() async throws {
      try await withNode(store: .database) { node in
        let volume = try Self.volume(of: node)
        for number in 0..<50 {
          #expect(try node.insist(on: Request.put("key-\(number)", "\(number)")).isSuccess)
        }

        let busy = try Self.run(["check", volume])
        #expect(busy.end == .exited(74))
        #expect(busy.errors.contains("is in use by process \(node.process.processID): stop the node first"))

        try node.end(by: SIGKILL)
        let sound = try Self.run(["check", volume])
        #expect(sound.end == .exited(0), "\(sound.output)\(sound.errors)")
        #expect(sound.output.hasSuffix("\nsound\n"))
        #expect(sound.output.contains(node.address))
        #expect(sound.errors == "")
        let json = try Self.run(["check", volume, "--json"])
        let object = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any]
        #expect(object?["sound"] as? Bool == true)
        #expect(object?["addr"] as? String == node.address)

        // It goes on as if nobody had looked, and writes its state to files when it stops.
        try node.startAgain()
        try node.awaitLeader()
        try node.end(by: SIGTERM)
        #expect(try Self.run(["check", volume]).end == .exited(0))
        let state = volume + "/data-1"
        let names = try FileManager.default.contentsOfDirectory(atPath: state).filter { $0.hasSuffix(".sst") }
        let file = URL(filePath: "\(state)/\(try #require(names.sorted().first))")
        var bytes = try Data(contentsOf: file)
        bytes[20] ^= 1
        try bytes.write(to: file)
        let damaged = try Self.run(["check", volume])
        #expect(damaged.end == .exited(1))
        #expect(damaged.output.contains("! \(state): Corruption"), "\(damaged.output)")
        #expect(damaged.output.contains("Remove this member from its cluster"))
      }
      let nothing = try Self.run(["check", "/nowhere/at/all"])
      #expect(nothing.end == .exited(64))
      #expect(nothing.errors.hasPrefix("raftnode: the folder /nowhere/at/all cannot be read"))
    }

    @Test(
      "recover: the survivor of three goes on alone with all data; the old members are refused, new ones join"
    )
    func recover() async throws {
      try await withCluster(of: 3, store: .database) { cluster in
        for number in 0..<20 { try cluster.nodes[0].insist(on: Request.put("key-\(number)", "\(number)")) }
        let (survivor, lost) = (cluster.nodes[0], cluster.nodes[1])
        try eventually("the survivor has it all") {
          try survivor.ask(Request.get("key-19")).text.contains("19") ? () : nil
        }
        for node in cluster.nodes { try node.end(by: SIGKILL) }
        let volume = try Self.volume(of: survivor)

        let unsure = try Self.run(["recover", "--force-new-cluster", "--volume", volume])
        #expect(unsure.end == .exited(64))
        #expect(
          unsure.errors == "raftnode: there is no terminal to ask at: add --yes if this is what you want\n")
        #expect(unsure.output.contains("Its other members are refused from now on: "))
        #expect(try Self.run(["recover", "--volume", volume, "--yes"]).end == .exited(64))
        #expect(
          try Self.run(["recover", "--force-new-cluster", "--volume", volume, "--ip", "x", "--yes"]).end
            == .exited(64))

        let done = try Self.run(["recover", "--force-new-cluster", "--volume", volume, "--yes"])
        #expect(done.end == .exited(0), "\(done.errors)")
        #expect(done.output.contains("raftnode --ip \(survivor.address) --store database --volume \(volume)"))
        #expect(try Self.run(["check", volume]).end == .exited(0))

        try survivor.startAgain()
        try survivor.awaitLeader()
        for number in 0..<20 {
          #expect(try survivor.insist(on: Request.get("key-\(number)")).text.contains("\(number)"))
        }
        #expect(try survivor.insist(on: Request.put("after", "1")).isSuccess)

        // A member of the old cluster is no part of the new one, and does not disturb it.
        try lost.startAgain()
        try lost.awaitLog("they are kept apart")
        #expect(try survivor.insist(on: Request.put("after", "2")).isSuccess)
        #expect(try survivor.status()?.members.count == 1)
        try lost.end(by: SIGKILL)

        // With an empty folder it is a new one.
        try FileManager.default.removeItem(atPath: try Self.volume(of: lost))
        try lost.startAgain()
        try eventually("it votes") {
          try survivor.status()?.members.filter { $0.role == "voter" }.count == 2 ? () : nil
        }
        #expect(try lost.insist(on: Request.get("key-7")).text.contains("7"))
      }
    }

    @Test(
      "snapshot: saved from a running cluster, verified, restored as a new cluster, which others join",
      arguments: StoreChoice.allCases)
    func snapshot(_ store: StoreChoice) async throws {
      let folder = try TemporaryFolder()
      defer { folder.remove() }
      let file = "\(folder.path)/copy"
      let large = String(repeating: "0123456789abcdef", count: 12_000)
      try await withCluster(of: 3, store: store) { cluster in
        for number in 0..<10 {
          let value = "\"\(number)-\(large)\""
          try cluster.nodes[0].insist(on: Request.put("key-\(number)", value, namespace: "n"))
        }
        // A node that another one was written through has it all.
        let saved = try Self.run(["snapshot", "save", file, "--ip", cluster.nodes[2].address])
        #expect(saved.end == .exited(0), "\(saved.errors)")
        #expect(saved.errors == "")
        let again = try Self.run(["snapshot", "save", file, "--ip", cluster.nodes[2].address])
        #expect(again.end == .exited(64))
        #expect(try cluster.nodes[1].insist(on: Request.put("after", "1")).isSuccess)
      }
      let inspected = try Self.run(["snapshot", "inspect", file, "--json"])
      #expect(inspected.end == .exited(0), "\(inspected.errors)")
      let head = try JSONSerialization.jsonObject(with: Data(inspected.output.utf8)) as? [String: Any]
      #expect((head?["bytes"] as? Int ?? 0) > 1_920_000)
      #expect(try Self.run(["snapshot", "inspect", file]).output.hasSuffix("\nsound\n"))
      try await restore(file, in: folder, large)
      try refuseDamaged(file, in: folder)
    }

    private func restore(_ file: String, in folder: TemporaryFolder, _ large: String) async throws {
      let (first, second) = (try Port(), try Port())
      let arguments = ["snapshot", "restore", file, "--volume", "\(folder.path)/a", "--ip", first.address]
      let restored = try Self.run(arguments)
      #expect(restored.end == .exited(0), "\(restored.errors)")
      #expect(try Self.run(arguments).end == .exited(64))
      #expect(try Self.run(["check", "\(folder.path)/a"]).end == .exited(0))
      func start(_ port: Port, _ name: String, _ peers: [String]) throws -> NodeProcess {
        try NodeProcess(
          at: port, peers: peers, options: StoreChoice.database.options(volume: "\(folder.path)/\(name)"))
      }
      let node = try start(first, "a", [])
      try node.awaitLeader()
      let newcomer = try start(second, "b", [first.address])
      try eventually("it votes") {
        try node.status()?.members.filter { $0.role == "voter" }.count == 2 ? () : nil
      }
      for number in 0..<10 {
        let answer = try newcomer.insist(on: Request.get("key-\(number)", namespace: "n"))
        #expect(answer.text.contains("\(number)-\(large)"))
      }
      #expect(try newcomer.insist(on: Request.get("after")).text.contains("null"))
      #expect(try newcomer.insist(on: Request.put("more", "1")).isSuccess)
      try node.end(by: SIGKILL)
      try newcomer.end(by: SIGKILL)
    }

    private func refuseDamaged(_ file: String, in folder: TemporaryFolder) throws {
      var bytes = try Data(contentsOf: URL(filePath: file))
      bytes[bytes.count / 2] ^= 4
      try bytes.write(to: URL(filePath: file))
      let damaged = try Self.run(["snapshot", "inspect", file])
      #expect(damaged.end == .exited(1))
      #expect(damaged.errors.contains("is damaged behind byte"))
      let refused = try Self.run(
        ["snapshot", "restore", file, "--volume", "\(folder.path)/c", "--ip", "127.0.0.1:1"])
      #expect(refused.end == .exited(1))
      #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/c"))
    }

    @Test("snapshot: at most two are held, requests that make no sense are refused, and the node lives")
    func heldSnapshots() async throws {
      try await withNode { node in
        func take() throws -> Answer { try node.ask(#"{"type":"snapshot"}"#) }
        try node.insist(on: Request.put("a", "1"))
        let taken = try take()
        let fields = try JSONSerialization.jsonObject(with: Data(taken.text.utf8)) as? [String: Any]
        let id = try #require((fields?["data"] as? [String: Any])?["id"] as? String)
        try node.insist(on: Request.put("a", "2"))
        #expect(try take().isSuccess)
        try node.insist(on: Request.put("a", "3"))
        let refusal = try take().refusal
        #expect(refusal?.code == "busy")
        #expect(refusal?.isNotExecuted == true)
        #expect(try node.ask(#"{"type":"snapshot","id":"\#(id)","offset":0}"#).isSuccess)
        let end = try node.ask(#"{"type":"snapshot","id":"\#(id)","offset":9007199254740991}"#)
        #expect(end.text.contains(#""bytes":0,"piece":"""#))
        #expect(try node.ask(#"{"type":"snapshot","id":"1","offset":0}"#).refusal?.code == "no_snapshot")
        for bad in [
          #""id":"x","offset":0"#, #""id":7,"offset":0"#, #""id":"1","offset":-1"#, #""id":"1""#,
          #""offset":0"#,
        ] {
          let refusal = try node.ask(#"{"type":"snapshot",\#(bad)}"#).refusal
          #expect(refusal?.code == "bad_snapshot", "\(bad)")
        }
        #expect(try node.insist(on: Request.put("a", "4")).isSuccess)
      }
    }
  }
}
