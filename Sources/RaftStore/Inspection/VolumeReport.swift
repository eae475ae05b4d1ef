import RaftCore

/// What a look at the folder of a stopped node has found.
package struct VolumeReport: Sendable {
  /// Something that is not as it must be.
  package struct Defect: Hashable, Sendable {
    /// What is wrong, and where.
    package var what: String
    /// What to do about it.
    package var advice: String
  }

  /// A folder, and what its files take.
  package struct Files: Hashable, Sendable {
    package var name: String
    package var count: Int
    package var bytes: UInt64

    init(name: String, _ size: (count: Int, bytes: UInt64)) {
      self.name = name
      (count, bytes) = size
    }
  }

  /// Where this was found.
  package let path: String
  /// Who the node is; nil if it was never said, or cannot be read.
  package var identity: NodeIdentity?
  /// Term and vote.
  package var hardState: HardState?
  /// The entry before the first one of the log; nil if there is no log.
  package var base: EntryID?
  /// The last entry.
  package var last: EntryID?
  /// How many entries were read, and how many bytes their records take.
  package var entries: (count: Int, bytes: UInt64) = (0, 0)
  /// The highest index that the node knew to be committed when it wrote last.
  package var commitIndex: LogIndex?
  /// The last entry whose effect the state holds; nil if there is none.
  package var applied: EntryID?
  /// How many keys the state holds, with those that the node uses for itself.
  package var stateKeys = 0
  /// The snapshot from which the state machine starts.
  package var snapshot: Snapshot?
  /// The newest configuration, and where in the log it stands.
  package var configuration: IndexedConfiguration?
  /// The folder and what is in it.
  package var files: [Files] = []
  /// What is worth knowing, and no defect.
  package var notes: [String] = []
  /// What is wrong.
  package var defects: [Defect] = []

  /// Whether nothing is wrong.
  package var isSound: Bool { defects.isEmpty }

  init(path: String) { self.path = path }

  /// What to do about damage that only another node can make good.
  static let replace =
    "Remove this member from its cluster and start it again with an empty folder: the others hold the data. If there are "
    + "no others, restore a snapshot file."

  mutating func note(_ what: String, _ advice: String = Self.replace) {
    let defect = Defect(what: what, advice: advice)
    if !defects.contains(defect) { defects.append(defect) }
  }

  mutating func note(_ error: StoreError) { note("\(error)") }
}
