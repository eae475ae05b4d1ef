import Foundation
import RaftCore
import RaftStore
import Testing

@testable import struct RaftStore.SnapshotFileList
@testable import class RaftStore.SnapshotFolder

@Suite("Snapshots that are the files of a database")
final class SnapshotFolderTests {
  private let folder = FileManager.default.temporaryDirectory.appending(
    path: "raftnode-test-\(UUID().uuidString)"
  ).path

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  private func open(_ name: String) throws -> DurableStore<RocksBackend> {
    var store = try Volume.open(VolumeOptions(path: "\(folder)/\(name)"), keepsState: true)
    _ = try store.recover()
    return store
  }

  /// A state of a few keys, and the snapshot that its files are.
  private func snapshot(
    in store: inout DurableStore<RocksBackend>
  ) throws -> (files: SnapshotFolder, snapshot: Snapshot) {
    let state = try #require(try store.openState())
    for number in 0..<200 { state.put(Bytes(repeating: UInt8(number), count: 3_000), for: [UInt8(number)]) }
    state.spill()
    let files = try #require(try state.copyFiles())
    try files.takeFingerprint { false }
    return (files, described(files.bytes, files.fingerprint))
  }

  private func described(_ bytes: UInt64, _ fingerprint: UInt64) -> Snapshot {
    Snapshot(
      last: entryID(2, 9),
      configuration: IndexedConfiguration(index: LogIndex(1), configuration: WritingNode.configuration),
      bytes: bytes, fingerprint: fingerprint)
  }

  private func send(
    _ content: Bytes, of snapshot: Snapshot, pieces: Int, to store: inout DurableStore<RocksBackend>
  ) throws -> [Bool] {
    try stride(from: 0, to: content.count, by: pieces).map { start in
      let piece = Bytes(content[start..<min(content.count, start + pieces)])
      let message = InstallSnapshot(of: snapshot, offset: UInt64(start), count: UInt32(piece.count))
      return try store.receive(message, bytes: piece)
    }
  }

  private func names(_ volume: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: "\(folder)/\(volume)").sorted()
  }

  @Test(
    "hold what was committed before, arrive in pieces of any size, and become a state",
    arguments: [1, 777, 1 << 20])
  func arrive(_ pieces: Int) throws {
    var sender = try open("sender")
    let (files, snapshot) = try snapshot(in: &sender)
    try sender.keep(snapshot, files)
    let count = Int(snapshot.bytes)
    let content = try #require(
      try sender.read(fingerprint: snapshot.fingerprint, offset: 0, count: count))
    #expect(SnapshotFingerprint(of: content).value == snapshot.fingerprint)
    for (offset, count) in [(0, 1), (5, 40), (count / 2, 9_000), (count - 1, 1)] {
      #expect(
        try sender.read(fingerprint: snapshot.fingerprint, offset: UInt64(offset), count: count)
          == Bytes(content[offset..<(offset + count)]))
    }
    #expect(
      try sender.read(fingerprint: snapshot.fingerprint, offset: snapshot.bytes - 1, count: 2) == nil)

    var receiver = try open("receiver")
    _ = try receiver.openState()
    // A large part at once, so that pieces of one byte do not take long.
    let start = pieces == 1 ? content.count - 2_000 : 0
    if start > 0 {
      #expect(try self.send(Bytes(content[..<start]), of: snapshot, pieces: start, to: &receiver) == [true])
    }
    for offset in stride(from: start, to: content.count, by: pieces) {
      let piece = Bytes(content[offset..<min(content.count, offset + pieces)])
      let message = InstallSnapshot(of: snapshot, offset: UInt64(offset), count: UInt32(piece.count))
      #expect(try receiver.receive(message, bytes: piece))
    }
    let state = try #require(try receiver.receivedState(snapshot))
    for number in 0..<200 as Range<UInt8> {
      #expect(state.get([number]) == Bytes(repeating: number, count: 3_000))
    }
    #expect(state.failure == nil)
  }

  @Test("go when nobody needs them any more, and with the process that made them")
  func leave() throws {
    do {
      var sender = try open("sender")
      var copy = Optional(try snapshot(in: &sender))
      let snapshot = try #require(copy?.snapshot)
      if let copy { try sender.keep(copy.snapshot, copy.files) }
      copy = nil
      try sender.retain(fingerprints: [snapshot.fingerprint])
      #expect(try names("sender").contains("copy-1"))
      try sender.withdraw(fingerprint: snapshot.fingerprint)
      #expect(try !names("sender").contains("copy-1"))
      #expect(try sender.read(fingerprint: snapshot.fingerprint, offset: 0, count: 1) == nil)
    }
    try FileManager.default.createDirectory(
      atPath: "\(folder)/sender/copy-7", withIntermediateDirectories: true)
    #expect(FileManager.default.createFile(atPath: "\(folder)/sender/copy-7/CURRENT", contents: nil))
    _ = try open("sender")
    #expect(try names("sender").allSatisfy { !$0.hasPrefix("copy-") })
  }

  @Test("that are not what was announced are thrown away")
  func unsound() throws {
    var sender = try open("sender")
    let (files, snapshot) = try snapshot(in: &sender)
    try sender.keep(snapshot, files)
    var content = try #require(
      try sender.read(fingerprint: snapshot.fingerprint, offset: 0, count: Int(snapshot.bytes)))
    content[content.count / 2] ^= 1
    var receiver = try open("receiver")
    _ = try receiver.openState()
    #expect(try send(content, of: snapshot, pieces: 100_000, to: &receiver).last == false)
    #expect(try receiver.receivedState(snapshot) == nil)
    #expect(try names("receiver").allSatisfy { !$0.hasPrefix("copy-") })
  }

  @Test(
    "never leave their folder, and are never more than was announced",
    arguments: [
      ["../evil"], ["/etc/evil"], ["a/b"], [".."], ["."], [""], [".hidden"], ["a\u{0}b"], ["ä"],
      [String(repeating: "a", count: 200)], ["same", "same"],
    ])
  func hostile(_ names: [String]) throws {
    let head = SnapshotFileList(files: names.map { .init(name: $0, bytes: 3) }).encoded()
    let content = head + Bytes(repeating: 7, count: 3 * names.count)
    let snapshot = described(UInt64(content.count), SnapshotFingerprint(of: content).value)
    var receiver = try open("receiver")
    #expect(try send(content, of: snapshot, pieces: content.count, to: &receiver) == [false])
    #expect(try self.names("receiver").allSatisfy { !$0.hasPrefix("copy-") })
    #expect(!FileManager.default.fileExists(atPath: "\(folder)/receiver/evil"))
  }

  @Test(
    "are refused when the sizes in their list are not what was announced", arguments: [0, 2, 4, UInt64.max])
  func sizes(_ bytes: UInt64) throws {
    let head = SnapshotFileList(files: [.init(name: "file", bytes: bytes)]).encoded()
    let content = head + [1, 2, 3]
    let snapshot = described(UInt64(content.count), SnapshotFingerprint(of: content).value)
    var receiver = try open("receiver")
    #expect(try send(content, of: snapshot, pieces: content.count, to: &receiver) == [false])
  }
}
