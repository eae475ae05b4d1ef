import RaftCore

/// Why a store could not do what it was asked. A store that has failed to write is not to be used again: what a failed
/// write or sync has left behind is not known.
public enum StoreError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Entries would not follow the log without a gap.
  case gap(last: LogIndex, first: LogIndex)
  /// There are not as many entries as the write names.
  case incomplete(after: LogIndex, through: LogIndex, entries: Int)
  /// What is compacted away was to be overwritten.
  case compacted(base: LogIndex, after: LogIndex)
  /// A store that already holds a log was to be founded anew.
  case notEmpty
  /// What the store holds is damaged, or was written by another version. It names the place.
  case corrupt(String)
  /// The environment failed: the device, the file system, the library.
  case failed(String)

  /// The reason in words.
  public var description: String {
    switch self {
    case .gap(let last, let first): "entry \(first) does not follow the last entry \(last)"
    case .incomplete(let after, let through, let entries):
      "a write of the entries after \(after) through \(through) came with \(entries) entries"
    case .compacted(let base, let after):
      "entries after \(after) were to be written, but the log is compacted through \(base)"
    case .notEmpty: "the store already holds a log"
    case .corrupt(let reason): reason
    case .failed(let reason): reason
    }
  }
}
