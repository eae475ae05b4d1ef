/// A run as text, for a terminal or for a search.
public enum RunTrace {
  /// The lines of a trace, without line ends: when, where and what in columns; what was violated stands at the end, beside
  /// the command that shows the run again.
  ///
  /// Messages have numbers (`#17`) and operations have, too (`[17]`), so that a search finds what belongs together. The
  /// same recording gives the same lines.
  public static func text(of recording: RunRecording) -> [String] {
    let nameMax = 24
    var words = EventText(nodes: recording.nodes, clients: recording.clients)
    // The last tick need not be the greatest in a recording that something else than the simulator has made.
    let ticks = max(4, recording.events.reduce(0) { max($0, String($1.tick).count) })
    let names = recording.nodes.indices.reduce(4) { max($0, words.node($1).count) }
    let nodes = min(nameMax, names)
    var lines = [PlainText.line(recording.title)]
    if recording.eventsDropped > 0 { lines.append("\(recording.eventsDropped) earlier events are missing") }
    lines.append("\(column("tick", ticks, isNumber: true))  \(column("node", nodes))  what")
    for event in recording.events {
      // A rule is broken by a cluster: where it was noticed says little.
      let name = isViolation(event) ? "" : PlainText.clipped(words.node(event.node), to: nameMax)
      let tick = column(String(event.tick), ticks, isNumber: true)
      lines.append("\(tick)  \(column(name, nodes))  \(words.text(of: event, isWhole: false))")
    }
    lines += recording.violations.map { "violated: \(PlainText.line($0))" }
    lines.append("again: \(PlainText.line(recording.command))")
    return lines
  }

  private static func isViolation(_ event: RunEvent) -> Bool {
    if case .violation = event.kind { return true }
    return false
  }

  private static func column(_ text: String, _ width: Int, isNumber: Bool = false) -> String {
    let padding = String(repeating: " ", count: max(0, width - text.count))
    return isNumber ? padding + text : text + padding
  }
}
