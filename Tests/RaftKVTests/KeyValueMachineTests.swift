import RaftCore
import RaftServer
import Testing

@testable import RaftKV

private func bytes(_ text: String) -> Bytes { Bytes(text.utf8) }

@Suite("The key-value state machine")
struct KeyValueMachineTests {
  private let context = ApplyContext(logIndex: LogIndex(1), time: 0)

  @Test("put, get and delete, in namespaces that do not see each other")
  func namespaces() {
    var machine = TestMachine(backend: SortedBackend())
    func get(_ namespace: String, _ key: String) -> KeyValueAnswer {
      machine.read(.get(namespace: bytes(namespace), key: bytes(key)))
    }
    #expect(get("a", "k") == .value(nil))
    #expect(
      machine.apply(.put(namespace: bytes("a"), key: bytes("k"), value: bytes("1")), at: context) == .done)
    #expect(
      machine.apply(.put(namespace: bytes("b"), key: bytes("k"), value: bytes("2")), at: context) == .done)
    #expect(
      machine.apply(.put(namespace: bytes("a"), key: bytes("k"), value: bytes("3")), at: context) == .done)
    #expect(get("a", "k") == .value(bytes("3")))
    #expect(get("b", "k") == .value(bytes("2")))
    #expect(machine.apply(.delete(namespace: bytes("a"), key: bytes("k")), at: context) == .done)
    #expect(machine.apply(.delete(namespace: bytes("a"), key: bytes("k")), at: context) == .done)
    #expect(get("a", "k") == .value(nil))
    #expect(get("b", "k") == .value(bytes("2")))
  }

  /// Short byte strings over the bytes that escaping treats specially, and their neighbours.
  private static let awkward: [Bytes] = {
    var all: [Bytes] = [[]]
    for length in 1...3 {
      for shorter in all where shorter.count == length - 1 {
        for byte in [0x00, 0x01, 0x02, 0x61, 0xFF] as [UInt8] { all.append(shorter + [byte]) }
      }
    }
    return all
  }()

  @Test("no two pairs of namespace and key share a stored key, and namespaces are contiguous and in order")
  func keyLayout() {
    let parts = Self.awkward.filter { $0.count <= 2 }
    var stored: Set<Bytes> = []
    for namespace in parts {
      let range = KeyLayout.range(of: namespace)
      for key in parts {
        let storedKey = KeyLayout.storedKey(namespace: namespace, key: key)
        #expect(stored.insert(storedKey).inserted)
        #expect(!storedKey.lexicographicallyPrecedes(range.lower))
        #expect(storedKey.lexicographicallyPrecedes(range.upper))
        let split = KeyLayout.split(storedKey)
        #expect(split?.namespace == namespace)
        #expect(split?.key == key)
      }
    }
    let sorted = Self.awkward.sorted { $0.lexicographicallyPrecedes($1) }
    for (lower, upper) in zip(sorted, sorted.dropFirst()) {
      let (first, second) = (KeyLayout.range(of: lower), KeyLayout.range(of: upper))
      #expect(!second.lower.lexicographicallyPrecedes(first.upper), "\(lower) ends before \(upper) begins")
    }
  }

  @Test("a stored key that is none of user data is not split")
  func foreignKeys() {
    #expect(KeyLayout.split([]) == nil)
    #expect(KeyLayout.split([0, 0, 0, 1, 1, 0, 1]) == nil)
    #expect(KeyLayout.split([0, 0, 0, 0, 2, 0, 1]) == nil)
    #expect(KeyLayout.split([0, 0, 0, 0, 1, 0]) == nil)
    #expect(KeyLayout.split([0, 0, 0, 0, 1, 0, 7]) == nil)
    #expect(KeyLayout.split([0, 0, 0, 0, 1, 97]) == nil)
  }

  @Test("commands and outcomes survive their encoding, and keep it")
  func encoding() throws {
    let put = KeyValueCommand.put(namespace: [1], key: [2, 3], value: [4])
    #expect(put.encoded() == [1, 1, 1, 0, 0, 0, 1, 2, 0, 0, 0, 2, 3, 1, 0, 0, 0, 4])
    #expect(try KeyValueCommand(decoding: put.encoded()) == put)
    let delete = KeyValueCommand.delete(namespace: [], key: [9])
    #expect(delete.encoded() == [1, 2, 0, 0, 0, 0, 1, 0, 0, 0, 9])
    #expect(try KeyValueCommand(decoding: delete.encoded()) == delete)
    #expect(KeyValueOutcome.done.encoded() == [1, 1])
    #expect(try KeyValueOutcome(decoding: [1, 1]) == .done)
  }

  @Test("unknown formats and operations, and damaged commands, are errors")
  func damagedEncoding() {
    let put = KeyValueCommand.put(namespace: [1], key: [2, 3], value: [4]).encoded()
    for count in 0..<put.count {
      #expect(throws: MalformedBytes.self) { try KeyValueCommand(decoding: Bytes(put[..<count])) }
    }
    #expect(throws: MalformedBytes.self) { try KeyValueCommand(decoding: put + [0]) }
    #expect(throws: MalformedBytes.self) { try KeyValueCommand(decoding: [2] + put.dropFirst()) }
    #expect(throws: MalformedBytes.self) { try KeyValueCommand(decoding: [1, 9] + put.dropFirst(2)) }
    #expect(throws: MalformedBytes.self) { try KeyValueOutcome(decoding: [1, 2]) }
    #expect(throws: MalformedBytes.self) { try KeyValueOutcome(decoding: [2, 1]) }
  }

  @Test("the same commands lead to the same state")
  func determinism() {
    func run(_ seed: UInt64) -> SortedBackend {
      var random = RandomSource(seed: seed)
      var machine = TestMachine(backend: SortedBackend())
      for index in 1...500 {
        let namespace = [UInt8(random.next() % 3)]
        let key = [UInt8(random.next() % 20)]
        let command: KeyValueCommand =
          random.next() % 3 == 0
          ? .delete(namespace: namespace, key: key)
          : .put(namespace: namespace, key: key, value: [UInt8(truncatingIfNeeded: random.next())])
        _ = machine.apply(command, at: ApplyContext(logIndex: LogIndex(UInt64(index)), time: random.next()))
      }
      return machine.keyspace.backend
    }
    #expect(run(1) == run(1))
    #expect(run(1) != run(2))
  }
}
