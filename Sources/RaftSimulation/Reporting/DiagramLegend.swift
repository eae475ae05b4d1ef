/// Says what the signs of a drawing mean.
enum DiagramLegend {
  /// How many terms are listed, the last ones.
  private static let termsMax = 12

  static func html(terms: [UInt64]) -> [String] {
    let listed = terms.suffix(termsMax)
    var items = listed.map {
      item("<path class=\"line \(DiagramMarks.colour($0))\" d=\"M12 1V15\"/>", "term \($0)")
    }
    if terms.count > listed.count {
      items.insert("<li>… \(terms.count - listed.count) terms before</li>", at: 0)
    }
    items += signs.map { item($0.sign, $0.words) }
    return ["<details open=\"open\"><summary>Legend</summary><ul class=\"legend\">"] + items + [
      "</ul></details>"
    ]
  }

  private static func item(_ sign: String, _ words: String) -> String {
    "<li><svg width=\"26\" height=\"16\" aria-hidden=\"true\">\(sign)</svg> \(words)</li>"
  }

  private static var signs: [(sign: String, words: String)] {
    let middle = DiagramPoint(x: 12, y: 8)
    let arrow = "<path d=\"M1 3L24 12M16 12.5L24 12L18.5 6.5\"/>"
    return [
      ("<path class=\"line leader\" d=\"M12 1V15\"/>", "leader"),
      ("<path class=\"line candidate\" d=\"M12 1V15\"/>", "candidate"),
      ("<path class=\"line down\" d=\"M12 1V15\"/>", "down"),
      ("<rect class=\"still\" x=\"6\" y=\"1\" width=\"12\" height=\"14\"/>", "stands still"),
      (group("message", arrow), "message"),
      (group("message beat", arrow), "heartbeat"),
      (group("message lost", "<path d=\"M1 3L14 8\"/>" + DiagramShapes.cross(.init(x: 15, y: 8), 4)), "lost"),
      (group("sent", "<path class=\"open\" d=\"M1 3L14 8\"/>"), "end not recorded"),
      (group("life", DiagramShapes.circle(middle, 5)), "starts"),
      (group("crash", DiagramShapes.cross(middle, 6)), "crashes"),
      (group("commit", DiagramShapes.polygon(middle, [(0, -4), (7, 0), (0, 4)])), "commits through"),
      (group("commit", DiagramShapes.circle(middle, 2.2)), "applies"),
      (group("disk begun", DiagramShapes.square(.init(x: 22, y: 8))), "write begins"),
      (group("disk", DiagramShapes.square(.init(x: 22, y: 8))), "on disk"),
      (group("snap", DiagramShapes.polygon(middle, [(-5, -5), (5, -5), (5, 5), (-5, 5)])), "snapshot"),
      (group("config", DiagramShapes.polygon(middle, [(0, -6), (6, 0), (0, 6), (-6, 0)])), "configuration"),
      (group("fault", DiagramShapes.polygon(middle, DiagramShapes.bolt)), "fault or command"),
      (group("client", "<path d=\"M16 2H10V14H16\"/>"), "operation of a client"),
    ]
  }

  private static func group(_ classes: String, _ shapes: String) -> String {
    "<g class=\"e \(classes)\">\(shapes)</g>"
  }
}
