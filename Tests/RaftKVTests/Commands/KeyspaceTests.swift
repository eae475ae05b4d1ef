import RaftCore
import RaftStore
import Testing

@testable import RaftKV

@Suite("Keyspace")
struct KeyspaceTests {
  private var keyspace = Keyspace(backend: MemoryBackend(), time: 1000, logIndex: 7)
  private let first = Bytes("first".utf8)
  private let second: Bytes = [0, 1, 0]

  private func value(_ text: String, expiry: UInt64? = nil) -> StoredValue {
    StoredValue(kind: .string, payload: Bytes(text.utf8), expiry: expiry)
  }

  @Test("A value is read back with the index that it was stored at", arguments: [nil, 0, 5, UInt64.max])
  func storedValue(expiry: UInt64?) {
    for kind in StoredValue.Kind.allCases {
      let value = StoredValue(kind: kind, payload: [1, 2, 3], expiry: expiry, version: 99)
      #expect(StoredValue(encoded: value.encoded) == value)
      for count in 0..<(expiry == nil ? 11 : 19) {
        #expect(StoredValue(encoded: Bytes(value.encoded.prefix(count))) == nil)
      }
    }
    #expect(StoredValue(encoded: [2, 1, 0] + Bytes(repeating: 0, count: 8)) == nil)
    #expect(StoredValue(encoded: [1, 9, 0] + Bytes(repeating: 0, count: 8)) == nil)
    #expect(StoredValue(encoded: [1, 1, 2] + Bytes(repeating: 0, count: 8)) == nil)
  }

  @Test("Namespaces do not see each other, and are listed while they have keys")
  mutating func namespaces() {
    keyspace.set(value("a"), namespace: first, key: [1])
    keyspace.set(value("b"), namespace: second, key: [1])
    keyspace.set(value("c"), namespace: second, key: [])
    #expect(keyspace.value(namespace: first, key: [1])?.payload == [0x61])
    #expect(keyspace.value(namespace: second, key: [1])?.payload == [0x62])
    #expect(keyspace.value(namespace: second, key: [1])?.version == 7)
    #expect(keyspace.count(namespace: second) == 2)
    #expect(keyspace.namespaces == [second, first])
    let removals = [
      keyspace.remove(namespace: second, key: [1]), keyspace.remove(namespace: second, key: [1]),
    ]
    #expect(removals == [true, false])
    keyspace.clear(namespace: second)
    #expect(keyspace.namespaces == [first])
    #expect(keyspace.count(namespace: second) == 0)
    keyspace.clear()
    #expect(keyspace.backend.count == 0)
  }

  @Test("A key that has expired is absent before it is removed")
  mutating func expiry() {
    keyspace.set(value("a", expiry: 2000), namespace: first, key: [1])
    keyspace.set(value("b", expiry: 1500), namespace: second, key: [2])
    keyspace.set(value("c"), namespace: first, key: [3])
    #expect(keyspace.nextExpiry == 1500)
    let early = keyspace.reclaimExpired(limit: 10)
    #expect(early == 0)
    keyspace.time = 2000
    #expect(keyspace.value(namespace: first, key: [1]) == nil)
    #expect(!keyspace.contains(namespace: second, key: [2]))
    #expect(keyspace.page(namespace: first, limit: 10).map(\.key) == [[3]])
    #expect(keyspace.count(namespace: first) == 2)
    let some = keyspace.reclaimExpired(limit: 1)
    #expect(some == 1)
    #expect(keyspace.namespaces == [first])
    #expect(keyspace.nextExpiry == 2000)
    let rest = keyspace.reclaimExpired(limit: 10)
    #expect(rest == 1)
    #expect(keyspace.nextExpiry == nil)
    #expect(keyspace.count(namespace: first) == 1)
    #expect(keyspace.backend.count == 2)
  }

  @Test("A change replaces the expiry, and one that has passed removes the key")
  mutating func changedExpiry() {
    keyspace.set(value("a", expiry: 2000), namespace: first, key: [1])
    keyspace.set(value("a", expiry: 3000), namespace: first, key: [1])
    #expect(keyspace.nextExpiry == 3000)
    keyspace.set(value("a"), namespace: first, key: [1])
    #expect(keyspace.nextExpiry == nil)
    keyspace.set(value("a", expiry: 3000), namespace: first, key: [1])
    keyspace.set(value("a", expiry: 1000), namespace: first, key: [1])
    #expect(keyspace.backend.count == 0)
    keyspace.set(value("a", expiry: 2000), namespace: first, key: [1])
    keyspace.time = 2500
    let wasThere = keyspace.remove(namespace: first, key: [1])
    #expect(!wasThere)
    #expect(keyspace.backend.count == 0)
    keyspace.set(value("a", expiry: 3000), namespace: first, key: [1])
    keyspace.clear(namespace: first)
    #expect(keyspace.backend.count == 0)
  }

  @Test("A page begins behind a cursor, and stays within a prefix")
  mutating func pages() {
    for key in ["a", "ab", "abc", "abd", "b", "b\u{0}"] {
      keyspace.set(value(key), namespace: first, key: Bytes(key.utf8))
    }
    func page(_ prefix: String, _ cursor: String?, _ limit: Int) -> [String] {
      keyspace.page(
        namespace: first, prefix: Bytes(prefix.utf8), after: cursor.map { Bytes($0.utf8) }, limit: limit
      ).map { String(decoding: $0.key, as: UTF8.self) }
    }
    #expect(page("", nil, 2) == ["a", "ab"])
    #expect(page("", "ab", 2) == ["abc", "abd"])
    #expect(page("", "b", 9) == ["b\u{0}"])
    #expect(page("ab", nil, 9) == ["ab", "abc", "abd"])
    #expect(page("ab", "a", 2) == ["ab", "abc"])
    #expect(page("ab", "b", 9) == [])
    #expect(page("", nil, 0) == [])
  }

  @Test("Much is removed in pieces")
  mutating func clearing() {
    for number in 0..<5000 {
      keyspace.set(
        value("v", expiry: number % 2 == 0 ? nil : 5000), namespace: first, key: Bytes("\(number)".utf8))
    }
    keyspace.set(value("v", expiry: 5000), namespace: second, key: [1])
    keyspace.clear(namespace: first)
    #expect(keyspace.namespaces == [second])
    #expect(keyspace.backend.count == 3)
  }
}
