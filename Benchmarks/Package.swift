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

// A package of its own: whoever depends on the library gets neither benchmarks nor a counted `malloc`.
let package = Package(
  name: "Benchmarks",
  dependencies: [.package(name: "raftnode", path: "..")],
  targets: [
    .target(name: "AllocationCounter"),
    .executableTarget(
      name: "bench-core",
      dependencies: [.product(name: "RaftCore", package: "raftnode"), "AllocationCounter"],
      swiftSettings: settings),
  ]
)
