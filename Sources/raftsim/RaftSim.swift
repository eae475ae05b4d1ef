import ArgumentParser
import RaftSimulation

/// `raftsim`: clusters of the shipped code in a hostile, simulated world.
@main
struct RaftSim: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "raftsim",
    abstract:
      "Puts clusters of the shipped code through faults, and says what went wrong and how to see it again.",
    discussion: """
      Each seed decides everything that happens in its run: the same seed is the same run, on every machine and in \
      every build of the same version.
      """,
    subcommands: [Run.self, Replay.self, Explore.self, Trace.self], defaultSubcommand: Run.self)
}

/// What a run is made of, on the command line.
struct WorldOptions: ParsableArguments {
  @Option(help: "What happens: \(SimulationProfile.all.map(\.name).joined(separator: ", ")).")
  var profile = "hostile"
  @Option(help: "How many hosts there are, 1 to 9.")
  var nodes = 5
  @Option(help: "How long things happen, in ticks of 10 milliseconds.")
  var ticks: UInt64 = 20_000
  @Option(help: "How many clients there are.")
  var clients = 6

  func validate() throws {
    guard SimulationProfile.all.contains(where: { $0.name == profile }) else {
      throw ValidationError(
        "there is no profile '\(profile)'; there are \(SimulationProfile.all.map(\.name).joined(separator: ", "))"
      )
    }
    guard (1...9).contains(nodes) else { throw ValidationError("--nodes is \(nodes) and must be 1 to 9") }
    guard (1...100_000_000).contains(ticks) else {
      throw ValidationError("--ticks is \(ticks) and must be 1 to 100000000")
    }
    guard (1...1_000).contains(clients) else {
      throw ValidationError("--clients is \(clients) and must be 1 to 1000")
    }
  }

  func plan(seed: UInt64) -> SimulationPlan {
    let known = SimulationProfile.all.first { candidate in candidate.name == profile }
    var plan = SimulationPlan(
      seed: seed, profile: known ?? SimulationProfile.hostile, nodes: nodes, ticks: ticks)
    plan.clients = clients
    return plan
  }
}

/// Seeds on the command line: one, or a range `from..to`, both included.
struct SeedRange: ExpressibleByArgument {
  let seeds: ClosedRange<UInt64>

  init(_ seeds: ClosedRange<UInt64>) { self.seeds = seeds }

  init?(argument: String) {
    if let seed = UInt64(argument) {
      seeds = seed...seed
      return
    }
    let bounds = argument.split(separator: ".", omittingEmptySubsequences: true).map { UInt64($0) }
    guard argument.contains(".."), bounds.count == 2, let first = bounds[0], let last = bounds[1],
      first <= last,
      last - first < 1 << 32
    else { return nil }
    seeds = first...last
  }

  var defaultValueDescription: String { "\(seeds.lowerBound)..\(seeds.upperBound)" }
}
