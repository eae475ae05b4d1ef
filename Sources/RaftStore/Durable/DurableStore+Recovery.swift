import RaftCore

// What a restart finds, and how it is believed.

extension DurableStore {
  /// Reads everything that the stores hold, and throws away what a crash has left half done.
  ///
  /// - Throws: ``StoreError/corrupt(_:)`` naming what is damaged. A log with a hole, or one that ends before what its own
  ///   last record says, is refused and never taken for a shorter one: what is missing may have been acknowledged
  ///   (scenario 63).
  public mutating func recover() throws(StoreError) -> RecoveredState<Bytes>? {
    guard let stored = try consensus.get(StoredKey.base) else { return try recoverNothing() }
    base = try StoredRecord.read(StoredKey.base, stored, "the record of the log's beginning") {
      reader throws(MalformedBytes) in try BaseRecord(from: &reader)
    }
    guard let stored = try consensus.get(StoredKey.state) else {
      throw .corrupt("the record of term and vote is missing")
    }
    let state = try StoredRecord.read(StoredKey.state, stored, "the record of term and vote") {
      reader throws(MalformedBytes) in try StateRecord(from: &reader)
    }
    writes = state.writes
    try checkSynced()
    let entries = try readEntries(from: base.base.index.next, to: nil)
    for (offset, entry) in entries.enumerated()
    where entry.id.index != base.base.index.advanced(by: offset + 1) {
      throw .corrupt("entry \(base.base.index.advanced(by: offset + 1)) is missing in the log")
    }
    lastIndex = base.base.index.advanced(by: entries.count)
    configurations = []
    for entry in entries { note(entry) }
    guard lastIndex == state.lastIndex else {
      throw .corrupt("the log ends at entry \(lastIndex), and was written through entry \(state.lastIndex)")
    }
    let applied = base.snapshot?.last.index ?? .zero
    commitIndex = max(state.commitIndex, applied)
    isFounded = true
    hardState = state.hardState
    // Nothing is removed before everything has been found sound: a snapshot under a damaged key looks like a stray one.
    if let snapshot = base.snapshot { try verify(snapshot) }
    try removeStrayPieces()
    return RecoveredState(
      hardState: state.hardState, base: base.base, baseConfiguration: base.baseConfiguration,
      entries: entries, commitIndex: commitIndex, appliedIndex: applied, snapshot: base.snapshot)
  }

  /// Whether writes are gone that were synced.
  private func checkSynced() throws(StoreError) {
    guard let synced = synced?.value, synced > writes else { return }
    throw .corrupt(
      "the last \(synced - writes) of \(synced) writes to the log are gone, though they were synced: it has been cut, or put "
        + "back from a copy. Remove this member from its cluster and start it anew with an empty folder; what it held "
        + "may have been acknowledged")
  }

  /// There is no log: nothing else may be there either.
  private mutating func recoverNothing() throws(StoreError) -> RecoveredState<Bytes>? {
    try checkSynced()
    var isEmpty = try consensus.get(StoredKey.state) == nil
    try consensus.scan(from: StoredKey.entry(.zero), to: StoredKey.entriesEnd) { _, _ in
      isEmpty = false
      return false
    }
    guard isEmpty else { throw .corrupt("the record of the log's beginning is missing") }
    // Pieces are stored only once a log is founded, durably: where they are, a log has been lost.
    try data.scan(from: StoredKey.piece(generation: 0, offset: 0), to: StoredKey.piecesEnd) { _, _ in
      isEmpty = false
      return false
    }
    guard isEmpty else { throw .corrupt("there is a snapshot, and the log to which it belongs is missing") }
    return nil
  }

  func readEntries(from lower: LogIndex, to upper: LogIndex?) throws(StoreError) -> [Entry<Bytes>] {
    var entries: [Entry<Bytes>] = []
    var fault: StoreError?
    try consensus.scan(
      from: StoredKey.entry(lower), to: upper.map(StoredKey.entry) ?? StoredKey.entriesEnd
    ) { key, record in
      do throws(StoreError) {
        let name = StoredKey.index(of: key).map { "entry \($0)" } ?? "the key of an entry"
        let entry = try StoredRecord.read(key, record, name) { reader throws(MalformedBytes) in
          try Entry<Bytes>(from: &reader)
        }
        guard entry.id.index == StoredKey.index(of: key) else {
          throw .corrupt("\(name) holds entry \(entry.id)")
        }
        entries.append(entry)
        return true
      } catch {
        fault = error
        return false
      }
    }
    if let fault { throw fault }
    return entries
  }
}
