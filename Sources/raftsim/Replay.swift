import ArgumentParser
import RaftSimulation

/// `raftsim replay`: one run, event by event.
struct Replay: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Lives through one run again, and prints what happened. Ends with status 1 if a rule was broken.")

  @Argument(help: "The seed; left out if --plan is given.")
  var seed: UInt64?
  @OptionGroup var world: WorldOptions
  @Option(help: "A file with the plan of a run that was made smaller.")
  var plan: String?
  @Option(help: "The most events to print: the last ones.")
  var events = 100_000
  @Option(help: "Where to draw the run as a page of HTML.")
  var diagram: String?
  @Flag(help: "Print only the hash of everything that happened.")
  var hash = false

  func validate() throws {
    guard (seed == nil) != (plan == nil) else { throw ValidationError("give a seed, or --plan FILE") }
    guard events >= 0 else { throw ValidationError("--events is \(events) and must not be negative") }
  }

  func run() throws {
    var simulated = world.plan(seed: seed ?? 0)
    if let plan { simulated = try PlanText.read(try read(plan)) }
    let (report, recording) = RegisterSimulation(simulated).recorded(keeping: hash ? 0 : events)
    if !hash {
      for line in RunTrace.text(of: recording) { print(line) }
      if let diagram { try write(SpaceTimeDiagram.html(of: recording), to: diagram) }
    }
    print("trace hash \(report.traceHash)")
    if !report.violations.isEmpty { throw ExitCode(1) }
  }
}
