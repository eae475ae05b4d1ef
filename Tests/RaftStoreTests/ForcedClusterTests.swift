import Foundation
import RaftCore
import RaftStore
import Testing

@Suite("A node that becomes the only voter of a new cluster")
struct ForcedClusterTests {
  private let folder: TestFolder
  private var path: String { folder.path + "/volume" }
  private let known = NodeIdentity(node: NodeID(1), cluster: ClusterID(9), address: "127.0.0.1:1")
  private let new = NodeIdentity(node: NodeID(77), cluster: ClusterID(99), address: "127.0.0.1:2")

  /// One of three, with seven entries, of which two are committed.
  init() throws {
    folder = try TestFolder()
    var node = try WritingNode(Volume.open(VolumeOptions(path: folder.path + "/volume")))
    try node.store.setIdentity(known)
    try node.perform(
      .found, .append(6, after: entryID(1, 1), term: 4, commit: 2), .vote(term: 5, for: 3))
  }

  @Test("keeps its whole log, leads alone, and commits what was not committed")
  func formed() throws {
    let entry = try ForcedCluster.form(at: path, new)
    #expect(entry == entryID(6, 8))
    #expect(try VolumeCheck.report(on: path) { _ in nil }.defects == [])

    var store = try Volume.open(VolumeOptions(path: path))
    #expect(try store.identity() == new)
    let recovered = try #require(try store.recover())
    #expect(recovered.hardState == HardState(term: Term(6), votedFor: nil))
    #expect(recovered.entries.map(\.id.index.rawValue) == Array(1...8))
    var node = try RaftNode<Bytes>(id: new.node, recovered: recovered, seed: 1)
    #expect(node.configuration.voters == [NodeID(77)])
    var outputs = Outputs()
    for _ in 0..<100 where node.role != .leader || node.commitIndex < LogIndex(9) {
      node.tick(into: &outputs)
      while let write = node.takeWrite() {
        let entries = node.entries(after: write.after, through: write.through) ?? []
        let proof = try store.persist(write, entries: entries)
        node.didPersist(proof, into: &outputs)
      }
      outputs.removeAll()
    }
    #expect(node.role == .leader)
    #expect(node.commitIndex == LogIndex(9))
  }

  @Test("is done at once or not at all: the write is one record of the database's log, wherever that is cut")
  func crash() throws {
    let before = path + "-before"
    try FileManager.default.copyItem(atPath: path, toPath: before)
    _ = try ForcedCluster.form(at: path, new)
    let names = try FileManager.default.contentsOfDirectory(atPath: path + "/consensus")
      .filter { $0.hasSuffix(".log") }
    // Opening begins a new file, which holds this write alone.
    let name = try #require(names.max { (Int($0.dropLast(4)) ?? 0) < (Int($1.dropLast(4)) ?? 0) })
    let log = try Data(contentsOf: URL(filePath: "\(path)/consensus/\(name)"))
    #expect(log.count > 100)
    var outcomes: [Bool] = []
    for cut in stride(from: 0, through: log.count, by: 7) {
      let copy = "\(folder.path)/cut-\(cut)"
      try FileManager.default.copyItem(atPath: path, toPath: copy)
      defer { try? FileManager.default.removeItem(atPath: copy) }
      try log.prefix(cut).write(to: URL(filePath: "\(copy)/consensus/\(name)"))
      // What is noted after the sync is not there before it.
      try FileManager.default.removeItem(atPath: copy + "/SYNCED")
      try FileManager.default.copyItem(atPath: before + "/SYNCED", toPath: copy + "/SYNCED")
      var store = try Volume.open(VolumeOptions(path: copy))
      let (identity, recovered) = (try store.identity(), try store.recover())
      let isDone = recovered?.entries.count == 8
      outcomes.append(isDone)
      #expect(identity == (isDone ? new : known), "cut at \(cut)")
      #expect(recovered?.entries.count == (isDone ? 8 : 7), "cut at \(cut)")
      #expect(recovered?.hardState.term == Term(isDone ? 6 : 5), "cut at \(cut)")
    }
    #expect(outcomes.contains(false))
    try #expect(Volume.open(VolumeOptions(path: path)).identity() == new)
  }

  @Test("is refused where there is no volume, in a volume without a cluster, and for the same cluster again")
  func refusals() throws {
    #expect(throws: VolumeRefusal.self) { try ForcedCluster.form(at: folder.path + "/nothing", new) }
    #expect(!FileManager.default.fileExists(atPath: folder.path + "/nothing"))
    #expect(throws: VolumeRefusal.self) { try ForcedCluster.form(at: path, known) }
    _ = try Volume.open(VolumeOptions(path: folder.path + "/fresh"))
    #expect(throws: VolumeRefusal.self) { try ForcedCluster.form(at: folder.path + "/fresh", new) }
    #expect(try Volume.open(VolumeOptions(path: path)).identity() == known)
  }
}
