import RaftCore
import RaftStore
import Testing

@testable import struct RaftStore.DurableStore
@testable import enum RaftStore.StoredKey

@Suite("The durable store: pieces of snapshots")
struct PieceTests {
  private func founded(_ device: FaultyDevice) throws -> DurableStore<FaultyBackend> {
    var node = try WritingNode(device.store())
    try node.perform(.found, .append(5, after: entryID(1, 1), term: 2, commit: 6))
    var store = device.store(pieceBytesMax: 10)
    _ = try store.recover()
    return store
  }

  private func content(_ index: UInt64, _ count: Int) -> SnapshotContent {
    SnapshotContent(
      last: entryID(2, index),
      configuration: IndexedConfiguration(index: LogIndex(1), configuration: WritingNode.configuration),
      count: count)
  }

  private func pieces(on device: FaultyDevice) -> [Int] {
    device.data.pairs.compactMap { StoredKey.place(of: $0.key).map { Int($0.offset) } }
  }

  @Test("however a snapshot comes, no piece of it is longer than the longest one")
  func longPieces() throws {
    let device = FaultyDevice()
    var store = try founded(device)
    let saved = content(4, 35)
    try store.save(saved.snapshot, bytes: saved.bytes)
    #expect(pieces(on: device) == [0, 10, 20, 30])
    try store.retain(fingerprints: [])
    let received = content(9, 35)
    #expect(try store.receive(received.piece(0..<25), bytes: Bytes(received.bytes[..<25])))
    #expect(try store.receive(received.piece(25..<35), bytes: Bytes(received.bytes[25...])))
    #expect(pieces(on: device) == [0, 10, 20, 30, 0, 10, 20, 25])
  }

  @Test("to read a range, what lies far before it and what lies behind it is not read")
  func rangesAreFound() throws {
    let device = FaultyDevice()
    var store = try founded(device)
    let content = content(4, 1000)
    try store.save(content.snapshot, bytes: content.bytes)
    for offset in stride(from: 0, to: 990, by: 3) {
      let visits = device.visits
      let bytes = try store.read(
        fingerprint: content.snapshot.fingerprint, offset: UInt64(offset), count: 10)
      #expect(bytes == Bytes(content.bytes[offset..<(offset + 10)]))
      #expect(device.visits - visits <= 3)
    }
  }

  @Test("pieces that belong to nothing are removed at the next start")
  func strayPieces() throws {
    let device = FaultyDevice()
    var store = try founded(device)
    for index in [3, 4] as [UInt64] {
      let content = content(index, 25)
      try store.save(content.snapshot, bytes: content.bytes)
    }
    let received = content(9, 30)
    #expect(try store.receive(received.piece(0..<20), bytes: Bytes(received.bytes[..<20])))
    #expect(pieces(on: device).count == 3 + 3 + 2)
    let restarted = device.restarted()
    var next = restarted.store(pieceBytesMax: 10)
    #expect(try next.recover()?.snapshot?.last == entryID(2, 4))
    #expect(pieces(on: restarted) == [0, 10, 20])
    let kept = try next.read(fingerprint: content(4, 25).snapshot.fingerprint, offset: 0, count: 25)
    #expect(kept == content(4, 25).bytes)
  }
}
