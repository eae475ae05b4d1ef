import RaftCore
import RaftStore
import Testing

@testable import enum RaftStore.StoredKey

@Suite("The durable store: what a crash or a failure leaves, at every operation")
struct CrashTests {
  @Test(
    "a restart in good order after any step changes nothing (scenario 62)", arguments: StepSequence.all)
  func restarts(_ sequence: StepSequence) throws {
    let states = try sequence.expected()
    var device = FaultyDevice()
    for (number, step) in sequence.steps.enumerated() {
      var node = try WritingNode(device.store(pieceBytesMax: 16))
      try node.perform(step)
      device = device.restarted()
      #expect(try opened(device) == states[number + 1], "after step \(number), \(step)")
      try expectNoStrayPieces(device)
    }
  }

  @Test(
    "a crash at any instant leaves the old state or the new one, with everything that was proved (scenarios 60, 62, 65, 66, 72)",
    arguments: StepSequence.all, FaultyDevice.Fault.allCases)
  func faults(_ sequence: StepSequence, _ fault: FaultyDevice.Fault) throws {
    let states = try sequence.expected()
    let operations = try run(sequence, on: FaultyDevice())
    for operation in 0..<operations.count {
      let device = FaultyDevice()
      device.plan = (operation, fault)
      let ran = try run(sequence, on: device)
      // With a full device, what only removes still succeeds.
      guard let interrupted = ran.failed else {
        #expect(fault == .full, "operation \(operation) failed, and nobody was told")
        continue
      }
      let possible = sequence.possible(states, interruptedIn: interrupted)
      for left in device.crashes() {
        let found = try opened(left)
        #expect(
          possible.contains(found),
          "\(fault) at operation \(operation), in step \(interrupted): found \(String(describing: found))")
        try expectNoStrayPieces(left)
        try goOn(on: left)
      }
    }
  }

  // MARK: - Running

  /// Carries steps out until one of them fails.
  ///
  /// - Returns: How many operations it took, and which step failed.
  private func run(
    _ sequence: StepSequence, on device: FaultyDevice
  ) throws -> (count: Int, failed: Int?) {
    var number = 0
    do {
      var node = try WritingNode(device.store(pieceBytesMax: 16))
      while number < sequence.steps.count {
        try node.perform(sequence.steps[number])
        number += 1
      }
    } catch is StoreError {
      return (device.operations, number)
    }
    return (device.operations, nil)
  }

  private func opened(_ device: FaultyDevice) throws -> StoredState? {
    var store: any LogStore & SnapshotStore = device.store(pieceBytesMax: 16)
    return try StoredState(&store)
  }

  /// A node starts with what is there, and what it writes is there after another restart.
  private func goOn(on device: FaultyDevice) throws {
    var node = try WritingNode(device.store(pieceBytesMax: 16))
    if node.node == nil { try node.perform(.found) }
    let last = try #require(node.node?.lastEntry)
    try node.perform(.append(1, after: last, term: 9))
    let left = try #require(device.crashes().first)
    let found = try #require(try opened(left))
    #expect(found.entries.last?.id == entryID(9, last.index.rawValue + 1))
    #expect(found.hardState.term == Term(9))
  }

  private func expectNoStrayPieces(_ device: FaultyDevice) throws {
    let generations = Set(device.data.pairs.compactMap { StoredKey.place(of: $0.key)?.generation })
    #expect(generations.count <= 1, "pieces of generations \(generations)")
  }
}
