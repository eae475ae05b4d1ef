/// What a node starts from: what its log store holds, or what a founded cluster begins with.
public struct RecoveredState<Payload: Sendable>: Sendable {
  /// Term and vote.
  public var hardState: HardState
  /// The entry before the first one in `entries`: the last one that a snapshot covers, or ``EntryID/zero``.
  public var base: EntryID
  /// The configuration in force at `base`; nil if the log goes back to the founding entry, which carries it.
  public var baseConfiguration: IndexedConfiguration?
  /// The retained log.
  public var entries: [Entry<Payload>]
  /// Highest index known committed. It may lag behind: what is applied is committed, whatever stands here.
  public var commitIndex: LogIndex
  /// Highest index that the state machine already reflects; at least that of `base`.
  public var appliedIndex: LogIndex
  /// The newest snapshot that can be sent to others, if there is one: it ends between `base` and `appliedIndex`.
  public var snapshot: Snapshot?

  /// Describes what was recovered.
  public init(
    hardState: HardState, base: EntryID, baseConfiguration: IndexedConfiguration?, entries: [Entry<Payload>],
    commitIndex: LogIndex, appliedIndex: LogIndex, snapshot: Snapshot? = nil
  ) {
    self.hardState = hardState
    self.base = base
    self.baseConfiguration = baseConfiguration
    self.entries = entries
    self.commitIndex = commitIndex
    self.appliedIndex = appliedIndex
    self.snapshot = snapshot
  }

  /// How every member of a newly founded cluster begins: with the configuration as entry 1 of term 1, committed by
  /// definition, because all of them hold the same one.
  public static func founding(_ configuration: Configuration) -> RecoveredState {
    let id = EntryID(term: Term(1), index: LogIndex(1))
    let entry = Entry<Payload>(
      id: id, content: .configuration(configuration), bytes: UInt32(configuration.encoded().count))
    return RecoveredState(
      hardState: HardState(term: id.term, votedFor: nil), base: .zero, baseConfiguration: nil,
      entries: [entry],
      commitIndex: id.index, appliedIndex: .zero)
  }

  /// Highest index known committed, by what is applied as well: a commit index that rises causes no write by itself, so
  /// that a snapshot, or a state machine on disk, may be ahead of the one that was stored last.
  var committedIndex: LogIndex { max(commitIndex, appliedIndex) }

  /// Lists what contradicts itself.
  func faults() -> [String] {
    // Nothing may be counted on from numbers that no cluster reaches.
    var faults = implausibleNumbers()
    guard faults.isEmpty else { return faults }
    let last = checkEntries(into: &faults)
    if last.term > hardState.term {
      faults.append("the last entry \(last) is of a later term than the node's term \(hardState.term)")
    }
    if commitIndex > last.index {
      faults.append("commit index \(commitIndex) is beyond the last entry \(last)")
    }
    if appliedIndex > last.index {
      faults.append("applied index \(appliedIndex) is beyond the last entry \(last)")
    }
    if appliedIndex < base.index {
      faults.append(
        "applied index \(appliedIndex) is before the log's beginning \(base): a snapshot is missing")
    }
    checkConfigurations(into: &faults)
    if let snapshot { faults += self.faults(of: snapshot) }
    // Which configuration is in force where can only be told of a log that is sound.
    if faults.isEmpty { checkSnapshotConfiguration(into: &faults) }
    return faults
  }

  private func implausibleNumbers() -> [String] {
    var faults: [String] = []
    if hardState.term > .highestPlausible {
      faults.append("the node's term \(hardState.term) is higher than any cluster's")
    }
    if base.index > .highestPlausible || base.term > .highestPlausible {
      faults.append("the log's beginning \(base) is higher than any cluster's")
    }
    return faults
  }

  /// Returns the last entry before the first gap.
  private func checkEntries(into faults: inout [String]) -> EntryID {
    if base.index == .zero, base.term > .zero {
      faults.append("the log's beginning \(base) stands before every entry, and yet has a term")
    }
    var previous = base
    for entry in entries {
      if entry.id.index != previous.index.next {
        faults.append("entry \(entry.id) follows entry \(previous): there is a gap in the log")
        break
      }
      if entry.id.term < previous.term {
        faults.append("entry \(entry.id) follows entry \(previous): terms in a log only grow")
      }
      previous = entry.id
    }
    return previous
  }

  private func checkConfigurations(into faults: inout [String]) {
    if let baseConfiguration {
      if baseConfiguration.index > base.index {
        faults.append(
          "the configuration at \(baseConfiguration.index) is not covered by the log's beginning \(base)")
      }
    } else if base.index > .zero {
      faults.append(
        "the configuration in force at the log's beginning \(base) is missing: one that stands later in the log was not yet in force there"
      )
    } else if let first = entries.first {
      guard case .configuration = first.content else {
        faults.append("the log begins with entry \(first.id), which does not found a cluster")
        return
      }
      if committedIndex < first.id.index {
        faults.append(
          "commit index \(commitIndex) is before the founding entry \(first.id), which is committed by definition"
        )
      }
    } else {
      faults.append("neither the log nor its beginning holds a configuration")
    }
  }

  private func faults(of snapshot: Snapshot) -> [String] {
    var faults: [String] = []
    let last = snapshot.last
    if last.index < base.index {
      faults.append(
        "the snapshot ends at \(last), before the log's beginning \(base): the log does not continue it")
    }
    if last.index > appliedIndex {
      faults.append("the snapshot ends at \(last), beyond the applied index \(appliedIndex)")
    }
    let known = last.index == base.index ? base : entries.first { $0.id.index == last.index }?.id
    if let known, known != last {
      faults.append("the snapshot ends at \(last), but the log holds \(known) there")
    }
    if snapshot.configuration.index > last.index {
      faults.append(
        "the snapshot's configuration stands at \(snapshot.configuration.index), beyond its end \(last)")
    }
    return faults
  }

  private func checkSnapshotConfiguration(into faults: inout [String]) {
    guard let snapshot, let inForce = configurationLog()?.inForce(at: snapshot.last.index),
      inForce != snapshot.configuration
    else { return }
    faults.append(
      "the snapshot's configuration stands at \(snapshot.configuration.index), but at its end \(snapshot.last) that at \(inForce.index) was in force"
    )
  }

  /// The configuration in force at the log's beginning: the founding entry if nothing is before it.
  private var firstConfiguration: IndexedConfiguration? {
    if let baseConfiguration { return baseConfiguration }
    guard let first = entries.first, case .configuration(let configuration) = first.content else {
      return nil
    }
    return IndexedConfiguration(index: first.id.index, configuration: configuration)
  }

  /// The configurations that the log and its beginning hold.
  func configurationLog() -> ConfigurationLog? {
    guard let first = firstConfiguration else { return nil }
    var log = ConfigurationLog(base: first)
    for entry in entries where entry.id.index > first.index {
      if case .configuration(let configuration) = entry.content {
        log.append(IndexedConfiguration(index: entry.id.index, configuration: configuration))
      }
    }
    return log
  }
}

/// State that no correct node can have left behind.
public struct RecoveryError: Error, Hashable, Sendable, CustomStringConvertible {
  /// One sentence for each contradiction.
  public let faults: [String]

  /// The value in words, as logs print it.
  public var description: String { faults.joined(separator: "; ") }
}
