import Foundation
import Glibc

/// One running `raftnode`, started from the build folder that these tests were built into.
final class NodeProcess: @unchecked Sendable {
  let address: String
  let port: UInt16
  private let process = Process()
  private let log: URL

  /// Starts a node. It is to be stopped by ``stop()``.
  init(port: UInt16, peers: [UInt16] = [], arguments: [String] = []) throws {
    self.port = port
    address = "127.0.0.1:\(port)"
    log = FileManager.default.temporaryDirectory.appending(
      path: "raftnode-\(port)-\(UInt64.random(in: 0...UInt64.max)).log")
    _ = FileManager.default.createFile(atPath: log.path, contents: nil)
    process.executableURL = Self.buildFolder.appending(path: "raftnode")
    var all = ["--ip", address]
    if !peers.isEmpty { all += ["--peers", peers.map { "127.0.0.1:\($0)" }.joined(separator: ",")] }
    process.arguments = all + arguments
    process.standardError = try FileHandle(forWritingTo: log)
    process.standardOutput = FileHandle.nullDevice
    try process.run()
  }

  /// Where the executables are: beside the bundle that holds these tests.
  static let buildFolder: URL = {
    let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? CommandLine.arguments[0]
    return URL(fileURLWithPath: bundle).deletingLastPathComponent()
  }()

  var isRunning: Bool { process.isRunning }

  /// What it has logged so far.
  var logText: String { (try? String(contentsOf: log, encoding: .utf8)) ?? "" }

  func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

  /// CPU time used so far, in clock ticks of the system (usually 10 ms).
  var cpuTicks: Int {
    let text = (try? String(contentsOfFile: "/proc/\(process.processIdentifier)/stat", encoding: .utf8)) ?? ""
    let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
    return fields.count > 12 ? (Int(fields[11]) ?? 0) + (Int(fields[12]) ?? 0) : 0
  }

  /// Waits for the end and gives the exit status; a death by signal is its negative number.
  @discardableResult
  func wait() -> Int32 {
    process.waitUntilExit()
    return process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus
  }

  /// Ends the process, whatever state it is in.
  func stop() {
    guard process.isRunning else { return }
    send(SIGCONT)
    send(SIGKILL)
    process.waitUntilExit()
  }

  deinit {
    stop()
    try? FileManager.default.removeItem(at: log)
  }
}

/// Ports for nodes: each call gives ports that no other test of this run got, and that were free a moment ago.
enum Ports {
  private static let next = Counter()

  private final class Counter: @unchecked Sendable {
    private let lock = NSLock()
    private var value = UInt16.random(in: 20_000..<28_000)
    func take() -> UInt16 {
      lock.withLock {
        value += 1
        return value
      }
    }
  }

  static func take(_ count: Int) -> [UInt16] {
    var ports: [UInt16] = []
    while ports.count < count {
      let port = next.take()
      let probe = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      var one: Int32 = 1
      setsockopt(probe, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
      if withLoopback(port, { bind(probe, $0, $1) }) == 0 { ports.append(port) }
      close(probe)
    }
    return ports
  }
}

/// Calls `body` with the address 127.0.0.1:port.
func withLoopback<Result>(_ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = port.bigEndian
  address.sin_addr.s_addr = inet_addr("127.0.0.1")
  return withUnsafePointer(to: &address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
    }
  }
}

/// Several nodes that found one cluster.
final class ClusterOfProcesses: @unchecked Sendable {
  private(set) var nodes: [NodeProcess]

  init(_ count: Int, arguments: [String] = []) throws {
    let ports = Ports.take(count)
    nodes = try ports.map { port in
      try NodeProcess(port: port, peers: ports.filter { $0 != port }, arguments: arguments)
    }
  }

  var logs: String { nodes.map { "--- \($0.address)\n\($0.logText)" }.joined(separator: "\n") }

  func stop() { for node in nodes { node.stop() } }

  /// The leader that all of `among` (by default all nodes that run) agree on, waited for.
  func leader(among some: [NodeProcess]? = nil, seconds: Double = 30) throws -> NodeProcess {
    let some = some ?? nodes.filter(\.isRunning)
    let deadline = Date(timeIntervalSinceNow: seconds)
    while Date() < deadline {
      let named = Set(some.map { ClusterOfProcesses.leaderAddress(at: $0.port) ?? "" })
      if named.count == 1, let leader = some.first(where: { $0.address == named.first }) { return leader }
      usleep(10_000)
    }
    throw Failure("no leader within \(seconds) s\n\(logs)")
  }

  private static func leaderAddress(at port: UInt16) -> String? {
    (try? Client.ask(port, #"{"type":"status"}"#, seconds: 2))?["leader"] as? String
  }
}

/// Why a test cannot go on.
struct Failure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
