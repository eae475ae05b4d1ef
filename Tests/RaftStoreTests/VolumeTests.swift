import Foundation
import RaftCore
import RaftStore
import Testing

@Suite("The folder of a node")
struct VolumeTests {
  private func reason(_ path: String) -> String {
    do {
      _ = try Volume.open(VolumeOptions(path: path))
      return "it was opened"
    } catch {
      return "\(error)"
    }
  }

  @Test("is made, with the folders above it, and can be opened again")
  func made() throws {
    let folder = try TestFolder()
    defer { withExtendedLifetime(folder) {} }
    let path = folder.path + "/a/b/volume"
    for _ in 0..<2 {
      let store = try Volume.open(VolumeOptions(path: path))
      #expect(store.keepsLogBehindSnapshot)
    }
    let text = try String(contentsOfFile: path + "/VOLUME", encoding: .utf8)
    #expect(text == "raftnode volume, format 1\n")
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    #expect(attributes[.posixPermissions] as? Int == 0o700)
  }

  @Test("belongs to one process at a time, which is named to the other")
  func locked() throws {
    let folder = try TestFolder()
    defer { withExtendedLifetime(folder) {} }
    let first = try Volume.open(VolumeOptions(path: folder.path + "/volume"))
    let reason = reason(folder.path + "/volume")
    #expect(reason.contains("is in use by process \(ProcessInfo.processInfo.processIdentifier)"), "\(reason)")
    #expect(first.keepsLogBehindSnapshot)
  }

  @Test("is refused when it holds something else")
  func foreign() throws {
    let folder = try TestFolder()
    defer { withExtendedLifetime(folder) {} }
    try "important".write(toFile: folder.path + "/letter.txt", atomically: true, encoding: .utf8)
    let reason = reason(folder.path)
    #expect(reason.contains("holds 'letter.txt'"), "\(reason)")
    #expect(!FileManager.default.fileExists(atPath: folder.path + "/consensus"))
  }

  @Test("is refused when it is of a format that this version does not know, or not marked soundly")
  func formats() throws {
    let folder = try TestFolder()
    defer { withExtendedLifetime(folder) {} }
    let path = folder.path + "/volume"
    _ = try Volume.open(VolumeOptions(path: path))
    try "raftnode volume, format 2\n".write(toFile: path + "/VOLUME", atomically: true, encoding: .utf8)
    #expect(reason(path).contains("is of format 2, and this version reads format 1"))
    try "something\n".write(toFile: path + "/VOLUME", atomically: true, encoding: .utf8)
    #expect(reason(path).contains("VOLUME does not say"))
  }

  @Test("is refused when it is a file")
  func file() throws {
    let folder = try TestFolder()
    defer { withExtendedLifetime(folder) {} }
    try "x".write(toFile: folder.path + "/file", atomically: true, encoding: .utf8)
    #expect(reason(folder.path + "/file").contains("is no folder"))
    #expect(reason(folder.path + "/file/volume").contains("cannot be made"))
  }

  @Test("remembers who the node is")
  func identity() throws {
    let folder = try TestFolder()
    defer { withExtendedLifetime(folder) {} }
    let options = VolumeOptions(path: folder.path + "/volume")
    let known = NodeIdentity(
      node: NodeID(7), cluster: ClusterID(9), address: "n7:7000", isJoining: true)
    do {
      var store = try Volume.open(options)
      #expect(try store.identity() == nil)
      try store.setIdentity(known)
    }
    #expect(try Volume.open(options).identity() == known)
  }

  /// The write-ahead log is read up to its first damage by default; what stands behind it would be gone without a word.
  @Test("a flipped byte anywhere in the write-ahead log is noticed, whatever stands behind it (scenario 63)")
  func damagedLog() throws {
    let folder = try TestFolder()
    defer { withExtendedLifetime(folder) {} }
    let path = folder.path + "/volume"
    do {
      var node = try WritingNode(Volume.open(VolumeOptions(path: path)))
      try node.perform(.found)
      for number in 0..<5 {
        try node.perform(
          .append(4, after: entryID(number == 0 ? 1 : 2, UInt64(1 + 4 * number)), term: 2, commit: 1))
      }
    }
    let files = try FileManager.default.contentsOfDirectory(atPath: path + "/consensus")
    let name = try #require(files.filter { $0.hasSuffix(".log") }.max())
    let log = try Data(contentsOf: URL(filePath: path + "/consensus/" + name))
    #expect(log.count > 500)
    for position in stride(from: 3, to: log.count, by: 37) {
      let copy = folder.path + "/copy-\(position)"
      try FileManager.default.copyItem(atPath: path, toPath: copy)
      defer { try? FileManager.default.removeItem(atPath: copy) }
      var damaged = log
      damaged[position] ^= 0x10
      try damaged.write(to: URL(filePath: copy + "/consensus/" + name))
      do {
        var store = try Volume.open(VolumeOptions(path: copy))
        let state = try #require(try store.recover(), "the log is gone, unnoticed, by byte \(position)")
        #expect(state.entries.count == 21, "a shorter log is taken for whole, by byte \(position)")
      } catch StoreError.corrupt(let reason) {
        #expect(!reason.isEmpty)
      } catch StoreError.failed(let reason) {
        #expect(!reason.isEmpty)
      }
    }
  }

  /// A volume with a log in which the last of two writes can be taken back.
  private func writtenTwice(in folder: String) throws -> (
    path: String, log: String, before: Data, after: Data
  ) {
    let path = folder + "/volume"
    func log() throws -> String {
      let files = try FileManager.default.contentsOfDirectory(atPath: path + "/consensus")
      return path + "/consensus/" + (try #require(files.filter { $0.hasSuffix(".log") }.max()))
    }
    var node = try WritingNode(Volume.open(VolumeOptions(path: path)))
    try node.perform(.found, .append(4, after: entryID(1, 1), term: 2, commit: 1))
    let before = try Data(contentsOf: URL(filePath: log()))
    try node.perform(.append(4, after: entryID(2, 5), term: 2, commit: 1))
    return (path, try log(), before, try Data(contentsOf: URL(filePath: log())))
  }

  @Test("a write that the power has cut off is dropped, whether zeros stand in its place or nothing")
  func tornEnds() throws {
    let folder = try TestFolder()
    defer { withExtendedLifetime(folder) {} }
    let (path, log, before, after) = try writtenTwice(in: folder.path)
    // It was not synced yet.
    try FileManager.default.removeItem(atPath: path + "/SYNCED")
    for length in stride(from: before.count + 1, to: after.count, by: 11) {
      for zeros in [0, after.count - length, 5_000] {
        try (after[..<length] + Data(repeating: 0, count: zeros)).write(to: URL(filePath: log))
        let copy = folder.path + "/copy"
        try FileManager.default.copyItem(atPath: path, toPath: copy)
        defer { try? FileManager.default.removeItem(atPath: copy) }
        var store = try Volume.open(VolumeOptions(path: copy))
        let state = try #require(try store.recover())
        // If all that is missing is zeros, the write is there.
        #expect([5, 9].contains(state.entries.count), "cut at \(length) of \(after.count), \(zeros) zeros")
      }
    }
  }

  @Test("a log that has been cut behind a sync is refused")
  func cutLog() throws {
    let folder = try TestFolder()
    defer { withExtendedLifetime(folder) {} }
    let (path, log, before, _) = try writtenTwice(in: folder.path)
    try before.write(to: URL(filePath: log))
    var store = try Volume.open(VolumeOptions(path: path))
    #expect {
      _ = try store.recover()
    } throws: { error in
      "\(error)".contains("the last 1 of 3 writes to the log are gone, though they were synced")
    }
  }
}
