import AllocationCounter
import Foundation

/// The table, and what is promised about it.
struct Report {
  private static let header = ["", "unit", "ns/unit", "spread", "units/s", "allocations", "messages"]
  private static let widths = [-42, -9, 10, 7, 12, 12, 9]

  static func printHeader() {
    print(line(header))
    print(line(widths.map { String(repeating: "-", count: abs($0)) }))
  }

  static func printRow(_ row: Row) {
    let allocations =
      allocation_counter_is_available() ? decimal(row.allocationsPerUnit, places: 3) : "not available"
    print(
      line([
        row.name, row.unit.rawValue, decimal(row.nanosecondsPerUnit, places: 1),
        decimal(row.spread * 100, places: 0) + "%", grouped(row.unitsPerSecond), allocations,
        decimal(row.messagesPerUnit, places: 3),
      ]))
  }

  /// Says of each bound whether it is met; a bound whose row was not measured is left out.
  static func printBounds(_ rows: [Row]) {
    let allocations = rows.filter { $0.name.hasPrefix("proposals") }.flatMap(\.rounds).map(\.allocations)
    print()
    for (batch, least) in [(64, 2_000_000.0), (1, 400_000.0)] {
      let name = Workload.proposalsName(cores: 3, batch: batch, bytes: 16)
      guard let row = rows.first(where: { $0.name == name }) else { continue }
      let verdict = row.unitsPerSecond >= least ? "met" : "missed"
      print(
        "3 cores, batch \(batch), 16 B: at least \(grouped(least)) entries/s: \(verdict)"
          + " (\(grouped(row.unitsPerSecond)))")
    }
    guard let most = allocations.max() else { return }
    guard allocation_counter_is_available() else {
      return print("allocations per entry once warm: 0: not available on this platform")
    }
    print(
      "allocations per entry once warm: 0: \(most == 0 ? "met" : "missed")"
        + " (at most \(most) in a round of proposals)")
  }

  private static func line(_ cells: [String]) -> String {
    zip(cells, widths).map { cell, width in
      let padding = String(repeating: " ", count: max(0, abs(width) - cell.count))
      return width < 0 ? cell + padding : padding + cell
    }.joined(separator: " ")
  }

  private static func decimal(_ value: Double, places: Int) -> String {
    String(format: "%.\(places)f", value)
  }

  /// A whole number with a comma before every three digits.
  private static func grouped(_ value: Double) -> String {
    var text = ""
    for (position, digit) in String(Int(value.rounded())).reversed().enumerated() {
      if position > 0, position % 3 == 0 { text.append(",") }
      text.append(digit)
    }
    return String(text.reversed())
  }
}
