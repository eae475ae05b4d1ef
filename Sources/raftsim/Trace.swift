import ArgumentParser
import Glibc
import RaftSimulation

extension SpecificationTrace.Scenario: ExpressibleByArgument {}

/// `raftsim trace`: traces for a published TLA+ specification.
struct Trace: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Writes traces of the shipped core that a published TLA+ specification can judge, one file a scenario.",
    discussion: "See Docs/specification-traces.md.")

  @Argument(help: "The folder to write to; it is made if it is not there.")
  var folder: String
  @Option(help: "Decides what happens in the traces.")
  var seed: UInt64 = 1

  func run() throws {
    if unsafe mkdir(folder, 0o777) != 0, errno != EEXIST {
      throw FileError(path: folder, reason: unsafe String(cString: strerror(errno)))
    }
    for scenario in SpecificationTrace.scenarios {
      let lines = SpecificationTrace.lines(of: scenario, seed: seed)
      let path = "\(folder)/\(scenario.rawValue).ndjson"
      try write(lines.joined(separator: "\n") + "\n", to: path)
      print("\(path): \(lines.count) lines")
    }
  }
}
