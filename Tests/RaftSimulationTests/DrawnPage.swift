import Foundation
import FoundationXML
import RaftSimulation
import Testing

/// A page, read again.
struct DrawnPage {
  let html: String
  /// In the order in which they begin.
  let elements: [Element]

  struct Element {
    let name: String
    let attributes: [String: String]
    /// All text in it.
    var text = ""
    /// The elements in it.
    var inner: [Element] = []

    var id: String { attributes["id"] ?? "" }
    var classes: Set<String> { Set((attributes["class"] ?? "").split(separator: " ").map(String.init)) }
    var title: String { inner.first { $0.name == "title" }?.text ?? "" }
    func number(_ attribute: String) -> Double? { attributes[attribute].flatMap(Double.init) }

    /// The middles of circles.
    var dots: [Point] {
      inner.filter { $0.name == "circle" }.map { Point(x: $0.number("cx") ?? 0, y: $0.number("cy") ?? 0) }
    }
    /// The corners of paths.
    var paths: [[Point]] { inner.filter { $0.name == "path" }.map(\.corners) }
    func path(_ kind: String) -> [Point]? {
      inner.first { $0.name == "path" && $0.classes.contains(kind) }?.corners
    }

    private var corners: [Point] {
      (attributes["d"] ?? "").matches(of: /[ML](-?[\d.]+) (-?[\d.]+)/).map {
        Point(x: Double($0.output.1) ?? .nan, y: Double($0.output.2) ?? .nan)
      }
    }
  }

  struct Point: Hashable {
    let x: Double
    let y: Double
  }

  /// A part of the line of a host.
  struct Line {
    let classes: Set<String>
    let x: Double
    let top: Double
  }

  init(_ recording: RunRecording) throws {
    html = SpaceTimeDiagram.html(of: recording)
    let reader = Reader()
    let parser = XMLParser(data: Data(html.utf8))
    parser.delegate = reader
    let isWellFormed = parser.parse()
    try #require(isWellFormed, "line \(parser.lineNumber): \(String(describing: parser.parserError))")
    elements = reader.elements
  }

  /// The events that are drawn, the earliest first; the signs of the legend have no number.
  var events: [Element] { elements.filter { $0.name == "g" && $0.classes.contains("e") && !$0.id.isEmpty } }

  /// Where hosts stand still.
  var stills: [Element] {
    elements.first { $0.id == "run" }?.inner.filter { $0.classes.contains("still") } ?? []
  }

  /// The lines of the hosts, from the left and from the top.
  var lines: [Line] {
    elements.filter { $0.classes.contains("line") }.compactMap { element in
      guard let match = element.attributes["d"]?.wholeMatch(of: /M([\d.]+) ([\d.]+)V[\d.]+/),
        let x = Double(match.output.1), let top = Double(match.output.2), x > 26
      else { return nil }
      return Line(classes: element.classes, x: x, top: top)
    }
    .sorted { ($0.x, $0.top) < ($1.x, $1.top) }
  }

  private final class Reader: NSObject, XMLParserDelegate {
    private(set) var elements: [Element] = []
    private var open: [Int] = []

    func parser(
      _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
      attributes: [String: String]
    ) {
      open.append(elements.count)
      elements.append(Element(name: name, attributes: attributes))
    }

    func parser(_ parser: XMLParser, foundCharacters text: String) {
      for index in open { elements[index].text += text }
    }

    func parser(
      _ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?
    ) {
      guard let ended = open.popLast(), let outer = open.last, name != "main" else { return }
      elements[outer].inner.append(elements[ended])
    }
  }
}

extension RunRecording {
  /// An election, a crash, a partition and a violation.
  static let election: RunRecording = {
    var events: [RunEvent] = (0..<3).map { .init(tick: 0, node: $0, kind: .started(life: UInt64($0) + 1)) }
    events += [
      .init(tick: 10, node: 0, kind: .role(name: "candidate", term: 1)),
      .init(tick: 10, node: 0, kind: .sent(message: 1, to: 1, text: "requestVote", term: 1)),
      .init(tick: 10, node: 0, kind: .sent(message: 2, to: 2, text: "requestVote", term: 1)),
      .init(tick: 10, node: 0, kind: .lost(message: 2)),
      .init(tick: 14, node: 1, kind: .arrived(message: 1, from: 0)),
      .init(tick: 14, node: 1, kind: .wrote(text: "persist")),
      .init(tick: 16, node: 1, kind: .synced(text: "persist")),
      .init(tick: 16, node: 1, kind: .sent(message: 3, to: 0, text: "requestVoteReply", term: 1)),
      .init(tick: 20, node: 0, kind: .arrived(message: 3, from: 1)),
      .init(tick: 20, node: 0, kind: .role(name: "leader", term: 1)),
      .init(tick: 20, node: 0, kind: .sent(message: 4, to: 1, text: "heartbeat(round: 1)", term: 1)),
      .init(tick: 21, node: 0, kind: .asked(client: 0, operation: 1, text: "write(1)")),
      .init(tick: 26, node: 1, kind: .arrived(message: 4, from: 0)),
      .init(tick: 30, node: 2, kind: .fault(text: "cut: {1} | {2,3}")),
      .init(tick: 31, node: 1, kind: .crashed),
      .init(tick: 32, node: 2, kind: .paused(until: 60)),
      .init(tick: 70, node: 1, kind: .started(life: 4)),
      .init(tick: 71, node: 1, kind: .snapshot(text: "installed through 4")),
      .init(tick: 72, node: 1, kind: .configuration(text: "voters 3")),
      .init(tick: 80, node: 0, kind: .committed(index: 2)),
      .init(tick: 80, node: 0, kind: .applied(index: 2)),
      .init(tick: 81, node: 0, kind: .answered(client: 0, operation: 1, text: "written(1)")),
      .init(tick: 90, node: 0, kind: .violation(text: "state machine safety: 1 applied other entries")),
    ]
    return .invented(events, violations: ["state machine safety: 1 applied other entries"])
  }()
}
