import RaftCore

// The examples of the articles in RaftCore.docc, which repeat word for word what stands here between two marks.

// example: cluster-of-one
func clusterOfOne() throws -> [String] {
  let member = Member(id: NodeID(1), address: "localhost:5000", store: .memory)
  let state = RecoveredState<String>.founding(try Configuration(voters: [member]))
  var node = try RaftNode(id: member.id, recovered: state, seed: 7)
  var outputs = Outputs()

  // Nobody else has to be asked: when its election timeout is over, the node elects itself.
  while !node.isLeader {
    node.tick(into: &outputs)
    while let write = node.takeWrite() { node.didPersist(write.assumeDurable(), into: &outputs) }
  }
  try node.propose("hello", bytes: 5, into: &outputs)
  while let write = node.takeWrite() { node.didPersist(write.assumeDurable(), into: &outputs) }

  var applied: [String] = []
  while let range = node.takeCommitted(bytesMax: 1 << 20) {
    for entry in node.entries(after: range.after, through: range.through) ?? [] {
      if case .payload(let text) = entry.content { applied.append(text) }
    }
    node.didApply(through: range.through)
  }
  return applied
}
// end

// example: founding
func foundingNode(
  _ number: Int, of addresses: [String], options: RaftOptions = RaftOptions(), seed: UInt64, now: Ticks
) throws -> (node: RaftNode<String>, disk: ExampleDisk) {
  let members = addresses.enumerated().map { position, address in
    Member(id: NodeID(UInt64(position) + 1), address: address, store: .durable)
  }
  let state = RecoveredState<String>.founding(try Configuration(voters: members))
  let node = try RaftNode(
    id: members[number].id, recovered: state, options: options.validated(), seed: seed, now: now)
  // Durable before the first input, because no write will ever contain it.
  return (node, ExampleDisk(starting: state))
}
// end

// example: several-writes
func proposeTwo(_ node: inout RaftNode<String>, _ outputs: inout Outputs) throws {
  var inFlight: [WriteSlot] = []
  for word in ["a", "b"] {
    try node.propose(word, bytes: 1, into: &outputs)
    while let write = node.takeWrite() { inFlight.append(WriteSlot(write)) }
  }
  // One sync of the disk may cover both. Then the proofs are brought back, oldest first.
  for slot in inFlight {
    if let write = slot.take() { node.didPersist(write.assumeDurable(), into: &outputs) }
  }
}

/// Carries a write through queues and closures, which take only what can be copied.
final class WriteSlot {
  private var write: PendingWrite?
  init(_ write: consuming PendingWrite) { self.write = consume write }
  func take() -> PendingWrite? { write.take() }
  deinit { write.take()?.abandon() }
}
// end

// example: failed-write
func prove(_ write: consuming PendingWrite, _ sync: () throws -> Void) throws -> DurableWrite {
  do {
    try sync()
  } catch {
    write.abandon()
    throw error
  }
  return write.assumeDurable()
}
// end

// example: newcomer
func newcomer(
  _ id: NodeID, knowing configuration: Configuration, now: Ticks
) throws -> (node: RaftNode<String>, disk: ExampleDisk) {
  let state = RecoveredState<String>(
    hardState: .initial, base: .zero,
    baseConfiguration: IndexedConfiguration(index: .zero, configuration: configuration), entries: [],
    commitIndex: .zero, appliedIndex: .zero)
  // As with a founder: what it starts from is durable before its first input.
  return (try RaftNode(id: id, recovered: state, seed: id.rawValue, now: now), ExampleDisk(starting: state))
}
// end

// example: invite
/// Returns where the change stands, for somebody who waits for it.
func invite(
  _ member: Member, at leader: inout RaftNode<String>, into outputs: inout Outputs
) throws -> EntryID {
  try leader.changeConfiguration([.addLearner(member)], into: &outputs)
}
// end

// example: replace
/// Returns whether the change has begun; if not, it is too early: ask again in a while.
func replace(
  _ old: NodeID, by learner: NodeID, at leader: inout RaftNode<String>, into outputs: inout Outputs
) throws -> Bool {
  do {
    try leader.changeConfiguration([.promote(learner), .remove(old)], into: &outputs)
    return true
  } catch ConfigurationChangeError.notCaughtUp, ConfigurationChangeError.changeUnderWay,
    ConfigurationChangeError.termNotOpen
  {
    return false
  }
}
// end

// example: settled
/// Whether no change is under way, as far as this node knows.
func isSettled(_ node: RaftNode<String>) -> Bool {
  guard let inForce = node.configuration(at: node.lastEntry.index) else { return false }
  return inForce.index <= node.commitIndex && !inForce.configuration.isJoint
}

/// Whether this node knows that it takes part no longer, and may be shut down.
func hasLeft(_ node: RaftNode<String>) -> Bool {
  isSettled(node) && node.configuration.member(node.id) == nil
}
// end

// example: leases
func useLeases(_ isOn: Bool, at leader: inout RaftNode<String>, into outputs: inout Outputs) throws {
  try leader.changeConfiguration([.useLeaseReads(isOn)], into: &outputs)
}
// end

/// A disk that keeps everything in variables.
struct ExampleDisk {
  var hardState = HardState.initial
  var base = EntryID.zero
  var baseConfiguration: IndexedConfiguration?
  var commitIndex = LogIndex.zero
  var entries: [Entry<String>] = []
  var snapshot: (snapshot: Snapshot, bytes: Bytes)?

  // example: starting
  /// Makes durable what a node begins its first life with.
  init(starting state: RecoveredState<String>) {
    hardState = state.hardState
    (base, baseConfiguration) = (state.base, state.baseConfiguration)
    (entries, commitIndex) = (state.entries, state.commitIndex)
    // Here a real disk syncs.
  }
  // end

  // example: store
  /// Makes a write durable, all of it or nothing.
  mutating func store(
    _ write: consuming PendingWrite, entries new: ArraySlice<Entry<String>>,
    installing received: (snapshot: Snapshot, bytes: Bytes)?
  ) -> DurableWrite {
    if let received {
      (base, baseConfiguration) = (received.snapshot.last, received.snapshot.configuration)
      (entries, snapshot) = ([], received)
    }
    hardState = write.hardState
    commitIndex = max(commitIndex, write.commitIndex)
    let after = write.after
    entries.removeAll { $0.id.index > after }
    entries += new
    // Here a real disk syncs, and only then:
    return write.assumeDurable()
  }
  // end

  // example: compact
  /// Keeps a snapshot, and forgets the entries through `index`, which it stands for.
  mutating func compact(through index: LogIndex, behind newest: Snapshot, _ bytes: Bytes) {
    // While it was written, a newer one may have been installed.
    guard newest.last.index >= base.index else { return }
    snapshot = (newest, bytes)
    for entry in entries where entry.id.index <= index {
      base = entry.id
      if case .configuration(let configuration) = entry.content {
        baseConfiguration = IndexedConfiguration(index: entry.id.index, configuration: configuration)
      }
    }
    entries.removeAll { $0.id.index <= index }
  }
  // end
}

/// A node with everything around it: its disk, its state machine (a list of words), its clients, and what it sends.
struct ExampleDriver {
  // example: frame
  /// A message with what belongs to it. Where it ends, the transport has to tell.
  struct Frame: ByteCodable {
    var message: Message
    var entries: [Entry<String>] = []
    var configuration: IndexedConfiguration?
    var bytes = Bytes()

    init(_ message: Message) { self.message = message }

    func encode(into writer: inout ByteWriter) {
      message.encode(into: &writer)
      writer.write(UInt32(entries.count))
      for entry in entries { entry.encode(into: &writer) }
      configuration.encode(into: &writer)
      writer.write(bytes)
    }

    init(from reader: inout ByteReader) throws(MalformedBytes) {
      message = try Message(from: &reader)
      // An entry takes 21 bytes at least.
      for _ in 0..<(try reader.readCount(elementBytes: 21)) { entries.append(try Entry(from: &reader)) }
      configuration = try IndexedConfiguration?(from: &reader)
      bytes = try reader.readBytes()
    }
  }
  // end

  var node: RaftNode<String>
  var outputs = Outputs()
  var disk: ExampleDisk
  var words: [String] = []
  var sent: [Frame] = []
  var waiting: [EntryID] = []
  var succeeded: [EntryID] = []
  var failed: [EntryID] = []
  var lastRead = ReadID(boot: 0, number: 0)
  var confirmed: [(id: ReadID, index: LogIndex)] = []
  var refused: [ReadID] = []
  var answers: [[String]] = []
  var received = Bytes()
  var offered: [(snapshot: Snapshot, bytes: Bytes)] = []

  init(_ start: (node: RaftNode<String>, disk: ExampleDisk)) { (node, disk) = start }

  // example: feed
  /// Feeds one input to the node, and carries out all that comes of it.
  mutating func feed(
    at now: Ticks, _ input: (inout RaftNode<String>, inout Outputs) throws -> Void
  ) rethrows {
    node.advance(to: now, into: &outputs)
    defer { carryOut() }
    try input(&node, &outputs)
  }
  // end

  // example: carry-out
  mutating func carryOut() {
    handOver()
    while let write = node.takeWrite() {
      let entries = node.entries(after: write.after, through: write.through) ?? []
      let installing = write.installs == nil ? nil : node.installingSnapshot.map { ($0, received) }
      let proof = disk.store(write, entries: entries, installing: installing)
      node.didPersist(proof, into: &outputs)
      if let (snapshot, bytes) = installing { load(snapshot, bytes) }
      handOver()
    }
    apply()
    answerReads()
  }

  /// Sends messages, notes what has become of reads, and throws away what was received in vain.
  mutating func handOver() {
    if !outputs.discardedSnapshots.isEmpty { received = [] }
    for message in outputs.messages { send(message) }
    for read in outputs.reads { note(read) }
    outputs.removeAll()
  }
  // end

  // example: apply
  mutating func apply() {
    while let range = node.takeCommitted(bytesMax: 1 << 20) {
      for entry in node.entries(after: range.after, through: range.through) ?? [] {
        if case .payload(let word) = entry.content { words.append(word) }
        settle(entry.id)
      }
      node.didApply(through: range.through)
    }
  }

  /// Tells whoever waits for the entry at this index whether it is theirs.
  mutating func settle(_ applied: EntryID) {
    for entry in waiting where entry.index == applied.index {
      if entry == applied { succeeded.append(entry) } else { failed.append(entry) }
    }
    waiting.removeAll { $0.index <= applied.index }
  }
  // end

  // example: propose
  @discardableResult
  mutating func propose(_ word: String, at now: Ticks) throws(ProposeError) -> EntryID {
    node.advance(to: now, into: &outputs)
    defer { carryOut() }
    let entry = try node.propose(word, bytes: UInt32(word.utf8.count), into: &outputs)
    waiting.append(entry)
    return entry
  }
  // end

  // example: ask
  /// Begins a read. The boot number is random and drawn at each start, so that no two reads ever have the same id.
  mutating func ask(at now: Ticks) {
    lastRead.number += 1
    let read = lastRead
    feed(at: now) { node, outputs in node.readIndex(read, into: &outputs) }
  }

  /// Notes as of which index a read may be answered, or that somebody has to ask again, under a new id.
  mutating func note(_ read: ReadOutcome) {
    if let index = read.readIndex { confirmed.append((read.id, index)) } else { refused.append(read.id) }
  }

  /// Answers the reads whose index the state machine has reached.
  mutating func answerReads() {
    answers += confirmed.filter { $0.index <= node.appliedIndex }.map { _ in words }
    confirmed.removeAll { $0.index <= node.appliedIndex }
  }
  // end

  // example: take-snapshot
  mutating func takeSnapshot() {
    let index = node.appliedIndex
    guard let term = node.term(at: index), let configuration = node.configuration(at: index) else { return }
    let bytes = encode(words)
    let snapshot = Snapshot(
      last: EntryID(term: term, index: index), configuration: configuration, bytes: UInt64(bytes.count),
      fingerprint: fingerprint(of: bytes))
    offer(snapshot, bytes)
    // The store keeps the snapshot before it forgets the entries that the snapshot stands for.
    disk.compact(through: node.compact(through: index), behind: snapshot, bytes)
    carryOut()
  }

  /// Lets a snapshot be sent to others. The bytes of an older one are kept as long as it is being sent to somebody.
  mutating func offer(_ snapshot: Snapshot, _ bytes: Bytes) {
    node.didTakeSnapshot(snapshot, into: &outputs)
    // One that was long in the making may be older than one that was installed meanwhile.
    guard node.status.snapshot == snapshot else { return }
    let inUse = node.snapshotsInUse
    offered.removeAll { $0.snapshot == snapshot || !inUse.contains($0.snapshot) }
    offered.append((snapshot, bytes))
  }
  // end

  // example: attach
  /// Sends a message with what belongs to it; one whose entries or bytes are gone is not worth sending.
  mutating func send(_ message: Message) {
    var frame = Frame(message)
    switch message.body {
    case .appendEntries:
      guard let entries = node.entries(for: message) else { return }
      frame.entries = Array(entries)
    case .installSnapshot(let piece):
      guard let configuration = node.configuration(for: message),
        let snapshot = offered.first(where: { $0.snapshot.fingerprint == piece.fingerprint })
      else { return }
      frame.configuration = configuration
      frame.bytes = Bytes(snapshot.bytes[Int(piece.offset)..<Int(piece.end)])
    default: break
    }
    sent.append(frame)
  }
  // end

  // example: receive
  mutating func receive(_ frame: Frame, at now: Ticks) {
    node.advance(to: now, into: &outputs)
    defer { carryOut() }
    node.step(
      frame.message, entries: frame.entries[...], configuration: frame.configuration, into: &outputs)
    // What is given up goes before what comes in its place.
    let pieces = outputs.chunks
    handOver()
    for piece in pieces { store(piece, frame.bytes) }
  }

  /// Stores a piece of a snapshot and, if it is the last one, verifies the whole.
  mutating func store(_ piece: InstallSnapshot, _ bytes: Bytes) {
    if piece.offset == 0 { received = [] }
    received += bytes
    let isWhole = piece.end < piece.bytes || fingerprint(of: received) == piece.fingerprint
    guard bytes.count == Int(piece.count), isWhole else {
      return node.didFailToStore(fingerprint: piece.fingerprint, into: &outputs)
    }
    node.didStoreChunk(fingerprint: piece.fingerprint, through: piece.end, into: &outputs)
  }
  // end

  // example: load
  /// Lets the snapshot that has just become durable take the place of the state machine. It can be sent on as well.
  mutating func load(_ snapshot: Snapshot, _ bytes: Bytes) {
    words = decode(bytes)
    offer(snapshot, bytes)
  }
  // end

  // example: restart
  init(restartedFrom disk: ExampleDisk, id: NodeID, seed: UInt64, at now: Ticks) throws {
    let state = RecoveredState<String>(
      hardState: disk.hardState, base: disk.base, baseConfiguration: disk.baseConfiguration,
      entries: disk.entries, commitIndex: disk.commitIndex,
      appliedIndex: disk.snapshot?.snapshot.last.index ?? .zero, snapshot: disk.snapshot?.snapshot)
    node = try RaftNode(id: id, recovered: state, seed: seed, now: now)
    if let newest = disk.snapshot {
      words = decode(newest.bytes)
      offered = [newest]
    }
    self.disk = disk
  }
  // end
}

func encode(_ words: [String]) -> Bytes {
  var writer = ByteWriter()
  for word in words { writer.write(word) }
  return writer.bytes
}

func decode(_ bytes: Bytes) -> [String] {
  var reader = ByteReader(bytes)
  var words: [String] = []
  while reader.remaining > 0, let word = try? reader.readString() { words.append(word) }
  return words
}

// example: fingerprint
func fingerprint(of bytes: Bytes) -> UInt64 {
  UInt64(bytes.count) << 32 | UInt64(Checksum.crc32c(bytes))
}
// end
