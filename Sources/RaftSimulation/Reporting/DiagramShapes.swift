/// The shapes of events.
enum DiagramShapes {
  /// A flash.
  static let bolt = [
    (x: 2.0, y: -8.0), (x: -5, y: 1), (x: -1, y: 1), (x: -3, y: 8), (x: 5, y: -2), (x: 1, y: -2),
  ]

  static func circle(_ at: DiagramPoint, _ radius: Double) -> String {
    "<circle cx=\"\(Markup.number(at.x))\" cy=\"\(Markup.number(at.y))\" r=\"\(Markup.number(radius))\"/>"
  }

  static func cross(_ at: DiagramPoint, _ size: Double) -> String {
    let corner = DiagramPoint(x: size, y: size)
    let other = DiagramPoint(x: size, y: -size)
    return
      "<path class=\"cross\" d=\"\(Markup.path([[at - corner, at + corner], [at - other, at + other]]))\"/>"
  }

  /// What belongs to the disk stands at the left of the line.
  static func square(_ at: DiagramPoint) -> String {
    polygon(at, [(-13, -3), (-7, -3), (-7, 3), (-13, 3)])
  }

  static func polygon(_ at: DiagramPoint, _ corners: [(x: Double, y: Double)]) -> String {
    "<path d=\"\(Markup.path([corners.map { at + DiagramPoint(x: $0.x, y: $0.y) }]))Z\"/>"
  }
}
