import Foundation

/// Where the numbers were measured: without it they say nothing.
struct Machine {
  let lines: [String]

  init() {
    let cpus = Self.values(of: "model name", in: "/proc/cpuinfo", separator: ":")
    let system = Self.values(of: "PRETTY_NAME", in: "/etc/os-release", separator: "=").first
    lines = [
      "CPU:    \(cpus.first ?? "unknown"), \(ProcessInfo.processInfo.activeProcessorCount) cores",
      "OS:     \(system ?? ProcessInfo.processInfo.operatingSystemVersionString), Linux \(Self.kernel)",
      "Swift:  \(ProcessInfo.processInfo.environment["SWIFT_VERSION_LINE"] ?? Self.compiler)",
      "Build:  \(Self.isDebug ? "debug: the numbers mean nothing" : "release")",
    ]
  }

  static var isDebug: Bool {
    #if DEBUG
      true
    #else
      false
    #endif
  }

  private static var compiler: String {
    #if compiler(>=6.4)
      "6.4 or later"
    #elseif compiler(>=6.3)
      "6.3"
    #else
      "6.2"
    #endif
  }

  private static var kernel: String {
    (try? String(contentsOfFile: "/proc/sys/kernel/osrelease", encoding: .utf8))?
      .trimmingCharacters(in: .whitespacesAndNewlines) ?? "unknown"
  }

  /// What stands behind `key` on the lines of a file that begin with it.
  private static func values(of key: String, in file: String, separator: Character) -> [String] {
    let text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
    return text.split(separator: "\n").filter { $0.hasPrefix(key) }.compactMap { line in
      let value = line.split(separator: separator, maxSplits: 1).dropFirst().first
      return value?.trimmingCharacters(in: CharacterSet(charactersIn: " \t\""))
    }
  }
}
