import RaftCore

/// One core and its disk, as a value. There is no clock: timeouts fire when a step says so.
struct ExploredNode {
  /// What a restart finds.
  struct Disk: Equatable {
    var hardState: HardState
    var entries: [Entry<UInt8>]

    static func == (one: Self, other: Self) -> Bool {
      one.hardState == other.hardState
        && one.entries.lazy.map(EntryMark.init).elementsEqual(other.entries.lazy.map(EntryMark.init))
    }
  }

  /// What a step does to the world outside.
  struct Effects {
    var packets: [Packet] = []
    var reads: [ReadOutcome] = []
    /// Why the node cannot go on.
    var failure: String?
  }

  private(set) var core: RaftNode<UInt8>
  private(set) var disk: Disk
  /// How often it has crashed.
  private var crashes: UInt8 = 0
  /// Term and vote as they were written last, even if the disk has not kept them.
  private var written: HardState
  private var clock = Ticks.zero

  init(id: NodeID, configuration: Configuration) throws {
    let state = RecoveredState<UInt8>.founding(configuration)
    core = try RaftNode(id: id, recovered: state, options: RaftOptions(), seed: id.rawValue)
    disk = Disk(hardState: state.hardState, entries: state.entries)
    written = state.hardState
    var effects = Effects()
    settle(into: &effects)
  }

  /// Its term and vote, durable or not.
  var hardState: HardState {
    var (written, ignored) = (self, Effects())
    written.sync(nil, into: &ignored)
    return written.written
  }

  // MARK: - Steps

  var mayCampaign: Bool { core.configuration.isVoter(core.id) }

  /// Whether it neither leads nor asks for votes.
  var isFollower: Bool { !core.isLeader && core.role != .candidate }

  /// Campaigns, with the pre-votes of all others: nothing is promised by a pre-vote, so no rule may rest on whether it is
  /// granted. Whoever cannot win the election makes the terms grow nevertheless.
  mutating func campaign(into effects: inout Effects) {
    if core.isLeader { loseQuorum(into: &effects) }
    var outputs = Outputs()
    clock = clock + Int(clamping: core.ticksUntilNextDeadline)
    core.advance(to: clock, into: &outputs)
    for voter in core.configuration.members where voter.id != core.id && core.role == .preCandidate {
      outputs.removeAll()
      let reply = RequestVoteReply(campaignTerm: core.term.next, isPreVote: true, isGranted: true)
      core.step(
        Message(from: voter.id, to: core.id, term: core.term, body: .requestVoteReply(reply)), entries: [],
        into: &outputs)
    }
    collect(outputs, into: &effects)
  }

  /// A vote is asked for when time has passed: who follows a leader has not heard it for long, and a leader has not heard
  /// a majority. A voter that has would ignore the request, and that is as if it had been lost.
  mutating func deliver(_ packet: Packet, into effects: inout Effects) {
    if case .requestVote(let request) = packet.message.body, request.campaignTerm > core.term, core.isLeader {
      loseQuorum(into: &effects)
    }
    var outputs = Outputs()
    core.step(packet.message, entries: packet.entries, into: &outputs)
    collect(outputs, into: &effects)
  }

  private mutating func loseQuorum(into effects: inout Effects) {
    var outputs = Outputs()
    clock = clock + RaftOptions().electionTimeoutTicksMax
    core.advance(to: clock, into: &outputs)
    collect(outputs, into: &effects)
  }

  mutating func propose(into effects: inout Effects) {
    var outputs = Outputs()
    // In one life a node appends one entry at an index of a term.
    _ = try? core.propose(crashes, bytes: 1, into: &outputs)
    collect(outputs, into: &effects)
  }

  mutating func read(_ read: ReadID, into effects: inout Effects) {
    var outputs = Outputs()
    core.readIndex(read, into: &outputs)
    collect(outputs, into: &effects)
  }

  mutating func change(_ change: ConfigurationChange, into effects: inout Effects) {
    var outputs = Outputs()
    _ = try? core.changeConfiguration([change], into: &outputs)
    collect(outputs, into: &effects)
  }

  mutating func sync(_ fault: ExplorationPlan.Fault?, into effects: inout Effects) {
    guard let write = core.takeWrite() else { return }
    let entries = core.entries(after: write.after, through: write.through) ?? []
    written = write.hardState
    if fault != .lostVotes { disk.hardState = write.hardState }
    disk.hardState.term = write.hardState.term
    if fault != .lostEntries {
      let kept = min(disk.entries.count, Int(write.after.rawValue))
      disk.entries.removeLast(disk.entries.count - kept)
      disk.entries += entries
    }
    var outputs = Outputs()
    core.didPersist(write.assumeDurable(), into: &outputs)
    collect(outputs, into: &effects)
  }

  mutating func crash(into effects: inout Effects) {
    let state = RecoveredState<UInt8>(
      hardState: disk.hardState, base: .zero, baseConfiguration: nil, entries: disk.entries,
      commitIndex: LogIndex(1), appliedIndex: .zero)
    crashes += 1
    written = disk.hardState
    do throws(RecoveryError) {
      core = try RaftNode(
        id: core.id, recovered: state, options: RaftOptions(), seed: core.id.rawValue, now: clock)
    } catch {
      effects.failure = "\(core.id) cannot start again: \(error)"
    }
    settle(into: &effects)
  }

  // MARK: - Effects

  private mutating func collect(_ outputs: Outputs, into effects: inout Effects) {
    for message in outputs.messages where !message.isAboutPreVote {
      // An append whose entries are gone is not worth sending.
      if case .appendEntries(let request) = message.body, request.count > 0 {
        guard let entries = core.entries(for: message) else { continue }
        effects.packets.append(Packet(message: message, entries: Array(entries)))
      } else {
        effects.packets.append(Packet(message: message, entries: []))
      }
    }
    effects.reads += outputs.reads
    settle(into: &effects)
  }

  /// Applies what is committed, and lets the connection to the leader break: it makes no difference but that votes are
  /// not refused because of the time.
  private mutating func settle(into effects: inout Effects) {
    while let range = core.takeCommitted(bytesMax: 1 << 20) { core.didApply(through: range.through) }
    guard let leader = core.leader, leader != core.id else { return }
    var outputs = Outputs()
    core.connectionLost(to: leader, into: &outputs)
  }

  // MARK: - Telling states apart

  /// Everything that decides what the node can do next, and how it is judged.
  var key: [UInt8] {
    var bytes = StateBytes()
    bytes.add(core.id.rawValue)
    core.addProtocolState { bytes.add($0) }
    for entry in core.entries(after: .zero, through: core.lastEntry.index) ?? [] {
      bytes.add(EntryMark(entry))
    }
    bytes.add(disk.hardState)
    for entry in disk.entries { bytes.add(EntryMark(entry)) }
    bytes.add(written)
    bytes.add(UInt64(crashes))
    return bytes.bytes
  }
}

extension Message {
  var isAboutPreVote: Bool {
    switch body {
    case .requestVote(let request): request.isPreVote
    case .requestVoteReply(let reply): reply.isPreVote
    default: false
    }
  }
}
