import RaftCore
import RaftServer
import Testing

@testable import RaftKV

private func bytes(_ text: String) -> Bytes { Bytes(text.utf8) }

@Suite("Values, whoever put them")
struct StoredValueTests {
  @Test(
    "a JSON string is stored as its text, and everything else as it was written",
    arguments: [
      (#""plain""#, "plain"), (#""""#, ""), (#""tab\tquote\" \\ é""#, "tab\tquote\" \\ é"),
      (#""\u0001""#, "\u{1}"),
    ])
  func strings(json: String, text: String) {
    let value = StoredValue(json: bytes(json))
    #expect(value.kind == .string)
    #expect(value.payload == bytes(text))
    #expect(value.json == bytes(json))
  }

  @Test(
    "other JSON keeps its kind", arguments: ["1", "-0.50", "null", "true", #"{"a":[1,"b"]}"#, #""\ud800""#])
  func others(json: String) {
    let value = StoredValue(json: bytes(json))
    #expect(value.kind == .json)
    #expect(value.json == bytes(json))
  }

  @Test("bytes that are no UTF-8 are no JSON")
  func binary() {
    #expect(StoredValue(kind: .string, payload: [0xFF]).json == nil)
    #expect(StoredValue(kind: .bloomFilter, payload: [1]).json == nil)
  }
}

@Suite("Commands in the log")
struct KeyValueRunTests {
  private var machine = TestMachine(backend: SortedBackend())
  private var index: UInt64 = 0

  private mutating func run(
    _ texts: [String], watched: [WatchedKey] = [], at time: UInt64 = 1_000
  ) -> KeyValueOutcome {
    index += 1
    let calls = texts.map {
      KeyValueCall(namespace: bytes("default"), arguments: $0.split(separator: " ").map { Bytes($0.utf8) })
    }
    return machine.apply(
      .run(calls, watched: watched), at: ApplyContext(logIndex: LogIndex(index), time: time))
  }

  private func get(_ key: String) -> KeyValueAnswer {
    machine.read(.get(namespace: bytes("default"), key: bytes(key)))
  }

  @Test("what one protocol puts, the other one reads")
  mutating func protocols() {
    #expect(run(["SET a text"]) == .replies([.ok]))
    #expect(get("a") == .value(bytes(#""text""#)))
    let put = KeyValueCommand.put(namespace: bytes("default"), key: bytes("b"), value: bytes(#""x y""#))
    _ = machine.apply(put, at: ApplyContext(logIndex: LogIndex(9), time: 1_000))
    #expect(
      machine.read(.run([.init(namespace: bytes("default"), arguments: [bytes("GET"), bytes("b")])]))
        == .replies([.bulk("x y")]))
  }

  @Test("several commands run at once, or not at all if a watched key has changed")
  mutating func watching() {
    #expect(run(["SET a 1", "INCR a"]) == .replies([.ok, .integer(2)]))
    guard
      case .versions(let watched) = machine.read(
        .versions([WatchedKey(namespace: bytes("default"), key: bytes("a"), version: 0)]))
    else { return }
    #expect(watched.map(\.version) == [1])
    #expect(run(["INCR a"], watched: watched) == .replies([.integer(3)]))
    #expect(run(["INCR a"], watched: watched) == .changed)
    #expect(get("a") == .value(bytes(#""3""#)))
  }

  @Test("what has expired is gone, and does not come back when time stands still or the store is read anew")
  mutating func expiry() throws {
    #expect(run(["SET a 1 PX 500"], at: 1_000) == .replies([.ok]))
    #expect(machine.read(.clock) == .clock(now: 1_000, nextExpiry: 1_500))
    _ = machine.apply(.tick, at: ApplyContext(logIndex: LogIndex(50), time: 1_499))
    #expect(get("a") == .value(bytes(#""1""#)))
    _ = machine.apply(.tick, at: ApplyContext(logIndex: LogIndex(51), time: 1_500))
    #expect(get("a") == .value(nil))
    #expect(machine.read(.clock) == .clock(now: 1_500, nextExpiry: nil))
    // A leader whose clock is behind.
    #expect(run(["SET b 1 PX 500"], at: 100) == .replies([.ok]))
    #expect(machine.read(.clock) == .clock(now: 1_500, nextExpiry: 2_000))
    let again = TestMachine(backend: machine.keyspace.backend)
    #expect(again.read(.clock) == machine.read(.clock))
  }

  @Test("commands and what they answer survive their encoding")
  func encoding() throws {
    let call = KeyValueCall(namespace: [1], arguments: [[2], [], [3, 4]])
    let run = KeyValueCommand.run([call, call], watched: [WatchedKey(namespace: [], key: [7], version: 8)])
    #expect(try KeyValueCommand(decoding: run.encoded()) == run)
    #expect(try KeyValueCommand(decoding: KeyValueCommand.tick.encoded()) == .tick)
    let reply = Reply.array([
      .null, .nullArray, .ok, .error("ERR x"), .integer(-1), .double("1.5"), .bulk([0, 255]),
      .map([.init(.bulk("k"), .set([.boolean(true)]))]), .verbatim(format: "txt", text: [1]),
    ])
    for outcome in [KeyValueOutcome.replies([reply, .integer(.min)]), .changed, .done] {
      #expect(try KeyValueOutcome(decoding: outcome.encoded()) == outcome)
    }
    for count in 0..<run.encoded().count {
      #expect(throws: MalformedBytes.self) { try KeyValueCommand(decoding: Bytes(run.encoded()[..<count])) }
    }
  }
}
