import Foundation
import Testing

extension EndToEnd {
  @Suite("Status of clusters that are broken")
  struct BrokenClusterTests {
    private func status(_ nodes: [NodeProcess], _ options: [String] = []) throws -> EndedCommand {
      try EndedCommand(["status", "--ip", nodes.map(\.address).joined(separator: ",")] + options)
    }

    @Test(
      "two of three have been killed: no majority, who is missing, and what to do",
      arguments: StoreChoice.allCases)
    func noQuorum(store: StoreChoice) async throws {
      try await withCluster(of: 3, store: store) { cluster in
        for node in cluster.nodes[1...] { try node.end(by: SIGKILL) }
        let report = try status([cluster.nodes[0]])
        #expect(report.end == .exited(1))
        #expect(
          report.output.contains("! 1 of 3 voters answer, and 2 are needed: nothing can be written or read."))
        #expect(report.output.contains("cannot come back") == (store == .memory), "\(report.output)")
        for node in cluster.nodes[1...] {
          #expect(report.output.contains("! \(node.address) does not answer: connection refused."))
        }
        // Whoever is asked first may be the one that is gone.
        let other = try status([cluster.nodes[2], cluster.nodes[1], cluster.nodes[0]])
        #expect(other.end == .exited(1))
        #expect(other.output.contains("! 1 of 3 voters answer"))
        let nobody = try status([cluster.nodes[1], cluster.nodes[2]])
        #expect(nobody.end == .exited(69))
        #expect(nobody.errors.split(separator: "\n").count == 1)
      }
    }

    @Test("one is paused: it takes connections and says nothing, which is told from one that has ended")
    func paused() async throws {
      try await withCluster(of: 3) { cluster in
        let paused = cluster.nodes[2]
        paused.send(SIGSTOP)
        defer { paused.send(SIGCONT) }
        try cluster.awaitLeader(among: Array(cluster.nodes[..<2]))
        let report = try status([cluster.nodes[0]])
        #expect(report.end == .exited(1))
        #expect(report.output.contains("! \(paused.address) does not answer: it took the request"))
        #expect(report.output.contains("kill -CONT"))
        let asked = try status([paused], ["--patience", "1"])
        #expect(asked.end == .exited(69))
        #expect(asked.errors.contains("was silent for 1 s"))
      }
    }

    @Test("one was stopped in order: the others know when, and do not take it for a failure")
    func stopped() async throws {
      try await withCluster(of: 3) { cluster in
        try cluster.nodes[1].end(by: SIGTERM)
        try cluster.awaitLeader(among: [cluster.nodes[0], cluster.nodes[2]])
        let report = try status([cluster.nodes[2]])
        #expect(
          report.output.contains("! \(cluster.nodes[1].address) does not answer: it was stopped in order"))
        #expect(report.output.contains("One more voter that fails stops the cluster."))
        try cluster.nodes[1].startAgain()
        try eventually("everything is well again") {
          try status([cluster.nodes[2]]).output.hasSuffix("Everything is well.\n") ? () : nil
        }
      }
    }

    @Test(
      "the disk of one is full: it ends with status 74, and the others tell why it is gone",
      .enabled(if: SmallDisk.isPermitted, "small file systems cannot be mounted here"))
    func fullDisk() async throws {
      let folder = try TemporaryFolder()
      defer { folder.remove() }
      let disk = try SmallDisk(at: "\(folder.path)/small")
      let ports = try (0..<3).map { _ in try Port() }
      let nodes = try ports.enumerated().map { number, port in
        try NodeProcess(
          at: port, peers: ports.map(\.address).filter { $0 != port.address },
          options: StoreChoice.database.options(
            volume: number == 2 ? "\(disk.path)/node" : "\(folder.path)/node-\(number)"))
      }
      defer {
        for node in nodes { _ = try? node.end(by: SIGKILL) }
        disk.unmount()
      }
      for node in nodes { try node.awaitLeader() }
      let value = "\"" + String(repeating: "x", count: 200_000) + "\""
      try eventually("the disk is full", within: 60) {
        _ = try nodes[0].ask(Request.put("k", value))
        return nodes[2].isAlive ? nil : ()
      }
      #expect(nodes[2].process.end == .exited(74), "\(nodes[2].log.suffix(2_000))")
      let report = try status([nodes[0]])
      #expect(report.end == .exited(1))
      #expect(report.output.contains("because its disk is full"), "\(report.output)")
      #expect(report.output.contains("Free space on the disk of its --volume"))
      #expect(try nodes[1].insist(on: Request.put("after", "1")).isSuccess)
    }

    @Test(
      "one is cut off from the others, and answers whoever asks: whom it does not reach, and that it serves nobody",
      .enabled("networks can be made") { SeparateHosts.isPossible }, arguments: [false, true])
    func partitioned(isLeaderCutOff: Bool) async throws {
      let hosts = try SeparateHosts(3)
      defer { hosts.remove() }
      let addresses = hosts.addresses
      let processes = try hosts.startNodes()
      defer { for process in processes { process.send(SIGKILL) } }
      func report(_ asked: Int) throws -> EndedCommand {
        try EndedCommand(["status", "--ip", addresses[asked]])
      }
      try eventually("it is well") {
        try report(0).output.hasSuffix("Everything is well.\n") ? () : nil
      }
      let leader = try #require(
        (0..<3).first { number in
          let answer = try? SocketClient(to: 5000, of: hosts.host(number), patience: 5).ask(Request.status)
          let status = answer.flatMap { try? NodeStatus($0) }
          return status?.role == "leader"
        })
      let lost = isLeaderCutOff ? leader : (leader + 1) % 3
      hosts.setCut(lost, true)
      let other = (lost + 1) % 3
      try eventually("the others say who is cut off", within: 60) {
        let report = try report(other)
        return report.end == .exited(1) && report.output.contains("! \(addresses[lost]) does not reach")
          && report.output.contains("it is cut off from the majority, and its clients are refused")
          && report.output.contains("Look at the network and the firewalls between them") ? () : nil
      }
      // Also if the one that is cut off is asked, which may know nobody else by now.
      let asked = try report(lost)
      #expect(asked.end == .exited(1))
      #expect(asked.output.contains("it is cut off from the majority"), "\(asked.output)")
      hosts.setCut(lost, false)
      try eventually("it is well again", within: 60) {
        try report(lost).output.hasSuffix("Everything is well.\n") ? () : nil
      }
    }

    @Test("one is of another cluster; one still waits for others; one does not speak as a node")
    func strangers() async throws {
      try await withCluster(of: 3, store: .database) { cluster in
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let place = cluster.nodes[2]
        try place.end(by: SIGKILL)
        let alone = try NodeProcess(
          at: place.port, options: StoreChoice.database.options(volume: "\(folder.path)/alone"))
        defer { alone.send(SIGKILL) }
        try alone.awaitLeader()
        let report = try status([cluster.nodes[0]])
        #expect(report.output.contains("! The node at \(place.address) belongs to another cluster"))
        #expect(report.output.contains("the right --volume"))
        let add = try EndedCommand(["member", "add", place.address, "--ip", cluster.nodes[0].address])
        #expect(add.end == .exited(64))
        #expect(add.errors.contains("is a node of another cluster"))

        let port = try Port()
        let missing = try Port()
        let waiting = try NodeProcess(at: port, peers: [missing.address])
        defer { waiting.send(SIGKILL) }
        try waiting.awaitAnswer()
        let founding = try status([waiting])
        #expect(founding.end == .exited(1))
        #expect(founding.output.contains("is in no cluster yet: it waits for \(missing.address)"))
        #expect(founding.output.contains("Start \(missing.address), with the same set of addresses"))
      }
    }

    @Test("it is shown again and again, also while nodes come and go, until interrupted")
    func watch() async throws {
      try await withCluster(of: 3) { cluster in
        let child = try ChildProcess(
          try BuiltProduct.path("raftnode"),
          ["status", "--ip", cluster.nodes[0].address, "--watch", "1", "--json"])
        defer { child.send(SIGKILL) }
        try eventually("it is well") { child.output.contains(#""troubles":[]"#) ? () : nil }
        // The one that was named is gone; the others are known by now.
        try cluster.nodes[0].end(by: SIGKILL)
        try eventually("it is not well") { child.output.contains(#""code":"no_answer""#) ? () : nil }
        child.send(SIGINT)
        #expect(try child.awaitEnd() == .killed(signal: SIGINT))
        for line in child.output.split(separator: "\n") {
          #expect((try? JSONSerialization.jsonObject(with: Data(line.utf8))) is [String: Any], "\(line)")
        }
      }
    }
  }

  @Suite("Members that are added and replaced by hand")
  struct MemberCommandTests {
    private func voters(_ node: NodeProcess) throws -> [String] {
      try node.status()?.members.filter { $0.role == "voter" }.map(\.address).sorted() ?? []
    }

    @Test("a durable member that has lost its disk is replaced at its address, by whoever is asked")
    func replaceAtSameAddress() async throws {
      try await withCluster(of: 3, store: .database) { cluster in
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try cluster.nodes[0].insist(on: Request.put("k", "1"))
        let lost = cluster.nodes[1]
        let former = try #require(try lost.status()).id
        try lost.end(by: SIGKILL)
        let others = cluster.others(than: lost)
        try cluster.awaitLeader(among: others)
        let new = try NodeProcess(
          at: lost.port, peers: [others[0].address],
          options: StoreChoice.database.options(volume: "\(folder.path)/new"))
        defer { _ = try? new.end(by: SIGKILL) }
        try new.awaitLog("member replace")
        #expect(
          try EndedCommand(["status", "--ip", others[0].address]).output.contains(
            "member replace \(lost.address)"))
        let command = try EndedCommand([
          "member", "replace", lost.address, lost.address, "--ip",
          others.map(\.address).joined(separator: ","), "--json",
        ])
        #expect(command.end == .exited(0), "\(command.errors)")
        let result = try JSONSerialization.jsonObject(with: Data(command.output.utf8)) as? [String: String]
        #expect(result?["replaced"] == former)
        let id = try #require(try new.status()).id
        #expect(result?["id"] == id)
        #expect(try voters(others[1]) == cluster.nodes.map(\.address).sorted())
        #expect(try new.insist(on: Request.get("k")).value == "1")
        // The one that was replaced comes back with its disk: it is told, and ends.
        try new.end(by: SIGKILL)
        try lost.startAgain()
        #expect(try lost.process.awaitEnd() == .exited(77))
      }
    }

    @Test("a member is replaced by a node elsewhere that has joined, or that joins while the command waits")
    func replaceElsewhere() async throws {
      try await withCluster(of: 3, store: .database) { cluster in
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let lost = cluster.nodes[2]
        try lost.end(by: SIGKILL)
        let asked = cluster.nodes[0]
        try cluster.awaitLeader(among: cluster.others(than: lost))
        let port = try Port()
        let waiting = try ChildProcess(
          try BuiltProduct.path("raftnode"),
          ["member", "replace", lost.address, port.address, "--ip", asked.address])
        defer { waiting.send(SIGKILL) }
        try eventually("it says what it waits for") {
          waiting.errors.contains("no node is at \(port.address)") ? () : nil
        }
        let new = try NodeProcess(
          at: port, peers: [asked.address],
          options: StoreChoice.database.options(volume: "\(folder.path)/new"))
        defer { _ = try? new.end(by: SIGKILL) }
        #expect(try waiting.awaitEnd(within: 60) == .exited(0), "\(waiting.errors)")
        let members = [cluster.nodes[0].address, cluster.nodes[1].address, port.address].sorted()
        #expect(try voters(cluster.nodes[1]) == members)

        let again = try EndedCommand(["member", "replace", lost.address, port.address, "--ip", asked.address])
        #expect(again.end == .exited(64))
        #expect(again.errors.contains("no member has the address or id"))
        let never = try EndedCommand([
          "member", "replace", new.address, "127.0.0.1:1", "--ip", asked.address, "--patience", "1",
        ])
        #expect(never.end == .exited(75))
        #expect(never.errors.contains("no node is at 127.0.0.1:1"))
        #expect(try voters(cluster.nodes[1]) == members, "nothing has changed")
      }
    }

    @Test("adding waits until the new node votes, and says what it waits for")
    func add() async throws {
      try await withCluster(of: 1) { cluster in
        let port = try Port()
        let asked = cluster.nodes[0]
        let waiting = try ChildProcess(
          try BuiltProduct.path("raftnode"), ["member", "add", port.address, "--ip", asked.address, "--json"])
        defer { waiting.send(SIGKILL) }
        try eventually("it says how to start it") {
          waiting.errors.contains("raftnode --ip \(port.address) --peers \(asked.address)") ? () : nil
        }
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let new = try NodeProcess(
          at: port, peers: [asked.address],
          options: StoreChoice.ofThisRun.options(volume: "\(folder.path)/new"))
        defer { _ = try? new.end(by: SIGKILL) }
        #expect(try waiting.awaitEnd(within: 60) == .exited(0), "\(waiting.errors)")
        #expect(waiting.output.contains(#""addr":"\#(port.address)""#))
        #expect(try voters(asked) == [asked.address, port.address].sorted())
        let list = try EndedCommand(["member", "list", "--ip", port.address]).output
        #expect(list.contains(asked.address) && list.contains("leads"), "\(list)")
        let late = try EndedCommand([
          "member", "add", "127.0.0.1:1", "--ip", asked.address, "--patience", "1",
        ])
        #expect(late.end == .exited(75))
        #expect(late.errors.contains("127.0.0.1:1 does not vote within 1 s"))
      }
    }
  }
}

/// A file system of a few megabytes.
final class SmallDisk: Sendable {
  let path: String

  /// Whether this process may mount one.
  static let isPermitted: Bool = {
    guard let folder = try? TemporaryFolder() else { return false }
    defer { folder.remove() }
    guard let disk = try? SmallDisk(at: "\(folder.path)/try") else { return false }
    disk.unmount()
    return true
  }()

  init(at path: String) throws {
    self.path = path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    let mount = try ChildProcess("mount", ["-t", "tmpfs", "-o", "size=8m", "raftnode-test", path])
    guard try mount.awaitEnd() == .exited(0) else { throw NeverHappened("a small file system is mounted") }
  }

  func unmount() { _ = try? ChildProcess("umount", ["--lazy", path]).awaitEnd() }
}
