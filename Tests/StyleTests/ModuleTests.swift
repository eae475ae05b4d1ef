import Testing

@Suite("Modules depend on each other in one direction")
struct ModuleTests {
  /// What each module may import. `Glibc` stands for the C library, where there are sockets and clocks.
  static let allowed: [(module: String, imports: [String])] = [
    ("RaftCore", []),
    ("RaftStore", ["RaftCore"]),
    ("RaftTransport", ["RaftCore", "Dispatch", "Glibc"]),
    ("RaftServer", ["RaftCore", "RaftStore", "RaftTransport", "Dispatch", "Glibc"]),
    ("RaftKV", ["RaftCore", "RaftStore", "RaftTransport", "RaftServer"]),
    ("RaftSimulation", ["RaftCore", "RaftStore", "RaftTransport", "RaftServer"]),
    (
      "raftnode",
      [
        "RaftCore", "RaftStore", "RaftTransport", "RaftServer", "RaftKV", "ArgumentParser", "Logging",
        "Dispatch",
        "Glibc",
      ]
    ),
  ]

  @Test("every module imports only what stands below it", arguments: SourceTree.sources)
  func imports(_ file: SourceTree.File) {
    guard let rule = Self.allowed.first(where: { $0.module == file.module }) else {
      Issue.record("\(file.path) is in a module without a rule")
      return
    }
    for line in file.codeLines {
      guard
        let match = line.firstMatch(
          of: /^\s*(@\w+(\([^)]*\))?\s+)*(public |package |internal |private )?import\s+(\w+\s+)?(\w+)/)
      else { continue }
      let name = String(match.output.5)
      #expect(rule.imports.contains(name), "\(file.path) imports \(name)")
    }
  }

  @Test("a module is where the package says it is")
  func everyModuleHasSources() {
    for rule in Self.allowed {
      #expect(SourceTree.sources.contains { $0.module == rule.module }, "\(rule.module) has no sources")
    }
  }

  /// Where the order of anything may decide what happens on a replica, and so has to be the same in every process.
  static let deterministic = ["RaftCore", "RaftSimulation"]

  @Test("protocol and simulation have no Dictionary or Set, whose order differs from process to process")
  func noHashedCollections() {
    for file in SourceTree.sources where Self.deterministic.contains(file.module) {
      for (index, line) in file.codeLines.enumerated() {
        let isHashed =
          line.contains(/\b(Dictionary|Set)\s*[<(]/) || line.contains(/\[\s*[A-Z][\w.<>]*\s*:\s*[A-Z(\[]/)
          || line.contains(/\[:\]/)
        #expect(!isHashed, "\(file.path):\(index + 1) declares a Dictionary or Set")
      }
    }
  }

  @Test("protocol and state machines read no clock and draw no random numbers of the system")
  func noClockAndNoRandomness() {
    let forbidden =
      /\b(SystemRandomNumberGenerator|ContinuousClock|SuspendingClock|clock_gettime|DispatchTime|Date)\b|\.random\(|\.shuffled\(|\.randomElement\(/
    for file in SourceTree.sources
    where Self.deterministic.contains(file.module) || file.path.contains("/Machine/") {
      for (index, line) in file.codeLines.enumerated() {
        #expect(!line.contains(forbidden), "\(file.path):\(index + 1) depends on more than its input")
      }
    }
  }
}
