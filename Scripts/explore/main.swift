import RaftSimulation

// Looks for a broken rule under the plan that the argument names, and says what came of it.
if let name = CommandLine.arguments.dropFirst().first, var plan = ExplorationPlan(named: name) {
  plan.statesMax = 3_000_000
  print(try Explorer(plan).run())
} else {
  print("plans: \(ExplorationPlan.names.joined(separator: ", "))")
}
