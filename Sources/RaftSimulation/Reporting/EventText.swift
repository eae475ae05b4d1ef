/// Says in words what an event of a recording is.
///
/// It is told the events in their order, and remembers the messages that it needs to say what an arrival is.
struct EventText {
  private let nodes: [String]
  private let clients: [String]
  private var messages: [UInt64: (to: Int, text: String)] = [:]

  init(nodes: [String], clients: [String]) {
    self.nodes = nodes.map(PlainText.line)
    self.clients = clients.map(PlainText.line)
  }

  /// The name of a host, also of one that the recording does not name.
  func node(_ index: Int) -> String { nodes.indices.contains(index) ? nodes[index] : "host \(index)" }

  /// The name of a client, also of one that the recording does not name.
  func client(_ index: Int) -> String { clients.indices.contains(index) ? clients[index] : "client \(index)" }

  /// What happened, without when and where.
  ///
  /// - Parameter isWhole: Whether the text of a message is told again when it arrives or is lost; otherwise its first word.
  mutating func text(of event: RunEvent, isWhole: Bool) -> String {
    switch event.kind {
    case .started(let life): return "starts, life \(life)"
    case .crashed: return "crashes"
    case .paused(let until): return "stands still until \(until)"
    case .role(let name, let term): return "is \(PlainText.line(name)) in term \(term)"
    case .sent(let message, let to, let text, let term):
      let text = PlainText.line(PlainText.withoutTypeNames(text))
      messages[message] = (to, text)
      return "-> \(node(to))  #\(message) \(text), term \(term)"
    case .arrived(let message, let from): return "<- \(node(from))  #\(message) \(told(message, isWhole))"
    case .lost(let message):
      let target = messages[message].map { " to \(node($0.to))" } ?? ""
      return "lost\(target)  #\(message) \(told(message, isWhole))"
    case .committed(let index): return "commits through \(index)"
    case .applied(let index): return "applies through \(index)"
    case .wrote(let text): return "writes \(PlainText.line(text))"
    case .synced(let text): return "has on disk \(PlainText.line(text))"
    case .snapshot(let text): return "snapshot \(PlainText.line(text))"
    case .configuration(let text): return "configuration \(PlainText.line(text))"
    case .asked(let client, let operation, let text):
      return "\(self.client(client)) asks  [\(operation)] \(PlainText.line(PlainText.withoutTypeNames(text)))"
    case .answered(let client, let operation, let text):
      return "\(self.client(client)) gets  [\(operation)] \(PlainText.line(PlainText.withoutTypeNames(text)))"
    case .fault(let text): return "! \(PlainText.line(text))"
    case .violation(let text): return "VIOLATED \(PlainText.line(text))"
    }
  }

  private func told(_ message: UInt64, _ isWhole: Bool) -> String {
    guard let text = messages[message]?.text else { return "sent before this recording" }
    return isWhole ? text : PlainText.kind(text)
  }
}
