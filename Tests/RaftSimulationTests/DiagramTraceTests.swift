import RaftSimulation
import Testing

@Suite("A run as text")
struct DiagramTraceTests {
  @Test("when, where and what stand in columns; what was violated and how to see it again stand at the end")
  func columns() {
    let lines = RunTrace.text(
      of: .invented(
        [
          .init(tick: 3, node: 0, kind: .started(life: 1)),
          .init(tick: 99, node: 1, kind: .role(name: "leader", term: 2)),
          .init(tick: 12_345, node: 2, kind: .crashed),
          .init(tick: 12_345, node: 0, kind: .violation(text: "election safety: two leaders")),
        ], nodes: ["n1", "longer", "n3"], violations: ["election safety: two leaders"]))
    #expect(
      lines == [
        "seed 1",
        " tick  node    what",
        "    3  n1      starts, life 1",
        "   99  longer  is leader in term 2",
        "12345  n3      crashes",
        "12345          VIOLATED election safety: two leaders",
        "violated: election safety: two leaders",
        "again: raftsim replay 1",
      ])
  }

  @Test("an arrival and a loss say which message it was, and which one was sent before the recording began")
  func pairs() {
    let lines = RunTrace.text(
      of: .invented([
        .init(
          tick: 1, node: 0,
          kind: .sent(message: 7, to: 1, text: "heartbeat(RaftCore.Heartbeat(round: 4))", term: 3)),
        .init(tick: 2, node: 1, kind: .arrived(message: 7, from: 0)),
        .init(tick: 2, node: 0, kind: .lost(message: 7)),
        .init(tick: 3, node: 1, kind: .arrived(message: 5, from: 2)),
      ]))
    #expect(
      lines[2...5] == [
        "   1  n1    -> n2  #7 heartbeat(round: 4), term 3",
        "   2  n2    <- n1  #7 heartbeat",
        "   2  n1    lost to n2  #7 heartbeat",
        "   3  n2    <- n3  #5 sent before this recording",
      ])
  }

  @Test(
    "the names of types are left out of messages and operations, and quoted text stays",
    arguments: [
      ("commitNotice(4)", "commitNotice(4)"),
      ("reply(RaftCore.Reply.accepted(match: 5))", "reply(accepted(match: 5))"),
      ("write(Simulation.Bank.Command.write(key: 1, value: (2)))", "write(key: 1, value: (2))"),
      ("put(App.Put(text: \"A.b(put(\\\"C.d\"))", "put(text: \"A.b(put(\\\"C.d\")"),
      ("((", "(("), (")) a.B", ")) a.B"), ("\"open", "\"open"), ("", ""),
    ])
  func typeNames(text: String, shown: String) {
    let lines = RunTrace.text(
      of: .invented([.init(tick: 1, node: 0, kind: .asked(client: 0, operation: 2, text: text))]))
    #expect(lines[2] == "   1  n1    c1 asks  [2] \(shown)")
  }

  @Test("a text is one line, does nothing to a terminal, and is cut if it is long")
  func hostileText() {
    let lines = RunTrace.text(
      of: .invented([
        .init(tick: 1, node: 0, kind: .fault(text: "a\nb\u{1b}[2J\u{202e}")),
        .init(tick: 1, node: 0, kind: .fault(text: String(repeating: "x", count: 100_000))),
      ]))
    #expect(lines[2] == "   1  n1    ! a\\u{a}b\\u{1b}[2J\\u{202e}")
    #expect(lines[3].count < 500)
    #expect(lines[3].hasSuffix("…"))
  }

  @Test("a recording without events, and hosts and clients without names, are shown all the same")
  func nothing() {
    #expect(
      RunTrace.text(of: .invented([], nodes: [], dropped: 4)) == [
        "seed 1", "4 earlier events are missing", "tick  node  what", "again: raftsim replay 1",
      ])
    let lines = RunTrace.text(
      of: .invented([
        .init(tick: 1, node: 12, kind: .arrived(message: 1, from: -1)),
        .init(tick: .max, node: 0, kind: .answered(client: 9, operation: 1, text: "ok")),
      ]))
    #expect(lines[2].hasSuffix("   1  host 12  <- host -1  #1 sent before this recording"))
    #expect(lines[3] == "18446744073709551615  n1    client 9 gets  [1] ok")
  }
}

extension RunRecording {
  /// A recording that no simulator has made.
  static func invented(
    _ events: [RunEvent], nodes: [String] = ["n1", "n2", "n3"], clients: [String] = ["c1", "c2"],
    violations: [String] = [], title: String = "seed 1", dropped: Int = 0
  ) -> RunRecording {
    RunRecording(
      title: title, command: "raftsim replay 1", nodes: nodes, clients: clients, events: events,
      violations: violations, eventsDropped: dropped)
  }
}
