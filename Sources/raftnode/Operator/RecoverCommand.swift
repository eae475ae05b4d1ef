import ArgumentParser
import Glibc
import RaftCore
import RaftStore
import RaftTransport

/// Starts over with what one node holds, when the majority is lost for good.
struct RecoverCommand: OperatorCommand {
  static let configuration = CommandConfiguration(
    commandName: "recover", abstract: "Make a stopped node the only voter of a new cluster, with its data.",
    discussion: """
      For when a majority of the voters is lost for good, and only then: what the lost ones alone held is gone, also \
      writes that were acknowledged. Stop the node, and keep a copy of its directory.
      """)

  @Flag(help: "Required: this node's cluster ends, and a new one begins with this node alone.")
  var forceNewCluster = false

  @Option(
    name: .shortAndLong, help: ArgumentHelp("The directory of the node that has survived.", valueName: "dir"))
  var volume: String

  @Option(
    help: ArgumentHelp("Where the node is reached from now on. (default: as before)", valueName: "host:port"))
  var ip: String?

  @Flag(help: "Do not ask.")
  var yes = false

  @Flag(help: "Print what was done as one JSON object; wants --yes.")
  var json = false

  func validate() throws {
    guard yes || !json else {
      throw ValidationError("--json asks nobody: add --yes if this is what you want")
    }
  }

  func perform() throws {
    guard forceNewCluster else {
      throw UsageError(
        "name what is to be done: --force-new-cluster makes the node the only voter of a new cluster")
    }
    let endpoint = try ip.map { try Endpoint($0).description }
    let report = try VolumeReport.looking(at: volume)
    guard report.isSound, let known = report.identity, let last = report.last else {
      StandardError.write(
        report.isSound
          ? "raftnode: the node is in no cluster: there is nothing to recover"
          : "raftnode: \(volume) is damaged: \(report.defects.map(\.what).joined(separator: "; "))")
      throw ArgumentParser.ExitCode(ExitStatus.negative.rawValue)
    }
    let new = NodeIdentity(
      node: NodeID(.random(in: 1 ... .max)), cluster: ClusterID(.random(in: 1 ... .max)),
      address: endpoint ?? known.address)
    if !json {
      print(report.text)
      print(Self.warning(report, known, new, last: last))
    }
    guard try yes || isConfirmed(known.address) else {
      StandardError.write("raftnode: nothing was changed")
      throw ArgumentParser.ExitCode(ExitStatus.negative.rawValue)
    }
    let entry = try ForcedCluster.form(at: volume, new)
    guard !json else {
      return print(
        try JSONLine.text([
          "volume": volume, "index": entry.index.rawValue, "term": entry.term.rawValue, "addr": new.address,
          "id": "\(new.node)", "cluster": new.cluster.map { "\($0)" } ?? "", "former_id": "\(known.node)",
        ]))
    }
    print(
      """
      done: entry \(entry) makes \(new.node) the only voter of cluster \(new.cluster.map { "\($0)" } ?? "")
      start it:         raftnode --ip \(new.address) --store database --volume \(volume)
      start others:     with an empty directory each, and --peers \(new.address)
      """)
  }

  private static func warning(
    _ report: VolumeReport, _ known: NodeIdentity, _ new: NodeIdentity, last: EntryID
  ) -> String {
    let others =
      report.configuration?.configuration.members.map(\.address).filter { $0 != known.address } ?? []
    let committed = max(report.commitIndex ?? .zero, report.applied?.index ?? .zero)
    let open = committed.distance(to: last.index)
    return """

      The node becomes the only voter of a NEW cluster:
      - Cluster \(known.cluster.map { "\($0)" } ?? "") ends for it. \
      \(others.isEmpty ? "It has no other members." : "Its other members are refused from now on: \(others.joined(separator: ", ")).")
      - It keeps all entries of its log, through \(last.index). Those through \(committed) are known to be committed; \
      the \(open) behind may have been refused or given up by the old cluster, and all become committed now.
      - Writes that only the lost members held are gone, also those that were acknowledged.
      """
  }

  private func isConfirmed(_ address: String) throws(UsageError) -> Bool {
    guard isatty(STDIN_FILENO) == 1 else {
      throw UsageError("there is no terminal to ask at: add --yes if this is what you want")
    }
    print("type the node's address to go on: ", terminator: "")
    fflush(nil)
    return readLine() == address
  }
}
