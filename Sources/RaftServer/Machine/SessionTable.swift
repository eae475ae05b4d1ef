import RaftCore

/// The open client sessions and the outcomes they may ask for again: replicated state, the same on every node.
///
/// A bare request id could not be both bounded and exactly-once: something has to be forgotten, and after that a retry
/// could not be told from a new request. Here a forgotten *session* is told so, and executes nothing (thesis §6.3).
struct SessionTable: Sendable {
  /// The most sessions; opening one more closes the one used longest ago.
  let sessionsMax: Int
  /// The most outcomes remembered for one session; a client that leaves more unacknowledged loses the session.
  let outcomesMax: Int

  private struct Session: ByteCodable {
    let id: UInt64
    var lastUse: LogIndex
    /// Outcomes by ascending sequence.
    var outcomes: [(sequence: UInt64, outcome: Bytes)] = []
    /// Everything below was acknowledged.
    var lowestKept: UInt64 = 1

    init(id: UInt64, lastUse: LogIndex) {
      self.id = id
      self.lastUse = lastUse
    }

    func encode(into writer: inout ByteWriter) {
      writer.write(id)
      writer.write(lastUse.rawValue)
      writer.write(lowestKept)
      writer.write(UInt64(outcomes.count))
      for (sequence, outcome) in outcomes {
        writer.write(sequence)
        writer.write(outcome)
      }
    }

    init(from reader: inout ByteReader) throws(MalformedBytes) {
      id = try reader.readUInt64()
      lastUse = LogIndex(try reader.readUInt64())
      lowestKept = try reader.readUInt64()
      for _ in 0..<(try reader.readUInt64()) {
        outcomes.append((sequence: try reader.readUInt64(), outcome: try reader.readBytes()))
      }
    }
  }

  /// What is to be done with a command.
  enum Verdict {
    case execute
    case answer(Bytes)
    case expired
  }

  /// Ascending by id.
  private var sessions: [Session] = []
  /// Whether it is written down which sessions have changed.
  var isTracked = false
  private var changed: [UInt64] = []

  init(sessionsMax: Int, outcomesMax: Int) {
    self.sessionsMax = sessionsMax
    self.outcomesMax = outcomesMax
  }

  var count: Int { sessions.count }

  mutating func open(at index: LogIndex) {
    if sessions.count >= sessionsMax,
      let oldest = sessions.indices.min(by: { sessions[$0].lastUse < sessions[$1].lastUse })
    {
      note(sessions.remove(at: oldest).id)
    }
    note(index.rawValue)
    sessions.append(Session(id: index.rawValue, lastUse: index))
  }

  mutating func close(_ id: UInt64) {
    if let position = position(of: id) { note(sessions.remove(at: position).id) }
  }

  /// Judges a command before it runs.
  mutating func judge(_ stamp: SessionStamp, at index: LogIndex) -> Verdict {
    guard stamp.session != 0 else { return .execute }
    guard let position = position(of: stamp.session) else { return .expired }
    note(stamp.session)
    sessions[position].lastUse = index
    let lowest = max(sessions[position].lowestKept, stamp.lowestUnacknowledged)
    sessions[position].lowestKept = lowest
    sessions[position].outcomes.removeAll { $0.sequence < lowest }
    // The client said that it needs no answer to this any more, so this is a late copy of what ran before.
    guard stamp.sequence >= lowest else { return .expired }
    if let known = sessions[position].outcomes.first(where: { $0.sequence == stamp.sequence }) {
      return .answer(known.outcome)
    }
    guard sessions[position].outcomes.count < outcomesMax else {
      sessions.remove(at: position)
      return .expired
    }
    return .execute
  }

  /// Remembers what a command answered.
  mutating func remember(_ outcome: Bytes, for stamp: SessionStamp) {
    guard let position = position(of: stamp.session) else { return }
    let place = sessions[position].outcomes.firstIndex { $0.sequence > stamp.sequence }
    sessions[position].outcomes.insert(
      (stamp.sequence, outcome), at: place ?? sessions[position].outcomes.count)
  }

  /// Appends the table, as a snapshot holds it.
  func encode(into writer: inout SnapshotWriter) {
    writer.write(UInt64(sessions.count))
    for session in sessions { writer.write(session) }
  }

  /// Takes the table that a snapshot holds.
  mutating func restore(from reader: inout SnapshotReader) throws(MalformedBytes) {
    sessions = []
    for _ in 0..<(try reader.read(UInt64.self)) {
      sessions.append(try reader.read())
      if let id = sessions.last?.id { note(id) }
    }
  }

  // MARK: - One by one

  /// What has changed since the last time: the sessions, encoded, by their ids; nil for those that are gone.
  mutating func takeChanges() -> [(id: UInt64, record: Bytes?)] {
    guard !changed.isEmpty else { return [] }
    defer { changed.removeAll(keepingCapacity: true) }
    var last: UInt64?
    return changed.sorted().compactMap { id in
      guard id != last else { return nil }
      last = id
      return (id, position(of: id).map { sessions[$0].encoded() })
    }
  }

  /// Takes a session as ``takeChanges()`` gave it, behind those with lower ids.
  mutating func add(_ record: Bytes) throws(MalformedBytes) {
    sessions.append(try Session(decoding: record))
  }

  private mutating func note(_ id: UInt64) {
    if isTracked { changed.append(id) }
  }

  private func position(of id: UInt64) -> Int? {
    var low = 0
    var high = sessions.count
    while low < high {
      let middle = (low + high) / 2
      if sessions[middle].id < id { low = middle + 1 } else { high = middle }
    }
    return low < sessions.count && sessions[low].id == id ? low : nil
  }
}
