/// Makes a failing run smaller: fewer faults, fewer clients, fewer hosts, less time, as long as the same checker still
/// speaks.
public struct Shrinker {
  /// What became of a failing run.
  public struct Result: Sendable {
    /// The smallest plan that was found to fail.
    public var plan: SimulationPlan
    /// What it showed.
    public var report: SimulationReport
    /// How many runs were tried.
    public var runs: Int
  }

  private let run: (SimulationPlan) -> SimulationReport
  private let runsMax: Int
  private var best: Result

  /// Starts from a failing run.
  ///
  /// - Parameters:
  ///   - plan: The plan that fails.
  ///   - report: What it showed.
  ///   - runsMax: The most runs to try.
  ///   - run: Lives through a plan.
  public init(
    _ plan: SimulationPlan, _ report: SimulationReport, runsMax: Int = 400,
    run: @escaping (SimulationPlan) -> SimulationReport
  ) {
    self.run = run
    self.runsMax = runsMax
    best = Result(plan: plan, report: report, runs: 0)
  }

  /// Makes it as small as the number of runs allows.
  ///
  /// - Parameter progress: Called after each run with the smallest plan so far.
  public mutating func shrink(progress: (Result) -> Void = { _ in }) -> Result {
    var start = best.plan
    start.schedule = best.plan.faults
    attempt(start, progress)
    cutTime(progress)
    dropFaults(progress)
    for change in Self.simplifications {
      var plan = best.plan
      change(&plan)
      if plan != best.plan { attempt(plan, progress) }
    }
    cutTime(progress)
    dropFaults(progress)
    return best
  }

  private static let simplifications: [@Sendable (inout SimulationPlan) -> Void] = [
    { $0.profile.lossPerMille = 0 },
    { $0.profile.duplicatePerMille = 0 },
    { $0.profile.delayTicksMax = 1 },
    { $0.profile.diskTicksMax = 1 },
    { $0.nodes = min($0.nodes, 3) },
    { $0.clients = 1 },
    { $0.clients = max(1, $0.clients / 2) },
  ]

  /// Nothing that happens after the rule was broken matters; and perhaps the run can end earlier.
  private mutating func cutTime(_ progress: (Result) -> Void) {
    var plan = best.plan
    plan.ticks = min(plan.ticks, best.report.ticks + 1)
    plan.schedule?.removeAll { $0.tick > plan.ticks }
    if plan != best.plan { attempt(plan, progress) }
  }

  /// Leaves out parts of what happens: halves, quarters, and so on down to single faults.
  private mutating func dropFaults(_ progress: (Result) -> Void) {
    var size = max(1, (best.plan.schedule?.count ?? 0) / 2)
    while best.runs < runsMax {
      var start = 0
      var hasShrunk = false
      while let schedule = best.plan.schedule, start < schedule.count, best.runs < runsMax {
        var plan = best.plan
        plan.schedule?.removeSubrange(start..<min(schedule.count, start + size))
        if attempt(plan, progress) { hasShrunk = true } else { start += size }
      }
      if size == 1, !hasShrunk { return }
      if !hasShrunk || size > 1 { size = max(1, size / 2) }
    }
  }

  /// Returns whether the plan fails as well; it is the best one then.
  @discardableResult
  private mutating func attempt(_ plan: SimulationPlan, _ progress: (Result) -> Void) -> Bool {
    guard best.runs < runsMax else { return false }
    best.runs += 1
    let report = run(plan)
    let fails = report.checker == best.report.checker && !report.checker.isEmpty
    if fails {
      best.plan = plan
      best.report = report
    }
    progress(best)
    return fails
  }
}
