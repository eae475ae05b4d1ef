import Foundation
import RaftCore
import RaftStore
import Testing

@Suite("A snapshot in a file of its own")
struct SnapshotFileTests {
  private let folder: TestFolder
  private var path: String { folder.path + "/snapshot" }

  init() throws { folder = try TestFolder() }

  private func head(of content: Bytes) -> SnapshotFile.Head {
    SnapshotFile.Head(
      last: entryID(3, 77), cluster: ClusterID(5), bytes: UInt64(content.count),
      fingerprint: SnapshotFingerprint(of: content).value, takenAt: 1_700_000_000_000)
  }

  private func content(_ count: Int) -> Bytes {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 9) }
  }

  private func save(_ content: Bytes, pieces: Int) throws {
    let writer = try SnapshotFileWriter(path, head(of: content))
    for start in stride(from: 0, to: content.count, by: pieces) {
      try writer.add(Bytes(content[start..<min(content.count, start + pieces)]))
    }
    try writer.finish()
  }

  @Test(
    "gives back what was written, whatever pieces it came in", arguments: [0, 1, 1_000, 1 << 20, 2_500_000])
  func roundTrip(_ count: Int) throws {
    let content = content(count)
    try save(content, pieces: 300_001)
    #expect(try SnapshotFile.verify(path) == head(of: content))
    let reader = try SnapshotFileReader(path)
    var read: Bytes = []
    while let piece = try reader.next() { read += piece }
    #expect(read == content)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["snapshot"])
  }

  @Test("is refused when any byte is another, when it is cut off anywhere, and when it goes on")
  func damage() throws {
    try save(content(300), pieces: 100)
    let whole = try Data(contentsOf: URL(filePath: path))
    for position in whole.indices {
      var damaged = whole
      damaged[position] ^= 0x20
      try damaged.write(to: URL(filePath: path))
      #expect(throws: VolumeRefusal.self, "byte \(position)") { try SnapshotFile.verify(path) }
    }
    for length in 0..<whole.count {
      try whole.prefix(length).write(to: URL(filePath: path))
      #expect(throws: VolumeRefusal.self, "\(length) bytes") { try SnapshotFile.verify(path) }
    }
    try (whole + Data([0])).write(to: URL(filePath: path))
    #expect(throws: VolumeRefusal.self) { try SnapshotFile.verify(path) }
    try whole.write(to: URL(filePath: path))
    #expect(try SnapshotFile.verify(path).bytes == 300)
  }

  @Test("has no name before it is whole, and takes nobody's place")
  func unfinished() throws {
    let content = content(5_000)
    do {
      let writer = try SnapshotFileWriter(path, head(of: content))
      try writer.add(Bytes(content.dropLast()))
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["snapshot.partial"])
      #expect(throws: VolumeRefusal.self) { try writer.finish() }
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [])
    try save(content, pieces: 5_000)
    #expect(throws: VolumeRefusal.self) { try SnapshotFileWriter(path, head(of: content)) }
    #expect(try SnapshotFile.verify(path).bytes == 5_000)
  }

  @Test("becomes a folder that is whole, and stays nothing that a node could start from when that breaks off")
  func restored() throws {
    let identity = NodeIdentity(node: NodeID(4), cluster: ClusterID(8), address: "127.0.0.1:4")
    let volume = folder.path + "/volume"
    let applied = entryID(3, 77)
    try RestoredVolume.make(at: volume, last: applied, identity) { $0.put([1], for: [2]) }
    let report = try VolumeCheck.report(on: volume) { _ in applied }
    #expect(report.defects == [])
    #expect(report.identity == identity)
    #expect(report.base == applied)
    #expect(report.configuration?.configuration.voters == [NodeID(4)])
    let again = #expect(throws: VolumeRefusal.self) {
      try RestoredVolume.make(at: volume, last: applied, identity) { _ in }
    }
    #expect(again?.description.contains("is not empty") == true)

    let broken = folder.path + "/broken"
    #expect(throws: VolumeRefusal.self) {
      try RestoredVolume.make(at: broken, last: applied, identity) { state throws(StoreError) in
        state.put([1], for: [2])
        state.spill()
        throw .failed("the power fails")
      }
    }
    var store = try Volume.open(VolumeOptions(path: broken), keepsState: true)
    #expect(try store.recover() == nil)
    #expect(try store.identity() == nil)
  }
}
