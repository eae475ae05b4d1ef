// swift-tools-version:6.2
import PackageDescription

/// Warnings are errors in CI, and stay warnings while one is writing.
let warnings: [SwiftSetting] = Context.environment["CI"] == nil ? [] : [.treatAllWarnings(as: .error)]

let settings: [SwiftSetting] =
  [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
  ] + warnings

let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
  name: "raftnode",
  products: [
    .library(name: "RaftCore", type: .static, targets: ["RaftCore"]),
    .library(name: "RaftStore", targets: ["RaftStore"]),
    .library(name: "RaftStoreConformance", targets: ["RaftStoreConformance"]),
    .library(name: "RaftTransport", targets: ["RaftTransport"]),
    .library(name: "RaftServer", targets: ["RaftServer"]),
    .library(name: "RaftKV", targets: ["RaftKV"]),
    .library(name: "RaftSimulation", targets: ["RaftSimulation"]),
    .executable(name: "raftnode", targets: ["raftnode"]),
    .executable(name: "raftsim", targets: ["raftsim"]),
    .library(name: "RaftBench", targets: ["RaftBench"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    // For `swift package generate-documentation`. No target names it, so that whoever depends on this package does not
    // get it.
    .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0"),
  ],
  targets: [
    // One direction, bottom up: a module imports only what stands above it here. Everything that a target imports is
    // named, also what it would get through another one: a build compiles a target again when one that is named has
    // changed. If `raftnode` named RaftKV alone, it would go on using the layout that a type of RaftServer had before.
    .target(name: "RaftCore", swiftSettings: settings + [.strictMemorySafety()]),
    .systemLibrary(name: "CRocksDB", pkgConfig: "rocksdb", providers: [.apt(["librocksdb-dev"])]),
    // What Swift cannot say by itself: an instruction of the processor, and headers that its module of the C library leaves
    // out.
    .systemLibrary(name: "CChecksum"),
    .systemLibrary(name: "CEpoll"),
    .systemLibrary(name: "CFile"),
    .systemLibrary(name: "CMalloc"),
    .target(name: "RaftChecksum", dependencies: ["RaftCore", "CChecksum"], swiftSettings: settings),
    .target(
      name: "RaftStore", dependencies: ["RaftCore", "RaftChecksum", "CFile", "CRocksDB"],
      swiftSettings: settings),
    .target(
      name: "RaftStoreConformance", dependencies: ["RaftCore", "RaftStore"], swiftSettings: settings),
    .target(
      name: "RaftTransport", dependencies: ["RaftCore", "RaftChecksum", "CEpoll"], swiftSettings: settings),
    .target(
      name: "RaftServer", dependencies: ["RaftCore", "RaftStore", "RaftTransport"], swiftSettings: settings),
    .target(
      name: "RaftKV", dependencies: ["RaftCore", "RaftStore", "RaftTransport", "RaftServer"],
      swiftSettings: settings),
    .target(
      name: "RaftSimulation", dependencies: ["RaftCore", "RaftStore", "RaftTransport", "RaftServer"],
      swiftSettings: settings),
    .executableTarget(
      name: "raftnode",
      dependencies: [
        "RaftCore", "RaftStore", "RaftTransport", "RaftServer", "RaftKV", "RaftBench", "CMalloc",
        argumentParser,
        logging,
      ],
      swiftSettings: settings),

    // Mutated inputs for the parsers; built for the tests, and by `make fuzz`.
    .executableTarget(
      name: "raftfuzz",
      dependencies: ["RaftCore", "RaftTransport", "RaftServer", "RaftKV", argumentParser],
      swiftSettings: settings),

    .target(name: "RaftBench", dependencies: ["CEpoll"], swiftSettings: settings),
    .executableTarget(
      name: "bench-sketches", dependencies: ["RaftCore", "RaftKV", argumentParser],
      path: "Benchmarks/Sketches", swiftSettings: settings),
    .executableTarget(
      name: "bench-store", dependencies: ["RaftCore", "RaftStore", "RaftBench", argumentParser],
      path: "Benchmarks/Store", swiftSettings: settings),

    .executableTarget(
      name: "raftsim", dependencies: ["RaftCore", "RaftServer", "RaftSimulation", argumentParser],
      swiftSettings: settings),

    .executableTarget(
      name: "BringYourOwnTransport", dependencies: ["RaftCore"], path: "Examples/BringYourOwnTransport",
      swiftSettings: settings),
    .executableTarget(
      name: "CustomStateMachine", dependencies: ["RaftCore", "RaftServer"],
      path: "Examples/CustomStateMachine",
      swiftSettings: settings),
    .executableTarget(
      name: "SimulateYourMachine", dependencies: ["RaftCore", "RaftServer", "RaftSimulation"],
      path: "Examples/SimulateYourMachine", swiftSettings: settings),
    .executableTarget(
      name: "ReadmeExample", dependencies: ["RaftCore", "RaftServer"], path: "Examples/ReadmeExample",
      swiftSettings: settings),

    .testTarget(
      name: "RaftCoreTests", dependencies: ["RaftCore"], exclude: ["Scripts"], swiftSettings: settings),
    .testTarget(name: "RaftBenchTests", dependencies: ["RaftBench"], swiftSettings: settings),
    .testTarget(
      name: "RaftStoreTests",
      dependencies: ["RaftCore", "RaftChecksum", "RaftStore", "RaftStoreConformance"],
      swiftSettings: settings),
    .testTarget(
      name: "RaftTransportTests", dependencies: ["RaftCore", "RaftTransport"], swiftSettings: settings),
    .testTarget(
      name: "RaftServerTests", dependencies: ["RaftCore", "RaftStore", "RaftTransport", "RaftServer"],
      swiftSettings: settings),
    .testTarget(
      name: "RaftKVTests", dependencies: ["RaftCore", "RaftStore", "RaftTransport", "RaftServer", "RaftKV"],
      swiftSettings: settings),
    .testTarget(
      name: "RaftSimulationTests", dependencies: ["RaftCore", "RaftServer", "RaftSimulation"],
      swiftSettings: settings),
    .testTarget(
      name: "RaftNodeTests",
      dependencies: [
        "RaftCore", "RaftTransport", "RaftServer", "RaftKV", "RaftBench", "raftnode", argumentParser, logging,
      ],
      swiftSettings: settings),
    .testTarget(
      name: "EndToEndTests",
      dependencies: [
        "RaftCore", "RaftTransport", "raftnode", "raftfuzz", "BringYourOwnTransport", "CustomStateMachine",
        "ReadmeExample",
      ],
      exclude: ["Programs", "Redis/cases"],
      swiftSettings: settings),
    .testTarget(name: "StyleTests", swiftSettings: settings),
  ]
)
