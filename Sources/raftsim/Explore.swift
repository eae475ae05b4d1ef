import ArgumentParser
import RaftSimulation

/// `raftsim explore`: every state of a small cluster.
struct Explore: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Visits every state that a very small cluster can reach. Ends with status 1 if a rule is broken in one.",
    discussion: """
      What is explored has a name: \(ExplorationPlan.names.joined(separator: ", ")). 'quick' takes seconds; 'required' \
      takes minutes, and some gigabytes of memory.
      """)

  @Argument(help: "What to explore.")
  var name = "quick"

  func validate() throws {
    guard ExplorationPlan(named: name) != nil else {
      throw ValidationError(
        "there is no '\(name)'; there are \(ExplorationPlan.names.joined(separator: ", "))")
    }
  }

  func run() throws {
    guard let plan = ExplorationPlan(named: name) else { return }
    let meter = Meter(label: "exploring")
    let clock = ContinuousClock()
    let start = clock.now
    let report = try Explorer(plan).run { meter.show("\($0.states) states, depth \($0.depth)") }
    let seconds = (clock.now - start) / .seconds(1)
    meter.end()
    print(report.description)
    print("\(Int(seconds)) seconds, \(Int(Double(report.states) / max(seconds, 0.001))) states in a second")
    if report.violation != nil { throw ExitCode(1) }
  }
}
