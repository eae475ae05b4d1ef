import RaftCore
import RaftServer

struct Add: ByteCodable {
  var amount: Int
  init(amount: Int) { self.amount = amount }
  func encode(into writer: inout ByteWriter) { amount.encode(into: &writer) }
  init(from reader: inout ByteReader) throws(MalformedBytes) { amount = try Int(from: &reader) }
}

struct Counter: StateMachine {  // deterministic: no clock, no randomness
  var value = 0
  mutating func apply(_ command: Add, at context: ApplyContext) -> Int {
    value += command.amount
    return value
  }
  func read(_ query: Void) -> Int { value }
  func snapshot(into writer: inout SnapshotWriter) { writer.write(value) }
  mutating func restore(from reader: inout SnapshotReader) throws(MalformedBytes) {
    value = try reader.read()
  }
}

let replica = try await Replica.start(Counter(), at: "127.0.0.1:5000")
for await event in replica.events { if case .founded = event { break } }
print(try await replica.propose(Add(amount: 1)))
print(try await replica.read(()))
await replica.stop()
