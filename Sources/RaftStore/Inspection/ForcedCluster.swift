import RaftCore

/// Makes a node whose cluster has lost its majority for good the only voter of a new cluster, with everything in its log.
package enum ForcedCluster {
  /// Changes the folder of a stopped node, which ``VolumeCheck`` has found sound.
  ///
  /// Identity, hard state and the entry with the new configuration are one batch of one database, with one sync: a crash
  /// leaves the member of the old cluster, as it was, or that of the new one. The node gets a new id as well, because an
  /// incarnation takes part in one cluster alone; the entry is of a term of its own, so that no log of the old cluster
  /// holds one with the same id.
  ///
  /// - Parameters:
  ///   - path: The folder.
  ///   - identity: Who the node is from now on: a new id, in a new cluster.
  /// - Returns: The entry that names it the only voter.
  /// - Throws: ``VolumeRefusal``. Nothing is changed then, unless the device has failed.
  package static func form(at path: String, _ identity: NodeIdentity) throws(VolumeRefusal) -> EntryID {
    // Opening a volume makes one where there is none.
    _ = try VolumeFolder(reading: path)
    do throws(StoreError) {
      var store = try Volume.open(VolumeOptions(path: path))
      return try store.becomeOnlyVoter(identity)
    } catch {
      switch error {
      case .corrupt(let reason): throw .unfit(reason)
      default: throw .failed("\(error)")
      }
    }
  }
}

extension DurableStore {
  /// Puts the node into a new cluster, as its only voter, behind everything that its log holds.
  mutating func becomeOnlyVoter(_ identity: NodeIdentity) throws(StoreError) -> EntryID {
    guard let known = try self.identity(), let recovered = try recover() else {
      throw .corrupt("the node is in no cluster: there is nothing to recover")
    }
    guard identity.cluster != nil, identity.cluster != known.cluster, identity.node != known.node else {
      throw .failed("a new cluster has a new id, and so have its members")
    }
    var configuration = recovered.baseConfiguration?.configuration
    for case .configuration(let later) in recovered.entries.map(\.content) { configuration = later }
    let new: Configuration
    do throws(ConfigurationError) {
      new = try Configuration(
        members: [Member(id: identity.node, address: identity.address, store: .durable)],
        voters: [identity.node], leaseTimeoutTicks: configuration?.leaseTimeoutTicks)
    } catch {
      throw .failed("\(error)")
    }
    hardState = HardState(term: recovered.hardState.term.next, votedFor: nil)
    lastIndex = lastIndex.next
    let id = EntryID(term: hardState.term, index: lastIndex)
    put(Entry(id: id, content: .configuration(new), bytes: UInt32(new.encoded().count)))
    putState(hardState)
    batch.put(StoredRecord.write(StoredKey.identity) { identity.encode(into: &$0) }, for: StoredKey.identity)
    try commitBatch()
    synced?.note(writes)
    return id
  }
}
