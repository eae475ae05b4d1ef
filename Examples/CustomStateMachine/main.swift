// Your own state machine, replicated: an auction that three nodes agree on, all in one process.

import RaftCore
import RaftServer

/// Bids on items; the highest wins, the first of equal ones. Deterministic: it depends on nothing but the commands and
/// their order, so that every node comes to the same result.
struct Auction: StateMachine {
  /// The command: somebody bids.
  struct Bid: ByteCodable {
    var bidder: String
    var item: String
    var amount: UInt64

    init(_ bidder: String, _ item: String, _ amount: UInt64) {
      (self.bidder, self.item, self.amount) = (bidder, item, amount)
    }

    func encode(into writer: inout ByteWriter) {
      writer.write(bidder)
      writer.write(item)
      writer.write(amount)
    }

    init(from reader: inout ByteReader) throws(MalformedBytes) {
      bidder = try reader.readString()
      item = try reader.readString()
      amount = try reader.readUInt64()
    }
  }

  /// The query: who leads for an item?
  struct Leader {
    var item: String
  }

  private var highest: [String: Bid] = [:]

  /// Answers whether the bid leads now. A refusal is an answer like any other: the same on every node.
  mutating func apply(_ bid: Bid, at context: ApplyContext) -> Bool {
    guard bid.amount > highest[bid.item]?.amount ?? 0 else { return false }
    highest[bid.item] = bid
    return true
  }

  func read(_ query: Leader) -> Bid? { highest[query.item] }

  /// Writes the bids in the order of their items: a dictionary's own order differs from process to process.
  func snapshot(into writer: inout SnapshotWriter) {
    writer.write(contentsOf: highest.values.sorted { $0.item < $1.item })
  }

  mutating func restore(from reader: inout SnapshotReader) throws(MalformedBytes) {
    highest = [:]
    for bid in try reader.readArray(of: Bid.self) { highest[bid.item] = bid }
  }
}

/// Starts three nodes, which found their cluster together.
func startNodes(at ports: [UInt16]) async throws -> [Replica<Auction>] {
  let addresses = ports.map { "127.0.0.1:\($0)" }
  var replicas: [Replica<Auction>] = []
  for address in addresses {
    replicas.append(try await Replica.start(Auction(), at: address, peers: addresses))
  }
  for replica in replicas {
    for await event in replica.events { if case .founded = event { break } }
  }
  return replicas
}

// Ports may be given: CustomStateMachine 5100 5101 5102
let given = CommandLine.arguments.dropFirst().compactMap { UInt16($0) }
let replicas = try await startNodes(at: given.count == 3 ? given : [5_100, 5_101, 5_102])

// Any node takes a command; the session makes sure that a repeated one runs once.
let session = try await replicas[0].openSession()
for bid in [Auction.Bid("Ada", "lamp", 10), .init("Bob", "lamp", 12), .init("Cy", "lamp", 12)] {
  print("\(bid.bidder) bids \(bid.amount): \(try await session.propose(bid) ? "leads" : "too low")")
}

// Any node answers, and sees every bid that was acknowledged before.
for replica in replicas {
  let leader = try await replica.read(Auction.Leader(item: "lamp"))
  print("\(replica.address) says: \(leader?.bidder ?? "nobody") leads")
}

// One node of three may go.
await replicas[0].stop()
let bid = Auction.Bid("Dee", "lamp", 20)
print("\(bid.bidder) bids \(bid.amount): \(try await replicas[1].propose(bid) ? "leads" : "too low")")
let leader = try await replicas[2].read(Auction.Leader(item: "lamp"))
print("with one node gone, \(replicas[2].address) says: \(leader?.bidder ?? "nobody") leads")
await replicas[1].stop()
await replicas[2].stop()
