import RaftSimulation
import Testing

@Suite("A run as a drawing")
struct DiagramTests {
  @Test("the page is well-formed, says which rule was broken when, and how to see it again")
  func page() throws {
    let page = try DrawnPage(.election)
    let broken = try #require(page.elements.first { $0.classes.contains("broken") })
    #expect(broken.text.contains("tick 90 state machine safety: 1 applied other entries"))
    let link = try #require(page.elements.first { $0.name == "a" })
    let target = try #require(page.events.first { "#\($0.id)" == link.attributes["href"] })
    #expect(target.classes.contains("violation"))
    #expect(page.elements.contains { $0.name == "code" && $0.text == "raftsim replay 1" })
    #expect(page.events.count == RunRecording.election.events.count)
    let sentences = page.elements.filter { $0.name == "p" }.map(\.text)
    #expect(sentences.contains { $0.hasPrefix("\(page.events.count) events.") })
  }

  @Test("an arrow leads from where a message was sent down to where it arrived")
  func pairs() throws {
    let page = try DrawnPage(
      .invented([
        .init(tick: 1, node: 0, kind: .sent(message: 7, to: 2, text: "requestVote", term: 1)),
        .init(tick: 1, node: 2, kind: .arrived(message: 7, from: 0)),
        .init(tick: 9, node: 2, kind: .arrived(message: 7, from: 0)),
      ]))
    let sent = try #require(page.events.first?.dots.first)
    for arrival in page.events.dropFirst() {
      #expect(arrival.classes.contains("message"))
      #expect(arrival.attributes["data-c"] == "0")
      #expect(arrival.attributes["data-n"] == "2")
      let way = try #require(arrival.path("hit"))
      #expect(way.first == sent)
      #expect(way.count == 2)
      #expect(way[1].y > sent.y)
      #expect(way[1].x > sent.x)
      #expect(arrival.title.contains("n3: <- n1  #7 requestVote"))
    }
    #expect(page.events[2].path("hit")?[1].y ?? 0 > page.events[1].path("hit")?[1].y ?? .infinity)
  }

  @Test("a lost message ends in a cross between its hosts, and belongs to no host's order")
  func lost() throws {
    let page = try DrawnPage(
      .invented([
        .init(tick: 1, node: 0, kind: .sent(message: 7, to: 1, text: "heartbeat(round: 1)", term: 1)),
        .init(tick: 1, node: 0, kind: .lost(message: 7)),
        .init(tick: 2, node: 0, kind: .lost(message: 3)),
      ]))
    let (sent, lost, other) = (page.events[0], page.events[1], page.events[2])
    let begin = try #require(sent.dots.first)
    let way = try #require(lost.path("hit"))
    #expect(lost.classes.isSuperset(of: ["lost", "beat"]))
    #expect(lost.attributes["data-c"] == "0")
    #expect(lost.attributes["data-n"] == nil)
    #expect(lost.path("cross") != nil)
    #expect(way[0] == begin)
    #expect(way[1].x > begin.x)
    #expect(other.attributes["data-c"] == nil)
    #expect(other.path("cross") != nil)
    #expect(other.title.contains("sent before this recording"))
  }

  @Test("a message of which no end is recorded has a beginning alone")
  func open() throws {
    let page = try DrawnPage(
      .invented([.init(tick: 1, node: 0, kind: .sent(message: 7, to: 1, text: "requestVote", term: 1))]))
    #expect(page.events.first?.path("open") != nil)
  }

  @Test("the line of a host that joins later begins where it starts")
  func joins() throws {
    let page = try DrawnPage(
      .invented([
        .init(tick: 1, node: 0, kind: .started(life: 1)),
        .init(tick: 500, node: 1, kind: .fault(text: "addMember")),
        .init(tick: 900, node: 1, kind: .started(life: 2)),
        .init(tick: 950, node: 0, kind: .crashed),
      ]))
    let lines = page.lines
    #expect(lines.count == 3)
    let late = try #require(lines.first { $0.x == page.events[2].dots.first?.x })
    #expect(late.top == page.events[2].dots.first?.y)
    #expect(!late.classes.contains("down"))
    let down = try #require(lines.first { $0.classes.contains("down") })
    #expect(down.x == page.events[0].dots.first?.x)
  }

  @Test("who leads has a thick line in the colour of the term, until it hears of another term or crashes")
  func leads() throws {
    let page = try DrawnPage(
      .invented([
        .init(tick: 1, node: 0, kind: .role(name: "leader", term: 2)),
        .init(tick: 9, node: 0, kind: .sent(message: 1, to: 1, text: "requestVoteReply", term: 3)),
        .init(tick: 20, node: 0, kind: .role(name: "leader", term: 9)),
        .init(tick: 30, node: 0, kind: .crashed),
      ]))
    #expect(
      page.lines.map { $0.classes.subtracting(["line"]) } == [
        [], ["t2", "leader"], ["t3"], ["t3", "leader"], ["down"],
      ])
  }

  @Test("a host that stands still is hatched until it goes on or dies")
  func pauses() throws {
    let page = try DrawnPage(
      .invented([
        .init(tick: 10, node: 0, kind: .paused(until: 20)),
        .init(tick: 10, node: 1, kind: .paused(until: 1_000)),
        .init(tick: 20, node: 2, kind: .applied(index: 1)),
        .init(tick: 30, node: 1, kind: .crashed),
        .init(tick: 40, node: 2, kind: .applied(index: 2)),
      ]))
    let ends = page.stills.map { ($0.number("y") ?? 0) + ($0.number("height") ?? 0) }
    let moved = try #require(page.events[2].dots.first?.y)
    let crash = try #require(page.lines.first { $0.classes.contains("down") }?.top)
    #expect(ends.count == 2)
    #expect(ends.contains(moved))
    #expect(ends.contains(crash))
  }

  @Test("an operation is a bracket from the first time that it was asked for to its answer, if it has one")
  func operations() throws {
    let page = try DrawnPage(
      .invented([
        .init(tick: 1, node: 0, kind: .asked(client: 1, operation: 4, text: "read(1)")),
        .init(tick: 50, node: 1, kind: .asked(client: 1, operation: 4, text: "read(1)")),
        .init(tick: 60, node: 1, kind: .answered(client: 1, operation: 4, text: "found")),
        .init(tick: 70, node: 0, kind: .asked(client: 0, operation: 5, text: "read(2)")),
      ]))
    let asked = try #require(page.events[0].paths.last)
    let bracket = try #require(page.events[2].paths.last)
    #expect(bracket.first == asked.last)
    #expect(page.events[0].attributes["data-k"] == page.events[2].attributes["data-k"])
    #expect(page.events[2].title == "tick 60  n2: c2 gets  [4] found")
    let unanswered = page.elements.filter { $0.classes.contains("unanswered") }
    #expect(unanswered.count == 1)
  }
}
