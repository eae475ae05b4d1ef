/// What an entry carries.
public enum EntryContent<Payload: Sendable>: Sendable {
  /// Nothing: a leader opens its term with such an entry, to commit what earlier terms left (thesis §3.6.2, §6.4).
  case empty
  /// A cluster configuration; in force from the moment it is appended (thesis §4.1).
  case configuration(Configuration)
  /// A command of the embedder's.
  case payload(Payload)
}

/// One entry of the replicated log.
public struct Entry<Payload: Sendable>: Sendable {
  /// Term and index, by which log matching is judged.
  public var id: EntryID
  /// What it carries.
  public var content: EntryContent<Payload>
  /// Size in bytes by which limits are accounted; the same number on every node that holds the entry.
  public var bytes: UInt32

  /// Makes an entry whose content takes `bytes` bytes.
  public init(id: EntryID, content: EntryContent<Payload>, bytes: UInt32) {
    self.id = id
    self.content = content
    self.bytes = bytes
  }
}

extension EntryContent: Equatable where Payload: Equatable {}
extension Entry: Equatable where Payload: Equatable {}

/// Bytes, as payloads and frames hold them.
public typealias Bytes = [UInt8]
