// Your own state machine under the faults of a hostile world: a bank that never has more or less money than it began with.

import RaftCore
import RaftServer
import RaftSimulation

/// Accounts, and transfers between them.
struct Bank: StateMachine {
  struct Transfer: ByteCodable {
    var from: Int
    var to: Int
    var amount: Int

    init(from: Int, to: Int, amount: Int) { (self.from, self.to, self.amount) = (from, to, amount) }

    func encode(into writer: inout ByteWriter) {
      for number in [from, to, amount] { number.encode(into: &writer) }
    }

    init(from reader: inout ByteReader) throws(MalformedBytes) {
      from = try Int(from: &reader)
      to = try Int(from: &reader)
      amount = try Int(from: &reader)
    }
  }

  private var balances = [100, 100, 100, 100]

  /// Answers whether the money was there.
  mutating func apply(_ transfer: Transfer, at context: ApplyContext) -> Bool {
    guard balances[transfer.from] >= transfer.amount else { return false }
    balances[transfer.from] -= transfer.amount
    balances[transfer.to] += transfer.amount
    return true
  }

  /// All the money there is.
  func read(_ query: Void) -> Int { balances.reduce(0, +) }

  func snapshot(into writer: inout SnapshotWriter) { writer.write(contentsOf: balances) }
  mutating func restore(from reader: inout SnapshotReader) throws(MalformedBytes) {
    balances = try reader.readArray()
  }
}

// Five replicas, and everything happens to them that can: each seed is another run, and always the same one.
for seed in 1...10 as ClosedRange<UInt64> {
  let plan = SimulationPlan(seed: seed, profile: .hostile, nodes: 5, ticks: 2_000)
  let report = Simulation(of: Bank(), plan: plan) { client, random in
    guard Int.random(in: 0..<4, using: &random) > 0 else { return .read(()) }
    let accounts = [0, 1, 2, 3].shuffled(using: &random)
    return .write(.init(from: accounts[0], to: accounts[1], amount: Int.random(in: 1...50, using: &random)))
  }.run()
  print("seed \(seed): \(report.acknowledged) answers, \(report.violations.first ?? "no rule was broken")")
}
