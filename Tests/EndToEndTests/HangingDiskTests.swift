import Foundation
import Testing

extension EndToEnd {
  /// That it takes less than a second is a matter of ticks, and tested with the core; here it is only told.
  @Suite("A leader whose disk hangs")
  struct HangingDiskTests {
    /// Runs `body` with three nodes and their disks.
    private func withDisks(
      _ part: HangingDisk.Part, _ options: [String] = [],
      _ body: ([NodeProcess], [HangingDisk]) async throws -> Void
    ) async throws {
      let folder = try TemporaryFolder()
      defer { folder.remove() }
      let ports = try (0..<3).map { _ in try Port() }
      let volumes = (0..<3).map { "\(folder.path)/node-\($0)" }
      let disks = try volumes.map { try HangingDisk(of: $0, part) }
      let nodes = try (0..<3).map { number in
        try NodeProcess(
          at: ports[number], peers: ports.map(\.address),
          options: StoreChoice.database.options(volume: volumes[number]) + options,
          environment: disks[number].environment)
      }
      defer {
        for node in nodes { node.send(SIGKILL) }
        for disk in disks { disk.goOn() }
        for node in nodes { _ = try? node.process.awaitEnd() }
      }
      do {
        try await body(nodes, disks)
      } catch {
        for node in nodes { print("--- \(node.address) logged:\n\(node.log.suffix(4_000))---") }
        throw error
      }
    }

    /// The number of the node that leads.
    private func leader(of nodes: [NodeProcess]) throws -> Int {
      try eventually("somebody leads") {
        guard let address = try nodes[0].status()?.leader else { return nil }
        return try nodes.firstIndex { try $0.address == address && $0.status()?.isLeader == true }
      }
    }

    @Test(
      "hands leadership over though it still sends heartbeats; writes go on, and it follows when its disk does"
    )
    func log() async throws {
      try await withDisks(.log) { nodes, disks in
        let old = try leader(of: nodes)
        try nodes[0].insist(on: Request.put("before", "1"))
        let rest = nodes.indices.filter { $0 != old }.map { nodes[$0] }
        try disks[old].hang()
        let start = monotonicNanoseconds()
        // Whoever asks the leader itself is not answered before the others have taken over.
        try rest[0].insist(on: Request.put("during", "2"))
        let milliseconds = (monotonicNanoseconds() - start) / 1_000_000
        print(
          "the log of the leader hung: the next write was acknowledged after \(milliseconds) milliseconds")
        let new = try leader(of: rest)
        #expect(rest[new] !== nodes[old])
        for number in 0..<20 { try rest[number % 2].insist(on: Request.put("during-\(number)", "\(number)")) }
        #expect(nodes[old].log.contains("the store does not finish a write"))
        #expect(try rest[1].insist(on: Request.get("during")).value == "2")

        disks[old].goOn()
        try nodes[old].awaitLog("the store has finished what it was late with")
        try eventually("it follows") { try nodes[old].status()?.role == "follower" }
        try nodes[old].insist(on: Request.put("after", "3"))
        for number in 0..<20 {
          #expect(try nodes[old].insist(on: Request.get("during-\(number)")).value == "\(number)")
        }
      }
    }

    @Test("is followed by another one when it cannot apply, because the disk under its data hangs")
    func data() async throws {
      try await withDisks(.data, ["--write-buffer-bytes", "1048576"]) { nodes, disks in
        let old = try leader(of: nodes)
        let rest = nodes.indices.filter { $0 != old }.map { nodes[$0] }
        try disks[old].hang()
        // What is applied gathers in memory, until that is full.
        let value = "\"\(String(repeating: "v", count: 60_000))\""
        var number = 0
        try eventually("another node leads") {
          try rest[number % 2].insist(on: Request.put("key-\(number)", value))
          number += 1
          let leader = try rest[0].status()?.leader
          return leader == rest[0].address || leader == rest[1].address
        }
        for further in number..<(number + 20) {
          try rest[further % 2].insist(on: Request.put("key-\(further)", value))
        }
        disks[old].goOn()
        try eventually("it follows") { try nodes[old].status()?.role == "follower" }
        for key in [0, number, number + 19] {
          #expect(try nodes[old].insist(on: Request.get("key-\(key)")).value == value)
        }
      }
    }
  }
}
