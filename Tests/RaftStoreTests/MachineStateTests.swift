import RaftCore
import Synchronization
import Testing

@testable import RaftStore

@Suite("The state of a machine, whose changes reach the device later")
struct MachineStateTests {
  /// A device in memory that a crash takes back to what was flushed last.
  private final class Device: StateDevice {
    private let content = Mutex((live: MemoryBackend(), flushed: MemoryBackend()))

    func get(_ key: Bytes) -> Bytes? { content.withLock { $0.live.get(key) } }
    func apply(_ batch: WriteBatch) { content.withLock { $0.live.apply(batch) } }
    func scan(from lower: Bytes, to upper: Bytes?, _ visit: (Bytes, Bytes) -> Bool) {
      content.withLock { $0.live }.scan(from: lower, to: upper, visit)
    }
    func flush() { content.withLock { $0.flushed = $0.live } }
    func view() -> any OrderedView { content.withLock { $0.live } }
    func crash() { content.withLock { $0.live = $0.flushed } }
  }

  private func key(_ random: inout RandomSource) -> Bytes {
    (0..<Int.random(in: 0...2, using: &random)).map { _ in UInt8.random(in: 0...9, using: &random) }
  }

  private func pairs(_ scan: ((Bytes, Bytes) -> Bool) -> Void, atMost limit: Int = .max) -> [[Bytes]] {
    var found: [[Bytes]] = []
    scan {
      found.append([$0, $1])
      return found.count < limit
    }
    return found
  }

  @Test(
    "what is read is what was written last, whether it is written to the device, on its way, or neither",
    arguments: 1...8)
  func layers(seed: UInt64) throws {
    var random = RandomSource(seed: seed)
    let state = MachineState(Device(), generation: 1)
    var model = MemoryBackend()
    var sealed: MachineState.Sealed?
    var views: [(MachineStateView, MemoryBackend)] = []
    for step in 0..<3_000 {
      let changed = key(&random)
      switch Int.random(in: 0..<100, using: &random) {
      case 0..<60:
        let value: Bytes = [UInt8.random(in: 0...255, using: &random)]
        state.put(value, for: changed)
        model.put(value, for: changed)
      case 60..<90:
        state.delete(changed)
        model.delete(changed)
      case 90..<93: if sealed == nil { sealed = state.seal() }
      case 93..<96: if let sealed { try state.flush(sealed) }
      case 96..<98:
        guard let written = sealed else { break }
        try state.flush(written)
        state.didFlush()
        sealed = nil
      default: if sealed == nil { state.spill() }
      }
      let asked = key(&random)
      #expect(state.get(asked) == model.get(asked))
      guard step % 20 == 0 else { continue }
      let (lower, upper) = (key(&random), Bool.random(using: &random) ? key(&random) : nil)
      let limit = Int.random(in: 1...40, using: &random)
      #expect(
        pairs({ state.scan(from: lower, to: upper, $0) }, atMost: limit)
          == pairs({ model.scan(from: lower, to: upper, $0) }, atMost: limit))
      if let view = state.view() { views.append((view, model)) }
    }
    for (view, model) in views {
      #expect(pairs { view.scan(from: [], to: nil, $0) } == pairs { model.scan(from: [], to: nil, $0) })
      #expect(view.get([3, 3]) == model.get([3, 3]))
    }
  }

  @Test("after a crash the device holds what was sealed last and flushed, all of it and nothing else")
  func crash() throws {
    let device = Device()
    let state = MachineState(device, generation: 1)
    state.setOwn([1], for: [0])
    state.put([1], for: [1])
    state.put([1], for: [2])
    let first = state.seal()
    state.setOwn([2], for: [0])
    state.delete([1])
    state.put([2], for: [3])
    try state.flush(first)
    state.didFlush()
    state.put([2], for: [4])
    device.crash()
    let found = MachineState(device, generation: 1)
    #expect(found.own([0]) == [1])
    #expect(pairs { found.scan(from: [], to: nil, $0) } == [[[1], [1]], [[2], [1]]])
  }

  @Test("the memory that changes take is known, and a key that changes again and again counts once")
  func bytes() throws {
    let state = MachineState(Device(), generation: 1)
    for _ in 0..<1_000 { state.put(Bytes(repeating: 7, count: 100), for: [1]) }
    #expect((100...400).contains(state.recentBytes))
    for index in 0..<100 { state.put(Bytes(repeating: 7, count: 100), for: [2, UInt8(index)]) }
    #expect((20_000...40_000).contains(state.recentBytes))
    try state.flush(state.seal())
    #expect(state.recentBytes == 0)
  }
}
