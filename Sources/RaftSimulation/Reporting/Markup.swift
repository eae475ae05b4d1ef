/// Pieces of HTML and SVG. Everything is well-formed XML, too.
enum Markup {
  /// A text from outside as the content of an element or of an attribute in double quotes.
  static func escaped(_ text: String) -> String { escapedLine(PlainText.line(text)) }

  /// The same of a line that is fit to be shown already, and may be longer.
  static func escapedLine(_ line: String) -> String {
    var result = ""
    // Not by characters: a sign and a mark that combines with it are one, and the sign has to be escaped all the same.
    for scalar in line.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// A coordinate, to a tenth of a pixel.
  static func number(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    let sign = tenths < 0 ? "-" : ""
    let (whole, rest) = tenths.magnitude.quotientAndRemainder(dividingBy: 10)
    return rest == 0 ? "\(sign)\(whole)" : "\(sign)\(whole).\(rest)"
  }

  /// A path of straight lines; a list of points for each.
  static func path(_ lines: [[DiagramPoint]]) -> String {
    lines.map { points in
      points.enumerated().map {
        "\($0.offset == 0 ? "M" : "L")\(number($0.element.x)) \(number($0.element.y))"
      }
      .joined()
    }.joined()
  }
}

/// A place in a drawing, in pixels; y grows downwards.
struct DiagramPoint: Hashable, Sendable {
  var x: Double
  var y: Double

  static func + (left: Self, right: Self) -> Self { Self(x: left.x + right.x, y: left.y + right.y) }
  static func - (left: Self, right: Self) -> Self { Self(x: left.x - right.x, y: left.y - right.y) }
  static func * (left: Self, right: Double) -> Self { Self(x: left.x * right, y: left.y * right) }

  var length: Double { (x * x + y * y).squareRoot() }
}
