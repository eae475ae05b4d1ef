import ArgumentParser
import Foundation
import RaftCore
import RaftKV
import RaftServer
import RaftStore

/// Looks at everything that a stopped node has stored.
struct CheckCommand: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Verify the directory of a stopped node; nothing in it is changed.",
    discussion: "Ends with status 1 if something is wrong with it.")

  @Argument(help: "The node's directory.") var volume: String

  @Flag(help: "Print what is found as JSON.")
  var json = false

  func perform() throws {
    let report = try VolumeReport.looking(at: volume)
    print(json ? try report.json() : report.text)
    if !report.isSound { throw ArgumentParser.ExitCode(ExitStatus.negative.rawValue) }
  }
}

extension VolumeRefusal {
  var status: ExitStatus {
    switch self {
    case .noVolume: .usage
    case .inUse, .failed: .storeFailed
    case .unfit: .negative
    }
  }
}

extension VolumeReport {
  /// Looks at a folder, and tells somebody who waits at a terminal.
  static func looking(at path: String) throws(VolumeRefusal) -> VolumeReport {
    let line = ProgressLine()
    defer { line.end() }
    return try VolumeCheck.report(on: path, progress: Applier<KeyValueMachine<NodeBackend>>.progress) {
      line.tell("checking \($0)")
    }
  }

  private var facts: [(name: String, value: String)] {
    var facts: [(String, String)] = []
    facts.append(("cluster", identity?.cluster.map { "\($0)" } ?? "none"))
    facts.append(("node", identity.map { "\($0.node), \($0.address)" } ?? "unknown"))
    if let hardState {
      facts.append(("term", "\(hardState.term)\(hardState.votedFor.map { ", voted for \($0)" } ?? "")"))
    }
    if let base {
      facts.append(
        (
          "log",
          entries.count == 0
            ? "empty, behind entry \(base)"
            : "\(base.index.next) to \(last?.index ?? base.index): \(entries.count) entries, \(entries.bytes) bytes"
        ))
    }
    if let commitIndex { facts.append(("committed", "\(commitIndex) at least")) }
    facts.append(("applied", applied.map { "\($0.index), \(stateKeys) keys" } ?? "nothing"))
    facts.append(
      (
        "snapshot",
        snapshot.map { "ends at entry \($0.last), \($0.bytes) bytes" } ?? "none: the state is kept as it is"
      ))
    facts.append(("configuration", configuration.map(Self.words) ?? "none"))
    for files in files {
      facts.append(("files", "\(files.name): \(files.count), \(files.bytes) bytes"))
    }
    return facts
  }

  private static func words(_ configuration: IndexedConfiguration) -> String {
    let members = configuration.configuration.members.map { member in
      configuration.configuration.voters.contains(member.id) ? member.address : "\(member.address) (learner)"
    }
    return "of entry \(configuration.index): \(members.joined(separator: ", "))"
  }

  var text: String {
    let width = facts.map(\.name.count).max() ?? 0
    var lines = facts.map { fact in
      fact.name.padding(toLength: width + 2, withPad: " ", startingAt: 0) + fact.value
    }
    lines += notes.map { "note: \($0)" }
    lines.append("")
    lines += isSound ? ["sound"] : defects.map { "! \($0.what)\n  \($0.advice)" }
    return lines.joined(separator: "\n")
  }

  func json() throws -> String {
    var object: [String: Any] = [
      "volume": path, "sound": isSound, "notes": notes, "entries": entries.count, "keys": stateKeys,
      "defects": defects.map { ["what": $0.what, "advice": $0.advice] },
      "files": files.map { ["name": $0.name, "count": $0.count, "bytes": $0.bytes] as [String: Any] },
    ]
    object["cluster"] = identity?.cluster.map { "\($0)" }
    object["id"] = identity.map { "\($0.node)" }
    object["addr"] = identity?.address
    object["term"] = hardState?.term.rawValue
    object["first"] = base?.index.next.rawValue
    object["last"] = last?.index.rawValue
    object["commit"] = commitIndex?.rawValue
    object["applied"] = applied?.index.rawValue
    object["snapshot"] = snapshot.map { ["index": $0.last.index.rawValue, "bytes": $0.bytes] }
    object["members"] = configuration?.configuration.members.map(\.address)
    return try JSONLine.text(object)
  }
}
