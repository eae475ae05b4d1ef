import Foundation
import RaftCore
import RaftStore
import Testing

@testable import enum RaftStore.StoredKey
@testable import enum RaftStore.StoredRecord

@Suite("A look at the folder of a stopped node")
struct VolumeCheckTests {
  private let folder: TestFolder
  private var path: String { folder.path + "/volume" }

  /// A node with a log of 21 entries, a snapshot at entry 9, and nothing before entry 6.
  init() throws {
    folder = try TestFolder()
    var node = try WritingNode(Volume.open(VolumeOptions(path: folder.path + "/volume")))
    let identity = NodeIdentity(node: NodeID(1), cluster: ClusterID(9), address: "127.0.0.1:1")
    try node.store.setIdentity(identity)
    try node.perform(.found)
    for number in 0..<5 {
      try node.perform(
        .append(4, after: entryID(number == 0 ? 1 : 2, UInt64(1 + 4 * number)), term: 2, commit: 9))
    }
    try node.perform(.save(last: entryID(2, 9), count: 3_000), .compact(through: 5))
  }

  private func report() throws -> VolumeReport { try VolumeCheck.report(on: path) { _ in nil } }

  /// Changes a record, and looks.
  private func defects(
    in database: String = "consensus", after change: (inout WriteBatch) -> Void
  ) throws -> [String] {
    var batch = WriteBatch()
    change(&batch)
    do {
      let open = try RocksDatabase(
        at: "\(path)/\(database)", .init(hasLog: true, cacheBytes: 1 << 20, writeBufferBytes: 1 << 20))
      try open.write(batch, isSynced: true)
    }
    return try report().defects.map(\.what)
  }

  private func files() throws -> [String: Data] {
    var files: [String: Data] = [:]
    for name in try FileManager.default.subpathsOfDirectory(atPath: path) {
      files[name] = FileManager.default.contents(atPath: "\(path)/\(name)")
    }
    return files
  }

  @Test("finds a sound one sound, says what it holds, and leaves every file as it was")
  func sound() throws {
    let before = try files()
    let report = try report()
    #expect(try files() == before)
    #expect(report.defects == [])
    #expect(report.identity?.node == NodeID(1))
    #expect(report.base == entryID(2, 5))
    #expect(report.last == entryID(2, 21))
    #expect(report.entries.count == 16)
    #expect(report.hardState?.term == Term(2))
    #expect(report.snapshot?.bytes == 3_000)
    #expect(report.configuration?.configuration.voters.count == 3)
    #expect(report.files.map(\.name) == [".", "consensus", "snapshots"])
    #expect(report.files.allSatisfy { $0.count > 0 && $0.bytes > 0 })
  }

  @Test("names entries that are missing, in the middle and at the end, and terms that go back")
  func log() throws {
    #expect(
      try defects { $0.delete(StoredKey.entry(LogIndex(8))) }.contains("entry 8 is missing in the log"))
    #expect(
      try defects {
        $0.deleteRange(from: StoredKey.entry(LogIndex(7)), to: StoredKey.entry(LogIndex(12)))
      }
      .contains("entries 7 to 11 are missing in the log"))
    #expect(
      try defects { $0.delete(StoredKey.entry(LogIndex(21))) }
        .contains("the log ends at entry 20, and was written through entry 21"))
    let key = StoredKey.entry(LogIndex(20))
    let former = Entry<Bytes>(id: entryID(1, 20), content: .empty, bytes: 0)
    #expect(
      try defects { $0.put(StoredRecord.write(key) { former.encode(into: &$0) }, for: key) }
        .contains("entry \(entryID(1, 20)) follows entry \(entryID(2, 19)), which is of a later term"))
  }

  @Test("names records that are damaged, missing, or in the place of another")
  func records() throws {
    #expect(
      try defects { $0.put([1, 0, 0, 0, 0, 7], for: StoredKey.entry(LogIndex(13))) }
        .contains { $0.hasPrefix("entry 13 is damaged: its checksum does not fit") })
    #expect(
      try defects { $0.put([], for: [0, 0, 0, 1, 77]) }.contains {
        $0.contains("a record under a key of no meaning")
      })
    #expect(
      try defects { $0.delete(StoredKey.identity) }
        .contains("there is a log, and the record of whose it is is missing"))
    #expect(try defects { $0.delete(StoredKey.state) }.contains("the record of term and vote is missing"))
    #expect(
      try defects { $0.delete(StoredKey.base) }.contains("the record of the log's beginning is missing")
        || report().defects.contains { $0.what.contains("beginning is missing") })
  }

  @Test("tells a snapshot that is not whole")
  func snapshots() throws {
    let all = try defects(in: "snapshots") {
      $0.deleteRange(from: StoredKey.piece(generation: 1, offset: 0), to: StoredKey.piecesEnd)
    }
    #expect(all == ["the snapshot that ends at entry \(entryID(2, 9)) is damaged or incomplete"])
  }

  @Test("tells that writes are gone which were synced, after a copy was put back")
  func olderCopy() throws {
    let copy = folder.path + "/copy"
    try FileManager.default.copyItem(atPath: path + "/consensus", toPath: copy)
    do {
      var node = try WritingNode(Volume.open(VolumeOptions(path: path)))
      try node.perform(.append(2, after: entryID(2, 21), term: 2, commit: 9))
    }
    try FileManager.default.removeItem(atPath: path + "/consensus")
    try FileManager.default.moveItem(atPath: copy, toPath: path + "/consensus")
    let defects = try report().defects
    #expect(defects.contains { $0.what.hasPrefix("the last 1 of ") && $0.what.contains("are gone") })
    #expect(defects.allSatisfy { !$0.advice.isEmpty })
  }

  @Test("a state has to fit the log: neither behind its end nor before its beginning, nor of another term")
  func states() throws {
    // What lies there is any database: how far it has come is said by the test.
    _ = try RocksDatabase(
      at: path + "/data-1", .init(hasLog: false, cacheBytes: 1 << 20, writeBufferBytes: 1 << 20))
    func defects(_ applied: EntryID?) throws -> [String] {
      try VolumeCheck.report(on: path) { _ in applied }.defects.map(\.what)
    }
    #expect(try defects(entryID(2, 12)) == [])
    #expect(try defects(entryID(2, 5)) == [])
    #expect(
      try defects(entryID(2, 22)) == [
        "the state ends at entry \(entryID(2, 22)), and the log at entry \(entryID(2, 21))"
      ])
    #expect(
      try defects(entryID(1, 12)).first?.hasSuffix("the log holds entry \(entryID(2, 12)) there") == true)
    #expect(try defects(entryID(2, 4)).first?.hasPrefix("the log begins behind entry") == true)
  }

  @Test("notices a flipped byte anywhere in the write-ahead log")
  func flippedBytes() throws {
    let names = try FileManager.default.contentsOfDirectory(atPath: path + "/consensus")
    let file = URL(
      filePath: path + "/consensus/" + (try #require(names.filter { $0.hasSuffix(".log") }.max())))
    let log = try Data(contentsOf: file)
    #expect(log.count > 500)
    for position in stride(from: 3, to: log.count, by: 41) {
      var damaged = log
      damaged[position] ^= 0x10
      try damaged.write(to: file)
      #expect(try !report().isSound, "byte \(position)")
    }
    try log.write(to: file)
    #expect(try report().isSound)
  }

  @Test("is refused while the node runs, and where there is no volume, which makes none")
  func refusals() throws {
    do {
      let open = try Volume.open(VolumeOptions(path: path))
      let reason = #expect(throws: VolumeRefusal.self) { try report() }
      guard case .inUse(let text) = reason else { return #expect(Bool(false), "\(reason as Any)") }
      #expect(text.contains("stop the node first"))
      withExtendedLifetime(open) {}
    }
    for other in [folder.path, folder.path + "/nothing", path + "/VOLUME"] {
      let reason = #expect(throws: VolumeRefusal.self) { try VolumeCheck.report(on: other) { _ in nil } }
      guard case .noVolume = reason else { return #expect(Bool(false), "\(reason as Any)") }
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["volume"])
    try FileManager.default.removeItem(atPath: path + "/snapshots")
    #expect(try report().defects.first?.what == "the folder \(path)/snapshots is missing")
  }
}
