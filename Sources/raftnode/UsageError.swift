/// An option that is wrong: what was given and what is allowed, in one line.
struct UsageError: Error, Hashable, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

/// The allowed values of an option that is a number, with its unit.
struct OptionRange: CustomStringConvertible {
  /// The smallest and the largest value; of a time, in milliseconds.
  let values: ClosedRange<Int>
  let unit: Unit

  enum Unit: String {
    /// Written in seconds, with decimals or without, held in milliseconds.
    case seconds
    case bytes
    case connections
    case commands
    case voters
  }

  /// `0.1 to 3600 seconds`.
  var description: String { "\(text(values.lowerBound)) to \(text(values.upperBound)) \(unit.rawValue)" }

  private func text(_ value: Int) -> String {
    guard unit == .seconds, value % 1000 != 0 else { return "\(unit == .seconds ? value / 1000 : value)" }
    var decimals = "\(1000 + value % 1000)".dropFirst()
    while decimals.last == "0" { decimals.removeLast() }
    return "\(value / 1000).\(decimals)"
  }

  /// Reads the value of an option; nil stands for the default.
  func read(_ text: String?, of option: String, default fallback: Int) throws(UsageError) -> Int {
    guard let text else { return fallback }
    guard let value = unit == .seconds ? Self.milliseconds(text) : Self.count(text), values.contains(value)
    else {
      throw UsageError("\(option) is '\(text)'; it must be \(self)")
    }
    return value
  }

  private static func count(_ text: String) -> Int? {
    guard !text.isEmpty, text.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
    return Int(text)
  }

  /// Reads `2`, `0.25`, `.5` or `1.`; what is finer than a millisecond is dropped. The standard library's own reader
  /// would also take `inf`, `nan`, `1e3` and `0x1p4`.
  private static func milliseconds(_ text: String) -> Int? {
    let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard let whole = parts.first else { return nil }
    let decimals = parts.count > 1 ? parts[1] : ""
    guard !(whole + decimals).isEmpty, (whole + decimals).utf8.allSatisfy({ (48...57).contains($0) }) else {
      return nil
    }
    guard whole.count <= 9, let seconds = Int("0" + whole), let rest = Int((decimals + "000").prefix(3))
    else {
      return nil
    }
    return seconds * 1000 + rest
  }
}
