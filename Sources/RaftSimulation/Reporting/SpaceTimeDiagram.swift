/// A drawing of a run: time runs downwards, every host is a line, and every message is an arrow.
public enum SpaceTimeDiagram {
  /// The most events that are drawn: the last ones. A browser moves through so many without effort.
  public static let eventsMax = 2_000

  /// A page of HTML that needs nothing else: no other file, and no network.
  ///
  /// Whatever the recording says is shown as text and never obeyed. The same recording gives the same bytes. Without
  /// scripts everything is shown; with them, parts can be hidden, the drawing can be magnified, and an event shows what
  /// happened before it.
  public static func html(of recording: RunRecording) -> String {
    let hidden = max(0, recording.events.count - eventsMax)
    let drawing = Drawing(recording, earlier: hidden)
    var shown = recording
    shown.events = Array(recording.events[hidden...])
    shown.eventsDropped += hidden
    var lines = head(recording.title)
    lines += ["<header>", "<h1>\(Markup.escaped(recording.title))</h1>"]
    lines += violations(shown)
    lines.append(
      "<p>See it again: <code>\(Markup.escaped(recording.command))</code></p>"
        + "<p>\(count(shown)) Time runs downwards, in ticks; where nothing happens it is compressed.</p>")
    lines += DiagramLegend.html(terms: drawing.terms)
    lines += controls
    lines += [
      "</header>", "<main>", "<div id=\"box\" tabindex=\"0\" role=\"region\" aria-label=\"Diagram\">",
    ]
    lines += drawing.svg(title: recording.title)
    lines += ["</div>", details, "</main>", "<details><summary>The same as text</summary><pre>"]
    lines += RunTrace.text(of: shown).map(Markup.escapedLine)
    lines += ["</pre></details>", "<script>", script, "</script>", "</body>", "</html>", ""]
    return lines.joined(separator: "\n")
  }

  private static func head(_ title: String) -> [String] {
    [
      "<!DOCTYPE html>", "<html lang=\"en\">", "<head>", "<meta charset=\"utf-8\"/>",
      "<meta http-equiv=\"Content-Security-Policy\" "
        + "content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\"/>",
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>",
      "<title>\(Markup.escaped(title))</title>", "<style>", style, "</style>", "</head>", "<body>",
    ]
  }

  /// The rules that were broken, with the tick of the event that says so.
  private static func violations(_ recording: RunRecording) -> [String] {
    var items: [String] = []
    var told: Set<String> = []
    for (index, event) in recording.events.enumerated() {
      guard case .violation(let text) = event.kind else { continue }
      told.insert(text)
      items.append("<li><a href=\"#e\(index)\">tick \(event.tick)</a> \(Markup.escaped(text))</li>")
    }
    for text in recording.violations where !told.contains(text) {
      items.append("<li>\(Markup.escaped(text))</li>")
    }
    guard !items.isEmpty else { return ["<p>No rule was broken.</p>"] }
    return ["<section class=\"broken\"><h2>Violated</h2><ul>"] + items + ["</ul></section>"]
  }

  private static func count(_ shown: RunRecording) -> String {
    let events = "\(shown.events.count) \(shown.events.count == 1 ? "event" : "events")."
    guard shown.eventsDropped > 0 else { return events }
    return "The last \(events) <strong>\(shown.eventsDropped) earlier ones are not shown.</strong>"
  }

  private static var controls: [String] {
    let parts = [("beat", "heartbeats"), ("client", "clients"), ("disk", "disks"), ("commit", "commits")]
    let boxes = parts.map { name, words in
      "<label><input type=\"checkbox\" data-part=\"\(name)\" checked=\"checked\"/> \(words)</label>"
    }
    return ["<form id=\"controls\"><fieldset><legend>Show</legend>"] + boxes + [
      "</fieldset>",
      "<button type=\"button\" data-zoom=\"-1\" aria-label=\"Smaller\">−</button>",
      "<button type=\"button\" data-zoom=\"0\">1:1</button>",
      "<button type=\"button\" data-zoom=\"1\" aria-label=\"Larger\">+</button>",
      "<span>Ctrl and the wheel, or the keys + − 0: size. Click: what happened before. "
        + "J, K: next, previous event. Esc: everything.</span></form>",
    ]
  }

  private static let details =
    "<aside id=\"detail\"><p id=\"what\" aria-live=\"polite\">No event is chosen.</p><ol id=\"past\"></ol></aside>"
}

extension SpaceTimeDiagram {
  /// The parts of the drawing itself.
  struct Drawing {
    private let recording: RunRecording
    private let columns: DiagramColumns
    private let timeline: DiagramTimeline
    private let lives: DiagramLives
    private var marks: DiagramMarks
    /// The terms that occur, the lowest first.
    let terms: [UInt64]

    /// - Parameter earlier: How many events happen before the drawing begins.
    init(_ recording: RunRecording, earlier: Int) {
      self.recording = recording
      columns = DiagramColumns(recording)
      let before = recording.events[..<earlier]
      let shown = recording.events[earlier...]
      timeline = DiagramTimeline(of: shown, columns: columns)
      lives = DiagramLives(
        earlier: before, shown: shown, isCut: recording.eventsDropped > 0, timeline: timeline,
        columns: columns)
      marks = DiagramMarks(earlier: before, shown: shown, timeline: timeline, columns: columns)
      terms = lives.terms
    }

    func svg(title: String) -> [String] {
      var marks = marks
      let width = Markup.number(columns.width)
      let height = Markup.number(timeline.bottom + 2 * DiagramTimeline.step)
      return [
        "<svg id=\"names\" width=\"\(width)\" height=\"30\" viewBox=\"0 0 \(width) 30\" aria-hidden=\"true\">"
      ] + names + [
        "</svg>",
        "<svg id=\"run\" width=\"\(width)\" height=\"\(height)\" viewBox=\"0 0 \(width) \(height)\" "
          + "role=\"group\" aria-labelledby=\"run-title run-desc\">",
        "<title id=\"run-title\">Space-time diagram: \(Markup.escaped(title))</title>",
        "<desc id=\"run-desc\">Time runs downwards. Each host is a line, each message an arrow from its sender to its "
          + "receiver. The same events follow as text below.</desc>",
        "<defs><pattern id=\"hatch\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" "
          + "patternTransform=\"rotate(45)\"><path class=\"hatch\" d=\"M0 0V6\"/></pattern></defs>",
      ] + axis + lines + marks.svg() + ["</svg>"]
    }

    private var names: [String] {
      let nodes = columns.nodes.enumerated().map {
        (columns.x(line: $0.offset), columns.nodeWidth, $0.element)
      }
      let clients = columns.clients.enumerated().map {
        (columns.x(client: $0.offset), columns.clientWidth, $0.element)
      }
      let tick = "<text x=\"8\" y=\"20\">tick</text>"
      return [tick]
        + (nodes + clients).map { x, width, name in
          let words = PlainText.name(name, within: Int(width / 8.5))
          return "<text x=\"\(Markup.number(x - 6))\" y=\"20\"><title>\(Markup.escaped(name))</title>"
            + "\(Markup.escaped(words))</text>"
        }
    }

    /// The ticks, as many as there is room for.
    private var axis: [String] {
      var lines: [String] = []
      var last = -100.0
      let right = Markup.number(columns.border)
      for (tick, height) in timeline.ticks where height >= last + 26 {
        last = height
        let y = Markup.number(height)
        lines.append("<path class=\"grid\" d=\"M\(Markup.number(DiagramColumns.left)) \(y)H\(right)\"/>")
        lines.append("<text class=\"tick\" x=\"8\" y=\"\(Markup.number(height + 3.5))\">\(tick)</text>")
      }
      return lines
    }

    /// The lines of the hosts, and above them where they stand still.
    private var lines: [String] {
      let parts = lives.parts.map { part in
        let x = Markup.number(columns.x(line: part.line))
        let way = "M\(x) \(Markup.number(part.top))V\(Markup.number(part.bottom))"
        return "<path class=\"\(part.classes)\" d=\"\(way)\"/>"
      }
      let pauses = lives.pauses.map { pause in
        "<rect class=\"still\" x=\"\(Markup.number(columns.x(line: pause.line) - 6))\" "
          + "y=\"\(Markup.number(pause.top))\" width=\"12\" height=\"\(Markup.number(pause.bottom - pause.top))\"/>"
      }
      return parts + pauses
    }
  }
}

extension DiagramLives {
  /// The terms of all lines, the lowest first.
  fileprivate var terms: [UInt64] {
    let all = parts.compactMap { part -> UInt64? in
      if case .up(let term, _) = part.life { return term }
      return nil
    }
    return all.sorted().reduce(into: []) { if $0.last != $1 { $0.append($1) } }
  }
}

extension DiagramLives.Part {
  fileprivate var classes: String {
    guard case .up(let term, let role) = life else { return "line down" }
    let part = ["leader", "candidate"].contains(role) ? " \(role)" : ""
    return "line \(term.map(DiagramMarks.colour) ?? "")\(part)"
  }
}
