import Foundation
import Testing

extension EndToEnd {
  @Suite("Nodes that are not who their address makes others believe")
  struct StrangerTests {
    @Test("and are of another cluster, are kept apart, with a line on both sides (scenario 58)")
    func anotherCluster() async throws {
      let folder = try TemporaryFolder()
      defer { folder.remove() }
      try await withCluster(of: 3, store: .database) { cluster in
        try cluster.awaitLeader()
        try cluster.nodes[0].insist(on: Request.put("whose", "1"))
        let absent = cluster.nodes[0]
        let rest = cluster.others(than: absent)

        // A cluster of one, with data of its own, is started again where a member of the other one was.
        let volume = StoreChoice.database.options(volume: "\(folder.path)/stranger")
        let alone = try NodeProcess(at: try Port(), options: volume)
        try alone.awaitLeader()
        try alone.insist(on: Request.put("whose", "2"))
        try alone.end(by: SIGTERM)
        try absent.end(by: SIGKILL)
        let stranger = try NodeProcess(at: absent.port, peers: rest.map(\.address), options: volume)
        defer { stranger.send(SIGKILL) }
        try stranger.awaitLog("they are kept apart")
        for node in rest { try node.awaitLog("they are kept apart") }
        try stranger.awaitLeader()

        // Nobody is taken in, nothing is mixed, and both go on.
        try rest[0].insist(on: Request.put("more", "1"))
        #expect(try rest[1].insist(on: Request.get("whose")).value == "1")
        #expect(try stranger.insist(on: Request.get("whose")).value == "2")
        #expect(try stranger.status()?.members.map(\.address) == [stranger.address])
        #expect(try rest[0].status()?.members.count == 3)
        #expect(try rest[0].status()?.members.first { $0.address == absent.address }?.isReachable == false)

        try stranger.end(by: SIGKILL)
        try absent.startAgain()
        try cluster.awaitLeader()
        #expect(try absent.insist(on: Request.get("more")).value == "1")
      }
    }

    @Test(
      "and have lost their disk, count for nothing until an operator has removed who they were (scenario 76)")
    func lostDisk() async throws {
      try await withCluster(of: 3, ["--request-timeout", "2"], store: .database) { cluster in
        try cluster.nodes[0].insist(on: Request.put("kept", "1"))
        let leader = try cluster.awaitLeader().node
        let followers = cluster.others(than: leader)
        let (wiped, other) = (followers[0], followers[1])
        let former = try wiped.awaitAnswer().id
        try wiped.end(by: SIGKILL)
        try FileManager.default.removeItem(atPath: try #require(wiped.volume))
        try wiped.startAgain()
        try wiped.awaitLog("is the address of the durable member \(former)")
        try leader.awaitLog("\(wiped.address) is not let in")
        #expect(try leader.status()?.members.contains { $0.id == former } == true)

        // It may have voted, and acknowledged, before: with it alone nobody leads, and nothing is acknowledged.
        try leader.end(by: SIGKILL)
        try eventually("the other one misses the leader") { try other.status()?.leader == nil }
        let answer = try other.ask(Request.put("kept", "2"))
        #expect(answer.refusal?.isNotExecuted == true, "\(answer)")
        #expect(try other.status()?.leader == nil)

        try leader.startAgain()
        try cluster.awaitLeader(among: [leader, other])
        #expect(try other.insist(on: Request.get("kept")).value == "1")
        try eventually("the former one is removed") {
          try [leader, other].contains { node in
            let answer = try node.ask(#"{"type":"member","action":"remove","addr":"\#(former)"}"#)
            return answer.isSuccess || answer.refusal?.code == "not_a_member"
          }
        }
        // Then it joins as somebody new, of its own accord.
        try eventually("the wiped node is a voter") {
          guard let status = try wiped.status(), status.id != former else { return false }
          return try other.status()?.members.contains { $0.id == status.id && $0.role == "voter" } == true
        }
        #expect(try wiped.insist(on: Request.get("kept")).value == "1")
        #expect(try other.status()?.members.count == 3)
      }
    }

    @Test("and whose log is damaged, do not start; replaced, they have everything again (scenario 63)")
    func damagedLog() async throws {
      try await withCluster(of: 3, store: .database) { cluster in
        for number in 0..<50 { try cluster.nodes[0].insist(on: Request.put("key-\(number)", "\(number)")) }
        let leader = try cluster.awaitLeader().node
        let damaged = cluster.others(than: leader)[0]
        let rest = cluster.others(than: damaged)
        let former = try damaged.awaitAnswer().id
        try damaged.end(by: SIGKILL)
        let volume = try #require(damaged.volume)
        let folder = "\(volume)/consensus"
        let names = try FileManager.default.contentsOfDirectory(atPath: folder).filter {
          $0.hasSuffix(".log")
        }
        let file = URL(filePath: "\(folder)/\(try #require(names.max()))")
        var bytes = try Data(contentsOf: file)
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: file)

        try damaged.startAgain()
        #expect(try damaged.process.awaitEnd() == .exited(74))
        #expect(damaged.log.split(separator: "\n").count == 1, "\(damaged.log)")
        #expect(damaged.log.contains(volume), "\(damaged.log)")
        try rest[0].insist(on: Request.put("meanwhile", "1"))

        try FileManager.default.removeItem(atPath: volume)
        try eventually("the damaged one is removed") {
          try rest.contains { node in
            let answer = try node.ask(#"{"type":"member","action":"remove","addr":"\#(former)"}"#)
            return answer.isSuccess || answer.refusal?.code == "not_a_member"
          }
        }
        try damaged.startAgain()
        try eventually("it is a voter") {
          guard let status = try damaged.status() else { return false }
          return status.members.count == 3 && status.members.allSatisfy { $0.role == "voter" }
        }
        for number in 0..<50 {
          #expect(try damaged.insist(on: Request.get("key-\(number)")).value == "\(number)")
        }
        #expect(try damaged.insist(on: Request.get("meanwhile")).value == "1")
      }
    }
  }
}
