import Foundation

/// Nodes that each have a network of their own, so that the way between them can be cut while clients still reach them.
/// Needs root, `ip` and `iptables`.
final class SeparateHosts: Sendable {
  let count: Int
  /// Distinguishes them from those of another test run on the machine.
  private let tag: String
  private let subnet: Int
  private let forwarding: String

  private static let forwardingPath = "/proc/sys/net/ipv4/ip_forward"

  /// Whether such networks can be made here.
  static let isPossible: Bool = {
    guard getuid() == 0, Interpreter.isInstalled("ip"), Interpreter.isInstalled("iptables"),
      let hosts = try? SeparateHosts(2)
    else { return false }
    hosts.remove()
    return true
  }()

  init(_ count: Int) throws {
    self.count = count
    tag = "rn\(getpid() % 10_000)"
    subnet = Int(getpid()) % 80 * 3
    forwarding = (try? String(contentsOfFile: Self.forwardingPath, encoding: .utf8)) ?? "0"
    do {
      for number in 0..<count {
        let (space, outside, inside) = (name(number), "\(tag)o\(number)", "\(tag)i\(number)")
        try Self.run("ip", "netns", "add", space)
        try Self.run("ip", "link", "add", outside, "type", "veth", "peer", "name", inside)
        try Self.run("ip", "link", "set", inside, "netns", space)
        try Self.run("ip", "addr", "add", "\(network(number)).1/24", "dev", outside)
        try Self.run("ip", "link", "set", outside, "up")
        let within = ["netns", "exec", space, "ip"]
        try Self.run("ip", within + ["addr", "add", "\(network(number)).2/24", "dev", inside])
        try Self.run("ip", within + ["link", "set", inside, "up"])
        try Self.run("ip", within + ["link", "set", "lo", "up"])
        try Self.run("ip", within + ["route", "add", "default", "via", "\(network(number)).1"])
      }
      try "1".write(toFile: Self.forwardingPath, atomically: false, encoding: .utf8)
      try Self.run("iptables", "--list", "FORWARD", "--numeric")
    } catch {
      remove()
      throw error
    }
  }

  /// Takes everything away again.
  func remove() {
    for number in 0..<count {
      setCut(number, false)
      try? Self.run("ip", "netns", "del", name(number))
      try? Self.run("ip", "link", "del", "\(tag)o\(number)")
    }
    try? forwarding.write(toFile: Self.forwardingPath, atomically: false, encoding: .utf8)
  }

  /// Starts a program on one of them.
  func start(_ program: String, _ arguments: [String], on number: Int) throws -> ChildProcess {
    try ChildProcess("ip", ["netns", "exec", name(number), program] + arguments)
  }

  /// Where ``startNodes(_:)`` starts them.
  var addresses: [String] { (0..<count).map { "\(address($0)):5000" } }

  /// Starts a node on each, with the others as its peers.
  func startNodes(_ options: [String] = []) throws -> [ChildProcess] {
    try addresses.enumerated().map { number, address in
      let peers = addresses.filter { $0 != address }.joined(separator: ",")
      return try start(
        try BuiltProduct.path("raftnode"), ["--ip", address, "--peers", peers] + options, on: number)
    }
  }

  /// The address of one of them.
  func address(_ number: Int) -> String { "\(network(number)).2" }
  func host(_ number: Int) -> UInt32 { 10 << 24 | 213 << 16 | UInt32(subnet + number) << 8 | 2 }

  /// Cuts one of them off from the others, or heals that. Clients, which are outside, still reach it.
  func setCut(_ number: Int, _ isCut: Bool) {
    for direction in ["--source", "--destination"] {
      let rule = ["FORWARD", direction, address(number), "--jump", "DROP"]
      try? Self.run("iptables", ["--delete"] + rule)
      if isCut { try? Self.run("iptables", ["--insert"] + rule) }
    }
  }

  private func name(_ number: Int) -> String { "\(tag)-\(number)" }
  private func network(_ number: Int) -> String { "10.213.\(subnet + number)" }

  private static func run(_ program: String, _ arguments: String...) throws { try run(program, arguments) }

  private static func run(_ program: String, _ arguments: [String]) throws {
    let process = try ChildProcess(program, arguments)
    let end = try process.awaitEnd()
    guard end == .exited(0) else {
      throw NeverHappened("'\(program) \(arguments.joined(separator: " "))' works: \(end), \(process.errors)")
    }
  }
}
