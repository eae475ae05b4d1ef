import RaftCore
import Testing

@testable import RaftKV
@testable import RaftServer

@Suite("Expiry as a part of the state")
struct ExpiryStateTests {
  private static let namespace = Bytes("default".utf8)

  private var index: UInt64 = 0
  private var machine = TestMachine(backend: SortedBackend())

  private mutating func apply(_ command: KeyValueCommand, at time: UInt64) {
    index += 1
    _ = machine.apply(command, at: ApplyContext(logIndex: LogIndex(index), time: time))
  }

  private mutating func put(_ key: String, for milliseconds: UInt64?, at time: UInt64) {
    apply(
      .change([
        KeyChange(
          namespace: Self.namespace, key: Bytes(key.utf8),
          action: .put(Bytes("1".utf8), milliseconds: milliseconds))
      ]), at: time)
  }

  private func isThere(_ key: String, _ machine: TestMachine) -> Bool {
    machine.read(.get(namespace: Self.namespace, key: Bytes(key.utf8))) != .value(nil)
  }

  private func snapshot(of machine: TestMachine) -> Bytes {
    var writer = SnapshotWriter()
    machine.snapshot(into: &writer)
    return writer.writer.bytes
  }

  /// What another replica is that is given a snapshot.
  private func restored(_ bytes: Bytes) throws -> TestMachine {
    var other = TestMachine(backend: SortedBackend())
    var reader = SnapshotReader(bytes)
    try other.restore(from: &reader)
    return other
  }

  @Test("what has expired is gone behind a snapshot and a restart as well, before it is removed")
  mutating func snapshots() throws {
    put("k", for: 1_000, at: 5_000)
    var before = try restored(snapshot(of: machine))
    #expect(isThere("k", before))
    // A plain put removes nothing of what has expired.
    apply(.put(namespace: Self.namespace, key: [0], value: Bytes("0".utf8)), at: 6_000)
    #expect(!isThere("k", machine))
    #expect(machine.keyspace.count(namespace: Self.namespace) == 2)
    for copy in [try restored(snapshot(of: machine)), TestMachine(backend: machine.keyspace.backend)] {
      var copy = copy
      #expect(!isThere("k", copy))
      // The clock of another leader is behind.
      _ = copy.apply(.tick, at: ApplyContext(logIndex: LogIndex(9), time: 5_500))
      #expect(!isThere("k", copy))
      #expect(copy.keyspace.time == 6_000)
    }
    _ = before.apply(.tick, at: ApplyContext(logIndex: LogIndex(2), time: 6_000))
    #expect(!isThere("k", before))
  }

  @Test("expired keys are removed in slices: a thousand by a tick, four by a write, the same everywhere")
  mutating func slices() throws {
    for number in 0..<2_500 { put("k\(number)", for: 1_000, at: 5_000) }
    var other = try restored(snapshot(of: machine))
    func count(_ machine: TestMachine) -> Int { machine.keyspace.count(namespace: Self.namespace) }
    var left = 2_500
    for (command, removed) in [
      (KeyValueCommand.tick, 1_000), (.change([]), 4), (.run([]), 4), (.tick, 1_000), (.tick, 492),
      (.tick, 0),
    ] {
      apply(command, at: 6_000)
      _ = other.apply(command, at: ApplyContext(logIndex: LogIndex(index), time: 6_000))
      left -= removed
      #expect(count(machine) == left)
      #expect(snapshot(of: other) == snapshot(of: machine))
    }
    #expect(machine.keyspace.nextExpiry == nil)
  }
}
