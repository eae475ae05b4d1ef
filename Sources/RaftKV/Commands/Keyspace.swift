import RaftCore

/// The data of users as commands see it at one moment of the log: values of some kind by namespace and key, some of
/// which expire.
///
/// What has expired reads as absent from then on, and is removed later, by a change of the key or by
/// ``reclaimExpired(limit:)``. The table of expiries and the number of keys follow every change.
public struct Keyspace<Backend: OrderedBackend>: Sendable {
  /// Where the data is.
  public var backend: Backend
  /// The time of the log, in milliseconds since 1970.
  public var time: UInt64
  /// The index of the log that changes are made at: the version of what they store.
  public var logIndex: UInt64
  /// How many bytes of values were stored.
  private(set) var writtenBytes = 0
  /// Nothing expires earlier than this. Only saves looking: what is removed, and when, does not depend on it.
  private var nothingExpiresBefore: UInt64 = 0
  /// The latest changes.
  public var history = ChangeHistory()

  /// What `backend` holds, at a moment.
  public init(backend: Backend, time: UInt64 = 0, logIndex: UInt64 = 0) {
    self.backend = backend
    self.time = time
    self.logIndex = logIndex
  }

  /// What stands under `key`; nil if nothing does, or if it has expired.
  public func value(namespace: Bytes, key: Bytes) -> StoredValue? {
    record(namespace: namespace, key: key).flatMap { StoredValue(encoded: $0.bytes) }
  }

  /// Whether something stands under `key`.
  public func contains(namespace: Bytes, key: Bytes) -> Bool { header(namespace: namespace, key: key) != nil }

  /// What is known of the value of `key` without its payload.
  func header(namespace: Bytes, key: Bytes) -> StoredValue.Header? {
    record(namespace: namespace, key: key)?.header
  }

  /// The value of `key` as it is stored, for those who would rather not have a copy of a long payload.
  func record(namespace: Bytes, key: Bytes) -> (header: StoredValue.Header, bytes: Bytes)? {
    guard let bytes = backend.get(KeyLayout.storedKey(namespace: namespace, key: key)),
      let header = live(bytes)
    else { return nil }
    return (header, bytes)
  }

  /// The header of a value that has not expired.
  private func live(_ bytes: Bytes) -> StoredValue.Header? {
    guard let header = StoredValue.Header(bytes), !header.isExpired(at: time) else { return nil }
    return header
  }

  /// Puts `value` under `key`, with the current index as its version. A value whose expiry is not in the future leaves
  /// nothing there.
  public mutating func set(_ value: StoredValue, namespace: Bytes, key: Bytes) {
    if let expiry = value.expiry, expiry <= time {
      remove(namespace: namespace, key: key)
      return
    }
    let stored = KeyLayout.storedKey(namespace: namespace, key: key)
    var value = value
    value.version = logIndex
    writtenBytes &+= value.payload.count
    let old = backend.exchange(value.encoded, for: stored)
    let oldHeader = old.flatMap(StoredValue.Header.init)
    let oldExpiry = oldHeader?.expiry
    if let oldHeader, oldHeader.isExpired(at: time) { note(.expired, namespace, key) }
    if oldExpiry != value.expiry {
      if let oldExpiry { backend.delete(KeyLayout.expiryKey(at: oldExpiry, of: stored)) }
      if let expiry = value.expiry {
        backend.put([], for: KeyLayout.expiryKey(at: expiry, of: stored))
        nothingExpiresBefore = min(nothingExpiresBefore, expiry)
      }
    }
    if old == nil { add(1, to: namespace) }
    note(.put(value), namespace, key)
  }

  /// Remembers a change.
  private mutating func note(_ content: KeyEvent.Content, _ namespace: Bytes?, _ key: Bytes) {
    history.record(KeyEvent(index: logIndex, namespace: namespace, key: key, content: content))
  }

  /// Removes `key`.
  ///
  /// - Returns: Whether something stood there that had not expired.
  @discardableResult
  public mutating func remove(namespace: Bytes, key: Bytes) -> Bool {
    let stored = KeyLayout.storedKey(namespace: namespace, key: key)
    guard let old = backend.get(stored) else { return false }
    let header = StoredValue.Header(old)
    if let expiry = header?.expiry { backend.delete(KeyLayout.expiryKey(at: expiry, of: stored)) }
    backend.delete(stored)
    add(-1, to: namespace)
    let wasThere = header.map { !$0.isExpired(at: time) } ?? false
    note(wasThere ? .deleted : .expired, namespace, key)
    return wasThere
  }
}

// MARK: - Counting

extension Keyspace {
  /// How many keys `namespace` has, with those that have expired and are not removed yet.
  ///
  /// - Complexity: O(log n).
  public func count(namespace: Bytes) -> Int {
    guard let bytes = backend.get(KeyLayout.countKey(namespace: namespace)), bytes.count == 8 else {
      return 0
    }
    return Int(truncatingIfNeeded: bytes.littleEndian(at: 0))
  }

  /// The namespaces that have keys, in the order of their bytes.
  public var namespaces: [Bytes] {
    var found: [Bytes] = []
    let range = KeyLayout.counts
    backend.scan(from: range.lower, to: range.upper) { key, _ in
      found.append(KeyLayout.splitCountKey(key))
      return true
    }
    return found
  }

  private mutating func add(_ change: Int, to namespace: Bytes) {
    let key = KeyLayout.countKey(namespace: namespace)
    let count = count(namespace: namespace) + change
    guard count > 0 else {
      backend.delete(key)
      return
    }
    var bytes: Bytes = []
    bytes.append(littleEndian: UInt64(count))
    backend.put(bytes, for: key)
  }
}

// MARK: - Expiring

extension Keyspace {
  /// The earliest expiry there is, passed or not.
  ///
  /// - Complexity: O(log n); O(1) if nothing is known to expire.
  public var nextExpiry: UInt64? {
    guard nothingExpiresBefore < .max else { return nil }
    var earliest: UInt64?
    let range = KeyLayout.expiries
    backend.scan(from: range.lower, to: range.upper) { key, _ in
      earliest = KeyLayout.splitExpiryKey(key)?.expiry
      return false
    }
    return earliest
  }

  /// Removes keys that have expired, those that did first before others.
  ///
  /// - Returns: How many were removed, at most `limit`.
  @discardableResult
  public mutating func reclaimExpired(limit: Int) -> Int {
    guard limit > 0, time >= nothingExpiresBefore else { return 0 }
    var expired: [Bytes] = []
    var next = UInt64.max
    let range = KeyLayout.expiries
    backend.scan(from: range.lower, to: range.upper) { key, _ in
      guard let (expiry, stored) = KeyLayout.splitExpiryKey(key) else { return false }
      guard expiry <= time, expired.count < limit else {
        next = expiry
        return false
      }
      expired.append(stored)
      return true
    }
    nothingExpiresBefore = next
    for stored in expired {
      guard let (namespace, key) = KeyLayout.split(stored) else { continue }
      remove(namespace: namespace, key: key)
    }
    return expired.count
  }
}

// MARK: - Many keys

extension Keyspace {
  /// Visits the keys of `namespace` that have not expired, in the order of their bytes, until `visit` returns false:
  /// those from `lower` on, and below `upper` unless that is nil.
  public func scan(
    namespace: Bytes, from lower: Bytes = [], to upper: Bytes? = nil, _ visit: (Bytes, StoredValue) -> Bool
  ) {
    scanRecords(namespace: namespace, from: lower, to: upper) { record in
      StoredValue(encoded: record.bytes).map { visit(record.key, $0) } ?? true
    }
  }

  /// Visits keys as ``scan(namespace:from:to:_:)`` does, without copying the values.
  func scanKeys(
    namespace: Bytes, from lower: Bytes = [], to upper: Bytes? = nil,
    _ visit: (Bytes, StoredValue.Header) -> Bool
  ) {
    scanRecords(namespace: namespace, from: lower, to: upper) { visit($0.key, $0.header) }
  }

  /// One key and its value as they are stored.
  struct Record {
    /// The key in the store, of which the user's begins at an offset.
    var stored: Bytes
    var keyOffset: Int
    /// The value in the store, of which the payload comes behind the header.
    var bytes: Bytes
    var header: StoredValue.Header

    /// A copy of the user's key.
    var key: Bytes { Bytes(stored[keyOffset...]) }
  }

  /// Visits keys as ``scan(namespace:from:to:_:)`` does, without copying anything.
  func scanRecords(
    namespace: Bytes, from lower: Bytes = [], to upper: Bytes? = nil, _ visit: (Record) -> Bool
  ) {
    if let upper, !lower.lexicographicallyPrecedes(upper) { return }
    let range = KeyLayout.range(of: namespace)
    backend.scan(
      from: range.lower + lower, to: upper.map { range.lower + $0 } ?? range.upper
    ) { stored, bytes in
      guard let header = live(bytes) else { return true }
      return visit(Record(stored: stored, keyOffset: range.lower.count, bytes: bytes, header: header))
    }
  }

  /// At most `limit` keys of `namespace` with their values, in the order of their bytes: those that begin with `prefix`
  /// and come after `cursor`, unless that is nil.
  public func page(
    namespace: Bytes, prefix: Bytes = [], after cursor: Bytes? = nil, limit: Int
  ) -> [(key: Bytes, value: StoredValue)] {
    guard limit > 0 else { return [] }
    var found: [(key: Bytes, value: StoredValue)] = []
    // Nothing sorts between a key and the same key with a byte 0 at its end.
    let after = cursor.map { $0 + [0] } ?? []
    let lower = after.lexicographicallyPrecedes(prefix) ? prefix : after
    scan(namespace: namespace, from: lower, to: prefix.afterAllWithPrefix) { key, value in
      found.append((key, value))
      return found.count < limit
    }
    return found
  }

  /// Removes all keys of `namespace`.
  public mutating func clear(namespace: Bytes) {
    let range = KeyLayout.range(of: namespace)
    remove(from: range.lower, to: range.upper) { stored, value in
      guard let expiry = StoredValue.Header(value)?.expiry else { return nil }
      return KeyLayout.expiryKey(at: expiry, of: stored)
    }
    backend.delete(KeyLayout.countKey(namespace: namespace))
    note(.cleared, namespace, [])
  }

  /// Removes all keys of all namespaces.
  public mutating func clear() {
    let range = KeyLayout.userTables
    remove(from: range.lower, to: range.upper) { _, _ in nil }
    note(.cleared, nil, [])
  }

  /// Removes a range of the store, some keys at a time, and with each key the one that `companion` names.
  private mutating func remove(
    from lower: Bytes, to upper: Bytes, with companion: (Bytes, Bytes) -> Bytes?
  ) {
    var keys: [Bytes] = []
    repeat {
      keys.removeAll(keepingCapacity: true)
      backend.scan(from: lower, to: upper) { key, value in
        keys.append(key)
        if let other = companion(key, value) { keys.append(other) }
        return keys.count < 4096
      }
      for key in keys { backend.delete(key) }
    } while !keys.isEmpty
  }
}

extension Bytes {
  /// The first bytes that sort after everything that begins with these; nil if there are none.
  var afterAllWithPrefix: Bytes? {
    guard let last = lastIndex(where: { $0 != .max }) else { return nil }
    return Bytes(self[..<last]) + [self[last] + 1]
  }
}
