import ArgumentParser
import Foundation
import RaftBench
import RaftCore
import RaftStore

/// Compares the durable writes of one node, over sockets, with what RocksDB alone makes durable on the same disk in the
/// same minute: alternately, so that whatever else the machine does hits both.
struct BenchStore: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench-store",
    abstract: "Durable writes of one node, beside synced batches of RocksDB alone.")

  @Option(help: "The built raftnode.")
  var node = ".build/release/raftnode"

  @Option(help: "How often both are measured.")
  var rounds = 5

  @Option(help: "How long each is measured, in seconds.")
  var seconds = 2.0

  @Option(help: "Bytes of a value.")
  var valueBytes = 100

  @Flag(help: "End with status 1 if a ratio is below one half.")
  var check = false

  mutating func run() throws {
    var isGood = true
    print(
      "| clients = entries in a batch | node, writes/s | p99 | RocksDB alone, entries/s | ratio |\n|---|---|---|---|---|"
    )
    for width in [64, 512] {
      var (nodes, alone, tails) = ([Double](), [Double](), [UInt64]())
      for _ in 0..<rounds {
        alone.append(try measureRocksDB(batch: width))
        let report = try measureNode(clients: width)
        guard report.failed == 0 else {
          throw ValidationError("the node refused: \(report.failures.first?.example ?? "")")
        }
        nodes.append(report.throughput)
        tails.append(report.latencies.percentile(99))
      }
      let ratio = median(nodes) / median(alone)
      isGood = isGood && ratio >= 0.5
      print(
        "| \(width) | \(Int(median(nodes))) | \(tails.sorted()[rounds / 2] / 1_000) µs | \(Int(median(alone))) "
          + "| \((ratio * 100).rounded() / 100) |")
    }
    if check, !isGood { throw ExitCode(1) }
  }

  private func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

  private func temporaryFolder() throws -> String {
    let path = FileManager.default.currentDirectoryPath + "/.build/bench-store-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    return path
  }

  /// Entries a second that RocksDB makes durable in batches of so many.
  private func measureRocksDB(batch width: Int) throws -> Double {
    let folder = try temporaryFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let database = try RocksDatabase(
      at: folder + "/alone", .init(hasLog: true, cacheBytes: 1 << 20, writeBufferBytes: 16 << 20))
    let value = Bytes(repeating: 120, count: valueBytes)
    let clock = ContinuousClock()
    let start = clock.now
    var count = 0
    var batch = WriteBatch()
    while clock.now - start < .seconds(seconds) {
      batch.removeAll()
      for _ in 0..<width {
        batch.put(value, for: withUnsafeBytes(of: UInt64(count).bigEndian) { Bytes($0) })
        count += 1
      }
      try database.write(batch, isSynced: true)
    }
    return Double(count) / ((clock.now - start) / .seconds(1))
  }

  private func measureNode(clients: Int) throws -> BenchReport {
    let folder = try temporaryFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let port = UInt16(20_000 + ProcessInfo.processInfo.processIdentifier % 10_000)
    let process = Process()
    process.executableURL = URL(filePath: node)
    process.arguments = [
      "--ip", "127.0.0.1:\(port)", "--store", "database", "--volume", folder + "/node", "--log-level",
      "error",
    ]
    try process.run()
    defer {
      process.terminate()
      process.waitUntilExit()
    }
    var plan = BenchPlan()
    plan.nodes = [("127.0.0.1", port)]
    plan.clients = clients
    plan.seconds = seconds
    plan.valueBytes = valueBytes
    try awaitNode(plan)
    return try LoadGenerator(plan).run()
  }

  private func awaitNode(_ plan: BenchPlan) throws {
    var probe = plan
    (probe.clients, probe.requests) = (1, 1)
    for _ in 0..<200 {
      if let report = try? LoadGenerator(probe).run(), report.failed == 0 { return }
      Thread.sleep(forTimeInterval: 0.05)
    }
    throw ValidationError("the node does not serve")
  }
}

BenchStore.main()
