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
  /// Highest index known committed; at least `appliedIndex`.
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

  /// Lists what contradicts itself.
  func faults() -> [String] {
    var faults: [String] = []
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
    if previous.term > hardState.term {
      faults.append("the last entry \(previous) is of a later term than the node's term \(hardState.term)")
    }
    if commitIndex > previous.index {
      faults.append("commit index \(commitIndex) is beyond the last entry \(previous)")
    }
    if appliedIndex > commitIndex {
      faults.append("applied index \(appliedIndex) is beyond the commit index \(commitIndex)")
    }
    if appliedIndex < base.index {
      faults.append(
        "applied index \(appliedIndex) is before the log's beginning \(base): a snapshot is missing")
    }
    if baseConfiguration == nil, base.index > .zero {
      faults.append(
        "the configuration in force at the log's beginning \(base) is missing: one that stands later in the log was not yet in force there"
      )
    }
    if let snapshot { faults += self.faults(of: snapshot) }
    if let baseConfiguration, baseConfiguration.index > base.index {
      faults.append(
        "the configuration at \(baseConfiguration.index) is not covered by the log's beginning \(base)")
    }
    if firstConfiguration == nil {
      faults.append("neither the log nor its beginning holds a configuration")
    }
    return faults
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

  private var firstConfiguration: IndexedConfiguration? {
    if let baseConfiguration { return baseConfiguration }
    for entry in entries {
      if case .configuration(let configuration) = entry.content {
        return IndexedConfiguration(index: entry.id.index, configuration: configuration)
      }
    }
    return nil
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
