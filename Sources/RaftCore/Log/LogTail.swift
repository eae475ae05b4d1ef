/// The retained entries with their payloads, `(base, last]`: a window that grows at its end and is trimmed in front.
struct LogTail<Payload: Sendable>: Sendable {
  /// Index of the entry before the first one held.
  private(set) var base: LogIndex
  private var entries: [Entry<Payload>] = []
  /// How many entries in front of `entries` are already trimmed away.
  private var head = 0

  init(base: LogIndex) { self.base = base }

  var lastIndex: LogIndex { base.advanced(by: entries.count - head) }

  /// The entries `(after, through]`; nil unless all of them are held.
  ///
  /// - Complexity: O(1). Do not keep the slice across a change of the log: the change would copy everything.
  func slice(after: LogIndex, through: LogIndex) -> ArraySlice<Entry<Payload>>? {
    guard after >= base, through <= lastIndex, after <= through else { return nil }
    let start = head + base.distance(to: after)
    return entries[start..<(start + after.distance(to: through))]
  }

  mutating func append(_ entry: Entry<Payload>) {
    assert(entry.id.index == lastIndex.next, "entries are appended without a gap")
    entries.append(entry)
  }

  mutating func append(contentsOf newEntries: ArraySlice<Entry<Payload>>) {
    assert(
      newEntries.first.map { $0.id.index == lastIndex.next } ?? true, "entries are appended without a gap")
    entries.append(contentsOf: newEntries)
  }

  mutating func truncate(after index: LogIndex) {
    guard index < lastIndex else { return }
    entries.removeLast(index.distance(to: lastIndex))
  }

  /// Lets go of everything through `index`.
  mutating func trim(through index: LogIndex) {
    guard index > base else { return }
    let count = min(base.distance(to: index), entries.count - head)
    // The payloads go at once; their empty places go when there are many.
    for position in head..<(head + count) { entries[position].content = .empty }
    head += count
    base = index
    if head > 1024, head > entries.count / 2 {
      entries.removeFirst(head)
      head = 0
    } else if head == entries.count {
      entries.removeAll(keepingCapacity: true)
      head = 0
    }
  }
}
