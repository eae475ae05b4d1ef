import RaftCore

/// Applies committed entries, in order, to the state machine and the session table.
package struct Applier<Machine: StateMachine>: Sendable {
  package private(set) var machine: Machine
  private var sessions: SessionTable
  /// The last entry whose effect is in here.
  package private(set) var last = EntryID.zero
  /// Time of the last applied command. Part of the replicated state: commands never see time go back.
  private(set) var time: UInt64 = 0

  /// What an entry led to.
  package enum Effect {
    /// Nobody can have asked for it.
    case none
    /// A configuration was committed.
    case configured
    /// A command ran now.
    case outcome(Machine.Outcome)
    /// A command had run before; this is what it answered then.
    case repeated(Bytes)
    /// A session was opened.
    case opened(UInt64)
    /// A session was closed.
    case closed
    /// The session is unknown: nothing ran.
    case sessionExpired
    /// The entry cannot be read by this version: nothing ran, on any node that cannot read it.
    case unreadable(String)
  }

  /// Starts with a machine that nothing was applied to.
  package init(_ machine: Machine, options: ReplicaOptions) {
    self.init(machine, sessionsMax: options.sessionsMax, outcomesMax: options.sessionOutcomesMax)
  }

  init(_ machine: Machine, sessionsMax: Int, outcomesMax: Int) {
    self.machine = machine
    sessions = SessionTable(sessionsMax: sessionsMax, outcomesMax: outcomesMax)
  }

  package mutating func apply(_ entry: Entry<Bytes>) -> Effect {
    precondition(entry.id.index == last.index.next, "entries are applied in order, without a gap, each once")
    last = entry.id
    switch entry.content {
    case .empty: return .none
    case .configuration: return .configured
    case .payload(let bytes):
      do {
        return try run(try CommandEnvelope(decoding: bytes), at: entry.id.index)
      } catch {
        return .unreadable("\(error)")
      }
    }
  }

  private mutating func run(_ envelope: CommandEnvelope, at index: LogIndex) throws(MalformedBytes) -> Effect
  {
    time = max(time, envelope.leaderTime)
    switch envelope.kind {
    case .openSession:
      sessions.open(at: index)
      return .opened(index.rawValue)
    case .closeSession:
      sessions.close(envelope.session.session)
      return .closed
    case .command:
      let command = try Machine.Command(decoding: envelope.operation)
      switch sessions.judge(envelope.session, at: index) {
      case .expired: return .sessionExpired
      case .answer(let outcome): return .repeated(outcome)
      case .execute: break
      }
      let outcome = machine.apply(command, at: ApplyContext(logIndex: index, time: time))
      if envelope.session.session != 0 { sessions.remember(outcome.encoded(), for: envelope.session) }
      return .outcome(outcome)
    }
  }
}

// MARK: - Snapshots

extension Applier {
  /// The only version of the encoding that there is so far.
  private static var format: UInt8 { 1 }

  /// Everything that later entries depend on: the last entry applied, time, sessions, and the machine. What the snapshot
  /// stands for is written *in* it, so that it cannot be taken for another one's.
  package func snapshot() -> Bytes {
    var header = ByteWriter(capacity: 256)
    header.write(Self.format)
    last.encode(into: &header)
    header.write(time)
    var writer = SnapshotWriter(header)
    sessions.encode(into: &writer)
    machine.snapshot(into: &writer)
    return writer.writer.bytes
  }

  /// What a snapshot holds, in the place of this, which nothing was applied to.
  ///
  /// - Throws: `MalformedBytes` if it cannot be read, or stands for another entry than `last`.
  package func restored(from bytes: Bytes, last: EntryID) throws(MalformedBytes) -> Applier {
    var restored = self
    var header = ByteReader(bytes)
    let format = try header.readUInt8()
    guard format == Self.format else {
      throw MalformedBytes("snapshot format \(format), this version reads \(Self.format)", offset: 0)
    }
    restored.last = try EntryID(from: &header)
    guard restored.last == last else {
      throw MalformedBytes(
        "a snapshot of entry \(restored.last) in the place of one of entry \(last)", offset: 1)
    }
    restored.time = try header.readUInt64()
    var reader = SnapshotReader(header)
    try restored.sessions.restore(from: &reader)
    try restored.machine.restore(from: &reader)
    try reader.expectEnd()
    return restored
  }
}
