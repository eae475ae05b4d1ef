import Foundation
import Testing

extension EndToEnd {
  @Suite("Answers beside those of Redis")
  struct RedisComparisonTests {
    private static let hasRedis = version.contains("v=7.0.")
    private static let version: String = {
      guard let process = try? ChildProcess("redis-server", ["--version"]), (try? process.awaitEnd()) != nil
      else { return "" }
      return process.output
    }()

    private static func cases() throws -> [(file: String, cases: [RedisCase])] {
      let folder = BuiltProduct.packageFolder.appendingPathComponent("Tests/EndToEndTests/Redis/cases")
      return try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted().map { file in
        let text = try String(contentsOf: folder.appendingPathComponent(file), encoding: .utf8)
        return (file, try RedisCase.parse(text))
      }
    }

    @Test("there are 700 cases, each with a name of its own")
    func count() throws {
      let names = try Self.cases().flatMap { $0.cases.map(\.name) }
      #expect(names.count >= 700)
      let byName = Dictionary(grouping: names) { $0 }
      #expect(byName.filter { $0.value.count > 1 }.keys.sorted() == [])
    }

    @Test(
      "are the same bytes, in RESP2 and RESP3, where they are not meant to differ",
      .enabled("there is a redis-server 7.0") { hasRedis }, arguments: [2, 3])
    func comparison(version: Int) async throws {
      let port = try Port()
      let server = try ChildProcess(
        "redis-server",
        ["--port", "\(port.number)", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
      try eventually("redis-server answers; it printed:\n\(server.output)") {
        (try? RedisSocket(to: port.number).ask("PING")) == "+PONG\r\n"
      }
      try await withNode { node in
        let cases = try Self.cases()
        let all = cases.flatMap(\.cases).filter { !$0.isDeliberate || version == 2 }
        var differences = 0
        for testCase in all {
          // Case by case, because some answers tell the time.
          async let expected = Self.replay(testCase, to: port.number, version)
          async let found = Self.replay(testCase, to: node.port.number, version)
          let (redis, own) = (await expected, await found)
          guard let difference = Self.difference(testCase, redis, own) else { continue }
          differences += 1
          if differences <= 20 { Issue.record("\(testCase.name): \(difference)") }
        }
        #expect(differences == 0)
        let answers = all.reduce(0) { $0 + $1.steps.count }
        print("RESP\(version): \(all.count) cases of \(answers) steps, \(differences) differences")
      }
      server.send(SIGTERM)
      try server.awaitEnd()
    }

    private static func replay(_ testCase: RedisCase, to port: UInt16, _ version: Int) async -> [[UInt8]] {
      var replay = RedisReplay(to: port, version: version)
      return replay.run(testCase)
    }

    /// Where the two differ though they should not, or do not though they should.
    private static func difference(_ testCase: RedisCase, _ redis: [[UInt8]], _ own: [[UInt8]]) -> String? {
      for (index, step) in testCase.steps.enumerated() {
        guard index < redis.count, index < own.count else {
          return "after \(index) steps: Redis \(shown(redis.last)), the node \(shown(own.last))"
        }
        let isAsMeant =
          if let expected = step.redis, let ownExpected = step.node {
            expected.matches(redis[index]) && ownExpected.matches(own[index])
          } else {
            step.comparison.agree(redis[index], own[index])
          }
        if !isAsMeant { return "'\(step.text)': Redis \(shown(redis[index])), the node \(shown(own[index]))" }
      }
      return nil
    }

    private static func shown(_ answer: [UInt8]?) -> String {
      String(decoding: (answer ?? []).prefix(400), as: UTF8.self).debugDescription
    }

    @Test("every command is in a case, unless Redis has it not")
    func everyCommand() async throws {
      let named = Set(
        try Self.cases().flatMap(\.cases).flatMap(\.steps).compactMap { step in
          switch step.action {
          case .request(let words, _), .silent(let words):
            String(decoding: words.first ?? [], as: UTF8.self).lowercased()
          default: nil
          }
        })
      try await withNode { node in
        let list = try RedisSocket(to: node.port.number).ask("COMMAND", "LIST")
        let names = list.split(separator: "\r\n").filter { !$0.hasPrefix("*") && !$0.hasPrefix("$") }
        #expect(names.count > 80)
        #expect(names.map(String.init).filter { !named.contains($0) } == [])
      }
    }
  }
}
