import Testing

@testable import RaftCore

/// What a write queue is about, taken literally: a log of entries each of which is told from every other, a disk, and
/// the writes between them.
private struct PlainDisk {
  /// One moment's state. Versions count changes; an entry's number is never given to another.
  struct State: Equatable {
    var hardState = 0
    var logChanges = 0
    /// The snapshot from which the log starts, and where it ends.
    var snapshot = 0
    var base = 0
    var entries: [Int] = []
    var last: Int { base + entries.count }

    mutating func cut(after index: Int) { entries.removeLast(max(0, last - index)) }
  }

  struct Write {
    var number: UInt64
    var waitingSince: UInt64
    var after: Int
    var installs: Int?
    var state: State
  }

  struct Held: Equatable {
    var number: UInt64
    var term: UInt64
    var hardState: Int
    /// Nil if it asserts nothing of the log.
    var logChanges: Int?
  }

  var now = State()
  var disk = State()
  var inflight: [Write] = []
  var held: [Held] = []
  /// When it was first noticed that something waits for the next write.
  var dirtySince: UInt64?

  /// What the disk will hold when all writes under way are done.
  var written: State { inflight.last?.state ?? disk }

  var isIdle: Bool { now.hardState == disk.hardState && now.logChanges == disk.logChanges }

  /// How far the log on the disk is the log as it is now.
  var durableIndex: Int {
    guard disk.snapshot == now.snapshot else { return 0 }
    let common = zip(disk.entries, now.entries).prefix { $0 == $1 }.count
    return now.base + common
  }

  func isDurable(_ message: Held) -> Bool {
    message.hardState <= disk.hardState && message.logChanges.map { $0 <= disk.logChanges } ?? true
  }

  /// Completes the oldest write as a disk would: cuts where it says, and appends what it covers.
  mutating func completeFirst() -> Int? {
    let write = inflight.removeFirst()
    if write.installs != nil {
      disk.snapshot = write.state.snapshot
      disk.base = write.state.base
      disk.entries = []
    }
    disk.cut(after: write.after)
    disk.entries += write.state.entries.dropFirst(max(0, write.after - write.state.base))
    disk.hardState = write.state.hardState
    disk.logChanges = write.state.logChanges
    return write.installs
  }

  /// The held messages that may leave, in the order in which they were held.
  mutating func release() -> [Held] {
    let leaving = held.filter(isDurable)
    held.removeAll(where: isDurable)
    return leaving
  }
}

/// A write queue next to its model, driven at random.
private struct WriteQueueRun {
  var random: RandomSource
  var queue = WriteQueue(durable: .zero)
  var model = PlainDisk()
  var clock: UInt64 = 0
  var term: UInt64 = 1
  var numbers = 0
  var wrong: [String] = []
  let configuration: IndexedConfiguration

  init(seed: UInt64) throws {
    random = RandomSource(seed: seed)
    let member = Member(id: NodeID(1), address: "a", store: .memory)
    configuration = IndexedConfiguration(index: .zero, configuration: try Configuration(voters: [member]))
  }

  mutating func pick(_ range: ClosedRange<Int>) -> Int { .random(in: range, using: &random) }

  mutating func step() {
    clock += UInt64(pick(0...3))
    switch pick(0...15) {
    case 0, 1:
      model.now.hardState += 1
      queue.hardStateChanged()
    case 2, 3, 4: grow()
    case 5: cut()
    case 6 where pick(0...4) == 0: replace()
    case 7, 8: take()
    case 9, 10: complete()
    case 11 where pick(0...2) == 0:
      term += 1
      model.held.removeAll { $0.term < term }
      queue.dropHeld(before: Term(term))
    case 12:
      queue.notice(Ticks(clock))
      if model.written != model.now { model.dirtySince = model.dirtySince ?? clock }
    default: say()
    }
    expect(queue.isIdle == model.isIdle, "idle")
    expect(queue.durableIndex.rawValue == UInt64(model.durableIndex), "durable through \(model.durableIndex)")
    expect(
      queue.oldestWaiting?.rawValue == model.inflight.first?.waitingSince ?? model.dirtySince, "oldest change"
    )
    expect(queue.isInstalling == (model.disk.snapshot != model.now.snapshot), "installing")
  }

  mutating func expect(_ isSo: Bool, _ what: String) {
    if !isSo, wrong.count < 5 { wrong.append(what) }
  }

  private mutating func grow() {
    for _ in 0..<pick(1...4) {
      numbers += 1
      model.now.entries.append(numbers)
    }
    model.now.logChanges += 1
    queue.logGrew()
  }

  /// Only what a snapshot holds cannot be cut off; a cut is always followed by what takes its place.
  private mutating func cut() {
    let index = max(model.now.base, model.now.last - pick(0...6))
    guard index < model.now.last else { return }
    model.now.cut(after: index)
    queue.logWasCut(after: LogIndex(UInt64(index)))
    grow()
  }

  private mutating func replace() {
    let end = model.now.last + pick(1...9)
    model.now.snapshot += 1
    model.now.base = end
    model.now.entries = []
    model.now.logChanges += 1
    queue.logWasReplaced(
      by: Snapshot(
        last: EntryID(term: Term(term), index: LogIndex(UInt64(end))), configuration: configuration, bytes: 9,
        fingerprint: UInt64(model.now.snapshot)))
  }

  private mutating func take() {
    let newest = model.written
    let write = queue.take(lastIndex: LogIndex(UInt64(model.now.last)), now: Ticks(clock))
    guard newest != model.now, let write else {
      return expect((write == nil) == (newest == model.now), "whether there is something to write")
    }
    let isOther = newest.snapshot != model.now.snapshot
    expect(
      write.snapshot?.fingerprint == (isOther ? UInt64(model.now.snapshot) : nil), "which snapshot to install"
    )
    model.inflight.append(
      PlainDisk.Write(
        number: write.sequence, waitingSince: model.dirtySince ?? clock, after: Int(write.after.rawValue),
        installs: isOther ? model.now.base : nil, state: model.now))
    model.dirtySince = nil
  }

  mutating func complete() {
    guard let write = model.inflight.first else { return }
    let installed = queue.complete(write.number)
    expect(model.completeFirst().map { UInt64($0) } == installed?.rawValue, "where the snapshot ends")
    expect(model.disk == write.state, "what the disk holds after \(write)")
    var released: [UInt64] = []
    while let message = queue.release() {
      if case .readIndexReply(let reply) = message.body { released.append(reply.id.number) }
    }
    expect(released == model.release().map(\.number), "what may leave after write \(write.number)")
  }

  private mutating func say() {
    numbers += 1
    let (number, basis) = (UInt64(numbers), pick(0...1) == 0 ? WriteQueue.Basis.hardState : .everything)
    let held = PlainDisk.Held(
      number: number, term: term, hardState: model.now.hardState,
      logChanges: basis == .hardState ? nil : model.now.logChanges)
    let sequence = queue.awaited(basis)
    expect((sequence == nil) == model.isDurable(held), "whether message \(number) may leave at once")
    guard let sequence else { return }
    model.held.append(held)
    // Of a kind that never takes the place of another.
    let reply = ReadIndexReply(id: ReadID(boot: 1, number: number), readIndex: nil)
    let message = Message(from: NodeID(1), to: NodeID(2), term: Term(term), body: .readIndexReply(reply))
    queue.hold(message, until: sequence)
  }

  /// Writes and completes everything that is left.
  mutating func finish() {
    take()
    while !model.inflight.isEmpty { complete() }
    expect(model.held.isEmpty && queue.release() == nil, "nothing is held when everything is durable")
    expect(queue.isIdle && model.disk == model.now, "everything is durable in the end")
  }
}

@Suite("The core's queues agree with plain lists")
struct QueuePropertyTests {
  @Test("no message leaves before what it asserts is durable, and none is lost", arguments: 1...12)
  func writes(seed: UInt64) throws {
    var run = try WriteQueueRun(seed: seed)
    for step in 1...1_200 where run.wrong.isEmpty {
      run.step()
      if step % 300 == 0 { run.finish() }
      if !run.wrong.isEmpty { Issue.record("seed \(seed), step \(step): \(run.wrong)") }
    }
  }

  @Test("what is under way to a peer is counted exactly", arguments: 1...4)
  func inflights(seed: UInt64) {
    var random = RandomSource(seed: seed)
    var inflights = Inflights()
    var model: [(last: UInt64, bytes: Int)] = []
    var last: UInt64 = 0
    var wrong: [String] = []
    for step in 0..<4_000 {
      switch Int.random(in: 0..<12, using: &random) {
      case 0 where Int.random(in: 0..<10, using: &random) == 0:
        model = []
        inflights.removeAll()
      case 0...3:
        // Acknowledgements come late, doubled, and in the middle of a message.
        let first = model.first?.last ?? last
        let through = UInt64.random(in: (first - min(first, 5))...(last + 2), using: &random)
        model.removeAll { $0.last <= through }
        inflights.free(through: LogIndex(through))
      default:
        last += .random(in: 1...9, using: &random)
        model.append((last, .random(in: 0...900, using: &random)))
        inflights.add(last: LogIndex(last), bytes: model[model.count - 1].bytes)
      }
      if inflights.count != model.count || inflights.bytes != model.reduce(0, { $0 + $1.bytes }) {
        wrong.append("step \(step): \(inflights.count) messages of \(inflights.bytes) bytes")
      }
    }
    #expect(wrong.isEmpty, "\(wrong.prefix(5))")
  }

  @Test("a ring holds what an array would", arguments: 1...4)
  func ring(seed: UInt64) {
    var random = RandomSource(seed: seed)
    var ring = Ring<Int>()
    var model: [Int] = []
    var wrong: [String] = []
    for step in 0..<4_000 {
      // It grows for a while and shrinks for a while, so that it wraps around at different sizes.
      let isGrowing = step / 200 % 2 == 0
      switch Int.random(in: 0..<10, using: &random) {
      case 0..<(isGrowing ? 6 : 3):
        model.append(step)
        ring.append(step)
      case 0..<8:
        let first = model.isEmpty ? nil : model.removeFirst()
        if ring.popFirst() != first { wrong.append("step \(step): first") }
      case 8 where !model.isEmpty:
        let place = Int.random(in: model.indices, using: &random)
        if Bool.random(using: &random) {
          model[place] = -step
          ring[place] = -step
        } else if ring.remove(at: place) != model.remove(at: place) {
          wrong.append("step \(step): removed")
        }
      default:
        let rest = Int.random(in: 0..<40, using: &random)
        model.removeAll { $0 % 40 == rest }
        ring.removeAll { $0 % 40 == rest }
        if rest == 0, step % 7 == 0 {
          model = []
          ring.removeAll()
        }
      }
      let content = (0..<ring.count).map { ring[$0] }
      if content != model || ring.first != model.first || ring.isEmpty != model.isEmpty {
        wrong.append("step \(step): \(content) instead of \(model)")
      }
    }
    #expect(wrong.isEmpty, "\(wrong.prefix(5))")
  }
}
