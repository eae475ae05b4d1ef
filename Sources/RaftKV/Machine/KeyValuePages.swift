import RaftCore

/// A key as it is found by those who want to know more than its value.
public struct KeyFinding: Hashable, Sendable {
  /// What stands under the key; nil if nothing does.
  public var value: StoredValue?
  /// The time of the log.
  public var time: UInt64
}

/// Which keys, in the order of their bytes, are asked for.
public struct PageQuery: Hashable, Sendable {
  /// The namespace.
  public var namespace: Bytes
  /// The first key that counts.
  public var lower: Bytes
  /// The first key that no longer counts; nil for no end.
  public var upper: Bytes?
  /// How many keys there are in the answer at most.
  public var limit: Int
  /// Once keys and values take so many bytes, there are no more of them in the answer.
  public var bytesMax: Int
  /// Whether the values are wanted.
  public var hasValues: Bool

  /// Asks for keys.
  public init(
    namespace: Bytes, from lower: Bytes, to upper: Bytes?, limit: Int, bytesMax: Int, hasValues: Bool = true
  ) {
    self.namespace = namespace
    self.lower = lower
    self.upper = upper
    self.limit = limit
    self.bytesMax = bytesMax
    self.hasValues = hasValues
  }
}

/// Keys, in the order of their bytes.
public struct KeyPage: Hashable, Sendable {
  /// A key and what stands under it.
  public struct Item: Hashable, Sendable {
    /// The key.
    public var key: Bytes
    /// The value; without its payload if that was not wanted.
    public var value: StoredValue
  }

  /// What was found.
  public var items: [Item] = []
  /// The first key that was not looked at; nil if that was all.
  public var next: Bytes?
  /// The log index that the data is as of.
  public var index: UInt64
}

/// Names of namespaces, in the order of their bytes.
public struct NamespacePage: Hashable, Sendable {
  /// What was found.
  public var names: [Bytes] = []
  /// The first name that was not looked at; nil if that was all.
  public var next: Bytes?
}

extension Keyspace {
  /// A value that is not wanted counts for a part of its bytes.
  private static var unwantedShare: Int { 16 }

  /// How many expired keys that are not removed yet a page passes over before it ends early.
  private static var expiredMax: Int { 1_000 }

  /// The keys that a query asks for.
  ///
  /// - Complexity: O(log n + keys in the page).
  func page(_ query: PageQuery, at index: UInt64) -> KeyPage {
    var page = KeyPage(index: index)
    if let upper = query.upper, !query.lower.lexicographicallyPrecedes(upper) { return page }
    let range = KeyLayout.range(of: query.namespace)
    var (bytes, expired) = (0, 0)
    backend.scan(
      from: range.lower + query.lower, to: query.upper.map { range.lower + $0 } ?? range.upper
    ) { stored, record in
      let key = Bytes(stored[range.lower.count...])
      guard page.items.count < query.limit, bytes < query.bytesMax, expired < Self.expiredMax else {
        page.next = key
        return false
      }
      guard let header = StoredValue.Header(record), !header.isExpired(at: time) else {
        expired += 1
        return true
      }
      let payload = query.hasValues ? Bytes(record[header.length...]) : []
      // What the store has copied counts, also if nobody wants it: a page of long values takes long either way.
      bytes += key.count + max(payload.count, record.count / Self.unwantedShare)
      page.items.append(
        .init(
          key: key,
          value: StoredValue(
            kind: header.kind, payload: payload, expiry: header.expiry, version: header.version)))
      return true
    }
    return page
  }

  /// At most `limit` names of namespaces that have keys, from `lower` on.
  func namespacePage(from lower: Bytes, limit: Int) -> NamespacePage {
    var page = NamespacePage()
    let range = KeyLayout.counts
    backend.scan(from: range.lower + lower, to: range.upper) { key, _ in
      let name = KeyLayout.splitCountKey(key)
      guard page.names.count < limit else {
        page.next = name
        return false
      }
      page.names.append(name)
      return true
    }
    return page
  }
}
