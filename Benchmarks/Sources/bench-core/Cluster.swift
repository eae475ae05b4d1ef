import AllocationCounter
import RaftCore

/// Cores in one thread, joined by an ideal network and ideal disks: every message arrives, every write is durable at
/// once, and every committed entry is applied at once.
///
/// Messages are delivered from where the cores put them, generation by generation: nothing is copied into a queue.
struct Cluster {
  /// Entries that every node retains behind what it has applied, at least; twice as many at most.
  static let retained = 16_384

  /// Called where they lie, and for reading as `inout`: a call that only reads an element copies it first, and a node is
  /// large.
  let nodes: UnsafeMutableBufferPointer<RaftNode<Bytes>>
  private let owner: NodeOwner
  /// Messages delivered.
  private(set) var delivered = 0
  /// Reads that were answered with an index.
  private(set) var answered = 0
  /// Sum of the sizes of what each node has applied.
  private(set) var appliedBytes: [UInt64] = []
  /// Allocations of each node's inputs; counted only if ``attributesAllocations``.
  private(set) var allocations: [UInt64] = []
  var attributesAllocations = false
  /// A node that no message reaches, and whose messages reach nobody.
  var cutOff: Int?
  /// Through where each node's log is compacted.
  private var bases: [LogIndex] = []
  private var now = Ticks.zero
  private var arriving = Outputs()
  private var leaving = Outputs()

  init(_ count: Int, learners: Int = 0) throws {
    let members = (1...count).map { Member(id: NodeID(UInt64($0)), address: "n\($0)", store: .memory) }
    let voters = members.dropLast(learners).map(\.id)
    let configuration = try Configuration(
      members: members, voters: voters, learners: members.suffix(learners).map(\.id))
    let state = RecoveredState<Bytes>.founding(configuration)
    owner = NodeOwner(
      try members.map { try RaftNode(id: $0.id, recovered: state, seed: $0.id.rawValue) })
    nodes = owner.nodes
    bases = Array(repeating: .zero, count: count)
    appliedBytes = Array(repeating: 0, count: count)
    allocations = Array(repeating: 0, count: count)
  }

  // MARK: - Inputs

  /// Lets only node 0 notice that it has waited long enough: it campaigns. Delivers until it has committed an entry.
  mutating func elect() {
    let old = nodes[0].commitIndex
    nodes[0].advance(to: Ticks(nodes[0].ticksUntilNextDeadline), into: &leaving)
    complete(0)
    while nodes[0].commitIndex == old, deliverGeneration() {}
    precondition(nodes[0].isLeader && nodes[0].commitIndex > old, "the election has failed")
  }

  /// Lets one tick pass for everybody.
  mutating func tick() {
    now = now + 1
    for position in nodes.indices {
      nodes[position].advance(to: now, into: &leaving)
      complete(position)
    }
    settle()
  }

  /// Makes the clocks agree after an election in which only one has run.
  mutating func synchronizeClocks() {
    now = Ticks(UInt64(RaftOptions().electionTimeoutTicksMax))
    tick()
  }

  /// Node 0, the leader, proposes a batch; returns when everybody has applied it.
  mutating func propose(_ payload: Bytes, batch: Int) throws(ProposeError) {
    let before = allocation_counter_read()
    let bytes = UInt32(payload.count)
    for _ in 0..<batch { _ = try nodes[0].append(payload, bytes: bytes) }
    nodes[0].replicate(into: &leaving)
    if attributesAllocations { allocations[0] += allocation_counter_read() - before }
    complete(0)
    settle()
  }

  /// A node asks for read indexes; returns when all of them are answered.
  mutating func read(_ numbers: Range<UInt64>, at position: Int) {
    for number in numbers {
      nodes[position].readIndex(ReadID(boot: 1, number: number), into: &leaving)
    }
    complete(position)
    settle()
  }

  /// The leader changes the configuration; returns when the change is over and known to everybody.
  mutating func change(_ changes: [ConfigurationChange]) throws(ConfigurationChangeError) {
    try nodes[0].changeConfiguration(changes, into: &leaving)
    complete(0)
    settle()
  }

  // MARK: - Network, disks and state machines

  private mutating func settle() {
    while deliverGeneration() {}
  }

  /// Delivers what was sent since the last generation; returns whether there was any.
  private mutating func deliverGeneration() -> Bool {
    guard !leaving.messages.isEmpty || !leaving.reads.isEmpty else { return false }
    swap(&arriving, &leaving)
    for read in arriving.reads where read.readIndex != nil { answered += 1 }
    for position in arriving.messages.indices { deliver(arriving.messages[position]) }
    arriving.removeAll()
    return true
  }

  private mutating func deliver(_ message: Message) {
    let from = Int(message.from.rawValue) - 1
    let to = Int(message.to.rawValue) - 1
    guard to != cutOff, from != cutOff else { return }
    let before = attributesAllocations ? allocation_counter_read() : 0
    delivered += 1
    if case .appendEntries(let request) = message.body, request.count > 0 {
      // Gone again before the sender's next input: kept longer, the slice would make its log be copied.
      guard let entries = Self.entries(of: message, from: &nodes[from]) else { return }
      nodes[to].step(message, entries: entries, into: &leaving)
    } else {
      nodes[to].step(message, into: &leaving)
    }
    if attributesAllocations { allocations[to] += allocation_counter_read() - before }
    complete(to)
  }

  /// The entries where the sender holds them; nil if it does no longer.
  private static func entries(
    of message: Message, from sender: inout RaftNode<Bytes>
  ) -> ArraySlice<Entry<Bytes>>? {
    sender.entries(for: message)
  }

  /// What a driver does after every input.
  private mutating func complete(_ position: Int) {
    let before = attributesAllocations ? allocation_counter_read() : 0
    while let write = nodes[position].takeWrite() {
      nodes[position].didPersist(write.assumeDurable(), into: &leaving)
    }
    while let range = nodes[position].takeCommitted(bytesMax: .max) {
      appliedBytes[position] += Self.apply(after: range.after, through: range.through, of: &nodes[position])
      nodes[position].didApply(through: range.through)
      if bases[position].distance(to: range.through) > 2 * Self.retained {
        bases[position] = LogIndex(range.through.rawValue - UInt64(Self.retained))
        nodes[position].compact(through: bases[position])
      }
    }
    if attributesAllocations { allocations[position] += allocation_counter_read() - before }
  }

  /// The smallest state machine that has to look at every entry.
  private static func apply(after: LogIndex, through: LogIndex, of node: inout RaftNode<Bytes>) -> UInt64 {
    guard let slice = node.entries(after: after, through: through) else {
      preconditionFailure("a committed entry is gone before it was applied")
    }
    return slice.withUnsafeBufferPointer { entries in
      var sum: UInt64 = 0
      for entry in entries { sum += UInt64(entry.bytes) }
      return sum
    }
  }

  // MARK: - What has to be true

  /// Traps unless all nodes have applied the whole of the leader's log, and the same.
  func requireAgreement() {
    for (node, bytes) in zip(nodes, appliedBytes) {
      precondition(node.appliedIndex == nodes[0].lastEntry.index, "\(node.id) has not applied everything")
      precondition(bytes == appliedBytes[0], "\(node.id) has applied something else")
    }
  }
}

/// Frees the nodes of a cluster.
private final class NodeOwner {
  let nodes: UnsafeMutableBufferPointer<RaftNode<Bytes>>

  init(_ values: [RaftNode<Bytes>]) {
    nodes = .allocate(capacity: values.count)
    _ = nodes.initialize(fromContentsOf: values)
  }

  deinit {
    nodes.deinitialize()
    nodes.deallocate()
  }
}
