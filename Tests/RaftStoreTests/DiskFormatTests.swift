import Foundation
import RaftCore
import RaftStore
import Testing

@Suite("The format on disk is the one that its document describes")
struct DiskFormatTests {
  /// A pair of the document's example.
  private struct Record: Equatable, CustomStringConvertible {
    var key: Bytes
    var value: Bytes

    var description: String { "\n  key    \(Self.text(key))\n  value  \(Self.text(value))" }

    private static func text(_ bytes: Bytes) -> String {
      bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
    }
  }

  /// The records of the document's example, by their names: `key` and `value` begin bytes, `#` ends them.
  private static func documented() throws -> [String: Record] {
    let document = URL(filePath: #filePath).deletingLastPathComponent().appending(
      path: "../../Docs/disk-format.md")
    var records: [String: Record] = [:]
    var name: String?
    var isKey = false
    for line in try String(contentsOf: document, encoding: .utf8).split(separator: "\n") {
      if line.hasPrefix("record ") {
        name = String(line.dropFirst("record ".count))
      } else if line.hasPrefix("```") {
        name = nil
      }
      guard let name, !line.hasPrefix("record ") else { continue }
      var words = line.prefix { $0 != "#" }.split(separator: " ")[...]
      if let first = words.first, first == "key" || first == "value" {
        isKey = first == "key"
        words = words.dropFirst()
      }
      let bytes = try words.map { try #require(UInt8($0, radix: 16), "'\($0)' is no byte") }
      if isKey {
        records[name, default: Record(key: [], value: [])].key += bytes
      } else {
        records[name, default: Record(key: [], value: [])].value += bytes
      }
    }
    return records
  }

  @Test("each record of the example is written as it stands in the document")
  func example() throws {
    let member = Member(id: NodeID(1), address: "n1:7000", store: .durable, priority: 5)
    let configuration = try Configuration(voters: [member])
    let device = FaultyDevice()
    var store = device.store()
    try #require(try store.recover() == nil)
    try store.found(
      RecoveredState(
        hardState: HardState(term: Term(2), votedFor: NodeID(1)), base: .zero, baseConfiguration: nil,
        entries: [
          Entry(id: entryID(1, 1), content: .configuration(configuration), bytes: 49),
          Entry(id: entryID(2, 2), content: .empty, bytes: 0),
          Entry(id: entryID(2, 3), content: .payload([0x68, 0x69]), bytes: 2),
        ],
        commitIndex: LogIndex(3), appliedIndex: .zero))
    var written = device.consensus.pairs
    let bytes: Bytes = [0xCA, 0xFE]
    let snapshot = Snapshot(
      last: entryID(2, 2),
      configuration: IndexedConfiguration(index: LogIndex(1), configuration: configuration),
      bytes: 2, fingerprint: SnapshotFingerprint(of: bytes).value)
    try store.save(snapshot, bytes: bytes)
    try store.compact(through: LogIndex(1))
    // The founding entry is forgotten by now; the state has not changed since.
    written =
      Array(written.prefix { $0.key[4] != 17 }) + device.consensus.pairs.filter { $0.key[4] == 17 }
      + written.filter { $0.key[4] == 18 } + device.data.pairs

    let documented = try Self.documented()
    let names = ["state", "base", "entry 1", "entry 2", "entry 3", "piece"]
    #expect(documented.keys.sorted() == names.sorted())
    #expect(written.count == names.count)
    for (name, pair) in zip(names, written) {
      let record = Record(key: pair.key, value: pair.value)
      #expect(documented[name] == record, "\(name) is written as \(record)")
    }
  }
}
