import RaftCore

/// A few bare cores and the network between them, which write down what they do in the words of the specification.
///
/// Every node has a clock of its own, which only a scenario moves: so nobody campaigns unless it is told to. Whatever a
/// node does stays with it until its next `Ready`: then its writes are durable, and its messages leave, as in the
/// specification one step does both.
struct SpecificationWorld {
  typealias Packet = TracedNode.Packet

  var nodes: [TracedNode] = []
  private(set) var lines: [String] = []
  var random: RandomSource
  let options: RaftOptions
  /// Nodes that nothing reaches and that reach nobody.
  var cut: Set<Int> = []
  /// How many of a hundred messages get lost, requests are sent twice, and messages overtake others.
  var losses = 0
  var doubles = 0
  var overtakes = 0
  /// What the next configuration entry is called.
  var change: (node: NodeID, action: String)?
  private var network: [Packet] = []
  /// Pre-votes, of which the specification knows nothing.
  private var whispers: [Packet] = []

  init(voters count: Int, seed: UInt64) throws {
    random = RandomSource(seed: seed)
    var options = RaftOptions()
    // Not every message can hold all that a lagging node lacks.
    options.messageEntriesMax = 4
    self.options = options
    let members = (1...UInt64(count)).map(Self.member)
    let state = RecoveredState<UInt32>.founding(try Configuration(voters: members))
    for member in members { try start(member.id, state) }
  }

  static func member(_ number: UInt64) -> Member {
    Member(id: NodeID(number), address: "node-\(number)", store: .durable)
  }

  /// Adds a node that has no log yet and takes part in nothing.
  mutating func addNewcomer() throws -> NodeID {
    let id = NodeID(UInt64(nodes.count) + 1)
    let nobody = try Configuration(voters: [Self.member(999)])
    let state = RecoveredState<UInt32>(
      hardState: .initial, base: .zero,
      baseConfiguration: IndexedConfiguration(index: .zero, configuration: nobody), entries: [],
      commitIndex: .zero, appliedIndex: .zero)
    try start(id, state)
    return id
  }

  private mutating func start(_ id: NodeID, _ state: RecoveredState<UInt32>) throws {
    let position = nodes.count
    nodes.append(try TracedNode(id: id, state: state, options: options))
    write("InitState", position)
    write("BecomeFollower", position)
    if let applied = nodes[position].appliedConfiguration, applied.index > .zero {
      write("ApplyConfChange", position, .applied(applied.configuration.voters))
      nodes[position].showApplied(applied)
    } else {
      write("ApplyConfChange", position, .applied([]))
    }
    nodes[position].applyCommitted()
  }

  mutating func write(_ name: String, _ position: Int, _ detail: SpecificationEvent.Detail = .none) {
    let event = SpecificationEvent(
      name: name, node: nodes[position].id, state: nodes[position].shown, detail: detail)
    lines.append(event.json)
  }

  /// Whether something happens that happens `percent` times of a hundred.
  mutating func happens(_ percent: Int) -> Bool {
    percent > 0 && Int.random(in: 0..<100, using: &random) < percent
  }

  // MARK: - Inputs

  /// Runs one input of a node, and writes down what came of it.
  mutating func input(
    _ position: Int, receiving line: SpecificationMessage? = nil,
    _ body: (inout RaftNode<UInt32>, inout Outputs) -> Void
  ) {
    var outputs = Outputs(isTracing: true)
    body(&nodes[position].core, &outputs)
    // Storing a piece of a snapshot takes no time.
    for piece in outputs.chunks {
      nodes[position].core.didStoreChunk(
        fingerprint: piece.fingerprint, through: piece.end, into: &outputs)
    }
    if let line, isNoticed(line, by: nodes[position], outputs.events) {
      write("Receive" + line.name, position, .message(line))
    }
    show(position, outputs.events)
    for message in outputs.messages { post(message, from: position) }
    nodes[position].applyCommitted()
  }

  /// Lets `ticks` pass for one node.
  mutating func pass(_ ticks: Int, at position: Int) {
    nodes[position].clock = nodes[position].clock + ticks
    let now = nodes[position].clock
    input(position) { node, outputs in node.advance(to: now, into: &outputs) }
  }

  /// What the core takes no notice of counts as lost: the specification would answer it, and the core does not.
  private func isNoticed(
    _ line: SpecificationMessage, by node: TracedNode, _ events: [TraceEvent]
  ) -> Bool {
    if node.core.term > node.shown.term || SpecificationRole(node.core.role) != node.shown.role {
      return true
    }
    for event in events {
      switch event {
      case .voteRefused(_, _, _, reason: .leaderIsAlive): return false
      // A leader of an earlier term is told so.
      case .ignored: return line.isRequest && line.term < node.core.term
      default: break
      }
    }
    return true
  }

  /// Makes a node's writes durable and lets its messages go.
  mutating func ready(_ position: Int) {
    var outputs = Outputs(isTracing: true)
    // A node that answers has to have written what it answers for; the answers belong to this `Ready`.
    let isCandidate = nodes[position].shown.role == .candidate
    nodes[position].persist(into: &outputs)
    for message in outputs.messages where message.body.waitsForDisk { post(message, from: position) }
    if nodes[position].hasOwnVote, isCandidate {
      write("SendRequestVoteResponse", position, .message(ownMessage(position, .voteReply)))
    }
    write("Ready", position)
    network += nodes[position].outbox
    nodes[position].outbox = []
    if nodes[position].hasOwnVote, isCandidate {
      write("ReceiveRequestVoteResponse", position, .message(ownMessage(position, .voteReply)))
    }
    nodes[position].hasOwnVote = false
    for index in nodes[position].ownAcknowledgements {
      var line = ownMessage(position, .appendReply)
      line.previous.index = index
      write("ReceiveAppendEntriesResponse", position, .message(line))
    }
    nodes[position].ownAcknowledgements = []
    show(position, outputs.events)
    for message in outputs.messages where !message.body.waitsForDisk { post(message, from: position) }
    nodes[position].applyCommitted()
  }

  func ownMessage(_ position: Int, _ kind: SpecificationMessage.Kind) -> SpecificationMessage {
    let node = nodes[position]
    return SpecificationMessage(kind: kind, term: node.shown.term, from: node.id, to: node.id)
  }

  mutating func crash(_ position: Int) { nodes[position].isDown = true }

  mutating func restart(_ position: Int) throws {
    try nodes[position].restart(options: options)
    write("InitState", position)
    if let applied = nodes[position].appliedConfiguration {
      write("ApplyConfChange", position, .applied(applied.configuration.voters))
      nodes[position].showApplied(applied)
    }
    nodes[position].applyCommitted()
  }

  // MARK: - The network

  private mutating func post(_ message: Message, from position: Int) {
    let core = nodes[position].core
    var packet = Packet(message: message, configuration: core.configuration(for: message))
    if case .appendEntries = message.body {
      guard let entries = core.entries(for: message) else { return }
      packet.entries = Array(entries)
    }
    guard !message.isAboutPreVote else { return whispers.append(packet) }
    guard let line = SpecificationMessage(message), nodes[position].maySend(line) else { return }
    packet.line = line
    for _ in 0..<(line.isRequest && line.kind != .snapshot && happens(doubles) ? 2 : 1) {
      write("Send" + line.name, position, .message(line))
      nodes[position].outbox.append(packet)
    }
  }

  /// Delivers what is under way and lets nodes become ready, in an order that the seed decides, until nothing is left, or
  /// `steps` have been taken.
  mutating func settle(steps: Int = .max) {
    var left = steps
    while left > 0 {
      left -= 1
      let waiting = nodes.indices.filter { !nodes[$0].isDown && nodes[$0].needsReady }
      let kinds = (waiting.isEmpty ? 0 : 1) + (network.isEmpty ? 0 : 1) + (whispers.isEmpty ? 0 : 1)
      guard kinds > 0 else { return }
      if !waiting.isEmpty, kinds == 1 || happens(60), let position = waiting.randomElement(using: &random) {
        ready(position)
      } else if !whispers.isEmpty {
        whisper(whispers.removeFirst())
      } else if !network.isEmpty {
        let position = happens(overtakes) ? Int.random(in: network.indices, using: &random) : 0
        deliver(network.remove(at: position))
      }
    }
  }

  /// Drops pre-votes that `isKept` does not hold for.
  mutating func filterWhispers(_ isKept: (Message) -> Bool) { whispers.removeAll { !isKept($0.message) } }

  private func place(of id: NodeID) -> Int? {
    nodes.firstIndex { $0.id == id && !$0.isDown }.flatMap { cut.contains($0) ? nil : $0 }
  }

  /// A pre-vote of another term would change a term without any message that the specification knows.
  private mutating func whisper(_ packet: Packet) {
    guard let position = place(of: packet.message.to), place(of: packet.message.from) != nil,
      nodes[position].core.term == packet.message.term
    else { return }
    input(position) { node, outputs in node.step(packet.message, into: &outputs) }
  }

  private mutating func deliver(_ packet: Packet) {
    guard let position = place(of: packet.message.to), place(of: packet.message.from) != nil else { return }
    if happens(losses), mayLose(packet.message, to: position) { return }
    guard nodes[position].mayReceive(packet.message) else { return }
    var line = packet.line
    // The specification has no answer to a snapshot that a trace could name: the next append's stands for it.
    if case .installSnapshotReply = packet.message.body { line = nil }
    input(position, receiving: line) { node, outputs in
      node.step(
        packet.message, entries: packet.entries[...], configuration: packet.configuration, into: &outputs)
    }
    guard let line, line.kind == .appendReply, !line.isRejected, line.term == nodes[position].shown.term,
      nodes[position].shown.role == .leader
    else { return }
    let known = nodes[position].matches[line.from] ?? .zero
    nodes[position].matches[line.from] = max(known, line.previous.index)
  }

  /// An acceptance that ends a probe is not lost: the probe's repetition would begin before what the follower has
  /// committed since, and there the specification answers otherwise.
  private func mayLose(_ message: Message, to position: Int) -> Bool {
    guard case .appendEntriesReply(.accepted) = message.body else { return true }
    let peer = nodes[position].core.status.peers.first { $0.id == message.from }
    return peer?.replication == .pipeline
  }
}
