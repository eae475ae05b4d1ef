import Foundation
import Testing

@testable import RaftBench

@Suite("Generating load", .timeLimit(.minutes(1)))
struct LoadGeneratorTests {
  private func plan(_ server: FakeServer, _ change: (inout BenchPlan) -> Void) -> BenchPlan {
    var plan = BenchPlan()
    plan.nodes = [("127.0.0.1", server.port)]
    (plan.wireProtocol, plan.clients, plan.requests) = (.resp, 1, 100)
    change(&plan)
    return plan
  }

  private static func ok(_ number: Int, _ isRead: Bool) -> FakeServer.Reply {
    .answer(isRead ? "$-1\r\n" : "+OK\r\n")
  }

  @Test("so many requests are sent as were asked for, each key once, on all connections")
  func requests() throws {
    let server = try FakeServer(Self.ok)
    defer { server.stop() }
    let plan = plan(server) {
      ($0.clients, $0.pipeline, $0.requests, $0.distribution) = (3, 4, 1_001, .sequential)
    }
    let report = try LoadGenerator(plan).run()
    #expect(report.succeeded == 1_001)
    #expect(report.failed == 0)
    #expect(report.reconnections == 0)
    #expect(Set(server.keys).count == 1_001)
    #expect(server.keys.max() == "key:000000001000")
  }

  @Test("reads and writes are counted apart, in JSON as well")
  func shares() throws {
    let server = try FakeServer { _, isRead in
      .answer(
        isRead
          ? "{\"type\":\"get\",\"data\":{\"type\":\"get\",\"key\":\"k\",\"value\":null}}\n"
          : "{\"type\":\"put\",\"data\":true}\n")
    }
    defer { server.stop() }
    let plan = plan(server) { ($0.wireProtocol, $0.readShare, $0.requests) = (.json, 0.9, 1_000) }
    let report = try LoadGenerator(plan).run()
    #expect(report.succeeded == 1_000)
    #expect((850...950).contains(report.reads.count))
    #expect(report.latencies.count == 1_000)
  }

  @Test("errors are counted by their code, and are no successes")
  func errors() throws {
    let server = try FakeServer { number, isRead in
      switch number {
      case 3, 4: .answer("-TRYAGAIN there is no leader\r\n")
      case 7: .answer("-ERR of another kind\r\n")
      default: Self.ok(number, isRead)
      }
    }
    defer { server.stop() }
    let report = try LoadGenerator(plan(server) { $0.pipeline = 2 }).run()
    #expect(report.failures.map(\.code) == ["TRYAGAIN", "ERR"])
    #expect(report.failures.map(\.count) == [2, 1])
    #expect(report.failures.first?.example == "TRYAGAIN there is no leader")
    #expect(report.succeeded == 97)
  }

  @Test("errors in JSON are told by their code")
  func errorsInJSON() throws {
    let server = try FakeServer { number, _ in
      .answer(
        number == 5
          ? "{\"type\":\"put\",\"data\":false,\"error\":{\"code\":\"no_leader\",\"message\":\"m\"}}\n"
          : "{\"type\":\"put\",\"data\":true}\n")
    }
    defer { server.stop() }
    let report = try LoadGenerator(plan(server) { $0.wireProtocol = .json }).run()
    #expect(report.failures.map(\.code) == ["no_leader"])
    #expect(report.succeeded == 99)
  }

  @Test("a client that loses its connection counts what was under way, and goes on at the next node")
  func lostConnections() throws {
    let lost = try FakeServer { number, isRead in number == 20 ? .hangUp : Self.ok(number, isRead) }
    let other = try FakeServer(Self.ok)
    defer {
      lost.stop()
      other.stop()
    }
    let plan = plan(lost) {
      $0.nodes.append(("127.0.0.1", other.port))
      $0.pipeline = 5
    }
    let report = try LoadGenerator(plan).run()
    #expect(report.failures.map(\.code) == ["connection_lost"])
    #expect(report.reconnections == 1)
    #expect(report.succeeded + report.failed == 100)
    #expect(!other.keys.isEmpty)
  }

  @Test("a node that falls silent is left when the patience is over")
  func silence() throws {
    let silent = try FakeServer { number, isRead in number >= 10 ? .silence : Self.ok(number, isRead) }
    let other = try FakeServer(Self.ok)
    defer {
      silent.stop()
      other.stop()
    }
    let plan = plan(silent) {
      $0.nodes.append(("127.0.0.1", other.port))
      $0.patienceSeconds = 0.2
    }
    let report = try LoadGenerator(plan).run()
    #expect(report.failures.map(\.code) == ["timeout"])
    #expect(report.failed == 1)
    #expect(report.succeeded == 99)
    #expect(report.longestGap >= 200_000_000)
  }

  @Test("at a fixed rate a pause of the server shows in all requests that were due meanwhile")
  func coordinatedOmission() throws {
    let server = try FakeServer { number, _ in number == 50 ? .late(0.4, "+OK\r\n") : .answer("+OK\r\n") }
    defer { server.stop() }
    let plan = plan(server) {
      ($0.rate, $0.requests, $0.seconds, $0.warmUpSeconds) = (500, nil, 1, 0)
    }
    let report = try LoadGenerator(plan).run()
    #expect((499...501).contains(report.succeeded))
    #expect(report.failed == 0)
    // Of 200 requests that were due within the pause, 100 were so 0.2 seconds before its end or earlier.
    #expect(report.latencies.percentile(85) >= 200_000_000)
    #expect(report.longestGap >= 400_000_000)
  }

  @Test("at a fixed rate a refusal lets the client go on, with as many requests under way as before")
  func refusalsAtAFixedRate() throws {
    let server = try FakeServer { number, isRead in
      number % 7 == 3 ? .answer("-TRYAGAIN\r\n") : Self.ok(number, isRead)
    }
    defer { server.stop() }
    let plan = plan(server) { ($0.rate, $0.requests, $0.pipeline, $0.clients) = (5_000, 2_000, 3, 2) }
    let report = try LoadGenerator(plan).run()
    #expect(report.succeeded + report.failed == 2_000)
    #expect(report.failures.map(\.code) == ["TRYAGAIN"])
  }

  @Test("what a node does not answer within the patience has failed, at a fixed rate too")
  func unanswered() throws {
    let server = try FakeServer { number, isRead in number >= 11 ? .silence : Self.ok(number, isRead) }
    defer { server.stop() }
    let plan = plan(server) {
      ($0.rate, $0.requests, $0.seconds, $0.warmUpSeconds, $0.patienceSeconds) = (100, nil, 0.5, 0, 0.3)
    }
    let report = try LoadGenerator(plan).run()
    #expect(report.succeeded == 10)
    #expect((39...41).contains(report.failed))
    #expect(report.failures.allSatisfy { $0.code == "timeout" })
  }

  @Test("at the beginning, each node has to answer, without an error, in the right protocol")
  func beginnings() throws {
    let refusing = try FakeServer { _, _ in .answer("-NOAUTH no password was given\r\n") }
    let silent = try FakeServer { _, _ in .silence }
    defer {
      refusing.stop()
      silent.stop()
    }
    func reason(_ plan: BenchPlan) -> String {
      do throws(BenchError) {
        _ = try LoadGenerator(plan).run()
        return ""
      } catch {
        return error.description
      }
    }
    let name = "127.0.0.1:\(refusing.port)"
    #expect(reason(plan(refusing) { _ in }) == "\(name) refuses a read: NOAUTH no password was given")
    #expect(
      reason(plan(refusing) { $0.wireProtocol = .json })
        == "\(name) does not speak JSON; another --protocol may help")
    #expect(reason(plan(silent) { $0.patienceSeconds = 0.1 }).hasSuffix("and is silent for 0.1 seconds"))
    #expect(
      reason(plan(refusing) { $0.nodes = [("127.0.0.1", 1)] })
        == "127.0.0.1:1 does not answer: Connection refused")
    #expect(reason(plan(refusing) { $0.nodes = [] }) == "no node is named")
  }

  @Test(
    "a plan out of range is refused in words",
    arguments: [
      { $0.clients = 0 }, { $0.pipeline = 0 }, { $0.rate = 0 }, { $0.seconds = 0 }, { $0.seconds = .nan },
      { $0.warmUpSeconds = -1 }, { $0.valueBytes = -1 }, { $0.keys = 0 }, { $0.readShare = 1.1 },
      { $0.requests = 0 }, { $0.patienceSeconds = 0 },
    ] as [@Sendable (inout BenchPlan) -> Void])
  func faults(_ change: @Sendable (inout BenchPlan) -> Void) {
    var plan = BenchPlan()
    plan.nodes = [("127.0.0.1", 1)]
    #expect(plan.fault == nil)
    change(&plan)
    #expect(plan.fault?.contains("allowed") == true || plan.fault?.contains("must be") == true)
  }
}

@Suite("Requests of a load")
struct RequestTests {
  private func request(_ encoder: RequestEncoder, _ key: UInt64, isRead: Bool) -> String {
    let place = UnsafeMutableRawBufferPointer.allocate(byteCount: encoder.bytesMax, alignment: 1)
    defer { place.deallocate() }
    guard let base = place.baseAddress else { return "" }
    let size = encoder.encode(key, isRead: isRead, to: base)
    return String(decoding: place[..<size], as: UTF8.self)
  }

  @Test("are those of the protocol, with the digits of the key in their place")
  func bytes() {
    let resp = RequestEncoder(.resp, valueBytes: 3)
    let json = RequestEncoder(.json, valueBytes: 3)
    #expect(
      request(resp, 123_456_789, isRead: false)
        == "*3\r\n$3\r\nSET\r\n$16\r\nkey:000123456789\r\n$3\r\nxxx\r\n")
    #expect(request(resp, 0, isRead: true) == "*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000000\r\n")
    #expect(
      request(json, 7, isRead: false) == "{\"type\":\"put\",\"key\":\"key:000000000007\",\"value\":\"xxx\"}\n"
    )
    #expect(request(json, 999_999_999, isRead: true) == "{\"type\":\"get\",\"key\":\"key:000999999999\"}\n")
  }

  private func counts(_ distribution: BenchPlan.Distribution, _ keys: Int, draws: Int) -> [Int] {
    var picker = KeyPicker(distribution, keys: keys, seed: 7)
    var counts = [Int](repeating: 0, count: keys)
    for _ in 0..<draws { counts[Int(picker.key())] += 1 }
    return counts
  }

  @Test("have keys in order, or each as often as any other")
  func evenKeys() {
    #expect(counts(.sequential, 10, draws: 25) == [3, 3, 3, 3, 3, 2, 2, 2, 2, 2])
    let uniform = counts(.uniform, 10, draws: 100_000)
    #expect(uniform.allSatisfy { (9_500...10_500).contains($0) })
  }

  @Test("have a few keys most of the time", arguments: [1, 2, 3, 1_000, 50_000])
  func skewedKeys(_ keys: Int) {
    let sorted = counts(.zipfian, keys, draws: 200_000).sorted(by: >)
    var sum = 0.0
    for rank in 1...keys { sum += 1 / pow(Double(rank), 0.99) }
    for rank in 1...min(keys, 2) {
      let share = 1 / pow(Double(rank), 0.99) / sum
      #expect(abs(Double(sorted[rank - 1]) / 200_000 - share) < 0.01)
    }
    guard keys >= 1_000 else { return }
    var half = 0.0
    for rank in 1...keys / 10 { half += 1 / pow(Double(rank), 0.99) / sum }
    #expect(abs(Double(sorted.prefix(keys / 10).reduce(0, +)) / 200_000 - half) < 0.03)
  }
}

@Suite("Reports of a load")
struct BenchReportTests {
  @Test("are JSON that says what was measured, and how")
  func json() throws {
    var report = BenchReport()
    for microseconds in 1...1_000 { report.writes.record(UInt64(microseconds) * 1_000) }
    report.fail("no_leader", "a \"quote\"\n")
    report.seconds = 0.5
    var plan = BenchPlan()
    plan.nodes = [("127.0.0.1", 5000)]
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(report.json(of: plan).utf8)) as? [String: Any])
    #expect(object["throughput"] as? Double == 2_000)
    #expect(object["errors"] as? [String: Int] == ["no_leader": 1])
    let latencies = try #require(object["latency_us"] as? [String: Double])
    #expect(abs((latencies["p99"] ?? 0) - 990) < 10)
    #expect(latencies["max"] == 1_000)
  }

  @Test(
    "write numbers with so many digits",
    arguments: [
      (0.0, 2, "0.00"), (1.005, 1, "1.0"), (12.3456, 3, "12.346"), (0.05, 1, "0.1"), (99.96, 1, "100.0"),
      (7.0, 0, "7"),
    ])
  func decimals(_ number: Double, _ digits: Int, _ text: String) {
    #expect(BenchReport.decimal(number, digits) == text)
  }

  @Test("are a table for people")
  func text() {
    var report = BenchReport()
    report.reads.record(1_500_000)
    report.writes.record(2_500_000)
    report.seconds = 1
    report.fail("ERR", "wrong")
    #expect(report.text.contains("throughput   2 requests/s: 2 in 1.00 s"))
    #expect(report.text.contains("failed: 1 with ERR: wrong"))
    #expect(report.text.contains("reads             1.500"))
  }
}
