import AllocationCounter
import RaftCore

/// Whether a warm leader and a warm follower replicate without asking for memory.
struct AllocationCheck {
  let batch: Int
  let entries: Int
  let leader: UInt64
  let follower: UInt64

  var isMet: Bool { leader == 0 && follower == 0 }

  /// Whether an allocation is noticed: a counter that the linker has left out would find every program faultless.
  static var counterCounts: Bool {
    let before = allocation_counter_read()
    var array: [Int] = []
    array.reserveCapacity(Int.random(in: 100...200))
    return array.capacity >= 100 && allocation_counter_read() > before
  }

  /// Measures three cores, each for itself.
  init(batch: Int) throws {
    let payload = Bytes(repeating: 7, count: 16)
    let batches = 200_000 / batch
    var cluster = try Workload.led(3)
    // Warm is what has compacted its log a few times.
    for _ in 0..<batches { try cluster.propose(payload, batch: batch) }
    cluster.attributesAllocations = true
    let before = cluster.allocations
    for _ in 0..<batches { try cluster.propose(payload, batch: batch) }
    cluster.requireAgreement()
    self.batch = batch
    entries = batches * batch
    leader = cluster.allocations[0] - before[0]
    follower = max(cluster.allocations[1] - before[1], cluster.allocations[2] - before[2])
  }

  var description: String {
    "batch \(batch), \(entries) entries: leader \(leader), follower \(follower) allocations: "
      + (isMet ? "met" : "missed")
  }
}
