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

  private struct Session: Sendable {
    let id: UInt64
    var lastUse: LogIndex
    /// Outcomes by ascending sequence.
    var outcomes: [(sequence: UInt64, outcome: Bytes)] = []
    /// Everything below was acknowledged.
    var lowestKept: UInt64 = 1
  }

  /// What is to be done with a command.
  enum Verdict {
    case execute
    case answer(Bytes)
    case expired
  }

  /// Ascending by id.
  private var sessions: [Session] = []

  init(sessionsMax: Int, outcomesMax: Int) {
    self.sessionsMax = sessionsMax
    self.outcomesMax = outcomesMax
  }

  var count: Int { sessions.count }

  mutating func open(at index: LogIndex) {
    if sessions.count >= sessionsMax,
      let oldest = sessions.indices.min(by: { sessions[$0].lastUse < sessions[$1].lastUse })
    {
      sessions.remove(at: oldest)
    }
    sessions.append(Session(id: index.rawValue, lastUse: index))
  }

  mutating func close(_ id: UInt64) {
    if let position = position(of: id) { sessions.remove(at: position) }
  }

  /// Judges a command before it runs.
  mutating func judge(_ stamp: SessionStamp, at index: LogIndex) -> Verdict {
    guard stamp.session != 0 else { return .execute }
    guard let position = position(of: stamp.session) else { return .expired }
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
    for session in sessions {
      writer.write(session.id)
      writer.write(session.lastUse.rawValue)
      writer.write(session.lowestKept)
      writer.write(UInt64(session.outcomes.count))
      for (sequence, outcome) in session.outcomes {
        writer.write(sequence)
        writer.write(outcome)
      }
    }
  }

  /// Takes the table that a snapshot holds.
  mutating func restore(from reader: inout SnapshotReader) throws(MalformedBytes) {
    sessions = []
    for _ in 0..<(try reader.read(UInt64.self)) {
      var session = Session(id: try reader.read(), lastUse: LogIndex(try reader.read(UInt64.self)))
      session.lowestKept = try reader.read()
      for _ in 0..<(try reader.read(UInt64.self)) {
        session.outcomes.append((sequence: try reader.read(), outcome: try reader.read()))
      }
      sessions.append(session)
    }
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
