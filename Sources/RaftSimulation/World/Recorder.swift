/// Keeps the last events of a run, if they are wanted.
struct Recorder {
  private let limit: Int
  private var events: [RunEvent] = []
  private var next = 0
  private var dropped = 0
  private var nodes: [String]
  private var clients: [String]

  init(keeping limit: Int, nodes: [String], clients: [String]) {
    self.limit = limit
    self.nodes = nodes
    self.clients = clients
  }

  /// Whether anything is kept: texts need not be made otherwise.
  var isOn: Bool { limit > 0 }

  mutating func note(_ tick: UInt64, _ node: Int, _ kind: @autoclosure () -> RunEvent.Kind) {
    guard isOn else { return }
    let event = RunEvent(tick: tick, node: node, kind: kind())
    if events.count < limit {
      events.append(event)
    } else {
      events[next] = event
      next = (next + 1) % limit
      dropped += 1
    }
  }

  /// How the run is seen again: one that was made smaller, from a file with its plan.
  private static func command(_ plan: SimulationPlan) -> String {
    guard plan.schedule == nil else { return "raftsim replay --plan FILE" }
    return
      "raftsim replay \(plan.seed) --profile \(plan.profile.name) --nodes \(plan.nodes) --ticks \(plan.ticks) --clients \(plan.clients)"
  }

  func recording(of plan: SimulationPlan, violations: [String]) -> RunRecording {
    RunRecording(
      title: "seed \(plan.seed), profile \(plan.profile.name), \(plan.nodes) nodes",
      command: Self.command(plan),
      nodes: nodes, clients: clients, events: Array(events[next...] + events[..<next]),
      violations: violations, eventsDropped: dropped)
  }
}
