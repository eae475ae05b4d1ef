import RaftCore
import Testing

@testable import struct RaftServer.SnapshotPacing

@Suite("Pieces of snapshots keep to a limit")
struct SnapshotPacingTests {
  private func piece(to peer: UInt64, offset: UInt64 = 0, count: UInt32 = 1_000) throws -> Message {
    let configuration = try Configuration(voters: [Member(id: NodeID(1), address: "h:1", store: .durable)])
    let snapshot = Snapshot(
      last: .zero, configuration: IndexedConfiguration(index: .zero, configuration: configuration),
      bytes: 1 << 30,
      fingerprint: 1)
    return Message(
      from: NodeID(1), to: NodeID(peer), term: Term(1),
      body: .installSnapshot(InstallSnapshot(of: snapshot, offset: offset, count: count)))
  }

  @Test(
    "what goes in ten seconds is what is allowed in ten seconds, though a tick is as long as several pieces")
  func rate() throws {
    var pacing = SnapshotPacing(bytesPerSecond: 1_000_000, tickMilliseconds: 10)
    var sent = 0
    for tick in 1_000..<2_000 as Range<UInt64> {
      while true {
        pacing.add(try piece(to: 2))
        guard pacing.next(at: Ticks(tick)) != nil else { break }
        sent += 1
      }
    }
    #expect((9_900...10_200).contains(sent), "pieces of 1000 bytes")
  }

  @Test("peers share it, in turn, and one that asks again is not served twice")
  func shared() throws {
    var pacing = SnapshotPacing(bytesPerSecond: 100_000, tickMilliseconds: 10)
    for peer in 2...4 as ClosedRange<UInt64> { pacing.add(try piece(to: peer)) }
    var order: [NodeID] = []
    for tick in 1_000..<1_100 as Range<UInt64> {
      while let next = pacing.next(at: Ticks(tick)) {
        order.append(next.to)
        pacing.add(try piece(to: next.to.rawValue, offset: 1_000))
        pacing.add(try piece(to: next.to.rawValue, offset: 1_000))
      }
    }
    #expect(pacing.waiting.count == 3)
    for peer in 2...4 as ClosedRange<UInt64> {
      let share = order.count { $0 == NodeID(peer) }
      #expect((order.count / 3 - 1...order.count / 3 + 1).contains(share))
    }
  }

  @Test("pieces for one peer follow one another; going back takes away what would come twice")
  func goingBack() throws {
    var pacing = SnapshotPacing(bytesPerSecond: 1, tickMilliseconds: 10)
    func offsets(of peer: UInt64) -> [UInt64] {
      pacing.waiting.filter { $0.to == NodeID(peer) }.compactMap { message in
        if case .installSnapshot(let piece) = message.body { piece.offset } else { nil }
      }
    }
    for offset in [1_000, 2_000, 3_000] as [UInt64] { pacing.add(try piece(to: 2, offset: offset)) }
    pacing.add(try piece(to: 3, offset: 500))
    #expect(offsets(of: 2) == [1_000, 2_000, 3_000])
    for offset in [0, 1_000] as [UInt64] { pacing.add(try piece(to: 2, offset: offset)) }
    #expect(offsets(of: 2) == [0, 1_000])
    #expect(offsets(of: 3) == [500])
  }

  @Test("a peer whose pieces are added again has its turn all the same")
  func turns() throws {
    var pacing = SnapshotPacing(bytesPerSecond: 100_000, tickMilliseconds: 10)
    for offset in 0..<20 as Range<UInt64> { pacing.add(try piece(to: 2, offset: offset * 1_000)) }
    var served: [UInt64] = []
    for tick in 1_000..<1_010 as Range<UInt64> {
      repeat {
        for offset in 0..<3 as Range<UInt64> { pacing.add(try piece(to: 3, offset: offset * 1_000)) }
        guard let next = pacing.next(at: Ticks(tick)) else { break }
        served.append(next.to.rawValue)
      } while true
    }
    #expect(served.count >= 10)
    let share = served.count { $0 == 3 }
    #expect(abs(served.count - 2 * share) <= 1, "\(served)")
  }

  @Test("without a limit everything goes at once")
  func unlimited() throws {
    var pacing = SnapshotPacing(bytesPerSecond: nil, tickMilliseconds: 10)
    for peer in 2...9 as ClosedRange<UInt64> { pacing.add(try piece(to: peer, count: 1 << 20)) }
    var count = 0
    while pacing.next(at: Ticks(5)) != nil { count += 1 }
    #expect(count == 8)
  }
}
