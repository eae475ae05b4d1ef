import RaftCore

/// Looks at everything in the folder of a stopped node, and changes nothing.
package struct VolumeCheck {
  /// Says how far a kept state has come.
  package typealias Progress = (MachineState) throws(StoreError) -> EntryID?

  private let folder: VolumeFolder
  private let progress: Progress
  private let tell: (String) -> Void
  private var report: VolumeReport
  private var base: BaseRecord?
  private var state: StateRecord?
  /// The entry in the log at the place that the state has come to.
  private var atApplied: EntryID?

  /// How many records go by between two words about it.
  private static let recordsPerWord = 10_000

  /// Looks at a folder.
  ///
  /// - Parameters:
  ///   - path: The folder.
  ///   - progress: Says how far a kept state has come.
  ///   - tell: Is told what is being looked at, again and again.
  /// - Throws: ``VolumeRefusal`` if it is no volume, or in use.
  package static func report(
    on path: String, progress: @escaping Progress, tell: @escaping (String) -> Void = { _ in }
  ) throws(VolumeRefusal) -> VolumeReport {
    var check = VolumeCheck(try VolumeFolder(reading: path), progress, tell)
    check.run()
    return check.report
  }

  private init(_ folder: VolumeFolder, _ progress: @escaping Progress, _ tell: @escaping (String) -> Void) {
    self.folder = folder
    self.progress = progress
    self.tell = tell
    report = VolumeReport(path: folder.path)
  }

  private mutating func run() {
    countFiles()
    guard let consensus = open("consensus") else { return }
    readRecords(in: consensus)
    checkState()
    if base != nil { checkLog(in: consensus) }
    checkOtherRecords(in: consensus)
    checkEnds()
    if let snapshots = open("snapshots") { checkPieces(in: snapshots) }
  }

  private mutating func countFiles() {
    do throws(StoreError) {
      report.files.append(.init(name: ".", try VolumeFolder.sizes(in: folder.path)))
      for name in try VolumeFolder.names(in: folder.path)
      where VolumeFolder.isFolder("\(folder.path)/\(name)") {
        report.files.append(.init(name: name, try VolumeFolder.sizes(in: "\(folder.path)/\(name)")))
      }
    } catch { report.note(error) }
  }

  private mutating func open(_ name: String) -> RocksDatabase? {
    let path = "\(folder.path)/\(name)"
    guard VolumeFolder.isFolder(path) else {
      report.note("the folder \(path) is missing", "Put it back. \(VolumeReport.replace)")
      return nil
    }
    do throws(StoreError) {
      var options = RocksDatabase.Options(hasLog: true, cacheBytes: 1 << 20, writeBufferBytes: 16 << 20)
      options.isReadOnly = true
      return try RocksDatabase(at: path, options, holding: folder)
    } catch {
      if let damage = try? LogFiles(in: path).firstDamage() {
        guard !damage.isTorn else {
          report.note(
            "\(damage.file) ends in a write that the power cut off, at byte \(damage.offset)",
            "Start the node: it cuts the file there. Nothing that was acknowledged is lost by that. Stop it and check again "
              + "to have the rest looked at.")
          return nil
        }
        report.note("\(damage.file) is damaged at byte \(damage.offset): \(error)")
      } else {
        report.note(error)
      }
      return nil
    }
  }

  // MARK: - Consensus

  private mutating func readRecords(in consensus: RocksDatabase) {
    tell("records of the node")
    report.identity = read(StoredKey.identity, "the record of the node's identity", in: consensus) {
      reader throws(MalformedBytes) in try NodeIdentity(from: &reader)
    }
    base = read(StoredKey.base, "the record of the log's beginning", in: consensus) {
      reader throws(MalformedBytes) in try BaseRecord(from: &reader)
    }
    state = read(StoredKey.state, "the record of term and vote", in: consensus) {
      reader throws(MalformedBytes) in try StateRecord(from: &reader)
    }
    report.hardState = state?.hardState
    report.commitIndex = state?.commitIndex
    report.base = base?.base
    report.snapshot = base?.snapshot
    report.configuration = base?.baseConfiguration
    guard report.isSound else { return }
    if (base == nil) != (state == nil) {
      report.note("the record of \(base == nil ? "the log's beginning" : "term and vote") is missing")
    } else if base != nil, report.identity?.cluster == nil {
      report.note(
        report.identity == nil
          ? "there is a log, and the record of whose it is is missing"
          : "there is a log, and no cluster to which it belongs")
    }
    if base == nil, report.isSound { report.notes.append("the node is in no cluster yet: it has no log") }
  }

  private mutating func read<Content>(
    _ key: Bytes, _ name: String, in database: RocksDatabase,
    _ content: (inout ByteReader) throws(MalformedBytes) -> Content
  ) -> Content? {
    do throws(StoreError) {
      guard let stored = try database.get(key) else { return nil }
      return try StoredRecord.read(key, stored, name, content)
    } catch {
      report.note(error)
      return nil
    }
  }

  private mutating func checkLog(in consensus: RocksDatabase) {
    guard let base else { return }
    var log = LogWalk(from: base.base)
    scan(consensus, "entries of the log", from: StoredKey.entry(.zero), to: StoredKey.entriesEnd) {
      check, key, record throws(StoreError) in
      let name = StoredKey.index(of: key).map { "entry \($0)" } ?? "the key of an entry"
      let entry = try StoredRecord.read(key, record, name) { reader throws(MalformedBytes) in
        try Entry<Bytes>(from: &reader)
      }
      guard entry.id.index == StoredKey.index(of: key) else {
        throw .corrupt("\(name) holds entry \(entry.id)")
      }
      check.report.entries.count += 1
      check.report.entries.bytes += UInt64(record.count)
      if let fault = log.step(to: entry.id) { check.report.note(fault) }
      if entry.id.index == check.report.applied?.index { check.atApplied = entry.id }
      if case .configuration(let configuration) = entry.content {
        check.report.configuration = IndexedConfiguration(index: entry.id.index, configuration: configuration)
      }
    }
    report.last = log.last
  }

  private mutating func checkOtherRecords(in consensus: RocksDatabase) {
    if base == nil, state == nil, report.isSound {
      scan(consensus, "entries of the log", from: StoredKey.entry(.zero), to: StoredKey.entriesEnd) {
        check, _, _ throws(StoreError) in
        check.report.note("there are entries, and the record of the log's beginning is missing")
      }
    }
    let known = [StoredKey.state, StoredKey.base, StoredKey.identity]
    for (lower, upper) in [(Bytes(), StoredKey.entry(.zero)), (StoredKey.entriesEnd, nil)] {
      scan(consensus, "records of the node", from: lower, to: upper) { check, key, _ throws(StoreError) in
        guard !known.contains(key) else { return }
        check.report.note("\(check.folder.path)/consensus holds a record under a key of no meaning: \(key)")
      }
    }
  }

  /// What the records, the log and the state say of each other.
  private mutating func checkEnds() {
    guard let base, let state, let last = report.last else { return }
    if last.index != state.lastIndex {
      report.note("the log ends at entry \(last.index), and was written through entry \(state.lastIndex)")
    }
    if last.term > state.hardState.term {
      report.note(
        "the last entry \(last) is of a later term than the node's term, \(state.hardState.term): a vote is forgotten"
      )
    }
    if state.commitIndex > state.lastIndex {
      report.note("entries are committed through \(state.commitIndex), and the log ends at \(last.index)")
    }
    if let synced = VolumeFolder.syncedCount(in: folder.path), synced > state.writes {
      report.note(
        "the last \(synced - state.writes) of \(synced) writes to the log are gone, though they were synced: it has been cut, "
          + "or put back from a copy")
    }
    guard let configuration = report.configuration else {
      return report.note("no configuration is known: neither at the log's beginning nor in it")
    }
    if let node = report.identity?.node, configuration.configuration.members.allSatisfy({ $0.id != node }) {
      report.notes.append("the newest configuration does not name this node: it is joining, or was removed")
    }
    if let applied = report.applied { checkFit(applied, base.base, last) }
    let start = report.applied ?? report.snapshot?.last ?? .zero
    if start.index < base.base.index {
      report.note(
        "the log begins behind entry \(base.base), and there is no state that reaches so far: it ends at entry \(start)"
      )
    }
  }

  private mutating func checkFit(_ applied: EntryID, _ base: EntryID, _ last: EntryID) {
    guard applied.index >= base.index else { return }
    guard applied.index <= last.index else {
      return report.note("the state ends at entry \(applied), and the log at entry \(last)")
    }
    let here = applied.index == base.index ? base : atApplied
    if let here, here != applied {
      report.note("the state ends at entry \(applied), and the log holds entry \(here) there")
    }
  }

  // MARK: - State and snapshots

  private mutating func checkState() {
    let generation = max(base?.state ?? 1, 1)
    let path = "\(folder.path)/data-\(generation)"
    for files in report.files where files.name.hasPrefix("data-") && files.name != "data-\(generation)" {
      report.notes.append(
        "\(files.name) is a former state, or one that was being received: the next start removes it")
    }
    guard VolumeFolder.isFolder(path), let database = open("data-\(generation)") else { return }
    let state = MachineState(database, generation: generation)
    do throws(StoreError) {
      report.applied = try progress(state)
      if base == nil, report.applied != nil, self.state == nil {
        report.note("there is a state, and the log to which it belongs is missing")
      }
    } catch { report.note(error) }
    scan(database, "keys of the state", from: [], to: nil) { check, _, _ throws(StoreError) in
      check.report.stateKeys += 1
    }
  }

  private mutating func checkPieces(in snapshots: RocksDatabase) {
    var fingerprint = SnapshotFingerprint()
    var (count, strays): (UInt64, UInt64) = (0, 0)
    var isWhole = true
    let named = base?.snapshot == nil ? nil : base?.generation
    scan(snapshots, "pieces of snapshots", from: [], to: nil) { check, key, record throws(StoreError) in
      guard let place = StoredKey.place(of: key), StoredKey.isPiece(key) else {
        throw .corrupt("\(check.folder.path)/snapshots holds a record under a key of no meaning: \(key)")
      }
      let piece = try StoredRecord.read(
        key, record, "the piece at \(place.offset) of snapshot \(place.generation)"
      ) { reader throws(MalformedBytes) in try reader.readRaw(reader.remaining) }
      guard place.generation == named else {
        strays += UInt64(piece.count)
        return
      }
      isWhole = isWhole && place.offset == count
      count += UInt64(piece.count)
      fingerprint.add(piece)
    }
    if let snapshot = report.snapshot,
      !isWhole || count != snapshot.bytes || fingerprint.value != snapshot.fingerprint
    {
      report.note("the snapshot that ends at entry \(snapshot.last) is damaged or incomplete")
    }
    guard strays > 0 else { return }
    if base == nil {
      report.note("there is a snapshot, and the log to which it belongs is missing")
    } else {
      report.notes.append(
        "\(strays) bytes of snapshots that were sent or received: the next start removes them")
    }
  }

  /// Visits records, and notes what is wrong with any of them. RocksDB looks at the checksum of every block on the way.
  private mutating func scan(
    _ database: RocksDatabase, _ what: String, from lower: Bytes, to upper: Bytes?,
    _ visit: (inout VolumeCheck, Bytes, Bytes) throws(StoreError) -> Void
  ) {
    var count = 0
    var bytes: UInt64 = 0
    // So many say what kind of damage it is; the rest would only fill the screen.
    var faultsLeft = 10
    tell(what)
    do throws(StoreError) {
      try database.scan(from: lower, to: upper) { key, record in
        count += 1
        bytes += UInt64(record.count)
        if count % Self.recordsPerWord == 0 { tell("\(what): \(count), \(bytes) bytes") }
        do throws(StoreError) {
          try visit(&self, key, record)
        } catch {
          report.note(error)
          faultsLeft -= 1
        }
        return faultsLeft > 0
      }
    } catch { report.note(error) }
  }
}

/// Goes along a log, and notices where it does not go on.
private struct LogWalk {
  private(set) var last: EntryID

  init(from base: EntryID) { last = base }

  /// Goes on to the next entry that there is. Returns what is wrong with it.
  mutating func step(to entry: EntryID) -> String? {
    guard entry.index > last.index else { return "entry \(entry) lies before the log's beginning, \(last)" }
    defer { last = entry }
    guard entry.index == last.index.next else {
      return last.index.next == LogIndex(entry.index.rawValue - 1)
        ? "entry \(last.index.next) is missing in the log"
        : "entries \(last.index.next) to \(entry.index.rawValue - 1) are missing in the log"
    }
    return entry.term < last.term ? "entry \(entry) follows entry \(last), which is of a later term" : nil
  }
}
