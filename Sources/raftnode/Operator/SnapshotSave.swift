import ArgumentParser
import Foundation
import RaftCore
import RaftStore

extension SnapshotCommand {
  struct Save: OperatorCommand {
    static let configuration = CommandConfiguration(
      abstract: "Have a running node copy all data, and write the copy to a file.",
      discussion:
        "The copy holds everything that was written before it was asked for. The cluster goes on meanwhile.")

    @Argument(help: "The file; there must be none of this name.") var file: String

    @Option(
      help: ArgumentHelp("Any node of the cluster; best one that does not lead.", valueName: "host:port"))
    var ip = "127.0.0.1:5000"

    @Option(help: ArgumentHelp("How long to wait for each answer; 1 to 86400.", valueName: "seconds"))
    var patience = 600

    @Flag(help: "Print what was saved as one JSON object.")
    var json = false

    func validate() throws {
      guard !ip.contains(",") else { throw ValidationError("--ip names one node, which makes the copy") }
      try NodeAddresses.validate(ip, patience)
    }

    func perform() throws {
      guard !FileManager.default.fileExists(atPath: file) else {
        throw VolumeRefusal.noVolume("\(file) is there already: name another file")
      }
      let line = ProgressLine()
      defer { line.end() }
      line.tell("\(ip) takes a snapshot")
      let taken = try data(of: NodeRequest("snapshot"))
      let head = try head(taken)
      guard let id = taken["id"] as? String else { throw NodeError.unreadable(ip) }
      let writer = try SnapshotFileWriter(file, head)
      while writer.bytes < head.bytes {
        var request = NodeRequest("snapshot", [("id", id)])
        request.add("offset", writer.bytes)
        let fields = try data(of: request)
        guard let text = fields["piece"] as? String, let piece = Data(base64Encoded: text), !piece.isEmpty,
          UInt64(piece.count) <= head.bytes - writer.bytes
        else { throw NodeError.unreadable(ip) }
        try writer.add(Bytes(piece))
        line.tell("\(writer.bytes) of \(head.bytes) bytes")
      }
      try writer.finish()
      line.end()
      print(
        json
          ? try head.json(file: file) : "\(file): everything through entry \(head.last), \(head.bytes) bytes")
    }

    private func data(of request: NodeRequest) throws -> [String: Any] {
      let reply = try NodeLink.askOnce(request, at: ip, seconds: patience)
      guard let data = reply.fields["data"] as? [String: Any] else { throw NodeError.unreadable(ip) }
      return data
    }

    private func head(_ fields: [String: Any]) throws -> SnapshotFile.Head {
      func number(_ name: String) -> UInt64? { (fields[name] as? NSNumber)?.uint64Value }
      guard let id = fields["id"] as? String, let fingerprint = UInt64(id, radix: 16),
        let bytes = number("bytes"), bytes <= Snapshot.bytesMax, let index = number("index"),
        let term = number("term"), let cluster = fields["cluster"] as? String,
        let clusterNumber = UInt64(cluster.dropFirst(), radix: 36)
      else { throw NodeError.unreadable(ip) }
      return SnapshotFile.Head(
        last: EntryID(term: Term(term), index: LogIndex(index)), cluster: ClusterID(clusterNumber),
        bytes: bytes,
        fingerprint: fingerprint, takenAt: UInt64(max(0, Date().timeIntervalSince1970 * 1_000)))
    }
  }
}
