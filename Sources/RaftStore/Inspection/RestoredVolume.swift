import RaftCore

/// Makes a folder for the only voter of a new cluster, which begins with a state that comes from elsewhere.
package enum RestoredVolume {
  /// Makes the folder, which must be missing or empty.
  ///
  /// The state is made durable first, the record of who the node is comes then, and the log that continues the state last,
  /// with a sync. What a crash leaves before that holds a state without a log, which every node refuses to start from, and
  /// which is not empty for another attempt.
  ///
  /// - Parameters:
  ///   - path: The folder.
  ///   - last: The last entry whose effect the state holds.
  ///   - identity: Who the node is: in a new cluster.
  ///   - fill: Puts the state there.
  /// - Throws: ``VolumeRefusal``.
  package static func make(
    at path: String, last: EntryID, _ identity: NodeIdentity,
    _ fill: (MachineState) throws(StoreError) -> Void
  ) throws(VolumeRefusal) {
    if VolumeFolder.isFolder(path) {
      let names: [String]
      do throws(StoreError) { names = try VolumeFolder.names(in: path) } catch { throw .failed("\(error)") }
      if let name = names.first(where: { $0 != "lost+found" }) {
        throw .noVolume("\(path) is not empty, it holds '\(name)': name a folder that is empty or missing")
      }
    }
    do throws(StoreError) {
      try write(to: path, last, identity, fill)
    } catch {
      switch error {
      case .corrupt(let reason): throw .unfit(reason)
      default: throw .failed("\(error)")
      }
    }
  }

  private static func write(
    to path: String, _ last: EntryID, _ identity: NodeIdentity,
    _ fill: (MachineState) throws(StoreError) -> Void
  ) throws(StoreError) {
    let configuration: Configuration
    do throws(ConfigurationError) {
      configuration = try Configuration(
        voters: [Member(id: identity.node, address: identity.address, store: .durable)])
    } catch {
      throw .failed("\(error)")
    }
    var store = try Volume.open(VolumeOptions(path: path), keepsState: true)
    guard try store.recover() == nil, let state = try store.newState() else { throw .notEmpty }
    try fill(state)
    try state.flush()
    try store.setIdentity(identity)
    try store.found(
      RecoveredState(
        hardState: HardState(term: last.term, votedFor: nil), base: last,
        baseConfiguration: IndexedConfiguration(index: last.index, configuration: configuration),
        entries: [], commitIndex: last.index, appliedIndex: last.index))
  }
}
