import RaftCore

/// Nodes in one process whose messages and writes wait until a test lets them through.
struct Network {
  /// A message on its way, with the entries that it names.
  struct Packet {
    var message: Message
    var entries: [Entry<String>]
    var configuration: IndexedConfiguration?
  }

  var nodes: [RaftNode<String>] = []
  var outputs = Outputs(isTracing: true)
  var packets: [Packet] = []
  var reads: [[ReadOutcome]] = []
  var events: [[TraceEvent]] = []
  /// Nodes whose writes are not completed.
  var stalled: Set<Int> = []
  /// Nodes whose store is busy with something else, and takes no writes.
  var busy: Set<Int> = []
  /// Nodes whose state machine stands still.
  var stuck: Set<Int> = []
  /// Nodes that have crashed: what they were is still in `nodes`, but counts for nothing.
  var down: Set<Int> = []
  /// What each node was given to apply, range by range, since it was started or took a snapshot in.
  var applied: [[(after: LogIndex, through: LogIndex)]] = []
  var applyBytesMax = 1 << 20
  private var disks: [Disk] = []
  private var restarts: UInt64 = 0
  private var options = RaftOptions()
  /// Nodes whose pieces of snapshots a test stores itself.
  var isStoringByHand: Set<Int> = []
  /// Every piece of a snapshot that any node was asked to store.
  var storedChunks: [InstallSnapshot] = []
  /// Each node has its own clock, so that a test can let time pass for some.
  var clocks: [Ticks] = []

  /// Writes in flight, oldest first, and what is durable.
  final class Disk {
    private final class Slot {
      var token: PendingWrite?
      let entries: [Entry<String>]
      let snapshot: Snapshot?
      init(_ token: consuming PendingWrite, of node: RaftNode<String>) {
        entries = node.entries(after: token.after, through: token.through).map(Array.init) ?? []
        snapshot = token.installs == nil ? nil : node.installingSnapshot
        self.token = consume token
      }
    }

    private var slots: [Slot] = []
    private(set) var state: RecoveredState<String>
    var count: Int { slots.count }

    init(_ state: RecoveredState<String>) { self.state = state }

    func add(_ token: consuming PendingWrite, of node: RaftNode<String>) {
      slots.append(Slot(token, of: node))
    }

    func complete() -> DurableWrite? {
      guard !slots.isEmpty else { return nil }
      let slot = slots.removeFirst()
      guard let token = slot.token.take() else { return nil }
      if let snapshot = slot.snapshot {
        state.entries = []
        state.base = snapshot.last
        state.baseConfiguration = snapshot.configuration
        keep(snapshot)
      }
      state.hardState = token.hardState
      state.entries.removeAll { $0.id.index > token.after }
      state.entries += slot.entries
      state.commitIndex = max(state.commitIndex, token.commitIndex)
      return token.assumeDurable()
    }

    func keep(_ snapshot: Snapshot) {
      state.snapshot = snapshot
      state.appliedIndex = max(state.appliedIndex, snapshot.last.index)
      state.commitIndex = max(state.commitIndex, snapshot.last.index)
    }

    /// The state machine is durable through `base`, and the log goes on from there.
    func compact(through base: EntryID, _ configuration: IndexedConfiguration) {
      guard base.index > state.base.index else { return }
      state.entries.removeAll { $0.id.index <= base.index }
      state.base = base
      state.baseConfiguration = configuration
      state.commitIndex = max(state.commitIndex, base.index)
      state.appliedIndex = max(state.appliedIndex, base.index)
    }

    /// Loses what is not durable.
    func crash() {
      for slot in slots { slot.token.take()?.abandon() }
      slots = []
    }

    deinit { crash() }
  }

  init(_ count: Int, options: RaftOptions = RaftOptions()) throws {
    let members = (1...count).map { Member(id: NodeID(UInt64($0)), address: "n\($0)", store: .durable) }
    let state = RecoveredState<String>.founding(try Configuration(voters: members))
    self.options = options
    for member in members { try add(member.id, state, options) }
  }

  /// Nodes that start from given logs: for each the terms of its entries behind the founding one.
  init(terms: [[UInt64]], currentTerm: UInt64, options: RaftOptions = RaftOptions()) throws {
    try self.init(terms.count, options: options)
    let configuration = nodes[0].configuration
    nodes = []
    disks = []
    for (position, terms) in terms.enumerated() {
      var state = RecoveredState<String>.founding(configuration)
      for (offset, term) in terms.enumerated() {
        let id = EntryID(term: Term(term), index: LogIndex(UInt64(offset) + 2))
        state.entries.append(Entry(id: id, content: .payload("\(id)"), bytes: 8))
      }
      state.hardState = HardState(term: Term(max(currentTerm, terms.last ?? 1)), votedFor: nil)
      try add(NodeID(UInt64(position) + 1), state, options)
    }
  }

  /// Adds a node that belongs to no cluster yet: it has an empty log, and no role in the configuration that it starts
  /// from.
  mutating func addNewcomer(_ id: UInt64, options: RaftOptions = RaftOptions()) throws {
    let nobody = Member(id: NodeID(999), address: "nobody", store: .memory)
    let state = RecoveredState<String>(
      hardState: HardState(term: .zero, votedFor: nil), base: .zero,
      baseConfiguration: IndexedConfiguration(
        index: .zero, configuration: try Configuration(voters: [nobody])), entries: [],
      commitIndex: .zero, appliedIndex: .zero)
    try add(NodeID(id), state, options)
  }

  mutating func add(_ id: NodeID, _ state: RecoveredState<String>, _ options: RaftOptions) throws {
    nodes.append(try RaftNode(id: id, recovered: state, options: options, seed: id.rawValue))
    disks.append(Disk(state))
    if clocks.count < nodes.count { clocks.append(.zero) }
    if reads.count < nodes.count {
      reads.append([])
      events.append([])
      applied.append([])
    }
  }

  /// Runs one input of a node, completes its writes unless it is stalled, applies, and takes what it sends.
  mutating func input(_ position: Int, _ body: (inout RaftNode<String>, inout Outputs) -> Void) {
    nodes[position].advance(to: clocks[position], into: &outputs)
    body(&nodes[position], &outputs)
    collect(position)
    takeWrites(position)
    if !stalled.contains(position) { completeWrites(position) }
    apply(position)
  }

  private mutating func takeWrites(_ position: Int) {
    guard !busy.contains(position) else { return }
    while let write = nodes[position].takeWrite() { disks[position].add(write, of: nodes[position]) }
  }

  private mutating func apply(_ position: Int) {
    guard !stuck.contains(position) else { return }
    while let range = nodes[position].takeCommitted(bytesMax: applyBytesMax) {
      applied[position].append(range)
      nodes[position].didApply(through: range.through)
    }
  }

  /// Completes what a node has in flight, or the first `count` of it.
  mutating func completeWrites(_ position: Int, count: Int = .max) {
    var left = count
    while left > 0, let proof = disks[position].complete() {
      let before = nodes[position].appliedIndex
      nodes[position].didPersist(proof, into: &outputs)
      if nodes[position].appliedIndex > before { applied[position] = [] }
      collect(position)
      takeWrites(position)
      left -= 1
    }
    apply(position)
  }

  func writesInFlight(_ position: Int) -> Int { disks[position].count }

  /// What would be found on a node's disk if it crashed now.
  func disk(_ position: Int) -> RecoveredState<String> { disks[position].state }

  /// Forgets a node's log through `index`, in memory and on its disk.
  mutating func compact(_ position: Int, through index: LogIndex) {
    let base = nodes[position].compact(through: index)
    guard let term = nodes[position].term(at: base),
      let configuration = nodes[position].configuration(at: base)
    else { return }
    disks[position].compact(through: EntryID(term: term, index: base), configuration)
  }

  /// Stops a node; writes in flight are lost.
  mutating func crash(_ position: Int) {
    down.insert(position)
    disks[position].crash()
  }

  /// Starts a node again from what its disk holds.
  mutating func restart(_ position: Int) throws {
    restarts += 1
    let id = nodes[position].id
    nodes[position] = try RaftNode(
      id: id, recovered: disks[position].state, options: options, seed: 1_000 * restarts + id.rawValue,
      now: clocks[position])
    applied[position] = []
    down.remove(position)
    input(position) { _, _ in }
  }

  private mutating func collect(_ position: Int) {
    for message in outputs.messages {
      let entries = nodes[position].entries(for: message).map(Array.init) ?? []
      packets.append(
        Packet(message: message, entries: entries, configuration: nodes[position].configuration(for: message))
      )
    }
    reads[position] += outputs.reads
    events[position] += outputs.events
    let chunks = outputs.chunks
    outputs.removeAll()
    for chunk in chunks where !isStoringByHand.contains(position) {
      nodes[position].didStoreChunk(
        fingerprint: chunk.fingerprint, through: chunk.end, into: &outputs)
      collect(position)
    }
    storedChunks += chunks
  }

  /// Delivers messages, oldest first, for which `passes` holds, until none is left; drops the others.
  mutating func deliver(_ passes: (Message) -> Bool = { _ in true }) {
    while !packets.isEmpty {
      let packet = packets.removeFirst()
      if passes(packet.message) { deliver(packet) }
    }
  }

  mutating func deliver(_ packet: Packet) {
    guard let position = nodes.firstIndex(where: { $0.id == packet.message.to }) else { return }
    input(position) { node, outputs in
      node.step(
        packet.message, entries: packet.entries[...], configuration: packet.configuration, into: &outputs)
    }
  }

  /// Says something to a node in the name of another.
  mutating func say(
    _ body: Message.Body, from: UInt64, to: UInt64, term: UInt64, entries: [Entry<String>] = [],
    configuration: IndexedConfiguration? = nil
  ) {
    let message = Message(from: NodeID(from), to: NodeID(to), term: Term(term), body: body)
    deliver(Packet(message: message, entries: entries, configuration: configuration))
  }

  /// Lets time pass for the given nodes (by default all), delivering what `passes`.
  mutating func run(ticks: Int, only some: [Int]? = nil, _ passes: (Message) -> Bool = { _ in true }) {
    for _ in 0..<ticks {
      for position in some ?? Array(nodes.indices) {
        clocks[position] = clocks[position] + 1
        input(position) { _, _ in }
      }
      deliver(passes)
    }
  }

  /// Makes a node leader by letting only its clock run; nobody may have heard a leader before.
  mutating func elect(_ position: Int, _ passes: (Message) -> Bool = { _ in true }) {
    for _ in 0..<1000 where !nodes[position].isLeader { run(ticks: 1, only: [position], passes) }
    deliver(passes)
  }

  /// Makes `position` leader in the place of one that is cut off: its followers are told that their connections to it
  /// broke, and only the new one's clock runs.
  mutating func replaceLeader(
    _ old: Int, by position: Int, _ passes: (Message) -> Bool = { _ in true }
  ) {
    let lost = nodes[old].id
    for other in nodes.indices where other != old {
      input(other) { node, outputs in node.connectionLost(to: lost, into: &outputs) }
    }
    elect(position) { $0.from != lost && $0.to != lost && passes($0) }
  }

  mutating func propose(_ payload: String, at position: Int) throws {
    var failure: ProposeError?
    input(position) { node, outputs in
      do throws(ProposeError) {
        try node.propose(payload, bytes: UInt32(payload.utf8.count), into: &outputs)
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
  }

  mutating func change(_ changes: [ConfigurationChange], at position: Int) throws {
    var failure: ConfigurationChangeError?
    input(position) { node, outputs in
      do throws(ConfigurationChangeError) {
        try node.changeConfiguration(changes, into: &outputs)
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
  }

  /// A node takes a snapshot of everything that it has applied, and compacts its log up to there.
  mutating func snapshot(_ position: Int, bytes: UInt64 = 100, compacting: Bool = true) {
    let index = nodes[position].appliedIndex
    guard let configuration = nodes[position].configuration(at: index),
      let term = nodes[position].term(at: index)
    else { return }
    let snapshot = Snapshot(
      last: EntryID(term: term, index: index), configuration: configuration, bytes: bytes,
      fingerprint: index.rawValue * 1000 + nodes[position].id.rawValue)
    input(position) { node, outputs in
      node.didTakeSnapshot(snapshot, into: &outputs)
    }
    disks[position].keep(snapshot)
    if compacting { compact(position, through: index) }
  }

  /// The whole log of a node behind the founding entry, in words.
  func log(_ position: Int) -> [String] {
    let node = nodes[position]
    return (node.entries(after: LogIndex(1), through: node.lastEntry.index) ?? []).map { entry in
      if case .payload(let payload) = entry.content { payload } else { "-" }
    }
  }
}
