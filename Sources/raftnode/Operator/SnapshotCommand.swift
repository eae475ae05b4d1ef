import ArgumentParser
import Foundation
import RaftCore
import RaftKV
import RaftServer
import RaftStore
import RaftTransport

/// Keeps the data of a cluster in a file, and starts over from one.
struct SnapshotCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "snapshot", abstract: "Keep all data in a file, and start over from one.",
    subcommands: [Save.self, Inspect.self, Restore.self])

  struct Inspect: OperatorCommand {
    static let configuration = CommandConfiguration(abstract: "Verify a snapshot file, and say what it is.")

    @Argument(help: "The file.") var file: String

    @Flag(help: "Print what is found as JSON.")
    var json = false

    func perform() throws {
      let head = try SnapshotCommand.verified(file)
      print(json ? try head.json() : head.text)
    }
  }

  struct Restore: OperatorCommand {
    static let configuration = CommandConfiguration(
      abstract: "Make the directory of a node that is the only voter of a new cluster with this data.")

    @Argument(help: "The file.") var file: String

    @Option(
      name: .shortAndLong,
      help: ArgumentHelp("The new node's directory; empty, or missing.", valueName: "dir"))
    var volume: String

    @Option(help: ArgumentHelp("Where the new node is reached.", valueName: "host:port"))
    var ip: String

    @Flag(help: "Print what was made as one JSON object.")
    var json = false

    func perform() throws {
      let address = try Endpoint(ip).description
      let identity = NodeIdentity(
        node: NodeID(.random(in: 1 ... .max)), cluster: ClusterID(.random(in: 1 ... .max)), address: address)
      // A damaged file is found out before there is a directory.
      let head = try SnapshotCommand.verified(file)
      try fill(from: head, identity)
      let report = try VolumeReport.looking(at: volume)
      guard report.isSound else {
        throw VolumeRefusal.failed(
          "\(volume) is damaged: \(report.defects.map(\.what).joined(separator: "; ")). Remove it, and look at the disk"
        )
      }
      guard !json else {
        return print(
          try JSONLine.text([
            "volume": volume, "index": head.last.index.rawValue, "keys": report.stateKeys, "addr": address,
            "id": "\(identity.node)", "cluster": identity.cluster.map { "\($0)" } ?? "",
          ]))
      }
      print(
        """
        done: \(volume) holds entry \(head.last), \(report.stateKeys) keys, for cluster \
        \(identity.cluster.map { "\($0)" } ?? "")
        start it:         raftnode --ip \(address) --store database --volume \(volume)
        start others:     with an empty directory each, and --peers \(address)
        """)
    }

    private func fill(from head: SnapshotFile.Head, _ identity: NodeIdentity) throws {
      typealias NodeApplier = Applier<KeyValueMachine<NodeBackend>>
      let reader = try SnapshotFileReader(file)
      let blank = NodeApplier(KeyValueMachine(backend: NodeBackend()), options: ReplicaOptions())
      try RestoredVolume.make(at: volume, last: head.last, identity) { state throws(StoreError) in
        try NodeApplier.restore(reader, into: state, blank: blank)
      }
    }
  }

  private static func verified(_ file: String) throws(VolumeRefusal) -> SnapshotFile.Head {
    let line = ProgressLine()
    defer { line.end() }
    return try SnapshotFile.verify(file) { line.tell("reading \(file): \($0) of \($1) bytes") }
  }
}

extension SnapshotFile.Head {
  /// When it was taken, as it is written in logs.
  private var time: String {
    Date(timeIntervalSince1970: Double(takenAt) / 1_000).formatted(.iso8601)
  }

  private var name: String { String(fingerprint, radix: 16) }

  var text: String {
    """
    taken      \(time)
    cluster    \(cluster)
    entry      \(last)
    bytes      \(bytes)
    id         \(name)

    sound
    """
  }

  func json(file: String? = nil) throws -> String {
    var object: [String: Any] = [
      "taken": time, "cluster": "\(cluster)", "index": last.index.rawValue, "term": last.term.rawValue,
      "bytes": bytes, "id": name, "sound": true,
    ]
    object["file"] = file
    return try JSONLine.text(object)
  }
}
