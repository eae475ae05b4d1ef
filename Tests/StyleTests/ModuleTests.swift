import Testing

@Suite("Modules depend on each other in one direction")
struct ModuleTests {
  /// What each module may import. `Glibc` stands for the C library, where there are sockets and clocks.
  static let allowed: [(module: String, imports: [String])] = [
    ("RaftCore", []),
    ("RaftChecksum", ["RaftCore", "CChecksum"]),
    ("RaftStore", ["RaftCore", "RaftChecksum", "CFile", "CRocksDB", "Glibc", "Synchronization"]),
    ("RaftStoreConformance", ["RaftCore", "RaftStore"]),
    ("RaftTransport", ["RaftCore", "RaftChecksum", "CEpoll", "Dispatch", "Glibc", "Synchronization"]),
    ("RaftServer", ["RaftCore", "RaftStore", "RaftTransport", "Dispatch", "Glibc", "Synchronization"]),
    ("RaftKV", ["RaftCore", "RaftStore", "RaftTransport", "RaftServer"]),
    ("RaftSimulation", ["RaftCore", "RaftStore", "RaftTransport", "RaftServer"]),
    ("RaftBench", ["CEpoll", "Glibc"]),
    ("raftfuzz", ["RaftCore", "RaftTransport", "RaftServer", "RaftKV", "ArgumentParser", "Glibc"]),
    ("raftsim", ["RaftSimulation", "ArgumentParser", "Glibc"]),
    (
      "raftnode",
      [
        "RaftCore", "RaftStore", "RaftTransport", "RaftServer", "RaftKV", "RaftBench", "ArgumentParser",
        "Logging", "CMalloc", "Dispatch", "Foundation", "Glibc",
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

  @Test("RaftCore has no Dictionary or Set at all: Swift orders them differently in every process")
  func coreHasNoHashedCollections() {
    for file in SourceTree.sources where file.module == "RaftCore" {
      for (index, line) in file.codeLines.enumerated() {
        #expect(Self.hashedCollection(in: line) == nil, "\(file.path):\(index + 1) has a Dictionary or Set")
      }
    }
  }

  /// Values of which everything observable follows from their inputs: the protocol, the driver around it, state machines,
  /// and the simulation.
  static let deterministic = SourceTree.sources.filter { file in
    ["RaftCore", "RaftSimulation"].contains(file.module)
      || ["/Machine/", "/Driving/", "/Founding/"].contains { file.path.contains($0) }
  }

  @Test(
    "what has to be deterministic looks things up in a Dictionary or Set at most, and never goes through one")
  func hashedCollectionsAreNotIterated() {
    for file in Self.deterministic {
      let names = file.codeLines.compactMap { Self.hashedCollection(in: $0) }.filter { !$0.isEmpty }
      for (index, line) in file.codeLines.enumerated() {
        for name in names where Self.iterates(line, over: name) {
          Issue.record("\(file.path):\(index + 1) goes through '\(name)', a Dictionary or Set")
        }
      }
    }
  }

  @Test(
    "what has to be deterministic reads no clock, and draws random numbers only from its own seeded source")
  func noClockAndNoRandomness() {
    let clocks = [
      "SystemRandomNumberGenerator", "ContinuousClock", "SuspendingClock", "clock_gettime", "DispatchTime",
    ]
    for file in Self.deterministic {
      for (index, line) in file.codeLines.enumerated() {
        let clock = clocks.first { line.contains($0) }
        #expect(clock == nil, "\(file.path):\(index + 1) uses \(clock ?? "")")
      }
      for call in CodeTests.calls(of: ["random", "shuffled", "shuffle", "randomElement"], in: file) {
        #expect(
          call.arguments.contains("using:"), "\(file.path):\(call.line) draws from the system's randomness")
      }
    }
  }

  /// The name of the Dictionary or Set that a line declares, empty if it only mentions one; nil if it does not.
  static func hashedCollection(in line: Substring) -> String? {
    guard line.contains("[") || line.contains("Set") || line.contains("Dictionary") else { return nil }
    let isHashed =
      line.contains(/\b(Dictionary|Set)\s*[<(]/) || line.contains(/\[\s*[A-Z][\w.<>]*\s*:\s*[A-Z(\[]/)
      || line.contains("[:]")
    guard isHashed else { return nil }
    return line.firstMatch(of: /\b(?:let|var)\s+(\w+)/).map { String($0.output.1) } ?? ""
  }

  /// Whether a line does something with all elements of a collection, in their order.
  static func iterates(_ line: Substring, over name: String) -> Bool {
    guard line.contains(name) else { return false }
    if line.contains(" in \(name) ") || line.contains(" in \(name).") { return true }
    let methods = [
      "map", "flatMap", "compactMap", "filter", "forEach", "reduce", "keys", "values", "sorted", "first",
      "min", "max",
      "enumerated", "randomElement", "popFirst", "makeIterator", "description",
    ]
    return methods.contains { method in
      line.contains("\(name).\(method)(") || line.contains("\(name).\(method) {")
        || line.contains("\(name).\(method)")
          && !(line.split(separator: "\(name).\(method)", maxSplits: 1).last?.first?.isLetter ?? false)
    }
  }

  @Test("the scanner tells going through a collection from looking into it")
  func iterationScanner() {
    #expect(Self.hashedCollection(in: "  private var leaders: [UInt64: NodeID] = [:]") == "leaders")
    #expect(Self.hashedCollection(in: "  var blocked: Set<Int> = []") == "blocked")
    #expect(Self.hashedCollection(in: "  var list: [Int] = [a, b]") == nil)
    #expect(Self.hashedCollection(in: "  f(a ? [x: 1] : y[z])") == nil)
    #expect(Self.iterates("    for (id, leader) in leaders {", over: "leaders"))
    #expect(Self.iterates("    let all = leaders.values.count", over: "leaders"))
    #expect(Self.iterates("    return leaders.map { $0 }", over: "leaders"))
    #expect(!Self.iterates("    guard let leader = leaders[term] else { return }", over: "leaders"))
    #expect(!Self.iterates("    leaders.removeAll()", over: "leaders"))
  }
}
