import RaftCore
import RaftStore

extension Applier {
  /// The last entry whose effect a kept state holds; nil if nothing was ever applied to it. Changes nothing.
  ///
  /// - Throws: `StoreError` if that cannot be read, or there is a state without it.
  package static func progress(of state: MachineState) throws(StoreError) -> EntryID? {
    guard let record = state.own(progressKey) else {
      let isEmpty = state.isEmpty
      if let failure = state.failure { throw failure }
      guard isEmpty else { throw .corrupt("the record of how far the state has come is missing") }
      return nil
    }
    do throws(MalformedBytes) {
      var reader = ByteReader(record)
      let format = try reader.readUInt8()
      guard format == Self.format else {
        throw MalformedBytes("format \(format), this version reads \(Self.format)", offset: 0)
      }
      let last = try EntryID(from: &reader)
      _ = try reader.readUInt64()
      try reader.expectEnd()
      return last
    } catch {
      throw .corrupt("the record of how far the state has come is damaged: \(error)")
    }
  }
}
