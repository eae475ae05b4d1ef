import RaftCore
import RaftStore
import Testing

@Suite("The durable store: after a failure")
struct FailureTests {
  private let begun: [Step] = [
    .found, .append(3, after: entryID(1, 1), term: 2, commit: 4), .save(last: entryID(2, 3), count: 10),
  ]

  /// A device on which `begun` was done, with a node that has it open.
  private func started() throws -> (device: FaultyDevice, node: WritingNode) {
    let device = FaultyDevice()
    var node = try WritingNode(device.store())
    for step in begun { try node.perform(step) }
    return (device, node)
  }

  private func state(of device: FaultyDevice) throws -> StoredState? {
    var store: any LogStore & SnapshotStore = device.store()
    return try StoredState(&store)
  }

  @Test(
    "once a batch or a sync has failed nothing is proved any more, though the device would write again (scenario 59)",
    arguments: [
      .append(1, after: entryID(2, 4), term: 2), .vote(term: 3, for: 3),
      .save(last: entryID(2, 4), count: 10),
    ] as [Step])
  func failuresAreFinal(_ step: Step) throws {
    let (spare, whole) = try started()
    let before = try state(of: spare.restarted())
    var undisturbed = whole
    let first = spare.operations
    try undisturbed.perform(step)
    let after = try state(of: spare.restarted())
    for operation in first..<spare.operations {
      let (device, node) = try started()
      var failed = node
      device.plan = (operation, .error)
      #expect(throws: StoreError.failed("input/output error")) { try failed.perform(step) }
      // A replica that knows nothing of the failure goes on with the store.
      for next in [.append(2, after: entryID(2, 4), term: 2), .save(last: entryID(2, 4), count: 12)] as [Step]
      {
        var unaware = node
        unaware.store = failed.store
        #expect(throws: StoreError.failed("input/output error")) { try unaware.perform(next) }
        failed.store = unaware.store
      }
      for left in device.crashes() {
        let found = try state(of: left)
        #expect(found == before || found == after, "operation \(operation)")
      }
    }
  }

  @Test(
    "a full device refuses the write and loses nothing; with room again, a restart goes on (scenario 78)",
    arguments: [
      .append(1, after: entryID(2, 4), term: 2), .vote(term: 3, for: 3),
      .save(last: entryID(2, 4), count: 10),
      .receive(last: entryID(2, 20), count: 10, pieces: [10], term: 2),
    ] as [Step])
  func fullDevice(_ step: Step) throws {
    let (device, node) = try started()
    let before = try state(of: device.restarted())
    device.plan = (device.operations, .full)
    var refused = node
    #expect(throws: StoreError.failed("no space left on device")) { try refused.perform(step) }
    let cleared = try #require(device.crashes().first)
    #expect(try state(of: cleared) == before)
    var next = try WritingNode(cleared.store())
    try next.perform(step)
    #expect(try state(of: cleared.restarted()) != before)
  }

  @Test("reading goes on after a failed write")
  func readingAfterFailure() throws {
    var (device, node) = try started()
    device.plan = (device.operations, .full)
    #expect(throws: StoreError.self) { try node.perform(.append(1, after: entryID(2, 4), term: 2)) }
    #expect(try node.store.entries(after: .zero, through: LogIndex(4))?.count == 4)
    let saved = node.content(entryID(2, 3)).snapshot
    #expect(try node.store.read(fingerprint: saved.fingerprint, offset: 2, count: 8)?.count == 8)
  }

  @Test("a torn end is cut off at the last sync, and does not stop the restart (scenario 64)")
  func tornEnd() throws {
    let (device, node) = try started()
    let before = try state(of: device.restarted())
    var interrupted = node
    device.plan = (device.operations + 1, .crash)
    #expect(throws: StoreError.self) {
      try interrupted.perform(.append(3, after: entryID(2, 4), term: 2))
    }
    let left = device.crashes()
    #expect(left.count == 2, "the batch was written or torn")
    for (device, count) in zip(left, [4, 7]) {
      var next = try WritingNode(device.store())
      #expect(next.node?.lastEntry == entryID(2, UInt64(count)))
      try next.perform(.append(1, after: entryID(2, UInt64(count)), term: 3))
      #expect(try state(of: device.restarted())?.entries.count == count + 1)
    }
    #expect(try state(of: try #require(left.first)) != before, "the append went on from there")
  }

  @Test("a state machine starts from its snapshot and the whole log behind it, or not at all (scenario 74)")
  func startsBehindTheSnapshot() throws {
    let (device, node) = try started()
    var running = node
    try running.perform(.compact(through: 3), .append(2, after: entryID(2, 4), term: 2, commit: 6))
    let found = try #require(try state(of: device.restarted()))
    #expect(found.appliedIndex == found.snapshot?.last.index)
    #expect(found.bytes == running.content(entryID(2, 3)).bytes)
    #expect(found.entries.first?.id.index == found.appliedIndex.next)
    // Without the snapshot the log says nothing of what came before it.
    var store = FaultyDevice(device.consensus, MemoryBackend()).store()
    #expect(throws: StoreError.self) { _ = try store.recover() }
  }
}
