import RaftCore

// Who the node is.

extension DurableStore {
  /// Who the node is; nil if that was never said.
  ///
  /// - Throws: ``StoreError/corrupt(_:)`` if the record is damaged.
  public func identity() throws(StoreError) -> NodeIdentity? {
    guard let stored = try consensus.get(StoredKey.identity) else { return nil }
    return try StoredRecord.read(StoredKey.identity, stored, "the record of the node's identity") {
      reader throws(MalformedBytes) in try NodeIdentity(from: &reader)
    }
  }

  /// Remembers who the node is, durably.
  ///
  /// - Throws: ``StoreError``.
  public mutating func setIdentity(_ identity: NodeIdentity) throws(StoreError) {
    try expectNoFailure()
    batch.put(StoredRecord.write(StoredKey.identity) { identity.encode(into: &$0) }, for: StoredKey.identity)
    try commitBatch()
  }
}
