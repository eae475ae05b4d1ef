import Foundation
import RaftSimulation
import Testing

@Suite("The page of a drawing")
struct DiagramPageTests {
  @Test("an empty recording is a page that says so", arguments: [[], ["n1"]])
  func empty(nodes: [String]) throws {
    let page = try DrawnPage(.invented([], nodes: nodes, clients: []))
    #expect(page.events.isEmpty)
    #expect(page.lines.isEmpty)
    #expect(page.elements.contains { $0.text == "No rule was broken." })
  }

  @Test("texts from outside are shown, never obeyed")
  func hostile() throws {
    let evil = "</title><script>alert(1)</script>\" onload='x' & ]]>\u{0}\u{1b}\u{fffe}"
    let combined = "<\u{338}b>"
    var recording = RunRecording.invented(
      [
        .init(tick: 1, node: 0, kind: .role(name: evil, term: 1)),
        .init(tick: 2, node: 0, kind: .sent(message: 1, to: 1, text: evil, term: 1)),
        .init(tick: 3, node: 1, kind: .arrived(message: 1, from: 0)),
        .init(tick: 4, node: 0, kind: .wrote(text: evil)), .init(tick: 4, node: 0, kind: .synced(text: evil)),
        .init(tick: 5, node: 0, kind: .snapshot(text: evil)),
        .init(tick: 6, node: 0, kind: .configuration(text: evil)),
        .init(tick: 7, node: 0, kind: .asked(client: 0, operation: 1, text: evil)),
        .init(tick: 8, node: 0, kind: .answered(client: 0, operation: 1, text: evil)),
        .init(tick: 9, node: 0, kind: .fault(text: combined)),
        .init(tick: 9, node: 0, kind: .violation(text: evil)),
      ], nodes: [evil, combined], clients: [evil], violations: [evil, combined], title: evil)
    recording.command = evil
    let page = try DrawnPage(recording)
    #expect(page.elements.filter { $0.name == "script" }.count == 1)
    #expect(!page.elements.contains { $0.name == "b" || $0.attributes.keys.contains("onload") })
    #expect(!page.html.contains("<script>alert"))
    #expect(
      page.events[3].title.contains("</title><script>alert(1)</script>\" onload='x' & ]]>\\u{0}\\u{1b}"))
  }

  @Test("many clients have narrow lines, and of their names the part that tells them apart")
  func manyClients() throws {
    let names = (1...12).map { "client \($0)" }
    let page = try DrawnPage(.invented([], clients: names))
    let shown = page.elements.first { $0.id == "names" }?.inner.filter { names.contains($0.title) }
    #expect(shown?.map { $0.text.dropFirst($0.title.count) } == (1...12).map { "\($0)" })
  }

  @Test("every check box hides what has its name")
  func filters() throws {
    let page = try DrawnPage(.election)
    let parts = page.elements.compactMap { $0.attributes["data-part"] }
    #expect(parts == ["beat", "client", "disk", "commit"])
    for part in parts {
      #expect(page.html.contains(".no-\(part) .\(part)"))
      #expect(page.events.contains { $0.classes.contains(part) }, "\(part)")
    }
  }

  @Test("the page loads nothing from anywhere")
  func alone() {
    let html = SpaceTimeDiagram.html(of: .election)
    for word in ["http:", "https:", "src=", "@import", "<link", "fetch(", "XMLHttp", "import("] {
      #expect(!html.contains(word), "\(word)")
    }
    #expect(html.contains("default-src 'none'"))
  }

  @Test("of a long recording the last events are drawn, with what was known before them")
  func long() throws {
    var events: [RunEvent] = [
      .init(tick: 0, node: 1, kind: .role(name: "leader", term: 4)),
      .init(tick: 0, node: 1, kind: .sent(message: 1, to: 0, text: "commitNotice(3)", term: 4)),
      .init(tick: 0, node: 0, kind: .asked(client: 0, operation: 8, text: "read(1)")),
    ]
    for index in 1...UInt64(SpaceTimeDiagram.eventsMax - 2) {
      events.append(.init(tick: index, node: 2, kind: .applied(index: index)))
    }
    events.append(.init(tick: 9_000, node: 0, kind: .arrived(message: 1, from: 1)))
    events.append(.init(tick: 9_001, node: 0, kind: .answered(client: 0, operation: 8, text: "found")))
    let page = try DrawnPage(.invented(events, dropped: 10))
    #expect(page.events.count == SpaceTimeDiagram.eventsMax)
    #expect(page.elements.contains { $0.text == "13 earlier ones are not shown." })
    #expect(page.lines.contains { $0.classes.isSuperset(of: ["leader", "t4"]) && $0.top == 0 })
    let arrival = page.events[SpaceTimeDiagram.eventsMax - 2]
    #expect(arrival.title.contains("commitNotice(3)"))
    #expect(arrival.attributes["data-c"] == nil)
    #expect(page.events.last?.paths.last?.first?.y == 0)
  }

  @Test("hosts and clients that the recording does not name have a line of their own")
  func strangers() throws {
    let page = try DrawnPage(
      .invented([
        .init(tick: .max, node: .max, kind: .sent(message: 1, to: .min, text: "x", term: .max)),
        .init(tick: 0, node: -1, kind: .arrived(message: 1, from: 17)),
        .init(tick: .max, node: 0, kind: .paused(until: 0)),
        .init(tick: 5, node: 5, kind: .answered(client: -3, operation: 9, text: "x")),
      ]))
    #expect(page.events.count == 4)
    #expect(Set(page.events.map { $0.attributes["data-n"] ?? "" }) == ["0", "3"])
  }

  @Test("the same recording gives the same bytes, in this process and in another")
  func sameBytes() async throws {
    let html = SpaceTimeDiagram.html(of: .election)
    #expect(html == SpaceTimeDiagram.html(of: .election))
    let result = try await #require(processExitsWith: .success, observing: [\.standardOutputContent]) {
      print(SpaceTimeDiagram.html(of: .election))
    }
    #expect(String(decoding: result.standardOutputContent, as: UTF8.self).contains(html))
  }

  @Test("words and lines stand out from the paper, in light and in dark")
  func contrast() throws {
    let style = SpaceTimeDiagram.html(of: .election)
    let schemes = style.components(separatedBy: "prefers-color-scheme: dark")
    try #require(schemes.count == 2)
    for scheme in schemes {
      let colours = scheme.matches(of: /--(\w+): #([0-9a-f]{6});/).map {
        (name: String($0.output.1), luminance: Self.luminance(Int($0.output.2, radix: 16) ?? 0))
      }
      let paper = try #require(colours.first { $0.name == "paper" }).luminance
      let words = ["ink", "soft", "red", "amber"]
      #expect(colours.filter { words.contains($0.name) }.count == words.count)
      for colour in colours where words.contains(colour.name) || colour.name.hasPrefix("t") {
        let ratio = (max(paper, colour.luminance) + 0.05) / (min(paper, colour.luminance) + 0.05)
        #expect(ratio >= (words.contains(colour.name) ? 4.5 : 3), "\(colour.name)")
      }
    }
  }

  /// As the Web Content Accessibility Guidelines define it.
  private static func luminance(_ colour: Int) -> Double {
    let parts = [colour >> 16, colour >> 8 & 255, colour & 255].map { part in
      let value = Double(part) / 255
      return value <= 0.03928 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4)
    }
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
  }
}
