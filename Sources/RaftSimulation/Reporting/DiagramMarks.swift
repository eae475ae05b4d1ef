/// Draws the events of a run: for each a group with a title, which says in words what it is.
///
/// A group has `data-n`, the line of its host, `data-k`, that of its client, and `data-c`, the event that caused it: what
/// the page needs to find what happened before an event.
struct DiagramMarks {
  private let columns: DiagramColumns
  private let timeline: DiagramTimeline
  private let events: ArraySlice<RunEvent>
  private var words: EventText
  /// How many terms have colours of their own.
  static let colours: UInt64 = 6

  private var sent: [UInt64: (from: Int, to: Int, text: String, term: UInt64)] = [:]
  /// Messages of which an end is shown.
  private var ended: Set<UInt64> = []
  private var operations = DiagramOperations()

  init(
    earlier: ArraySlice<RunEvent>, shown: ArraySlice<RunEvent>, timeline: DiagramTimeline,
    columns: DiagramColumns
  ) {
    self.columns = columns
    self.timeline = timeline
    events = shown
    words = EventText(nodes: columns.nodes, clients: columns.clients)
    for event in shown {
      switch event.kind {
      case .arrived(let message, _), .lost(let message): ended.insert(message)
      default: break
      }
    }
    for event in earlier {
      // For the words about what arrives of it.
      if case .sent(let message, _, _, _) = event.kind, ended.contains(message) {
        _ = words.text(of: event, isWhole: true)
      }
      operations.follow(event, at: 0)
    }
  }

  mutating func svg() -> [String] {
    var groups: [String] = []
    for (index, event) in events.enumerated() {
      let height = timeline.heights[index]
      let text = "\(name(of: event)): \(words.text(of: event, isWhole: true))"
      let mark = draw(event, height, cause: timeline.causes[index])
      operations.follow(event, at: height)
      groups.append(
        "<g class=\"e \(mark.classes)\" id=\"e\(index)\"\(data(event, timeline.causes[index]))>"
          + "<title>\(Markup.escaped("tick \(event.tick)  \(text)"))</title>\(mark.shapes)</g>")
    }
    return groups + operations.open.map { unanswered($0) }
  }

  private func name(of event: RunEvent) -> String {
    event.isViolation ? "cluster" : words.node(event.node)
  }

  private func data(_ event: RunEvent, _ cause: Int?) -> String {
    var text = ""
    if event.isOfHost { text += " data-n=\"\(columns.line(of: event.node))\"" }
    if let client = event.client { text += " data-k=\"\(Markup.number(columns.x(client: client)))\"" }
    if let cause { text += " data-c=\"\(cause)\"" }
    return text
  }

  // MARK: - One event

  private typealias Mark = (classes: String, shapes: String)

  private mutating func draw(_ event: RunEvent, _ height: Double, cause: Int?) -> Mark {
    let at = DiagramPoint(x: columns.x(node: event.node), y: height)
    switch event.kind {
    case .started(let life): return ("life", DiagramShapes.circle(at, 5) + label("starts, life \(life)", at))
    case .crashed: return ("crash", DiagramShapes.cross(at, 6) + label("crashes", at))
    case .paused(let until): return ("pause", DiagramShapes.circle(at, 4) + label("still until \(until)", at))
    case .role(let name, let term):
      return ("role \(Self.colour(term))", DiagramShapes.circle(at, 4.5) + label("\(name) \(term)", at))
    case .sent(let message, let to, let text, let term):
      sent[message] = (event.node, to, text, term)
      return drawSent(message, to, text, term, at)
    case .arrived(let message, let from): return drawArrived(message, from, at, cause)
    case .lost(let message): return drawLost(message, at, cause)
    case .committed(let index):
      return (
        "commit", DiagramShapes.polygon(at, [(0, -4), (7, 0), (0, 4)]) + label("\(index)", at, "minor")
      )
    case .applied: return ("commit", DiagramShapes.circle(at + .init(x: 4, y: 0), 2.2))
    case .wrote: return ("disk begun", DiagramShapes.square(at))
    case .synced: return ("disk", DiagramShapes.square(at))
    case .snapshot(let text):
      return (
        "snap",
        DiagramShapes.polygon(at, [(-5, -5), (5, -5), (5, 5), (-5, 5)]) + label("snapshot \(text)", at)
      )
    case .configuration(let text):
      return ("config", DiagramShapes.polygon(at, [(0, -6), (6, 0), (0, 6), (-6, 0)]) + label(text, at))
    case .asked(let client, let operation, let text): return drawAsked(client, operation, text, at)
    case .answered(let client, let operation, let text): return drawAnswered(client, operation, text, at)
    case .fault(let text):
      return ("fault", DiagramShapes.polygon(at, DiagramShapes.bolt) + label(text, at))
    case .violation(let text): return ("violation", drawViolation(text, height))
    }
  }

  private func drawViolation(_ text: String, _ height: Double) -> String {
    let begin = Markup.number(DiagramColumns.left - 10)
    let end = Markup.number(columns.width - 8)
    let y = Markup.number(height)
    let words = PlainText.clipped(PlainText.line(text), to: Int((columns.width - DiagramColumns.left) / 7))
    return
      "<path class=\"rule\" d=\"M\(begin) \(y)H\(end)\"/><text x=\"\(Markup.number(DiagramColumns.left))\" "
      + "y=\"\(Markup.number(height - 4))\">\(Markup.escaped(words))</text>"
  }

  // MARK: - Messages

  /// Heartbeats and their replies can be hidden: there are many, and they say little.
  private static func classes(_ text: String, _ term: UInt64) -> String {
    (text.hasPrefix("heartbeat") ? "beat " : "") + colour(term)
  }

  /// The dot where a message leaves; and the beginning of its way if no end of it is in the recording.
  private func drawSent(_ message: UInt64, _ to: Int, _ text: String, _ term: UInt64, _ at: DiagramPoint)
    -> Mark
  {
    var shapes = DiagramShapes.circle(at, 2.2)
    if !ended.contains(message) {
      let end = DiagramPoint(x: at.x + 0.3 * (columns.x(node: to) - at.x), y: at.y + DiagramTimeline.step)
      shapes += "<path class=\"open\" d=\"\(Markup.path([[at, end]]))\"/>"
    }
    return ("sent \(Self.classes(text, term))", shapes)
  }

  private func drawArrived(_ message: UInt64, _ from: Int, _ at: DiagramPoint, _ cause: Int?) -> Mark {
    guard let cause, let sending = sent[message] else {
      // Sent before the drawing begins: the end of its way alone.
      let side = columns.x(node: from) < at.x ? -26.0 : 26.0
      let begin = DiagramPoint(x: at.x + side, y: at.y - DiagramTimeline.step)
      return ("message", arrow(from: begin, to: at))
    }
    let begin = DiagramPoint(x: columns.x(node: sending.from), y: timeline.heights[cause])
    return ("message \(Self.classes(sending.text, sending.term))", arrow(from: begin, to: at))
  }

  private func drawLost(_ message: UInt64, _ at: DiagramPoint, _ cause: Int?) -> Mark {
    guard let cause, let sending = sent[message] else {
      return ("message lost", DiagramShapes.cross(at + DiagramPoint(x: 26, y: 0), 4))
    }
    let begin = DiagramPoint(x: columns.x(node: sending.from), y: timeline.heights[cause])
    let end = DiagramPoint(x: begin.x + 0.62 * (columns.x(node: sending.to) - begin.x), y: at.y)
    let way = Markup.path([[begin, end]])
    return (
      "message lost \(Self.classes(sending.text, sending.term))",
      "<path class=\"hit\" d=\"\(way)\"/><path d=\"\(way)\"/>" + DiagramShapes.cross(end, 4)
    )
  }

  /// With a wide one below it that nobody sees, for the mouse.
  private func arrow(from begin: DiagramPoint, to end: DiagramPoint) -> String {
    let way = end - begin
    guard way.length > 0 else { return DiagramShapes.circle(end, 3) }
    let along = way * (1 / way.length)
    let across = DiagramPoint(x: -along.y, y: along.x)
    let tip = end - along * 4
    let head = [tip - along * 7 + across * 3.5, tip, tip - along * 7 - across * 3.5]
    return "<path class=\"hit\" d=\"\(Markup.path([[begin, end]]))\"/>"
      + "<path d=\"\(Markup.path([[begin, tip], head]))\"/>"
  }

  // MARK: - Clients

  private func drawAsked(_ client: Int, _ operation: UInt64, _ text: String, _ at: DiagramPoint) -> Mark {
    let begin = DiagramPoint(x: columns.x(client: client), y: at.y)
    var shapes = DiagramShapes.polygon(at, [(10, -4), (3, 0), (10, 4)]) + wire(at, begin)
    shapes += "<path d=\"\(Markup.path([[begin + .init(x: 6, y: 0), begin]]))\"/>"
    if columns.hasClientWords, operations.begin(client, operation) == nil {
      shapes += label(PlainText.withoutTypeNames(text), begin, "minor")
    }
    return ("client asked", shapes)
  }

  private func drawAnswered(_ client: Int, _ operation: UInt64, _ text: String, _ at: DiagramPoint) -> Mark {
    let end = DiagramPoint(x: columns.x(client: client), y: at.y)
    let begin = DiagramPoint(x: end.x, y: operations.begin(client, operation) ?? 0)
    var shapes = DiagramShapes.polygon(at, [(3, -4), (10, 0), (3, 4)]) + wire(at, end)
    shapes += "<path d=\"\(Markup.path([[begin, end, end + .init(x: 6, y: 0)]]))\"/>"
    if columns.hasClientWords {
      shapes += label(PlainText.withoutTypeNames(text), end, "minor")
    }
    return ("client", shapes)
  }

  private func wire(_ at: DiagramPoint, _ client: DiagramPoint) -> String {
    "<path class=\"wire\" d=\"\(Markup.path([[at, client]]))\"/>"
  }

  /// An operation that waits for its answer to the end of the drawing. It is no event.
  private func unanswered(_ operation: DiagramOperations.Operation) -> String {
    let begin = DiagramPoint(x: columns.x(client: operation.client), y: operation.begin)
    let end = DiagramPoint(x: begin.x, y: timeline.bottom + DiagramTimeline.step)
    return "<path class=\"client unanswered\" d=\"\(Markup.path([[begin, end]]))\"/>"
  }

  // MARK: - Shapes

  static func colour(_ term: UInt64) -> String { "t\(term % colours)" }

  /// Words at the right of a place, as many as the column has room for.
  private func label(_ text: String, _ at: DiagramPoint, _ kind: String = "") -> String {
    let isClient = at.x > columns.border
    let room = (isClient ? columns.clientWidth : columns.nodeWidth) - 20
    let words = PlainText.clipped(PlainText.line(text), to: Int(room / 6))
    let classes = kind.isEmpty ? "" : " class=\"\(kind)\""
    return "<text\(classes) x=\"\(Markup.number(at.x + 10))\" y=\"\(Markup.number(at.y + 3.5))\">"
      + "\(Markup.escaped(words))</text>"
  }
}
