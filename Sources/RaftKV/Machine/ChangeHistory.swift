import RaftCore

/// One change of the data of users.
public struct KeyEvent: Hashable, Sendable {
  /// What has become of the key.
  public enum Content: Hashable, Sendable {
    /// This stands there now.
    case put(StoredValue)
    /// It was removed.
    case deleted
    /// Its time was over.
    case expired
    /// All keys of the namespace are gone; no single one is named.
    case cleared
  }

  /// The log index of the command that has changed it.
  public var index: UInt64
  /// The namespace; nil if all are meant.
  public var namespace: Bytes?
  /// The key; empty if all are meant.
  public var key: Bytes
  /// What has become of it.
  public var content: Content

  /// About how much memory it takes.
  var bytes: Int {
    let payload = if case .put(let value) = content { value.payload.count } else { 0 }
    return payload + key.count + (namespace?.count ?? 0) + 160
  }
}

/// Which changes somebody waits for.
public struct KeyFilter: Hashable, Sendable {
  /// The namespace.
  public var namespace: Bytes
  /// The key itself, or how keys begin.
  public var key: Bytes
  /// Whether all keys that begin so are meant.
  public var isPrefix: Bool

  /// Names one key, or all that begin alike.
  public init(namespace: Bytes, key: Bytes, isPrefix: Bool) {
    self.namespace = namespace
    self.key = key
    self.isPrefix = isPrefix
  }

  func matches(_ event: KeyEvent) -> Bool {
    guard event.namespace == nil || event.namespace == namespace else { return false }
    if case .cleared = event.content { return true }
    return isPrefix ? event.key.starts(with: key) : event.key == key
  }
}

/// How far somebody has followed the changes.
public struct HistoryPosition: Hashable, Sendable {
  /// The log index of the next change.
  public var index: UInt64
  /// How many changes of that index have been seen.
  public var seen: Int

  /// Before the first change of a log index.
  public init(index: UInt64, seen: Int = 0) {
    self.index = index
    self.seen = seen
  }
}

/// The latest changes, in the order of the log. Not part of the replicated state, but the same on all replicas as far as
/// they remember: each remembers what it has applied since it was started, or was given a snapshot, within the limits.
public struct ChangeHistory: Sendable {
  /// The most bytes that are remembered.
  public let bytesMax: Int
  /// The most changes that are remembered.
  public let eventsMax: Int
  /// Everything behind this index is remembered.
  public private(set) var forgottenThrough: UInt64 = 0

  /// From `head` on, the changes; nil before it.
  private var events: [KeyEvent?] = []
  /// Index and size of each, so that one needs not be copied to be forgotten.
  private var marks: [(index: UInt64, bytes: Int)] = []
  private var head = 0
  private(set) var bytes = 0

  /// Remembers nothing yet.
  ///
  /// - Parameters:
  ///   - bytesMax: How many bytes it takes at most, about.
  ///   - eventsMax: How many changes it remembers at most.
  public init(bytesMax: Int = 16 << 20, eventsMax: Int = 65_536) {
    self.bytesMax = bytesMax
    self.eventsMax = eventsMax
  }

  /// How many changes are remembered.
  public var count: Int { events.count - head }

  /// Forgets everything: what follows comes after `index`.
  mutating func restart(after index: UInt64) {
    self = ChangeHistory(bytesMax: bytesMax, eventsMax: eventsMax)
    forgottenThrough = index
  }

  /// Notes a change; its index is not less than that of the one before.
  mutating func record(_ event: KeyEvent) {
    // The command itself has changed more than is remembered.
    guard event.index > forgottenThrough else { return }
    let size = event.bytes
    events.append(event)
    marks.append((event.index, size))
    bytes += size
    // What came last stays, however large it is: whoever follows would otherwise lose its place at every large value.
    while bytes > bytesMax || count > eventsMax, marks[head].index < event.index { forgetFirst() }
  }

  /// Forgets all changes of the first index, as nobody can make sense of some of them.
  private mutating func forgetFirst() {
    guard head < marks.count else { return }
    let index = marks[head].index
    while head < marks.count, marks[head].index == index {
      bytes -= marks[head].bytes
      events[head] = nil
      head += 1
    }
    forgottenThrough = index
    if head == events.count {
      events.removeAll(keepingCapacity: true)
      marks.removeAll(keepingCapacity: true)
      head = 0
    } else if head > 1_024, head > events.count / 2 {
      events.removeFirst(head)
      marks.removeFirst(head)
      head = 0
    }
  }

  /// Where the first change stands whose index is not less than `index`.
  private func firstPosition(from index: UInt64) -> Int {
    var (low, high) = (head, events.count)
    while low < high {
      let middle = (low + high) / 2
      if marks[middle].index < index { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

// MARK: - Following

/// What somebody asks who follows changes.
public struct ChangeQuery: Hashable, Sendable {
  /// Which changes.
  public var filter: KeyFilter
  /// From where on.
  public var position: HistoryPosition
  /// Once the changes take so many bytes, there are no more of them in the answer.
  public var bytesMax: Int

  /// Asks for changes.
  public init(filter: KeyFilter, position: HistoryPosition, bytesMax: Int) {
    self.filter = filter
    self.position = position
    self.bytesMax = bytesMax
  }
}

/// Changes, in the order of the log.
public struct ChangePage: Hashable, Sendable {
  /// One change.
  public struct Item: Hashable, Sendable {
    /// The change.
    public var event: KeyEvent
    /// Whether others of the same log index follow that match.
    public var hasMore = false
  }

  /// The changes that match.
  public var items: [Item] = []
  /// From where on to ask next.
  public var next: HistoryPosition
  /// Whether that was all that there is so far.
  public var isAll = true
}

extension ChangeHistory {
  /// The changes from a position on, as far as the log was applied; nil if some of them are forgotten.
  ///
  /// - Complexity: O(log n + changes from there on).
  func page(_ query: ChangeQuery, applied: UInt64) -> ChangePage? {
    guard query.position.index > forgottenThrough else { return nil }
    var page = ChangePage(next: query.position)
    let start = min(firstPosition(from: query.position.index) + query.position.seen, events.count)
    var bytes = 0
    for place in start..<events.count {
      guard let event = events[place] else { continue }
      let isMatch = query.filter.matches(event)
      if let last = page.items.last?.event, isMatch, last.index == event.index {
        page.items[page.items.count - 1].hasMore = true
      }
      // A change that is left out still tells those before it that there are more of them.
      if !page.isAll, isMatch || page.next.index != event.index { break }
      if !page.isAll { continue }
      page.next = HistoryPosition(
        index: event.index, seen: page.next.index == event.index ? page.next.seen + 1 : 1)
      guard isMatch else { continue }
      page.items.append(.init(event: event))
      bytes += event.bytes
      if bytes >= query.bytesMax { page.isAll = false }
    }
    if page.isAll {
      if page.next.index <= applied { page.next = HistoryPosition(index: applied + 1) }
    } else if let last = page.items.last, !last.hasMore {
      // Nothing of this index is missing, so it does not matter if it is forgotten.
      page.next = HistoryPosition(index: last.event.index + 1)
    }
    return page
  }
}
