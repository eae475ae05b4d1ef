import ArgumentParser
import RaftSimulation

/// `raftsim [run]`: many seeds, one after the other.
struct Run: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Lives through many seeds. Ends with status 1 if a rule was broken in one of them.")

  @Argument(help: "The seeds: one, or a range from..to with both ends.")
  var seeds = SeedRange(1...100)
  @OptionGroup var world: WorldOptions
  @Flag(help: "Go on, beyond the last seed if need be, until a seed fails.")
  var untilFailure = false
  @Option(
    help: "How many seeds to live through at the same time; by default as many as there are processors.")
  var jobs: Int?
  @Option(help: "Where to draw the first failing run, made smaller, as a page of HTML.")
  var diagram: String?
  @Option(
    help:
      "Instead of that, write a trace of the shipped core that a published TLA+ specification can judge; the first seed decides what happens in it."
  )
  var trace: String?
  @Option(
    help: "What the trace shows: \(SpecificationTrace.scenarios.map(\.rawValue).joined(separator: ", ")).")
  var scenario = SpecificationTrace.scenarios[0]
  @Flag(help: "Do not make the first failing run smaller.")
  var keepWhole = false
  @Flag(help: "Fail, with status 2, if something that is to be covered never happened.")
  var requireCoverage = false
  @Flag(help: "Print how often everything happened.")
  var coverage = false

  func validate() throws {
    if let jobs, !(1...256).contains(jobs) {
      throw ValidationError("--jobs is \(jobs) and must be 1 to 256")
    }
  }

  func run() async throws {
    if let trace {
      let lines = SpecificationTrace.lines(of: scenario, seed: seeds.seeds.lowerBound)
      return try write(lines.joined(separator: "\n") + "\n", to: trace)
    }
    let result = await RunPool(world: world, jobs: jobs ?? processorCount).run(
      seeds.seeds, isEndless: untilFailure)
    if coverage || requireCoverage { printCoverage(result.coverage) }
    print(result.summary)
    if let failed = result.failed.first { try explain(failed) }
    if !result.failed.isEmpty { throw ExitCode(1) }
    let missing = result.coverage.missing
    if requireCoverage, !missing.isEmpty {
      print("never happened: \(missing.joined(separator: ", "))")
      throw ExitCode(2)
    }
  }

  private func printCoverage(_ coverage: Coverage) {
    for point in coverage.all {
      let count = String(point.count)
      print(String(repeating: " ", count: max(0, 12 - count.count)) + count + "  " + point.name)
    }
  }

  /// Makes a failing run smaller, and shows it.
  private func explain(_ report: SimulationReport) throws {
    var plan = world.plan(seed: report.seed)
    if !keepWhole {
      let meter = Meter(label: "making seed \(report.seed) smaller")
      var shrinker = Shrinker(plan, report) { RegisterSimulation($0).run() }
      let result = shrinker.shrink { result in
        meter.show("\(result.runs) runs, \(result.plan.faults.count) faults, \(result.plan.ticks) ticks")
      }
      meter.end()
      plan = result.plan
      print(
        "made smaller in \(result.runs) runs: \(plan.faults.count) faults, \(plan.nodes) nodes, \(plan.clients) clients, \(plan.ticks) ticks"
      )
      print(result.report.violations.first ?? "")
    }
    let base = diagram.map { $0.hasSuffix(".html") ? String($0.dropLast(5)) : $0 } ?? "raftsim-\(report.seed)"
    var (_, recording) = RegisterSimulation(plan).recorded(keeping: SpaceTimeDiagram.eventsMax)
    if plan.schedule != nil {
      try write(PlanText.write(plan), to: base + ".plan")
      recording.command = "raftsim replay --plan \(base).plan"
    }
    try write(SpaceTimeDiagram.html(of: recording), to: base + ".html")
    print("drawn in \(base).html; what happened, event by event: \(recording.command)")
  }
}
