import ArgumentParser
import Foundation

/// Asks all nodes of a cluster, and says what is wrong with it.
struct StatusCommand: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Show the whole cluster, what is wrong with it, and what to do.",
    discussion: """
      Asks a node for the members, and then all of them at once. HEARD FROM is how long ago the leader heard from a \
      node. Ends with status 1 if something is wrong, 69 if no node answers.
      """)

  @OptionGroup var node: NodeOptions

  @Option(
    name: .shortAndLong, defaultAsFlag: 2, parsing: .next,
    help: ArgumentHelp(
      "Show it again and again, every two seconds or as often as is said, until interrupted. 1 to 3600.",
      valueName: "seconds"))
  var watch: Int?

  func validate() throws {
    guard watch.map({ (1...3_600).contains($0) }) ?? true else {
      throw ValidationError("--watch is '\(watch ?? 0)'; it must be 1 to 3600 seconds")
    }
  }

  func perform() throws {
    guard let watch else {
      let report = try ClusterProbe.report(askingAnyOf: node.addresses, seconds: node.patience)
      print(node.json ? try report.json() : report.text)
      if !report.troubles.isEmpty { throw ArgumentParser.ExitCode(ExitStatus.negative.rawValue) }
      return
    }
    try follow(every: watch)
  }

  /// Shows the cluster until the process is interrupted. Members that were seen are asked as well when those that were
  /// named do not answer any more.
  private func follow(every seconds: Int) throws {
    let isTerminal = isatty(STDOUT_FILENO) == 1
    var addresses = node.addresses
    while true {
      let text: String
      do throws(NodeError) {
        let report = try ClusterProbe.report(askingAnyOf: addresses, seconds: min(node.patience, 3))
        let members = report.newest.members.map(\.address).filter { !node.addresses.contains($0) }
        if !members.isEmpty { addresses = node.addresses + members }
        text = node.json ? try Self.line(report) : report.text
      } catch {
        text = node.json ? try Self.line(error) : "! \(error)"
      }
      let time = Date().formatted(.iso8601)
      if isTerminal && !node.json { print("\u{1B}[H\u{1B}[J", terminator: "") }
      print(
        node.json ? text : "\(time), every \(seconds) s; Ctrl-C ends it\n\n\(text)\(isTerminal ? "" : "\n")")
      fflush(nil)
      sleep(UInt32(seconds))
    }
  }

  private static func line(_ report: ClusterReport) throws(NodeError) -> String {
    do { return try report.json() } catch { throw .senseless("\(error)") }
  }

  private static func line(_ error: NodeError) throws -> String {
    try JSONLine.text(["nodes": [], "error": error.description])
  }
}

/// Asks the nodes of a cluster, all at a time.
enum ClusterProbe {
  /// How long other nodes than the first one have, in seconds.
  static let secondsMax = 3
  /// A cluster has at most 64 members.
  static let membersMax = 64

  static func report(askingAnyOf addresses: [String], seconds: Int) throws(NodeError) -> ClusterReport {
    let (address, first) = try firstView(of: addresses, seconds: seconds)
    var findings = [ClusterReport.Finding(address: address, result: .success(first))]
    // The first one may be cut off, and know less than those that it names; they are asked once more.
    for _ in 0..<2 {
      let known = findings.compactMap(\.view).filter { $0.cluster == first.cluster }
      let named = known.flatMap { $0.members.map(\.address) + $0.awaited }
      let missing = Set(named).subtracting(findings.map(\.address)).subtracting([first.address])
      guard !missing.isEmpty else { break }
      // Whatever it is that answers there, it must not have this machine ask the whole world.
      findings += views(of: Array(missing.sorted().prefix(membersMax)), seconds: min(seconds, secondsMax))
    }
    return ClusterReport(asked: first, findings: Self.withOwnAddress(findings))
  }

  /// A node that was asked at another address than its own, such as that of a tunnel, stands under its own.
  private static func withOwnAddress(_ findings: [ClusterReport.Finding]) -> [ClusterReport.Finding] {
    guard let first = findings.first, let view = first.view else { return findings }
    return [.init(address: view.address, result: first.result)] + findings.dropFirst()
  }

  private static func firstView(
    of addresses: [String], seconds: Int
  ) throws(NodeError) -> (String, ClusterView) {
    var errors: [NodeError] = []
    for address in addresses {
      do throws(NodeError) {
        return (address, try view(of: address, seconds: seconds))
      } catch {
        errors.append(error)
      }
    }
    guard let first = errors.first else { throw .senseless("--ip names no node") }
    throw errors.count == 1 ? first : .nobody(errors)
  }

  static func view(of address: String, seconds: Int) throws(NodeError) -> ClusterView {
    try ClusterView(try NodeLink.askOnce(.status, at: address, seconds: seconds), of: address)
  }

  /// What several nodes say; each is asked by a thread of its own, so that those that are silent are waited for once.
  static func views(of addresses: [String], seconds: Int) -> [ClusterReport.Finding] {
    let answers = Answers()
    let group = DispatchGroup()
    for address in addresses {
      group.enter()
      Thread.detachNewThread {
        let result = Result { () throws(NodeError) in try view(of: address, seconds: seconds) }
        answers.add(.init(address: address, result: result))
        group.leave()
      }
    }
    group.wait()
    return answers.all
  }

  /// `@unchecked Sendable`: guarded by a lock.
  private final class Answers: @unchecked Sendable {
    private let lock = NSLock()
    private var findings: [ClusterReport.Finding] = []

    func add(_ finding: ClusterReport.Finding) { lock.withLock { findings.append(finding) } }

    var all: [ClusterReport.Finding] { lock.withLock { findings } }
  }
}
