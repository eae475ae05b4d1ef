import RaftCore
import RaftTransport
import Testing

@testable import RaftServer

@Suite("What a driver does not let grow")
struct DriverLimitTests {
  @Test("a refused write is not sent again and again to the leadership that refused it")
  func refusalIsRemembered() throws {
    var network = try DriverNetwork(3)
    let leader = try network.elect()
    let follower = (leader + 1) % 3
    let ticket = network.add(5, at: follower)
    let refusal = ForwardReply(number: ticket, boot: network.drivers[follower].boot, result: .refused)
    try network.serve(follower)
    for _ in 0..<50 {
      network.drivers[follower].core.receive(refusal, from: network.drivers[leader].id)
      try network.serve(follower)
    }
    #expect(network.frames.count { $0.frame.header.kind == .forward } == 1)
    #expect(network.ending(ticket, at: follower) == nil)
  }

  @Test("reads and writes that ended at their deadline leave nothing behind")
  func endedRequestsAreForgotten() throws {
    var network = try DriverNetwork(3)
    for _ in 0..<500 {
      network.drivers[0].advance(to: network.moment)
      _ = network.drivers[0].submit((), deadline: Ticks(network.now + 2))
      _ = network.add(1, at: 0)
      network.now += 1
      try network.serve(0)
      network.frames.removeAll()
    }
    network.now += 2_000
    try network.serve(0)
    network.now += 10
    try network.serve(0)
    #expect(network.drivers[0].core.requests.count == 0)
    #expect(network.drivers[0].core.waiting.isEmpty)
    #expect(network.drivers[0].core.reads.ask(now: Ticks(network.now + 1_000)) == nil)
  }

  @Test("large commands are compacted by their bytes, whatever their number")
  func logIsBoundedByBytes() throws {
    var options = ReplicaOptions()
    options.retainedBytesMax = 10_000
    var network = try DriverNetwork(3, options: options)
    let leader = try network.elect()
    for _ in 0..<600 {
      _ = network.add(1, at: leader)
      network.now += 1
      try network.deliver()
    }
    for position in 0..<3 { #expect(network.drivers[position].node.appliedBytes < 20_000) }
    #expect(network.drivers.allSatisfy { $0.applier.machine.value == 600 })
  }

  @Test("the log is cut although there is always something to be written")
  func logIsCutUnderLoad() throws {
    var options = ReplicaOptions()
    options.retainedEntries = 10
    var network = try DriverNetwork(1, options: options)
    let leader = try network.elect()
    _ = network.add(1, at: leader)
    for _ in 0..<200 {
      network.now += 1
      network.drivers[leader].advance(to: network.moment)
      while network.drivers[leader].flush() {}
      guard let task = network.drivers[leader].takeDiskTask(isDetached: false) else { continue }
      // The next command arrives while the store is at it.
      _ = network.add(1, at: leader)
      #expect(network.drivers[leader].node.hasUnsavedChanges)
      network.drivers[leader].didComplete(try task.perform(on: &network.stores[leader]))
    }
    let node = network.drivers[leader].node
    #expect(node.appliedIndex > LogIndex(50))
    #expect(node.baseIndex.distance(to: node.appliedIndex) < 50)
  }

  @Test("options under which the largest command fits into no frame are refused")
  func frameHoldsTheLargestCommand() {
    var options = ReplicaOptions()
    options.commandBytesMax = options.transport.frameBytesMax
    #expect(throws: ReplicaOptionsError.self) { try options.validated() }
  }
}
