import Foundation
import Testing

@Suite("Every situation that broke another system has its row, and each row is true")
struct ScenarioTests {
  static let document = "Docs/scenarios.md"
  static let numbers = 1...80
  /// What a row may say that leads nowhere yet.
  static let elsewhere =
    ["storage", "clients"].flatMap { module in
      ["not of the core: covered with \(module)", "what is not of the core: covered with \(module)"]
    } + ["not of the core: [there are no witness members](decisions/010-no-witnesses.md)"]

  /// A script, or a test by its name.
  struct Place: Hashable, CustomStringConvertible {
    /// The name of a test, or of a script with spaces for hyphens.
    let sentence: String
    /// Path below the root.
    let path: String

    /// As the row has it, to be copied from a failure.
    var description: String { "[\(sentence)](../\(path))" }
  }

  struct Row {
    let number: Int
    let places: [Place]
    /// What the last column holds besides links.
    let remarks: [String]
  }

  @Test("each number has one row, in order, and each row says something")
  func rows() throws {
    let rows = try Self.rows()
    #expect(rows.map(\.number) == Array(Self.numbers))
    for row in rows {
      #expect(!row.places.isEmpty || !row.remarks.isEmpty, "row \(row.number) is empty")
      for remark in row.remarks {
        #expect(Self.elsewhere.contains(remark), "row \(row.number) says '\(remark)'")
      }
    }
  }

  @Test("changes of members and snapshots are tried with several nodes, not with one part alone")
  func severalNodes() throws {
    let folders = ["Tests/RaftCoreTests/Scripts/", "Tests/EndToEndTests/", "Tests/RaftSimulationTests/"]
    for row in try Self.rows() where (45...58).contains(row.number) || (63...76).contains(row.number) {
      let isTried = row.places.contains { place in folders.contains { place.path.hasPrefix($0) } }
      // There are no witnesses (73).
      #expect(
        isTried || row.number == 73, "row \(row.number) names no script, no end-to-end test, no simulation")
    }
  }

  @Test("whatever a row names is there, and names the number")
  func places() throws {
    let mentions = try Self.mentions()
    for row in try Self.rows() {
      for place in row.places {
        #expect(
          mentions[row.number]?.contains(place) ?? false,
          "row \(row.number) names \(place), which does not name scenario \(row.number)")
      }
    }
  }

  @Test("each script and test that names a number stands in its row")
  func mentionsAreListed() throws {
    let rows = try Self.rows()
    for (number, places) in try Self.mentions().sorted(by: { $0.key < $1.key }) {
      let row = try #require(rows.first { $0.number == number }, "there is no row \(number)")
      for place in places where !row.places.contains(place) {
        Issue.record("row \(number) of \(Self.document) lacks \(place)")
      }
    }
  }

  @Test(
    "what a sentence names is read off it",
    arguments: [
      ("an old append cuts nothing (scenario 6)", [6], "an old append cuts nothing"),
      ("nobody is elected (scenarios 21, 22)", [21, 22], "nobody is elected"),
      ("it may be overwritten (scenario 1, thesis fig. 3.7)", [1], "it may be overwritten"),
      (
        "a removed node (it was away) disturbs nobody (§4.2.3, scenario 55)", [55],
        "a removed node (it was away) disturbs nobody"
      ),
      ("nothing", [], "nothing"),
    ])
  func reader(_ text: String, _ numbers: [Int], _ sentence: String) {
    #expect(Self.numbers(in: text) == numbers)
    #expect(Self.withoutNumbers(text) == sentence)
  }

  // MARK: - Reading

  private static func rows() throws -> [Row] {
    try SourceTree.text(document).split(separator: "\n").compactMap { line in
      let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
      guard cells.count == 3, let number = Int(cells[0]) else { return nil }
      let places = cells[2].matches(of: /\[([^\]]+)\]\(\.\.\/([^)]+)\)/).map { match in
        Place(sentence: String(match.output.1), path: String(match.output.2))
      }
      let rest = places.reduce(cells[2]) { $0.replacingOccurrences(of: $1.description, with: "") }
      let remarks = rest.split(separator: ";").map { $0.trimmingCharacters(in: .whitespaces) }
      return Row(number: number, places: places, remarks: remarks.filter { !$0.isEmpty })
    }
  }

  /// All scripts and tests that name a scenario, by its number.
  private static func mentions() throws -> [Int: Set<Place>] {
    var mentions: [Int: Set<Place>] = [:]
    for path in SourceTree.paths(below: "Tests/RaftCoreTests/Scripts", suffix: ".txt") {
      let heading = try SourceTree.text(path).prefix { $0 != "\n" }
      for number in numbers(in: String(heading)) {
        mentions[number, default: []].insert(Place(sentence: sentence(of: path), path: path))
      }
    }
    for file in SourceTree.all where file.path.hasPrefix("Tests/") && file.module != "StyleTests" {
      for match in file.text.matches(of: /"([^"\n]*scenarios? \d[^"\n]*)"/) {
        let text = String(match.output.1)
        for number in numbers(in: text) {
          mentions[number, default: []].insert(Place(sentence: withoutNumbers(text), path: file.path))
        }
      }
    }
    return mentions
  }

  private static func sentence(of path: String) -> String {
    let name = path.split(separator: "/").last?.dropLast(".txt".count) ?? ""
    return String(name).replacing("-", with: " ").replacing("pre vote", with: "pre-vote")
  }

  private static func numbers(in text: String) -> [Int] {
    text.matches(of: /scenarios? (\d+(?:(?:, | and )\d+)*)/).flatMap { match in
      match.output.1.matches(of: /\d+/).compactMap { Int($0.output) }
    }
  }

  /// The sentence without the parenthesis at its end that names scenarios.
  private static func withoutNumbers(_ text: String) -> String {
    text.replacing(/\ \([^()]*scenarios? \d[^()]*\)$/, with: "")
  }
}
