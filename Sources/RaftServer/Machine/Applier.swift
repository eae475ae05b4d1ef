import RaftCore
import RaftStore

/// Applies committed entries, in order, to the state machine and the session table.
package struct Applier<Machine: StateMachine>: Sendable {
  package private(set) var machine: Machine
  private var sessions: SessionTable
  /// The last entry whose effect is in here.
  package private(set) var last = EntryID.zero
  /// Time of the last applied command. Part of the replicated state: commands never see time go back.
  private(set) var time: UInt64 = 0
  /// Where all this is kept; nil if it is in memory alone.
  private(set) var state: MachineState?

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
        var reader = ByteReader(bytes)
        return try run(try CommandEnvelope(headerFrom: &reader), &reader, at: entry.id.index)
      } catch {
        return .unreadable("\(error)")
      }
    }
  }

  /// Asks the state machine as it is.
  func read(_ query: Machine.Query) -> Machine.Answer { machine.read(query, at: last.index) }

  /// Does what an entry says, of which `reader` has what follows the header.
  private mutating func run(
    _ envelope: CommandEnvelope, _ reader: inout ByteReader, at index: LogIndex
  ) throws(MalformedBytes) -> Effect {
    time = max(time, envelope.leaderTime)
    switch envelope.kind {
    case .openSession:
      sessions.open(at: index)
      return .opened(index.rawValue)
    case .closeSession:
      sessions.close(envelope.session.session)
      return .closed
    case .command:
      let command = try Machine.Command(from: &reader)
      try reader.expectEnd()
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
  static var format: UInt8 { 1 }

  /// Everything that later entries depend on: the last entry applied, time, sessions, and the machine. What the snapshot
  /// stands for is written *in* it, so that it cannot be taken for another one's.
  func snapshot(into writer: inout SnapshotWriter) {
    writer.write(raw: Self.format)
    writer.write(last)
    writer.write(time)
    sessions.encode(into: &writer)
    machine.snapshot(into: &writer)
  }

  /// The same in memory.
  package func snapshot() -> Bytes {
    var writer = SnapshotWriter()
    snapshot(into: &writer)
    return writer.writer.bytes
  }

  /// What a snapshot in memory holds, in the place of this, which nothing was applied to.
  func restored(from bytes: Bytes, last: EntryID) throws(MalformedBytes) -> Applier {
    var restored = self
    var reader = SnapshotReader(bytes)
    try restored.restore(from: &reader, last: last)
    return restored
  }

  /// Takes what a snapshot holds; nothing was applied to this before.
  ///
  /// - Throws: `MalformedBytes` if it cannot be read, or stands for another entry than `last`.
  mutating func restore(from reader: inout SnapshotReader, last: EntryID) throws(MalformedBytes) {
    let format = try reader.readByte()
    guard format == Self.format else {
      throw MalformedBytes("snapshot format \(format), this version reads \(Self.format)", offset: 0)
    }
    self.last = try reader.read()
    guard self.last == last else {
      throw MalformedBytes("a snapshot of entry \(self.last) in the place of one of entry \(last)", offset: 1)
    }
    time = try reader.read()
    try sessions.restore(from: &reader)
    try machine.restore(from: &reader)
    machine.resume(after: last.index)
    try reader.expectEnd()
  }
}

// MARK: - State that is kept in the node

extension Applier {
  /// How far the state has come; the sessions stand beside it, one by one.
  static var progressKey: Bytes { [1] }
  private static var sessionMark: UInt8 { 2 }

  /// Keeps everything in `state` from now on, beginning with what is there.
  ///
  /// - Throws: `StoreError` if that cannot be read.
  mutating func keep(in state: MachineState) throws(StoreError) {
    guard var stored = machine as? any StoredStateMachine else { return }
    if let record = state.own(Self.progressKey) {
      do throws(MalformedBytes) {
        var reader = ByteReader(record)
        let format = try reader.readUInt8()
        guard format == Self.format else {
          throw MalformedBytes("format \(format), this version reads \(Self.format)", offset: 0)
        }
        last = try EntryID(from: &reader)
        time = try reader.readUInt64()
        try reader.expectEnd()
        try readSessions(from: state)
      } catch {
        throw .corrupt("the record of how far the state has come is damaged: \(error)")
      }
    } else if state.failure == nil, !state.isEmpty {
      throw .corrupt("the record of how far the state has come is missing")
    }
    stored.keep(in: state)
    if let failure = state.failure { throw failure }
    if let machine = stored as? Machine { self.machine = machine }
    machine.resume(after: last.index)
    sessions.isTracked = true
    self.state = state
  }

  private mutating func readSessions(from state: MachineState) throws(MalformedBytes) {
    var fault: MalformedBytes?
    var sessions = sessions
    state.scanOwn(from: [Self.sessionMark], to: [Self.sessionMark + 1]) { _, record in
      do throws(MalformedBytes) { try sessions.add(record) } catch { fault = error }
      return fault == nil
    }
    if let fault { throw fault }
    self.sessions = sessions
  }

  /// Makes everything that was applied since the last time part of the state, at once.
  mutating func commit() {
    guard let state else { return }
    var writer = ByteWriter(capacity: 25)
    writer.write(Self.format)
    last.encode(into: &writer)
    writer.write(time)
    state.setOwn(writer.bytes, for: Self.progressKey)
    for (id, record) in sessions.takeChanges() {
      var key: Bytes = [Self.sessionMark]
      for shift in stride(from: 56 as UInt64, through: 0, by: -8) {
        key.append(UInt8(truncatingIfNeeded: id >> shift))
      }
      state.setOwn(record, for: key)
    }
  }

  /// A copy that later changes do not touch, for another thread; nil if the state cannot be read.
  func frozen() -> (applier: Applier, view: MachineStateView?)? {
    guard let state, let stored = machine as? any StoredStateMachine else { return (self, nil) }
    var copy = self
    guard let view = state.view(), let machine = stored.frozen(in: view) as? Machine else { return nil }
    copy.machine = machine
    copy.state = nil
    return (copy, view)
  }

  /// Why the state cannot be relied on any more; nil if it can.
  var failure: StoreError? { state?.failure }
}
