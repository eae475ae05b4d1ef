import Foundation
import Testing

@Suite("What the documents say is there")
struct DocumentTests {
  static let documents =
    ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"]
    + SourceTree.paths(below: "Docs", suffix: ".md")

  @Test("every link to a file leads to one", arguments: documents)
  func links(_ document: String) throws {
    let folder = document.split(separator: "/").dropLast().joined(separator: "/")
    for match in try SourceTree.text(document).matches(of: /\]\(([^)#\s]+)(#[^)]*)?\)/) {
      let target = String(match.output.1)
      guard !target.contains("://") else { continue }
      let path = URL(filePath: "/\(folder)/\(target)").standardized.path
      #expect(SourceTree.exists(String(path.dropFirst())), "\(document) links to \(target)")
    }
  }

  @Test("every file that is named in a document exists", arguments: documents)
  func namedFiles(_ document: String) throws {
    for match in try SourceTree.text(document).matches(
      of: /`((Sources|Tests|Examples|Docs|Scripts|\.ci)\/[\w\/.+-]+)`/)
    {
      #expect(SourceTree.exists(String(match.output.1)), "\(document) names \(match.output.1)")
    }
  }

  @Test("every make target that a document names exists", arguments: documents)
  func makeTargets(_ document: String) throws {
    let makefile = try SourceTree.text("Makefile")
    for match in try SourceTree.text(document).matches(of: /(?:`|^)make ([a-z-]+)/.anchorsMatchLineEndings())
    {
      #expect(makefile.contains("\n\(match.output.1):"), "\(document) names 'make \(match.output.1)'")
    }
  }

  @Test("the README's example is the program that the tests build, and is short")
  func readmeExample() throws {
    let readme = try SourceTree.text("README.md")
    let example = try SourceTree.text("Examples/ReadmeExample/main.swift")
    #expect(
      readme.contains("```swift\n\(example)```"), "README.md and Examples/ReadmeExample/main.swift differ")
    #expect(example.split(separator: "\n").count <= 25)
  }

  @Test("every option that the operating manual names exists, and it names every option")
  func options() throws {
    let manual = try SourceTree.text("Docs/operating.md")
    let declared = try SourceTree.text("Sources/raftnode/Arguments.swift")
    var names = declared.matches(of: /var ([a-z][A-Za-z]*):/).map { match in
      "--"
        + match.output.1.map { $0.isUppercase ? "-\($0.lowercased())" : String($0) }.joined()
    }
    // Declared only as `-d`.
    names.removeAll { $0 == "--database-flag" }
    #expect(names.contains("--request-bytes-max"))
    for name in names { #expect(manual.contains("`\(name)"), "Docs/operating.md does not name \(name)") }
    let commands = try SourceTree.paths(below: "Sources/raftnode/Operator", suffix: ".swift")
      .map { try SourceTree.text($0) }
    let ofCommands = commands.flatMap { $0.matches(of: /var ([a-z][A-Za-z]*)[:\s]/) }.map { match in
      "--" + match.output.1.map { $0.isUppercase ? "-\($0.lowercased())" : String($0) }.joined()
    }
    let renamed = commands.flatMap { $0.matches(of: /\.customLong\("([a-z-]+)"\)/) }.map {
      "--\($0.output.1)"
    }
    for match in manual.matches(of: /`(--[a-z-]+)/) {
      let name = String(match.output.1)
      #expect(
        names.contains(name) || ofCommands.contains(name) || renamed.contains(name)
          || ["--help", "--version", "--generate-completion-script"].contains(name),
        "Docs/operating.md names \(name), which is no option")
    }
  }

  @Test("every exit status is in the operating manual")
  func exitStatuses() throws {
    let manual = try SourceTree.text("Docs/operating.md")
    let declared = try SourceTree.text("Sources/raftnode/ExitStatus.swift")
    for match in declared.matches(of: /case \w+ = (\d+)/) {
      #expect(
        manual.contains("| \(match.output.1) |"), "Docs/operating.md does not name status \(match.output.1)")
    }
  }

  @Test("no file names a path of the machine it was written on")
  func noMachinePaths() throws {
    let files = Self.documents + ["Makefile", ".ci/run"] + SourceTree.paths(below: "Scripts", suffix: ".sh")
    for file in files {
      #expect(try !SourceTree.text(file).contains(/\/(root|work|home\/\w+)\//), "\(file)")
    }
  }
}
