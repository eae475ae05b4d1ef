import RaftCore

// Snapshots in the data store, piece by piece.

extension DurableStore: SnapshotStore {
  /// True: after a restart the state machine is built from a snapshot, or from its own state, and the log behind it.
  public var keepsLogBehindSnapshot: Bool { true }

  /// Begins a snapshot under a generation of its own.
  public mutating func beginSnapshot() -> SnapshotDraft {
    lastGeneration += 1
    let generation = lastGeneration
    var area = data
    let (pieceBytesMax, failure) = (pieceBytesMax, failure)
    return SnapshotDraft(generation: generation) { offset, bytes throws(StoreError) in
      do throws(StoreError) {
        if let error = failure.error { throw error }
        try Self.put(bytes, generation: generation, offset: offset, pieceBytesMax, into: &area)
      } catch {
        failure.note(error)
        throw error
      }
    }
  }

  /// Lets a snapshot count.
  ///
  /// - Throws: ``StoreError``.
  public mutating func save(_ snapshot: Snapshot, _ draft: SnapshotDraft) throws(StoreError) {
    try expectNoFailure()
    if states != nil {
      kept.append((draft.generation, snapshot))
      return
    }
    // The log was replaced while it was being taken, or a newer one was installed: it leads nowhere.
    guard snapshot.last.index >= base.base.index, snapshot.last.index > base.snapshot?.last.index ?? .zero
    else { return try remove(generation: draft.generation) }
    try change { stores throws(StoreError) in try stores.data.flush() }
    makeCurrent(snapshot, generation: draft.generation)
    putBase()
    try commitBatch()
  }

  /// The state of the state machine.
  ///
  /// - Throws: ``StoreError``.
  public mutating func openState() throws(StoreError) -> MachineState? {
    guard let states else { return nil }
    let generation = max(base.state, 1)
    base.state = generation
    lastState = generation
    try states.removeAll(but: generation)
    return MachineState(try states.open(generation), generation: generation)
  }

  /// An empty state.
  ///
  /// - Throws: ``StoreError``.
  public mutating func newState() throws(StoreError) -> MachineState? {
    guard let states else { return nil }
    lastState += 1
    return MachineState(try states.open(lastState), generation: lastState)
  }

  /// Stores a piece of a snapshot that another node sends.
  ///
  /// - Throws: ``StoreError``.
  public mutating func receive(_ piece: InstallSnapshot, bytes: Bytes) throws(StoreError) -> Bool {
    if piece.offset == 0 {
      try dropReception()
      reception = try beginReception(piece, FolderReception.isMeant(by: bytes))
    }
    guard let receiving = reception, receiving.progress.continues(with: piece, bytes) else {
      try dropReception()
      return false
    }
    var isSound = true
    try change { stores throws(StoreError) in
      if let files = receiving.files {
        isSound = try files.add(bytes)
      } else {
        try Self.put(
          bytes, generation: receiving.generation, offset: piece.offset, stores.pieceBytesMax,
          into: &stores.data)
      }
    }
    reception?.progress.add(bytes)
    if isSound, reception?.progress.isComplete == true { isSound = try finishReception() }
    if !isSound { try dropReception() }
    return isSound
  }

  private mutating func beginReception(
    _ piece: InstallSnapshot, _ isOfFiles: Bool
  ) throws(StoreError) -> Reception {
    if isOfFiles, let home = states as? any FileStateHome {
      return Reception(progress: SnapshotReception(piece), files: try home.receive(bytes: piece.bytes))
    }
    lastGeneration += 1
    return Reception(progress: SnapshotReception(piece), generation: lastGeneration)
  }

  /// Everything is there. Returns whether it is what was announced.
  private mutating func finishReception() throws(StoreError) -> Bool {
    guard let receiving = reception, receiving.progress.isSound else { return false }
    guard let files = receiving.files else { return true }
    try change { stores throws(StoreError) in
      stores.reception?.folder = try files.finish(fingerprint: receiving.progress.fingerprint)
    }
    return reception?.folder != nil
  }

  /// Keeps a snapshot that is the files of a state.
  ///
  /// - Throws: ``StoreError``.
  public mutating func keep(_ snapshot: Snapshot, _ files: SnapshotFolder) throws(StoreError) {
    try expectNoFailure()
    folders.append((files, snapshot))
  }

  /// A state that holds what was received of a snapshot, if that is the files of one.
  ///
  /// - Throws: ``StoreError``.
  public mutating func receivedState(_ snapshot: Snapshot) throws(StoreError) -> MachineState? {
    guard let home = states as? any FileStateHome, let folder = reception?.folder,
      reception?.progress.fingerprint == snapshot.fingerprint
    else { return nil }
    lastState += 1
    return MachineState(try home.open(lastState, sharing: folder), generation: lastState)
  }

  /// Throws away what was received of a snapshot.
  ///
  /// - Throws: ``StoreError``.
  public mutating func discardReceived(fingerprint: UInt64) throws(StoreError) {
    if reception?.progress.fingerprint == fingerprint { try dropReception() }
  }

  /// The bytes `[offset, offset + count)` of a snapshot; nil if there is no such snapshot, or it is shorter.
  ///
  /// - Throws: ``StoreError/corrupt(_:)`` if they are damaged.
  public func read(fingerprint: UInt64, offset: UInt64, count: Int) throws(StoreError) -> Bytes? {
    if let folder = folder(of: fingerprint) {
      return offset + UInt64(count) <= folder.bytes ? try folder.read(at: offset, count) : nil
    }
    guard let generation = generation(of: fingerprint) else { return nil }
    var content: Bytes = []
    let end = offset + UInt64(count)
    // The piece in which the range begins may begin before it, by less than the longest piece.
    let before = UInt64(pieceBytesMax - 1)
    let first = offset > before ? offset - before : 0
    try scanPieces(of: generation, from: first) { start, piece in
      guard start < end else { return false }
      let stop = start + UInt64(piece.count)
      if stop > offset, start <= offset + UInt64(content.count) {
        content += piece[Int(max(offset, start) - start)..<Int(min(end, stop) - start)]
      }
      return stop < end
    }
    return content.count == count ? content : nil
  }

  /// Forgets every snapshot but the node's own and those with one of these fingerprints.
  ///
  /// - Throws: ``StoreError``.
  public mutating func retain(fingerprints: [UInt64]) throws(StoreError) {
    for former in kept where !fingerprints.contains(former.snapshot.fingerprint) {
      try remove(generation: former.generation)
    }
    kept.removeAll { !fingerprints.contains($0.snapshot.fingerprint) }
    folders.removeAll { !fingerprints.contains($0.snapshot.fingerprint) }
  }

  /// Forgets a snapshot that nobody is to be sent any more.
  ///
  /// - Throws: ``StoreError``.
  public mutating func withdraw(fingerprint: UInt64) throws(StoreError) {
    folders.removeAll { $0.snapshot.fingerprint == fingerprint }
    for former in kept where former.snapshot.fingerprint == fingerprint {
      try remove(generation: former.generation)
    }
    kept.removeAll { $0.snapshot.fingerprint == fingerprint }
  }

  /// Holds a snapshot until it is released.
  ///
  /// - Throws: ``StoreError``.
  public mutating func hold(_ snapshot: Snapshot, _ draft: SnapshotDraft) throws(StoreError) {
    try expectNoFailure()
    held.append((draft.generation, snapshot))
  }

  /// Forgets one held snapshot of this fingerprint.
  ///
  /// - Throws: ``StoreError``.
  public mutating func release(fingerprint: UInt64) throws(StoreError) {
    guard let place = held.firstIndex(where: { $0.snapshot.fingerprint == fingerprint }) else { return }
    try remove(generation: held.remove(at: place).generation)
  }

  /// Lets the received snapshot take the place of snapshot and log, in the batch that is being gathered.
  mutating func install(_ snapshot: Snapshot) throws(StoreError) {
    guard let received = reception, received.progress.fingerprint == snapshot.fingerprint,
      received.progress.isComplete
    else { throw .failed("the snapshot to be installed was not received completely") }
    try change { stores throws(StoreError) in try stores.data.flush() }
    reception = nil
    if states == nil {
      makeCurrent(snapshot, generation: received.generation)
    } else {
      if let folder = received.folder {
        folders.append((folder, snapshot))
      } else {
        kept.append((received.generation, snapshot))
      }
      base.state = lastState
    }
    base.base = snapshot.last
    base.baseConfiguration = snapshot.configuration
    configurations = []
    lastIndex = snapshot.last.index
    commitIndex = max(commitIndex, snapshot.last.index)
    batch.deleteRange(from: StoredKey.entry(.zero), to: StoredKey.entriesEnd)
    putBase()
  }

  /// Checks that a snapshot is whole.
  func verify(_ snapshot: Snapshot) throws(StoreError) {
    var fingerprint = SnapshotFingerprint()
    var count: UInt64 = 0
    var isWhole = true
    try scanPieces(of: base.generation, from: 0) { offset, piece in
      isWhole = isWhole && offset == count
      count += UInt64(piece.count)
      fingerprint.add(piece)
      return isWhole
    }
    guard isWhole, count == snapshot.bytes, fingerprint.value == snapshot.fingerprint else {
      throw .corrupt("the snapshot that ends at entry \(snapshot.last) is damaged or incomplete")
    }
  }

  /// Removes pieces that belong to nothing: of a reception, or of a saving, that a crash has ended.
  mutating func removeStrayPieces() throws(StoreError) {
    lastGeneration = base.generation
    if base.generation > 0 {
      batch.deleteRange(
        from: StoredKey.piece(generation: 0, offset: 0),
        to: StoredKey.piece(generation: base.generation, offset: 0))
    }
    batch.deleteRange(
      from: StoredKey.piece(generation: base.generation + 1, offset: 0), to: StoredKey.piecesEnd)
    try change { stores throws(StoreError) in try stores.data.apply(stores.batch) }
    batch.removeAll()
  }

  // MARK: - Pieces

  private mutating func makeCurrent(_ snapshot: Snapshot, generation: UInt64) {
    if let former = base.snapshot { kept.append((base.generation, former)) }
    base.snapshot = snapshot
    base.generation = generation
  }

  private func generation(of fingerprint: UInt64) -> UInt64? {
    if base.snapshot?.fingerprint == fingerprint { return base.generation }
    if let former = (kept + held).first(where: { $0.snapshot.fingerprint == fingerprint }) {
      return former.generation
    }
    guard let reception, reception.files == nil else { return nil }
    return reception.progress.fingerprint == fingerprint ? reception.generation : nil
  }

  private func folder(of fingerprint: UInt64) -> SnapshotFolder? {
    if let former = folders.first(where: { $0.snapshot.fingerprint == fingerprint }) { return former.folder }
    return reception?.progress.fingerprint == fingerprint ? reception?.folder : nil
  }

  /// Stores bytes of a snapshot, in pieces that are not too long.
  private static func put(
    _ bytes: Bytes, generation: UInt64, offset: UInt64, _ pieceBytesMax: Int, into data: inout Backend
  ) throws(StoreError) {
    for start in stride(from: 0, to: bytes.count, by: pieceBytesMax) {
      let key = StoredKey.piece(generation: generation, offset: offset + UInt64(start))
      let content = bytes[start..<min(bytes.count, start + pieceBytesMax)]
      var piece = WriteBatch()
      piece.put(StoredRecord.write(key) { $0.writeRaw(content) }, for: key)
      try data.apply(piece)
    }
  }

  private mutating func dropReception() throws(StoreError) {
    guard let dropped = reception else { return }
    reception = nil
    if dropped.files == nil { try remove(generation: dropped.generation) }
  }

  private mutating func remove(generation: UInt64) throws(StoreError) {
    var removal = WriteBatch()
    removal.deleteRange(
      from: StoredKey.piece(generation: generation, offset: 0),
      to: StoredKey.piece(generation: generation + 1, offset: 0))
    try change { stores throws(StoreError) in try stores.data.apply(removal) }
  }

  private func scanPieces(
    of generation: UInt64, from offset: UInt64, _ visit: (UInt64, Bytes) -> Bool
  ) throws(StoreError) {
    var fault: StoreError?
    try data.scan(
      from: StoredKey.piece(generation: generation, offset: offset),
      to: StoredKey.piece(generation: generation + 1, offset: 0)
    ) { key, record in
      do throws(StoreError) {
        let place = StoredKey.place(of: key)?.offset ?? 0
        let piece = try StoredRecord.read(key, record, "the piece at \(place) of snapshot \(generation)") {
          reader throws(MalformedBytes) in try reader.readRaw(reader.remaining)
        }
        return visit(place, piece)
      } catch {
        fault = error
        return false
      }
    }
    if let fault { throw fault }
  }
}
